//! Turns tokens into events: where documents, lists and maps start and end, and the scalars in them.
//!
//! The grammar, its errors and the numbers of their lines are those of libyaml and so of Go's yaml.v2.

use std::borrow::Cow;

use super::scan::{Scanner, Tag, Token};

/// A position in the text, both from 0; columns count characters.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mark {
    pub line: u32,
    pub column: u32,
}

/// A syntax error: Go's message without `yaml: `, and the real place.
#[derive(Debug)]
pub(super) struct Failure {
    pub message: String,
    pub mark: Mark,
}

/// What may stand before a node; boxed, as most nodes have neither.
pub(super) type Properties<'t> = Option<Box<AnchorAndTag<'t>>>;

/// `&anchor` and `!tag`.
#[derive(Debug, Default)]
pub(super) struct AnchorAndTag<'t> {
    pub anchor: Option<Cow<'t, str>>,
    pub tag: Option<Cow<'t, str>>,
}

/// A scalar as it was written.
#[derive(Debug)]
pub(super) struct Scalar<'t> {
    pub value: Cow<'t, str>,
    pub properties: Properties<'t>,
    /// Written plain without a tag, so that its text decides its type.
    pub implicit: bool,
}

/// What comes next in the text.
#[derive(Debug)]
pub(super) enum Event<'t> {
    DocumentStart,
    DocumentEnd,
    StreamEnd,
    Alias(Cow<'t, str>),
    Scalar(Scalar<'t>),
    ListStart(Properties<'t>),
    ListEnd,
    MapStart(Properties<'t>),
    MapEnd,
}

/// What the grammar expects.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    FirstDocument,
    Document,
    /// The root of a document after `---`.
    Content,
    /// The root of a document that just starts.
    BareContent,
    DocumentEnd,
    End,
    BlockItem,
    /// An item of a list that is not indented below its key.
    LooseItem,
    BlockKey,
    BlockValue,
    FlowItem {
        first: bool,
    },
    /// The key of a map of one entry that stands in a flow list without braces.
    PairKey,
    PairValue,
    PairEnd,
    FlowKey {
        first: bool,
    },
    FlowValue,
    /// The value of a key without `:`.
    FlowNothing,
}

type Next<'t> = Result<(Event<'t>, Mark), Failure>;

/// The events of a text.
pub(super) struct Events<'t> {
    scanner: Scanner<'t>,
    state: State,
    states: Vec<State>,
    /// The tag handles of this document.
    prefixes: Vec<(&'t str, Cow<'t, str>)>,
}

impl<'t> Events<'t> {
    pub fn new(text: &'t str) -> Self {
        let text = text.trim_start_matches('\u{feff}');
        Self { scanner: Scanner::new(text), state: State::FirstDocument, states: Vec::new(), prefixes: Vec::new() }
    }

    /// Returns the next event and where it starts; after the end or an error, the end.
    pub fn next(&mut self) -> Next<'t> {
        let next = self.step();
        if next.is_err() {
            self.state = State::End;
        }
        next
    }

    fn step(&mut self) -> Next<'t> {
        match self.state {
            State::FirstDocument => self.document_start(true),
            State::Document => self.document_start(false),
            State::Content => self.content(),
            State::BareContent => self.node(true, false),
            State::DocumentEnd => self.document_end(),
            State::End => Ok((Event::StreamEnd, Mark::default())),
            State::BlockItem => self.block_item(),
            State::LooseItem => self.loose_item(),
            State::BlockKey => self.block_key(),
            State::BlockValue => self.block_value(),
            State::FlowItem { first } => self.flow_item(first),
            State::PairKey => self.pair_key(),
            State::PairValue => {
                self.flow_value_or_nothing(State::PairEnd, |token| matches!(token, Token::Comma | Token::FlowListEnd))
            }
            State::PairEnd => {
                self.state = State::FlowItem { first: false };
                let (_, mark) = self.scanner.peek()?;
                Ok((Event::MapEnd, *mark))
            }
            State::FlowKey { first } => self.flow_key(first),
            State::FlowValue => {
                let after = State::FlowKey { first: false };
                self.flow_value_or_nothing(after, |token| matches!(token, Token::Comma | Token::FlowMapEnd))
            }
            State::FlowNothing => {
                self.state = State::FlowKey { first: false };
                self.nothing_here()
            }
        }
    }

    /// Goes back to what was expected around the node.
    fn leave(&mut self) {
        self.state = self.states.pop().unwrap_or(State::End);
    }

    /// Ends a collection whose last token is next.
    fn close(&mut self, event: Event<'t>) -> Next<'t> {
        self.leave();
        let (_, mark) = *self.scanner.peek()?;
        self.scanner.take();
        Ok((event, mark))
    }

    /// Reads a node, and expects something after it.
    fn node_then(&mut self, after: State, block: bool, loose_list: bool) -> Next<'t> {
        self.states.push(after);
        self.node(block, loose_list)
    }

    fn nothing_here(&mut self) -> Next<'t> {
        let (_, mark) = *self.scanner.peek()?;
        Ok((nothing(None), mark))
    }

    /// Returns an error at the next token; Go counts the lines of these errors from 0.
    fn failure<T>(&mut self, problem: &str) -> Result<T, Failure> {
        let (_, mark) = *self.scanner.peek()?;
        Err(failure(problem, mark))
    }

    fn document_start(&mut self, first: bool) -> Next<'t> {
        while !first && matches!(self.scanner.peek()?.0, Token::DocumentEnd) {
            self.scanner.take();
        }
        let (token, mark) = self.scanner.peek()?;
        let mark = *mark;
        let explicit = matches!(token, Token::Version(..) | Token::TagPrefix(_) | Token::DocumentStart);
        if matches!(token, Token::StreamEnd) {
            self.state = State::End;
            return Ok((Event::StreamEnd, mark));
        }
        if explicit || !first {
            self.directives()?;
            if !matches!(self.scanner.peek()?.0, Token::DocumentStart) {
                return self.failure("did not find expected <document start>");
            }
            self.scanner.take();
        }
        self.prefixes.extend([("!", "!".into()), ("!!", "tag:yaml.org,2002:".into())]);
        self.states.push(State::DocumentEnd);
        self.state = if explicit || !first { State::Content } else { State::BareContent };
        Ok((Event::DocumentStart, mark))
    }

    fn directives(&mut self) -> Result<(), Failure> {
        let mut version = false;
        loop {
            let (token, mark) = self.scanner.peek()?;
            let mark = *mark;
            match token {
                Token::Version(..) if version => return Err(failure("found duplicate %YAML directive", mark)),
                Token::Version(1, 1) => version = true,
                Token::Version(..) => return Err(failure("found incompatible YAML document", mark)),
                Token::TagPrefix(tag) => {
                    if self.prefixes.iter().any(|(known, _)| *known == tag.handle) {
                        return Err(failure("found duplicate %TAG directive", mark));
                    }
                    let directive = (tag.handle, tag.suffix.clone().into());
                    self.prefixes.push(directive);
                }
                _ => return Ok(()),
            }
            self.scanner.take();
        }
    }

    fn content(&mut self) -> Next<'t> {
        let empty = matches!(
            self.scanner.peek()?.0,
            Token::Version(..) | Token::TagPrefix(_) | Token::DocumentStart | Token::DocumentEnd | Token::StreamEnd
        );
        if empty {
            self.leave();
            return self.nothing_here();
        }
        self.node(true, false)
    }

    fn document_end(&mut self) -> Next<'t> {
        let (token, mark) = self.scanner.peek()?;
        let (explicit, mark) = (matches!(token, Token::DocumentEnd), *mark);
        if explicit {
            self.scanner.take();
        }
        self.prefixes.clear();
        self.state = State::Document;
        Ok((Event::DocumentEnd, mark))
    }

    /// Reads the first event of a node; `loose_list` where a list need not be indented.
    fn node(&mut self, block: bool, loose_list: bool) -> Next<'t> {
        let (_, start) = *self.scanner.peek()?;
        let properties = self.properties()?;
        let bare = properties.is_none();
        let (token, mark) = self.scanner.peek()?;
        let mark = *mark;
        let state = match token {
            Token::Alias(_) if bare => return self.leaf(properties, start),
            Token::Scalar { .. } => return self.leaf(properties, start),
            Token::Item if loose_list => State::LooseItem,
            Token::FlowListStart => State::FlowItem { first: true },
            Token::FlowMapStart => State::FlowKey { first: true },
            Token::BlockListStart if block => State::BlockItem,
            Token::BlockMapStart if block => State::BlockKey,
            _ if bare => return Err(failure("did not find expected node content", mark)),
            _ => {
                self.leave();
                return Ok((nothing(properties), start));
            }
        };
        self.state = state;
        if state != State::LooseItem {
            self.scanner.take();
        }
        let is_list = matches!(state, State::LooseItem | State::BlockItem | State::FlowItem { .. });
        Ok((if is_list { Event::ListStart(properties) } else { Event::MapStart(properties) }, start))
    }

    /// Reads an alias or a scalar.
    fn leaf(&mut self, properties: Properties<'t>, start: Mark) -> Next<'t> {
        self.leave();
        let event = match self.scanner.take() {
            Some((Token::Alias(name), _)) => Event::Alias(name),
            Some((Token::Scalar { value, plain }, _)) => {
                let tag = properties.as_ref().and_then(|properties| properties.tag.as_deref());
                let implicit = tag.map_or(plain, |tag| tag == "!");
                Event::Scalar(Scalar { value, properties, implicit })
            }
            _ => nothing(properties),
        };
        Ok((event, start))
    }

    /// Reads the anchor and the tag before a node, in either order.
    fn properties(&mut self) -> Result<Properties<'t>, Failure> {
        let mut properties: Properties = None;
        loop {
            let known = properties.as_deref();
            match &self.scanner.peek()?.0 {
                Token::Anchor(_) if known.is_none_or(|known| known.anchor.is_none()) => {}
                Token::Tag(_) if known.is_none_or(|known| known.tag.is_none()) => {}
                _ => return Ok(properties),
            }
            match self.scanner.take() {
                Some((Token::Anchor(name), _)) => properties.get_or_insert_default().anchor = Some(name),
                Some((Token::Tag(tag), mark)) => {
                    let tag = self.whole_tag(*tag, mark)?;
                    properties.get_or_insert_default().tag = Some(tag);
                }
                _ => return Ok(properties),
            }
        }
    }

    fn whole_tag(&self, Tag { handle, suffix }: Tag<'t>, mark: Mark) -> Result<Cow<'t, str>, Failure> {
        if handle.is_empty() {
            return Ok(suffix.into());
        }
        match self.prefixes.iter().find(|(known, _)| *known == handle) {
            Some((_, prefix)) => Ok(format!("{prefix}{suffix}").into()),
            None => Err(failure("found undefined tag handle", mark)),
        }
    }

    fn block_item(&mut self) -> Next<'t> {
        match self.scanner.peek()?.0 {
            Token::Item => {
                let mark = self.take_indicator();
                if matches!(self.scanner.peek()?.0, Token::Item | Token::BlockEnd) {
                    return Ok((nothing(None), mark));
                }
                self.node_then(State::BlockItem, true, false)
            }
            Token::BlockEnd => self.close(Event::ListEnd),
            _ => self.failure("did not find expected '-' indicator"),
        }
    }

    fn loose_item(&mut self) -> Next<'t> {
        let (token, mark) = self.scanner.peek()?;
        let mark = *mark;
        if !matches!(token, Token::Item) {
            self.leave();
            return Ok((Event::ListEnd, mark));
        }
        let mark = self.take_indicator();
        if matches!(self.scanner.peek()?.0, Token::Item | Token::Key | Token::Value | Token::BlockEnd) {
            return Ok((nothing(None), mark));
        }
        self.node_then(State::LooseItem, true, false)
    }

    fn block_key(&mut self) -> Next<'t> {
        match self.scanner.peek()?.0 {
            Token::Key => {
                let mark = self.take_indicator();
                self.block_node_or_nothing(State::BlockValue, mark)
            }
            Token::BlockEnd => self.close(Event::MapEnd),
            _ => self.failure("did not find expected key"),
        }
    }

    fn block_value(&mut self) -> Next<'t> {
        if matches!(self.scanner.peek()?.0, Token::Value) {
            let mark = self.take_indicator();
            return self.block_node_or_nothing(State::BlockKey, mark);
        }
        self.state = State::BlockKey;
        self.nothing_here()
    }

    fn block_node_or_nothing(&mut self, after: State, mark: Mark) -> Next<'t> {
        if matches!(self.scanner.peek()?.0, Token::Key | Token::Value | Token::BlockEnd) {
            self.state = after;
            return Ok((nothing(None), mark));
        }
        self.node_then(after, true, true)
    }

    fn flow_item(&mut self, first: bool) -> Next<'t> {
        if !first {
            match self.scanner.peek()?.0 {
                Token::FlowListEnd => {}
                Token::Comma => drop(self.scanner.take()),
                _ => return self.failure("did not find expected ',' or ']'"),
            }
        }
        match self.scanner.peek()?.0 {
            Token::FlowListEnd => self.close(Event::ListEnd),
            Token::Key => {
                let (_, mark) = *self.scanner.peek()?;
                self.scanner.take();
                self.state = State::PairKey;
                Ok((Event::MapStart(None), mark))
            }
            _ => self.node_then(State::FlowItem { first: false }, false, false),
        }
    }

    fn pair_key(&mut self) -> Next<'t> {
        if !matches!(self.scanner.peek()?.0, Token::Value | Token::Comma | Token::FlowListEnd) {
            return self.node_then(State::PairValue, false, false);
        }
        // Go drops the token here, whatever it is.
        let mark = self.take_indicator();
        self.state = State::PairValue;
        Ok((nothing(None), mark))
    }

    fn flow_key(&mut self, first: bool) -> Next<'t> {
        if !first {
            match self.scanner.peek()?.0 {
                Token::FlowMapEnd => {}
                Token::Comma => drop(self.scanner.take()),
                _ => return self.failure("did not find expected ',' or '}'"),
            }
        }
        match self.scanner.peek()?.0 {
            Token::FlowMapEnd => self.close(Event::MapEnd),
            Token::Key => {
                self.scanner.take();
                if matches!(self.scanner.peek()?.0, Token::Value | Token::Comma | Token::FlowMapEnd) {
                    self.state = State::FlowValue;
                    return self.nothing_here();
                }
                self.node_then(State::FlowValue, false, false)
            }
            _ => self.node_then(State::FlowNothing, false, false),
        }
    }

    /// Reads the value behind `:`; without one, or before the end of the entry, there is nothing.
    fn flow_value_or_nothing(&mut self, after: State, ends: fn(&Token) -> bool) -> Next<'t> {
        if matches!(self.scanner.peek()?.0, Token::Value) {
            self.scanner.take();
            if !ends(&self.scanner.peek()?.0) {
                return self.node_then(after, false, false);
            }
        }
        self.state = after;
        self.nothing_here()
    }

    /// Takes an indicator that was seen and returns where it ends.
    fn take_indicator(&mut self) -> Mark {
        let (_, mark) = self.scanner.take().unwrap_or((Token::StreamEnd, Mark::default()));
        Mark { column: mark.column.saturating_add(1), ..mark }
    }
}

/// An empty node; with an anchor or a tag it may still be something.
fn nothing(properties: Properties<'_>) -> Event<'_> {
    let implicit = properties.as_ref().is_none_or(|properties| properties.tag.is_none());
    Event::Scalar(Scalar { value: "".into(), properties, implicit })
}

fn failure(problem: &str, mark: Mark) -> Failure {
    let message = if mark.line == 0 { problem.to_owned() } else { format!("line {}: {problem}", mark.line) };
    Failure { message, mark }
}
