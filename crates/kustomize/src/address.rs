//! Addresses of remote bases, read as kustomize 5.8.1 reads them (`api/internal/git/repospec.go`).

use percent_encoding::percent_decode_str;

/// Where a remote base lies: a repository, a revision of it and a folder inside.
///
/// The forms are `https://host/org/repo//folder?ref=v1`, `host/org/repo.git/folder`, `…/_git/repo/folder`,
/// `https://host/org/repo/folder`, `git@host:org/repo`, `ssh://…`, `file:///repo//folder` and `github.com/org/repo`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RemoteAddress {
    /// The URL of the repository, as Git takes it.
    pub repository: String,
    /// The branch, tag or commit (`?ref=` or `?version=`); empty: the default branch.
    pub reference: String,
    /// Whether submodules are wanted (`?submodules=`, by default they are).
    pub submodules: bool,
    /// The folder inside the repository; empty: its top.
    pub folder: String,
}

const SCHEMES: [&str; 4] = ["ssh://", "https://", "http://", "file://"];

impl RemoteAddress {
    /// Reads an address; nothing if kustomize would take the text for a path.
    pub fn parse(text: &str) -> Option<Self> {
        if text.starts_with('/') {
            return None;
        }
        let (address, query) = text.split_once('?').unwrap_or((text, ""));
        let (host, path) = split_host(strip_ignoring_case(address, "git::").unwrap_or(address))?;
        let (inside, folder) = split_path(path, host.starts_with("file://"))?;
        let folder = folder.trim_start_matches('/');
        if inside.is_empty() || leaves(folder) {
            return None;
        }
        let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        let reference = value("ref").filter(|text| !text.is_empty()).or_else(|| value("version")).unwrap_or_default();
        Some(Self {
            repository: format!("{host}{inside}"),
            reference: decoded(reference),
            submodules: !matches!(value("submodules"), Some("0" | "f" | "F" | "false" | "FALSE" | "False")),
            folder: folder.to_owned(),
        })
    }

    /// Tells whether an address says itself that it means a repository and not a file that is fetched by HTTP.
    pub fn names_repository(text: &str) -> bool {
        let (address, query) = text.split_once('?').unwrap_or((text, ""));
        let path = address.split_once("://").map_or(address, |(_, path)| path);
        let asked = |name: &str| query.split('&').any(|pair| pair.starts_with(name));
        path.contains("//") || path.contains(".git") || path.contains("_git/") || asked("ref=") || asked("version=")
    }
}

/// Splits an address into scheme, user and host (with what ends it), and the path.
fn split_host(address: &str) -> Option<(String, &str)> {
    let scheme = SCHEMES.into_iter().find(|scheme| strip_ignoring_case(address, scheme).is_some()).unwrap_or_default();
    let rest = &address[scheme.len()..];
    if scheme == "file://" {
        return Some((scheme.to_owned(), rest));
    }
    let user = user_of(rest);
    let rest = &rest[user.len()..];
    let lower = rest.to_ascii_lowercase();
    let github = lower.starts_with("github.com/") || lower.starts_with("github.com:");
    // Without a scheme, the form `user@host:path` of ssh is left.
    let scp = scheme.is_empty() && (!user.is_empty() || github);
    if scheme.is_empty() && !scp {
        return None;
    }
    let slash = rest.find('/');
    let colon = rest.find(':').filter(|colon| scp && *colon > 0 && slash.is_none_or(|slash| *colon < slash));
    let end = colon.or(slash)?;
    let (host, path) = rest.split_at(end + 1);
    if !github {
        return Some((format!("{scheme}{user}{host}"), path));
    }
    let host = if scheme == "ssh://" || !user.is_empty() { "github.com:" } else { "https://github.com/" };
    Some((format!("{user}{host}"), path))
}

/// The user with its `@`, or nothing.
fn user_of(text: &str) -> &str {
    let Some(at) = text.find('@') else { return "" };
    let name = &text.as_bytes()[..at];
    let valid = name.first().is_some_and(u8::is_ascii_alphabetic)
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
    if valid { &text[..=at] } else { "" }
}

/// Splits a path into the repository and the folder inside: by a mark, else after organisation and repository.
fn split_path(path: &str, all: bool) -> Option<(&str, &str)> {
    if let Some(at) = path.find("_git/") {
        let name = at + "_git/".len();
        let end = path[name..].find('/').map_or(path.len(), |end| name + end);
        return Some(path.split_at(end));
    }
    if let Some(at) = path.find("//") {
        return Some((&path[..at], &path[at + 2..]));
    }
    if let Some(at) = path.find(".git") {
        return Some(path.split_at(at + ".git".len()));
    }
    if all {
        return Some((path, ""));
    }
    let first = path.find('/')?;
    let end = path[first + 1..].find('/').map_or(path.len(), |end| first + 1 + end);
    Some(path.split_at(end))
}

/// Tells whether a folder leads out of its repository.
fn leaves(folder: &str) -> bool {
    let mut depth = 0_i32;
    folder.split('/').any(|part| {
        depth += match part {
            "" | "." => 0,
            ".." => -1,
            _ => 1,
        };
        depth < 0
    })
}

fn strip_ignoring_case<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let front = text.get(..prefix.len())?;
    front.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

/// Decodes `%2F` and `+` of a query.
fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_split_as_kustomize_splits_them() {
        // Repository, reference, folder: the cases of kustomize's documentation of remote targets.
        let cases = [
            ("https://github.com/org/repo//dir/a?ref=v1.0.6", "https://github.com/org/repo", "v1.0.6", "dir/a"),
            ("https://github.com/org/repo/dir?version=main", "https://github.com/org/repo", "main", "dir"),
            ("github.com/org/repo", "https://github.com/org/repo", "", ""),
            ("git@github.com:org/repo.git//dir", "git@github.com:org/repo.git", "", "dir"),
            ("ssh://git@github.com/org/repo?ref=a%2Fb", "git@github.com:org/repo", "a/b", ""),
            ("https://host.example/org/repo.git/dir?ref=x", "https://host.example/org/repo.git", "x", "dir"),
            ("https://me@dev.azure.com/org/p/_git/repo/dir", "https://me@dev.azure.com/org/p/_git/repo", "", "dir"),
            ("git::https://host.example/a/b//c", "https://host.example/a/b", "", "c"),
            ("file:///srv/repo//dir", "file:///srv/repo", "", "dir"),
            ("http://127.0.0.1:80/repo.git//dir", "http://127.0.0.1:80/repo.git", "", "dir"),
        ];
        for (text, repository, reference, folder) in cases {
            let found = RemoteAddress::parse(text).unwrap();
            let found = (found.repository.as_str(), found.reference.as_str(), found.folder.as_str());
            assert_eq!(found, (repository, reference, folder), "{text}");
        }
        assert!(!RemoteAddress::parse("github.com/org/repo?submodules=false").unwrap().submodules);
    }

    #[test]
    fn paths_and_ways_out_are_no_addresses() {
        for text in ["../base", "/abs", "base", "github.com", "https://host/one", "https://host/a/b//../../c", "a@b"] {
            assert_eq!(RemoteAddress::parse(text), None, "{text}");
        }
    }
}
