//! Choosing a commit among the references of a repository. Pure.

use gix::ObjectId;

use crate::{CommitId, Error, ErrorKind, Range, Reference, Result, Revision};

/// One reference as a repository lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ref {
    pub name: String,
    /// The commit, also where an annotated tag is in between.
    pub commit: ObjectId,
    /// For `HEAD`: the branch it points at.
    pub target: Option<String>,
}

/// Which references must be listed to decide: prefixes of their full names.
pub(crate) enum Wanted {
    /// None: the commit is known by its id.
    Nothing(CommitId),
    /// Those that start so. `HEAD` is always among them: without it the repository is empty.
    Prefixes(Vec<String>),
}

const BRANCHES: &str = "refs/heads/";
const TAGS: &str = "refs/tags/";

fn is_hex(text: &str) -> bool {
    (7..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

pub(crate) fn wanted(reference: &Reference) -> Result<Wanted> {
    let prefixes = |names: &[String]| {
        let head = std::iter::once("HEAD".to_owned());
        Ok(Wanted::Prefixes(head.chain(names.iter().cloned()).collect()))
    };
    match reference {
        Reference::Head => prefixes(&[]),
        Reference::Branch(name) => prefixes(&[format!("{BRANCHES}{name}")]),
        Reference::Tag(name) => prefixes(&[format!("{TAGS}{name}")]),
        Reference::Name(name) => prefixes(std::slice::from_ref(name)),
        Reference::Semver(_) => prefixes(&[TAGS.to_owned()]),
        Reference::Commit(id) | Reference::Auto(id) if id.len() == 40 && is_hex(id) => Ok(Wanted::Nothing(id.parse()?)),
        Reference::Commit(id) if is_hex(id) => prefixes(&[BRANCHES.to_owned(), TAGS.to_owned()]),
        Reference::Commit(id) => Err(Error::new(ErrorKind::BadReference, format!("{id:?} is not a commit id"))
            .hint("give all 40 hexadecimal digits")),
        Reference::Auto(text) if text.is_empty() || text == "HEAD" => prefixes(&[]),
        Reference::Auto(text) if text.starts_with("refs/") => prefixes(std::slice::from_ref(text)),
        Reference::Auto(text) if is_hex(text) || text.parse::<Range>().is_ok() => {
            prefixes(&[BRANCHES.to_owned(), TAGS.to_owned()])
        }
        Reference::Auto(text) => prefixes(&[format!("{BRANCHES}{text}"), format!("{TAGS}{text}")]),
    }
}

/// Chooses the commit. `refs` holds at least what [`wanted`] asked for.
pub(crate) fn choose(reference: &Reference, refs: &[Ref]) -> Result<Revision> {
    let by_name = |name: &str| refs.iter().find(|found| found.name == name);
    let found = match reference {
        Reference::Head => by_name("HEAD"),
        Reference::Branch(name) => by_name(&format!("{BRANCHES}{name}")),
        Reference::Tag(name) => by_name(&format!("{TAGS}{name}")),
        Reference::Name(name) => by_name(name),
        Reference::Semver(range) => highest(range, refs),
        Reference::Commit(id) => return abbreviated(id, refs),
        Reference::Auto(text) if text.is_empty() => by_name("HEAD"),
        Reference::Auto(text) => {
            let named = [text.clone(), format!("{BRANCHES}{text}"), format!("{TAGS}{text}")];
            let named = named.iter().find_map(|name| by_name(name));
            let ranged = || text.parse::<Range>().ok().and_then(|range| highest(&range, refs));
            match named.or_else(ranged) {
                None if is_hex(text) => return abbreviated(text, refs),
                found => found,
            }
        }
    };
    let found = found.ok_or_else(|| missing(reference))?;
    Ok(Revision {
        commit: found.commit.try_into()?,
        reference: Some(found.target.as_ref().unwrap_or(&found.name).clone()),
    })
}

fn highest<'a>(range: &Range, refs: &'a [Ref]) -> Option<&'a Ref> {
    let tag = range.highest(refs.iter().filter_map(|found| found.name.strip_prefix(TAGS)))?;
    refs.iter().find(|found| found.name.strip_prefix(TAGS) == Some(tag))
}

fn abbreviated(start: &str, refs: &[Ref]) -> Result<Revision> {
    let start = start.to_ascii_lowercase();
    let mut tips: Vec<ObjectId> =
        refs.iter().map(|found| found.commit).filter(|id| id.to_string().starts_with(&start)).collect();
    tips.sort();
    tips.dedup();
    match tips[..] {
        [tip] => Ok(Revision::commit(tip.try_into()?)),
        [] => Err(missing(&Reference::Commit(start))
            .hint("a shortened id is found only at the tip of a branch or tag: give all 40 digits")),
        _ => {
            Err(Error::new(ErrorKind::BadReference, format!("several commits start with {start}"))
                .hint("give more digits"))
        }
    }
}

fn missing(reference: &Reference) -> Error {
    let message = match reference {
        Reference::Semver(range) => format!("no tag is a version in the range {range}"),
        Reference::Head => "HEAD points at no commit".to_owned(),
        Reference::Auto(text) => format!("there is no branch, tag or version {text:?}"),
        other => format!("there is no {other}"),
    };
    Error::new(ErrorKind::ReferenceNotFound, message).hint("it was deleted or renamed, or was never pushed")
}

/// The error for a repository without any commit.
pub(crate) fn empty() -> Error {
    Error::new(ErrorKind::EmptyRepository, "the repository is empty").hint("push a first commit")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refs() -> Vec<Ref> {
        let make = |name: &str, digit: u8, target: Option<&str>| Ref {
            name: name.into(),
            commit: ObjectId::from_bytes_or_panic(&[digit; 20]),
            target: target.map(str::to_owned),
        };
        vec![
            make("HEAD", 0x11, Some("refs/heads/main")),
            make("refs/heads/main", 0x11, None),
            make("refs/heads/1.2", 0x22, None),
            make("refs/tags/v1.2.0", 0x33, None),
            make("refs/tags/v1.10.0", 0x44, None),
            make("refs/tags/main", 0x55, None),
        ]
    }

    fn check(reference: Reference, commit: u8, name: &str) {
        let revision = choose(&reference, &refs()).unwrap();
        assert_eq!(revision.commit.to_string(), format!("{commit:02x}").repeat(20), "{reference}");
        assert_eq!(revision.reference.as_deref().unwrap_or(""), name, "{reference}");
    }

    #[test]
    fn each_kind_of_reference_finds_its_commit() {
        let auto = |text: &str| Reference::Auto(text.into());
        check(Reference::Head, 0x11, "refs/heads/main");
        check(Reference::Branch("main".into()), 0x11, "refs/heads/main");
        check(Reference::Tag("main".into()), 0x55, "refs/tags/main");
        check(Reference::Semver("^1".parse().unwrap()), 0x44, "refs/tags/v1.10.0");
        check(Reference::Commit("3333333".into()), 0x33, "");
        check(auto(""), 0x11, "refs/heads/main");
        check(auto("HEAD"), 0x11, "refs/heads/main");
        check(auto("main"), 0x11, "refs/heads/main");
        check(auto("refs/tags/main"), 0x55, "refs/tags/main");
        check(auto("1.2"), 0x22, "refs/heads/1.2");
        check(auto("1.x"), 0x44, "refs/tags/v1.10.0");
        check(auto("4444444"), 0x44, "");
    }

    #[test]
    fn what_is_not_there_is_told_by_name() {
        for reference in [
            Reference::Branch("gone".into()),
            Reference::Auto("gone".into()),
            Reference::Semver(">=3".parse().unwrap()),
            Reference::Commit("abcdef0".into()),
        ] {
            assert_eq!(choose(&reference, &refs()).unwrap_err().kind(), ErrorKind::ReferenceNotFound, "{reference}");
        }
    }
}
