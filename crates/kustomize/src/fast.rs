//! The quick way through the YAML that nearly every manifest is written in; anything else is left to the full parser.
//!
//! It knows block maps and lists, scalars of all styles and flow collections on one line. It never decides that a
//! text is wrong: whatever it does not know for sure it gives up, and the full parser has the word. That both agree
//! is held by a test over generated documents.

use crate::{
    node::{Node, Scalar, Style},
    scalar::{Rules, Tag, resolve},
};

/// Reads a document; nothing if it holds anything that this reader does not know.
pub(crate) fn document(text: &str, rules: Rules) -> Option<Node> {
    if rules != Rules::V3 || !is_harmless(text) {
        return None;
    }
    let mut reader = Fast { text, bytes: text.as_bytes(), at: 0, column: None, depth: 0 };
    reader.first_line()?;
    let column = reader.column?;
    let node = reader.block(column)?;
    reader.column.is_none().then_some(node)
}

/// Tells whether the text holds only characters that mean nothing special to the full parser's reader.
fn is_harmless(text: &str) -> bool {
    let plain = |byte: u8| (0x20..0x7f).contains(&byte) || byte == b'\n' || byte >= 0x80;
    text.bytes().all(plain)
        && (text.is_ascii()
            || text.chars().all(|c| {
                c.is_ascii()
                    || c >= '\u{a0}' && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
            }))
}

/// Deeper documents are left to the full parser, which counts.
const MAX_DEPTH: usize = 100;

struct Fast<'t> {
    text: &'t str,
    bytes: &'t [u8],
    /// Where the next content begins.
    at: usize,
    /// Its column; nothing at the end of the text.
    column: Option<usize>,
    depth: usize,
}

impl<'t> Fast<'t> {
    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(b'\n')
    }

    fn line_end(&self, at: usize) -> usize {
        self.bytes[at..].iter().position(|byte| *byte == b'\n').map_or(self.bytes.len(), |found| at + found)
    }

    /// Moves to the first line with content, past a marker of the document's start.
    fn first_line(&mut self) -> Option<()> {
        self.seek(0)?;
        if self.column == Some(0) && self.bytes[self.at..].starts_with(b"---") {
            self.after_content(self.at + 3)?;
        }
        if self.column == Some(0) && self.byte(self.at) == b'%' { None } else { Some(()) }
    }

    /// Moves to the next line with content, from the start of a line.
    fn seek(&mut self, mut at: usize) -> Option<()> {
        loop {
            if at >= self.bytes.len() {
                (self.at, self.column) = (self.bytes.len(), None);
                return Some(());
            }
            let spaces = self.bytes[at..].iter().take_while(|byte| **byte == b' ').count();
            let start = at + spaces;
            match self.byte(start) {
                b'\n' => at = start + 1,
                b'#' => at = self.line_end(start) + 1,
                _ => {
                    let marker = spaces == 0
                        && (self.bytes[start..].starts_with(b"---") || self.bytes[start..].starts_with(b"..."));
                    if marker && self.at > 0 {
                        return None;
                    }
                    (self.at, self.column) = (start, Some(spaces));
                    return Some(());
                }
            }
        }
    }

    /// Moves on after content: the rest of the line may only be a comment.
    fn after_content(&mut self, at: usize) -> Option<()> {
        let mut end = at;
        while self.byte(end) == b' ' {
            end += 1;
        }
        match self.byte(end) {
            b'\n' => {}
            b'#' if end > at => end = self.line_end(end),
            _ => return None,
        }
        self.at = self.at.max(1);
        self.seek(end + 1)
    }

    fn is_dash(&self) -> bool {
        self.byte(self.at) == b'-' && matches!(self.byte(self.at + 1), b' ' | b'\n')
    }

    /// Reads a map or a list whose lines begin at this column.
    fn block(&mut self, column: usize) -> Option<Node> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let node = if self.is_dash() { self.list(column, false) } else { self.map(column) };
        self.depth -= 1;
        node
    }

    fn list(&mut self, column: usize, inside_map: bool) -> Option<Node> {
        let mut items = Vec::new();
        while self.column == Some(column) && self.is_dash() {
            let mut start = self.at + 1;
            while self.byte(start) == b' ' {
                start += 1;
            }
            let inner = column + start - self.at;
            let rest = self.byte(start);
            let nested = rest == b'-' && matches!(self.byte(start + 1), b' ' | b'\n');
            let item = if rest == b'\n' || rest == b'#' {
                self.after_content(self.at + 1)?;
                match self.column {
                    Some(deeper) if deeper > column => self.block_or_scalar(deeper, column)?,
                    _ => Node::null(),
                }
            } else if nested || self.key_end(start).is_some() {
                (self.at, self.column) = (start, Some(inner));
                self.block(inner)?
            } else {
                self.value(start, column)?
            };
            items.push(item);
        }
        match self.column {
            Some(next) if next > column || next == column && !inside_map => None,
            _ => Some(Node::List(items)),
        }
    }

    fn map(&mut self, column: usize) -> Option<Node> {
        let mut entries = Vec::new();
        while self.column == Some(column) {
            let (key, colon) = self.key(self.at)?;
            let mut start = colon + 1;
            while self.byte(start) == b' ' {
                start += 1;
            }
            let value = match self.byte(start) {
                b'\n' => self.value_below(colon + 1, column)?,
                b'#' if start > colon + 1 => self.value_below(colon + 1, column)?,
                _ => self.value(start, column)?,
            };
            entries.push((key, value));
        }
        match self.column {
            Some(next) if next > column => None,
            _ => Some(Node::Map(entries)),
        }
    }

    /// Reads what stands below a key: deeper, or a list at the key's own column.
    fn value_below(&mut self, at: usize, column: usize) -> Option<Node> {
        self.after_content(at)?;
        match self.column {
            Some(deeper) if deeper > column => self.block_or_scalar(deeper, column),
            Some(same) if same == column && self.is_dash() => {
                self.depth += 1;
                let list = if self.depth > MAX_DEPTH { None } else { self.list(column, true) };
                self.depth -= 1;
                list
            }
            _ => Some(Node::null()),
        }
    }

    /// Reads a block, or a scalar that begins on a line of its own.
    fn block_or_scalar(&mut self, column: usize, parent: usize) -> Option<Node> {
        if self.is_dash() || self.key_end(self.at).is_some() { self.block(column) } else { self.value(self.at, parent) }
    }

    /// Returns the place of the colon if a key begins here.
    fn key_end(&self, at: usize) -> Option<usize> {
        let mut here = match self.byte(at) {
            quote @ (b'"' | b'\'') => {
                let mut end = at + 1;
                loop {
                    match self.byte(end) {
                        b'\n' => return None,
                        b'\\' if quote == b'"' => end += 2,
                        byte if byte == quote => break,
                        _ => end += 1,
                    }
                }
                end + 1
            }
            _ => {
                let mut end = at;
                loop {
                    match self.byte(end) {
                        b'\n' => return None,
                        b':' if matches!(self.byte(end + 1), b' ' | b'\n') => return Some(end),
                        b'#' if end > at && self.byte(end - 1) == b' ' => return None,
                        _ => end += 1,
                    }
                }
            }
        };
        while self.byte(here) == b' ' {
            here += 1;
        }
        (self.byte(here) == b':' && matches!(self.byte(here + 1), b' ' | b'\n')).then_some(here)
    }

    /// Reads a key; returns it with the place of its colon.
    fn key(&self, at: usize) -> Option<(Scalar, usize)> {
        let colon = self.key_end(at)?;
        if colon - at > 512 {
            return None;
        }
        let scalar = match self.byte(at) {
            b'"' | b'\'' => {
                let (scalar, end) = self.quoted(at)?;
                (self.text[end..colon].trim_matches(' ').is_empty()).then_some(scalar)?
            }
            _ => {
                let text = self.text[at..colon].trim_end_matches(' ');
                if !begins_plain(text) || text == "<<" {
                    return None;
                }
                plain(text)
            }
        };
        Some((scalar, colon))
    }

    /// Reads a value that begins on this line; `parent` is the column of the map or list that it belongs to.
    fn value(&mut self, at: usize, parent: usize) -> Option<Node> {
        match self.byte(at) {
            b'|' => self.block_scalar(at, parent, Style::Literal),
            b'>' => self.block_scalar(at, parent, Style::Folded),
            b'"' | b'\'' => {
                let (scalar, end) = match self.quoted(at) {
                    Some(found) => found,
                    None => self.quoted_lines(at, parent)?,
                };
                self.after_content(end)?;
                Some(Node::Scalar(scalar))
            }
            b'[' | b'{' => {
                let (node, end) = self.flow(at)?;
                self.after_content(end)?;
                Some(node)
            }
            _ => self.plain_value(at, parent),
        }
    }

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

    fn plain_value(&mut self, at: usize, parent: usize) -> Option<Node> {
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
    fn quoted(&self, at: usize) -> Option<(Scalar, usize)> {
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
    fn quoted_lines(&self, at: usize, parent: usize) -> Option<(Scalar, usize)> {
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

    /// Reads a flow collection on one line.
    fn flow(&mut self, at: usize) -> Option<(Node, usize)> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let found = if self.byte(at) == b'[' { self.flow_list(at + 1) } else { self.flow_map(at + 1) };
        self.depth -= 1;
        found
    }

    fn skip_spaces(&self, mut at: usize) -> usize {
        while self.byte(at) == b' ' {
            at += 1;
        }
        at
    }

    fn flow_list(&mut self, at: usize) -> Option<(Node, usize)> {
        let mut items = Vec::new();
        let mut here = self.skip_spaces(at);
        while self.byte(here) != b']' {
            let (item, end) = self.flow_value(here)?;
            items.push(item);
            here = self.flow_next(end, b']')?;
        }
        Some((Node::List(items), here + 1))
    }

    fn flow_map(&mut self, at: usize) -> Option<(Node, usize)> {
        let mut entries = Vec::new();
        let mut here = self.skip_spaces(at);
        while self.byte(here) != b'}' {
            let (Node::Scalar(key), end) = self.flow_value(here)? else { return None };
            let colon = self.skip_spaces(end);
            if self.byte(colon) != b':' || self.byte(colon + 1) != b' ' && key.style == Style::Plain {
                return None;
            }
            if key.style == Style::Plain && &*key.text == "<<" {
                return None;
            }
            let (value, end) = self.flow_value(self.skip_spaces(colon + 1))?;
            entries.push((key, value));
            here = self.flow_next(end, b'}')?;
        }
        Some((Node::Map(entries), here + 1))
    }

    /// Moves past a comma, or to the end of the collection.
    fn flow_next(&self, at: usize, close: u8) -> Option<usize> {
        let here = self.skip_spaces(at);
        match self.byte(here) {
            b',' => Some(self.skip_spaces(here + 1)),
            byte if byte == close => Some(here),
            _ => None,
        }
    }

    fn flow_value(&mut self, at: usize) -> Option<(Node, usize)> {
        match self.byte(at) {
            b'[' | b'{' => self.flow(at),
            b'"' | b'\'' => self.quoted(at).map(|(scalar, end)| (Node::Scalar(scalar), end)),
            _ => {
                let mut end = at;
                loop {
                    match self.byte(end) {
                        b'\n' | b'#' => return None,
                        b',' | b'[' | b']' | b'{' | b'}' => break,
                        b':' if matches!(self.byte(end + 1), b' ' | b'\n' | b',' | b'[' | b']' | b'{' | b'}') => break,
                        b'?' => return None,
                        _ => end += 1,
                    }
                }
                let text = self.text[at..end].trim_end_matches(' ');
                let stop = at + text.len();
                (begins_plain(text) && !text.starts_with('-')).then(|| (Node::Scalar(plain(text)), stop))
            }
        }
    }

    /// Reads a literal or folded block.
    fn block_scalar(&mut self, at: usize, parent: usize, style: Style) -> Option<Node> {
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
fn begins_plain(text: &str) -> bool {
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

fn plain(text: &str) -> Scalar {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Limits, read};

    fn agrees(text: &str) -> bool {
        match document(text, Rules::V3) {
            None => true,
            Some(node) => read::document(text, Rules::V3, &Limits::default()).is_ok_and(|full| full == Some(node)),
        }
    }

    #[test]
    fn the_usual_forms_are_read() {
        let cases = [
            "a: 1\nb:\n- x\n-   y: z\n    w: 'it''s'\nc: {}\nd: [a, \"b\\n\", {k: v}]\n",
            "a: |\n  x\n\n   y\n  z\nb: >-\n  one\n  two\n\n  three\n    deep\nc: |+\n  k\n\n",
            "---\n# note\na: some\n  more text\n\n  and more # not\n",
            "a: \"one\n  two\n\n  three\"\nb:\n  - - 1\n    - 2\n  -\n    c: d\n",
            "a:\nb: ~\nc: # nothing\nd: http://x:80/y\n",
            "a: |\n  no newline",
        ];
        for text in cases {
            assert!(agrees(text), "{text}");
        }
        assert!(document(cases[0], Rules::V3).is_some() && document(cases[1], Rules::V3).is_some());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]
        #[test]
        fn the_quick_reader_agrees_with_the_full_one(
            parts in prop::collection::vec(prop::sample::select(vec![
                "a", "b: ", "c:", "\n", "\n", "\n  ", "\n    ", "- ", "-", "  ", " ", "x y", "\"q\"", "'s'", "|", ">", "|-", "|+",
                ">-", "#", " # c", "[a, b]", "{k: v}", "{}", "[]", "1", "0x1", "true", "~", ": ", ":", "\"", "'", "\\n", ",",
                "---", "&a", "*a", "!t", "?", "\n\n", "\n - ", "k: v", "\n  k: v", "<<: ",
            ]), 0..24)
        ) {
            let text = parts.concat();
            prop_assert!(agrees(&text), "{:?} -> {:?} / {:?}", text, document(&text, Rules::V3), read::document(&text, Rules::V3, &Limits::default()));
        }
    }
}
