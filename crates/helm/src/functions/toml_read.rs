//! `fromToml`.

use std::rc::Rc;

use lockstep_gotmpl::{Context, FuncError, Functions, List, Map, Signature, Time, Type, Value};

use super::{calls::text, json::error_map};

pub(crate) fn register(functions: &mut Functions) {
    functions.add("fromToml", Signature::new(&[Type::Str]), from_toml);
}

fn from_toml(context: &mut Context, args: &[Value]) -> Result<Value, FuncError> {
    let source = text(args, 0);
    context.charge_bytes(source.len())?;
    let source = source.to_text();
    match source.parse::<toml::Table>() {
        Ok(table) => Ok(Value::Map(map(&table))),
        Err(error) => Ok(error_map(message(&source, &error))),
    }
}

fn map(table: &toml::Table) -> Map {
    table.iter().map(|(key, item)| (key.as_str(), value(item))).collect()
}

fn value(item: &toml::Value) -> Value {
    match item {
        toml::Value::String(text) => Value::from(text.as_str()),
        toml::Value::Integer(number) => Value::Int64(*number),
        toml::Value::Float(number) => Value::Float(*number),
        toml::Value::Boolean(truth) => Value::Bool(*truth),
        toml::Value::Datetime(datetime) => time(datetime),
        toml::Value::Array(items) if !items.is_empty() && items.iter().all(toml::Value::is_table) => {
            Value::List(List::new(Type::MAP, items.iter().map(value).collect()))
        }
        toml::Value::Array(items) => Value::list(items.iter().map(value).collect()),
        toml::Value::Table(table) => Value::Map(map(table)),
    }
}

/// Makes Go's time; a date or time without the other counts from the first day, in UTC.
fn time(datetime: &toml::value::Datetime) -> Value {
    let date = datetime.date.unwrap_or(toml::value::Date { year: 0, month: 1, day: 1 });
    let days = days_from_civil(i64::from(date.year), i64::from(date.month), i64::from(date.day));
    let time = datetime.time;
    let of_day = time.map_or(0, |t| i64::from(t.hour) * 3600 + i64::from(t.minute) * 60 + i64::from(t.second));
    let offset = match datetime.offset {
        Some(toml::value::Offset::Custom { minutes }) => i32::from(minutes) * 60,
        _ => 0,
    };
    let nanos = time.map_or(0, |t| t.nanosecond);
    let mut result = Time::from_unix(days * 86400 + of_day - i64::from(offset), nanos);
    if offset != 0 {
        result.offset = offset;
        result.zone = String::new();
    }
    Value::Time(Rc::new(result))
}

/// Counts the days from 1970 to a day of the Gregorian calendar.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn message(source: &str, error: &toml::de::Error) -> String {
    let at = error.span().map_or(0, |span| span.start.min(source.len()));
    let line = source.as_bytes()[..at].iter().filter(|b| **b == b'\n').count() + 1;
    let text = error.message().lines().next().unwrap_or_default();
    if let Some(key) = text.strip_prefix("duplicate key") {
        let key = key.trim().trim_matches('`');
        let key = if key.is_empty() { key_at(source, at) } else { key };
        return format!("toml: line {line} (last key {key:?}): Key '{key}' has already been defined.");
    }
    let start = source[..at].rfind('\n').map_or(0, |end| end + 1);
    let text = key_error(&source[start..]).unwrap_or_else(|| text.to_owned());
    format!("toml: line {line}: {text}")
}

/// Words what is wrong with the key at the start of a line as Go's library does; none when `=` follows it or it is a header.
fn key_error(line: &str) -> Option<String> {
    const BLANKS: [char; 2] = [' ', '\t'];
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let mut rest = line;
    loop {
        rest = rest.trim_start_matches(BLANKS);
        rest = match rest.chars().next() {
            Some(mark @ ('"' | '\'')) if rest[1..].contains(mark) => rest[1..].split_once(mark)?.1,
            _ => rest.trim_start_matches(is_bare),
        };
        rest = rest.trim_start_matches(BLANKS);
        match rest.chars().next() {
            Some('.') => rest = &rest[1..],
            Some('=' | '[' | '#') => return None,
            None => return Some("unexpected EOF; expected key separator '='".to_owned()),
            Some(other) => {
                let shown = lockstep_gotmpl::print::sprintf("%q", &[Value::Int(i64::from(u32::from(other)))]);
                return Some(format!("expected '.' or '=', but got {shown} instead"));
            }
        }
    }
}

fn key_at(source: &str, at: usize) -> &str {
    let rest = source.get(at..).unwrap_or_default();
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-')).unwrap_or(rest.len());
    &rest[..end]
}
