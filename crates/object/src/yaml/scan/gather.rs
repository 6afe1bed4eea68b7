//! Collects the text of a scalar without copying it, as long as it is a piece of the source.

use std::borrow::Cow;

use super::cursor::Cursor;

/// The text of a scalar so far.
pub(super) struct Gather<'t> {
    source: &'t str,
    start: usize,
    end: usize,
    owned: Option<String>,
}

impl<'t> Gather<'t> {
    pub fn new(source: &'t str, start: usize) -> Self {
        Self { source, start, end: start, owned: None }
    }

    /// Adds a piece of the source.
    pub fn piece(&mut self, start: usize, end: usize) {
        if self.owned.is_none() && (start == self.end || self.start == self.end) {
            if self.start == self.end {
                self.start = start;
            }
            self.end = end;
        } else {
            self.push(&self.source[start..end]);
        }
    }

    /// Adds a text that stands nowhere.
    pub fn push(&mut self, text: &str) {
        let piece = &self.source[self.start..self.end];
        self.owned.get_or_insert_with(|| piece.to_owned()).push_str(text);
    }

    pub fn finish(self) -> Cow<'t, str> {
        match self.owned {
            Some(text) => text.into(),
            None => self.source[self.start..self.end].into(),
        }
    }
}

/// The line breaks between two words of a scalar.
#[derive(Default)]
pub(super) struct Breaks<'t> {
    /// A line break was seen.
    pub seen: bool,
    first: &'t str,
    further: String,
}

impl<'t> Breaks<'t> {
    /// Returns a line break that is not part of the scalar.
    pub fn escaped() -> Self {
        Self { seen: true, ..Self::default() }
    }

    /// Skips blanks and line breaks. Only blanks before the first line break belong to the scalar.
    pub fn skip(&mut self, cursor: &mut Cursor<'t>) {
        loop {
            if cursor.is_blank() {
                cursor.skip(1);
            } else if cursor.is_break() {
                self.take(cursor);
            } else {
                return;
            }
        }
    }

    pub fn take(&mut self, cursor: &mut Cursor<'t>) {
        let text = cursor.take_break();
        if self.seen {
            self.further.push_str(text);
        } else {
            self.first = text;
            self.seen = true;
        }
    }

    /// Adds what the line breaks are folded into: one becomes a space, of several the first is dropped.
    pub fn fold_into(self, text: &mut Gather) {
        match (self.first, self.further.as_str()) {
            ("\n", "") => text.push(" "),
            ("\n", further) => text.push(further),
            (first, further) => {
                text.push(first);
                text.push(further);
            }
        }
    }
}
