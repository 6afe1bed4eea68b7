//! What names an object.

use std::fmt;

use crate::Text;

/// Group and kind: what a rule, a schema or an inventory entry is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Gk {
    /// The API group, empty for the core group.
    pub group: Text,
    /// The kind, as `Deployment`.
    pub kind: Text,
}

/// Group, version and kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Gvk {
    /// The API group, empty for the core group.
    pub group: Text,
    /// The version, as `v1`.
    pub version: Text,
    /// The kind, as `Deployment`.
    pub kind: Text,
}

impl Gvk {
    /// Returns the GVK of these parts.
    pub fn new(group: &str, version: &str, kind: &str) -> Self {
        Self { group: group.into(), version: version.into(), kind: kind.into() }
    }

    /// Splits `apps/v1` or `v1`; a text with more slashes keeps them in the version, as nothing valid has them.
    pub fn from_api_version(api_version: &str, kind: &str) -> Self {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        Self::new(group, version, kind)
    }

    /// Returns `apps/v1`, or `v1` for the core group.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_string() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Returns the group and kind.
    pub fn gk(&self) -> Gk {
        Gk { group: self.group.clone(), kind: self.kind.clone() }
    }
}

impl fmt::Display for Gvk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, Kind={}", self.api_version(), self.kind)
    }
}

impl fmt::Display for Gk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.group.is_empty() { f.write_str(&self.kind) } else { write!(f, "{}.{}", self.kind, self.group) }
    }
}

/// What names an object in a cluster, whatever its version: group, kind, namespace (empty if cluster-scoped) and name.
///
/// Displays as `namespace/Kind/name`, or `Kind/name` without a namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectKey {
    /// The API group, empty for the core group.
    pub group: Text,
    /// The kind.
    pub kind: Text,
    /// The namespace, empty if cluster-scoped.
    pub namespace: Text,
    /// The name.
    pub name: Text,
}

impl ObjectKey {
    /// Returns the key of these parts.
    pub fn new(group: &str, kind: &str, namespace: &str, name: &str) -> Self {
        Self { group: group.into(), kind: kind.into(), namespace: namespace.into(), name: name.into() }
    }

    /// Returns the group and kind.
    pub fn gk(&self) -> Gk {
        Gk { group: self.group.clone(), kind: self.kind.clone() }
    }

    fn parts(&self) -> [&str; 4] {
        [&self.group, &self.kind, &self.namespace, &self.name]
    }
}

impl PartialOrd for ObjectKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ObjectKey {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.parts().cmp(&other.parts())
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        write!(f, "{}/{}", self.kind, self.name)
    }
}
