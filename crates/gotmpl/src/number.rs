//! Numbers in Go's syntax (`strconv` of Go 1.26).

/// Why a text is not a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NumError {
    Syntax,
    Range,
}

/// Parses as `strconv.ParseUint(text, base, 64)`; base 0 reads prefixes and underscores.
pub(crate) fn parse_uint(text: &str, base: u32) -> Result<u64, NumError> {
    let (digits, radix) = match base {
        0 => split_prefix(text)?,
        _ => (text, base),
    };
    let mut value: u64 = 0;
    let mut range = false;
    let mut any = false;
    for c in digits.chars() {
        if c == '_' && base == 0 {
            continue;
        }
        let digit = c.to_digit(radix).ok_or(NumError::Syntax)?;
        any = true;
        match value.checked_mul(u64::from(radix)).and_then(|v| v.checked_add(u64::from(digit))) {
            Some(next) => value = next,
            None => range = true,
        }
    }
    if !any {
        return Err(NumError::Syntax);
    }
    if range { Err(NumError::Range) } else { Ok(value) }
}

/// Parses as `strconv.ParseInt(text, base, 64)`.
pub(crate) fn parse_int(text: &str, base: u32) -> Result<i64, NumError> {
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let value = parse_uint(digits, base)?;
    match (negative, value) {
        (true, 0x8000_0000_0000_0000) => Ok(i64::MIN),
        (true, _) => i64::try_from(value).map(|v| -v).map_err(|_| NumError::Range),
        (false, _) => i64::try_from(value).map_err(|_| NumError::Range),
    }
}

fn split_prefix(text: &str) -> Result<(&str, u32), NumError> {
    if text.contains('_') && !underscores_ok(text) {
        return Err(NumError::Syntax);
    }
    let lower = text.as_bytes().get(1).map(u8::to_ascii_lowercase);
    Ok(match lower {
        _ if !text.starts_with('0') || text.len() < 2 => (text, 10),
        Some(b'x') => (&text[2..], 16),
        Some(b'o') => (&text[2..], 8),
        Some(b'b') => (&text[2..], 2),
        _ => (&text[1..], 8),
    })
}

/// Tells whether underscores stand only between digits or after a base prefix.
fn underscores_ok(text: &str) -> bool {
    let text = text.trim_start_matches(['+', '-']);
    let bytes = text.as_bytes();
    let prefixed = bytes.len() >= 2 && bytes[0] == b'0' && matches!(bytes[1] | 0x20, b'x' | b'b' | b'o');
    let hex = prefixed && bytes[1] | 0x20 == b'x';
    let mut last = if prefixed { b'0' } else { b'^' };
    for byte in &bytes[if prefixed { 2 } else { 0 }..] {
        last = match byte {
            b'0'..=b'9' => b'0',
            b'a'..=b'f' | b'A'..=b'F' if hex => b'0',
            b'_' if last != b'0' => return false,
            b'_' => b'_',
            _ if last == b'_' => return false,
            _ => b'!',
        };
    }
    last != b'_'
}

/// Parses as `strconv.ParseFloat(text, 64)`.
pub(crate) fn parse_float(text: &str) -> Result<f64, NumError> {
    let unsigned = text.trim_start_matches(['+', '-']);
    if text.len() - unsigned.len() > 1 {
        return Err(NumError::Syntax);
    }
    let negative = text.starts_with('-');
    let signed = |value: f64| if negative { -value } else { value };
    match unsigned.to_ascii_lowercase().as_str() {
        "inf" | "infinity" => return Ok(signed(f64::INFINITY)),
        "nan" if text.len() == 3 => return Ok(f64::NAN),
        _ => {}
    }
    if text.contains('_') && !underscores_ok(text) {
        return Err(NumError::Syntax);
    }
    let clean = unsigned.replace('_', "");
    if clean.starts_with("0x") || clean.starts_with("0X") {
        return hex_float(&clean[2..]).map(signed);
    }
    if !clean.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-')) {
        return Err(NumError::Syntax);
    }
    let value: f64 = clean.parse().map_err(|_| NumError::Syntax)?;
    if value.is_infinite() { Err(NumError::Range) } else { Ok(signed(value)) }
}

/// Parses `1.8p3` after `0x`; the exponent is required.
fn hex_float(text: &str) -> Result<f64, NumError> {
    let (mantissa, exponent) = text.split_once(['p', 'P']).ok_or(NumError::Syntax)?;
    let exponent = parse_int(exponent, 10)?.clamp(-5000, 5000) as i32;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return Err(NumError::Syntax);
    }
    let mut value = 0.0;
    for c in whole.chars().chain(fraction.chars()) {
        value = value * 16.0 + f64::from(c.to_digit(16).ok_or(NumError::Syntax)?);
    }
    let value = value * 2f64.powi(exponent - 4 * fraction.len() as i32);
    if value.is_infinite() { Err(NumError::Range) } else { Ok(value) }
}
