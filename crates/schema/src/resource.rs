//! How a kind is served.

use std::sync::Arc;

use lockstep_object::{Gvk, Text, Value};

use crate::Version;

/// Where the objects of a kind live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// In a namespace.
    Namespaced,
    /// In the cluster.
    Cluster,
}

/// A kind in one version as the API server serves it.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// The kind of its objects.
    pub gvk: Gvk,
    /// The kind of its lists, as `DeploymentList`.
    pub list_kind: Text,
    /// The plural name, as in addresses.
    pub plural: Text,
    /// The singular name.
    pub singular: Text,
    /// Where its objects live.
    pub scope: Scope,
    /// The verbs, sorted as served.
    pub verbs: Vec<Text>,
    /// The short names of kubectl.
    pub short_names: Vec<Text>,
    /// The groups of kinds it belongs to, as `all`.
    pub categories: Vec<Text>,
    /// The subresources.
    pub subresources: Vec<Subresource>,
    /// The hash of the storage version; empty if not served.
    pub storage_version_hash: Text,
    /// What its definition says, if it is a custom resource.
    pub custom: Option<Arc<Version>>,
}

/// A subresource, as `status` or `scale`.
#[derive(Clone, Debug, PartialEq)]
pub struct Subresource {
    /// Its name without the resource, as `status`.
    pub name: Text,
    /// The kind that it reads and writes, as `autoscaling/v1, Kind=Scale`.
    pub gvk: Gvk,
    /// The verbs.
    pub verbs: Vec<Text>,
}

impl Resource {
    /// Tells whether its objects live in a namespace.
    pub fn namespaced(&self) -> bool {
        self.scope == Scope::Namespaced
    }

    /// Tells whether it is served with this verb.
    pub fn has_verb(&self, verb: &str) -> bool {
        self.verbs.iter().any(|known| known.as_str() == verb)
    }

    /// Finds a subresource.
    pub fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources.iter().find(|known| known.name.as_str() == name)
    }
}

/// Reads an `APIResourceList` of discovery; anything else has no resources.
pub(crate) fn of_discovery(list: &Value) -> Vec<Resource> {
    let (group, version) = match list.get("groupVersion").and_then(Value::as_str).unwrap_or_default().split_once('/') {
        Some((group, version)) => (group, version),
        None => ("", list.get("groupVersion").and_then(Value::as_str).unwrap_or_default()),
    };
    let mut found: Vec<Resource> = Vec::new();
    for entry in list.get("resources").and_then(Value::as_list).iter().flat_map(|entries| entries.iter()) {
        let name = text(entry, "name");
        match name.as_str().split_once('/') {
            None => found.push(of_entry(entry, group, version)),
            Some((parent, name)) => {
                let Some(parent) = found.iter_mut().find(|known| known.plural.as_str() == parent) else { continue };
                let gvk = kind_of(entry, group, version);
                parent.subresources.push(Subresource { name: name.into(), gvk, verbs: texts(entry, "verbs") });
            }
        }
    }
    found
}

fn of_entry(entry: &Value, group: &str, version: &str) -> Resource {
    let gvk = kind_of(entry, group, version);
    let namespaced = entry.get("namespaced").and_then(Value::as_bool) == Some(true);
    Resource {
        list_kind: format!("{}List", gvk.kind.as_str()).into(),
        gvk,
        plural: text(entry, "name"),
        singular: text(entry, "singularName"),
        scope: if namespaced { Scope::Namespaced } else { Scope::Cluster },
        verbs: texts(entry, "verbs"),
        short_names: texts(entry, "shortNames"),
        categories: texts(entry, "categories"),
        subresources: Vec::new(),
        storage_version_hash: text(entry, "storageVersionHash"),
        custom: None,
    }
}

/// An entry names group and version only where they differ from the list's.
fn kind_of(entry: &Value, group: &str, version: &str) -> Gvk {
    let kind = text(entry, "kind");
    match entry.get("version").and_then(Value::as_str) {
        Some(version) => Gvk::new(&text(entry, "group"), version, &kind),
        None => Gvk::new(group, version, &kind),
    }
}

fn text(entry: &Value, key: &str) -> Text {
    entry.get(key).and_then(Value::as_str).unwrap_or_default().into()
}

fn texts(entry: &Value, key: &str) -> Vec<Text> {
    let items = entry.get(key).and_then(Value::as_list);
    items.iter().flat_map(|items| items.iter()).filter_map(Value::as_str).map(Text::from).collect()
}
