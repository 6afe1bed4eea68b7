//! What the server serves: the built-in resources, as the table of API facts has them, and those of CRDs.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use lockstep_merge::apply::Typed;
use lockstep_object::{Value, from_json};
use lockstep_schema::SchemaSet;

use crate::build::{list_at, text_at};

/// A resource that is served in one version.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) plural: String,
    pub(crate) singular: String,
    pub(crate) kind: String,
    pub(crate) list_kind: String,
    pub(crate) namespaced: bool,
    pub(crate) verbs: Vec<String>,
    pub(crate) short_names: Vec<String>,
    pub(crate) categories: Vec<String>,
    pub(crate) subresources: Vec<Subresource>,
    /// Where its objects are kept: `group/plural`, the same for all versions.
    pub(crate) store: Arc<str>,
    pub(crate) storage_version_hash: String,
    /// What the CRD says, if it is a custom resource.
    pub(crate) custom: Option<Arc<crate::crd::Custom>>,
    /// An object with nothing in it, if it is a built-in resource; made when it is first needed.
    pub(crate) empty: OnceLock<Typed>,
}

/// What is below an object: `status`, `scale`, `log`.
#[derive(Clone, Debug)]
pub(crate) struct Subresource {
    pub(crate) name: String,
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) kind: String,
    pub(crate) verbs: Vec<String>,
}

impl Resource {
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    pub(crate) fn has_verb(&self, verb: &str) -> bool {
        self.verbs.iter().any(|known| known == verb)
    }

    pub(crate) fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources.iter().find(|sub| sub.name == name)
    }

    /// Tells whether this is the built-in resource of that group and plural.
    pub(crate) fn is(&self, group: &str, plural: &str) -> bool {
        self.group == group && self.plural == plural
    }

    /// Tells whether objects keep `apiVersion` and `kind` inside lists, as only custom resources do.
    pub(crate) fn is_custom(&self) -> bool {
        self.custom.is_some()
    }
}

/// One version of an API group, in the order it is listed.
#[derive(Clone, Debug)]
pub(crate) struct GroupVersion {
    pub(crate) version: String,
    pub(crate) resources: Vec<Arc<Resource>>,
}

/// An API group; the first version is preferred.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) versions: Vec<GroupVersion>,
}

/// All groups: built-in ones first in the server's order, then those of CRDs by name.
#[derive(Clone, Debug)]
pub(crate) struct Catalog {
    built_in: Arc<Vec<Group>>,
    custom: BTreeMap<String, Group>,
}

impl Catalog {
    pub(crate) fn new(schema: &SchemaSet) -> Self {
        Self { built_in: Arc::new(built_in_groups(schema)), custom: BTreeMap::new() }
    }

    /// Walks all groups; the core group is the first.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &Group> {
        self.built_in.iter().chain(self.custom.values())
    }

    pub(crate) fn group(&self, name: &str) -> Option<&Group> {
        self.groups().find(|group| group.name == name)
    }

    pub(crate) fn version(&self, group: &str, version: &str) -> Option<&GroupVersion> {
        self.group(group)?.versions.iter().find(|known| known.version == version)
    }

    pub(crate) fn resource(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Resource>> {
        self.version(group, version)?.resources.iter().find(|resource| resource.plural == plural)
    }

    /// Finds the resource of a kind in one version.
    pub(crate) fn kind(&self, group: &str, version: &str, kind: &str) -> Option<&Arc<Resource>> {
        self.version(group, version)?.resources.iter().find(|resource| resource.kind == kind)
    }

    /// Finds a resource of group and kind in any version, the preferred one first.
    pub(crate) fn any_version(&self, group: &str, kind: &str) -> Option<&Arc<Resource>> {
        let versions = &self.group(group)?.versions;
        versions.iter().find_map(|version| version.resources.iter().find(|resource| resource.kind == kind))
    }

    /// Walks each stored resource once, in its preferred version.
    pub(crate) fn stored(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.groups().flat_map(|group| {
            group.versions.iter().enumerate().flat_map(move |(place, version)| {
                version.resources.iter().filter(move |resource| {
                    let earlier = &group.versions[..place];
                    !earlier.iter().any(|v| v.resources.iter().any(|known| known.store == resource.store))
                })
            })
        })
    }

    /// Replaces the groups of CRDs.
    pub(crate) fn set_custom(&mut self, groups: BTreeMap<String, Group>) {
        self.custom = groups;
    }
}

fn built_in_groups(schema: &SchemaSet) -> Vec<Group> {
    let core = Group { name: String::new(), versions: vec![group_version(schema, "", "v1")] };
    let groups = document(schema, "apis");
    let others = list_at(&groups, &["groups"]).iter().map(|group| {
        let name = text_at(group, &["name"]);
        let versions = list_at(group, &["versions"])
            .iter()
            .map(|version| group_version(schema, name, text_at(version, &["version"])))
            .collect();
        Group { name: name.to_owned(), versions }
    });
    std::iter::once(core).chain(others).collect()
}

/// Reads a discovery document of the table; null if it has none of that name.
fn document(schema: &SchemaSet, name: &str) -> Value {
    let text = schema.table().and_then(|table| table.discovery(name));
    text.and_then(|text| from_json(text.as_bytes()).ok()).unwrap_or_default()
}

fn group_version(schema: &SchemaSet, group: &str, version: &str) -> GroupVersion {
    let name = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    let list = document(schema, &name);
    let entries = list_at(&list, &["resources"]);
    let resources = entries
        .iter()
        .filter(|entry| !text_at(entry, &["name"]).contains('/'))
        .map(|entry| Arc::new(built_in(entry, entries, group, version)))
        .collect();
    GroupVersion { version: version.to_owned(), resources }
}

fn built_in(entry: &Value, entries: &[Value], group: &str, version: &str) -> Resource {
    let plural = text_at(entry, &["name"]);
    let kind = text_at(entry, &["kind"]);
    let prefix = format!("{plural}/");
    let subresources = entries
        .iter()
        .filter_map(|sub| Some((text_at(sub, &["name"]).strip_prefix(&prefix)?, sub)))
        .map(|(name, sub)| Subresource {
            name: name.to_owned(),
            group: own(sub, "group"),
            version: own(sub, "version"),
            kind: own(sub, "kind"),
            verbs: owned_texts(sub, "verbs"),
        })
        .collect();
    Resource {
        group: group.to_owned(),
        version: version.to_owned(),
        plural: plural.to_owned(),
        singular: own(entry, "singularName"),
        kind: kind.to_owned(),
        list_kind: format!("{kind}List"),
        namespaced: entry.get("namespaced").and_then(Value::as_bool).unwrap_or_default(),
        verbs: owned_texts(entry, "verbs"),
        short_names: owned_texts(entry, "shortNames"),
        categories: owned_texts(entry, "categories"),
        subresources,
        store: store_name(group, plural),
        storage_version_hash: own(entry, "storageVersionHash"),
        custom: None,
        empty: OnceLock::new(),
    }
}

/// Names the store of a resource; events live in one store whichever group they are asked of.
pub(crate) fn store_name(group: &str, plural: &str) -> Arc<str> {
    if group == "events.k8s.io" && plural == "events" { "/events".into() } else { format!("{group}/{plural}").into() }
}

fn own(value: &Value, key: &str) -> String {
    text_at(value, &[key]).to_owned()
}

fn owned_texts(value: &Value, key: &str) -> Vec<String> {
    list_at(value, &[key]).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_table_is_readable_and_knows_deployments() {
        let catalog = Catalog::new(&SchemaSet::built_in());
        let deployments = catalog.resource("apps", "v1", "deployments").unwrap();
        assert_eq!(deployments.kind, "Deployment");
        assert!(deployments.namespaced && deployments.subresource("scale").is_some());
    }

    #[test]
    fn versions_of_a_group_share_their_store() {
        let catalog = Catalog::new(&SchemaSet::built_in());
        let stores: Vec<_> = catalog.stored().filter(|r| r.kind == "HorizontalPodAutoscaler").collect();
        assert_eq!(stores.len(), 1);
        assert_eq!(stores[0].version, "v2");
    }
}
