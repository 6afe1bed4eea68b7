//! Reading with a record.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use globset::GlobBuilder;

use crate::{
    Entry, Error, FileTree, Id, Kind, join,
    path::{child, split},
};

/// Links that lead to links: Linux gives up after as many.
const LINKS: usize = 40;

/// What was looked at: for each path the id that was there, or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads(BTreeMap<String, Option<Id>>);

impl Reads {
    /// Walks the paths and what was there.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<Id>)> {
        self.0.iter().map(|(path, id)| (path.as_str(), *id))
    }

    /// Tells whether every look at `tree` would find the same. A store that fails finds something else.
    pub fn still_holds(&self, tree: &FileTree) -> bool {
        self.0.iter().all(|(path, id)| tree.find(path).is_ok_and(|entry| entry.map(|entry| entry.id) == *id))
    }
}

/// Reads a tree and records every path looked at, also the ones not found. Clones share the record.
///
/// Paths count from the tree's root, `/` between names, no leading slash; the root is empty.
/// Symbolic links are followed inside the tree; one that leaves it is an error.
#[derive(Clone, Debug)]
pub struct Reader {
    tree: FileTree,
    reads: Arc<Mutex<Reads>>,
}

impl Reader {
    pub(crate) fn new(tree: FileTree) -> Self {
        Self { tree, reads: Arc::default() }
    }

    /// Returns the tree.
    pub fn tree(&self) -> &FileTree {
        &self.tree
    }

    /// Returns what was looked at so far.
    pub fn reads(&self) -> Reads {
        self.reads.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns a file's bytes.
    pub fn read(&self, path: &str) -> Result<Arc<[u8]>, Error> {
        let Some((_, entry)) = self.resolve(path)? else {
            return Err(Error::NotFound { path: path.to_owned() });
        };
        if !entry.kind.is_file() {
            return Err(Error::NotAFile { path: path.to_owned() });
        }
        self.tree.blob(&entry.id, path)
    }

    /// Returns a file's text.
    pub fn read_text(&self, path: &str) -> Result<String, Error> {
        let bytes = self.read(path)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| Error::NotText { path: path.to_owned() })?;
        Ok(text.to_owned())
    }

    /// Returns what is at the path, links followed.
    pub fn kind(&self, path: &str) -> Result<Option<Kind>, Error> {
        Ok(self.resolve(path)?.map(|(_, entry)| entry.kind))
    }

    /// Returns the id of what is at the path, links followed: answers for everything below it.
    pub fn id(&self, path: &str) -> Result<Option<Id>, Error> {
        Ok(self.resolve(path)?.map(|(_, entry)| entry.id))
    }

    /// Returns a folder's entries in Git's order; links have the kind and id of what they point at, broken ones stay links.
    pub fn list(&self, path: &str) -> Result<Vec<Entry>, Error> {
        let (real, folder) = self.folder(path)?;
        let mut entries = self.tree.entries(&folder.id, path)?.to_vec();
        for entry in entries.iter_mut().filter(|entry| entry.kind == Kind::Link) {
            if let Some((_, target)) = self.resolve(&child(&real, &entry.name))? {
                entry.kind = target.kind;
                entry.id = target.id;
            }
        }
        Ok(entries)
    }

    /// Returns all files below a folder as paths, sorted; links to files are included, links to folders are not followed.
    pub fn walk(&self, path: &str) -> Result<Vec<String>, Error> {
        let (real, folder) = self.folder(path)?;
        let mut found = Vec::new();
        let mut folders = vec![(real, folder.id)];
        while let Some((path, id)) = folders.pop() {
            for entry in self.tree.entries(&id, &path)?.iter() {
                let below = child(&path, &entry.name);
                match entry.kind {
                    Kind::Folder => folders.push((below, entry.id)),
                    Kind::File | Kind::Executable => found.push(below),
                    Kind::Link if self.kind(&below)?.is_some_and(Kind::is_file) => found.push(below),
                    Kind::Link | Kind::Submodule => {}
                }
            }
        }
        found.sort();
        Ok(found)
    }

    /// Returns the files that match a pattern (`*` and `?` inside a name, `**` across folders), sorted.
    pub fn glob(&self, pattern: &str) -> Result<Vec<String>, Error> {
        let glob = GlobBuilder::new(pattern).literal_separator(true).build();
        let glob =
            glob.map_err(|error| Error::BadPattern { pattern: pattern.to_owned(), message: error.to_string() })?;
        let fixed: Vec<&str> =
            pattern.split('/').take_while(|name| !name.contains(['*', '?', '[', '{', '\\'])).collect();
        let base = fixed.join("/");
        let base = if base == pattern { split(pattern).0.to_owned() } else { base };
        if self.kind(&base)? != Some(Kind::Folder) {
            return Ok(Vec::new());
        }
        let matcher = glob.compile_matcher();
        Ok(self.walk(&base)?.into_iter().filter(|path| matcher.is_match(path)).collect())
    }

    fn folder(&self, path: &str) -> Result<(String, Entry), Error> {
        match self.resolve(path)? {
            None => Err(Error::NotFound { path: path.to_owned() }),
            Some((real, entry)) if entry.kind == Kind::Folder => Ok((real, entry)),
            Some(_) => Err(Error::NotAFolder { path: path.to_owned() }),
        }
    }

    /// Follows the path and its links; returns where it ends and what is there. Every stop is recorded.
    fn resolve(&self, path: &str) -> Result<Option<(String, Entry)>, Error> {
        let mut path = join("", path)?;
        for _ in 0..LINKS {
            match self.step(&path)? {
                Stop::Nothing => return Ok(None),
                Stop::Here(entry) => return Ok(Some((path, entry))),
                Stop::Link { at, target, rest } => {
                    let escapes = || Error::Escapes { path: at.clone(), target: target.clone() };
                    let real = join(split(&at).0, &target).map_err(|_| escapes())?;
                    path = join(&real, &rest).map_err(|_| escapes())?;
                }
            }
        }
        Err(Error::TooManyLinks { path })
    }

    /// Walks a clean path up to the first link.
    fn step(&self, path: &str) -> Result<Stop, Error> {
        let (tree, skipped) = self.tree.place_of(path);
        let mut here = Entry { name: "".into(), kind: Kind::Folder, id: tree.id() };
        let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
        for (place, name) in names.iter().enumerate().skip(skipped) {
            let entries = match here.kind {
                Kind::Folder => self.tree.entries(&here.id, path)?,
                _ => Arc::default(),
            };
            let Some(entry) = entries.iter().find(|entry| &*entry.name == *name) else {
                self.record(names[..=place].join("/"), None);
                return Ok(Stop::Nothing);
            };
            if entry.kind == Kind::Link {
                let at = names[..=place].join("/");
                self.record(at.clone(), Some(entry.id));
                let target = self.tree.blob(&entry.id, &at)?;
                let target = String::from_utf8(target.to_vec()).map_err(|_| Error::NotText { path: at.clone() })?;
                return Ok(Stop::Link { at, target, rest: names[place + 1..].join("/") });
            }
            here = entry.clone();
        }
        self.record(path.to_owned(), Some(here.id));
        Ok(Stop::Here(here))
    }

    fn record(&self, path: String, id: Option<Id>) {
        self.reads.lock().unwrap_or_else(PoisonError::into_inner).0.insert(path, id);
    }
}

enum Stop {
    Nothing,
    Here(Entry),
    Link { at: String, target: String, rest: String },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> FileTree {
        FileTree::from_files(files.iter().map(|(path, text)| (*path, text.as_bytes().to_vec()))).unwrap()
    }

    fn with_link(path: &str, target: &str) -> FileTree {
        let file = |path: &str, kind, text: &str| (path.to_owned(), kind, Arc::from(text.as_bytes()));
        FileTree::from_entries([file("a/x.yaml", Kind::File, "x"), file(path, Kind::Link, target)]).unwrap()
    }

    #[test]
    fn ids_are_those_of_git() {
        // git hash-object of "hello\n" and git mktree of one such file named a.txt.
        assert_eq!(Id::of("blob", b"hello\n").to_string(), "ce013625030ba8dba906f756967f9e9ca394464a");
        assert_eq!(tree(&[]).id().to_string(), "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
    }

    #[test]
    fn a_record_holds_until_something_that_was_looked_at_changes() {
        let before = tree(&[("apps/a/x.yaml", "1"), ("apps/b/x.yaml", "1")]);
        let reader = before.reader();
        reader.walk("apps/a").unwrap();
        assert_eq!(reader.kind("apps/a/kustomization.yaml").unwrap(), None);
        let reads = reader.reads();
        assert!(reads.still_holds(&tree(&[("apps/a/x.yaml", "1"), ("apps/b/x.yaml", "2")])));
        assert!(!reads.still_holds(&tree(&[("apps/a/x.yaml", "2"), ("apps/b/x.yaml", "1")])));
        assert!(!reads.still_holds(&tree(&[
            ("apps/a/x.yaml", "1"),
            ("apps/a/kustomization.yaml", ""),
            ("apps/b/x.yaml", "1")
        ])));
    }

    #[test]
    fn a_tree_beside_is_read_by_its_name_and_never_listed() {
        let both = |values: &str| tree(&[("a.yaml", "1")]).with_beside("$values", tree(&[("x/v.yaml", values)]));
        let reader = both("1").reader();
        assert_eq!(reader.read_text("$values/x/v.yaml").unwrap(), "1");
        assert_eq!(reader.walk("$values").unwrap(), ["$values/x/v.yaml"]);
        assert_eq!(reader.kind("$values/none").unwrap(), None);
        assert_eq!(reader.walk("").unwrap(), ["a.yaml"]);
        assert!(reader.reads().still_holds(&both("1")) && !reader.reads().still_holds(&both("2")));
        assert!(both("1") == both("1") && both("1") != both("2") && both("1") != tree(&[("a.yaml", "1")]));
    }

    #[test]
    fn links_are_followed_inside_the_tree_and_refused_outside() {
        assert_eq!(with_link("b", "a").reader().read_text("b/x.yaml").unwrap(), "x");
        assert_eq!(with_link("a/y.yaml", "./x.yaml").reader().walk("a").unwrap(), ["a/x.yaml", "a/y.yaml"]);
        for target in ["/etc/passwd", "../../etc", ".."] {
            let error = with_link("b", target).reader().read("b/passwd").unwrap_err();
            assert!(matches!(error, Error::Escapes { .. } | Error::NotFound { .. }), "{target}: {error}");
        }
        assert!(matches!(with_link("b", "b").reader().kind("b"), Err(Error::TooManyLinks { .. })));
    }

    #[test]
    fn globs_cross_folders_only_with_two_stars() {
        let tree = tree(&[("v/a.yaml", ""), ("v/b/c.yaml", ""), ("v/d.txt", "")]);
        assert_eq!(tree.reader().glob("v/*.yaml").unwrap(), ["v/a.yaml"]);
        assert_eq!(tree.reader().glob("v/**/*.yaml").unwrap(), ["v/a.yaml", "v/b/c.yaml"]);
        assert_eq!(tree.reader().glob("none/*.yaml").unwrap(), Vec::<String>::new());
    }
}
