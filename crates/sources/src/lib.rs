//! Fetches Git sources, charts, OCI artifacts and folders into file trees, watches them, and pushes commits.
//!
//! What: [`Git`] resolves a [`GitSpec`] to a [`Revision`], opens it as a [`Snapshot`] whose objects are read
//! from a Git object database when they are looked at, tells when it moves ([`Watcher`]), and pushes commits
//! and reverts. [`Artifacts`] fetches charts of Helm repositories and artifacts of OCI registries. [`Worktree`] is a
//! plain folder. [`webhook`] reads the push events of Git hosts.
//!
//! What not: nothing here knows Kubernetes or what the files mean, and nothing is ever checked out.
//!
//! Why our own protocol client: what a person needs to know when a fetch fails (wrong password, unknown
//! authority, nothing heard for a minute) is lost in general libraries, none of them pushes, and what we ask of a
//! server is little: its references, and one commit's objects.
#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod artifacts;
mod cache;
mod disk;
mod edit;
mod error;
mod git;
mod history;
mod ignore;
mod lfs;
mod local;
mod lru;
mod objects;
mod push;
mod range;
mod refs;
mod remote;
mod spec;
mod submodules;
mod url;
mod watch;
pub mod webhook;
mod wire;
mod worktree;

pub use artifacts::{ArtifactRevision, ArtifactSpec, ArtifactWatcher, Artifacts, docker_credentials};
pub use disk::disk;
pub use error::{Error, ErrorKind, Result};
pub use git::{Author, CacheOptions, Edit, Git, Snapshot};
pub use ignore::filtered;
pub use lfs::is_lfs_pointer;
pub use range::Range;
pub use spec::{CommitId, CommitInfo, Credentials, GitSpec, Reference, Revision};
pub use submodules::mounted;
pub use url::{redact, same_repository};
pub use watch::{WatchOptions, Watcher};
pub use worktree::{Worktree, WorktreeOptions};
