//! The files of this machine as a tree, read when they are looked at: for a command that a person runs on a folder.

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use lockstep_files::{Entry, FileTree, Id, Kind, Store, StoreError};

/// Returns the whole file system as a tree. Its ids name paths, not contents: two trees must not be compared, and
/// what a rendering read does not tell when it is out of date. `.git` folders are left out.
pub fn disk() -> FileTree {
    let root = id_of("/");
    let disk = Disk::default();
    disk.lock().paths.insert(root, PathBuf::from("/"));
    FileTree::new(Arc::new(disk), root)
}

/// What was looked at, so that one rendering sees one state.
#[derive(Default)]
struct Disk(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    paths: HashMap<Id, PathBuf>,
    folders: HashMap<Id, Arc<[Entry]>>,
    files: HashMap<Id, Arc<[u8]>>,
}

fn id_of(path: &str) -> Id {
    Id::of("path", path.as_bytes())
}

impl Disk {
    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, id: &Id) -> Result<PathBuf, StoreError> {
        self.lock().paths.get(id).cloned().ok_or_else(|| StoreError(format!("{id} was not looked at")))
    }
}

impl Store for Disk {
    fn tree(&self, id: &Id) -> Result<Arc<[Entry]>, StoreError> {
        if let Some(known) = self.lock().folders.get(id) {
            return Ok(Arc::clone(known));
        }
        let folder = self.path(id)?;
        let mut found = Vec::new();
        let listing = fs::read_dir(&folder).map_err(|error| StoreError(error.to_string()))?;
        for entry in listing.filter_map(Result::ok) {
            // Names that are no text cannot be named in a manifest either.
            let (Ok(name), Ok(kind)) = (entry.file_name().into_string(), entry.file_type()) else { continue };
            let path = entry.path();
            let kind = match kind {
                kind if kind.is_dir() && name == ".git" => continue,
                kind if kind.is_dir() => Kind::Folder,
                kind if kind.is_symlink() => Kind::Link,
                kind if kind.is_file() => match entry.metadata() {
                    Ok(metadata) if metadata.permissions().mode() & 0o100 != 0 => Kind::Executable,
                    _ => Kind::File,
                },
                _ => continue,
            };
            found.push((Entry { id: id_of(&path.to_string_lossy()), name: name.into(), kind }, path));
        }
        found.sort_by(|(left, _), (right, _)| left.git_order(right));
        let mut seen = self.lock();
        seen.paths.extend(found.iter().map(|(entry, path)| (entry.id, path.clone())));
        let entries: Arc<[Entry]> = found.into_iter().map(|(entry, _)| entry).collect();
        seen.folders.insert(*id, Arc::clone(&entries));
        Ok(entries)
    }

    fn blob(&self, id: &Id) -> Result<Arc<[u8]>, StoreError> {
        if let Some(known) = self.lock().files.get(id) {
            return Ok(Arc::clone(known));
        }
        let path = self.path(id)?;
        let target = fs::read_link(&path).ok();
        let bytes = match target {
            Some(target) => inside(&path, &target).into_bytes(),
            None => fs::read(&path).map_err(|error| StoreError(error.to_string()))?,
        };
        let bytes: Arc<[u8]> = bytes.into();
        self.lock().files.insert(*id, Arc::clone(&bytes));
        Ok(bytes)
    }
}

/// Returns a link's target as a tree takes it: absolute ones go up to the root first.
fn inside(link: &Path, target: &Path) -> String {
    let target = target.to_string_lossy();
    match target.strip_prefix('/') {
        Some(from_root) => {
            let depth = link.parent().map_or(0, |folder| folder.components().count().saturating_sub(1));
            format!("{}{from_root}", "../".repeat(depth))
        }
        None => target.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_above_and_behind_links_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        fs::create_dir_all(top.join("base/.git")).unwrap();
        fs::write(top.join("base/a.yaml"), "a").unwrap();
        std::os::unix::fs::symlink(top.join("base"), top.join("link")).unwrap();
        let reader = disk().reader();
        let inside = top.to_string_lossy().trim_start_matches('/').to_owned();
        assert_eq!(reader.read_text(&format!("{inside}/link/a.yaml")).unwrap(), "a");
        assert_eq!(reader.walk(&format!("{inside}/base")).unwrap(), [format!("{inside}/base/a.yaml")]);
        assert_eq!(reader.kind(&format!("{inside}/none")).unwrap(), None);
    }
}
