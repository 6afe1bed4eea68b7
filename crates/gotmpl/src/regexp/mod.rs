//! Go's regular expressions (RE2 syntax) on the `regex` crate, whose matching is the same (leftmost-first, linear time).
//!
//! The syntaxes differ in classes, escapes and errors, so a pattern is read in Go's syntax and written anew.

mod class;
mod translate;

use regex::bytes::{Captures, Regex, RegexBuilder};

use crate::value::Str;

/// Bytes of a compiled program, as a bound on hostile patterns.
const SIZE_LIMIT: usize = 4 << 20;

/// A compiled pattern.
pub(crate) struct Regexp {
    regex: Regex,
    empty: bool,
}

/// Compiles a pattern. Errors have Go's texts: ``error parsing regexp: missing closing ]: `[a` ``.
pub(crate) fn compile(pattern: &str) -> Result<Regexp, String> {
    let translated = translate::translate(pattern).map_err(|error| format!("error parsing regexp: {error}"))?;
    let regex = RegexBuilder::new(&translated).size_limit(SIZE_LIMIT).dfa_size_limit(SIZE_LIMIT).build();
    match regex {
        Ok(regex) => Ok(Regexp { regex, empty: pattern.is_empty() }),
        Err(regex::Error::CompiledTooBig(_)) => Err("error parsing regexp: expression too large".to_owned()),
        Err(_) => Err(format!("error parsing regexp: invalid character class range: `{pattern}`")),
    }
}

impl Regexp {
    pub(crate) fn is_match(&self, text: &Str) -> bool {
        self.regex.is_match(text.as_bytes())
    }

    pub(crate) fn find(&self, text: &Str) -> Option<Str> {
        self.regex.find(text.as_bytes()).map(|found| found.as_bytes().into())
    }

    /// Finds at most `limit` matches; a negative limit is none.
    pub(crate) fn find_all(&self, text: &Str, limit: i64) -> Vec<Str> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        self.regex.find_iter(text.as_bytes()).take(limit).map(|found| found.as_bytes().into()).collect()
    }

    /// Splits into at most `limit` parts; a negative limit is none, zero gives nothing.
    pub(crate) fn split(&self, text: &Str, limit: i64) -> Option<Vec<Str>> {
        let bytes = text.as_bytes();
        if limit == 0 {
            return None;
        }
        if !self.empty && bytes.is_empty() {
            return Some(vec![Str::default()]);
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut parts: Vec<Str> = Vec::new();
        let (mut begin, mut end) = (0, 0);
        for found in self.regex.find_iter(bytes).take(limit) {
            if parts.len() + 1 >= limit {
                break;
            }
            end = found.start();
            if found.end() != 0 {
                parts.push(bytes[begin..end].into());
            }
            begin = found.end();
        }
        if end != bytes.len() {
            parts.push(bytes[begin..].into());
        }
        Some(parts)
    }

    /// Replaces every match; without `literal` the replacement is a template with `$1` and `${name}`. None when the result is
    /// longer than `max`.
    pub(crate) fn replace_all(&self, text: &Str, replacement: &Str, literal: bool, max: usize) -> Option<Str> {
        let bytes = text.as_bytes();
        let mut out = Vec::with_capacity(bytes.len());
        let mut last = 0;
        for captures in self.regex.captures_iter(bytes) {
            let Some(whole) = captures.get(0) else { continue };
            out.extend_from_slice(&bytes[last..whole.start()]);
            if literal {
                out.extend_from_slice(replacement.as_bytes());
            } else {
                expand(&mut out, replacement.as_bytes(), &captures);
            }
            last = whole.end();
            if out.len() > max {
                return None;
            }
        }
        out.extend_from_slice(&bytes[last..]);
        Some(out.into())
    }
}

/// Expands a replacement template as Go does: a name is as long as letters, digits and underscores go.
fn expand(out: &mut Vec<u8>, template: &[u8], captures: &Captures<'_>) {
    let mut rest = template;
    while let Some(at) = rest.iter().position(|b| *b == b'$') {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        if rest.get(1) == Some(&b'$') {
            out.push(b'$');
            rest = &rest[2..];
            continue;
        }
        let Some((name, len)) = reference(rest) else {
            out.push(b'$');
            rest = &rest[1..];
            continue;
        };
        let index = if name.bytes().all(|b| b.is_ascii_digit()) { name.parse::<usize>().ok() } else { None };
        let group = match index {
            Some(index) => captures.get(index),
            None => captures.name(&name),
        };
        out.extend_from_slice(group.map_or(&[], |group| group.as_bytes()));
        rest = &rest[len..];
    }
    out.extend_from_slice(rest);
}

/// Reads `$name` or `${name}`: the name and the length of all.
fn reference(text: &[u8]) -> Option<(String, usize)> {
    let brace = text.get(1) == Some(&b'{');
    let start = if brace { 2 } else { 1 };
    let valid = String::from_utf8_lossy(text.get(start..)?);
    let name: String = valid.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let end = start + name.len();
    if name.is_empty() || (brace && text.get(end) != Some(&b'}')) {
        return None;
    }
    Some((name, end + usize::from(brace)))
}

/// Escapes as `regexp.QuoteMeta`.
pub(crate) fn quote_meta(text: &Str) -> Str {
    let mut out = Vec::with_capacity(text.len() + 8);
    for byte in text.as_bytes() {
        if br"\.+*?()|[]{}^$".contains(byte) {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out.into()
}
