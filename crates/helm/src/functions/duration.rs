//! Helm's functions on durations.

use lockstep_gotmpl::{Context, Duration, FuncError, Functions, Signature, Type, Value};

use crate::metadata::quote;

const SECOND: i64 = 1_000_000_000;
const MAX_SECONDS: i64 = i64::MAX / SECOND;

pub(crate) fn register(functions: &mut Functions) {
    let one = || Signature::new(&[Type::Any]);
    let two = || Signature::new(&[Type::Any, Type::Any]);
    functions.add("mustToDuration", one(), |_, args| Ok(Value::Duration(Duration(read(args.first())?))));
    add_float(functions, "durationSeconds", |nanos| split(nanos, SECOND));
    add_float(functions, "durationMinutes", |nanos| split(nanos, 60 * SECOND));
    add_float(functions, "durationHours", hours);
    add_float(functions, "durationDays", |nanos| hours(nanos) / 24.0);
    add_float(functions, "durationWeeks", |nanos| hours(nanos) / 24.0 / 7.0);
    add_whole(functions, "durationMilliseconds", 1_000_000);
    add_whole(functions, "durationMicroseconds", 1_000);
    add_whole(functions, "durationNanoseconds", 1);
    functions.add("durationRoundTo", two(), |_, args| to_multiple(args, round));
    functions.add("durationTruncateTo", two(), |_, args| to_multiple(args, |d, m| if m <= 0 { d } else { d - d % m }));
}

fn add_float(functions: &mut Functions, name: &str, convert: fn(i64) -> f64) {
    let code = move |_: &mut Context, args: &[Value]| Ok(Value::Float(read(args.first()).map_or(0.0, convert)));
    functions.add(name, Signature::new(&[Type::Any]), code);
}

fn add_whole(functions: &mut Functions, name: &str, unit: i64) {
    let code = move |_: &mut Context, args: &[Value]| Ok(Value::Int64(read(args.first()).map_or(0, |n| n / unit)));
    functions.add(name, Signature::new(&[Type::Any]), code);
}

/// Divides as Go's `Duration.Hours` does: whole and fraction apart.
fn split(nanos: i64, unit: i64) -> f64 {
    (nanos / unit) as f64 + (nanos % unit) as f64 / unit as f64
}

fn hours(nanos: i64) -> f64 {
    split(nanos, 3600 * SECOND)
}

fn to_multiple(args: &[Value], apply: fn(i64, i64) -> i64) -> Result<Value, FuncError> {
    let nanos = match (read(args.first()), read(args.get(1))) {
        (Err(_), _) => 0,
        (Ok(nanos), Err(_)) => nanos,
        (Ok(nanos), Ok(multiple)) => apply(nanos, multiple),
    };
    Ok(Value::Duration(Duration(nanos)))
}

/// Rounds halves away from zero; keeps the ends of the range.
fn round(nanos: i64, multiple: i64) -> i64 {
    if multiple <= 0 {
        return nanos;
    }
    let rest = nanos % multiple;
    let down = nanos - rest;
    let is_half = rest.unsigned_abs() * 2 >= multiple.unsigned_abs();
    match (is_half, nanos < 0) {
        (false, _) => down,
        (true, true) => down.saturating_sub(multiple),
        (true, false) => down.saturating_add(multiple),
    }
}

fn read(value: Option<&Value>) -> Result<i64, String> {
    match value.unwrap_or(&Value::Nil) {
        Value::Duration(Duration(nanos)) => Ok(*nanos),
        Value::Str(text) => from_text(&text.to_text()),
        Value::Nil | Value::Invalid => Err("invalid duration".into()),
        Value::Int(number) | Value::Int64(number) => from_seconds(*number),
        Value::Int32(number) => from_seconds((*number).into()),
        Value::Uint8(number) => from_seconds((*number).into()),
        Value::Uint64(number) => match i64::try_from(*number) {
            Ok(number) => from_seconds(number),
            Err(_) => Err(format!("duration seconds overflow: {number}")),
        },
        Value::Float(number) => from_float(*number),
        other => Err(format!("unsupported duration type {}", other.type_name())),
    }
}

fn from_seconds(seconds: i64) -> Result<i64, String> {
    if (-MAX_SECONDS..=MAX_SECONDS).contains(&seconds) {
        Ok(seconds * SECOND)
    } else {
        Err(format!("duration seconds overflow: {seconds}"))
    }
}

fn from_float(seconds: f64) -> Result<i64, String> {
    let shown = || lockstep_gotmpl::print::sprintf("%v", &[Value::Float(seconds)]).to_string();
    if !seconds.is_finite() {
        return Err(format!("invalid duration seconds: {}", shown()));
    }
    let nanos = seconds * SECOND as f64;
    if nanos.abs() > i64::MAX as f64 {
        return Err(format!("duration seconds overflow: {}", shown()));
    }
    Ok(nanos as i64)
}

fn from_text(text: &str) -> Result<i64, String> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err("empty duration".into());
    }
    if let Some(nanos) = parse(trimmed) {
        return Ok(nanos);
    }
    match trimmed.parse::<f64>() {
        Ok(seconds) => from_float(seconds),
        Err(_) => Err(format!("could not parse duration {}", quote(text))),
    }
}

/// Parses as Go's `time.ParseDuration`: `-1h2m3.5s`.
fn parse(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut total: i128 = 0;
    while !rest.is_empty() || total == 0 && rest.len() == text.len() {
        let number_end = rest.find(|c: char| c != '.' && !c.is_ascii_digit())?;
        let (number, after) = rest.split_at(number_end);
        let unit_end = after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_end);
        total += parse_one(number, unit)?;
        rest = next;
    }
    let limit = i128::from(i64::MAX) + i128::from(negative);
    if total > limit || text.len() == usize::from(text.starts_with(['-', '+'])) {
        return None;
    }
    i64::try_from(if negative { -total } else { total }).ok()
}

fn parse_one(number: &str, unit: &str) -> Option<i128> {
    let unit: i128 = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => i128::from(SECOND),
        "m" => 60 * i128::from(SECOND),
        "h" => 3600 * i128::from(SECOND),
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse::<i64>().ok()?.into() };
    let fraction = &fraction[..fraction.len().min(18)];
    let scale = 10f64.powi(i32::try_from(fraction.len()).ok()?);
    let part = if fraction.is_empty() { 0.0 } else { fraction.parse::<f64>().ok()? * (unit as f64 / scale) };
    Some(whole * unit + part as i128)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, expect) in [
            ("1h2m3.5s", Ok(3_723_500_000_000)),
            ("-10s", Ok(-10_000_000_000)),
            ("2.5", Ok(2_500_000_000)),
            ("1.5h", Ok(5_400_000_000_000)),
            ("", Err("empty duration".to_owned())),
            ("x", Err("could not parse duration \"x\"".to_owned())),
            ("-", Err("could not parse duration \"-\"".to_owned())),
        ] {
            assert_eq!(from_text(text), expect, "{text}");
        }
    }
}
