//! Quantities in their canonical form, as Kubernetes prints them.

use lockstep_object::Quantity;

#[derive(Clone, Copy, PartialEq)]
enum Style {
    Decimal,
    Binary,
    Exponent,
}

/// Brings a quantity into canonical form: `0.5` is `500m`, `1.5Gi` is `1536Mi`.
pub(crate) fn canonical(text: &str) -> Result<String, String> {
    let quantity: Quantity = text.parse().map_err(|error: lockstep_object::QuantityError| error.to_string())?;
    Ok(print(quantity.nanos(), style(text)))
}

/// Rounds a quantity up to thousandths, as lists of resources have it.
pub(crate) fn in_thousandths(text: &str) -> String {
    const THOUSANDTH: i128 = UNIT / 1000;
    let amount = nanos(text);
    let rest = amount.rem_euclid(THOUSANDTH);
    if rest == 0 { text.to_owned() } else { print(amount - rest + THOUSANDTH, style(text)) }
}

/// Returns a quantity in billionths, 0 if it is none.
pub(crate) fn nanos(text: &str) -> i128 {
    text.parse::<Quantity>().map_or(0, |quantity| quantity.nanos())
}

fn style(text: &str) -> Style {
    if text.ends_with('i') {
        Style::Binary
    } else if text.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-' || c == '+').ends_with(['e', 'E'])
        && !text.ends_with('E')
    {
        Style::Exponent
    } else {
        Style::Decimal
    }
}

const UNIT: i128 = 1_000_000_000;

fn print(nanos: i128, style: Style) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let size = nanos.abs();
    let binary = style == Style::Binary && size % UNIT == 0 && size >= 1024 * UNIT;
    if binary {
        let (mut number, mut power) = (size / UNIT, 0);
        while number % 1024 == 0 && power < 6 {
            number /= 1024;
            power += 1;
        }
        return format!("{sign}{number}{}", ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"][power]);
    }
    if size == 0 {
        return "0".to_owned();
    }
    let (mut number, mut exponent) = (size, -9);
    while number % 1000 == 0 && exponent < 18 {
        number /= 1000;
        exponent += 3;
    }
    if style == Style::Exponent {
        return if exponent == 0 { format!("{sign}{number}") } else { format!("{sign}{number}e{exponent}") };
    }
    let suffix = match exponent {
        -9 => "n",
        -6 => "u",
        -3 => "m",
        0 => "",
        3 => "k",
        6 => "M",
        9 => "G",
        12 => "T",
        15 => "P",
        _ => "E",
    };
    format!("{sign}{number}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_print_in_canonical_form() {
        for (text, expect) in [
            ("0.5", "500m"),
            ("1000m", "1"),
            ("1.5Gi", "1536Mi"),
            ("1024Mi", "1Gi"),
            ("100", "100"),
            ("1000", "1k"),
            ("1e3", "1e3"),
            ("0", "0"),
            ("0.5Gi", "512Mi"),
            ("100Mi", "100Mi"),
            ("-1", "-1"),
            ("1024", "1024"),
            ("0.1Ki", "102400m"),
        ] {
            assert_eq!(canonical(text).unwrap(), expect, "{text}");
        }
    }
}
