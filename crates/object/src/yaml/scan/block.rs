//! Block scalars: `|` keeps line breaks, `>` folds them.

use super::{Scanner, Token};
use crate::yaml::events::Failure;

/// What happens to the line breaks at the end.
#[derive(Clone, Copy, PartialEq)]
enum Chomping {
    Clip,
    Strip,
    Keep,
}

impl<'t> Scanner<'t> {
    pub(super) fn block(&mut self, literal: bool) -> Result<Token<'t>, Failure> {
        let (chomping, increment) = self.block_header()?;
        let outer = self.indent;
        let mut indent = increment.map(|increment| outer.max(0) + increment);
        let mut text = String::new();
        let mut last_break = "";
        let mut empty_lines = String::new();
        let mut after_blank = false;
        let mut inner = self.block_breaks(&mut indent, &mut empty_lines)?;
        while self.column() == inner && !self.cursor.is_end() {
            let blank = self.cursor.is_blank();
            if !literal && last_break == "\n" && !after_blank && !blank {
                if empty_lines.is_empty() {
                    text.push(' ');
                }
            } else {
                text.push_str(last_break);
            }
            text.push_str(&empty_lines);
            empty_lines.clear();
            after_blank = blank;
            let end = self.line_end();
            text.push_str(self.cursor.advance_to(end));
            last_break = self.cursor.take_break();
            inner = self.block_breaks(&mut indent, &mut empty_lines)?;
        }
        if chomping != Chomping::Strip {
            text.push_str(last_break);
        }
        if chomping == Chomping::Keep {
            text.push_str(&empty_lines);
        }
        Ok(Token::Scalar { value: text.into(), plain: false })
    }

    /// Reads `|`, the indicators behind it and the rest of the line.
    fn block_header(&mut self) -> Result<(Chomping, Option<i64>), Failure> {
        self.cursor.skip(1);
        let mut chomping = self.chomping();
        let increment = match self.cursor.peek() {
            b'0' => return Err(self.failure("found an indentation indicator equal to 0")),
            digit @ b'1'..=b'9' => {
                self.cursor.skip(1);
                Some(i64::from(digit - b'0'))
            }
            _ => None,
        };
        if chomping.is_none() && increment.is_some() {
            chomping = self.chomping();
        }
        self.cursor.skip_blanks();
        self.cursor.skip_comment();
        if !self.cursor.ends_line() {
            return Err(self.failure("did not find expected comment or line break"));
        }
        self.cursor.take_break();
        Ok((chomping.unwrap_or(Chomping::Clip), increment))
    }

    fn chomping(&mut self) -> Option<Chomping> {
        let chomping = match self.cursor.peek() {
            b'+' => Chomping::Keep,
            b'-' => Chomping::Strip,
            _ => return None,
        };
        self.cursor.skip(1);
        Some(chomping)
    }

    /// Skips empty lines and the indentation of the next one; finds the indentation out if it is not known.
    fn block_breaks(&mut self, indent: &mut Option<i64>, breaks: &mut String) -> Result<i64, Failure> {
        let mut deepest = 0;
        loop {
            let inside = |column: i64| indent.is_none_or(|indent| column < indent);
            while self.cursor.peek() == b' ' && inside(self.column()) {
                self.cursor.skip(1);
            }
            deepest = deepest.max(self.column());
            if self.cursor.peek() == b'\t' && inside(self.column()) {
                return Err(self.failure("found a tab character where an indentation space is expected"));
            }
            if !self.cursor.is_break() {
                break;
            }
            breaks.push_str(self.cursor.take_break());
        }
        Ok(*indent.get_or_insert(deepest.max(self.indent + 1).max(1)))
    }

    fn line_end(&self) -> usize {
        let bytes = self.cursor.text.as_bytes();
        let mut end = self.cursor.position;
        loop {
            end += bytes[end..].iter().take_while(|byte| !matches!(byte, b'\r' | b'\n' | 0xc2 | 0xe2)).count();
            if end >= bytes.len() || self.cursor.break_len(end) > 0 {
                return end;
            }
            end += 1;
        }
    }
}
