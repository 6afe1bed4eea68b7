//! An immutable tree of files with Git digests per folder, safe joins, globs and a record of what was read.
//!
//! What: [`FileTree`] (folders and files named by their Git object ids, loaded when they are looked at),
//! [`Reader`] (every look is recorded, also the ones that found nothing), [`join`] (no way out of the tree).
//!
//! What not: no disk, no network. Whoever has the bytes implements [`Store`].
//!
//! Why: the record makes monorepos cheap. After a commit a render is repeated only if one of the paths that
//! it looked at has another id; a folder's id answers for everything below it.
#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod id;
mod memory;
mod path;
mod reader;
mod tree;

pub use id::{Id, NotAnId};
pub use path::join;
pub use reader::{Reader, Reads};
pub use tree::{Entry, FileTree, Kind, Store, StoreError};

/// Why a file could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is nothing at the path.
    #[error("{path}: there is no such file or folder")]
    NotFound {
        /// The path from the root.
        path: String,
    },
    /// There is a file where a folder was wanted.
    #[error("{path}: is not a folder")]
    NotAFolder {
        /// The path from the root.
        path: String,
    },
    /// There is a folder where a file was wanted.
    #[error("{path}: is not a file")]
    NotAFile {
        /// The path from the root.
        path: String,
    },
    /// A path or symbolic link points outside the tree.
    #[error("{path}: points to {target}, which is outside the tree")]
    Escapes {
        /// The path from the root.
        path: String,
        /// What it points at, as written.
        target: String,
    },
    /// A symbolic link leads to too many others.
    #[error("{path}: too many symbolic links")]
    TooManyLinks {
        /// The path from the root.
        path: String,
    },
    /// The file is not UTF-8.
    #[error("{path}: is not UTF-8 text")]
    NotText {
        /// The path from the root.
        path: String,
    },
    /// A path or a part of it cannot be a name in a tree.
    #[error("{path}: is not a valid path")]
    BadName {
        /// The path as given.
        path: String,
    },
    /// A glob pattern is malformed.
    #[error("{pattern}: {message}")]
    BadPattern {
        /// The pattern as given.
        pattern: String,
        /// What is wrong with it.
        message: String,
    },
    /// The store behind the tree failed.
    #[error("{path}: {message}")]
    Store {
        /// The path from the root.
        path: String,
        /// What the store said.
        message: String,
    },
}
