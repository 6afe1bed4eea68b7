//! Flags, padding, integers and strings.

use super::{is_print, quote_with};

/// The flags of one verb.
#[derive(Clone, Copy, Default)]
pub(super) struct Flags {
    pub(super) width: Option<usize>,
    pub(super) precision: Option<usize>,
    pub(super) minus: bool,
    pub(super) plus: bool,
    pub(super) sharp: bool,
    pub(super) space: bool,
    pub(super) zero: bool,
    pub(super) plus_v: bool,
    pub(super) sharp_v: bool,
}

/// Writes text padded to the width, counted in runes.
pub(super) fn pad(out: &mut Vec<u8>, flags: &Flags, text: &[u8]) {
    let Some(width) = flags.width else {
        out.extend_from_slice(text);
        return;
    };
    let fill = width.saturating_sub(rune_count(text));
    if flags.minus {
        out.extend_from_slice(text);
        out.resize(out.len() + fill, b' ');
    } else {
        out.resize(out.len() + fill, if flags.zero { b'0' } else { b' ' });
        out.extend_from_slice(text);
    }
}

/// Counts runes as Go does: a wrong byte is one.
pub(crate) fn rune_count(bytes: &[u8]) -> usize {
    bytes.utf8_chunks().map(|chunk| chunk.valid().chars().count() + chunk.invalid().len()).sum()
}

pub(super) fn boolean(out: &mut Vec<u8>, flags: &Flags, value: bool) {
    pad(out, flags, if value { b"true" } else { b"false" });
}

/// Cuts to the precision, counted in runes.
fn truncate<'b>(flags: &Flags, bytes: &'b [u8]) -> &'b [u8] {
    let Some(mut left) = flags.precision else {
        return bytes;
    };
    let mut at = 0;
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if left == 0 {
                return &bytes[..at];
            }
            left -= 1;
            at += c.len_utf8();
        }
        for _ in chunk.invalid() {
            if left == 0 {
                return &bytes[..at];
            }
            left -= 1;
            at += 1;
        }
    }
    bytes
}

pub(super) fn string(out: &mut Vec<u8>, flags: &Flags, bytes: &[u8]) {
    pad(out, flags, truncate(flags, bytes));
}

/// `%q`: quoted, with `#` in backquotes when possible, with `+` in ASCII.
pub(super) fn quoted(out: &mut Vec<u8>, flags: &Flags, bytes: &[u8]) {
    let bytes = truncate(flags, bytes);
    let mut text = Vec::new();
    let raw = flags.sharp
        && std::str::from_utf8(bytes).is_ok_and(|text| {
            !text.chars().any(|c| c == '`' || c == '\u{feff}' || (c.is_ascii_control() && c != '\t'))
        });
    if raw {
        text.push(b'`');
        text.extend_from_slice(bytes);
        text.push(b'`');
    } else {
        quote_with(&mut text, bytes, b'"', flags.plus);
    }
    pad(out, flags, &text);
}

/// `%x` and `%X` of a string: with a space between bytes, with `#` a prefix for each.
pub(super) fn hex(out: &mut Vec<u8>, flags: &Flags, bytes: &[u8], upper: bool) {
    let bytes = &bytes[..flags.precision.unwrap_or(bytes.len()).min(bytes.len())];
    let mut text = String::new();
    let prefix = if upper { "0X" } else { "0x" };
    for (i, byte) in bytes.iter().enumerate() {
        if flags.space && i > 0 {
            text.push(' ');
        }
        if flags.sharp && (flags.space || i == 0) {
            text.push_str(prefix);
        }
        text.push_str(&if upper { format!("{byte:02X}") } else { format!("{byte:02x}") });
    }
    // Go pads hex strings with spaces, whatever the flags say of zeros.
    let flags = Flags { zero: flags.zero && !flags.minus, ..*flags };
    pad(out, &flags, text.as_bytes());
}

/// An integer in a base.
pub(super) fn integer(out: &mut Vec<u8>, flags: &Flags, value: i128, base: u32, verb: char, upper: bool) {
    let negative = value < 0;
    let magnitude = value.unsigned_abs();
    let plain = Flags { zero: false, ..*flags };
    let mut min_digits = 0;
    if let Some(precision) = flags.precision {
        min_digits = precision;
        if precision == 0 && value == 0 {
            pad(out, &plain, b"");
            return;
        }
    } else if flags.zero
        && !flags.minus
        && let Some(width) = flags.width
    {
        min_digits = width - usize::from(width > 0 && (negative || flags.plus || flags.space));
    }
    let mut digits = radix(magnitude, base, upper);
    while digits.len() < min_digits {
        digits.insert_str(0, &"0".repeat(min_digits - digits.len()));
    }
    if flags.sharp {
        match base {
            2 => digits.insert_str(0, "0b"),
            8 if !digits.starts_with('0') => digits.insert(0, '0'),
            16 => digits.insert_str(0, if upper { "0X" } else { "0x" }),
            _ => {}
        }
    }
    if verb == 'O' {
        digits.insert_str(0, "0o");
    }
    if negative {
        digits.insert(0, '-');
    } else if flags.plus {
        digits.insert(0, '+');
    } else if flags.space {
        digits.insert(0, ' ');
    }
    pad(out, &plain, digits.as_bytes());
}

fn radix(value: u128, base: u32, upper: bool) -> String {
    match (base, upper) {
        (2, _) => format!("{value:b}"),
        (8, _) => format!("{value:o}"),
        (16, false) => format!("{value:x}"),
        (16, true) => format!("{value:X}"),
        _ => value.to_string(),
    }
}

fn to_char(value: i128) -> char {
    u32::try_from(value).ok().and_then(char::from_u32).unwrap_or('\u{fffd}')
}

/// `%c`.
pub(super) fn character(out: &mut Vec<u8>, flags: &Flags, value: i128) {
    pad(out, flags, to_char(value).to_string().as_bytes());
}

/// `%q` of an integer.
pub(super) fn quoted_char(out: &mut Vec<u8>, flags: &Flags, value: i128) {
    let mut text = Vec::new();
    quote_with(&mut text, to_char(value).to_string().as_bytes(), b'\'', flags.plus);
    pad(out, flags, &text);
}

/// `%U`.
pub(super) fn unicode(out: &mut Vec<u8>, flags: &Flags, value: i128) {
    let width = flags.precision.unwrap_or(4).max(4);
    let mut text = format!("U+{:0width$X}", value as u64);
    let c = to_char(value);
    if flags.sharp && i128::from(u32::from(c)) == value && is_print(c) {
        text.push_str(&format!(" '{c}'"));
    }
    pad(out, &Flags { zero: false, ..*flags }, text.as_bytes());
}
