//! A position in the text, with line and column.

use super::super::events::Mark;

/// Moves through a text; whoever moves it knows where the line breaks are.
pub(super) struct Cursor<'t> {
    pub text: &'t str,
    pub position: usize,
    pub line: u32,
    /// In characters, from 0.
    pub column: u32,
    /// Characters since the start.
    pub index: usize,
}

impl<'t> Cursor<'t> {
    pub fn new(text: &'t str) -> Self {
        Self { text, position: 0, line: 0, column: 0, index: 0 }
    }

    pub fn mark(&self) -> Mark {
        Mark { line: self.line, column: self.column }
    }

    pub fn is_end(&self) -> bool {
        self.position >= self.text.len()
    }

    /// Returns the byte so far ahead, 0 behind the end.
    pub fn at(&self, ahead: usize) -> u8 {
        self.text.as_bytes().get(self.position + ahead).copied().unwrap_or(0)
    }

    pub fn peek(&self) -> u8 {
        self.at(0)
    }

    pub fn is_blank(&self) -> bool {
        matches!(self.peek(), b' ' | b'\t')
    }

    pub fn is_break(&self) -> bool {
        self.break_len(self.position) > 0
    }

    /// Tells whether a blank, a line break or the end stands so far ahead.
    pub fn ends_word(&self, ahead: usize) -> bool {
        let position = self.position + ahead;
        position >= self.text.len() || matches!(self.at(ahead), b' ' | b'\t') || self.break_len(position) > 0
    }

    /// Tells whether the line is over here.
    pub fn ends_line(&self) -> bool {
        self.is_end() || self.is_break()
    }

    /// Returns the length of the line break at a position, 0 if there is none.
    pub fn break_len(&self, position: usize) -> usize {
        match self.text.as_bytes().get(position..).unwrap_or_default() {
            [b'\r', b'\n', ..] | [0xc2, 0x85, ..] => 2,
            [b'\r' | b'\n', ..] => 1,
            [0xe2, 0x80, 0xa8 | 0xa9, ..] => 3,
            _ => 0,
        }
    }

    /// Tells whether `---` or `...` stands here as a line's first word.
    pub fn is_document_indicator(&self) -> bool {
        let rest = &self.text.as_bytes()[self.position..];
        self.column == 0 && (rest.starts_with(b"---") || rest.starts_with(b"...")) && self.ends_word(3)
    }

    /// Skips ASCII characters that are no line breaks.
    pub fn skip(&mut self, count: u32) {
        self.position += count as usize;
        self.column += count;
        self.index += count as usize;
    }

    /// Moves to a later position on the line and returns what lies between.
    pub fn advance_to(&mut self, position: usize) -> &'t str {
        let passed = &self.text[self.position..position];
        let count = passed.bytes().filter(|byte| byte & 0xc0 != 0x80).count();
        self.position = position;
        self.column = self.column.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        self.index += count;
        passed
    }

    pub fn skip_blanks(&mut self) {
        while self.is_blank() {
            self.skip(1);
        }
    }

    /// Skips a comment, if one starts here, up to the end of the line.
    pub fn skip_comment(&mut self) {
        if self.peek() == b'#' {
            let mut end = self.position;
            while end < self.text.len() && self.break_len(end) == 0 {
                end += 1;
            }
            self.advance_to(end);
        }
    }

    /// Moves over a line break, if there is one, and returns it as it is read: YAML keeps two of them apart.
    pub fn take_break(&mut self) -> &'t str {
        let len = self.break_len(self.position);
        if len == 0 {
            return "";
        }
        let passed = &self.text[self.position..self.position + len];
        self.position += len;
        self.index += passed.chars().count();
        self.line = self.line.saturating_add(1);
        self.column = 0;
        if len == 3 { passed } else { "\n" }
    }
}
