//! Kubernetes quantities: `100m`, `1.5Gi`, `1e3`.

use std::{cmp::Ordering, fmt, str::FromStr};

/// A quantity; equal quantities compare equal however they are written (`1` = `1000m`).
#[derive(Clone, Debug)]
pub struct Quantity {
    text: String,
    /// In billionths; Kubernetes rounds up to 1n.
    nanos: i128,
}

/// The text is not a quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
pub struct QuantityError;

impl Quantity {
    /// Returns the text as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the value in billionths.
    pub fn nanos(&self) -> i128 {
        self.nanos
    }
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let digits_end = text
            .char_indices()
            .find(|(place, c)| !(c.is_ascii_digit() || *c == '.' || (*place == 0 && (*c == '+' || *c == '-'))))
            .map_or(text.len(), |(place, _)| place);
        let (number, suffix) = text.split_at(digits_end);
        let (scale, exponent) = scale_of(suffix)?;
        let nanos = to_nanos(number, scale, exponent)?;
        Ok(Self { text: text.to_owned(), nanos })
    }
}

/// Returns what one unit of the suffix is worth: (binary factor, decimal exponent).
fn scale_of(suffix: &str) -> Result<(i128, i32), QuantityError> {
    let binary = |power: u32| Ok((1i128 << (10 * power), 0));
    let decimal = |exponent: i32| Ok((1, exponent));
    match suffix {
        "" => decimal(0),
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        _ => {
            let exponent = suffix.strip_prefix(['e', 'E']).ok_or(QuantityError)?;
            exponent.parse::<i32>().map_err(|_| QuantityError).and_then(decimal)
        }
    }
}

fn to_nanos(number: &str, scale: i128, exponent: i32) -> Result<i128, QuantityError> {
    let (negative, digits) = match number.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, number.strip_prefix('+').unwrap_or(number)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return Err(QuantityError);
    }
    let mut mantissa: i128 = 0;
    for digit in whole.bytes().chain(fraction.bytes()).map(|byte| i128::from(byte - b'0')) {
        // Saturates as Kubernetes caps a quantity instead of refusing it.
        mantissa = mantissa.saturating_mul(10).saturating_add(digit);
    }
    mantissa = mantissa.saturating_mul(scale);
    let fraction_len = i32::try_from(fraction.len()).map_err(|_| QuantityError)?;
    let mut power = exponent.saturating_add(9).saturating_sub(fraction_len);
    while power > 0 && mantissa != 0 && mantissa != i128::MAX {
        mantissa = mantissa.saturating_mul(10);
        power -= 1;
    }
    while power < 0 && mantissa != 0 {
        // Rounds away from zero, as Kubernetes does below 1n.
        mantissa = mantissa / 10 + i128::from(mantissa % 10 != 0);
        power += 1;
        if mantissa == 1 && power < 0 {
            break;
        }
    }
    Ok(if negative { -mantissa } else { mantissa })
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_amounts_are_equal_however_written() {
        for (one, two) in [
            ("1", "1000m"),
            ("1Gi", "1073741824"),
            ("1e3", "1k"),
            ("0.5", "500m"),
            ("1.5Gi", "1536Mi"),
            ("-1", "-1000m"),
        ] {
            assert_eq!(one.parse::<Quantity>(), two.parse::<Quantity>(), "{one} {two}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in ["", "a", "1.2.3", "1Kib", "--1", "1 Gi", ".", "1e"] {
            assert!(text.parse::<Quantity>().is_err(), "{text}");
        }
    }
}
