//! Making commits: edits of a tree to new objects, and new objects to a pack. Pure but for the objects that are read.

use std::{
    collections::{BTreeMap, HashMap},
    io::Write,
    sync::Arc,
};

use flate2::{Compression, write::ZlibEncoder};
use gix::{
    ObjectId,
    objs::{Kind as ObjectKind, WriteTo, bstr::BString},
};
use lockstep_files::{Entry, FileTree, Id, Kind, Store};
use sha1::{Digest, Sha1};

use crate::{Author, CommitId, Edit, Error, ErrorKind, Result, objects};

/// New objects, each once.
#[derive(Default)]
pub(crate) struct NewObjects(BTreeMap<ObjectId, (ObjectKind, Vec<u8>)>);

/// Edits of one folder: what becomes of its names.
#[derive(Default)]
struct Folder {
    folders: BTreeMap<String, Folder>,
    entries: BTreeMap<String, Option<(Kind, Id)>>,
}

impl NewObjects {
    pub(crate) fn add(&mut self, kind: ObjectKind, bytes: Vec<u8>) -> Id {
        let id = Id::of(std::str::from_utf8(kind.as_bytes()).unwrap_or("blob"), &bytes);
        self.0.insert(objects::object_id(&id), (kind, bytes));
        id
    }

    /// Returns all of them with their kinds.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (ObjectKind, &[u8])> {
        self.0.values().map(|(kind, bytes)| (*kind, bytes.as_slice()))
    }

    /// Writes them as a pack (version 2, nothing as a delta).
    pub(crate) fn pack(&self) -> Result<Vec<u8>> {
        let mut pack = b"PACK\0\0\0\x02".to_vec();
        let count = u32::try_from(self.0.len()).map_err(|_| Error::new(ErrorKind::TooLarge, "too many new objects"))?;
        pack.extend_from_slice(&count.to_be_bytes());
        for (kind, bytes) in self.0.values() {
            put_header(&mut pack, *kind, bytes.len());
            let mut encoder = ZlibEncoder::new(&mut pack, Compression::fast());
            let written = encoder.write_all(bytes).and_then(|()| encoder.finish().map(drop));
            written.map_err(|error| Error::storage("the pack could not be made", error))?;
        }
        let digest = Sha1::digest(&pack);
        pack.extend_from_slice(&digest);
        Ok(pack)
    }
}

/// Kind and size: four bits of size, then seven at a time.
fn put_header(pack: &mut Vec<u8>, kind: ObjectKind, size: usize) {
    let number: u8 = match kind {
        ObjectKind::Commit => 1,
        ObjectKind::Tree => 2,
        ObjectKind::Blob => 3,
        ObjectKind::Tag => 4,
    };
    let mut byte = (number << 4) | u8::try_from(size & 15).unwrap_or(0);
    let mut rest = size >> 4;
    while rest > 0 {
        pack.push(byte | 0x80);
        byte = u8::try_from(rest & 0x7f).unwrap_or(0);
        rest >>= 7;
    }
    pack.push(byte);
}

/// What a path shall become.
pub(crate) enum Becomes {
    /// Nothing.
    Gone,
    /// An entry that exists already.
    Entry(Kind, Id),
}

/// Applies edits to a tree; returns the new root.
pub(crate) fn apply(tree: &FileTree, edits: Vec<Edit>, new: &mut NewObjects) -> Result<Id> {
    let mut changes = Vec::new();
    for edit in edits {
        changes.push(match edit {
            Edit::Write { path, contents, executable } => {
                let kind = match (executable, find(tree, &path)?.map(|entry| entry.kind)) {
                    (Some(true), _) | (None, Some(Kind::Executable)) => Kind::Executable,
                    _ => Kind::File,
                };
                (path, Becomes::Entry(kind, new.add(ObjectKind::Blob, contents)))
            }
            Edit::Delete { path } => {
                find(tree, &path)?
                    .ok_or_else(|| Error::new(ErrorKind::BadEdit, format!("{path}: there is nothing to remove")))?;
                (path, Becomes::Gone)
            }
        });
    }
    place(tree, changes, new)
}

/// Puts entries into a tree; returns the new root.
pub(crate) fn place(tree: &FileTree, changes: Vec<(String, Becomes)>, new: &mut NewObjects) -> Result<Id> {
    let mut root = Folder::default();
    for (path, becomes) in changes {
        let bad = || Error::new(ErrorKind::BadEdit, format!("{path:?} is not a path in a repository"));
        let names: Vec<&str> = path.split('/').collect();
        let valid = |name: &&str| {
            !matches!(*name, "" | "." | "..") && !name.eq_ignore_ascii_case(".git") && !name.contains('\0')
        };
        if names.len() > 256 || !names.iter().all(valid) {
            return Err(bad());
        }
        let (name, above) = names.split_last().ok_or_else(bad)?;
        let folder = above.iter().fold(&mut root, |folder, name| folder.folders.entry((*name).to_owned()).or_default());
        let entry = match becomes {
            Becomes::Gone => None,
            Becomes::Entry(kind, id) => Some((kind, id)),
        };
        folder.entries.insert((*name).to_owned(), entry);
    }
    rebuild(tree.store().as_ref(), Some(tree.id()), root, new)
        .map(|id| id.unwrap_or_else(|| new.add(ObjectKind::Tree, Vec::new())))
}

pub(crate) fn find(tree: &FileTree, path: &str) -> Result<Option<Entry>> {
    tree.find(path).map_err(|error| Error::storage("the tree cannot be read", error))
}

/// Returns the folder's new id, or nothing when it has become empty: Git has no empty folders.
fn rebuild(store: &dyn Store, old: Option<Id>, folder: Folder, new: &mut NewObjects) -> Result<Option<Id>> {
    let entries =
        old.map(|id| store.tree(&id)).transpose().map_err(|error| Error::storage("the tree cannot be read", error))?;
    let mut entries: Vec<Entry> = entries.map_or_else(Vec::new, |entries| entries.to_vec());
    if entries.iter().any(|entry| entry.name.contains('\u{fffd}')) {
        // Names are read as text; written back, such a name would be another one.
        return Err(Error::new(
            ErrorKind::Unsupported,
            "a folder with file names that are not UTF-8 cannot be changed",
        ));
    }
    for (name, inner) in folder.folders {
        let there =
            entries.iter().find(|entry| *entry.name == name && entry.kind == Kind::Folder).map(|entry| entry.id);
        let id = rebuild(store, there, inner, new)?;
        entries.retain(|entry| *entry.name != name);
        entries.extend(id.map(|id| Entry { name: name.into(), kind: Kind::Folder, id }));
    }
    for (name, entry) in folder.entries {
        entries.retain(|entry| *entry.name != name);
        entries.extend(entry.map(|(kind, id)| Entry { name: name.into(), kind, id }));
    }
    if entries.is_empty() {
        return Ok(None);
    }
    entries.sort_by(Entry::git_order);
    Ok(Some(new.add(ObjectKind::Tree, encode(&entries))))
}

/// Writes a folder as Git stores it.
pub(crate) fn encode(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in entries {
        let mode: &[u8] = match entry.kind {
            Kind::File => b"100644 ",
            Kind::Executable => b"100755 ",
            Kind::Link => b"120000 ",
            Kind::Folder => b"40000 ",
            Kind::Submodule => b"160000 ",
        };
        bytes.extend_from_slice(mode);
        bytes.extend_from_slice(entry.name.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(entry.id.as_bytes());
    }
    bytes
}

/// Makes a commit.
pub(crate) fn commit(
    tree: Id,
    parent: CommitId,
    message: &str,
    author: &Author,
    new: &mut NewObjects,
) -> Result<CommitId> {
    let clean = |text: &str| BString::from(text.replace(['<', '>', '\n', '\0'], "").trim());
    let signature = gix::actor::Signature {
        name: clean(&author.name),
        email: clean(&author.email),
        time: gix::date::Time::new(author.time, 0),
    };
    let message = if message.ends_with('\n') { message.to_owned() } else { format!("{message}\n") };
    let commit = gix::objs::Commit {
        tree: objects::object_id(&tree),
        parents: [parent.oid()].into_iter().collect(),
        author: signature.clone(),
        committer: signature,
        encoding: None,
        message: message.into(),
        extra_headers: Vec::new(),
    };
    let mut bytes = Vec::new();
    commit
        .write_to(&mut bytes)
        .map_err(|error| Error::new(ErrorKind::BadEdit, format!("the commit cannot be written: {error}")))?;
    let id = new.add(ObjectKind::Commit, bytes);
    objects::object_id(&id).try_into()
}

/// A file or folder that two trees have differently.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    pub path: String,
    pub left: Option<(Kind, Id)>,
    pub right: Option<(Kind, Id)>,
}

/// Compares two trees, file by file.
pub(crate) fn differences(store: &dyn Store, left: Option<Id>, right: Option<Id>) -> Result<Vec<Difference>> {
    let mut out = Vec::new();
    compare(store, "", left, right, &mut out)?;
    Ok(out)
}

fn compare(
    store: &dyn Store,
    above: &str,
    left: Option<Id>,
    right: Option<Id>,
    out: &mut Vec<Difference>,
) -> Result<()> {
    let mut names: BTreeMap<Box<str>, [Option<(Kind, Id)>; 2]> = BTreeMap::new();
    for (side, id) in [left, right].into_iter().enumerate() {
        let entries = id.map(|id| store.tree(&id)).transpose();
        for entry in entries
            .map_err(|error| Error::storage("the tree cannot be read", error))?
            .iter()
            .flat_map(|entries| entries.iter())
        {
            names.entry(entry.name.clone()).or_default()[side] = Some((entry.kind, entry.id));
        }
    }
    for (name, [left, right]) in names {
        if left == right {
            continue;
        }
        let path = if above.is_empty() { name.to_string() } else { format!("{above}/{name}") };
        if path.len() > 16 << 10 {
            return Err(Error::new(ErrorKind::TooLarge, "folders are nested too deeply"));
        }
        let folder = |side: Option<(Kind, Id)>| side.filter(|side| side.0 == Kind::Folder).map(|side| side.1);
        let file = |side: Option<(Kind, Id)>| side.filter(|side| side.0 != Kind::Folder);
        if folder(left).is_some() || folder(right).is_some() {
            compare(store, &path, folder(left), folder(right), out)?;
        }
        if file(left).is_some() || file(right).is_some() {
            out.push(Difference { path, left: file(left), right: file(right) });
        }
    }
    Ok(())
}

/// Folders by their ids.
pub(crate) type Folders = HashMap<Id, Arc<[Entry]>>;

/// Puts entries into a tree without writing objects; returns the new root and the folders that came about.
pub(crate) fn overlay(tree: &FileTree, changes: Vec<(String, Becomes)>) -> Result<(Id, Folders)> {
    let mut new = NewObjects::default();
    let root = place(tree, changes, &mut new)?;
    let mut trees = HashMap::new();
    for (id, (_, bytes)) in &new.0 {
        let entries = objects::entries(bytes).map_err(|error| Error::storage("the tree cannot be read", error))?;
        trees.insert(objects::files_id(id), entries.into());
    }
    Ok((root, trees))
}
