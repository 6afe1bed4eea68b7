//! A tree held in memory.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use crate::{Entry, Error, Id, Kind, Store, StoreError};

/// The objects of a tree built from files.
pub struct MemoryStore {
    trees: HashMap<Id, Arc<[Entry]>>,
    blobs: HashMap<Id, Arc<[u8]>>,
}

/// A folder while it is being built.
#[derive(Default)]
struct Folder {
    folders: BTreeMap<String, Folder>,
    files: BTreeMap<String, (Kind, Id)>,
}

/// Deeper paths are refused: nothing real has them, and folders are hashed by recursion.
const DEEPEST: usize = 256;

impl MemoryStore {
    /// Builds the store and returns it with the id of the root.
    pub fn build(entries: impl IntoIterator<Item = (String, Kind, Arc<[u8]>)>) -> Result<(Self, Id), Error> {
        let mut store = Self { trees: HashMap::new(), blobs: HashMap::new() };
        let mut root = Folder::default();
        for (path, kind, bytes) in entries {
            let id = Id::of("blob", &bytes);
            root.place(&path, kind, id)?;
            store.blobs.insert(id, bytes);
        }
        let id = store.keep(root);
        Ok((store, id))
    }

    fn keep(&mut self, folder: Folder) -> Id {
        let folders = folder.folders.into_iter().map(|(name, folder)| (name, Kind::Folder, self.keep(folder)));
        let mut entries: Vec<Entry> = folders.map(|(name, kind, id)| Entry { name: name.into(), kind, id }).collect();
        entries.extend(folder.files.into_iter().map(|(name, (kind, id))| Entry { name: name.into(), kind, id }));
        entries.sort_by(Entry::git_order);
        let mut content = Vec::new();
        for entry in &entries {
            content.extend_from_slice(entry.kind.mode().as_bytes());
            content.push(b' ');
            content.extend_from_slice(entry.name.as_bytes());
            content.push(0);
            content.extend_from_slice(entry.id.as_bytes());
        }
        let id = Id::of("tree", &content);
        self.trees.insert(id, entries.into());
        id
    }
}

impl Folder {
    fn place(&mut self, path: &str, kind: Kind, id: Id) -> Result<(), Error> {
        let bad = || Error::BadName { path: path.to_owned() };
        let names: Vec<&str> = path.split('/').collect();
        let valid = |name: &&str| !matches!(*name, "" | "." | "..") && !name.contains('\0');
        if names.len() > DEEPEST || !names.iter().all(valid) || matches!(kind, Kind::Folder | Kind::Submodule) {
            return Err(bad());
        }
        let (name, folders) = names.split_last().ok_or_else(bad)?;
        let mut folder = self;
        for name in folders {
            if folder.files.contains_key(*name) {
                return Err(bad());
            }
            folder = folder.folders.entry((*name).to_owned()).or_default();
        }
        if folder.folders.contains_key(*name) {
            return Err(bad());
        }
        folder.files.insert((*name).to_owned(), (kind, id));
        Ok(())
    }
}

impl Store for MemoryStore {
    fn tree(&self, id: &Id) -> Result<Arc<[Entry]>, StoreError> {
        self.trees.get(id).cloned().ok_or_else(|| StoreError(format!("the tree {id} is missing")))
    }

    fn blob(&self, id: &Id) -> Result<Arc<[u8]>, StoreError> {
        self.blobs.get(id).cloned().ok_or_else(|| StoreError(format!("the file {id} is missing")))
    }
}
