//! The crate's error: a kind for machines, a message and a hint for people.

use std::{error, fmt};

/// What went wrong, as far as a machine must tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The URL is not one of the forms we read.
    BadUrl,
    /// The reference is malformed: a range that is no range, a commit id that is none.
    BadReference,
    /// There is something at the URL, but no Git repository; or there is nothing.
    NotARepository,
    /// The repository has no commit yet.
    EmptyRepository,
    /// The branch, tag or range names nothing (any more).
    ReferenceNotFound,
    /// There is no file or artifact at the URL.
    NotFound,
    /// What came is not a chart, an artifact or an index.
    NotAnArtifact,
    /// What came has another digest than was promised.
    WrongDigest,
    /// The commit is not in the repository (any more).
    CommitNotFound,
    /// The host could not be reached, or the connection broke.
    Unreachable,
    /// The host did not answer in time.
    Timeout,
    /// The server wants credentials, or does not accept the ones it got.
    Unauthenticated,
    /// The credentials are known but may not do this.
    Forbidden,
    /// The server's certificate is not signed by a known authority, or not for this name.
    UnknownAuthority,
    /// The ssh server's host key is not the one in `known_hosts`.
    UnknownHostKey,
    /// The server said something that is not Git's protocol.
    Protocol,
    /// The server failed (HTTP 5xx and the like).
    Server,
    /// The branch has moved on: somebody else pushed.
    Conflict,
    /// The server refused a push: a protected branch, a hook.
    Rejected,
    /// The working tree has changes that would be lost.
    Dirty,
    /// A symbolic link leads out of the tree.
    Escapes,
    /// A limit on size or number was passed.
    TooLarge,
    /// The tree has nothing at a path that an edit names.
    BadEdit,
    /// A program that is needed (`git`, `ssh`) is not installed.
    MissingProgram,
    /// The cache or a local repository could not be read or written.
    Storage,
    /// We cannot do this kind of thing.
    Unsupported,
    /// A webhook's signature or token is wrong or absent.
    BadSignature,
    /// A webhook's body is not a push event that we know.
    BadWebhook,
}

impl ErrorKind {
    /// Tells whether trying again later, with nothing changed on our side, may help.
    pub fn is_transient(self) -> bool {
        matches!(self, Self::Unreachable | Self::Timeout | Self::Server | Self::Protocol | Self::Storage)
    }
}

/// Why a source could not be read, watched or pushed to.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    url: Option<String>,
}

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Makes an error of this kind; the message is one plain sentence without a full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), hint: None, url: None }))
    }

    /// Adds what a person can do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds the repository, unless one is named already.
    #[must_use]
    pub fn at(mut self, url: &str) -> Self {
        self.0.url.get_or_insert_with(|| url.to_owned());
        self
    }

    /// Returns the kind.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the message without the repository's URL.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns what a person can do about it.
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Returns the repository's URL, without credentials.
    pub fn url(&self) -> Option<&str> {
        self.0.url.as_deref()
    }

    pub(crate) fn storage(what: &str, error: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Storage, format!("{what}: {error}"))
    }

    pub(crate) fn protocol(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Protocol, message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(url) = &self.0.url {
            write!(f, "{url}: ")?;
        }
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)?;
        self.0.hint.iter().try_for_each(|hint| write!(f, " (hint: {hint})"))
    }
}

impl error::Error for Error {}
