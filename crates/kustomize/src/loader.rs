//! Finds files and folders for a kustomization and keeps it inside its root.

use lockstep_files::{Kind, Reader};

use crate::{LoadRestrictor, RemoteAddress, RemoteBases, RemoteError, error::Error};

/// Reads on behalf of one folder with a kustomization. Paths are those of the tree; texts show them with a leading `/`.
#[derive(Clone)]
pub(crate) struct Loader<'a> {
    reader: Reader,
    root: String,
    /// The folders on the way here, outermost first, by tree.
    visited: Vec<(String, String)>,
    /// Names the remote tree that this folder lies in; empty for the local one.
    repository: String,
    restrictor: LoadRestrictor,
    remote: Option<&'a dyn RemoteBases>,
}

impl<'a> Loader<'a> {
    /// Returns the loader of the build's root.
    pub(crate) fn new(
        reader: Reader,
        root: &str,
        restrictor: LoadRestrictor,
        remote: Option<&'a dyn RemoteBases>,
    ) -> Result<Self, Error> {
        let loader =
            Self { reader, root: String::new(), visited: Vec::new(), repository: String::new(), restrictor, remote };
        if let Some(address) = RemoteAddress::parse(root) {
            return loader.open_remote(root, &address);
        }
        // A missing root is an empty one: the file is missed then.
        let root = clean(root);
        if let Some(Kind::File | Kind::Executable) = loader.kind(&root)? {
            return Err(Error::new(format!("must build at directory: '{}': file is not directory", shown(&root))));
        }
        Ok(Self { root, ..loader })
    }

    /// Returns the root as texts show it.
    pub(crate) fn shown_root(&self) -> String {
        shown(&self.root)
    }

    /// Returns the root in the tree.
    pub(crate) fn root(&self) -> &str {
        &self.root
    }

    /// Returns the reader of the tree that the root lies in.
    pub(crate) fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Joins a path to the root.
    pub(crate) fn join(&self, path: &str) -> String {
        if path.starts_with('/') { clean(path) } else { clean(&format!("{}/{path}", self.root)) }
    }

    /// Reads a file named in the kustomization.
    pub(crate) fn load(&self, path: &str) -> Result<Vec<u8>, Error> {
        if is_url(path) {
            let Some(remote) = self.remote else { return Err(refused(path)) };
            if RemoteAddress::names_repository(path) {
                return Err(Error::new("URL is a git repository"));
            }
            return remote.file(path).map_err(remote_error);
        }
        let full = self.join(path);
        if path.starts_with('/') {
            // The tree is the whole world: an absolute path leads out of it.
            return Err(self.missing(&full));
        }
        self.load_full(&full)
    }

    /// Reads a file named by its path in the tree.
    pub(crate) fn load_full(&self, full: &str) -> Result<Vec<u8>, Error> {
        if self.restrictor == LoadRestrictor::RootOnly {
            match self.kind(full)? {
                None => return Err(self.missing(full)),
                Some(Kind::Folder | Kind::Submodule) => {
                    return Err(Error::new(format!("'{}' must resolve to a file", shown(full))));
                }
                Some(_) if !has_prefix(full, &self.root) => {
                    let root = self.shown_root();
                    return Err(Error::new(format!("security; file '{}' is not in or below '{root}'", shown(full))));
                }
                Some(_) => {}
            }
        } else {
            match self.kind(full)? {
                None => return Err(Error::new(format!("open {}: no such file or directory", shown(full)))),
                Some(Kind::Folder | Kind::Submodule) => {
                    return Err(Error::new(format!("read {}: is a directory", shown(full))));
                }
                Some(_) => {}
            }
        }
        let bytes = self.reader.read(full).map_err(|error| Error::new(error.to_string()).at(full, 0))?;
        Ok(bytes.to_vec())
    }

    /// Reads a file as text; bytes that are no UTF-8 are replaced.
    pub(crate) fn load_text(&self, path: &str) -> Result<String, Error> {
        let bytes = self.load(path)?;
        Ok(match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        })
    }

    /// Returns the loader of a folder named in the kustomization.
    pub(crate) fn child(&self, path: &str) -> Result<Self, Error> {
        if path.is_empty() {
            return Err(Error::new("new root cannot be empty"));
        }
        if let Some(address) = RemoteAddress::parse(path) {
            return self.open_remote(path, &address);
        }
        if path.starts_with('/') {
            return Err(Error::new(format!("new root '{path}' cannot be absolute")));
        }
        let root = self.folder(&self.join(path)).map_err(|error| error.wrap("must build at directory"))?;
        let mut visited = self.visited.clone();
        visited.push((self.repository.clone(), self.root.clone()));
        for (_, seen) in visited.iter().rev().filter(|(repository, _)| *repository == self.repository) {
            if has_prefix(seen, &root) {
                return Err(Error::new(format!(
                    "cycle detected: candidate root '{}' contains visited root '{}'",
                    shown(&root),
                    shown(seen)
                )));
            }
        }
        Ok(Self { root, visited, ..self.clone() })
    }

    fn open_remote(&self, url: &str, address: &RemoteAddress) -> Result<Self, Error> {
        let Some(remote) = self.remote else { return Err(refused(url)) };
        if self.repository == url || self.visited.iter().any(|(repository, _)| repository == url) {
            return Err(Error::new(format!("cycle detected: URI '{url}' referenced by previous URI '{url}'")));
        }
        let tree = remote.open(address).map_err(remote_error)?;
        let mut visited = self.visited.clone();
        visited.push((self.repository.clone(), self.root.clone()));
        let opened = Self {
            reader: tree.reader(),
            root: String::new(),
            visited,
            repository: url.to_owned(),
            restrictor: LoadRestrictor::RootOnly,
            remote: self.remote,
        };
        let root = opened.folder(&clean(&address.folder))?;
        Ok(Self { root, ..opened })
    }

    /// Confirms that a path is a folder.
    fn folder(&self, path: &str) -> Result<String, Error> {
        match self.kind(path)? {
            None => Err(self.missing(path).wrap("not a valid directory")),
            Some(Kind::Folder) => Ok(path.to_owned()),
            Some(_) => Err(Error::new(format!("'{}': file is not directory", shown(path)))),
        }
    }

    /// Tells what a path is, links followed.
    pub(crate) fn kind(&self, path: &str) -> Result<Option<Kind>, Error> {
        if path.is_empty() {
            return Ok(Some(Kind::Folder));
        }
        match self.reader.kind(path) {
            Ok(kind) => Ok(kind),
            Err(lockstep_files::Error::NotFound { .. } | lockstep_files::Error::NotAFolder { .. }) => Ok(None),
            Err(lockstep_files::Error::Escapes { .. } | lockstep_files::Error::BadName { .. }) => Ok(None),
            Err(error) => Err(Error::new(error.to_string()).at(path, 0)),
        }
    }

    /// Words a missing path as Go's `EvalSymlinks` does: it names the first part that is missing.
    fn missing(&self, path: &str) -> Error {
        let mut known = path.len();
        for (at, _) in path.match_indices('/') {
            if !matches!(self.kind(&path[..at]), Ok(Some(_))) {
                known = at;
                break;
            }
        }
        let first = shown(&path[..known]);
        Error::new(format!("evalsymlink failure on '{}' : lstat {first}: no such file or directory", shown(path)))
            .at(path, 0)
    }
}

fn refused(url: &str) -> Error {
    Error::new(format!("remote base '{url}' is not allowed")).remote()
}

fn remote_error(error: RemoteError) -> Error {
    match error {
        RemoteError::Failed(message) => Error::new(message),
        RemoteError::Pending => Error::new("a remote base is not fetched yet").remote(),
    }
}

/// Shows a path of the tree as texts do.
pub(crate) fn shown(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("/{path}") }
}

fn has_prefix(path: &str, folder: &str) -> bool {
    folder.is_empty() || path == folder || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// Removes `.`, `..` and empty parts; nothing lies above the top of the tree.
pub(crate) fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn is_url(path: &str) -> bool {
    path.starts_with("http://") || path.starts_with("https://")
}
