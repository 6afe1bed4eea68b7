//! Which lists a strategic merge matches by key: the schema that kustomize 5.8.1 carries, and custom ones on top.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use crate::node::Node;

/// What is known of the kinds of a build.
#[derive(Clone, Debug, Default)]
pub(crate) struct MergeSchema {
    types: HashMap<Box<str>, Type>,
    /// By `apiVersion` and kind; nothing for a kind whose fields hold no such list.
    kinds: HashMap<Kind, Option<Box<str>>>,
}

type Type = HashMap<Box<str>, Shape>;
/// `apiVersion` and kind.
type Kind = (Box<str>, Box<str>);

/// What is known of a field.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// Known, and nothing below is merged by key.
    Plain,
    /// An object of this type.
    Object(Box<str>),
    /// An object whose fields are given in place.
    Fields(Type),
    /// A map whose values are all alike.
    MapOf(Box<Shape>),
    /// A list; with keys if it is merged by them (no key: by the scalars themselves).
    List(Option<Arc<[Box<str>]>>, Box<Shape>),
}

static BUILT_IN: LazyLock<Arc<MergeSchema>> =
    LazyLock::new(|| Arc::new(MergeSchema::parse(include_str!("merge_keys.txt"))));
static PLAIN: Shape = Shape::Plain;

impl MergeSchema {
    /// Returns the schema of Kubernetes 1.21.2, the only one built into kustomize 5.8.1.
    pub(crate) fn built_in() -> Arc<Self> {
        Arc::clone(&BUILT_IN)
    }

    fn parse(table: &str) -> Self {
        let mut schema = Self::default();
        for line in table.lines().filter(|line| !line.starts_with('#')) {
            let mut words = line.split(' ');
            let first = words.next().unwrap_or_default();
            if let Some(api_version) = first.strip_prefix('@') {
                let kind = words.next().unwrap_or_default();
                schema.kinds.insert((api_version.into(), kind.into()), words.next().map(Into::into));
            } else {
                let fields = words.map(|word| {
                    let end = word.find(['>', '[', '+', '*']).unwrap_or(word.len());
                    (word[..end].into(), parse_shape(&word[end..]))
                });
                schema.types.insert(first.into(), fields.collect());
            }
        }
        schema
    }

    /// Returns what is known of a kind.
    pub(crate) fn kind(&self, api_version: &str, kind: &str) -> Option<Shape> {
        let known = self.kinds.get(&(api_version.into(), kind.into()))?;
        Some(known.as_ref().map_or(Shape::Plain, |name| Shape::Object(name.clone())))
    }

    /// Returns what is known of a field.
    pub(crate) fn field<'s>(&'s self, shape: &'s Shape, field: &str) -> &'s Shape {
        match shape {
            Shape::Object(name) => {
                // The table shortens `io.k8s.api.core.v1.Pod` to `v1.Pod`.
                let short = || name.match_indices('.').rev().nth(1).and_then(|(at, _)| self.types.get(&name[at + 1..]));
                let known = self.types.get(name).or_else(short);
                known.and_then(|fields| fields.get(field).or_else(|| fields.get("*"))).unwrap_or(&PLAIN)
            }
            Shape::MapOf(shape) => shape,
            Shape::Fields(fields) => fields.get(field).unwrap_or(&PLAIN),
            Shape::Plain | Shape::List(..) => &PLAIN,
        }
    }

    /// Tells whether a kind is known.
    pub(crate) fn knows(&self, api_version: &str, kind: &str) -> bool {
        self.kinds.contains_key(&(api_version.into(), kind.into()))
    }

    /// Reads an OpenAPI document (the field `openapi.path`); it takes the place of the built-in schema, or is put on
    /// top of it.
    pub(crate) fn from_open_api(document: &Node, on_built_in: bool) -> Self {
        let mut schema = if on_built_in { Self::clone(&BUILT_IN) } else { Self::default() };
        for (name, definition) in document.get("definitions").map_or(&[][..], Node::entries) {
            schema.types.insert(name.text.clone(), object_type(definition, 0));
            let kinds = definition.get("x-kubernetes-group-version-kind").map_or(&[][..], Node::items);
            for kind in kinds {
                let text = |key: &str| kind.get(key).map_or("", Node::text);
                let (group, version) = (text("group"), text("version"));
                let api_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
                schema.kinds.insert((api_version.into(), text("kind").into()), Some(name.text.clone()));
            }
        }
        schema
    }
}

fn parse_shape(text: &str) -> Shape {
    match text.as_bytes().first() {
        Some(b'>') => Shape::Object(text[1..].into()),
        Some(b'*') => Shape::MapOf(Box::new(parse_shape(&text[1..]))),
        Some(b'[') => Shape::List(None, Box::new(parse_shape(&text[1..]))),
        Some(b'+') => {
            let (keys, element) = text[1..].split_once('[').unwrap_or((&text[1..], ""));
            let keys = keys.split(',').filter(|key| !key.is_empty()).map(Into::into).collect();
            Shape::List(Some(keys), Box::new(parse_shape(element)))
        }
        _ => Shape::Plain,
    }
}

fn object_type(definition: &Node, depth: usize) -> Type {
    let properties = definition.get("properties").map_or(&[][..], Node::entries);
    properties.iter().map(|(name, property)| (name.text.clone(), open_api_shape(property, depth + 1))).collect()
}

fn open_api_shape(property: &Node, depth: usize) -> Shape {
    if depth > 64 {
        return Shape::Plain;
    }
    if let Some(reference) = property.get("$ref") {
        let name = reference.text();
        return Shape::Object(name.strip_prefix("#/definitions/").unwrap_or(name).into());
    }
    if let Some(items) = property.get("items") {
        let strategy = property.get("x-kubernetes-patch-strategy").map_or("", Node::text);
        let merged = strategy.split(',').any(|part| part == "merge");
        let keys: Arc<[Box<str>]> = match property.get("x-kubernetes-list-map-keys") {
            Some(keys) => keys.items().iter().map(|key| key.text().into()).collect(),
            None => property.get("x-kubernetes-patch-merge-key").iter().map(|key| key.text().into()).collect(),
        };
        return Shape::List(merged.then_some(keys), Box::new(open_api_shape(items, depth + 1)));
    }
    if property.get("properties").is_some() {
        return Shape::Fields(object_type(property, depth));
    }
    match property.get("additionalProperties") {
        Some(values @ Node::Map(_)) => Shape::MapOf(Box::new(open_api_shape(values, depth + 1))),
        _ => Shape::Plain,
    }
}
