//! Puts the values in.

use super::{
    Error, Mode, Variables,
    glob::{Reach, match_start},
    parse::{Node, Reference},
};

/// Writes out nodes with the values of their references.
pub(super) fn evaluate(nodes: &[Node], variables: &Variables, mode: Mode) -> Result<String, Error> {
    let mut out = String::new();
    for node in nodes {
        match node {
            Node::Text(text) => out.push_str(text),
            Node::Reference(reference) => out.push_str(&value(reference, variables, mode)?),
        }
    }
    Ok(out)
}

fn value(reference: &Reference, variables: &Variables, mode: Mode) -> Result<String, Error> {
    let mut arguments = Vec::with_capacity(reference.arguments.len());
    for argument in &reference.arguments {
        arguments.push(evaluate(std::slice::from_ref(argument), variables, mode)?);
    }
    let known = variables.get(&reference.name);
    let has_default = matches!(reference.operator.as_str(), "=" | ":=" | ":-" | ":?" | ":+");
    if known.is_none() && !has_default && mode == Mode::Strict {
        return Err(Error::NotSet(reference.name.clone()));
    }
    let value = known.map_or("", String::as_str);
    Ok(match (reference.operator.as_str(), arguments.as_slice()) {
        ("#", []) => value.len().to_string(),
        (",", _) => first(value, lower),
        (",,", _) => value.chars().map(lower).collect(),
        ("^", _) => first(value, upper),
        ("^^", _) => value.chars().map(upper).collect(),
        ("#", [pattern, ..]) => trim_start(value, pattern, Reach::Shortest),
        ("##", [pattern, ..]) => trim_start(value, pattern, Reach::Longest),
        ("%", [pattern, ..]) => trim_end(value, pattern, Reach::Shortest),
        ("%%", [pattern, ..]) => trim_end(value, pattern, Reach::Longest),
        (":", [from, length @ ..]) => {
            part(value, from, length.first()).ok_or_else(|| Error::NegativeLength { name: reference.name.clone() })?
        }
        ("/", [pattern, text @ ..]) => value.replacen(pattern, text.first().map_or("", String::as_str), 1),
        ("//", [pattern, text @ ..]) => value.replace(pattern, text.first().map_or("", String::as_str)),
        ("/#", [pattern, text]) if value.starts_with(pattern) => value.replacen(pattern, text, 1),
        ("/%", [pattern, text]) => {
            value.strip_suffix(pattern.as_str()).map_or_else(|| value.to_owned(), |start| format!("{start}{text}"))
        }
        ("/#", _) => value.to_owned(),
        (_, defaults) if value.is_empty() => defaults.concat(),
        _ => value.to_owned(),
    })
}

fn first(text: &str, change: fn(char) -> char) -> String {
    let mut chars = text.chars();
    chars.next().map(change).into_iter().chain(chars).collect()
}

/// Changes the case of a character if the other case is one character too, as Go does.
fn lower(c: char) -> char {
    let mut lower = c.to_lowercase();
    lower.next().filter(|_| lower.next().is_none()).unwrap_or(c)
}

fn upper(c: char) -> char {
    let mut upper = c.to_uppercase();
    upper.next().filter(|_| upper.next().is_none()).unwrap_or(c)
}

fn trim_start(value: &str, pattern: &str, reach: Reach) -> String {
    let cut = match_start(pattern, value, reach).unwrap_or(0);
    as_text(&value.as_bytes()[cut..])
}

fn trim_end(value: &str, pattern: &str, reach: Reach) -> String {
    let reverse = |text: &str| text.chars().rev().collect::<String>();
    reverse(&trim_start(&reverse(value), &reverse(pattern), reach))
}

/// Returns the bytes from a position on, as many as asked for; the whole value if these are not numbers,
/// none if it would end before it starts. A negative position counts from the end.
fn part(value: &str, from: &str, length: Option<&String>) -> Option<String> {
    let bytes = value.as_bytes();
    let len = i64::try_from(bytes.len()).ok()?;
    let Some(from) = integer(from) else { return Some(value.to_owned()) };
    let from = if from < 0 { len.saturating_add(from).max(0) } else { from };
    let end = match length.map(|length| integer(length)) {
        None => len,
        Some(None) => return Some(value.to_owned()),
        Some(Some(length)) => from.saturating_add(length).min(len),
    };
    if from >= len && end >= len {
        return Some(String::new());
    }
    let range = usize::try_from(from).ok()?..usize::try_from(end).ok()?;
    bytes.get(range).map(as_text)
}

/// Reads a number as Go's `Atoi`.
fn integer(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// Turns bytes into text; each byte of a broken character becomes a replacement character.
fn as_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '\u{fffd}'));
    }
    text
}
