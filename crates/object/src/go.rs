//! Texts and numbers as Go's `fmt` prints them in the messages of Kubernetes' programs.

/// Quotes as `%q` does (`strconv.Quote`): what cannot be printed is escaped.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            c if is_printable(c) => out.push(c),
            c if c.is_ascii() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if u32::from(c) < 0x10000 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    out.push('"');
    out
}

/// Prints a float64 as `%v` does: exponents from a million on and below 1e-4, with two digits at least.
pub fn float(number: f64) -> String {
    let size = number.abs();
    if size == 0.0 || (1e-4..1e6).contains(&size) {
        return format!("{number}");
    }
    let text = format!("{number:e}");
    match text.split_once('e') {
        Some((digits, exponent)) => {
            let (sign, exponent) = exponent.strip_prefix('-').map_or(("+", exponent), |rest| ("-", rest));
            format!("{digits}e{sign}{exponent:0>2}")
        }
        None => text,
    }
}

/// `strconv.IsPrint` for what occurs in names and files: no controls, no spaces but the plain one, no invisible signs and
/// no private ones.
fn is_printable(c: char) -> bool {
    let invisible = matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..);
    c == ' ' || !(c.is_control() || c.is_whitespace() || invisible)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_as_go_quotes_them() {
        // As `fmt.Sprintf("%q")` of Go 1.26 prints them.
        for (text, expect) in [
            ("plain ü", "\"plain ü\""),
            ("a\"\\\u{1}\n", r#""a\"\\\x01\n""#),
            ("\u{7f}\u{85}", r#""\x7f\u0085""#),
            ("\u{a0}\u{feff}", r#""\u00a0\ufeff""#),
            ("\u{10ffff}", "\"\\U0010ffff\""),
        ] {
            assert_eq!(quoted(text), expect);
        }
    }

    #[test]
    fn numbers_print_as_go_prints_them() {
        // As `fmt.Sprintf("%v")` of Go 1.26 prints them.
        for (number, expect) in [
            (0.0, "0"),
            (-1.5, "-1.5"),
            (123_456.75, "123456.75"),
            (1e6, "1e+06"),
            (2_147_483_647.0, "2.147483647e+09"),
            (0.0001, "0.0001"),
            (-2.5e-7, "-2.5e-07"),
        ] {
            assert_eq!(float(number), expect);
        }
    }
}
