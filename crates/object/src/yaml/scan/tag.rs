//! Anchors, aliases, tags and directives.

use std::borrow::Cow;

use super::{Scanner, Tag, Token};
use crate::yaml::events::Failure;

impl<'t> Scanner<'t> {
    /// Reads the name behind `&` or `*`.
    pub(super) fn anchor(&mut self) -> Result<Cow<'t, str>, Failure> {
        self.cursor.skip(1);
        let name = self.word();
        let ends = self.cursor.ends_word(0)
            || matches!(self.cursor.peek(), b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`');
        if name.is_empty() || !ends {
            return Err(self.failure("did not find expected alphabetic or numeric character"));
        }
        Ok(name.into())
    }

    /// Takes ASCII letters, digits, `-` and `_`.
    fn word(&mut self) -> &'t str {
        let rest = &self.cursor.text[self.cursor.position..];
        let len = rest.bytes().take_while(|byte| is_word(*byte)).count();
        self.cursor.advance_to(self.cursor.position + len)
    }

    pub(super) fn tag(&mut self) -> Result<Token<'t>, Failure> {
        let (handle, suffix) = if self.cursor.at(1) == b'<' {
            self.cursor.skip(2);
            let suffix = self.tag_uri("", false)?;
            if self.cursor.peek() != b'>' {
                return Err(self.failure("did not find the expected '>'"));
            }
            self.cursor.skip(1);
            ("", suffix)
        } else {
            let handle = self.tag_handle(false)?;
            if handle.len() > 1 && handle.ends_with('!') {
                (handle, self.tag_uri("", false)?)
            } else {
                let suffix = self.tag_uri(&handle[1..], true)?;
                if suffix.is_empty() { ("", "!".to_owned()) } else { ("!", suffix) }
            }
        };
        if !self.cursor.ends_word(0) {
            return Err(self.failure("did not find expected whitespace or line break"));
        }
        Ok(Token::Tag(Box::new(Tag { handle, suffix })))
    }

    /// Reads `!`, `!!` or `!word!`, and in a tag also `!word`.
    fn tag_handle(&mut self, directive: bool) -> Result<&'t str, Failure> {
        if self.cursor.peek() != b'!' {
            return Err(self.failure("did not find expected '!'"));
        }
        let start = self.cursor.position;
        self.cursor.skip(1);
        let name = self.word();
        if self.cursor.peek() == b'!' {
            self.cursor.skip(1);
        } else if directive && !name.is_empty() {
            return Err(self.failure("did not find expected '!'"));
        }
        Ok(&self.cursor.text[start..self.cursor.position])
    }

    /// Reads the rest of a tag; `may_be_empty` if something stands before it.
    fn tag_uri(&mut self, head: &str, may_be_empty: bool) -> Result<String, Failure> {
        let mut uri = head.to_owned();
        let start = self.cursor.position;
        loop {
            match self.cursor.peek() {
                b'%' => self.uri_escapes(&mut uri)?,
                byte if is_word(byte) || b";/?:@&=+$,.!~*'()[]".contains(&byte) => {
                    uri.push(char::from(byte));
                    self.cursor.skip(1);
                }
                _ => break,
            }
        }
        if self.cursor.position == start && !may_be_empty {
            return Err(self.failure("did not find expected tag URI"));
        }
        Ok(uri)
    }

    /// Reads one character that is written as `%` and its bytes.
    fn uri_escapes(&mut self, uri: &mut String) -> Result<(), Failure> {
        let mut bytes = Vec::new();
        let mut missing = 1;
        while missing > 0 {
            let rest = self.cursor.text.as_bytes().get(self.cursor.position..self.cursor.position + 3);
            let octet = match rest {
                Some([b'%', high, low]) => hex(*high).zip(hex(*low)).map(|(high, low)| high << 4 | low),
                _ => None,
            };
            let Some(octet) = octet else { return Err(self.failure("did not find URI escaped octet")) };
            if bytes.is_empty() {
                missing = match octet {
                    0..=0x7f => 1,
                    0xc0..=0xdf => 2,
                    0xe0..=0xef => 3,
                    0xf0..=0xf7 => 4,
                    _ => return Err(self.failure("found an incorrect leading UTF-8 octet")),
                };
            } else if octet & 0xc0 != 0x80 {
                return Err(self.failure("found an incorrect trailing UTF-8 octet"));
            }
            bytes.push(octet);
            self.cursor.skip(3);
            missing -= 1;
        }
        uri.push_str(&String::from_utf8_lossy(&bytes));
        Ok(())
    }

    /// Reads a line that starts with `%`.
    pub(super) fn directive(&mut self) -> Result<Token<'t>, Failure> {
        self.cursor.skip(1);
        let name = self.word();
        if name.is_empty() {
            return Err(self.failure("could not find expected directive name"));
        }
        if !self.cursor.ends_word(0) {
            return Err(self.failure("found unexpected non-alphabetical character"));
        }
        let token = match name {
            "YAML" => {
                self.cursor.skip_blanks();
                let major = self.version_number()?;
                if self.cursor.peek() != b'.' {
                    return Err(self.failure("did not find expected digit or '.' character"));
                }
                self.cursor.skip(1);
                Token::Version(major, self.version_number()?)
            }
            "TAG" => self.tag_directive()?,
            _ => return Err(self.failure("found unknown directive name")),
        };
        self.cursor.skip_blanks();
        self.cursor.skip_comment();
        if !self.cursor.ends_line() {
            return Err(self.failure("did not find expected comment or line break"));
        }
        self.cursor.take_break();
        Ok(token)
    }

    fn version_number(&mut self) -> Result<u8, Failure> {
        let mut number = 0;
        let mut len = 0;
        while self.cursor.peek().is_ascii_digit() {
            len += 1;
            if len > 2 {
                return Err(self.failure("found extremely long version number"));
            }
            number = number * 10 + (self.cursor.peek() - b'0');
            self.cursor.skip(1);
        }
        if len == 0 { Err(self.failure("did not find expected version number")) } else { Ok(number) }
    }

    fn tag_directive(&mut self) -> Result<Token<'t>, Failure> {
        self.cursor.skip_blanks();
        let handle = self.tag_handle(true)?;
        if !self.cursor.is_blank() {
            return Err(self.failure("did not find expected whitespace"));
        }
        self.cursor.skip_blanks();
        let suffix = self.tag_uri("", false)?;
        if !self.cursor.ends_word(0) {
            return Err(self.failure("did not find expected whitespace or line break"));
        }
        Ok(Token::TagPrefix(Box::new(Tag { handle, suffix })))
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
