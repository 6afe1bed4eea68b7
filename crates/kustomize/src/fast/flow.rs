//! Flow collections on one line.

use super::{Fast, MAX_DEPTH, begins_plain, plain};
use crate::node::{Node, Style};

impl Fast<'_> {
    /// Reads a flow collection on one line.
    pub(super) fn flow(&mut self, at: usize) -> Option<(Node, usize)> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let found = if self.byte(at) == b'[' { self.flow_list(at + 1) } else { self.flow_map(at + 1) };
        self.depth -= 1;
        found
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
}
