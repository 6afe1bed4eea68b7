//! Splits an expression into words.

/// A word of an expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Word {
    /// A name or keyword.
    Name(String),
    /// A number.
    Number(f64),
    /// A text between quotes, holes not yet read.
    Text(String),
    /// A sign, as `==` or `(`.
    Sign(&'static str),
}

/// The signs, longer ones first.
const SIGNS: [&str; 17] = ["==", "!=", "<=", ">=", "<", ">", "(", ")", "[", "]", ",", ":", ".", "+", "-", "=", "/"];

/// Splits a text into words; the error says what is wrong.
pub fn split(text: &str) -> Result<Vec<Word>, String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if first == '"' {
            let (content, length) = quoted(rest)?;
            words.push(Word::Text(content));
            length
        } else if first.is_ascii_digit() {
            let length = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            words
                .push(Word::Number(rest[..length].parse().map_err(|_| format!("{:?} is no number", &rest[..length]))?));
            length
        } else if first.is_alphabetic() || first == '_' {
            let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            words.push(Word::Name(rest[..length].to_owned()));
            length
        } else {
            let sign = SIGNS
                .into_iter()
                .find(|sign| rest.starts_with(sign))
                .ok_or_else(|| format!("{first:?} means nothing here"))?;
            words.push(Word::Sign(sign));
            sign.len()
        };
        rest = rest[length..].trim_start();
    }
    Ok(words)
}

/// Reads a text between quotes: `\n`, `\"`, `\\` are escapes, `\{` is a brace that opens no hole and stays escaped.
fn quoted(text: &str) -> Result<(String, usize), String> {
    let mut content = String::new();
    let mut chars = text.char_indices().skip(1);
    let mut holes = 0usize;
    while let Some((place, c)) = chars.next() {
        match c {
            '"' if holes == 0 => return Ok((content, place + 1)),
            '{' => holes += 1,
            '}' => holes = holes.saturating_sub(1),
            '\\' if holes == 0 => {
                match chars.next() {
                    Some((_, 'n')) => content.push('\n'),
                    Some((_, escaped @ ('"' | '\\'))) => content.push(escaped),
                    Some((_, '{')) => content.push_str("\\{"),
                    _ => return Err("an escape is one of \\n \\\" \\\\ \\{".to_owned()),
                }
                continue;
            }
            _ => {}
        }
        content.push(c);
    }
    Err("the text has no closing quote".to_owned())
}
