//! The one handle of this crate.

use std::{path::PathBuf, sync::Arc, time::Duration};

use lockstep_files::FileTree;

use crate::{
    CommitId, CommitInfo, Credentials, Error, GitSpec, Reference, Result, Revision, WatchOptions, Watcher, push,
    redact, remote::Repositories, submodules, watch::Pokes, wire,
};

/// No manifest is larger.
const LARGEST_FILE: u64 = 32 << 20;

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
///
/// # Guarantees
/// Nothing is ever checked out or unpacked; memory is bounded by [`CacheOptions::object_cache_bytes`] per repository
/// and by what is being read. A failed call changes nothing: snapshots that are held stay readable.
///
/// # Assumptions
/// Calls are made inside a tokio runtime. The work blocks and is done on its blocking threads; a dropped call ends in the background.
///
/// # Errors
/// Each call tells the repository, a kind ([`crate::ErrorKind`]), a message, and mostly a hint.
#[derive(Clone)]
pub struct Git {
    repositories: Arc<Repositories>,
    pokes: Arc<Pokes>,
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
        Ok(Self { repositories: Arc::new(Repositories::new(options)?), pokes: Arc::default() })
    }

    /// Finds the commit that the reference means now. Only references are listed; no object is fetched.
    pub async fn resolve(&self, spec: &GitSpec) -> Result<Revision> {
        self.run(spec, |repositories, spec| repositories.resolve(spec)).await
    }

    /// Fetches a commit's objects unless they are here.
    pub async fn fetch(&self, spec: &GitSpec, revision: &Revision) -> Result<()> {
        let commit = revision.commit;
        self.run(spec, move |repositories, spec| repositories.objects(spec, commit).map(drop)).await
    }

    /// Opens a commit, fetching it if needed. The snapshot stays readable while it is held, whatever happens to the cache.
    pub async fn open(&self, spec: &GitSpec, revision: &Revision) -> Result<Snapshot> {
        let commit = revision.commit;
        self.run(spec, move |repositories, spec| {
            let snapshot = repositories.snapshot(spec, commit)?;
            if spec.submodules { submodules::mount(repositories, spec, snapshot) } else { Ok(snapshot) }
        })
        .await
    }

    /// Fetches a file of a web server (`http://` or `https://`), at most 32 MiB.
    pub async fn fetch_file(&self, url: &str, credentials: &Credentials) -> Result<Vec<u8>> {
        let spec = GitSpec::new(url, Reference::Head).with_credentials(credentials.clone());
        self.run(&spec, |repositories, spec| {
            wire::fetch_file(repositories.clients(), &spec.url, &spec.credentials, LARGEST_FILE)
        })
        .await
    }

    /// Returns the commits that lead to `to`, newest first, until `from` (not included), at most `limit`.
    pub async fn log(
        &self,
        spec: &GitSpec,
        from: Option<CommitId>,
        to: CommitId,
        limit: usize,
    ) -> Result<Vec<CommitInfo>> {
        self.run(spec, move |repositories, spec| repositories.log(spec, from, to, limit)).await
    }

    /// Tells whether `new` has `old` among its ancestors; `false` after a force push.
    /// `None` when the history that we are willing to fetch (500 commits) does not tell.
    pub async fn descends(&self, spec: &GitSpec, old: CommitId, new: CommitId) -> Result<Option<bool>> {
        self.run(spec, move |repositories, spec| repositories.descends(spec, old, new)).await
    }

    /// Makes a commit on top of `parent`, which must be the tip of the branch that `spec` names, and pushes it.
    ///
    /// In a local repository whose working tree has the branch checked out, the files are brought up to date too (by the
    /// `git` program); with uncommitted changes it is refused.
    pub async fn push_commit(
        &self,
        spec: &GitSpec,
        parent: CommitId,
        edits: Vec<Edit>,
        message: &str,
        author: &Author,
    ) -> Result<CommitId> {
        let (message, author) = (message.to_owned(), author.clone());
        self.run(spec, move |repositories, spec| push::commit(repositories, spec, parent, edits, &message, &author))
            .await
    }

    /// Makes a commit that restores what `commit` changed to what it was before, and pushes it to the branch that `spec` names.
    /// Of a merge, what it brought to its first parent is taken back. If later commits touched the same files, nothing is done.
    pub async fn revert_commit(&self, spec: &GitSpec, commit: CommitId, author: &Author) -> Result<CommitId> {
        let author = author.clone();
        self.run(spec, move |repositories, spec| push::revert(repositories, spec, commit, &author)).await
    }

    /// Watches a reference: a local repository by file-system events, another by asking again and again.
    pub fn watch(&self, spec: &GitSpec, options: WatchOptions) -> Watcher {
        Watcher::new(self.clone(), spec.clone(), options, &self.pokes)
    }

    /// Makes all watchers of this repository ask at once; returns how many there are. Any form of its URL will do.
    pub fn poke(&self, url: &str) -> usize {
        self.pokes.poke(url)
    }

    async fn run<T: Send + 'static>(
        &self,
        spec: &GitSpec,
        work: impl FnOnce(&Repositories, &GitSpec) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (repositories, owned) = (self.repositories.clone(), spec.clone());
        let done = tokio::task::spawn_blocking(move || work(&repositories, &owned)).await;
        let result =
            done.unwrap_or_else(|error| Err(Error::storage("the work on the repository was broken off", error)));
        result.map_err(|error| error.at(&redact(&spec.url)))
    }
}
