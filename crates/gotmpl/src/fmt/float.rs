//! Floating-point numbers as `strconv.FormatFloat` and `fmt` write them.

use super::pad::{Flags, pad};

/// Formats as `strconv.FormatFloat(value, verb, precision, 64)`; no precision is the shortest text that reads back.
pub(crate) fn format_float(value: f64, verb: char, precision: Option<usize>) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    match verb {
        'e' | 'E' => exponent(value, precision, verb),
        'f' | 'F' => match precision {
            Some(precision) => format!("{value:.precision$}"),
            None => format!("{value}"),
        },
        'b' => binary(value),
        'x' | 'X' => hexadecimal(value, precision, verb == 'X'),
        _ => general(value, precision, if verb == 'G' { 'E' } else { 'e' }),
    }
}

fn exponent(value: f64, precision: Option<usize>, mark: char) -> String {
    let text = match precision {
        Some(precision) => format!("{value:.precision$e}"),
        None => format!("{value:e}"),
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}{mark}{sign}{:02}", exponent.abs())
}

/// The exponent from which the shortest form is scientific.
const SHORTEST_LIMIT: i32 = 6;

/// `%g`: an exponent below -4 or from the precision on.
fn general(value: f64, precision: Option<usize>, mark: char) -> String {
    let precision = precision.map(|p| p.max(1));
    let scientific = match precision {
        Some(precision) => format!("{value:.*e}", precision - 1),
        None => format!("{value:e}"),
    };
    let (mantissa, exp) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exp: i32 = exp.parse().unwrap_or(0);
    let mantissa = if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
    let digits = mantissa.chars().filter(char::is_ascii_digit).count() as i32;
    let limit = match precision {
        Some(precision) if precision as i32 > digits && digits > exp => digits,
        Some(precision) => precision as i32,
        None => SHORTEST_LIMIT,
    };
    if exp < -4 || exp >= limit {
        let sign = if exp < 0 { '-' } else { '+' };
        return format!("{mantissa}{mark}{sign}{:02}", exp.abs());
    }
    let decimals = (digits - 1 - exp).max(0) as usize;
    format!("{value:.decimals$}")
}

fn parts(value: f64) -> (u64, i32) {
    let bits = value.to_bits();
    let exponent = ((bits >> 52) & 0x7ff) as i32;
    let fraction = bits & ((1 << 52) - 1);
    if exponent == 0 { (fraction, -1074) } else { (fraction | 1 << 52, exponent - 1075) }
}

fn binary(value: f64) -> String {
    let (mantissa, exponent) = parts(value);
    let sign = if value.is_sign_negative() { "-" } else { "" };
    format!("{sign}{mantissa}p{exponent:+}")
}

fn hexadecimal(value: f64, precision: Option<usize>, upper: bool) -> String {
    let (mut mantissa, mut exponent) = parts(value);
    if mantissa == 0 {
        exponent = 0;
    } else {
        let shift = mantissa.leading_zeros() as i32 - 11;
        mantissa <<= shift;
        exponent += 52 - shift;
    }
    if let Some(digits) = precision.filter(|digits| *digits < 13) {
        let drop = 52 - 4 * digits as u32;
        let half = 1u64 << (drop - 1);
        let rest = mantissa & ((1 << drop) - 1);
        mantissa >>= drop;
        if rest > half || (rest == half && mantissa & 1 == 1) {
            mantissa += 1;
        }
        mantissa <<= drop;
        if mantissa >> 53 != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let mut fraction = format!("{:013x}", mantissa & ((1 << 52) - 1));
    match precision {
        Some(digits) if digits < 13 => fraction.truncate(digits),
        Some(digits) => fraction.push_str(&"0".repeat(digits - 13)),
        None => fraction.truncate(fraction.trim_end_matches('0').len()),
    }
    let point = if fraction.is_empty() { "" } else { "." };
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let exp_sign = if exponent < 0 { '-' } else { '+' };
    let text = format!("{sign}0x{}{point}{fraction}p{exp_sign}{:02}", mantissa >> 52, exponent.abs());
    if upper { text.to_uppercase() } else { text }
}

/// Writes a float for a verb of `fmt`.
pub(super) fn float(out: &mut Vec<u8>, flags: &Flags, value: f64, verb: char, precision: Option<usize>) {
    let precision = flags.precision.or(precision);
    let mut text = format_float(value, verb, precision);
    if !text.starts_with(['+', '-']) {
        text.insert(0, '+');
    }
    if flags.space && text.starts_with('+') && !flags.plus {
        text.replace_range(..1, " ");
    }
    if text.contains(['I', 'N']) {
        let shown = if text.contains('N') && !flags.space && !flags.plus { &text[1..] } else { &text };
        pad(out, &Flags { zero: false, ..*flags }, shown.as_bytes());
        return;
    }
    if flags.sharp && verb != 'b' {
        text = with_point(&text, verb, precision);
    }
    if flags.plus || !text.starts_with('+') {
        if let Some(width) = flags.width.filter(|width| flags.zero && !flags.minus && *width > text.len()) {
            out.push(text.as_bytes()[0]);
            out.resize(out.len() + width - text.len(), b'0');
            out.extend_from_slice(&text.as_bytes()[1..]);
            return;
        }
        pad(out, flags, text.as_bytes());
        return;
    }
    pad(out, flags, &text.as_bytes()[1..]);
}

/// The `#` flag: always a decimal point, and for `%g` trailing zeros up to the precision.
fn with_point(text: &str, verb: char, precision: Option<usize>) -> String {
    let hex = matches!(verb, 'x' | 'X');
    let split = text.find(|c| if hex { matches!(c, 'p' | 'P') } else { matches!(c, 'e' | 'E') }).unwrap_or(text.len());
    let (body, tail) = text.split_at(split);
    let mut body = body.to_owned();
    let mut wanted = match verb {
        'g' | 'G' | 'v' | 'x' => precision.unwrap_or(6),
        _ => 0,
    };
    let mut seen = false;
    // Go counts every character after the sign, the `x` and the digits above 9 of `%x` too.
    for c in body.chars().skip(1).filter(|c| *c != '.') {
        seen |= c != '0';
        wanted -= usize::from(seen && wanted > 0);
    }
    if !body.contains('.') {
        if body[1..] == *"0" {
            wanted = wanted.saturating_sub(1);
        }
        body.push('.');
    }
    if matches!(verb, 'g' | 'G' | 'v' | 'x') {
        body.push_str(&"0".repeat(wanted));
    }
    body + tail
}
