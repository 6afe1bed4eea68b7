//! The quick way through the YAML that nearly every manifest is written in; anything else is left to the full parser.
//!
//! It knows block maps and lists, scalars of all styles and flow collections on one line. It never decides that a
//! text is wrong: whatever it does not know for sure it gives up, and the full parser has the word. That both agree
//! is held by a test over generated documents.

mod flow;
mod scalar;

use crate::{
    node::{Node, Scalar, Style},
    scalar::Rules,
};
use scalar::{begins_plain, plain};

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

impl Fast<'_> {
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

    fn skip_spaces(&self, mut at: usize) -> usize {
        while self.byte(at) == b' ' {
            at += 1;
        }
        at
    }
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
