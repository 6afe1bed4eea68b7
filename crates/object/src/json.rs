//! JSON: read straight into values, printed as Go's `encoding/json` prints.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, SeqAccess, Visitor},
    ser::{SerializeMap, SerializeSeq},
};

use crate::{Key, Map, Text, Value};

/// Why a text is not JSON: the message with line and column.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct JsonError(#[from] serde_json::Error);

impl JsonError {
    /// Returns the line, from 1.
    pub fn line(&self) -> usize {
        self.0.line()
    }

    /// Returns the column, from 1.
    pub fn column(&self) -> usize {
        self.0.column()
    }
}

/// Reads one JSON text. Of duplicate keys the last wins, as in Go; nesting beyond 128 is an error.
pub fn from_json(text: &[u8]) -> Result<Value, JsonError> {
    Ok(serde_json::from_slice(text)?)
}

/// Prints compact JSON in the map's own order, without HTML escapes.
pub fn to_json(value: &Value) -> String {
    let mut out = String::new();
    write_json(&mut out, value);
    out
}

/// Appends what [`to_json`] prints.
pub fn write_json(out: &mut String, value: &Value) {
    let mut printer = Printer { out: std::mem::take(out), html_safe: false, indent: None };
    printer.value(value, 0);
    *out = printer.out;
}

/// Prints compact JSON as Go's `json.Marshal` does by default: `<`, `>`, `&`, U+2028 and U+2029 escaped.
pub fn to_json_html_safe(value: &Value) -> String {
    let mut printer = Printer { out: String::new(), html_safe: true, indent: None };
    printer.value(value, 0);
    printer.out
}

/// Prints JSON with this indent a level, as Go's `json.MarshalIndent` with HTML escapes off.
pub fn to_json_pretty(value: &Value, indent: &str) -> String {
    let mut printer = Printer { out: String::new(), html_safe: false, indent: Some(indent) };
    printer.value(value, 0);
    printer.out
}

struct Printer<'a> {
    out: String,
    html_safe: bool,
    indent: Option<&'a str>,
}

impl Printer<'_> {
    fn value(&mut self, value: &Value, depth: usize) {
        match value {
            Value::Null => self.out.push_str("null"),
            Value::Bool(true) => self.out.push_str("true"),
            Value::Bool(false) => self.out.push_str("false"),
            Value::Int(number) => self.out.push_str(itoa::Buffer::new().format(*number)),
            Value::UInt(number) => self.out.push_str(itoa::Buffer::new().format(*number)),
            Value::Float(number) => push_float(&mut self.out, *number),
            Value::Text(text) => self.string(text),
            Value::List(items) => self.sequence('[', ']', items.len(), depth, |printer, place| {
                printer.value(&items[place], depth + 1);
            }),
            Value::Map(map) => {
                let mut entries = map.iter();
                self.sequence('{', '}', map.len(), depth, |printer, _| {
                    let (key, value) = entries.next().expect("called once an entry");
                    printer.string(key);
                    printer.out.push(':');
                    if printer.indent.is_some() {
                        printer.out.push(' ');
                    }
                    printer.value(value, depth + 1);
                });
            }
        }
    }

    fn sequence(&mut self, open: char, close: char, len: usize, depth: usize, mut item: impl FnMut(&mut Self, usize)) {
        self.out.push(open);
        for place in 0..len {
            if place > 0 {
                self.out.push(',');
            }
            self.newline(depth + 1);
            item(self, place);
        }
        if len > 0 {
            self.newline(depth);
        }
        self.out.push(close);
    }

    fn newline(&mut self, depth: usize) {
        let Some(indent) = self.indent else { return };
        self.out.push('\n');
        for _ in 0..depth {
            self.out.push_str(indent);
        }
    }

    fn string(&mut self, text: &str) {
        push_string(&mut self.out, text, self.html_safe);
    }
}

/// The first byte of U+2028 and U+2029, and of others that stay as they are.
const SEPARATOR: u8 = 0xE2;

/// Whether a byte begins something that is escaped.
#[derive(Clone, Copy)]
enum Special {
    Never,
    Html,
    Always,
}

/// By byte; every text of every answer is looked through.
static SPECIAL: [Special; 256] = {
    let mut table = [Special::Never; 256];
    let mut control = 0;
    while control < 0x20 {
        table[control] = Special::Always;
        control += 1;
    }
    table[b'"' as usize] = Special::Always;
    table[b'\\' as usize] = Special::Always;
    table[SEPARATOR as usize] = Special::Always;
    table[b'<' as usize] = Special::Html;
    table[b'>' as usize] = Special::Html;
    table[b'&' as usize] = Special::Html;
    table
};

/// Appends a quoted string with Go's escapes (`\u003c` only when `html_safe`; control characters as `\u00XX`).
fn push_string(out: &mut String, text: &str, html_safe: bool) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let special = |byte: &u8| match SPECIAL[usize::from(*byte)] {
        Special::Never => false,
        Special::Html => html_safe,
        Special::Always => true,
    };
    let bytes = text.as_bytes();
    out.push('"');
    let (mut clean, mut place) = (0, 0);
    while let Some(found) = bytes[place..].iter().position(special).map(|offset| place + offset) {
        let (length, escape) = match &bytes[found..] {
            [b'"', ..] => (1, "\\\""),
            [b'\\', ..] => (1, "\\\\"),
            [b'\n', ..] => (1, "\\n"),
            [b'\r', ..] => (1, "\\r"),
            [b'\t', ..] => (1, "\\t"),
            [0x8, ..] => (1, "\\b"),
            [0xc, ..] => (1, "\\f"),
            [b'<', ..] => (1, "\\u003c"),
            [b'>', ..] => (1, "\\u003e"),
            [b'&', ..] => (1, "\\u0026"),
            [SEPARATOR, 0x80, 0xa8, ..] => (3, "\\u2028"),
            [SEPARATOR, 0x80, 0xa9, ..] => (3, "\\u2029"),
            [SEPARATOR, ..] => {
                place = found + 1;
                continue;
            }
            _ => (1, ""),
        };
        out.push_str(&text[clean..found]);
        out.push_str(escape);
        if escape.is_empty() {
            out.push_str("\\u00");
            out.push(char::from(HEX[usize::from(bytes[found] >> 4)]));
            out.push(char::from(HEX[usize::from(bytes[found] & 15)]));
        }
        place = found + length;
        clean = place;
    }
    out.push_str(&text[clean..]);
    out.push('"');
}

/// Appends a float as Go does: `1` for 1.0, exponents below 1e-6 and from 1e21. JSON has no infinities: `null`.
pub(crate) fn push_float(out: &mut String, number: f64) {
    use std::fmt::Write;
    if !number.is_finite() {
        out.push_str("null");
        return;
    }
    let size = number.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let start = out.len();
        write!(out, "{number:e}").expect("a String takes everything");
        // Go writes the sign of the exponent (1e+21, 1e-07 shortened to 1e-7); Rust writes 1e21 and 1e-7.
        if let Some(at) = out[start..].find('e').map(|at| start + at + 1)
            && !out[at..].starts_with('-')
        {
            out.insert(at, '+');
        }
    } else {
        write!(out, "{number}").expect("a String takes everything");
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(truth) => serializer.serialize_bool(*truth),
            Self::Int(number) => serializer.serialize_i64(*number),
            Self::UInt(number) => serializer.serialize_u64(*number),
            Self::Float(number) => serializer.serialize_f64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(items) => {
                let mut sequence = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    sequence.serialize_element(item)?;
                }
                sequence.end()
            }
            Self::Map(map) => map.serialize(serializer),
        }
    }
}

impl Serialize for Map {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut entries = serializer.serialize_map(Some(self.len()))?;
        for (key, value) in self.iter() {
            entries.serialize_entry(key, value)?;
        }
        entries.end()
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(truth.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(Text::from(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut entries: Vec<(Key, Value)> = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Value::Map(entries.into_iter().collect()))
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

impl<'de> Deserialize<'de> for Map {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_map(AnyValue)? {
            Value::Map(map) => Ok(map),
            _ => Err(serde::de::Error::custom("expected a map")),
        }
    }
}

struct KeyVisitor;

impl Visitor<'_> for KeyVisitor {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map key")
    }

    fn visit_str<E>(self, text: &str) -> Result<Key, E> {
        Ok(Key::new(text))
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(KeyVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expect: &str) {
        assert_eq!(to_json(&from_json(json.as_bytes()).unwrap()), expect);
    }

    #[test]
    fn numbers_keep_their_kind_and_print_as_go_prints_them() {
        check(
            "[1, 1.0, 1.5, 18446744073709551615, -9223372036854775808]",
            "[1,1,1.5,18446744073709551615,-9223372036854775808]",
        );
        check("[1e21, 1e20, 1e-7, 0.000001]", "[1e+21,100000000000000000000,1e-7,0.000001]");
    }

    #[test]
    fn strings_are_escaped_as_go_escapes_them() {
        check(r#"{"a":"<\u0001\t\u2028>"}"#, r#"{"a":"<\u0001\t\u2028>"}"#);
        assert_eq!(to_json_html_safe(&Value::from("<&>")), r#""\u003c\u0026\u003e""#);
    }

    #[test]
    fn deep_nesting_is_an_error_and_not_a_crash() {
        assert!(from_json("[".repeat(100_000).as_bytes()).is_err());
    }
}
