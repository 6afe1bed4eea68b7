//! An object: a map with apiVersion, kind and metadata.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Gvk, Map, ObjectKey, Value};

/// A Kubernetes object. It is a map; nothing else about its shape is promised, so every getter may find nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object {
    root: Map,
}

/// The value was not a map, so it is no object.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("expected an object, got {}", .0.type_name())]
pub struct NotAnObject(pub Value);

impl Object {
    /// Returns the object of this map.
    pub fn new(root: Map) -> Self {
        Self { root }
    }

    /// Returns the map.
    pub fn root(&self) -> &Map {
        &self.root
    }

    /// Returns the map for writing.
    pub fn root_mut(&mut self) -> &mut Map {
        &mut self.root
    }

    /// Returns the object as a value.
    pub fn into_value(self) -> Value {
        Value::Map(self.root)
    }

    /// Returns a copy as a value; cheap, the map is shared.
    pub fn to_value(&self) -> Value {
        Value::Map(self.root.clone())
    }

    /// Follows map keys from the root.
    pub fn at(&self, keys: &[&str]) -> Option<&Value> {
        let (first, rest) = keys.split_first()?;
        self.root.get(first)?.at(rest)
    }

    /// Follows map keys from the root to a string; empty if there is none.
    pub fn str_at(&self, keys: &[&str]) -> &str {
        self.at(keys).and_then(Value::as_str).unwrap_or_default()
    }

    /// Returns `apiVersion`, empty if missing.
    pub fn api_version(&self) -> &str {
        self.str_at(&["apiVersion"])
    }

    /// Returns `kind`, empty if missing.
    pub fn kind(&self) -> &str {
        self.str_at(&["kind"])
    }

    /// Returns `metadata.name`, empty if missing.
    pub fn name(&self) -> &str {
        self.str_at(&["metadata", "name"])
    }

    /// Returns `metadata.namespace`, empty if missing.
    pub fn namespace(&self) -> &str {
        self.str_at(&["metadata", "namespace"])
    }

    /// Returns group, version and kind.
    pub fn gvk(&self) -> Gvk {
        Gvk::from_api_version(self.api_version(), self.kind())
    }

    /// Returns what names the object.
    pub fn key(&self) -> ObjectKey {
        let gvk = self.gvk();
        ObjectKey { group: gvk.group, kind: gvk.kind, namespace: self.namespace().into(), name: self.name().into() }
    }

    /// Returns `metadata`, if it is a map.
    pub fn metadata(&self) -> Option<&Map> {
        self.root.get("metadata")?.as_map()
    }

    /// Returns `metadata` for writing, made if missing.
    pub fn metadata_mut(&mut self) -> &mut Map {
        self.root.map_entry("metadata")
    }

    /// Returns the value of a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.at(&["metadata", "labels", key])?.as_str()
    }

    /// Returns the value of an annotation.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.at(&["metadata", "annotations", key])?.as_str()
    }

    /// Sets a label.
    pub fn set_label(&mut self, key: &str, value: &str) {
        self.metadata_mut().map_entry("labels").insert(key, value);
    }

    /// Sets an annotation.
    pub fn set_annotation(&mut self, key: &str, value: &str) {
        self.metadata_mut().map_entry("annotations").insert(key, value);
    }

    /// Sets the namespace.
    pub fn set_namespace(&mut self, namespace: &str) {
        self.metadata_mut().insert("namespace", namespace);
    }
}

impl TryFrom<Value> for Object {
    type Error = NotAnObject;

    fn try_from(value: Value) -> Result<Self, NotAnObject> {
        match value {
            Value::Map(root) => Ok(Self { root }),
            other => Err(NotAnObject(other)),
        }
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.root.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Map::deserialize(deserializer).map(Self::new)
    }
}
