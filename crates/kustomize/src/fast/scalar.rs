//! Scalars of all styles.

use super::Fast;
use crate::{
    node::{Node, Scalar, Style},
    scalar::{Rules, Tag, resolve},
};

impl Fast<'_> {
    /// Returns the end of the plain text of a line; nothing if the line holds a key or a colon at its end.
    fn plain_end(&self, at: usize) -> Option<(usize, bool)> {
        let mut end = at;
        loop {
            match self.byte(end) {
                b'\n' => return Some((end, false)),
                b':' if matches!(self.byte(end + 1), b' ' | b'\n') => return None,
                b'#' if end > at && self.byte(end - 1) == b' ' => return Some((end, true)),
                _ => end += 1,
            }
        }
    }

    pub(super) fn plain_value(&mut self, at: usize, parent: usize) -> Option<Node> {
        let (end, commented) = self.plain_end(at)?;
        let first = self.text[at..end].trim_end_matches(' ');
        if !begins_plain(first) {
            return None;
        }
        let line_end = if commented { self.line_end(end) } else { end };
        self.at = self.at.max(1);
        let from = line_end + 1;
        self.seek(from)?;
        let more = self.column.is_some_and(|column| column > parent);
        if !more {
            return Some(Node::Scalar(plain(first)));
        }
        if commented || first == "<<" {
            return None;
        }
        self.plain_lines(first, from, parent)
    }

    /// Reads the further lines of a plain scalar.
    fn plain_lines(&mut self, first: &str, mut from: usize, parent: usize) -> Option<Node> {
        let mut joined = first.to_owned();
        loop {
            let mut breaks = 1;
            while self.byte(from) == b'\n' && from < self.bytes.len() {
                breaks += 1;
                from += 1;
            }
            let start = self.at;
            // A comment or a line of blanks in between is for the full parser.
            if start - self.column? != from {
                return None;
            }
            let (end, commented) = self.plain_end(start)?;
            if commented {
                return None;
            }
            if breaks == 1 {
                joined.push(' ');
            } else {
                (1..breaks).for_each(|_| joined.push('\n'));
            }
            joined.push_str(self.text[start..end].trim_end_matches(' '));
            from = end + 1;
            self.seek(from)?;
            if self.column.is_none_or(|column| column <= parent) {
                let tag = resolve(&joined, Rules::V3);
                return Some(Node::Scalar(Scalar::new(joined, tag, Style::Plain)));
            }
        }
    }

    /// Reads a quoted scalar on one line.
    pub(super) fn quoted(&self, at: usize) -> Option<(Scalar, usize)> {
        let quote = self.byte(at);
        let start = at + 1;
        let mut end = start;
        let mut special = false;
        loop {
            match self.byte(end) {
                b'\n' => return None,
                b'\\' if quote == b'"' => {
                    special = true;
                    end += 2;
                }
                b'\'' if quote == b'\'' && self.byte(end + 1) == b'\'' => {
                    special = true;
                    end += 2;
                }
                byte if byte == quote => break,
                _ => end += 1,
            }
        }
        let inner = self.text.get(start..end)?;
        let text: Box<str> = match (special, quote) {
            (false, _) => inner.into(),
            (true, b'\'') => inner.replace("''", "'").into(),
            (true, _) => unescape(inner)?.into(),
        };
        let style = if quote == b'"' { Style::Double } else { Style::Single };
        Some((Scalar::new(text, Tag::Str, style), end + 1))
    }

    /// Reads a quoted scalar over several lines.
    pub(super) fn quoted_lines(&self, at: usize, parent: usize) -> Option<(Scalar, usize)> {
        let quote = self.byte(at);
        let mut joined = String::new();
        let mut start = at + 1;
        let mut breaks = 0;
        loop {
            let line_end = self.line_end(start);
            let line = &self.text[start..line_end];
            let close = closing(line.as_bytes(), quote);
            let part = &line[..close.unwrap_or(line.len())];
            let part = if breaks > 0 { part.trim_start_matches(' ') } else { part };
            let part = if close.is_none() { part.trim_end_matches(' ') } else { part };
            if part.ends_with('\\') && close.is_none() {
                return None;
            }
            if part.is_empty() && close.is_none() && breaks > 0 {
                breaks += 1;
            } else {
                match breaks {
                    0 => {}
                    1 => joined.push(' '),
                    more => (1..more).for_each(|_| joined.push('\n')),
                }
                joined.push_str(&if quote == b'"' { unescape(part)? } else { part.replace("''", "'") });
                breaks = 1;
            }
            if let Some(close) = close {
                let style = if quote == b'"' { Style::Double } else { Style::Single };
                return Some((Scalar::new(joined, Tag::Str, style), start + close + 1));
            }
            start = line_end + 1;
            let indent = self.bytes.get(start..)?.iter().take_while(|byte| **byte == b' ').count();
            let blank = self.byte(start + indent) == b'\n';
            if start >= self.bytes.len() || !blank && indent <= parent {
                return None;
            }
        }
    }

    /// Reads a literal or folded block.
    pub(super) fn block_scalar(&mut self, at: usize, parent: usize, style: Style) -> Option<Node> {
        let (chomp, header_end) = match self.byte(at + 1) {
            mark @ (b'-' | b'+') => (mark, at + 2),
            _ => (b' ', at + 1),
        };
        let header_end = self.skip_spaces(header_end);
        if self.byte(header_end) != b'\n' || header_end >= self.bytes.len() {
            return None;
        }
        let mut here = header_end + 1;
        let mut text = String::new();
        let mut pending = 0;
        // Blank lines before the content, and the content's indentation.
        let indent = loop {
            let spaces = self.bytes.get(here..)?.iter().take_while(|byte| **byte == b' ').count();
            if here + spaces >= self.bytes.len() {
                return None;
            }
            if self.byte(here + spaces) != b'\n' {
                break spaces;
            }
            if spaces > 0 {
                return None;
            }
            pending += 1;
            here += 1;
        };
        if indent <= parent {
            return None;
        }
        let (mut started, mut after_blank, mut ended) = (false, false, true);
        while here < self.bytes.len() {
            let spaces = self.bytes[here..].iter().take(indent).take_while(|byte| **byte == b' ').count();
            let end = self.line_end(here);
            if here + spaces == end {
                pending += 1;
            } else if spaces < indent {
                break;
            } else {
                let line = &self.text[here + indent..end];
                let before_blank = line.starts_with(' ');
                let folds = style == Style::Folded && started && !after_blank && !before_blank;
                if started && !folds {
                    text.push('\n');
                } else if folds && pending == 0 {
                    text.push(' ');
                }
                (0..pending).for_each(|_| text.push('\n'));
                text.push_str(line);
                (started, after_blank, pending, ended) = (true, before_blank, 0, end < self.bytes.len());
            }
            here = end + 1;
        }
        match chomp {
            b'-' => {}
            b'+' if ended => (0..=pending).for_each(|_| text.push('\n')),
            b'+' => {}
            _ if ended => text.push('\n'),
            _ => {}
        }
        self.at = self.at.max(1);
        self.seek(here)?;
        Some(Node::Scalar(Scalar::new(text, Tag::Str, style)))
    }
}

/// Tells whether a plain scalar may begin like this.
pub(super) fn begins_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    match bytes.first() {
        None => false,
        Some(b'-' | b'?' | b':') => bytes.get(1).is_some_and(|next| *next != b' '),
        Some(
            b'#' | b',' | b'[' | b']' | b'{' | b'}' | b'&' | b'*' | b'!' | b'|' | b'>' | b'\'' | b'"' | b'%' | b'@'
            | b'`',
        ) => false,
        Some(_) => true,
    }
}

/// Returns a plain scalar.
pub(super) fn plain(text: &str) -> Scalar {
    Scalar::new(text, resolve(text, Rules::V3), Style::Plain)
}

/// Returns the place of the closing quote in a line.
fn closing(line: &[u8], quote: u8) -> Option<usize> {
    let mut at = 0;
    while at < line.len() {
        match line[at] {
            b'\\' if quote == b'"' => at += 2,
            b'\'' if quote == b'\'' && line.get(at + 1) == Some(&b'\'') => at += 2,
            byte if byte == quote => return Some(at),
            _ => at += 1,
        }
    }
    None
}

fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let hex = match chars.next()? {
            '0' => '\0'.into(),
            'a' => '\u{7}'.into(),
            'b' => '\u{8}'.into(),
            't' => '\t'.into(),
            'n' => '\n'.into(),
            'v' => '\u{b}'.into(),
            'f' => '\u{c}'.into(),
            'r' => '\r'.into(),
            'e' => '\u{1b}'.into(),
            '"' => '"'.into(),
            '/' => '/'.into(),
            '\\' => '\\'.into(),
            'N' => '\u{85}'.into(),
            '_' => '\u{a0}'.into(),
            'L' => '\u{2028}'.into(),
            'P' => '\u{2029}'.into(),
            'x' => code(&mut chars, 2)?,
            'u' => code(&mut chars, 4)?,
            'U' => code(&mut chars, 8)?,
            _ => return None,
        };
        out.push(char::from_u32(hex)?);
    }
    Some(out)
}

fn code(chars: &mut std::str::Chars, digits: usize) -> Option<u32> {
    (0..digits).try_fold(0_u32, |value, _| Some(value.checked_mul(16)? + chars.next()?.to_digit(16)?))
}
