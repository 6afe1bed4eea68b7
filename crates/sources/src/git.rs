//! The one handle of this crate.

use std::{path::PathBuf, sync::Arc, time::Duration};

use lockstep_files::FileTree;

use crate::{CommitId, CommitInfo, Error, ErrorKind, GitSpec, Result, Revision};

/// Where copies of remote repositories are kept, and how long we wait.
#[derive(Clone, Debug)]
pub struct CacheOptions {
    /// The folder of the copies. Several processes may share it.
    pub folder: PathBuf,
    /// The bytes on disk after which one repository's copy is started anew.
    pub max_repository_bytes: u64,
    /// The bytes of trees and files that one open repository keeps in memory.
    pub object_cache_bytes: usize,
    /// How long a connection may take to come about.
    pub connect_timeout: Duration,
    /// How long a server may be silent.
    pub idle_timeout: Duration,
}

impl CacheOptions {
    /// Keeps copies in this folder, with the usual limits (1 GiB on disk and 8 MiB in memory per repository, 10 s to connect, 60 s of silence).
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            max_repository_bytes: 1 << 30,
            object_cache_bytes: 8 << 20,
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
        }
    }
}

/// Reads, watches and writes Git repositories. Clones share everything.
#[derive(Clone)]
pub struct Git {
    options: Arc<CacheOptions>,
}

/// A commit and its files.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The files. Objects are read when they are looked at.
    pub tree: FileTree,
    /// The commit.
    pub commit: CommitInfo,
}

/// One change to a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Writes a file; folders come about as needed. An existing file keeps its mode unless `executable` is said.
    Write {
        /// The path from the root, `/` between names.
        path: String,
        /// The new bytes.
        contents: Vec<u8>,
        /// Whether it may be run; unchanged (or not, when new) if absent.
        executable: Option<bool>,
    },
    /// Removes a file or folder, which must be there.
    Delete {
        /// The path from the root.
        path: String,
    },
}

/// Who makes a commit, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// The name.
    pub name: String,
    /// The e-mail address.
    pub email: String,
    /// Seconds since 1970 (UTC).
    pub time: i64,
}

impl Git {
    /// Makes the handle; creates the cache's folder.
    pub fn new(options: CacheOptions) -> Result<Self> {
        Ok(Self { options: Arc::new(options) })
    }

    /// Finds the commit that the reference means now. Only references are listed; no object is fetched.
    pub async fn resolve(&self, spec: &GitSpec) -> Result<Revision> {
        Err(later(spec))
    }

    /// Fetches a commit's objects unless they are here.
    pub async fn fetch(&self, spec: &GitSpec, _revision: &Revision) -> Result<()> {
        Err(later(spec))
    }

    /// Opens a commit, fetching it if needed. The snapshot stays readable while it is held, whatever happens to the cache.
    pub async fn open(&self, spec: &GitSpec, _revision: &Revision) -> Result<Snapshot> {
        Err(later(spec))
    }

    /// Returns the commits that lead to `to`, newest first, until `from` (not included), at most `limit`.
    pub async fn log(
        &self,
        spec: &GitSpec,
        _from: Option<CommitId>,
        _to: CommitId,
        _limit: usize,
    ) -> Result<Vec<CommitInfo>> {
        Err(later(spec))
    }

    /// Tells whether `new` has `old` among its ancestors; `false` after a force push. `None` when the history that we are willing to fetch (500 commits) does not tell.
    pub async fn descends(&self, spec: &GitSpec, _old: CommitId, _new: CommitId) -> Result<Option<bool>> {
        Err(later(spec))
    }

    /// Makes a commit on top of `parent`, which must be the tip of the branch that `spec` names, and pushes it.
    pub async fn push_commit(
        &self,
        spec: &GitSpec,
        _parent: CommitId,
        _edits: Vec<Edit>,
        _message: &str,
        _author: &Author,
    ) -> Result<CommitId> {
        Err(later(spec))
    }

    /// Makes a commit that restores what `commit` changed to what it was before, and pushes it.
    pub async fn revert_commit(&self, spec: &GitSpec, _commit: CommitId, _author: &Author) -> Result<CommitId> {
        Err(later(spec))
    }

    /// Watches a reference: a local repository by file-system events, another by asking again and again.
    pub fn watch(&self, spec: &GitSpec, _options: WatchOptions) -> Watcher {
        Watcher { spec: spec.clone(), git: self.clone() }
    }

    /// Makes all watchers of this repository ask at once; returns how many there are. Any form of its URL will do.
    pub fn poke(&self, _url: &str) -> usize {
        0
    }
}

/// How a remote repository is watched.
#[derive(Clone, Debug)]
pub struct WatchOptions {
    /// How often it is asked.
    pub interval: Duration,
    /// By which part of the interval each wait is randomly longer or shorter.
    pub jitter: f64,
}

impl Default for WatchOptions {
    fn default() -> Self {
        Self { interval: Duration::from_secs(30), jitter: 0.1 }
    }
}

/// Tells when a reference moves.
pub struct Watcher {
    spec: GitSpec,
    git: Git,
}

impl Watcher {
    /// Waits for the next news: at first what the reference means now, then each other commit, and each failure once (and the recovery from it).
    /// Cancel safe.
    pub async fn next(&mut self) -> Result<Revision> {
        self.git.resolve(&self.spec).await
    }
}

fn later(spec: &GitSpec) -> Error {
    Error::new(ErrorKind::Unsupported, "not there yet").at(&crate::redact(&spec.url))
}
