//! Remote bases: what a kustomization names outside of its tree, fetched by the caller between two renderings.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use lockstep_files::FileTree;
use lockstep_kustomize::{RemoteAddress, RemoteBases, RemoteError};

/// Something outside of the tree that a rendering needs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Need {
    /// The files of a repository.
    Repository {
        /// Its URL.
        url: String,
        /// The branch, tag or commit; empty: the default branch.
        reference: String,
        /// Whether submodules are wanted.
        submodules: bool,
    },
    /// A file that is fetched by HTTP.
    File(String),
}

/// What was fetched, or why it could not be.
pub type Fetched = Result<FileTree, String>;

/// What was fetched for a rendering. A file is a tree with one file.
#[derive(Clone, Debug, Default)]
pub struct Remotes(BTreeMap<Need, Fetched>);

/// The name of the one file in the tree of a [`Need::File`].
pub const FILE: &str = "file";

impl Remotes {
    /// Adds what was fetched for a need.
    pub fn insert(&mut self, need: Need, fetched: Fetched) {
        self.0.insert(need, fetched);
    }

    /// Returns how many needs were met.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Tells whether nothing was fetched.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Gives what was fetched and notes what was not.
pub(crate) struct Noting<'r> {
    remotes: &'r Remotes,
    need: Mutex<Option<Need>>,
}

impl<'r> Noting<'r> {
    pub(crate) fn new(remotes: &'r Remotes) -> Self {
        Self { remotes, need: Mutex::default() }
    }

    /// Returns what the rendering stopped at.
    pub(crate) fn need(self) -> Option<Need> {
        self.need.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, need: Need) -> Result<&FileTree, RemoteError> {
        match self.remotes.0.get(&need) {
            Some(Ok(tree)) => Ok(tree),
            Some(Err(message)) => Err(RemoteError::Failed(message.clone())),
            None => {
                *self.need.lock().unwrap_or_else(PoisonError::into_inner) = Some(need);
                Err(RemoteError::Pending)
            }
        }
    }
}

impl RemoteBases for Noting<'_> {
    fn open(&self, address: &RemoteAddress) -> Result<FileTree, RemoteError> {
        let need = Need::Repository {
            url: address.repository.clone(),
            reference: address.reference.clone(),
            submodules: address.submodules,
        };
        self.get(need).cloned()
    }

    fn file(&self, url: &str) -> Result<Vec<u8>, RemoteError> {
        let tree = self.get(Need::File(url.to_owned()))?;
        let bytes = tree.reader().read(FILE).map_err(|error| RemoteError::Failed(error.to_string()))?;
        Ok(bytes.to_vec())
    }
}
