//! Splits a text into tokens by the rules of libyaml, which Go's yaml.v2 shares.
//!
//! What is hard about YAML is that a key is only known by the `:` behind it. So tokens wait in a
//! queue as long as the first of them may still turn out to be a key.

mod block;
mod cursor;
mod flow;
mod gather;
mod tag;

use std::{borrow::Cow, collections::VecDeque};

use super::{
    MAX_DEPTH,
    events::{Failure, Mark},
};
use cursor::Cursor;

/// A token of the text.
#[derive(Debug)]
pub(super) enum Token<'t> {
    StreamEnd,
    Version(u8, u8),
    /// A handle and what it stands for.
    TagPrefix(Box<Tag<'t>>),
    DocumentStart,
    DocumentEnd,
    BlockListStart,
    BlockMapStart,
    BlockEnd,
    FlowListStart,
    FlowListEnd,
    FlowMapStart,
    FlowMapEnd,
    /// `-`.
    Item,
    /// `,`.
    Comma,
    /// `?`, or nothing before a key that stands on the line of its `:`.
    Key,
    /// `:`.
    Value,
    Alias(Cow<'t, str>),
    Anchor(Cow<'t, str>),
    Tag(Box<Tag<'t>>),
    Scalar {
        value: Cow<'t, str>,
        plain: bool,
    },
}

/// A tag in its two parts; the handle is empty if the suffix is the whole tag.
#[derive(Debug)]
pub(super) struct Tag<'t> {
    pub handle: &'t str,
    pub suffix: String,
}

/// A place where a key without `?` may have started.
struct SimpleKey {
    /// The number of its first token.
    token: usize,
    mark: Mark,
    index: usize,
    /// The indentation says that a key must stand here.
    required: bool,
    /// Its tokens wait for the `:`.
    awaited: bool,
}

/// A level of flow collections, or the block around them.
struct Level {
    key: Option<SimpleKey>,
    /// The number of the token that was saved last as a key, or of the bracket.
    token: usize,
}

/// A key without `?` is not longer, in characters.
const SIMPLE_KEY: usize = 1024;
/// Go reads the text in pieces of so many bytes and looks for control characters in each.
const PIECE: usize = 512;

/// The tokens of a text.
pub(super) struct Scanner<'t> {
    cursor: Cursor<'t>,
    /// Where the piece with the first control character starts, and where the character stands.
    forbidden: Option<(usize, Mark)>,
    tokens: VecDeque<(Token<'t>, Mark)>,
    /// The first token of the queue is known not to be a key.
    ready: bool,
    /// How many tokens were taken out of the queue.
    taken: usize,
    /// The column of the innermost block collection, -1 outside.
    indent: i64,
    indents: Vec<i64>,
    /// One for each level of flow collections, and one for the block.
    levels: Vec<Level>,
    key_allowed: bool,
    flow: usize,
    ended: bool,
}

impl<'t> Scanner<'t> {
    pub fn new(text: &'t str) -> Self {
        let control = find_control(text);
        let text = &text[..control.unwrap_or(text.len())];
        Self {
            cursor: Cursor::new(text),
            forbidden: control.map(|position| (position / PIECE * PIECE, end_of(text))),
            tokens: VecDeque::new(),
            ready: false,
            taken: 0,
            indent: -1,
            indents: Vec::new(),
            levels: vec![Level { key: None, token: 0 }],
            key_allowed: true,
            flow: 0,
            ended: false,
        }
    }

    /// Returns the next token and where it starts, without taking it.
    pub fn peek(&mut self) -> Result<&(Token<'t>, Mark), Failure> {
        while !self.ready {
            self.ready = !self.tokens.is_empty() && !self.first_may_be_key()?;
            if !self.ready {
                self.fetch_checked()?;
            }
        }
        Ok(self.tokens.front().expect("the loop ends with a token"))
    }

    /// Takes the token that was seen.
    pub fn take(&mut self) -> Option<(Token<'t>, Mark)> {
        let token = self.tokens.pop_front()?;
        self.taken += 1;
        self.ready = false;
        Some(token)
    }

    fn column(&self) -> i64 {
        self.cursor.column.into()
    }

    /// Returns an error here; Go counts the lines of a scanner's errors from 1, but leaves the first line out.
    fn failure(&self, problem: &str) -> Failure {
        let mark = self.cursor.mark();
        let message = if mark.line == 0 { problem.to_owned() } else { format!("line {}: {problem}", mark.line + 1) };
        Failure { message, mark }
    }

    fn first_may_be_key(&mut self) -> Result<bool, Failure> {
        // The numbers grow from level to level; a bracket that may be a key shares its number with its inside.
        let start = self.levels.partition_point(|level| level.token < self.taken);
        let same = self.levels[start..].iter().take_while(|level| level.token == self.taken);
        let awaited = |level: &Level| level.key.as_ref().is_some_and(|key| key.awaited && key.token == self.taken);
        let Some(place) = same.map(awaited).position(|awaited| awaited) else {
            return Ok(false);
        };
        let level = start + place;
        self.check_key(level)
    }

    /// Tells whether the possible key of a level is still possible: it ends on its line.
    fn check_key(&mut self, level: usize) -> Result<bool, Failure> {
        let Some(key) = &self.levels[level].key else { return Ok(false) };
        if key.mark.line == self.cursor.line && key.index + SIMPLE_KEY >= self.cursor.index {
            return Ok(true);
        }
        if key.required {
            return Err(self.failure("could not find expected ':'"));
        }
        self.levels[level].key = None;
        Ok(false)
    }

    fn fetch_checked(&mut self) -> Result<(), Failure> {
        let fetched = self.fetch();
        match self.forbidden {
            Some((piece, mark)) if self.cursor.position + 4 > piece => {
                Err(Failure { message: "control characters are not allowed".to_owned(), mark })
            }
            _ => fetched,
        }
    }

    fn fetch(&mut self) -> Result<(), Failure> {
        self.skip_to_token();
        self.unroll(self.column());
        let mark = self.cursor.mark();
        if self.cursor.is_end() {
            return self.fetch_end();
        }
        if self.cursor.column == 0 && self.cursor.peek() == b'%' {
            self.start_document_line()?;
            let token = self.directive()?;
            self.push(token, mark);
            return Ok(());
        }
        if self.cursor.is_document_indicator() {
            self.start_document_line()?;
            let token = if self.cursor.peek() == b'-' { Token::DocumentStart } else { Token::DocumentEnd };
            self.cursor.skip(3);
            self.push(token, mark);
            return Ok(());
        }
        self.fetch_content(mark)
    }

    fn fetch_content(&mut self, mark: Mark) -> Result<(), Failure> {
        let in_flow = self.flow > 0;
        let ends_word = self.cursor.ends_word(1);
        match self.cursor.peek() {
            b'[' => self.open_flow(Token::FlowListStart, mark),
            b'{' => self.open_flow(Token::FlowMapStart, mark),
            b']' => self.close_flow(Token::FlowListEnd, mark),
            b'}' => self.close_flow(Token::FlowMapEnd, mark),
            b',' => {
                self.remove_key()?;
                self.indicator(Token::Comma, mark, true);
                Ok(())
            }
            b'-' if ends_word => {
                self.block_indicator("block sequence entries are not allowed in this context", Token::BlockListStart)?;
                self.remove_key()?;
                self.indicator(Token::Item, mark, true);
                Ok(())
            }
            b'?' if in_flow || ends_word => {
                self.block_indicator("mapping keys are not allowed in this context", Token::BlockMapStart)?;
                self.remove_key()?;
                self.indicator(Token::Key, mark, !in_flow);
                Ok(())
            }
            b':' if in_flow || ends_word => self.fetch_value(mark),
            b'*' => self.named(Token::Alias, mark),
            b'&' => self.named(Token::Anchor, mark),
            b'!' => self.scalar(mark, Self::tag),
            b'|' if !in_flow => self.fetch_block(true, mark),
            b'>' if !in_flow => self.fetch_block(false, mark),
            quote @ (b'\'' | b'"') => self.scalar(mark, |scanner| scanner.quoted(quote)),
            b'#' | b'|' | b'>' | b'%' | b'@' | b'`' | b' ' | b'\t' => {
                Err(self.failure("found character that cannot start any token"))
            }
            _ => self.scalar(mark, Self::plain),
        }
    }

    fn push(&mut self, token: Token<'t>, mark: Mark) {
        self.tokens.push_back((token, mark));
    }

    /// Puts a token at a place in the queue, at its end if there is no place.
    fn insert(&mut self, place: Option<usize>, token: Token<'t>, mark: Mark) {
        self.tokens.insert(place.unwrap_or(self.tokens.len()), (token, mark));
    }

    /// Takes an indicator of one character.
    fn indicator(&mut self, token: Token<'t>, mark: Mark, key_may_follow: bool) {
        self.key_allowed = key_may_follow;
        self.cursor.skip(1);
        self.push(token, mark);
    }

    fn skip_to_token(&mut self) {
        loop {
            // A tab may not stand where it could be taken for indentation.
            let tabs = self.flow > 0 || !self.key_allowed;
            while self.cursor.peek() == b' ' || (tabs && self.cursor.peek() == b'\t') {
                self.cursor.skip(1);
            }
            self.cursor.skip_comment();
            if self.cursor.take_break().is_empty() {
                return;
            }
            if self.flow == 0 {
                self.key_allowed = true;
            }
        }
    }

    fn fetch_end(&mut self) -> Result<(), Failure> {
        if self.ended {
            self.push(Token::StreamEnd, self.cursor.mark());
            return Ok(());
        }
        self.ended = true;
        if self.cursor.column != 0 {
            self.cursor.column = 0;
            self.cursor.line = self.cursor.line.saturating_add(1);
        }
        self.start_document_line()?;
        self.push(Token::StreamEnd, self.cursor.mark());
        Ok(())
    }

    /// Ends every block collection before something that stands outside of documents.
    fn start_document_line(&mut self) -> Result<(), Failure> {
        self.unroll(-1);
        self.remove_key()?;
        self.key_allowed = false;
        Ok(())
    }

    fn open_flow(&mut self, token: Token<'t>, mark: Mark) -> Result<(), Failure> {
        self.save_key()?;
        self.levels.push(Level { key: None, token: self.taken + self.tokens.len() });
        self.flow += 1;
        if self.flow > MAX_DEPTH {
            return Err(self.failure(&format!("exceeded max depth of {MAX_DEPTH}")));
        }
        self.indicator(token, mark, true);
        Ok(())
    }

    fn close_flow(&mut self, token: Token<'t>, mark: Mark) -> Result<(), Failure> {
        self.remove_key()?;
        if self.flow > 0 {
            self.flow -= 1;
            let inner = self.levels.pop().map_or(0, |level| level.token);
            // Go's own addition to libyaml forgets here that an empty collection may be a key.
            if let Some(key) =
                self.levels.iter_mut().filter_map(|level| level.key.as_mut()).find(|key| key.token == inner)
            {
                key.awaited = false;
            }
        }
        self.indicator(token, mark, false);
        Ok(())
    }

    /// Starts a block collection at `-`, `?` or `:` if the column asks for it.
    fn block_indicator(&mut self, problem: &str, start: Token<'t>) -> Result<(), Failure> {
        if self.flow > 0 {
            return Ok(());
        }
        if !self.key_allowed {
            return Err(self.failure(problem));
        }
        self.roll(self.column(), None, start, self.cursor.mark())
    }

    fn fetch_value(&mut self, mark: Mark) -> Result<(), Failure> {
        let level = self.levels.len() - 1;
        let key_may_follow = if self.check_key(level)? {
            let key = self.levels[level].key.take().expect("it was checked");
            // What was read since is the key; say so before it.
            let place = key.token.checked_sub(self.taken);
            self.insert(place, Token::Key, key.mark);
            self.roll(key.mark.column.into(), place, Token::BlockMapStart, key.mark)?;
            false
        } else {
            self.block_indicator("mapping values are not allowed in this context", Token::BlockMapStart)?;
            self.flow == 0
        };
        self.indicator(Token::Value, mark, key_may_follow);
        Ok(())
    }

    fn named(&mut self, token: fn(Cow<'t, str>) -> Token<'t>, mark: Mark) -> Result<(), Failure> {
        self.scalar(mark, |scanner| scanner.anchor().map(token))
    }

    /// Reads what may be a key or the start of one.
    fn scalar(
        &mut self,
        mark: Mark,
        read: impl FnOnce(&mut Self) -> Result<Token<'t>, Failure>,
    ) -> Result<(), Failure> {
        self.save_key()?;
        self.key_allowed = false;
        let token = read(self)?;
        self.push(token, mark);
        Ok(())
    }

    fn fetch_block(&mut self, literal: bool, mark: Mark) -> Result<(), Failure> {
        self.remove_key()?;
        self.key_allowed = true;
        let token = self.block(literal)?;
        self.push(token, mark);
        Ok(())
    }

    /// Notes that a key may start here.
    fn save_key(&mut self) -> Result<(), Failure> {
        if !self.key_allowed {
            return Ok(());
        }
        self.remove_key()?;
        let key = SimpleKey {
            token: self.taken + self.tokens.len(),
            mark: self.cursor.mark(),
            index: self.cursor.index,
            required: self.flow == 0 && self.indent == self.column(),
            awaited: true,
        };
        let level = self.levels.last_mut().expect("one level is always there");
        level.token = key.token;
        level.key = Some(key);
        Ok(())
    }

    fn remove_key(&mut self) -> Result<(), Failure> {
        let key = self.levels.last_mut().expect("one level is always there").key.take();
        match key {
            Some(key) if key.required => Err(self.failure("could not find expected ':'")),
            _ => Ok(()),
        }
    }

    /// Starts a block collection at a deeper column.
    fn roll(&mut self, column: i64, place: Option<usize>, token: Token<'t>, mark: Mark) -> Result<(), Failure> {
        if self.flow > 0 || self.indent >= column {
            return Ok(());
        }
        self.indents.push(self.indent);
        self.indent = column;
        if self.indents.len() > MAX_DEPTH {
            return Err(self.failure(&format!("exceeded max depth of {MAX_DEPTH}")));
        }
        self.insert(place, token, mark);
        Ok(())
    }

    /// Ends the block collections that are deeper than a column.
    fn unroll(&mut self, column: i64) {
        while self.flow == 0 && self.indent > column {
            self.push(Token::BlockEnd, self.cursor.mark());
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }
}

/// Finds the first character that may not stand in YAML.
fn find_control(text: &str) -> Option<usize> {
    const IS_USUAL: fn(&u8) -> bool = |byte| matches!(byte, b' '..=b'~' | b'\n');
    // Many bytes at a time without a way out are tested with the machine's wide registers.
    let unusual = |block: &[u8]| !block.iter().fold(true, |all, byte| all & IS_USUAL(byte));
    let first = text.as_bytes().chunks(256).position(unusual)?;
    let mut start = text.floor_char_boundary(first * 256);
    while let Some(found) = text.as_bytes()[start..].iter().position(|byte| !IS_USUAL(byte)) {
        // Only the characters that are not the usual ones are looked at as characters.
        let position = start + found;
        let c = text[position..].chars().next()?;
        if is_control(c) {
            return Some(position);
        }
        start = position + c.len_utf8();
    }
    None
}

/// Returns the place of the end of a text.
fn end_of(text: &str) -> Mark {
    let mut cursor = Cursor::new(text);
    while !cursor.is_end() {
        if cursor.take_break().is_empty() {
            cursor.advance_to(text.ceil_char_boundary(cursor.position + 1));
        }
    }
    cursor.mark()
}

fn is_control(c: char) -> bool {
    !matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}
