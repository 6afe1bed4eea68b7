//! Submodules, put in their places.

use std::sync::Arc;

use lockstep_files::{Entry, FileTree, Id, Kind, Store, StoreError};

use crate::{
    CommitId, Credentials, Error, ErrorKind, GitSpec, Reference, Result, Snapshot,
    edit::{self, Becomes},
    objects,
    remote::Repositories,
    url::{self, Location},
};

/// Submodules in submodules in submodules: deeper is a circle.
const DEEPEST: usize = 5;

/// Several stores that answer as one.
struct Layers {
    trees: edit::Folders,
    below: Vec<Arc<dyn Store>>,
}

impl Layers {
    fn ask<T>(
        &self,
        ask: impl Fn(&dyn Store) -> std::result::Result<T, StoreError>,
    ) -> std::result::Result<T, StoreError> {
        let mut first = None;
        for store in &self.below {
            match ask(store.as_ref()) {
                Ok(found) => return Ok(found),
                Err(error) => drop(first.get_or_insert(error)),
            }
        }
        Err(first.unwrap_or_else(|| StoreError("there is no store".into())))
    }
}

impl Store for Layers {
    fn tree(&self, id: &Id) -> std::result::Result<Arc<[Entry]>, StoreError> {
        self.trees.get(id).cloned().map_or_else(|| self.ask(|store| store.tree(id)), Ok)
    }

    fn blob(&self, id: &Id) -> std::result::Result<Arc<[u8]>, StoreError> {
        self.ask(|store| store.blob(id))
    }
}

/// Fetches the submodules of a snapshot and puts their trees in their places.
pub(crate) fn mount(repositories: &Repositories, spec: &GitSpec, snapshot: Snapshot) -> Result<Snapshot> {
    mount_below(repositories, spec, snapshot, 0)
}

/// Puts trees in their places in another one: the charts that a chart depends on.
///
/// # Errors
/// A place is not a path, or the tree cannot be read.
pub fn mounted(tree: &FileTree, parts: &[(String, FileTree)]) -> Result<FileTree> {
    let places = parts.iter().map(|(path, part)| (path.clone(), Becomes::Entry(Kind::Folder, part.id())));
    let (root, trees) = edit::overlay(tree, places.collect())?;
    let own = std::iter::once(tree.store().clone());
    let below = own.chain(parts.iter().map(|(_, part)| part.store().clone())).collect();
    Ok(tree.replaced(Arc::new(Layers { trees, below }), root))
}

fn mount_below(repositories: &Repositories, spec: &GitSpec, snapshot: Snapshot, depth: usize) -> Result<Snapshot> {
    let Some(list) = edit::find(&snapshot.tree, ".gitmodules")?.filter(|entry| entry.kind.is_file()) else {
        return Ok(snapshot);
    };
    if depth == DEEPEST {
        return Err(Error::new(ErrorKind::TooLarge, "submodules are nested too deeply"));
    }
    let text = snapshot
        .tree
        .store()
        .blob(&list.id)
        .map_err(|error| Error::storage("the file .gitmodules cannot be read", error))?;
    let mut places = Vec::new();
    let mut below = vec![snapshot.tree.store().clone()];
    for (path, url) in parse(&String::from_utf8_lossy(&text)) {
        // What is listed but not in the tree was removed.
        let Some(entry) = edit::find(&snapshot.tree, &path)?.filter(|entry| entry.kind == Kind::Submodule) else {
            continue;
        };
        let commit: CommitId = objects::object_id(&entry.id).try_into()?;
        let inner = inner_spec(spec, &url, commit)?;
        let place = |error: Error| {
            Error::new(error.kind(), format!("submodule {path}: {error}"))
                .hint(error.hint_text().unwrap_or("is its URL right, and may we read it?"))
        };
        let inner_snapshot = repositories.snapshot(&inner, commit).map_err(place)?;
        let inner_snapshot = mount_below(repositories, &inner, inner_snapshot, depth + 1)?;
        below.push(inner_snapshot.tree.store().clone());
        places.push((path, Becomes::Entry(Kind::Folder, inner_snapshot.tree.id())));
    }
    if places.is_empty() {
        return Ok(snapshot);
    }
    let (root, trees) = edit::overlay(&snapshot.tree, places)?;
    Ok(Snapshot { tree: FileTree::new(Arc::new(Layers { trees, below }), root), ..snapshot })
}

/// Reads path and URL of each submodule.
fn parse(text: &str) -> Vec<(String, String)> {
    let mut found: Vec<(Option<String>, Option<String>)> = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            found.push((None, None));
            continue;
        }
        let (Some((key, value)), Some(last)) = (line.split_once('='), found.last_mut()) else { continue };
        let value = value.trim().trim_matches('"').to_owned();
        match key.trim() {
            "path" => last.0 = Some(value.trim_matches('/').to_owned()),
            "url" => last.1 = Some(value),
            _ => {}
        }
    }
    found.into_iter().filter_map(|(path, url)| Some((path?, url?))).collect()
}

/// Where a submodule is, and who we are there: our credentials are for the host that they were given for.
fn inner_spec(outer: &GitSpec, url: &str, commit: CommitId) -> Result<GitSpec> {
    let absolute =
        if url.starts_with("./") || url.starts_with("../") { relative(&outer.url, url) } else { url.to_owned() };
    let (from, to) = (url::locate(&outer.url)?, url::locate(&absolute)?);
    if matches!(to, Location::Local(_)) && !matches!(from, Location::Local(_)) {
        return Err(Error::new(
            ErrorKind::BadUrl,
            format!("the submodule's URL {url:?} is a folder of this machine, which a remote repository may not name"),
        ));
    }
    let same_host = url::host(&from).is_some() && url::host(&from) == url::host(&to);
    let credentials = if same_host {
        outer.credentials.clone()
    } else {
        Credentials { ca_bundle: outer.credentials.ca_bundle.clone(), ..Credentials::default() }
    };
    Ok(GitSpec { url: absolute, reference: Reference::Commit(commit.to_string()), submodules: true, credentials })
}

fn relative(base: &str, url: &str) -> String {
    let mut base = base.trim_end_matches('/');
    let mut rest = url;
    loop {
        if let Some(after) = rest.strip_prefix("./") {
            rest = after;
        } else if let Some(after) = rest.strip_prefix("../") {
            rest = after;
            base = base.rfind(['/', ':']).map_or("", |at| &base[..at]);
        } else {
            return format!("{base}/{rest}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_submodules_is_read() {
        let text =
            "[submodule \"lib\"]\n\tpath = vendor/lib\n\turl = ../lib.git\n[submodule \"x\"]\n\turl = https://host/x\n";
        assert_eq!(parse(text), [("vendor/lib".to_owned(), "../lib.git".to_owned())]);
    }

    #[test]
    fn relative_urls_start_at_the_repository() {
        assert_eq!(relative("https://host/org/app.git", "../lib.git"), "https://host/org/lib.git");
        assert_eq!(relative("/srv/app", "./lib"), "/srv/app/lib");
    }

    #[test]
    fn credentials_stay_with_their_host_and_remote_lists_name_no_folders() {
        let outer =
            GitSpec::new("https://host/app", Reference::Head).with_credentials(Credentials::basic("me", "secret"));
        let commit: CommitId = "1111111111111111111111111111111111111111".parse().unwrap();
        assert_eq!(inner_spec(&outer, "../lib", commit).unwrap().credentials, outer.credentials);
        assert_eq!(inner_spec(&outer, "https://other/lib", commit).unwrap().credentials, Credentials::default());
        assert_eq!(inner_spec(&outer, "/etc", commit).unwrap_err().kind(), ErrorKind::BadUrl);
    }
}
