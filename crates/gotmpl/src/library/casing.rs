//! Upper and lower case; snake, kebab and camel case as huandu/xstrings 1.5 cuts words.

use super::{Result, add, args, strings::map_text};
use crate::{functions::Functions, types::Type, value::Value};

const S: Type = Type::Str;

pub(super) fn register(f: &mut Functions) {
    add(f, &["upper"], &[S], |_, a| Ok(map_text(a, 0, |s| s.chars().map(upper).collect())));
    add(f, &["lower"], &[S], |_, a| Ok(map_text(a, 0, |s| s.chars().map(lower).collect())));
    add(f, &["title"], &[S], |_, a| Ok(map_text(a, 0, title)));
    add(f, &["untitle"], &[S], |_, a| Ok(map_text(a, 0, untitle)));
    add(f, &["initials"], &[S], |_, a| Ok(map_text(a, 0, initials)));
    add(f, &["swapcase"], &[S], |_, a| Ok(map_text(a, 0, swap_case)));
    add(f, &["snakecase"], &[S], |_, a| separated(a, '_'));
    add(f, &["kebabcase"], &[S], |_, a| separated(a, '-'));
    add(f, &["camelcase"], &[S], |_, a| Ok(map_text(a, 0, pascal)));
}

/// Go maps a rune to one rune: `ß` stays.
fn upper(c: char) -> char {
    let mut mapped = c.to_uppercase();
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

fn lower(c: char) -> char {
    let mut mapped = c.to_lowercase();
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        // İ is the only rune with two: Go gives the plain i.
        (Some(one), Some(_)) => one,
        _ => c,
    }
}

/// `strings.Title`: the first letter of each word; digits, letters and underscores are no separators.
fn title(text: &str) -> String {
    let mut previous = ' ';
    text.chars()
        .map(|c| {
            let start = is_separator(previous);
            previous = c;
            if start { title_case(c) } else { c }
        })
        .collect()
}

/// `unicode.ToTitle`: differs from upper case for the digraphs only.
fn title_case(c: char) -> char {
    match c {
        '\u{1c4}'..='\u{1c6}' => '\u{1c5}',
        '\u{1c7}'..='\u{1c9}' => '\u{1c8}',
        '\u{1ca}'..='\u{1cc}' => '\u{1cb}',
        '\u{1f1}'..='\u{1f3}' => '\u{1f2}',
        c => upper(c),
    }
}

fn is_separator(c: char) -> bool {
    if c.is_ascii() {
        return !(c.is_ascii_alphanumeric() || c == '_');
    }
    !(c.is_alphabetic() || c.is_numeric()) && c.is_whitespace()
}

fn untitle(text: &str) -> String {
    let mut start = true;
    text.chars()
        .map(|c| {
            let change = start;
            start = c.is_whitespace();
            if change && !start { lower(c) } else { c }
        })
        .collect()
}

/// goutils' `Initials` reads bytes as Latin-1.
fn initials(text: &str) -> String {
    let mut after_space = true;
    text.bytes()
        .map(char::from)
        .filter(|c| {
            let space = c.is_whitespace();
            let first = after_space && !space;
            after_space = space;
            first
        })
        .collect()
}

fn swap_case(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            c if c.is_uppercase() => lower(c),
            c if c.is_lowercase() => upper(c),
            c => c,
        })
        .collect()
}

fn is_connector(c: char) -> bool {
    c == '-' || c == '_' || c.is_whitespace()
}

/// `xstrings.ToPascalCase`.
fn pascal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    let mut first = None;
    for c in chars.by_ref() {
        if !is_connector(c) {
            first = Some(c);
            break;
        }
        out.push(c);
    }
    let Some(first) = first else {
        // Only connectors: Go writes the last one twice.
        out.extend(text.chars().next_back());
        return out;
    };
    let mut first_upper = first.is_uppercase();
    let mut current = upper(first);
    for c in chars {
        let previous = current;
        current = c;
        if is_connector(c) && is_connector(previous) {
            out.push(previous);
            continue;
        }
        if is_connector(previous) {
            first_upper = c.is_uppercase();
            current = upper(c);
        } else {
            if first_upper {
                if c.is_uppercase() {
                    current = lower(c);
                } else {
                    first_upper = false;
                }
            }
            out.push(previous);
        }
    }
    out.push(current);
    out
}

/// The kinds of words that xstrings tells apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    None,
    Number,
    Upper,
    Alphabet,
    Connector,
    Punct,
    Other,
}

/// `unicode.IsPunct`, near enough: ASCII exactly, beyond it the general punctuation blocks.
fn is_punct(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_punctuation() && !matches!(c, '$' | '+' | '<' | '=' | '>' | '^' | '`' | '|' | '~');
    }
    matches!(c, '\u{a1}' | '\u{a7}' | '\u{ab}' | '\u{b6}' | '\u{b7}' | '\u{bb}' | '\u{bf}')
        || matches!(c, '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{205e}' | '\u{3001}'..='\u{3003}' | '\u{3008}'..='\u{3011}')
}

fn is_word_letter(c: char) -> bool {
    c.is_alphabetic()
}

/// Cuts the next word.
fn next_word(text: &str) -> (Word, &str, &str) {
    let Some(first) = text.chars().next() else {
        return (Word::None, "", "");
    };
    let while_ = |test: &dyn Fn(char) -> bool| text.find(|c| !test(c)).unwrap_or(text.len());
    let small = |c: char| is_word_letter(c) && !c.is_uppercase();
    let (kind, end) = match first {
        c if is_connector(c) => (Word::Connector, while_(&is_connector)),
        c if is_punct(c) => (Word::Punct, while_(&is_punct)),
        c if c.is_uppercase() => {
            let capitals = while_(&char::is_uppercase);
            let rest = &text[capitals..];
            let one = first.len_utf8();
            let end = match rest.chars().next() {
                Some(next) if is_word_letter(next) && capitals == one => {
                    one + text[one..].find(|c| !small(c)).unwrap_or(text.len() - one)
                }
                Some(next) if is_word_letter(next) => {
                    text[..capitals].char_indices().next_back().map_or(capitals, |(at, _)| at)
                }
                _ => capitals,
            };
            (Word::Upper, end)
        }
        c if is_word_letter(c) => (Word::Alphabet, while_(&small)),
        c if c.is_numeric() => (Word::Number, while_(&char::is_numeric)),
        _ => {
            let other = |c: char| !(is_connector(c) || is_word_letter(c) || c.is_numeric() || is_punct(c));
            (Word::Other, while_(&other))
        }
    };
    (kind, &text[..end], &text[end..])
}

fn push_lower(out: &mut String, kind: Word, word: &str, connector: char) {
    if !matches!(kind, Word::Upper | Word::Connector) {
        out.push_str(word);
        return;
    }
    out.extend(word.chars().map(|c| if is_connector(c) { connector } else { lower(c) }));
}

fn separated(a: &[Value], connector: char) -> Result {
    Ok(separate(&args::text(a, 0).to_text(), connector).into())
}

/// `xstrings.ToSnakeCase` and `ToKebabCase`.
fn separate(text: &str, connector: char) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let (mut kind, mut word, mut rest) = next_word(text);
    while !rest.is_empty() {
        if kind != Word::Connector {
            push_lower(&mut out, kind, word, connector);
        }
        let (previous, last) = (kind, word);
        (kind, word, rest) = next_word(rest);
        match previous {
            Word::Number => {
                while matches!(kind, Word::Alphabet | Word::Number) {
                    push_lower(&mut out, kind, word, connector);
                    (kind, word, rest) = next_word(rest);
                }
                if !matches!(kind, Word::None | Word::Punct | Word::Connector) {
                    out.push(connector);
                }
            }
            Word::Connector => push_lower(&mut out, previous, last, connector),
            Word::Punct => {}
            _ if kind != Word::Number => {
                if !matches!(kind, Word::Connector | Word::Punct) {
                    out.push(connector);
                }
            }
            _ if rest.is_empty() => {}
            _ => (kind, word, rest) = after_number(&mut out, word, rest, connector),
        }
    }
    push_lower(&mut out, kind, word, connector);
    out
}

/// A number after letters: it stays with the letters that follow it, or else with those before.
fn after_number<'t>(out: &mut String, number: &'t str, rest: &'t str, connector: char) -> (Word, &'t str, &'t str) {
    let (mut kind, mut word, mut rest) = next_word(rest);
    if kind != Word::Alphabet {
        push_lower(out, Word::Number, number, connector);
        if !matches!(kind, Word::Connector | Word::Punct) {
            out.push(connector);
        }
        return (kind, word, rest);
    }
    out.push(connector);
    push_lower(out, Word::Number, number, connector);
    while matches!(kind, Word::Alphabet | Word::Number) {
        push_lower(out, kind, word, connector);
        (kind, word, rest) = next_word(rest);
    }
    if !matches!(kind, Word::None | Word::Connector | Word::Punct) {
        out.push(connector);
    }
    (kind, word, rest)
}
