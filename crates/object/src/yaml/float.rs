//! Floats as Go's `strconv.FormatFloat(f, 'g', -1, bits)` writes them.

/// Writes a float with the fewest digits that read back the same.
pub(super) fn format_g(number: f64) -> String {
    format(number, &format!("{number:e}"))
}

/// Writes a float with the fewest digits that name the same 32-bit float.
#[expect(clippy::cast_possible_truncation, reason = "the rounding is what is wanted")]
pub(super) fn format_g32(number: f64) -> String {
    format(number, &format!("{:e}", number as f32))
}

/// Exponents below -4 and from 6 are written with `e` and at least two digits.
fn format(number: f64, shortest: &str) -> String {
    if number.is_nan() {
        return ".nan".to_owned();
    }
    let Some((mantissa, exponent)) = shortest.split_once('e') else {
        return if number > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    let (minus, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let point = exponent + 1;
    match usize::try_from(point) {
        Ok(0) | Err(_) => format!("{minus}0.{}{digits}", "0".repeat(point.unsigned_abs() as usize)),
        Ok(point) if digits.len() <= point => format!("{minus}{digits}{}", "0".repeat(point - digits.len())),
        Ok(point) => format!("{minus}{}.{}", &digits[..point], &digits[point..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_go_writes_them() {
        for (number, text) in [
            (1.5, "1.5"),
            (-0.0001, "-0.0001"),
            (0.00001, "1e-05"),
            (123_456.5, "123456.5"),
            (1_234_567.5, "1.2345675e+06"),
            (1e21, "1e+21"),
            (100.0, "100"),
            (-0.0, "-0"),
            (f64::INFINITY, ".inf"),
        ] {
            assert_eq!(format_g(number), text);
        }
        assert_eq!(format_g32(0.1), "0.1");
    }
}
