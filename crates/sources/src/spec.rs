//! Where a repository is, what of it is wanted, and with which credentials.

use std::{fmt, str::FromStr};

use crate::{Error, ErrorKind, Range, Result};

/// A repository and the part of its history that is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GitSpec {
    /// A folder (`/srv/repo`, `file:///srv/repo.git`), `http(s)://…`, `ssh://…` or `user@host:path`.
    pub url: String,
    /// Which commit.
    pub reference: Reference,
    /// Whether submodules are fetched and put in their places.
    pub submodules: bool,
    /// Who we say we are.
    pub credentials: Credentials,
}

impl GitSpec {
    /// Wants this reference of the repository at `url`, without credentials and submodules.
    pub fn new(url: impl Into<String>, reference: Reference) -> Self {
        Self { url: url.into(), reference, submodules: false, credentials: Credentials::default() }
    }

    /// Sets the credentials.
    #[must_use]
    pub fn with_credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = credentials;
        self
    }
}

/// Which commit of a repository.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub enum Reference {
    /// What `HEAD` points at: the default branch.
    #[default]
    Head,
    /// A branch by its short name.
    Branch(String),
    /// A tag by its short name.
    Tag(String),
    /// A commit by its id: 40 hexadecimal digits, or at least 7 of them for one that is a branch's or tag's tip or fetched already.
    Commit(String),
    /// The highest version among the tags that lies in a range (`^1.2`, `>=1.0 <2`, `1.x`, `*`).
    Semver(Range),
    /// A full name such as `refs/pull/7/head`.
    Name(String),
    /// Text as Argo CD's `targetRevision` takes it: empty or `HEAD`, a full name, a branch, a tag, a commit id or a range of versions, tried in this order.
    Auto(String),
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head => f.write_str("HEAD"),
            Self::Branch(name) => write!(f, "branch {name}"),
            Self::Tag(name) => write!(f, "tag {name}"),
            Self::Commit(id) => write!(f, "commit {id}"),
            Self::Semver(range) => write!(f, "versions {range}"),
            Self::Name(name) | Self::Auto(name) => f.write_str(if name.is_empty() { "HEAD" } else { name }),
        }
    }
}

/// Who we say we are, and whom we believe. Never printed: `Debug` shows only which parts are there.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Credentials {
    /// For http(s): the user, also for tokens that want one (`x-access-token`, `oauth2`).
    pub username: Option<String>,
    /// For http(s): the password or token that goes with the user.
    pub password: Option<String>,
    /// For http(s): a token sent as `Authorization: Bearer`.
    pub bearer: Option<String>,
    /// For ssh: a private key in OpenSSH or PEM form.
    pub identity: Option<String>,
    /// For ssh: the lines of a `known_hosts` file. Without it the user's and the system's files count, strictly.
    pub known_hosts: Option<String>,
    /// For https: certificates in PEM form that are believed besides the system's.
    pub ca_bundle: Option<String>,
}

impl Credentials {
    /// A user with a password or token.
    pub fn basic(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self { username: Some(username.into()), password: Some(password.into()), ..Self::default() }
    }

    /// A bearer token.
    pub fn bearer(token: impl Into<String>) -> Self {
        Self { bearer: Some(token.into()), ..Self::default() }
    }

    /// An ssh key and the host keys to believe.
    pub fn ssh(identity: impl Into<String>, known_hosts: impl Into<String>) -> Self {
        Self { identity: Some(identity.into()), known_hosts: Some(known_hosts.into()), ..Self::default() }
    }

    /// Believes these certificates too.
    #[must_use]
    pub fn with_ca(mut self, pem: impl Into<String>) -> Self {
        self.ca_bundle = Some(pem.into());
        self
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            ("username", self.username.is_some()),
            ("password", self.password.is_some()),
            ("bearer", self.bearer.is_some()),
            ("identity", self.identity.is_some()),
            ("known_hosts", self.known_hosts.is_some()),
            ("ca_bundle", self.ca_bundle.is_some()),
        ];
        f.debug_set().entries(parts.iter().filter(|part| part.1).map(|part| part.0)).finish()
    }
}

/// The id of a commit.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommitId([u8; 20]);

impl CommitId {
    pub(crate) fn oid(self) -> gix::ObjectId {
        gix::ObjectId::Sha1(self.0)
    }

    /// Returns the first eight digits, for people.
    pub fn short(&self) -> String {
        self.to_string()[..8].to_owned()
    }
}

impl TryFrom<gix::ObjectId> for CommitId {
    type Error = Error;

    fn try_from(id: gix::ObjectId) -> Result<Self> {
        <[u8; 20]>::try_from(id.as_bytes())
            .map(Self)
            .map_err(|_| Error::new(ErrorKind::Unsupported, "repositories with SHA-256 ids are not supported"))
    }
}

impl FromStr for CommitId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad =
            || Error::new(ErrorKind::BadReference, format!("{text:?} is not a commit id of 40 hexadecimal digits"));
        gix::ObjectId::from_hex(text.as_bytes()).map_err(|_| bad()).and_then(|id| id.try_into().map_err(|_| bad()))
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The commit that a [`Reference`] means at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Revision {
    /// The commit.
    pub commit: CommitId,
    /// The full name of the branch or tag that was chosen (`refs/heads/main`); none when a commit was asked for by its id.
    pub reference: Option<String>,
}

impl Revision {
    /// A commit by its id alone.
    pub fn commit(commit: CommitId) -> Self {
        Self { commit, reference: None }
    }

    /// Returns the branch's, tag's or reference's short name, or else the commit's id.
    pub fn name(&self) -> String {
        let short = |name: &String| {
            let short = ["refs/heads/", "refs/tags/"].iter().find_map(|prefix| name.strip_prefix(prefix));
            short.unwrap_or(name).to_owned()
        };
        self.reference.as_ref().map_or_else(|| self.commit.to_string(), short)
    }
}

/// Who made a commit, when and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitInfo {
    /// Its id.
    pub id: CommitId,
    /// Its parents' ids; also of those that a shallow copy does not have.
    pub parents: Vec<CommitId>,
    /// The author's name.
    pub author: String,
    /// The author's e-mail address.
    pub email: String,
    /// When it was committed, in seconds since 1970 (UTC).
    pub time: i64,
    /// The whole message.
    pub message: String,
}

impl CommitInfo {
    /// Returns the message's first line.
    pub fn title(&self) -> &str {
        self.message.lines().next().unwrap_or("").trim_end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_never_printed() {
        let spec = GitSpec::new("https://host/r", Reference::Head)
            .with_credentials(Credentials { bearer: Some("t0ken".into()), ..Credentials::basic("user", "s3cret") });
        let text = format!("{spec:?}");
        assert!(!text.contains("s3cret") && !text.contains("t0ken"), "{text}");
    }
}
