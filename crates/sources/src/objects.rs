//! Reading objects of a Git object database as the objects of a file tree.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use gix::{
    ObjectId,
    objs::{CommitRef, FindExt, Kind as ObjectKind, TreeRefIter, tree::EntryKind},
    odb::store::init::Slots,
};
use lockstep_files::{Entry, Id, Kind, Store, StoreError};

use crate::{CommitId, CommitInfo, Error, ErrorKind, Result, lru::Lru};

/// Larger files are refused: nothing that is rendered is so large.
const LARGEST_BLOB: u64 = 128 << 20;

/// One object database. Shared by all snapshots of a repository.
pub(crate) struct Objects {
    /// Handles are not for two threads at a time; the first is only copied.
    template: Mutex<gix::odb::Handle>,
    idle: Mutex<Vec<gix::odb::Handle>>,
    trees: Mutex<Lru<Arc<[Entry]>>>,
    blobs: Mutex<Lru<Arc<[u8]>>>,
    /// Keeps the files from being cleaned up while somebody reads.
    _in_use: Option<std::fs::File>,
}

impl Objects {
    pub(crate) fn open(folder: &Path, cache_bytes: usize, in_use: Option<std::fs::File>) -> Result<Arc<Self>> {
        // A database that is fetched into or repacked gets more packs than it had when it was opened.
        let slots = Slots::AsNeededByDiskState { multiplier: 2.0, minimum: 256 };
        let options = gix::odb::store::init::Options { slots, ..Default::default() };
        let template = gix::odb::at_opts(folder, gix::hash::Kind::Sha1, None, options)
            .map_err(|error| Error::storage("the Git objects cannot be read", error))?;
        Ok(Arc::new(Self {
            template: Mutex::new(template),
            idle: Mutex::default(),
            trees: Mutex::new(Lru::new(cache_bytes / 2)),
            blobs: Mutex::new(Lru::new(cache_bytes / 2)),
            _in_use: in_use,
        }))
    }

    /// Runs with a handle of the pool.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&gix::odb::Handle) -> T) -> T {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let handle = idle().pop();
        let handle = handle.unwrap_or_else(|| self.template.lock().unwrap_or_else(PoisonError::into_inner).clone());
        let result = work(&handle);
        let mut idle = idle();
        if idle.len() < 8 {
            idle.push(handle);
        }
        result
    }

    pub(crate) fn has(&self, id: &ObjectId) -> bool {
        self.with(|handle| gix::objs::Exists::exists(handle, id))
    }

    /// Reads a commit; `None` when it is not here.
    pub(crate) fn commit(&self, id: ObjectId) -> Result<Option<Commit>> {
        if !self.has(&id) {
            return Ok(None);
        }
        self.with(|handle| {
            let mut buffer = Vec::new();
            let commit = handle.find_commit(&id, &mut buffer).map_err(|error| not_a_commit(&id, &error))?;
            Commit::read(id, &commit).map(Some)
        })
    }

    /// Follows annotated tags to the commit.
    pub(crate) fn peel(&self, mut id: ObjectId) -> Result<ObjectId> {
        for _ in 0..10 {
            let next = self.with(|handle| {
                let mut buffer = Vec::new();
                let data = handle.find(&id, &mut buffer).map_err(|error| not_a_commit(&id, &error))?;
                match data.kind {
                    ObjectKind::Commit => Ok(None),
                    ObjectKind::Tag => gix::objs::TagRefIter::from_bytes(data.data, gix::hash::Kind::Sha1)
                        .target_id()
                        .map(Some)
                        .map_err(|error| not_a_commit(&id, &error)),
                    _ => Err(not_a_commit(&id, &"it is a file or folder")),
                }
            })?;
            match next {
                Some(target) => id = target,
                None => return Ok(id),
            }
        }
        Err(not_a_commit(&id, &"too many tags point at each other"))
    }

    fn load_tree(&self, id: &ObjectId) -> std::result::Result<Vec<Entry>, String> {
        self.with(|handle| {
            let mut buffer = Vec::new();
            let data =
                handle.find(id, &mut buffer).map_err(|error| format!("the folder {id} cannot be read: {error}"))?;
            if data.kind != ObjectKind::Tree {
                return Err(format!("{id} is no folder"));
            }
            entries(data.data).map_err(|error| format!("the folder {id} is damaged: {error}"))
        })
    }

    fn load_blob(&self, id: &ObjectId) -> std::result::Result<Vec<u8>, String> {
        self.with(|handle| {
            let header = gix::objs::FindHeader::try_header(handle, id).map_err(|error| error.to_string())?;
            let header = header.ok_or_else(|| format!("the file {id} is missing"))?;
            if header.size > LARGEST_BLOB {
                return Err(format!(
                    "the file {id} has {} MiB, more than the {} MiB that are read",
                    header.size >> 20,
                    LARGEST_BLOB >> 20
                ));
            }
            let mut buffer = Vec::new();
            let kind =
                handle.find(id, &mut buffer).map_err(|error| format!("the file {id} cannot be read: {error}"))?.kind;
            if kind == ObjectKind::Blob { Ok(buffer) } else { Err(format!("{id} is no file")) }
        })
    }
}

/// What a commit says.
pub(crate) struct Commit {
    pub tree: ObjectId,
    pub info: CommitInfo,
}

impl Commit {
    fn read(id: ObjectId, commit: &CommitRef<'_>) -> Result<Self> {
        let author = commit.author().map_err(|error| not_a_commit(&id, &error))?;
        let time = commit.time().map_err(|error| not_a_commit(&id, &error))?;
        let parents: Result<Vec<CommitId>> = commit.parents().map(CommitId::try_from).collect();
        let info = CommitInfo {
            id: id.try_into()?,
            parents: parents?,
            author: author.name.to_string(),
            email: author.email.to_string(),
            time: time.seconds,
            message: commit.message.to_string(),
        };
        Ok(Self { tree: commit.tree(), info })
    }
}

fn not_a_commit(id: &ObjectId, error: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::CommitNotFound, format!("{id} is not a commit that can be read: {error}"))
}

/// Reads a folder as Git stores it. Names that are not UTF-8 are shown with replacement characters.
pub(crate) fn entries(bytes: &[u8]) -> std::result::Result<Vec<Entry>, String> {
    let entries = TreeRefIter::from_bytes(bytes, gix::hash::Kind::Sha1).map(|entry| {
        let entry = entry.map_err(|error| error.to_string())?;
        let name = String::from_utf8_lossy(entry.filename).into();
        Ok(Entry { name, kind: kind_of(entry.mode.kind()), id: files_id(entry.oid) })
    });
    entries.collect()
}

fn kind_of(kind: EntryKind) -> Kind {
    match kind {
        EntryKind::Tree => Kind::Folder,
        EntryKind::Blob => Kind::File,
        EntryKind::BlobExecutable => Kind::Executable,
        EntryKind::Link => Kind::Link,
        EntryKind::Commit => Kind::Submodule,
    }
}

/// Translates an id of the object database to one of a file tree.
pub(crate) fn files_id(id: &gix::oid) -> Id {
    let mut bytes = [0; 20];
    bytes.copy_from_slice(&id.as_bytes()[..20]);
    Id::new(bytes)
}

/// Translates an id of a file tree to one of the object database.
pub(crate) fn object_id(id: &Id) -> ObjectId {
    ObjectId::Sha1(*id.as_bytes())
}

impl Store for Objects {
    fn tree(&self, id: &Id) -> std::result::Result<Arc<[Entry]>, StoreError> {
        let id = object_id(id);
        let cache = || self.trees.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = cache().get(&id) {
            return Ok(found);
        }
        let entries = if id.is_empty_tree() { Vec::new() } else { self.load_tree(&id).map_err(StoreError)? };
        let bytes = entries.iter().map(|entry| entry.name.len() + 64).sum::<usize>() + 64;
        let entries: Arc<[Entry]> = entries.into();
        cache().put(id, bytes, entries.clone());
        Ok(entries)
    }

    fn blob(&self, id: &Id) -> std::result::Result<Arc<[u8]>, StoreError> {
        let id = object_id(id);
        let cache = || self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = cache().get(&id) {
            return Ok(found);
        }
        let bytes: Arc<[u8]> = self.load_blob(&id).map_err(StoreError)?.into();
        cache().put(id, bytes.len() + 64, bytes.clone());
        Ok(bytes)
    }
}
