//! Leaving out what ignore rules name, in Git's syntax for them.

use std::collections::HashMap;
use std::sync::Arc;

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use lockstep_files::{Entry, FileTree, Id, Kind, Store, StoreError};

use crate::{Error, ErrorKind, Result, edit};

/// The rules of one ignore file, as if it lay in the root.
pub(crate) fn rules<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Gitignore> {
    let mut builder = GitignoreBuilder::new("");
    let bad =
        |error: ignore::Error| Error::new(ErrorKind::BadReference, format!("the ignore rules cannot be read: {error}"));
    for pattern in patterns {
        builder.add_line(None, pattern).map_err(bad)?;
    }
    builder.build().map_err(bad)
}

/// Returns the tree without what the patterns (the lines of a `.sourceignore`, in the syntax of `.gitignore`, from the root) name.
/// As in Git, what lies in an ignored folder cannot be brought back by `!`.
pub fn filtered<'a>(tree: &FileTree, patterns: impl IntoIterator<Item = &'a str>) -> Result<FileTree> {
    let rules = rules(patterns)?;
    if rules.is_empty() {
        return Ok(tree.clone());
    }
    let mut filter = Filter { store: tree.store().clone(), rules, trees: HashMap::new() };
    let root = filter.folder("", tree.id(), 0)?;
    let Filter { store, trees, .. } = filter;
    Ok(FileTree::new(Arc::new(Filtered { below: store, trees }), root))
}

struct Filter {
    store: Arc<dyn Store>,
    rules: Gitignore,
    trees: edit::Folders,
}

impl Filter {
    fn folder(&mut self, path: &str, id: Id, depth: usize) -> Result<Id> {
        if depth > 256 {
            return Err(Error::new(ErrorKind::TooLarge, "folders are nested too deeply"));
        }
        let entries = self.store.tree(&id).map_err(|error| Error::storage("the tree cannot be read", error))?;
        let mut kept = Vec::with_capacity(entries.len());
        for entry in entries.iter() {
            let path = if path.is_empty() { entry.name.to_string() } else { format!("{path}/{}", entry.name) };
            let is_folder = matches!(entry.kind, Kind::Folder | Kind::Submodule);
            if self.rules.matched(&path, is_folder).is_ignore() {
                continue;
            }
            let id = if entry.kind == Kind::Folder { self.folder(&path, entry.id, depth + 1)? } else { entry.id };
            kept.push(Entry { id, ..entry.clone() });
        }
        if kept.as_slice() == entries.as_ref() {
            return Ok(id);
        }
        let id = Id::of("tree", &edit::encode(&kept));
        self.trees.insert(id, kept.into());
        Ok(id)
    }
}

/// A store with some folders replaced.
struct Filtered {
    below: Arc<dyn Store>,
    trees: edit::Folders,
}

impl Store for Filtered {
    fn tree(&self, id: &Id) -> std::result::Result<Arc<[Entry]>, StoreError> {
        self.trees.get(id).cloned().map_or_else(|| self.below.tree(id), Ok)
    }

    fn blob(&self, id: &Id) -> std::result::Result<Arc<[u8]>, StoreError> {
        self.below.blob(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(patterns: &[&str], expect: &[&str]) {
        let files = ["a.yaml", "docs/a.md", "docs/keep.yaml", "src/a.yaml", "src/deep/b.md"];
        let tree = FileTree::from_files(files.map(|path| (path, path.as_bytes().to_vec()))).unwrap();
        let left = filtered(&tree, patterns.iter().copied()).unwrap();
        assert_eq!(left.reader().walk("").unwrap(), expect, "{patterns:?}");
    }

    #[test]
    fn ignore_rules_work_as_in_git() {
        check(&[], &["a.yaml", "docs/a.md", "docs/keep.yaml", "src/a.yaml", "src/deep/b.md"]);
        check(&["# all text", "*.md"], &["a.yaml", "docs/keep.yaml", "src/a.yaml"]);
        check(&["/a.yaml", "docs/"], &["src/a.yaml", "src/deep/b.md"]);
        check(&["/*", "!/src"], &["src/a.yaml", "src/deep/b.md"]);
        check(&["docs/*", "!docs/keep.yaml"], &["a.yaml", "docs/keep.yaml", "src/a.yaml", "src/deep/b.md"]);
        check(&["src/**/b.md"], &["a.yaml", "docs/a.md", "docs/keep.yaml", "src/a.yaml"]);
    }
}
