//! JSON patches (RFC 6902) as the Go library `json-patch` v4 applies them, on the tree.

use crate::{
    Limits,
    error::{Error, quote},
    node::{Node, Scalar, Style},
    print::binary,
    read::{self, bool_value},
    scalar::{Number, Rules, Tag, Timestamp, go_float_g, number, resolve},
};

/// A patch that was read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct JsonPatch(Vec<Node>);

impl JsonPatch {
    /// Reads a patch from JSON, or from YAML if it does not begin with `[`.
    pub(crate) fn read(text: &str, limits: &Limits) -> Result<Self, Error> {
        if text.starts_with('[') {
            lockstep_object::from_json(text.as_bytes()).map_err(|error| Error::new(error.to_string()))?;
        }
        let node = read::document(text, Rules::V2, limits)?.unwrap_or_default();
        match node {
            Node::List(operations) => match operations.iter().find(|operation| !matches!(operation, Node::Map(_))) {
                Some(wrong) => Err(mismatch(wrong, "jsonpatch.Operation")),
                None => Ok(Self(operations)),
            },
            node if node.is_null() => Ok(Self(Vec::new())),
            node => Err(mismatch(&node, "jsonpatch.Patch")),
        }
    }

    /// Tells whether there is nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells whether an operation takes all annotations away, if only to put others in their place.
    pub(crate) fn takes_annotations(&self) -> bool {
        self.0.iter().any(|operation| {
            let field = |key: &str| operation.get(key).map_or("", Node::text);
            let path = match field("op") {
                "add" | "replace" | "remove" => field("path"),
                "move" => field("from"),
                _ => return false,
            };
            matches!(path, "" | "/metadata" | "/metadata/annotations")
        })
    }

    /// Applies the patch; afterwards all numbers are floats, as Go's JSON makes them.
    pub(crate) fn apply(&self, node: &mut Node) -> Result<(), Error> {
        to_json(node);
        for operation in &self.0 {
            apply_one(node, operation)?;
        }
        to_json(node);
        Ok(())
    }
}

fn mismatch(node: &Node, go_type: &str) -> Error {
    let what = match node {
        Node::Map(_) => "object",
        Node::List(_) => "array",
        Node::Scalar(scalar) => match scalar.tag {
            Tag::Bool => "bool",
            Tag::Int | Tag::Float => "number",
            _ => "string",
        },
    };
    Error::new(format!("json: cannot unmarshal {what} into Go value of type {go_type}"))
}

/// Brings every scalar into the form that it has after a way through Go's JSON.
fn to_json(node: &mut Node) {
    match node {
        Node::List(items) => items.iter_mut().for_each(to_json),
        Node::Map(entries) => entries.iter_mut().for_each(|(key, value)| {
            *key = Scalar::string(&key.text);
            to_json(value);
        }),
        Node::Scalar(scalar) => *scalar = json_scalar(scalar),
    }
}

fn json_scalar(scalar: &Scalar) -> Scalar {
    let of = |text: &str, tag| Scalar::new(text, tag, Style::Plain);
    match scalar.settled() {
        Tag::Null => of("null", Tag::Null),
        Tag::Bool => of(if bool_value(&scalar.text) { "true" } else { "false" }, Tag::Bool),
        Tag::Int | Tag::Float => {
            let value = match number(&scalar.text) {
                Some(Number::Int(value)) => value as f64,
                Some(Number::UInt(value)) => value as f64,
                Some(Number::Float(value)) => value,
                None => return scalar.clone(),
            };
            let text = go_float_g(value);
            let tag = resolve(&text, Rules::V3);
            of(&text, tag)
        }
        Tag::Time => match Timestamp::parse(&scalar.text) {
            Some(time) => of(&time.to_json(), Tag::Str),
            None => of(&scalar.text, Tag::Str),
        },
        Tag::Binary => of(&binary(&scalar.text), Tag::Str),
        _ => of(&scalar.printed(), Tag::Str),
    }
}

fn apply_one(node: &mut Node, operation: &Node) -> Result<(), Error> {
    let text = |key: &str| operation.get(key).filter(|value| !value.is_null()).map(Node::text);
    let name = text("op").unwrap_or("unknown");
    if !["add", "remove", "replace", "move", "test", "copy"].contains(&name) {
        return Err(Error::new(format!("Unexpected kind: {name}")));
    }
    let need = |key: &str| {
        text(key).ok_or_else(|| Error::new(format!("{name} operation failed to decode {key}: missing value")))
    };
    let value = || {
        let mut value = operation.get("value").cloned().unwrap_or_default();
        to_json(&mut value);
        value
    };
    match name {
        "add" => {
            let path = need("path")?;
            let (parent, key) = parent(node, path).ok_or_else(|| missing(name, "", &quote(path)))?;
            add(parent, &key, value()).map_err(|error| error.wrap(format!("error in add for path: '{path}'")))
        }
        "remove" => {
            let path = need("path")?;
            let (parent, key) = parent(node, path).ok_or_else(|| missing(name, "", &quote(path)))?;
            let removed = remove(parent, &key);
            removed.map(drop).map_err(|error| error.wrap(format!("error in remove for path: '{path}'")))
        }
        "replace" => replace(node, need("path")?, value()),
        "move" => {
            let from = need("from")?;
            let (source, key) = parent(node, from).ok_or_else(|| missing(name, "from ", from))?;
            let moved = remove(source, &key).map_err(|error| error.wrap(format!("error in move for path: '{key}'")))?;
            let path = need("path")?;
            let (target, key) = parent(node, path).ok_or_else(|| missing(name, "destination ", path))?;
            add(target, &key, moved).map_err(|error| error.wrap(format!("error in move for path: '{path}'")))
        }
        "copy" => {
            let from = need("from")?;
            let (source, key) = parent(node, from).ok_or_else(|| missing(name, "from ", from))?;
            let copied = get(source, &key).map_err(|error| error.wrap(format!("error in copy for from: '{from}'")))?;
            let copied = copied.cloned().unwrap_or_default();
            let path = need("path")?;
            let (target, key) = parent(node, path).ok_or_else(|| missing(name, "destination ", path))?;
            add(target, &key, copied).map_err(|error| error.wrap("error while adding value during copy"))
        }
        _ => test(node, need("path")?, &value()),
    }
}

fn missing(name: &str, which: &str, path: &str) -> Error {
    Error::new(format!("{name} operation does not apply: doc is missing {which}path: {path}: missing value"))
}

fn replace(node: &mut Node, path: &str, value: Node) -> Result<(), Error> {
    if path.is_empty() {
        if matches!(value, Node::Scalar(_)) {
            return Err(Error::new("replace operation value must be object or array: %!w(<nil>)"));
        }
        *node = value;
        return Ok(());
    }
    let (parent, key) = parent(node, path).ok_or_else(|| missing("replace", "", path))?;
    let Node::List(items) = parent else {
        put(parent, &key, value);
        return Ok(());
    };
    let absent = || Error::new(format!("replace operation does not apply: doc is missing key: {path}: missing value"));
    let place = place(items.len(), &key).map_err(|_| absent())?;
    *items.get_mut(place).ok_or_else(absent)? = value;
    Ok(())
}

fn test(node: &mut Node, path: &str, wanted: &Node) -> Result<(), Error> {
    let found = if path.is_empty() {
        Some(&*node)
    } else {
        let missing = || Error::new(format!("test operation does not apply: is missing path: {path}: missing value"));
        let (parent, key) = parent(node, path).ok_or_else(missing)?;
        get(parent, &key).map_err(|error| error.wrap(format!("error in test for path: '{path}'")))?
    };
    let same = match found {
        Some(found) => equal(found, wanted),
        None => wanted.is_null(),
    };
    if same { Ok(()) } else { Err(Error::new(format!("testing value {path} failed: test failed"))) }
}

fn equal(a: &Node, b: &Node) -> bool {
    match (a, b) {
        (Node::Scalar(a), Node::Scalar(b)) => a.tag == b.tag && (a.text == b.text || a.tag == Tag::Null),
        (Node::List(a), Node::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Node::Map(a), Node::Map(entries)) => {
            a.len() == entries.len()
                && a.iter().all(|(key, value)| b.get(&key.text).is_some_and(|other| equal(value, other)))
        }
        _ => false,
    }
}

/// Finds the map or list that holds the last part of a path.
fn parent<'n>(node: &'n mut Node, path: &str) -> Option<(&'n mut Node, String)> {
    let mut parts = path.split('/').skip(1).peekable();
    parts.peek()?;
    let mut here = node;
    while let Some(part) = parts.next() {
        let part = part.replace("~1", "/").replace("~0", "~");
        if parts.peek().is_none() {
            return matches!(here, Node::Map(_) | Node::List(_)).then_some((here, part));
        }
        here = match here {
            Node::Map(_) => here.get_mut(&part)?,
            Node::List(items) => {
                let place = place(items.len(), &part).ok()?;
                items.get_mut(place)?
            }
            Node::Scalar(_) => return None,
        };
        if here.is_null() {
            return None;
        }
    }
    None
}

/// Reads a place in a list; negative ones count from the end.
fn place(length: usize, key: &str) -> Result<usize, Error> {
    let wrong = || Error::new(format!("strconv.Atoi: parsing {}: invalid syntax", quote(key)));
    let place: i64 = key.parse().map_err(|_| wrong())?;
    let invalid = || Error::new(format!("Unable to access invalid index: {place}: invalid index referenced"));
    let counted = if place < 0 { place + i64::try_from(length).map_err(|_| invalid())? } else { place };
    usize::try_from(counted).map_err(|_| invalid())
}

fn invalid_index(key: &str) -> Error {
    Error::new(format!("Unable to access invalid index: {key}: invalid index referenced"))
}

fn get<'n>(parent: &'n Node, key: &str) -> Result<Option<&'n Node>, Error> {
    match parent {
        Node::List(items) => items.get(place(items.len(), key)?).map(Some).ok_or_else(|| invalid_index(key)),
        map => Ok(map.get(key)),
    }
}

fn put(map: &mut Node, key: &str, value: Node) {
    match map.get_mut(key) {
        Some(known) => *known = value,
        None => map.insert(key, value),
    }
}

fn add(parent: &mut Node, key: &str, value: Node) -> Result<(), Error> {
    let Node::List(items) = parent else {
        put(parent, key, value);
        return Ok(());
    };
    if key == "-" {
        items.push(value);
        return Ok(());
    }
    let at = place(items.len() + 1, key).map_err(|error| {
        if key.parse::<i64>().is_ok() {
            error
        } else {
            error.wrap(format!("value was not a proper array index: '{key}'"))
        }
    })?;
    if at > items.len() {
        return Err(invalid_index(key));
    }
    items.insert(at, value);
    Ok(())
}

fn remove(parent: &mut Node, key: &str) -> Result<Node, Error> {
    let Node::List(items) = parent else {
        let absent = || Error::new(format!("Unable to remove nonexistent key: {key}: missing value"));
        return parent.remove(key).ok_or_else(absent);
    };
    let at = place(items.len(), key)?;
    if at >= items.len() {
        return Err(invalid_index(key));
    }
    Ok(items.remove(at))
}
