//! Paths into a tree: how kustomize cuts them, looks them up and makes what is missing.

use crate::{
    error::Error,
    node::{Node, Scalar},
    show,
};

/// Cuts a path at a delimiter that no backslash escapes; a leading delimiter is ignored.
pub(crate) fn split(path: &str, delimiter: char) -> Vec<Box<str>> {
    let mut parts: Vec<String> = Vec::new();
    let mut pieces = path.split(delimiter).peekable();
    if pieces.peek() == Some(&"") && path.contains(delimiter) {
        pieces.next();
    }
    for piece in pieces {
        match parts.last_mut() {
            Some(last) if last.ends_with('\\') => {
                last.pop();
                last.push(delimiter);
                last.push_str(piece);
            }
            _ => parts.push(piece.to_owned()),
        }
    }
    parts.into_iter().map(Into::into).collect()
}

/// Cuts a path at dots, keeping `[name=a.b]` and `[a.b]` whole.
pub(crate) fn split_smart(path: &str) -> Vec<Box<str>> {
    let mut out: Vec<Box<str>> = Vec::new();
    let parts = split(path, '.');
    let mut rest = parts.iter();
    while let Some(part) = rest.next() {
        if !part.starts_with('[') || part.ends_with(']') {
            out.push(part.clone());
            continue;
        }
        let mut bracketed = part.to_string();
        for next in rest.by_ref() {
            bracketed.push('.');
            bracketed.push_str(next);
            if next.ends_with(']') {
                break;
            }
        }
        if bracketed.contains('=') {
            out.push(bracketed.into());
        } else {
            out.push(bracketed.trim_matches(['[', ']']).into());
        }
    }
    out
}

/// What to make where nothing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Scalar,
    List,
    Map,
}

impl Kind {
    pub(crate) fn of(node: &Node) -> Self {
        match node {
            Node::Scalar(_) => Self::Scalar,
            Node::List(_) => Self::List,
            Node::Map(_) => Self::Map,
        }
    }

    pub(crate) fn empty(self) -> Node {
        match self {
            Self::Scalar => Node::open(""),
            Self::List => Node::List(Vec::new()),
            Self::Map => Node::map(),
        }
    }
}

/// Tells whether a part of a path is `[…]`.
pub(crate) fn is_list_index(part: &str) -> bool {
    part.starts_with('[') && part.ends_with(']')
}

/// Reads a part of a path that is a place in a list.
pub(crate) fn index(part: &str) -> Option<usize> {
    part.strip_prefix('+').unwrap_or(part).parse().ok()
}

/// Cuts `[name=value]`.
pub(crate) fn split_index(part: &str) -> Result<(&str, &str), Error> {
    let inner = part.strip_suffix(']').unwrap_or(part);
    let inner = inner.strip_prefix('[').unwrap_or(inner);
    inner
        .split_once('=')
        .ok_or_else(|| Error::new("list path element must contain fieldName=fieldValue for element to match"))
}

/// The kind of what stands before the next part of a path.
pub(crate) fn kind_before(next: Option<&str>, last: Kind) -> Kind {
    match next {
        None | Some("") => last,
        Some(next) if is_list_index(next) || index(next).is_some() => Kind::List,
        Some(_) => Kind::Map,
    }
}

/// Finds a node; lists by place, `-` (the last) or `[key=value]`.
pub(crate) fn lookup<'n>(node: &'n Node, path: &[Box<str>]) -> Result<Option<&'n Node>, Error> {
    let mut here = node;
    for part in path.iter().map(|part| part.trim()).filter(|part| !part.is_empty()) {
        let next = if let Ok(place) = part.parse::<i64>() {
            let Ok(place) = usize::try_from(place) else {
                return Err(Error::new(format!("array index {place} cannot be negative")));
            };
            list_of(here)?.get(place)
        } else if part == "-" {
            list_of(here)?.last()
        } else if part == "*" {
            return Err(Error::new("wildcard is not supported in PathGetter"));
        } else if is_list_index(part) {
            let (key, value) = split_index(part)?;
            list_of(here)?.iter().find(|item| matches_element(item, key, value))
        } else {
            map_of(here)?;
            here.get(part)
        };
        match next {
            Some(next) => here = next,
            None => return Ok(None),
        }
    }
    Ok(Some(here))
}

/// As [`lookup`], for writing.
pub(crate) fn lookup_mut<'n>(node: &'n mut Node, path: &[Box<str>]) -> Result<Option<&'n mut Node>, Error> {
    if lookup(node, path)?.is_none() {
        return Ok(None);
    }
    let mut here = node;
    for part in path.iter().map(|part| part.trim()).filter(|part| !part.is_empty()) {
        let next = match here {
            Node::List(items) => {
                if let Some(place) = index(part) {
                    items.get_mut(place)
                } else if part == "-" {
                    items.last_mut()
                } else {
                    let (key, value) = split_index(part)?;
                    items.iter_mut().find(|item| matches_element(item, key, value))
                }
            }
            map => map.get_mut(part),
        };
        match next {
            Some(next) => here = next,
            None => return Ok(None),
        }
    }
    Ok(Some(here))
}

fn matches_element(item: &Node, key: &str, value: &str) -> bool {
    if key.is_empty() {
        return item.raw_text() == value;
    }
    item.get(key).is_some_and(|found| found.raw_text() == value)
}

fn list_of(node: &Node) -> Result<&[Node], Error> {
    match node {
        Node::List(items) => Ok(items),
        node if node.is_null() => Ok(&[]),
        node => Err(show::wrong_kind("SequenceNode", node)),
    }
}

fn map_of(node: &Node) -> Result<(), Error> {
    match node {
        Node::Map(_) => Ok(()),
        node if node.is_null() => Ok(()),
        node => Err(show::wrong_kind("MappingNode", node)),
    }
}

/// Finds a node below maps; makes what is missing, the last of them of this kind.
pub(crate) fn lookup_create<'n>(node: &'n mut Node, path: &[&str], kind: Kind) -> Result<Option<&'n mut Node>, Error> {
    let mut here = node;
    for (place, part) in path.iter().enumerate() {
        map_of(here)?;
        let Node::Map(entries) = here else { return Ok(None) };
        let at = match entries.iter().position(|(key, _)| &*key.text == *part) {
            Some(at) => at,
            None => {
                let made = if place + 1 == path.len() { kind } else { Kind::Map };
                entries.push((Scalar::open(part), made.empty()));
                entries.len() - 1
            }
        };
        here = &mut entries[at].1;
    }
    Ok(Some(here))
}
