//! A resource of a build: its tree, and what kustomize remembers of it in internal annotations.

use crate::{
    error::Error,
    id::{Gvk, ResId},
    node::{Node, Scalar, Shared, Style},
    origin::Origin,
    scalar::Tag,
};

/// What a generated resource does if another of its id exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Behavior {
    #[default]
    Unspecified,
    Create,
    Replace,
    Merge,
}

impl Behavior {
    pub(crate) fn parse(text: &str) -> Self {
        match text {
            "create" => Self::Create,
            "replace" => Self::Replace,
            "merge" => Self::Merge,
            _ => Self::Unspecified,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Create => "create",
            Self::Replace => "replace",
            Self::Merge => "merge",
        }
    }
}

/// A former name of a resource.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Previous {
    pub(crate) name: Box<str>,
    pub(crate) namespace: Box<str>,
    pub(crate) kind: Box<str>,
}

/// What a build remembers of a resource beside its tree.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Memory {
    pub(crate) previous: Vec<Previous>,
    pub(crate) prefixes: Vec<Box<str>>,
    pub(crate) suffixes: Vec<Box<str>>,
    pub(crate) behavior: Behavior,
    pub(crate) generated: bool,
    pub(crate) needs_hash: bool,
    pub(crate) allow_name_change: bool,
    pub(crate) allow_kind_change: bool,
    pub(crate) from_chart: bool,
    pub(crate) referred_by: Vec<ResId>,
    pub(crate) vars: Vec<String>,
    /// The values of [`Shared`] scalars, by their number less one.
    pub(crate) shared: Vec<Scalar>,
    pub(crate) origin: Option<Origin>,
    pub(crate) transformations: Vec<Origin>,
}

/// A resource of a build.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Resource {
    pub(crate) node: Node,
    pub(crate) memory: Memory,
}

/// Annotations that only serve a build and are never printed.
const INTERNAL: &str = "internal.config.kubernetes.io/";
const BUILD_ANNOTATIONS: &[&str] = &[
    "previousKinds",
    "previousNames",
    "prefixes",
    "suffixes",
    "previousNamespaces",
    "allowNameChange",
    "allowKindChange",
    "refBy",
    "generatorBehavior",
    "needsHashSuffix",
    "path",
    "index",
    "seqindent",
    "id",
    "annotations-migration-resource-id",
    "helm-generated",
];
const LEGACY_ANNOTATIONS: &[&str] = &["config.kubernetes.io/path", "config.kubernetes.io/index", "config.k8s.io/id"];

fn is_build_annotation(key: &str) -> bool {
    key.strip_prefix(INTERNAL).is_some_and(|name| BUILD_ANNOTATIONS.contains(&name))
        || LEGACY_ANNOTATIONS.contains(&key)
}

impl Resource {
    /// Returns the resource of a tree that was read from a file.
    pub(crate) fn new(node: Node) -> Self {
        let mut memory = Memory::default();
        if let Some(annotations) = node.at(&["metadata", "annotations"]) {
            let enabled = |name: &str| {
                annotations
                    .entries()
                    .iter()
                    .any(|(key, value)| key.text.strip_prefix(INTERNAL) == Some(name) && value.raw_text() == "enabled")
            };
            memory.needs_hash = enabled("needsHashSuffix");
            memory.allow_name_change = enabled("allowNameChange");
            memory.allow_kind_change = enabled("allowKindChange");
        }
        Self { node, memory }
    }

    pub(crate) fn kind(&self) -> &str {
        self.node.get("kind").map_or("", Node::raw_text)
    }

    pub(crate) fn api_version(&self) -> &str {
        self.node.get("apiVersion").map_or("", Node::raw_text)
    }

    pub(crate) fn name(&self) -> &str {
        self.node.at(&["metadata", "name"]).map_or("", Node::text)
    }

    pub(crate) fn namespace(&self) -> &str {
        self.node.at(&["metadata", "namespace"]).map_or("", Node::text)
    }

    pub(crate) fn gvk(&self) -> Gvk {
        Gvk::of(&self.node)
    }

    /// Returns the id as it is now.
    pub(crate) fn id(&self) -> ResId {
        ResId::of(&self.node)
    }

    /// Returns the former ids, oldest first.
    pub(crate) fn previous_ids(&self) -> Vec<ResId> {
        if self.memory.previous.is_empty() {
            return Vec::new();
        }
        let now = self.gvk();
        let id = |previous: &Previous| ResId {
            gvk: Gvk { kind: previous.kind.clone(), ..now.clone() },
            name: previous.name.clone(),
            namespace: previous.namespace.clone(),
            cluster_scoped: false,
        };
        self.memory.previous.iter().map(id).collect()
    }

    /// Returns the first id that the resource had.
    pub(crate) fn original_id(&self) -> ResId {
        self.previous_ids().into_iter().next().unwrap_or_else(|| self.id())
    }

    /// Tells whether the resource has or had an id; most have another name, which costs no copy to see.
    pub(crate) fn has_or_had(&self, id: &ResId) -> bool {
        let once = || self.memory.previous.iter().any(|previous| previous.name == id.name);
        *self.name() == *id.name && self.id().same(id)
            || once() && self.previous_ids().iter().any(|previous| previous.same(id))
    }

    /// Names the places that a label or annotation of this value is about to be added to.
    pub(crate) fn new_shared(&mut self, value: &str) -> Shared {
        self.memory.shared.push(Scalar::string(value));
        Shared(u32::try_from(self.memory.shared.len()).unwrap_or(0))
    }

    /// Gives a value that was changed in one place to the places that are one with it.
    pub(crate) fn unite_shared(&mut self) {
        let known = &mut self.memory.shared;
        if known.is_empty() {
            return;
        }
        let place = |scalar: &Scalar| (scalar.shared.0 as usize).wrapping_sub(1);
        let mut changed: Vec<(usize, Scalar)> = Vec::new();
        self.node.each_shared(&mut |scalar| {
            if known.get(place(scalar)).is_some_and(|known| known != scalar) {
                changed.push((place(scalar), scalar.clone()));
            }
        });
        if changed.is_empty() {
            return;
        }
        for (place, value) in changed {
            known[place] = value;
        }
        self.node.each_shared(&mut |scalar| {
            if let Some(known) = known.get(place(scalar)) {
                scalar.overwrite(known.clone());
            }
        });
    }

    /// Makes all scalars their own, as when kustomize prints and reads the resource again.
    pub(crate) fn part_shared(&mut self) {
        if !std::mem::take(&mut self.memory.shared).is_empty() {
            self.node.each_shared(&mut |scalar| scalar.shared = Shared::default());
        }
    }

    /// Makes annotations their own, as when kustomize writes its own ones among them.
    pub(crate) fn part_annotations(&mut self) {
        if !self.memory.shared.is_empty()
            && let Some(annotations) =
                self.node.get_mut("metadata").and_then(|metadata| metadata.get_mut("annotations"))
        {
            annotations.each_shared(&mut |scalar| scalar.shared = Shared::default());
        }
    }

    /// Remembers the id as it is now as a former one.
    pub(crate) fn store_previous_id(&mut self) {
        self.part_annotations();
        let id = self.id();
        let namespace = id.effective_namespace().into();
        self.memory.previous.push(Previous { name: id.name, namespace, kind: id.gvk.kind });
    }

    /// Forgets where the resource comes from: kustomize keeps that in annotations, which a patch has taken away.
    pub(crate) fn forget_origin(&mut self) {
        self.memory.origin = None;
        self.memory.transformations.clear();
    }

    /// Makes `metadata.annotations` if kustomize would keep something there, for patches that expect the map.
    pub(crate) fn show_memory(&mut self) {
        let memory = &self.memory;
        let any = !memory.previous.is_empty() || memory.generated || memory.needs_hash || memory.origin.is_some();
        if any && let Some(metadata) = self.node.map_at("metadata") {
            metadata.map_at("annotations");
        }
    }

    pub(crate) fn set_name(&mut self, name: &str) {
        if let Some(metadata) = self.node.map_at("metadata") {
            metadata.set_field("name", Scalar::open(name));
        }
    }

    pub(crate) fn set_kind(&mut self, kind: &str) {
        self.node.set_field("kind", Scalar::open(kind));
    }

    pub(crate) fn set_namespace(&mut self, namespace: &str) {
        if namespace.is_empty() {
            if let Some(metadata) = self.node.get_mut("metadata") {
                metadata.remove("namespace");
            }
        } else if let Some(metadata) = self.node.map_at("metadata") {
            metadata.set_field("namespace", Scalar::open(namespace));
        }
    }

    /// Returns `labels` or `annotations` as texts.
    pub(crate) fn texts(&self, field: &str) -> Vec<(Box<str>, Box<str>)> {
        let map = self.node.at(&["metadata", field]).map_or(&[][..], Node::entries);
        map.iter().map(|(key, value)| (key.text.clone(), value.raw_text().into())).collect()
    }

    /// Sets `labels` or `annotations`; the field goes away if there are none.
    pub(crate) fn set_texts(&mut self, field: &str, mut texts: Vec<(Box<str>, Box<str>)>) {
        texts.sort();
        let Some(metadata) = self.node.map_at("metadata") else { return };
        metadata.remove(field);
        if !texts.is_empty() {
            let entries = texts.into_iter().map(|(key, value)| (Scalar::open(&key), string_node(&value)));
            metadata.insert(field, Node::Map(entries.collect()));
        }
    }

    /// Takes labels, annotations, name and namespace of the resource that this one replaces or is merged into.
    pub(crate) fn take_metadata_of(&mut self, other: &Self) {
        for field in ["labels", "annotations"] {
            let mut texts = other.texts(field);
            for (key, value) in self.texts(field) {
                match texts.iter_mut().find(|(known, _)| *known == key) {
                    Some((_, known)) => *known = value,
                    None => texts.push((key, value)),
                }
            }
            self.set_texts(field, texts);
        }
        self.set_name(other.name());
        self.set_namespace(other.namespace());
        let mine = std::mem::take(&mut self.memory);
        self.memory = other.memory.clone();
        self.memory.needs_hash &= mine.needs_hash;
        self.memory.origin = mine.origin.or(self.memory.origin.take());
    }

    /// Puts `data` or `binaryData` of another resource below the own.
    pub(crate) fn merge_data_of(&mut self, other: &Self, field: &str) {
        let mut merged: Vec<(Box<str>, Box<str>)> = Vec::new();
        for source in [other, &*self] {
            for (key, value) in source.node.get(field).map_or(&[][..], Node::entries) {
                let value: Box<str> = value.text().into();
                match merged.iter_mut().find(|(known, _)| *known == key.text) {
                    Some((_, known)) => *known = value,
                    None => merged.push((key.text.clone(), value)),
                }
            }
        }
        self.node.remove(field);
        if !merged.is_empty() {
            merged.sort();
            let entries = merged.into_iter().map(|(key, value)| (Scalar::open(&key), string_node(&value)));
            self.node.insert(field, Node::Map(entries.collect()));
        }
    }

    /// Tells whether prefixes and suffixes fit those of another resource.
    pub(crate) fn same_affixes(&self, other: &Self, allow_empty: bool) -> bool {
        let fits = |mine: &[Box<str>], others: &[Box<str>]| {
            allow_empty && (mine.is_empty() || others.is_empty()) || same_ending(mine, others)
        };
        fits(&self.memory.prefixes, &other.memory.prefixes) && fits(&self.memory.suffixes, &other.memory.suffixes)
    }

    /// Checks what every resource must have, as kustomize does when it reads one.
    pub(crate) fn validate(node: &Node) -> Result<(), Error> {
        let text = |keys: &[&str]| node.at(keys).map_or("", Node::text);
        let (api_version, kind) = (text(&["apiVersion"]), text(&["kind"]));
        let metadata = node.get("metadata").filter(|metadata| !metadata.is_empty());
        let part = |key: &str| metadata.and_then(|metadata| metadata.get(key)).filter(|value| !value.is_empty());
        let missing = node.get("apiVersion").is_none_or(Node::is_empty)
            && node.get("kind").is_none_or(Node::is_empty)
            && ["name", "namespace", "labels", "annotations"].iter().all(|key| part(key).is_none());
        if missing {
            return Err(Error::new("missing Resource metadata"));
        }
        let describe = || {
            let map = |key: &str| {
                let mut texts: Vec<String> = part(key)
                    .map_or(&[][..], Node::entries)
                    .iter()
                    .map(|(key, value)| format!("{}:{}", key.text, value.text()))
                    .collect();
                texts.sort();
                texts.join(" ")
            };
            let (name, namespace) = (text(&["metadata", "name"]), text(&["metadata", "namespace"]));
            format!(
                "{{{{{api_version} {kind}}} {{{{{name} {namespace}}} map[{}] map[{}]}}}}",
                map("labels"),
                map("annotations")
            )
        };
        if kind.is_empty() {
            return Err(Error::new(format!("missing kind in object {}", describe())));
        }
        if !kind.ends_with("List") && text(&["metadata", "name"]).is_empty() {
            return Err(Error::new(format!("missing metadata.name in object {}", describe())));
        }
        Ok(())
    }

    /// Brings annotations into the form in which kustomize prints them: all strings, the internal ones gone.
    pub(crate) fn settle_annotations(&mut self, keep_origin: bool, keep_transformations: bool) {
        let mut texts = self.texts("annotations");
        texts.retain(|(key, _)| !is_build_annotation(key));
        set_or_drop(
            &mut texts,
            ORIGIN,
            self.memory.origin.as_ref().filter(|_| keep_origin).map(Origin::text),
            keep_origin,
        );
        let transformations = &self.memory.transformations;
        let printed = (keep_transformations && !transformations.is_empty()).then(|| Origin::list_text(transformations));
        set_or_drop(&mut texts, TRANSFORMATIONS, printed, keep_transformations);
        self.set_texts("annotations", texts);
    }

    /// Returns the tree with the internal annotations that kustomize would hold, for error texts.
    pub(crate) fn with_internal_annotations(&self) -> Node {
        let mut shown = self.clone();
        let mut texts = shown.texts("annotations");
        let memory = &self.memory;
        if let Some(origin) = &memory.origin {
            texts.push((ORIGIN.into(), origin.text().into()));
        }
        if !memory.transformations.is_empty() {
            texts.push((TRANSFORMATIONS.into(), Origin::list_text(&memory.transformations).into()));
        }
        let mut add = |name: &str, value: String| texts.push((format!("{INTERNAL}{name}").into(), value.into()));
        for (name, allowed) in
            [("allowNameChange", memory.allow_name_change), ("allowKindChange", memory.allow_kind_change)]
        {
            if allowed {
                add(name, "enabled".to_owned());
            }
        }
        if memory.generated {
            add("generatorBehavior", memory.behavior.name().to_owned());
        }
        if memory.needs_hash {
            add("needsHashSuffix", "enabled".to_owned());
        }
        if !memory.prefixes.is_empty() {
            add("prefixes", memory.prefixes.join(","));
        }
        if !memory.suffixes.is_empty() {
            add("suffixes", memory.suffixes.join(","));
        }
        if !memory.previous.is_empty() {
            let join = |part: fn(&Previous) -> &str| memory.previous.iter().map(part).collect::<Vec<_>>().join(",");
            add("previousKinds", join(|previous| &previous.kind));
            add("previousNames", join(|previous| &previous.name));
            add("previousNamespaces", join(|previous| &previous.namespace));
        }
        if !memory.referred_by.is_empty() {
            let ids: Vec<String> = memory.referred_by.iter().map(ResId::to_string).collect();
            add("refBy", ids.join(","));
        }
        shown.set_texts("annotations", texts);
        shown.node
    }
}

/// The annotation that tells where a resource comes from.
pub(crate) const ORIGIN: &str = "config.kubernetes.io/origin";
/// The annotation that tells what changed a resource.
pub(crate) const TRANSFORMATIONS: &str = "alpha.config.kubernetes.io/transformations";

fn set_or_drop(texts: &mut Vec<(Box<str>, Box<str>)>, key: &str, value: Option<String>, keep: bool) {
    if value.is_some() || !keep {
        texts.retain(|(known, _)| &**known != key);
    }
    if let Some(value) = value {
        texts.push((key.into(), value.into()));
    }
}

/// Returns a string as kyaml's `SetString` makes it.
pub(crate) fn string_node(text: &str) -> Node {
    let style = if text.contains('\n') { Style::Literal } else { Style::Plain };
    Node::Scalar(Scalar::new(text, Tag::Str, style))
}

fn same_ending(a: &[Box<str>], b: &[Box<str>]) -> bool {
    let (short, long) = if a.len() > b.len() { (b, a) } else { (a, b) };
    if short.is_empty() { long.is_empty() } else { long.ends_with(short) }
}
