//! Patterns: Go's `path.Match` and the globs of `gobwas/glob` that `.Files.Glob` uses.

use regex::Regex;

/// A pattern that Go refuses.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadPattern;

/// Matches a whole name as Go's `filepath.Match`: `*`, `?`, `[…]`, `\`; `*` and `?` never match a `/`.
pub(crate) fn path_match(pattern: &str, name: &str) -> Result<bool, BadPattern> {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    validate(&pattern)?;
    Ok(matches_at(&pattern, &name))
}

fn validate(pattern: &[char]) -> Result<(), BadPattern> {
    let mut at = 0;
    while at < pattern.len() {
        at = match pattern[at] {
            '\\' if at + 1 == pattern.len() => return Err(BadPattern),
            '\\' => at + 2,
            '[' => class(pattern, at, '\0').ok_or(BadPattern)?.1,
            _ => at + 1,
        };
    }
    Ok(())
}

/// Walks with one point of return, the last star: linear in practice, quadratic at worst.
fn matches_at(pattern: &[char], name: &[char]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&'*') {
            star = Some((p, n));
            p += 1;
            continue;
        }
        if let Some(next) = one(pattern, p, name[n]) {
            (p, n) = (next, n + 1);
            continue;
        }
        match star {
            Some((star_at, from)) if name[from] != '/' => {
                star = Some((star_at, from + 1));
                (p, n) = (star_at + 1, from + 1);
            }
            _ => return false,
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// Matches one character; gives where the pattern goes on.
fn one(pattern: &[char], at: usize, c: char) -> Option<usize> {
    match *pattern.get(at)? {
        '?' => (c != '/').then_some(at + 1),
        '[' => class(pattern, at, c).and_then(|(hit, next)| hit.then_some(next)),
        '\\' => (pattern.get(at + 1) == Some(&c)).then_some(at + 2),
        exact => (exact == c).then_some(at + 1),
    }
}

/// Reads a class that starts at `at`; gives whether it has the character and where it ends.
fn class(pattern: &[char], at: usize, c: char) -> Option<(bool, usize)> {
    let mut at = at + 1;
    let negated = pattern.get(at) == Some(&'^');
    at += usize::from(negated);
    let mut hit = false;
    let mut count = 0;
    loop {
        if pattern.get(at) == Some(&']') && count > 0 {
            return Some((hit != negated, at + 1));
        }
        let (low, next) = class_char(pattern, at)?;
        let (high, next) = if pattern.get(next) == Some(&'-') { class_char(pattern, next + 1)? } else { (low, next) };
        hit |= low <= c && c <= high;
        at = next;
        count += 1;
    }
}

fn class_char(pattern: &[char], at: usize) -> Option<(char, usize)> {
    match *pattern.get(at)? {
        '-' | ']' => None,
        '\\' => pattern.get(at + 1).map(|c| (*c, at + 2)),
        c => Some((c, at + 1)),
    }
    .filter(|(_, next)| *next < pattern.len())
}

/// A glob of `gobwas/glob` with `/` as separator: `*`, `**`, `?`, `[…]`, `{a,b}`, `\`.
pub(crate) struct Glob(Regex);

impl Glob {
    /// Compiles a pattern. One that does not compile matches everything, as in Helm.
    pub(crate) fn new(pattern: &str) -> Self {
        let everything = || Regex::new("(?s).*").expect("a constant pattern");
        let compiled = translate(pattern).and_then(|text| {
            regex::RegexBuilder::new(&text).size_limit(1 << 20).dot_matches_new_line(true).build().ok()
        });
        Self(compiled.unwrap_or_else(everything))
    }

    /// Tells whether a whole name matches.
    pub(crate) fn matches(&self, name: &str) -> bool {
        self.0.is_match(name)
    }
}

fn translate(pattern: &str) -> Option<String> {
    let chars: Vec<char> = pattern.chars().collect();
    let mut out = String::from("^(?:");
    let mut depth = 0usize;
    let mut at = 0;
    while at < chars.len() {
        match chars[at] {
            '*' if chars.get(at + 1) == Some(&'*') => {
                while chars.get(at + 1) == Some(&'*') {
                    at += 1;
                }
                out.push_str(".*");
            }
            '*' => out.push_str("[^/]*"),
            '?' => out.push_str("[^/]"),
            '{' => {
                depth += 1;
                out.push_str("(?:");
            }
            '}' if depth > 0 => {
                depth -= 1;
                out.push(')');
            }
            ',' if depth > 0 => out.push('|'),
            '[' => at = translate_class(&chars, at, &mut out)?,
            '\\' => {
                at += 1;
                out.push_str(&regex::escape(&chars.get(at)?.to_string()));
            }
            c => out.push_str(&regex::escape(&c.to_string())),
        }
        at += 1;
    }
    out.push_str(")$");
    (depth == 0).then_some(out)
}

/// Translates a list or range; gives the place of its `]`.
fn translate_class(chars: &[char], at: usize, out: &mut String) -> Option<usize> {
    let end = (at + 1..chars.len()).find(|i| chars[*i] == ']')?;
    let inner = &chars[at + 1..end];
    let (negated, inner) = match inner.split_first() {
        Some(('!', rest)) => (true, rest),
        _ => (false, inner),
    };
    if inner.is_empty() {
        return None;
    }
    out.push_str(if negated { "[^" } else { "[" });
    match inner {
        [low, '-', high] if low <= high => {
            out.push_str(&format!("{}-{}", regex::escape(&low.to_string()), regex::escape(&high.to_string())));
        }
        [_, '-', _] => return None,
        list => list.iter().for_each(|c| out.push_str(&class_literal(*c))),
    }
    out.push(']');
    Some(end)
}

fn class_literal(c: char) -> String {
    if c.is_alphanumeric() { c.to_string() } else { format!("\\x{{{:x}}}", u32::from(c)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_match_as_in_go() {
        for (pattern, name, expect) in [
            ("*.txt", "a.txt", true),
            ("*.txt", "d/a.txt", false),
            ("templates/.?*", "templates/.x", true),
            ("a[b-d]?", "acz", true),
            ("[^a]b", "ab", false),
            ("a*b*c", "axxbyyc", true),
            ("\\*", "*", true),
        ] {
            assert_eq!(path_match(pattern, name), Ok(expect), "{pattern} {name}");
        }
        for bad in ["[", "[]a]", "a\\", "[a", "[-]"] {
            assert_eq!(path_match(bad, "a"), Err(BadPattern), "{bad}");
        }
    }

    #[test]
    fn globs_match_as_gobwas_does() {
        for (pattern, name, expect) in [
            ("config/*", "config/a", true),
            ("config/*", "config/a/b", false),
            ("config/**", "config/a/b", true),
            ("*.{yaml,txt}", "b.txt", true),
            ("**", "anything/at/all", true),
            ("[a-c].txt", "b.txt", true),
            ("{", "everything", true),
        ] {
            assert_eq!(Glob::new(pattern).matches(name), expect, "{pattern} {name}");
        }
    }
}
