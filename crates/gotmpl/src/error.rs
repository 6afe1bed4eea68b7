//! Errors with the exact texts of Go's engine.

use std::{error, fmt};

/// An error of parsing or executing a template. `Display` prints what Go prints, e.g.
/// `template: t.yaml:1:3: executing "t.yaml" at <fail "x">: error calling fail: x`.
#[derive(Debug, Clone)]
pub struct Error(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    place: Option<Place>,
}

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The text is not a template.
    Parse,
    /// The named template does not exist.
    NotFound,
    /// The template failed while it ran.
    Execute,
    /// A limit of [`crate::Limits`] was met.
    Limit,
}

/// Where: the innermost template that was running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The name of the text: the file's path as given to `parse`.
    pub file: String,
    /// The name of the template (a `define`d name, or the file's).
    pub template: String,
    /// The line, from 1.
    pub line: usize,
    /// The byte in the line, from 0, as Go counts.
    pub column: usize,
}

impl Error {
    /// Makes an error.
    pub fn new(kind: ErrorKind, message: impl Into<String>, place: Option<Place>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), place }))
    }

    /// Tells what went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Tells where, when it is known.
    pub fn place(&self) -> Option<&Place> {
        self.0.place.as_ref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl error::Error for Error {}

/// The error of a function: its text follows `error calling NAME: `.
#[derive(Debug, Clone)]
pub struct FuncError {
    message: String,
    limit: bool,
    place: Option<Place>,
}

impl FuncError {
    /// Makes an error that says that a limit was met.
    pub fn limit(message: impl Into<String>) -> Self {
        Self { message: message.into(), limit: true, place: None }
    }

    /// Tells whether a limit was met.
    pub fn is_limit(&self) -> bool {
        self.limit
    }

    /// Tells the place of the inner error, when a template was called.
    pub fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    /// Puts words before the message, as Go's `fmt.Errorf("…: %w")` does.
    #[must_use]
    pub fn context(mut self, words: &str) -> Self {
        self.message.insert_str(0, words);
        self
    }
}

impl fmt::Display for FuncError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl error::Error for FuncError {}

impl From<String> for FuncError {
    fn from(message: String) -> Self {
        Self { message, limit: false, place: None }
    }
}

impl From<&str> for FuncError {
    fn from(message: &str) -> Self {
        message.to_owned().into()
    }
}

impl From<Error> for FuncError {
    fn from(error: Error) -> Self {
        let inner = *error.0;
        Self { message: inner.message, limit: inner.kind == ErrorKind::Limit, place: inner.place }
    }
}
