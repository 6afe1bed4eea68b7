//! What type a scalar has: the table and the number forms of yaml.v2.

use super::timestamp::is_timestamp;

/// A scalar with its type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Resolved<'t> {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Float(f64),
    /// A date or time; it stays a text, but is printed in quotes.
    Timestamp(&'t str),
    Text(&'t str),
    /// The Base64 text of a `!!binary`.
    Binary(&'t str),
}

const PREFIX: &str = "tag:yaml.org,2002:";

/// Resolves a scalar with a tag, empty if there is none; the error is Go's message without `yaml: `.
pub(super) fn resolve<'t>(tag: &str, text: &'t str) -> Result<Resolved<'t>, String> {
    let short = tag.strip_prefix(PREFIX).unwrap_or(if tag.is_empty() { "" } else { "other" });
    let resolved = match short {
        "str" => return Ok(Resolved::Text(text)),
        "binary" => return Ok(Resolved::Binary(text)),
        "" if tag.is_empty() => return Ok(resolve_plain(text, true)),
        "timestamp" => resolve_plain(text, true),
        "bool" | "int" | "float" | "null" => resolve_plain(text, false),
        _ => return Ok(Resolved::Text(text)),
    };
    match resolved {
        Resolved::Int(number) if short == "float" => Ok(Resolved::Float(number as f64)),
        resolved if name(&resolved) == short => Ok(resolved),
        resolved => Err(format!("cannot decode !!{} `{text}` as a !!{short}", name(&resolved))),
    }
}

fn name(resolved: &Resolved) -> &'static str {
    match resolved {
        Resolved::Null => "null",
        Resolved::Bool(_) => "bool",
        Resolved::Int(_) | Resolved::UInt(_) => "int",
        Resolved::Float(_) => "float",
        Resolved::Timestamp(_) => "timestamp",
        Resolved::Text(_) => "str",
        Resolved::Binary(_) => "binary",
    }
}

/// Resolves a scalar without a tag.
pub(super) fn resolve_plain(text: &str, timestamps: bool) -> Resolved<'_> {
    let Some(first) = text.bytes().next() else { return Resolved::Null };
    match first {
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' => {
            word(text).unwrap_or(Resolved::Text(text))
        }
        b'.' => word(text).or_else(|| fraction(text)).unwrap_or(Resolved::Text(text)),
        b'0'..=b'9' | b'+' | b'-' => {
            if let Some(known) = word(text) {
                known
            } else if timestamps && is_timestamp(text) {
                Resolved::Timestamp(text)
            } else {
                number(text).unwrap_or(Resolved::Text(text))
            }
        }
        _ => Resolved::Text(text),
    }
}

fn word(text: &str) -> Option<Resolved<'static>> {
    if text.len() > 5 {
        return None;
    }
    Some(match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Resolved::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Resolved::Bool(false),
        "~" | "null" | "Null" | "NULL" => Resolved::Null,
        ".nan" | ".NaN" | ".NAN" => Resolved::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Resolved::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Resolved::Float(f64::NEG_INFINITY),
        _ => return None,
    })
}

fn number(text: &str) -> Option<Resolved<'static>> {
    let without;
    let plain = if text.contains('_') {
        without = text.replace('_', "");
        without.as_str()
    } else {
        text
    };
    if let Some(number) = any_base(plain) {
        return Some(number);
    }
    if let Some(number) = float(plain) {
        return Some(number);
    }
    // Go reads what follows 0b with a sign of its own.
    signed(plain.strip_prefix("0b")?, 2)
}

/// Reads an integer as Go's `ParseInt(text, 0, 64)`, else `ParseUint`.
fn any_base(text: &str) -> Option<Resolved<'static>> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => ("-", &text[1..]),
        b'+' => ("+", &text[1..]),
        _ => ("", text),
    };
    let (base, digits) = match digits.as_bytes() {
        [b'0', b'b' | b'B', _, ..] => (2, &digits[2..]),
        [b'0', b'o' | b'O', _, ..] => (8, &digits[2..]),
        [b'0', b'x' | b'X', _, ..] => (16, &digits[2..]),
        [b'0'] => (10, digits),
        [b'0', ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    let size = magnitude(digits, base)?;
    match sign {
        "-" => 0i64.checked_sub_unsigned(size).map(Resolved::Int),
        "+" => i64::try_from(size).ok().map(Resolved::Int),
        _ => Some(i64::try_from(size).map_or(Resolved::UInt(size), Resolved::Int)),
    }
}

fn magnitude(digits: &str, base: u32) -> Option<u64> {
    // Rust would take a sign here.
    if !digits.as_bytes().first()?.is_ascii_alphanumeric() {
        return None;
    }
    u64::from_str_radix(digits, base).ok()
}

fn signed(text: &str, base: u32) -> Option<Resolved<'static>> {
    i64::from_str_radix(text, base).ok().map(Resolved::Int)
}

/// Reads a float that starts with its point; here Go wants underscores between digits.
fn fraction(text: &str) -> Option<Resolved<'static>> {
    let bytes = text.as_bytes();
    let between_digits = |place: usize| {
        [place.wrapping_sub(1), place + 1].iter().all(|near| bytes.get(*near).is_some_and(u8::is_ascii_digit))
    };
    if !text.contains('_') {
        return float(text);
    }
    let fine = text.bytes().enumerate().all(|(place, byte)| byte != b'_' || between_digits(place));
    if fine { float(&text.replace('_', "")) } else { None }
}

/// Reads `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`; what is too large for a float is none.
fn float(text: &str) -> Option<Resolved<'static>> {
    let bytes = text.as_bytes();
    let mut at = usize::from(matches!(bytes.first(), Some(b'-' | b'+')));
    let digits = |at: usize| bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let whole = digits(at);
    at += whole;
    if bytes.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        if whole + fraction == 0 {
            return None;
        }
        at += 1 + fraction;
    } else if whole == 0 {
        return None;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        at += 1 + usize::from(matches!(bytes.get(at + 1), Some(b'-' | b'+')));
        let exponent = digits(at);
        if exponent == 0 {
            return None;
        }
        at += exponent;
    }
    if at != bytes.len() {
        return None;
    }
    let number: f64 = text.parse().ok()?;
    number.is_finite().then_some(Resolved::Float(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Resolved) {
        assert_eq!(resolve_plain(text, true), expected, "{text}");
    }

    #[test]
    fn words_are_those_of_yaml_1_1() {
        for text in ["y", "Yes", "ON", "true"] {
            check(text, Resolved::Bool(true));
        }
        for text in ["n", "No", "OFF", "False"] {
            check(text, Resolved::Bool(false));
        }
        for text in ["", "~", "null", "NULL"] {
            check(text, Resolved::Null);
        }
        for text in ["yEs", "nul", "tRue", "<<", "oN"] {
            check(text, Resolved::Text(text));
        }
    }

    #[test]
    fn numbers_have_the_bases_of_go() {
        for (text, number) in [
            ("0", 0),
            ("0777", 0o777),
            ("0o17", 15),
            ("0b11", 3),
            ("-0x1F", -31),
            ("1_000", 1000),
            ("+5", 5),
            ("0b-11", -3),
        ] {
            check(text, Resolved::Int(number));
        }
        check("18446744073709551615", Resolved::UInt(u64::MAX));
        check("-9223372036854775808", Resolved::Int(i64::MIN));
        for (text, number) in
            [("08", 8.0), ("1.", 1.0), (".5", 0.5), ("-.5e3", -500.0), ("36893488147419103232", 36893488147419103232.0)]
        {
            check(text, Resolved::Float(number));
        }
        for text in ["1:30:00", "0x", "+", "-", "1e", "1e999", "--1", "0o8", "1.2.3", "._5", "0x-1"] {
            check(text, Resolved::Text(text));
        }
    }

    #[test]
    fn a_tag_that_does_not_fit_is_an_error() {
        assert_eq!(resolve("tag:yaml.org,2002:int", "a"), Err("cannot decode !!str `a` as a !!int".to_owned()));
        assert_eq!(resolve("tag:yaml.org,2002:float", "1"), Ok(Resolved::Float(1.0)));
        assert_eq!(resolve("!mine", "1"), Ok(Resolved::Text("1")));
    }
}
