//! Paths in a tree: `/` between names, from the root, no leading slash, the root is empty.

use crate::Error;

/// Joins a relative path to a base, resolving `.` and `..`. What would leave the tree is an error, and so is an absolute path.
pub fn join(base: &str, relative: &str) -> Result<String, Error> {
    let escapes = || Error::Escapes { path: base.to_owned(), target: relative.to_owned() };
    if relative.starts_with('/') {
        return Err(escapes());
    }
    let mut names: Vec<&str> = base.split('/').filter(|name| !name.is_empty()).collect();
    for name in relative.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop().ok_or_else(escapes)?;
            }
            name => names.push(name),
        }
    }
    Ok(names.join("/"))
}

/// Splits a path into its folder and its last name.
pub(crate) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// Joins a name to a folder that is already clean.
pub(crate) fn child(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_join_never_leaves_the_tree() {
        assert_eq!(join("apps/web", "../../base/./x").unwrap(), "base/x");
        assert_eq!(join("apps", "..").unwrap(), "");
        for relative in ["../..", "/etc/passwd", "a/../../../x"] {
            assert!(matches!(join("apps", relative), Err(Error::Escapes { .. })), "{relative}");
        }
    }
}
