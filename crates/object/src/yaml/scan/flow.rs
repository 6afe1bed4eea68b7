//! Scalars within a line or folded over lines: plain and in quotes.

use super::{
    Scanner, Token,
    gather::{Breaks, Gather},
};
use crate::yaml::events::Failure;

/// The bytes at which a plain scalar may end; the rest is passed over quickly.
const PLAIN_STOPS: [bool; 256] = stops(b" \t\r\n:,?[]{}\xc2\xe2");
const SINGLE_STOPS: [bool; 256] = stops(b" \t\r\n'\xc2\xe2");
const DOUBLE_STOPS: [bool; 256] = stops(b" \t\r\n\"\\\xc2\xe2");

const fn stops(bytes: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut place = 0;
    while place < bytes.len() {
        table[bytes[place] as usize] = true;
        place += 1;
    }
    table
}

impl<'t> Scanner<'t> {
    pub(super) fn plain(&mut self) -> Result<Token<'t>, Failure> {
        let indent = self.indent + 1;
        let mut text = Gather::new(self.cursor.text, self.cursor.position);
        let mut breaks = Breaks::default();
        let mut end = self.cursor.position;
        while !self.cursor.is_document_indicator() && self.cursor.peek() != b'#' {
            let start = self.cursor.position;
            let word_end = self.plain_word_end();
            if word_end > start {
                if breaks.seen {
                    std::mem::take(&mut breaks).fold_into(&mut text);
                    end = start;
                }
                text.piece(end, word_end);
                self.cursor.advance_to(word_end);
                end = word_end;
            }
            if !self.cursor.is_blank() && !self.cursor.is_break() {
                break;
            }
            self.skip_between_words(&mut breaks, indent)?;
            if self.flow == 0 && self.column() < indent {
                break;
            }
        }
        if breaks.seen {
            self.key_allowed = true;
        }
        Ok(Token::Scalar { value: text.finish(), plain: true })
    }

    fn skip_between_words(&mut self, breaks: &mut Breaks<'t>, indent: i64) -> Result<(), Failure> {
        loop {
            if self.cursor.is_blank() {
                if breaks.seen && self.column() < indent && self.cursor.peek() == b'\t' {
                    return Err(self.failure("found a tab character that violates indentation"));
                }
                self.cursor.skip(1);
            } else if self.cursor.is_break() {
                breaks.take(&mut self.cursor);
            } else {
                return Ok(());
            }
        }
    }

    fn plain_word_end(&self) -> usize {
        let bytes = self.cursor.text.as_bytes();
        let mut end = self.cursor.position;
        loop {
            end += bytes[end..].iter().take_while(|byte| !PLAIN_STOPS[usize::from(**byte)]).count();
            let stops = match bytes.get(end) {
                None | Some(b' ' | b'\t' | b'\r' | b'\n') => true,
                Some(b':') => self.cursor.ends_word(end + 1 - self.cursor.position),
                Some(b',' | b'?' | b'[' | b']' | b'{' | b'}') => self.flow > 0,
                Some(_) => self.cursor.break_len(end) > 0,
            };
            if stops {
                return end;
            }
            end += 1;
        }
    }

    pub(super) fn quoted(&mut self, quote: u8) -> Result<Token<'t>, Failure> {
        self.cursor.skip(1);
        let mut text = Gather::new(self.cursor.text, self.cursor.position);
        loop {
            if self.cursor.is_document_indicator() {
                return Err(self.failure("found unexpected document indicator"));
            }
            if self.cursor.is_end() {
                return Err(self.failure("found unexpected end of stream"));
            }
            let mut breaks = self.quoted_word(quote, &mut text)?;
            if self.cursor.peek() == quote {
                break;
            }
            let start = self.cursor.position;
            breaks.skip(&mut self.cursor);
            if breaks.seen {
                breaks.fold_into(&mut text);
            } else {
                text.piece(start, self.cursor.position);
            }
        }
        self.cursor.skip(1);
        Ok(Token::Scalar { value: text.finish(), plain: false })
    }

    /// Reads up to a blank, a line break or the closing quote; an escaped line break is one without text.
    fn quoted_word(&mut self, quote: u8, text: &mut Gather<'t>) -> Result<Breaks<'t>, Failure> {
        let table = if quote == b'"' { &DOUBLE_STOPS } else { &SINGLE_STOPS };
        while !self.cursor.ends_word(0) {
            let start = self.cursor.position;
            match self.cursor.peek() {
                b'\'' if quote == b'\'' && self.cursor.at(1) == b'\'' => {
                    text.push("'");
                    self.cursor.skip(2);
                }
                byte if byte == quote => break,
                b'\\' if quote == b'"' => {
                    if self.cursor.break_len(start + 1) > 0 {
                        self.cursor.skip(1);
                        self.cursor.take_break();
                        return Ok(Breaks::escaped());
                    }
                    self.escape(text)?;
                }
                _ => {
                    let rest = &self.cursor.text.as_bytes()[start + 1..];
                    let end = start + 1 + rest.iter().take_while(|byte| !table[usize::from(**byte)]).count();
                    // The stop may lie within a character.
                    let end = self.cursor.text.ceil_char_boundary(end);
                    self.cursor.advance_to(end);
                    text.piece(start, end);
                }
            }
        }
        Ok(Breaks::default())
    }

    fn escape(&mut self, text: &mut Gather<'t>) -> Result<(), Failure> {
        let plain = match self.cursor.at(1) {
            b'0' => "\0",
            b'a' => "\u{7}",
            b'b' => "\u{8}",
            b't' | b'\t' => "\t",
            b'n' => "\n",
            b'v' => "\u{b}",
            b'f' => "\u{c}",
            b'r' => "\r",
            b'e' => "\u{1b}",
            b' ' => " ",
            b'"' => "\"",
            b'\'' => "'",
            b'\\' => "\\",
            b'N' => "\u{85}",
            b'_' => "\u{a0}",
            b'L' => "\u{2028}",
            b'P' => "\u{2029}",
            b'x' => return self.code(2, text),
            b'u' => return self.code(4, text),
            b'U' => return self.code(8, text),
            _ => return Err(self.failure("found unknown escape character")),
        };
        text.push(plain);
        self.cursor.skip(2);
        Ok(())
    }

    /// Reads a character by its number of so many hexadecimal digits.
    fn code(&mut self, len: u32, text: &mut Gather<'t>) -> Result<(), Failure> {
        self.cursor.skip(2);
        let start = self.cursor.position;
        let digits = self.cursor.text.as_bytes().get(start..start + len as usize);
        let Some(digits) = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit)) else {
            return Err(self.failure("did not find expected hexdecimal number"));
        };
        let number =
            digits.iter().fold(0u32, |number, digit| number << 4 | char::from(*digit).to_digit(16).unwrap_or(0));
        let Some(c) = char::from_u32(number) else {
            return Err(self.failure("found invalid Unicode character escape code"));
        };
        text.push(c.encode_utf8(&mut [0; 4]));
        self.cursor.skip(len);
        Ok(())
    }
}
