//! Where a field is, in the words of field errors.

use std::{fmt, ops::Deref};

/// A path. Validation looks at every field of every object and nearly always finds nothing to say, so it goes first
/// without paths, and once more with them when something is wrong.
#[derive(Clone, Default)]
pub(crate) enum Path {
    /// Nobody wants to know; reads as an empty text.
    #[default]
    Unsaid,
    /// The words, as `spec.containers[0].image`.
    Said(String),
}

impl Path {
    /// Returns the path with these parts behind it.
    pub(crate) fn with<const N: usize>(&self, parts: [&str; N]) -> Self {
        match self {
            Self::Unsaid => Self::Unsaid,
            Self::Said(text) => Self::Said([text, &*parts.concat()].concat()),
        }
    }

    /// Returns the path of a field below; at the root it is the field's name.
    pub(crate) fn below(&self, key: &str) -> Self {
        match self {
            Self::Said(text) if text.is_empty() => Self::Said(key.to_owned()),
            other => other.with([".", key]),
        }
    }

    /// Returns other words, if any are wanted.
    pub(crate) fn reworded(&self, other: impl Into<Self>) -> Self {
        match self {
            Self::Unsaid => Self::Unsaid,
            Self::Said(_) => other.into(),
        }
    }
}

impl Deref for Path {
    type Target = str;
    fn deref(&self) -> &str {
        match self {
            Self::Unsaid => "",
            Self::Said(text) => text,
        }
    }
}

impl From<&str> for Path {
    fn from(text: &str) -> Self {
        Self::Said(text.to_owned())
    }
}

impl From<String> for Path {
    fn from(text: String) -> Self {
        Self::Said(text)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}
