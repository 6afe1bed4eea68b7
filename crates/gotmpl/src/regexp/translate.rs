//! Reads Go's syntax, writes the `regex` crate's.

use super::class;

/// Nesting that Go accepts.
const MAX_DEPTH: usize = 1_000;
/// The largest count of a repetition.
const MAX_REPEAT: u32 = 1_000;

/// What a part of a pattern may be followed by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    /// Nothing to repeat.
    Nothing,
    Item,
    /// A repetition, from an offset of the pattern on.
    Repeated(usize),
}

struct Translator<'p> {
    pattern: &'p str,
    at: usize,
    out: String,
    depth: usize,
    last: Last,
}

/// Translates a pattern; errors as in Go, without `error parsing regexp: `.
pub(super) fn translate(pattern: &str) -> Result<String, String> {
    let mut translator =
        Translator { pattern, at: 0, out: String::with_capacity(pattern.len() + 16), depth: 0, last: Last::Nothing };
    while translator.at < pattern.len() {
        translator.item()?;
    }
    if translator.depth > 0 {
        return Err(format!("missing closing ): `{pattern}`"));
    }
    Ok(translator.out)
}

impl<'p> Translator<'p> {
    fn rest(&self) -> &'p str {
        &self.pattern[self.at..]
    }

    fn item(&mut self) -> Result<(), String> {
        let rest = self.rest();
        let Some(c) = rest.chars().next() else {
            return Ok(());
        };
        match c {
            '(' => return self.open(),
            ')' => {
                if self.depth == 0 {
                    return Err(format!("unexpected ): `{}`", self.pattern));
                }
                self.depth -= 1;
                self.plain(")", 1, Last::Item);
            }
            '|' => self.plain("|", 1, Last::Nothing),
            '^' => self.plain("^", 1, Last::Item),
            '$' => self.plain("$", 1, Last::Item),
            '.' => self.plain(".", 1, Last::Item),
            '[' => {
                let (text, len) = class::bracket(rest)?;
                self.plain(&text, len, Last::Item);
            }
            '*' | '+' | '?' => return self.repeat(1),
            '{' => {
                if let Some((low, high, len)) = repeat_count(rest) {
                    if low > MAX_REPEAT || high.is_some_and(|high| high > MAX_REPEAT || low > high) {
                        return Err(format!("invalid repeat count: `{}`", &rest[..len]));
                    }
                    return self.repeat(len);
                }
                self.plain(r"\{", 1, Last::Item);
            }
            '\\' => return self.escape(),
            c => {
                let text = regex::escape(c.encode_utf8(&mut [0; 4]));
                self.plain(&text, c.len_utf8(), Last::Item);
            }
        }
        Ok(())
    }

    fn plain(&mut self, text: &str, len: usize, last: Last) {
        self.out.push_str(text);
        self.at += len;
        self.last = last;
    }

    /// Writes a repetition operator of `len` bytes and the `?` that makes it lazy.
    fn repeat(&mut self, len: usize) -> Result<(), String> {
        let lazy = usize::from(self.rest()[len..].starts_with('?'));
        let operator = &self.rest()[..len + lazy];
        match self.last {
            Last::Nothing => return Err(format!("missing argument to repetition operator: `{}`", &operator[..len])),
            Last::Repeated(start) => {
                return Err(format!(
                    "invalid nested repetition operator: `{}`",
                    &self.pattern[start..self.at + len + lazy]
                ));
            }
            Last::Item => {}
        }
        let start = self.at;
        self.plain(operator, len + lazy, Last::Repeated(start));
        Ok(())
    }

    fn open(&mut self) -> Result<(), String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("expression nests too deeply".to_owned());
        }
        let rest = self.rest();
        if !rest.starts_with("(?") {
            self.plain("(", 1, Last::Nothing);
            return Ok(());
        }
        if rest.starts_with("(?P<") || rest.starts_with("(?<") {
            let start = if rest.starts_with("(?P<") { 4 } else { 3 };
            let Some(end) = rest.find('>') else {
                return Err(format!("invalid named capture: `{rest}`"));
            };
            let name = &rest[start..end];
            if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
                return Err(format!("invalid named capture: `{}`", &rest[..=end]));
            }
            // The crate wants a letter first, Go does not.
            let name =
                if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name.to_owned() };
            self.plain(&format!("(?P<{name}>"), end + 1, Last::Nothing);
            return Ok(());
        }
        self.flags()
    }

    /// Reads `(?flags)` or `(?flags:`.
    fn flags(&mut self) -> Result<(), String> {
        let rest = self.rest();
        let (mut negative, mut seen) = (false, false);
        for (i, c) in rest.char_indices().skip(2) {
            let bad = Err(format!("invalid or unsupported Perl syntax: `{}`", &rest[..i + c.len_utf8()]));
            match c {
                'i' | 'm' | 's' | 'U' => seen = true,
                '-' if !negative => (negative, seen) = (true, false),
                ':' | ')' if negative && !seen => return bad,
                ':' => {
                    self.plain(&rest[..=i], i + 1, Last::Nothing);
                    return Ok(());
                }
                ')' => {
                    self.depth -= 1;
                    let text = if i == 2 { "" } else { &rest[..=i] };
                    self.plain(text, i + 1, Last::Nothing);
                    return Ok(());
                }
                _ => return bad,
            }
        }
        Err(format!("missing closing ): `{}`", self.pattern))
    }

    fn escape(&mut self) -> Result<(), String> {
        let rest = self.rest();
        let text = match rest.as_bytes().get(1) {
            None => return Err("trailing backslash at end of expression: ``".to_owned()),
            Some(b'A') => r"\A",
            Some(b'z') => r"\z",
            Some(b'b') => r"(?-u:\b)",
            Some(b'B') => r"(?-u:\B)",
            Some(b'Q') => {
                let quoted = &rest[2..];
                let end = quoted.find(r"\E").unwrap_or(quoted.len());
                let len = 2 + end + if end < quoted.len() { 2 } else { 0 };
                let last = if end == 0 { self.last } else { Last::Item };
                self.plain(&regex::escape(&quoted[..end]), len, last);
                return Ok(());
            }
            _ => {
                let (text, len) = class::escape(rest)?;
                self.plain(&text, len, Last::Item);
                return Ok(());
            }
        };
        self.plain(text, 2, Last::Item);
        Ok(())
    }
}

/// Reads `{n}`, `{n,}` or `{n,m}`: counts and length; anything else is literal text.
fn repeat_count(text: &str) -> Option<(u32, Option<u32>, usize)> {
    let end = text.find('}')?;
    let (low, high) = match text[1..end].split_once(',') {
        Some((low, "")) => (low, None),
        Some((low, high)) => (low, Some(high)),
        None => (&text[1..end], Some(&text[1..end])),
    };
    let number = |digits: &str| {
        let plain = !digits.is_empty()
            && digits.bytes().all(|b| b.is_ascii_digit())
            && (digits.len() == 1 || !digits.starts_with('0'));
        plain.then(|| digits.parse::<u32>().unwrap_or(u32::MAX))
    };
    let low = number(low)?;
    let high = match high {
        Some(high) => Some(number(high)?),
        None => None,
    };
    Some((low, high, end + 1))
}
