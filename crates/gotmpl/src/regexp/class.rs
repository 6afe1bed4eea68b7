//! Escapes and bracketed classes.

const DIGIT: &str = "0-9";
const SPACE: &str = r"\t\n\x0C\r\x20";
const WORD: &str = "0-9A-Za-z_";

/// The POSIX classes that Go knows; the `regex` crate has the same, in ASCII.
const POSIX: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word",
    "xdigit",
];

/// Writes a character so that it means itself, also inside of a class.
fn literal(c: char) -> String {
    if c.is_alphanumeric() { c.to_string() } else { format!("\\x{{{:X}}}", u32::from(c)) }
}

/// Translates an escape that stands for a class or a character: the text and the length of the escape.
pub(super) fn escape(text: &str) -> Result<(String, usize), String> {
    let Some(c) = text[1..].chars().next() else {
        return Err("trailing backslash at end of expression: ``".to_owned());
    };
    let perl = match c {
        'd' | 'D' => Some(DIGIT),
        's' | 'S' => Some(SPACE),
        'w' | 'W' => Some(WORD),
        _ => None,
    };
    if let Some(set) = perl {
        let negated = if c.is_ascii_uppercase() { "^" } else { "" };
        return Ok((format!("[{negated}{set}]"), 2));
    }
    if matches!(c, 'p' | 'P') {
        return unicode(text);
    }
    let (c, len) = character(text)?;
    Ok((literal(c), len))
}

/// Reads `\pN`, `\p{Greek}`, `\P{^Greek}`.
fn unicode(text: &str) -> Result<(String, usize), String> {
    let Some(first) = text[2..].chars().next() else {
        return Err(format!("invalid character class range: `{text}`"));
    };
    let (name, len) = match first {
        '{' => {
            let Some(end) = text.find('}') else {
                return Err(format!("invalid character class range: `{text}`"));
            };
            (&text[3..end], end + 1)
        }
        c => (&text[2..2 + c.len_utf8()], 2 + c.len_utf8()),
    };
    let (name, caret) = name.strip_prefix('^').map_or((name, false), |name| (name, true));
    let negated = (text.as_bytes()[1] == b'P') != caret;
    let translated = match name {
        "Any" => {
            if negated {
                r"[^\x{0}-\x{10FFFF}]".to_owned()
            } else {
                r"[\x{0}-\x{10FFFF}]".to_owned()
            }
        }
        name => format!("\\{}{{{name}}}", if negated { 'P' } else { 'p' }),
    };
    let known = !name.is_empty()
        && name.starts_with(|c: char| c.is_ascii_uppercase())
        && regex::Regex::new(&translated).is_ok();
    if !known {
        return Err(format!("invalid character class range: `{}`", &text[..len]));
    }
    Ok((translated, len))
}

/// Reads an escaped character: it and the length of the escape.
fn character(text: &str) -> Result<(char, usize), String> {
    let c = text[1..].chars().next().unwrap_or('\\');
    let after = 1 + c.len_utf8();
    let bad = |len: usize| Err(format!("invalid escape sequence: `{}`", text.get(..len).unwrap_or(text)));
    let octal = |c: char| c.is_digit(8);
    match c {
        '1'..='7' if !text[2..].starts_with(octal) => bad(2),
        '0'..='7' => {
            let len = 1 + text[1..].chars().take(3).take_while(|c| octal(*c)).count();
            let code = u32::from_str_radix(&text[1..len], 8).unwrap_or(0);
            char::from_u32(code).map_or_else(|| bad(len), |c| Ok((c, len)))
        }
        'x' => hex(text),
        'a' => Ok(('\u{7}', after)),
        'f' => Ok(('\u{c}', after)),
        'n' => Ok(('\n', after)),
        'r' => Ok(('\r', after)),
        't' => Ok(('\t', after)),
        'v' => Ok(('\u{b}', after)),
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => Ok((c, after)),
        _ => bad(after),
    }
}

fn hex(text: &str) -> Result<(char, usize), String> {
    let bad = |len: usize| format!("invalid escape sequence: `{}`", text.get(..len).unwrap_or(text));
    let rest = &text[2..];
    let (digits, len) = match rest.strip_prefix('{') {
        Some(inner) => {
            let end = inner.find('}').ok_or_else(|| bad(text.len()))?;
            (&inner[..end], 2 + end + 2)
        }
        None => (rest.get(..2).ok_or_else(|| bad(text.len()))?, 4),
    };
    let code = u32::from_str_radix(digits, 16).ok().filter(|_| digits.bytes().all(|b| b.is_ascii_hexdigit()));
    code.and_then(char::from_u32).map(|c| (c, len)).ok_or_else(|| bad(len))
}

/// Translates a bracketed class: the text and the length of the class.
pub(super) fn bracket(text: &str) -> Result<(String, usize), String> {
    let missing = || format!("missing closing ]: `{text}`");
    let mut at = 1;
    let mut out = String::from("[");
    if text[at..].starts_with('^') {
        out.push('^');
        at += 1;
    }
    let mut first = true;
    while first || !text[at..].starts_with(']') {
        let rest = &text[at..];
        if rest.is_empty() {
            return Err(missing());
        }
        first = false;
        if rest.starts_with("[:") && rest[2..].contains(":]") {
            let len = posix(rest, &mut out)?;
            at += len;
            continue;
        }
        let class_escape = rest.starts_with('\\') && rest[1..].starts_with(['d', 'D', 's', 'S', 'w', 'W', 'p', 'P']);
        if class_escape {
            let (set, len) = escape(rest)?;
            out.push_str(&set);
            at += len;
            continue;
        }
        at += range(text, at, &mut out)?;
    }
    out.push(']');
    Ok((out, at + 1))
}

fn posix(rest: &str, out: &mut String) -> Result<usize, String> {
    let len = rest.find(":]").map_or(rest.len(), |end| end + 2);
    let name = &rest[2..len - 2];
    let plain = name.strip_prefix('^').unwrap_or(name);
    if !POSIX.contains(&plain) {
        return Err(format!("invalid character class range: `{}`", &rest[..len]));
    }
    out.push_str(&rest[..len]);
    Ok(len)
}

/// Translates one character or range of a class; gives its length.
fn range(text: &str, at: usize, out: &mut String) -> Result<usize, String> {
    let rest = &text[at..];
    let missing = || format!("missing closing ]: `{text}`");
    let (low, mut len) = class_character(rest).ok_or_else(missing)??;
    let after = &rest[len..];
    if after.len() >= 2 && after.starts_with('-') && !after[1..].starts_with(']') {
        let (high, high_len) = class_character(&after[1..]).ok_or_else(missing)??;
        len += 1 + high_len;
        if high < low {
            return Err(format!("invalid character class range: `{}`", &rest[..len]));
        }
        out.push_str(&format!("{}-{}", literal(low), literal(high)));
    } else {
        out.push_str(&literal(low));
    }
    Ok(len)
}

fn class_character(text: &str) -> Option<Result<(char, usize), String>> {
    let c = text.chars().next()?;
    if c == '\\' {
        if text.len() == 1 {
            return Some(Err("trailing backslash at end of expression: ``".to_owned()));
        }
        return Some(character(text));
    }
    Some(Ok((c, c.len_utf8())))
}
