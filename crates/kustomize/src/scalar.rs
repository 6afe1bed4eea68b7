//! What a plain scalar means: the rules of go-yaml v3 (what kustomize's own tree uses) and of go-yaml v2
//! (what `sigs.k8s.io/yaml` uses for `kustomization.yaml` and for printing).

use std::fmt::Write as _;

/// The tag of a scalar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tag {
    /// None yet: it is decided by text and style when the tree is printed.
    #[default]
    Open,
    /// `!!str`.
    Str,
    /// `!!int`.
    Int,
    /// `!!float`.
    Float,
    /// `!!bool`.
    Bool,
    /// `!!null`.
    Null,
    /// `!!timestamp`.
    Time,
    /// `!!merge`: a plain `<<`.
    Merge,
    /// `!!binary`.
    Binary,
    /// A tag of the user's own; the value reads as a string.
    Other,
}

impl Tag {
    /// Returns the short form, as error texts print it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Open | Self::Other => "",
            Self::Str => "!!str",
            Self::Int => "!!int",
            Self::Float => "!!float",
            Self::Bool => "!!bool",
            Self::Null => "!!null",
            Self::Time => "!!timestamp",
            Self::Merge => "!!merge",
            Self::Binary => "!!binary",
        }
    }
}

/// Which YAML rules read a plain scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rules {
    /// go-yaml v3: booleans are only `true` and `false`.
    V3,
    /// go-yaml v2: `y`, `yes`, `on` and so on are booleans.
    V2,
}

/// Returns the tag of a plain scalar.
pub(crate) fn resolve(text: &str, rules: Rules) -> Tag {
    let Some(&first) = text.as_bytes().first() else { return Tag::Null };
    match first {
        b'0'..=b'9' | b'+' | b'-' => resolve_number(text),
        b'.' => resolve_dot(text),
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' => resolve_word(text, rules),
        _ => Tag::Str,
    }
}

fn resolve_word(text: &str, rules: Rules) -> Tag {
    match text {
        "~" | "null" | "Null" | "NULL" => Tag::Null,
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => Tag::Bool,
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "n" | "N" | "no" | "No" | "NO" | "off" | "Off"
        | "OFF"
            if rules == Rules::V2 =>
        {
            Tag::Bool
        }
        _ => Tag::Str,
    }
}

fn resolve_dot(text: &str) -> Tag {
    match text {
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" => Tag::Float,
        _ if go_float(text).is_some() => Tag::Float,
        _ => Tag::Str,
    }
}

fn resolve_number(text: &str) -> Tag {
    if matches!(text, "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf" | "-.INF") {
        return Tag::Float;
    }
    if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-._: \t".contains(&b)) {
        return Tag::Str;
    }
    if Timestamp::parse(text).is_some() {
        return Tag::Time;
    }
    match number(text) {
        Some(Number::Int(_) | Number::UInt(_)) => Tag::Int,
        Some(Number::Float(_)) => Tag::Float,
        None => Tag::Str,
    }
}

/// A number as JSON has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    /// Fits in 64 bits with sign.
    Int(i64),
    /// Above that.
    UInt(u64),
    /// Anything else.
    Float(f64),
}

/// Reads a number as go-yaml does: underscores ignored, `0x`, `0b`, `0o` and a leading `0` (octal) understood.
pub(crate) fn number(text: &str) -> Option<Number> {
    match text {
        ".nan" | ".NaN" | ".NAN" => return Some(Number::Float(f64::NAN)),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Some(Number::Float(f64::INFINITY)),
        "-.inf" | "-.Inf" | "-.INF" => return Some(Number::Float(f64::NEG_INFINITY)),
        _ => {}
    }
    let without;
    let plain = if text.contains('_') && !text.starts_with('.') {
        without = text.replace('_', "");
        &without
    } else {
        text
    };
    if let Some(integer) = integer(plain) {
        return Some(integer);
    }
    go_float(plain).map(Number::Float)
}

fn integer(plain: &str) -> Option<Number> {
    let (negative, digits) = match plain.as_bytes().first()? {
        b'-' => (true, &plain[1..]),
        b'+' => (false, &plain[1..]),
        _ => (false, plain),
    };
    let signed = digits.len() != plain.len();
    let bytes = digits.as_bytes();
    let (base, digits) = match (bytes.first()?, bytes.get(1).map(u8::to_ascii_lowercase)) {
        (b'0', Some(b'x')) => (16, &digits[2..]),
        (b'0', Some(b'b')) => (2, &digits[2..]),
        (b'0', Some(b'o')) => (8, &digits[2..]),
        (b'0', Some(_)) => (8, &digits[1..]),
        _ => (10, digits),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, base).ok()?;
    match (negative, i64::try_from(magnitude)) {
        (true, Ok(value)) => Some(Number::Int(-value)),
        (true, Err(_)) if magnitude == i64::MIN.unsigned_abs() => Some(Number::Int(i64::MIN)),
        (true, Err(_)) => None,
        (false, Ok(value)) => Some(Number::Int(value)),
        (false, Err(_)) if signed => None,
        (false, Err(_)) => Some(Number::UInt(magnitude)),
    }
}

/// Reads `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`; out of range is no float.
fn go_float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !fraction.is_none_or(digits) || whole.is_empty() && fraction.is_none_or(str::is_empty) {
        return None;
    }
    if let Some(exponent) = exponent {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        if exponent.is_empty() || !digits(exponent) {
            return None;
        }
    }
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}

/// Tells whether go-yaml v2 would read the text as something other than a string (`IsYaml1_1NonString`).
pub(crate) fn is_no_string(text: &str) -> bool {
    !text.is_empty() && !text.contains('\n') && {
        // The text is read as a whole document there: a comment or a flow collection is no string either.
        let trimmed = text.trim_matches([' ', '\t']);
        trimmed.starts_with(['#', '{', '['])
            || trimmed.is_empty()
            || trimmed.ends_with(':')
            || trimmed.contains(": ")
            || trimmed == "-"
            || trimmed.starts_with("- ")
            || resolve(trimmed, Rules::V2) != Tag::Str
    }
}

/// Tells whether YAML 1.1 would read the text as a number to base 60.
pub(crate) fn is_base_60(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let Some((first, mut rest)) = unsigned.split_once(':') else { return false };
    if !first.starts_with(|c: char| c.is_ascii_digit()) || !first.bytes().all(|b| b.is_ascii_digit() || b == b'_') {
        return false;
    }
    loop {
        let end = rest.find([':', '.']).unwrap_or(rest.len());
        let part = &rest.as_bytes()[..end];
        let fits = match part {
            [digit] => digit.is_ascii_digit(),
            [tens, digit] => (b'0'..=b'5').contains(tens) && digit.is_ascii_digit(),
            _ => false,
        };
        if !fits {
            return false;
        }
        match rest.as_bytes().get(end) {
            None => return true,
            Some(b'.') => return rest[end + 1..].bytes().all(|b| b.is_ascii_digit() || b == b'_'),
            Some(_) => rest = &rest[end + 1..],
        }
    }
}

/// A time of day on a date, as go-yaml reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timestamp {
    year: u32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
    nanosecond: u32,
    /// Minutes east of UTC.
    offset: i32,
}

impl Timestamp {
    /// Reads `2006-1-2`, `2006-1-2 15:4:5[.9]` and `2006-1-2T15:4:5[.9]Z07:00`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() < 8 || bytes[4] != b'-' || !bytes[..4].iter().all(u8::is_ascii_digit) {
            return None;
        }
        let year = text[..4].parse().ok()?;
        let mut rest = &text[5..];
        let month = take_number(&mut rest)?;
        rest = rest.strip_prefix('-')?;
        let day = take_number(&mut rest)?;
        if !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
            return None;
        }
        let mut time = Self { year, month, day, hour: 0, minute: 0, second: 0, nanosecond: 0, offset: 0 };
        if rest.is_empty() {
            return Some(time);
        }
        let zoned = !rest.starts_with(' ');
        rest = rest.strip_prefix(['T', 't', ' '])?;
        time.hour = take_number(&mut rest)?;
        rest = rest.strip_prefix(':')?;
        time.minute = take_number(&mut rest)?;
        rest = rest.strip_prefix(':')?;
        time.second = take_number(&mut rest)?;
        time.nanosecond = take_fraction(&mut rest)?;
        if time.hour > 23 || time.minute > 59 || time.second > 59 {
            return None;
        }
        if zoned {
            time.offset = take_zone(&mut rest)?;
        }
        rest.is_empty().then_some(time)
    }

    /// Prints it as Go's JSON does (RFC 3339 with the fraction's zeros cut).
    pub(crate) fn to_json(self) -> String {
        let mut out = format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
            self.year, self.month, self.day, self.hour, self.minute, self.second
        );
        if self.nanosecond > 0 {
            let digits = format!("{:09}", self.nanosecond);
            out.push('.');
            out.push_str(digits.trim_end_matches('0'));
        }
        if self.offset == 0 {
            out.push('Z');
        } else {
            let (sign, minutes) = if self.offset < 0 { ('-', -self.offset) } else { ('+', self.offset) };
            let _infallible = write!(out, "{sign}{:02}:{:02}", minutes / 60, minutes % 60);
        }
        out
    }

    /// Prints it as Go's `%#v` does, for error texts.
    pub(crate) fn to_go(self) -> String {
        const MONTHS: [&str; 12] = [
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ];
        let month = MONTHS.get(self.month as usize - 1).copied().unwrap_or("January");
        format!(
            "time.Date({}, time.{month}, {}, {}, {}, {}, {}, time.UTC)",
            self.year, self.day, self.hour, self.minute, self.second, self.nanosecond
        )
    }
}

fn take_number(rest: &mut &str) -> Option<u32> {
    let length = rest.bytes().take(2).take_while(u8::is_ascii_digit).count();
    let value = rest[..length].parse().ok()?;
    *rest = &rest[length..];
    Some(value)
}

fn take_fraction(rest: &mut &str) -> Option<u32> {
    let Some(fraction) = rest.strip_prefix('.') else { return Some(0) };
    let length = fraction.bytes().take_while(u8::is_ascii_digit).count();
    if length == 0 {
        return None;
    }
    let kept = &fraction[..length.min(9)];
    let value = kept.parse::<u32>().ok()? * 10u32.pow(9 - u32::try_from(kept.len()).ok()?);
    *rest = &fraction[length..];
    Some(value)
}

fn take_zone(rest: &mut &str) -> Option<i32> {
    if let Some(after) = rest.strip_prefix('Z') {
        *rest = after;
        return Some(0);
    }
    let sign = match rest.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let zone = rest.get(1..6)?;
    let (hours, minutes) = zone.split_once(':')?;
    *rest = &rest[6..];
    Some(sign * (hours.parse::<i32>().ok()? * 60 + minutes.parse::<i32>().ok()?))
}

fn days_in(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Prints a float as Go's `strconv.FormatFloat(value, 'g', -1, 64)`.
pub(crate) fn go_float_g(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() };
    }
    let (digits, exponent) = decimal(value);
    if (-4..6).contains(&exponent) { plain_decimal(value) } else { scientific(value, &digits, exponent, 2) }
}

/// Prints a float as Go's `encoding/json` does.
pub(crate) fn go_float_json(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let (digits, exponent) = decimal(value);
        return scientific(value, &digits, exponent, 1);
    }
    plain_decimal(value)
}

/// The shortest digits and the decimal exponent of the first of them.
fn decimal(value: f64) -> (String, i32) {
    let text = format!("{:e}", value.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    (mantissa.replace('.', ""), exponent.parse().unwrap_or(0))
}

fn plain_decimal(value: f64) -> String {
    format!("{value}")
}

fn scientific(value: f64, digits: &str, exponent: i32, width: usize) -> String {
    let mut out = String::new();
    if value < 0.0 {
        out.push('-');
    }
    out.push_str(&digits[..1]);
    if digits.len() > 1 {
        out.push('.');
        out.push_str(&digits[1..]);
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    let _infallible = write!(out, "e{sign}{:0width$}", exponent.unsigned_abs());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_resolve_as_go_yaml_does() {
        let cases = [
            ("yes", Tag::Str, Tag::Bool),
            ("010", Tag::Int, Tag::Int),
            ("08", Tag::Float, Tag::Float),
            ("1_000", Tag::Int, Tag::Int),
            ("1e3", Tag::Float, Tag::Float),
            ("1e999", Tag::Str, Tag::Str),
            ("2001-01-01", Tag::Time, Tag::Time),
            ("2001-02-30", Tag::Str, Tag::Str),
            ("12:30:45", Tag::Str, Tag::Str),
            ("~", Tag::Null, Tag::Null),
            (".5", Tag::Float, Tag::Float),
            ("-", Tag::Str, Tag::Str),
            ("", Tag::Null, Tag::Null),
            ("18446744073709551615", Tag::Int, Tag::Int),
            ("18446744073709551616", Tag::Float, Tag::Float),
        ];
        for (text, v3, v2) in cases {
            assert_eq!((resolve(text, Rules::V3), resolve(text, Rules::V2)), (v3, v2), "{text}");
        }
        assert!(is_base_60("12:30:45") && !is_base_60("12:60:x"));
    }

    #[test]
    fn floats_print_as_go_does() {
        let cases = [(1e6, "1e+06", "1000000"), (0.5, "0.5", "0.5"), (1e21, "1e+21", "1e+21"), (1e-7, "1e-07", "1e-7")];
        for (value, general, json) in cases {
            assert_eq!((go_float_g(value).as_str(), go_float_json(value).as_str()), (general, json));
        }
    }
}
