//! The verdict.

use std::{fmt, str::FromStr};

/// How well an object is, in Argo CD's words; ordered from the best to the worst, as Argo CD ranks them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// It works.
    Healthy,
    /// It was paused on purpose and waits for somebody.
    Suspended,
    /// It does not work yet but may.
    Progressing,
    /// It is not there.
    Missing,
    /// It failed, or cannot become healthy by itself.
    Degraded,
    /// Nobody could tell; the message says why.
    Unknown,
}

impl Status {
    /// Every status, from the best to the worst.
    pub const ALL: [Self; 6] =
        [Self::Healthy, Self::Suspended, Self::Progressing, Self::Missing, Self::Degraded, Self::Unknown];

    /// Returns the word that Argo CD uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "Healthy",
            Self::Suspended => "Suspended",
            Self::Progressing => "Progressing",
            Self::Missing => "Missing",
            Self::Degraded => "Degraded",
            Self::Unknown => "Unknown",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The word names no status.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a health status; there are Healthy, Suspended, Progressing, Missing, Degraded and Unknown")]
pub struct UnknownStatus(pub String);

impl FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(word: &str) -> Result<Self, UnknownStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == word).ok_or_else(|| UnknownStatus(word.to_owned()))
    }
}

/// A verdict: how well an object is, and why.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Health {
    /// How well it is.
    pub status: Status,
    /// Why, in one sentence; may be empty when there is nothing to say.
    pub message: String,
}

impl Health {
    /// Returns a verdict of these parts.
    pub fn new(status: Status, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_reads_the_word_it_prints() {
        for status in Status::ALL {
            assert_eq!(status.to_string().parse(), Ok(status));
        }
        assert!("healthy".parse::<Status>().is_err());
    }

    #[test]
    fn degraded_is_worse_than_progressing_and_unknown_the_worst() {
        assert!(Status::Degraded > Status::Progressing);
        assert_eq!(Status::ALL.into_iter().max(), Some(Status::Unknown));
    }
}
