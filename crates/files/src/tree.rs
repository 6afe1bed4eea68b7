//! The tree and what is behind it.

use std::{cmp::Ordering, collections::BTreeMap, fmt, sync::Arc};

use crate::{Error, Id, Reader, memory::MemoryStore};

/// What an entry of a folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A file.
    File,
    /// A file that may be run.
    Executable,
    /// A symbolic link; its blob is the target.
    Link,
    /// A folder.
    Folder,
    /// A commit of another repository.
    Submodule,
}

impl Kind {
    /// Tells whether it has bytes.
    pub fn is_file(self) -> bool {
        matches!(self, Self::File | Self::Executable)
    }

    pub(crate) fn mode(self) -> &'static str {
        match self {
            Self::File => "100644",
            Self::Executable => "100755",
            Self::Link => "120000",
            Self::Folder => "40000",
            Self::Submodule => "160000",
        }
    }
}

/// One entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Its name, without slashes.
    pub name: Box<str>,
    /// What it is.
    pub kind: Kind,
    /// The id of its blob or tree.
    pub id: Id,
}

impl Entry {
    /// Orders entries as Git orders them in a tree: folders as if their names ended in `/`.
    pub fn git_order(&self, other: &Self) -> Ordering {
        let end = |entry: &Self| if entry.kind == Kind::Folder { b'/' } else { 0 };
        let (mine, others) = (self.name.as_bytes(), other.name.as_bytes());
        let shared = mine.len().min(others.len());
        mine[..shared].cmp(&others[..shared]).then_with(|| {
            let next = |name: &[u8], entry| name.get(shared).copied().unwrap_or_else(|| end(entry));
            next(mine, self).cmp(&next(others, other))
        })
    }
}

/// The store behind a tree could not give an object: its message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(pub String);

/// Gives the objects of a tree by their ids. Ids that the tree itself names must be there.
pub trait Store: Send + Sync {
    /// Returns a folder's entries in Git's order.
    fn tree(&self, id: &Id) -> Result<Arc<[Entry]>, StoreError>;
    /// Returns a file's bytes, or a link's target.
    fn blob(&self, id: &Id) -> Result<Arc<[u8]>, StoreError>;
}

/// An immutable tree of files. Clones are cheap; equal ids are equal trees.
#[derive(Clone)]
pub struct FileTree {
    store: Arc<dyn Store>,
    root: Id,
    beside: Option<Arc<BTreeMap<String, FileTree>>>,
}

impl FileTree {
    /// Returns the tree whose root folder has this id.
    pub fn new(store: Arc<dyn Store>, root: Id) -> Self {
        Self { store, root, beside: None }
    }

    /// Builds a tree in memory from paths and bytes; of equal paths the last wins.
    pub fn from_files<P: AsRef<str>, B: Into<Arc<[u8]>>>(
        files: impl IntoIterator<Item = (P, B)>,
    ) -> Result<Self, Error> {
        let files = files.into_iter().map(|(path, bytes)| (path.as_ref().to_owned(), Kind::File, bytes.into()));
        Self::from_entries(files)
    }

    /// Builds a tree in memory from paths, kinds (file, executable, link) and bytes (a link's are its target).
    pub fn from_entries(entries: impl IntoIterator<Item = (String, Kind, Arc<[u8]>)>) -> Result<Self, Error> {
        let (store, root) = MemoryStore::build(entries)?;
        Ok(Self::new(Arc::new(store), root))
    }

    /// Puts another tree beside this one: its files are read at `name/…`, but no listing shows them. For files that belong
    /// to a source without being part of it, such as values from another repository.
    #[must_use]
    pub fn with_beside(mut self, name: &str, tree: Self) -> Self {
        let mut beside = self.beside.take().map(Arc::unwrap_or_clone).unwrap_or_default();
        beside.insert(name.to_owned(), tree);
        self.beside = Some(Arc::new(beside));
        self
    }

    /// Returns another tree that has the same trees beside it.
    #[must_use]
    pub fn replaced(&self, store: Arc<dyn Store>, root: Id) -> Self {
        Self { store, root, beside: self.beside.clone() }
    }

    /// Returns the tree that a path leads into, and how many of its names lead there.
    pub(crate) fn place_of(&self, path: &str) -> (&Self, usize) {
        let first = path.split('/').next().unwrap_or_default();
        match self.beside.as_ref().and_then(|beside| beside.get(first)) {
            Some(tree) => (tree, 1),
            None => (self, 0),
        }
    }

    /// Returns the id of the root folder.
    pub fn id(&self) -> Id {
        self.root
    }

    /// Returns the store behind the tree.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Returns a reader that records what is looked at.
    pub fn reader(&self) -> Reader {
        Reader::new(self.clone())
    }

    /// Finds the entry at a clean path, without following links and without a record.
    pub fn find(&self, path: &str) -> Result<Option<Entry>, Error> {
        let (tree, skipped) = self.place_of(path);
        let mut found = Entry { name: "".into(), kind: Kind::Folder, id: tree.root };
        for name in path.split('/').filter(|name| !name.is_empty()).skip(skipped) {
            if found.kind != Kind::Folder {
                return Ok(None);
            }
            let entries = self.entries(&found.id, path)?;
            match entries.iter().find(|entry| &*entry.name == name) {
                Some(entry) => found = entry.clone(),
                None => return Ok(None),
            }
        }
        Ok(Some(found))
    }

    pub(crate) fn entries(&self, id: &Id, path: &str) -> Result<Arc<[Entry]>, Error> {
        self.place_of(path).0.store.tree(id).map_err(|error| Error::Store { path: path.to_owned(), message: error.0 })
    }

    pub(crate) fn blob(&self, id: &Id, path: &str) -> Result<Arc<[u8]>, Error> {
        self.place_of(path).0.store.blob(id).map_err(|error| Error::Store { path: path.to_owned(), message: error.0 })
    }
}

impl fmt::Debug for FileTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FileTree").field(&self.root).finish()
    }
}

impl PartialEq for FileTree {
    fn eq(&self, other: &Self) -> bool {
        self.root == other.root && self.beside == other.beside
    }
}

impl Eq for FileTree {}
