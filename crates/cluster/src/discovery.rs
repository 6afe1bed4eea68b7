//! Which kinds the cluster knows.

use std::collections::HashMap;

use lockstep_engine::{Scope, Scopes};
use lockstep_object::{Gvk, Value};

use crate::error::text_of;

/// How a kind is addressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// The kind.
    pub gvk: Gvk,
    /// The name in paths, as `deployments`.
    pub plural: String,
    /// Whether its objects live in namespaces.
    pub scope: Scope,
}

impl Resource {
    /// Returns the path of all its objects, or those of a namespace.
    pub fn collection(&self, namespace: &str) -> String {
        let root = if self.gvk.group.is_empty() {
            format!("/api/{}", self.gvk.version)
        } else {
            format!("/apis/{}/{}", self.gvk.group, self.gvk.version)
        };
        if namespace.is_empty() || self.scope == Scope::Cluster {
            format!("{root}/{}", self.plural)
        } else {
            format!("{root}/namespaces/{namespace}/{}", self.plural)
        }
    }

    /// Returns the path of one object.
    pub fn path(&self, namespace: &str, name: &str) -> String {
        format!("{}/{name}", self.collection(namespace))
    }
}

/// The kinds that a cluster knows, as it told at one time.
#[derive(Clone, Debug, Default)]
pub struct Discovery {
    resources: HashMap<Gvk, Resource>,
    /// The version to use of a group and kind when only those are known: the first that the server lists.
    preferred: HashMap<(String, String), Gvk>,
    /// As `/version` tells it: `v1.36.3`.
    pub(crate) version: String,
}

impl Discovery {
    /// Returns the resource of a kind.
    pub fn resource(&self, gvk: &Gvk) -> Option<&Resource> {
        self.resources.get(gvk)
    }

    /// Returns the resource of a group and kind in the version that the server prefers.
    pub fn preferred(&self, group: &str, kind: &str) -> Option<&Resource> {
        self.resources.get(self.preferred.get(&(group.to_owned(), kind.to_owned()))?)
    }

    /// Returns the resources of all kinds, each in the version that the server prefers, sorted by path.
    pub fn kinds(&self) -> Vec<&Resource> {
        let mut kinds: Vec<&Resource> = self.preferred.values().filter_map(|gvk| self.resources.get(gvk)).collect();
        kinds.sort_by_key(|resource| resource.collection(""));
        kinds
    }

    /// Returns the server's version, as `v1.36.3`; empty before it was asked.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Returns every `group/version` and `group/version/Kind`, sorted: what charts see as `.Capabilities.APIVersions`.
    pub fn api_versions(&self) -> Vec<String> {
        let versions = self.resources.keys().flat_map(|gvk| {
            let version = gvk.api_version();
            [format!("{version}/{}", gvk.kind), version]
        });
        versions.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
    }

    /// Adds what an aggregated discovery document (`APIGroupDiscoveryList`, v2) tells.
    pub(crate) fn add_aggregated(&mut self, document: &Value) {
        let items = document.get("items").and_then(Value::as_list);
        for group in items.into_iter().flatten() {
            let name = text_of(group, &["metadata", "name"]);
            for version in group.get("versions").and_then(Value::as_list).into_iter().flatten() {
                let version_name = text_of(version, &["version"]);
                for resource in version.get("resources").and_then(Value::as_list).into_iter().flatten() {
                    self.add(name, version_name, resource);
                }
            }
        }
    }

    fn add(&mut self, group: &str, version: &str, resource: &Value) {
        let kind = text_of(resource, &["responseKind", "kind"]);
        let plural = text_of(resource, &["resource"]);
        if kind.is_empty() || plural.is_empty() {
            return;
        }
        let scope = if text_of(resource, &["scope"]) == "Cluster" { Scope::Cluster } else { Scope::Namespaced };
        let gvk = Gvk::new(group, version, kind);
        self.preferred.entry((group.to_owned(), kind.to_owned())).or_insert_with(|| gvk.clone());
        self.resources.insert(gvk.clone(), Resource { gvk, plural: plural.to_owned(), scope });
    }
}

impl Scopes for Discovery {
    fn scope(&self, gvk: &Gvk) -> Option<Scope> {
        self.resource(gvk).map(|resource| resource.scope)
    }
}
