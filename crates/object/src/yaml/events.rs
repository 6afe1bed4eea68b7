//! The event layer: the only file that knows the YAML parser that is used.
//!
//! `libyaml-safer` is libyaml, and so is Go's yaml.v2: same events, same complaints. It has two
//! flaws that are mended here: it panics on a block scalar that ends without a line break at the
//! end of the text, and on a tag before a comma in a flow list.

use std::{
    borrow::Cow,
    io::{BufRead, Read},
    panic::{AssertUnwindSafe, catch_unwind},
};

use libyaml_safer::{Encoding, Error, ErrorKind, EventData, Parser, ScalarStyle};

/// A position in the text, both from 0.
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

/// A scalar as it was written.
#[derive(Debug)]
pub(super) struct Scalar<'t> {
    pub value: Cow<'t, str>,
    pub tag: Option<Cow<'t, str>>,
    pub anchor: Option<Cow<'t, str>>,
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
    ListStart(Option<Cow<'t, str>>),
    ListEnd,
    MapStart(Option<Cow<'t, str>>),
    MapEnd,
}

/// The events of a text.
pub(super) struct Events<'t> {
    parser: Parser<Pieces<'t>>,
    text: &'t str,
    /// A line break was added at the end of the text.
    mended: bool,
    failed: bool,
}

impl<'t> Events<'t> {
    pub fn new(text: &'t str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mended = !text.ends_with(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']);
        let mut parser = Parser::new();
        parser.set_encoding(Encoding::Utf8);
        parser.set_input(Pieces { text, rest: if mended { "\n" } else { "" } });
        Self { parser, text, mended, failed: false }
    }

    /// Returns the next event and where it starts; after the end, the end again.
    pub fn next(&mut self) -> Result<(Event<'t>, Mark), Failure> {
        if self.failed {
            return Ok((Event::StreamEnd, Mark::default()));
        }
        loop {
            let parsed = catch_unwind(AssertUnwindSafe(|| self.parser.parse()));
            let event = match parsed {
                Ok(Ok(event)) => event,
                Ok(Err(error)) => {
                    self.failed = true;
                    return Err(failure(&error));
                }
                Err(_) => {
                    self.failed = true;
                    let message = "did not find expected whitespace or line break".to_owned();
                    return Err(Failure { message, mark: Mark::default() });
                }
            };
            let mark = mark(event.start_mark);
            let ends_text = self.mended && event.end_mark.index as usize > self.text.len();
            let start = event.start_mark.index as usize;
            if let Some(event) = self.event(event.data, start, ends_text) {
                return Ok((event, mark));
            }
        }
    }

    fn event(&self, data: EventData, start: usize, ends_text: bool) -> Option<Event<'t>> {
        Some(match data {
            EventData::StreamStart { .. } => return None,
            EventData::StreamEnd => Event::StreamEnd,
            EventData::DocumentStart { .. } => Event::DocumentStart,
            EventData::DocumentEnd { .. } => Event::DocumentEnd,
            EventData::Alias { anchor } => Event::Alias(anchor.into()),
            EventData::SequenceStart { anchor, .. } => Event::ListStart(anchor.map(Cow::from)),
            EventData::SequenceEnd => Event::ListEnd,
            EventData::MappingStart { anchor, .. } => Event::MapStart(anchor.map(Cow::from)),
            EventData::MappingEnd => Event::MapEnd,
            EventData::Scalar { anchor, tag, mut value, plain_implicit, style, .. } => {
                if ends_text && matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
                    self.take_back_line_break(&mut value, start);
                }
                Event::Scalar(Scalar {
                    value: value.into(),
                    tag: tag.map(Cow::from),
                    anchor: anchor.map(Cow::from),
                    implicit: plain_implicit,
                })
            }
        })
    }

    /// Removes what the added line break did to a block scalar at the end of the text.
    fn take_back_line_break(&self, value: &mut String, start: usize) {
        let last_line = self.text.rsplit('\n').next().unwrap_or_default();
        let blank = last_line.bytes().all(|byte| byte == b' ');
        let keeps = self.text[start..].chars().skip(1).take(2).any(|c| c == '+');
        let spaces = value.strip_suffix('\n').map_or(0, |value| value.len() - value.trim_end_matches(' ').len());
        // A line of spaces is text of the scalar only as far as it is indented deeper than the scalar.
        if (!blank || keeps || (spaces > 0 && spaces < last_line.len())) && value.ends_with('\n') {
            value.pop();
        }
    }
}

fn mark(mark: libyaml_safer::Mark) -> Mark {
    let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    Mark { line: number(mark.line), column: number(mark.column) }
}

/// Words an error as Go's yaml.v2 does, with its own way of counting lines.
fn failure(error: &Error) -> Failure {
    let problem = error.problem_mark().unwrap_or_default();
    let context = error.context_mark().unwrap_or_default();
    let line = match (problem.line, context.line) {
        (0, line) => line,
        (line, _) if error.kind() == ErrorKind::Scanner => line + 1,
        (line, _) => line,
    };
    let message = if line == 0 { error.problem().to_owned() } else { format!("line {line}: {}", error.problem()) };
    Failure { message, mark: mark(problem) }
}

/// Hands the text out in pieces, as the parser keeps what it is given as a queue of characters.
struct Pieces<'t> {
    text: &'t str,
    rest: &'t str,
}

const PIECE: usize = 512;

impl BufRead for Pieces<'_> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        if self.text.is_empty() {
            self.text = std::mem::take(&mut self.rest);
        }
        Ok(self.text[..self.text.floor_char_boundary(PIECE)].as_bytes())
    }

    fn consume(&mut self, amount: usize) {
        self.text = &self.text[self.text.floor_char_boundary(amount)..];
    }
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let piece = self.fill_buf()?;
        let len = piece.len().min(buffer.len());
        buffer[..len].copy_from_slice(&piece[..len]);
        self.consume(len);
        Ok(len)
    }
}
