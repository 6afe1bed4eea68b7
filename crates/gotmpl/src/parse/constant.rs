//! Number and string constants.

use super::{lex::Kind, node::Number};
use crate::{
    fmt::quote,
    number::{parse_float, parse_int, parse_uint},
};

/// Reads a number constant as everything that Go takes it for.
pub(super) fn number(text: &str, kind: Kind) -> Result<Number, String> {
    let mut number = Number { text: text.into(), ..Number::default() };
    if kind == Kind::CharConstant {
        let c = character(text)?;
        (number.int, number.uint, number.float) = (Some(c), Some(c as u64), Some(c as f64));
        return Ok(number);
    }
    if kind == Kind::Complex {
        let split = text.rfind(['+', '-']).filter(|at| *at > 0).ok_or("syntax error scanning complex number")?;
        let split = match text.as_bytes()[split - 1] {
            b'e' | b'E' | b'p' | b'P' => text[..split - 1].rfind(['+', '-']).unwrap_or(split),
            _ => split,
        };
        let parse = |part: &str| {
            scan_float(part).ok_or_else(|| format!("strconv.ParseFloat: parsing {}: invalid syntax", quote(part)))
        };
        set_complex(&mut number, parse(&text[..split])?, parse(text[split..].trim_end_matches('i'))?);
        return Ok(number);
    }
    if let Some(imaginary) = text.strip_suffix('i')
        && let Ok(value) = parse_float(imaginary)
    {
        set_complex(&mut number, 0.0, value);
        return Ok(number);
    }
    number.uint = parse_uint(text, 0).ok();
    number.int = parse_int(text, 0).ok();
    if number.int == Some(0) && number.uint.is_none() {
        number.uint = Some(0);
    }
    number.float = number.int.map(|i| i as f64).or(number.uint.map(|u| u as f64));
    if number.float.is_none()
        && let Ok(value) = parse_float(text)
    {
        if !text.contains(['.', 'e', 'E', 'p', 'P']) {
            return Err(format!("integer overflow: {}", quote(text)));
        }
        set_float(&mut number, value);
    }
    if number.float.is_none() {
        return Err(format!("illegal number syntax: {}", quote(text)));
    }
    Ok(number)
}

/// `fmt.Sscan` reads floats with underscores.
fn scan_float(text: &str) -> Option<f64> {
    parse_float(text).or_else(|_| parse_float(&text.replace('_', ""))).ok()
}

fn set_float(number: &mut Number, value: f64) {
    number.float = Some(value);
    number.int = Some(value as i64).filter(|i| *i as f64 == value && value < 9.3e18).or(number.int);
    number.uint = Some(value as u64).filter(|u| *u as f64 == value).or(number.uint);
}

fn set_complex(number: &mut Number, real: f64, imaginary: f64) {
    number.complex = Some((real, imaginary));
    if imaginary == 0.0 {
        set_float(number, real);
    }
}

fn character(text: &str) -> Result<i64, String> {
    let inner = &text[1..];
    let (c, rest) = match inner.chars().next() {
        Some('\'') | None => return Err("invalid syntax".into()),
        Some('\\') => escape(&inner[1..], '\'')?,
        Some(c) => (Unit::Char(c), &inner[c.len_utf8()..]),
    };
    if rest != "'" {
        return Err(format!("malformed character constant: {text}"));
    }
    Ok(match c {
        Unit::Char(c) => i64::from(u32::from(c)),
        Unit::Byte(b) => i64::from(b),
    })
}

enum Unit {
    Char(char),
    Byte(u8),
}

/// Reads a quoted or raw string constant to its bytes, as `strconv.Unquote`.
pub(super) fn unquote(quoted: &str) -> Result<Vec<u8>, String> {
    let invalid = || "invalid syntax".to_owned();
    let inner = quoted.get(1..quoted.len().saturating_sub(1)).ok_or_else(invalid)?;
    if quoted.starts_with('`') {
        return Ok(inner.bytes().filter(|b| *b != b'\r').collect());
    }
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let (unit, after) = escape(&rest[at + 1..], '"')?;
        match unit {
            Unit::Char(c) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            Unit::Byte(b) => bytes.push(b),
        }
        rest = after;
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

/// Reads one escape after its backslash.
fn escape(text: &str, quote: char) -> Result<(Unit, &str), String> {
    let invalid = || "invalid syntax".to_owned();
    let c = text.chars().next().ok_or_else(invalid)?;
    let rest = &text[c.len_utf8()..];
    let plain = |c: char| Ok((Unit::Char(c), rest));
    let digits = |from: usize, count: usize, radix: u32| {
        let digits = text.get(from..from + count).ok_or_else(invalid)?;
        if !digits.chars().all(|d| d.is_digit(radix)) {
            return Err(invalid());
        }
        u32::from_str_radix(digits, radix).map_err(|_| invalid()).map(|code| (code, &text[from + count..]))
    };
    match c {
        'a' => plain('\u{7}'),
        'b' => plain('\u{8}'),
        'f' => plain('\u{c}'),
        'n' => plain('\n'),
        'r' => plain('\r'),
        't' => plain('\t'),
        'v' => plain('\u{b}'),
        '\\' => plain('\\'),
        c if c == quote => plain(c),
        'x' => digits(1, 2, 16).map(|(code, rest)| (Unit::Byte(code as u8), rest)),
        'u' | 'U' => {
            let (code, rest) = digits(1, if c == 'u' { 4 } else { 8 }, 16)?;
            char::from_u32(code).map(|c| (Unit::Char(c), rest)).ok_or_else(invalid)
        }
        '0'..='7' => {
            let (code, rest) = digits(0, 3, 8)?;
            u8::try_from(code).map(|b| (Unit::Byte(b), rest)).map_err(|_| invalid())
        }
        _ => Err(invalid()),
    }
}
