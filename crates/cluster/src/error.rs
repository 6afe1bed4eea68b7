//! Why a request failed.

use lockstep_engine::{Problem, ProblemKind};
use lockstep_object::{Object, Value, from_json};

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server answered with an error.
    #[error("{message}")]
    Answer {
        /// The HTTP status.
        code: u16,
        /// The reason, as `NotFound`.
        reason: String,
        /// The message, as the server wrote it.
        message: String,
    },
    /// There was no answer, or none that could be read.
    #[error("the API server cannot be reached: {0}")]
    Unreachable(String),
    /// The cluster does not know the kind.
    #[error("the cluster does not know the kind {0}")]
    UnknownKind(String),
    /// The settings of the connection are wrong.
    #[error("{0}")]
    Settings(String),
}

impl Error {
    /// Reads the `Status` that an API server answers with; any other body is told as it is.
    pub(crate) fn from_answer(code: u16, body: &[u8]) -> Self {
        let status = from_json(body).ok().and_then(|value| Object::try_from(value).ok());
        let text = |key: &str| status.as_ref().map(|status| status.str_at(&[key]).to_owned()).unwrap_or_default();
        let mut message = text("message");
        if message.is_empty() {
            let body = String::from_utf8_lossy(body);
            message = format!("HTTP {code}: {}", body.chars().take(200).collect::<String>().trim());
        }
        Self::Answer { code, reason: text("reason"), message }
    }

    /// Returns the HTTP status, if there was an answer.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Answer { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Tells whether the answer was "not found".
    pub fn is_not_found(&self) -> bool {
        self.code() == Some(404)
    }

    /// Tells whether the server refused a change because a field of the live object cannot be changed.
    pub fn is_immutable_field(&self) -> bool {
        let Self::Answer { code: 422, message, .. } = self else { return false };
        ["field is immutable", "may not be changed", "Forbidden: updates to", "cannot be changed", "is immutable when"]
            .iter()
            .any(|words| message.contains(words))
    }

    /// Tells whether trying again soon may help without any change.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self.code(), Some(429 | 500 | 502 | 503 | 504))
    }

    /// Returns the problem to decide on.
    pub fn problem(&self) -> Problem {
        let kind = match self {
            Self::UnknownKind(_) => ProblemKind::UnknownKind,
            Self::Unreachable(_) | Self::Settings(_) => ProblemKind::Unreachable,
            Self::Answer { code: 404, message, .. } if message.starts_with("namespaces ") => {
                ProblemKind::NamespaceMissing
            }
            Self::Answer { code: 429 | 502 | 503 | 504, .. } => ProblemKind::Unreachable,
            Self::Answer { .. } => ProblemKind::Rejected,
        };
        let hint = match kind {
            ProblemKind::NamespaceMissing => "; create it or set sync.createNamespace",
            _ if self.is_immutable_field() => {
                "; the field cannot be changed: annotate the object with lockstep.dev/sync-options=Force=true, or set \
                 sync.recreate, to have it deleted and made anew"
            }
            ProblemKind::UnknownKind => "; it is applied as soon as its definition is there",
            _ => "",
        };
        Problem::new(kind, format!("{self}{hint}"))
    }
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        let mut words = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            let text = cause.to_string();
            if !words.contains(&text) {
                words.push_str(": ");
                words.push_str(&text);
            }
            source = cause.source();
        }
        Self::Unreachable(words)
    }
}

/// Returns a field of an answer as text.
pub(crate) fn text_of<'v>(value: &'v Value, keys: &[&str]) -> &'v str {
    value.at(keys).and_then(Value::as_str).unwrap_or_default()
}
