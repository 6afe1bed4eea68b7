//! `toYamlPretty`: Go's yaml.v3 with two spaces, lists indented below their key.

use std::cmp::Ordering;

use lockstep_gotmpl::{Context, FuncError, Functions, Signature, Str, Type, Value, json};
use lockstep_object as object;

use super::yaml::Size;

const MAX_DEPTH: usize = 256;

pub(crate) fn register(functions: &mut Functions) {
    functions.add("toYamlPretty", Signature::new(&[Type::Any]), |context, args| {
        let mut printer = Printer { out: String::new(), size: Size::default() };
        match printer.value(context, args.first().unwrap_or(&Value::Nil), 0, Place::Root) {
            Ok(()) => {}
            Err(error) if error.is_limit() => return Err(error),
            Err(_) => return Ok("".into()),
        }
        let mut text = printer.out;
        if text.ends_with('\n') {
            text.pop();
        }
        context.charge_bytes(text.len())?;
        Ok(Value::from(text))
    });
}

/// What stands before a value on its line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    Key,
    Item,
}

struct Printer {
    out: String,
    size: Size,
}

impl Printer {
    fn value(&mut self, context: &mut Context, value: &Value, indent: usize, place: Place) -> Result<(), FuncError> {
        context.charge(1)?;
        self.size.set(context, self.out.len())?;
        if indent > MAX_DEPTH {
            return Err("the value is nested too deep".into());
        }
        match value {
            Value::Map(map) if !map.is_empty() => self.map(context, map.entries(), indent, place),
            Value::List(list) if !list.is_empty() => self.list(context, list.items(), indent, place),
            Value::Map(_) => self.inline("{}", place),
            Value::List(_) => self.inline("[]", place),
            Value::Native(_) | Value::Time(_) | Value::Bytes(_) | Value::Func(_) => {
                let plain = json::decode(&json::encode(value)?)?;
                self.value(context, &plain, indent, place)
            }
            scalar => self.inline(&scalar_text(scalar, indent, place), place),
        }
    }

    fn inline(&mut self, text: &str, place: Place) -> Result<(), FuncError> {
        if place != Place::Root {
            self.out.push(' ');
        }
        self.out.push_str(text);
        self.out.push('\n');
        Ok(())
    }

    fn map(
        &mut self,
        context: &mut Context,
        mut entries: Vec<(Str, Value)>,
        indent: usize,
        place: Place,
    ) -> Result<(), FuncError> {
        entries.sort_by(|(a, _), (b, _)| natural(&a.to_text(), &b.to_text()));
        if place == Place::Key {
            self.out.push('\n');
        }
        for (at, (key, value)) in entries.iter().enumerate() {
            if at > 0 || place == Place::Key {
                self.pad(indent);
            } else if place == Place::Item {
                self.out.push(' ');
            }
            self.key(&key.to_text(), indent);
            self.value(context, value, indent + 1, Place::Key)?;
        }
        Ok(())
    }

    /// Writes a key; one that is long or has several lines stands behind a question mark.
    fn key(&mut self, key: &str, indent: usize) {
        const MAX_SIMPLE: usize = 128;
        let text = string_text(key);
        if key.len() <= MAX_SIMPLE && !key.contains(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']) {
            self.out.push_str(&text);
        } else {
            self.out.push_str("? ");
            self.out.push_str(&indent_block(&text, indent));
            self.out.push('\n');
            self.pad(indent);
        }
        self.out.push(':');
    }

    fn list(&mut self, context: &mut Context, items: &[Value], indent: usize, place: Place) -> Result<(), FuncError> {
        if place == Place::Key {
            self.out.push('\n');
        }
        for (at, item) in items.iter().enumerate() {
            if at > 0 || place == Place::Key {
                self.pad(indent);
            } else if place == Place::Item {
                self.out.push(' ');
            }
            self.out.push('-');
            self.value(context, item, indent + 1, Place::Item)?;
        }
        Ok(())
    }

    fn pad(&mut self, indent: usize) {
        for _ in 0..indent {
            self.out.push_str("  ");
        }
    }
}

fn scalar_text(value: &Value, indent: usize, place: Place) -> String {
    match value {
        Value::Nil | Value::Invalid => "null".into(),
        Value::Float(number) if number.is_nan() => ".nan".into(),
        Value::Float(number) if number.is_infinite() => if *number > 0.0 { ".inf" } else { "-.inf" }.into(),
        Value::Str(text) => {
            let text = string_text(&text.to_text());
            // A block's lines stand one level deeper than the key or dash before it.
            let levels = if place == Place::Root { 0 } else { indent - 1 };
            indent_block(&text, levels)
        }
        other => lockstep_gotmpl::print::sprint(std::slice::from_ref(other)).to_string(),
    }
}

fn indent_block(text: &str, levels: usize) -> String {
    if levels == 0 || !text.contains('\n') {
        return text.to_owned();
    }
    let pad = "  ".repeat(levels);
    let mut lines = text.split('\n');
    let mut out = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        out.push('\n');
        if !line.is_empty() {
            out.push_str(&pad);
        }
        out.push_str(line);
    }
    out
}

/// Prints a string at the root: both versions of Go's YAML choose the same quotes, but this one folds no lines and takes tabs
/// in blocks.
fn string_text(text: &str) -> String {
    if text.contains('\t') && text.contains('\n') {
        let without_tabs = print(&text.replace('\t', "x"));
        if without_tabs.starts_with('|') {
            let header = without_tabs.lines().next().unwrap_or_default();
            return indent_block(&format!("{header}\n{}", text.trim_end_matches('\n')), 1);
        }
    }
    let printed = print(text);
    if printed.starts_with('|') || !printed.contains('\n') {
        return printed;
    }
    let unfolded = printed.split('\n').map(str::trim_start);
    // A folded line that begins with a blank has a backslash before it.
    let lines = unfolded.map(|line| line.strip_prefix('\\').filter(|rest| rest.starts_with(' ')).unwrap_or(line));
    lines.collect::<Vec<_>>().join(" ")
}

fn print(text: &str) -> String {
    let mut printed = object::yaml::print(&object::Value::from(text));
    if printed.ends_with('\n') {
        printed.pop();
    }
    printed
}

/// Compares keys as Go's YAML does: letters after digits and signs, numbers by their value.
fn natural(a: &str, b: &str) -> Ordering {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut digits = false;
    for i in 0..a.len().min(b.len()) {
        if a[i] == b[i] {
            digits = a[i].is_numeric();
            continue;
        }
        return match (a[i].is_alphabetic(), b[i].is_alphabetic()) {
            (true, true) => a[i].cmp(&b[i]),
            (true, false) if digits => Ordering::Less,
            (true, false) => Ordering::Greater,
            (false, true) if digits => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => by_number(&a, &b, i),
        };
    }
    a.len().cmp(&b.len())
}

fn by_number(a: &[char], b: &[char], at: usize) -> Ordering {
    let zero = a[at] == '0' || b[at] == '0';
    let digits_before = a[..at].iter().rev().take_while(|c| c.is_ascii_digit());
    let start = i64::from(zero && digits_before.into_iter().any(|c| *c != '0'));
    let (a_number, a_digits) = number(a, at, start);
    let (b_number, b_digits) = number(b, at, start);
    a_number.cmp(&b_number).then(a_digits.cmp(&b_digits)).then(a[at].cmp(&b[at]))
}

fn number(text: &[char], at: usize, start: i64) -> (i64, usize) {
    let digits = text[at..].iter().map_while(|c| c.to_digit(10));
    digits
        .fold((start, 0), |(number, count), digit| (number.wrapping_mul(10).wrapping_add(i64::from(digit)), count + 1))
}
