//! Why a build failed.

use std::fmt;

use lockstep_object::Place;
pub(crate) use lockstep_object::go::quoted as quote;

/// A failed build: kustomize's own text, and the place if it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(Box<Parts>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Parts {
    message: String,
    place: Option<Place>,
    malformed: bool,
    remote: bool,
}

impl Error {
    /// Returns an error with this text.
    pub fn new(message: impl Into<String>) -> Self {
        Self(Box::new(Parts { message: message.into(), place: None, malformed: false, remote: false }))
    }

    /// Returns the text, worded as kustomize 5.8.1 words it (what it prints after `Error: `).
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns file and line of the cause, if they are known.
    pub fn place(&self) -> Option<&Place> {
        self.0.place.as_ref()
    }

    /// Adds the place unless a more exact one is known.
    pub(crate) fn at(mut self, file: &str, line: u32) -> Self {
        match &mut self.0.place {
            Some(place) if place.file.is_empty() => file.clone_into(&mut place.file),
            Some(_) => {}
            None => self.0.place = Some(Place { file: file.to_owned(), line, column: 0 }),
        }
        self
    }

    /// Marks the error as one of YAML's syntax.
    pub(crate) fn malformed(mut self) -> Self {
        self.0.malformed = true;
        self
    }

    /// Tells whether the cause is YAML's syntax.
    pub(crate) fn is_malformed(&self) -> bool {
        self.0.malformed
    }

    /// Marks the error as one of a remote base that is not allowed or not there yet.
    pub(crate) fn remote(mut self) -> Self {
        self.0.remote = true;
        self
    }

    /// Tells whether the cause is a remote base that is not allowed or not fetched yet.
    pub fn is_remote(&self) -> bool {
        self.0.remote
    }

    /// Puts `prefix: ` before the text.
    pub(crate) fn wrap(mut self, prefix: impl fmt::Display) -> Self {
        self.0.message = format!("{prefix}: {}", self.0.message);
        self
    }

    /// Changes the text, keeping the place.
    pub(crate) fn reword(mut self, word: impl FnOnce(&str) -> String) -> Self {
        self.0.message = word(&self.0.message);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {}
