//! The Project: who may deploy what where.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A Project as it stands in the cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Project {
    /// The object's metadata.
    pub metadata: crate::Metadata,
    /// The rules.
    pub spec: ProjectSpec,
}

/// The rules of a project. What a list does not allow is denied; `*` stands for any text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ProjectSpec {
    /// Source URLs that its Apps may use, as `https://git.example.com/team-a/*`.
    pub sources: Vec<String>,
    /// Namespaces that its Apps may deploy to.
    pub destinations: Vec<AllowedDestination>,
    /// Kinds that its Apps may deploy.
    pub kinds: Vec<AllowedKind>,
    /// When its Apps may be synced.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<SyncWindow>,
    /// Health rules for its Apps.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub health_rules: Vec<HealthRule>,
}

/// A time in which syncs may run by themselves, or may not. Where there is an `Allow`, nothing runs outside of it;
/// a `Deny` that is open wins over every `Allow`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SyncWindow {
    /// `Allow` or `Deny`.
    pub kind: WindowKind,
    /// When it opens, as five fields of cron: `0 22 * * 1-5`.
    pub schedule: String,
    /// How long it is open: `8h`, `1h30m`.
    pub duration: String,
    /// The time zone of the schedule, as `Europe/Berlin`; by default UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Names of the Apps that it is about, `*` stands for any text; by default all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub apps: Vec<String>,
    /// A sync that a person asks for runs all the same.
    pub manual_sync: bool,
    /// Drift is not set back either while this window forbids syncs.
    pub hold_repairs: bool,
    /// What it is for.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
}

/// The kind of a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "documented variants become a oneOf, which structural schemas refuse")]
pub enum WindowKind {
    #[default]
    Allow,
    Deny,
}

impl SyncWindow {
    /// Tells whether the window is about an App of this name.
    pub fn is_about(&self, app: &str) -> bool {
        self.apps.is_empty() || self.apps.iter().any(|pattern| matches(pattern, app))
    }
}

/// How the health of a kind is judged: in CEL, or by a Lua script as Argo CD has them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct HealthRule {
    /// The API group, empty for the core group; `*` stands for any text.
    pub group: String,
    /// The kind; `*` stands for any kind.
    pub kind: String,
    /// CEL that is true when the object is healthy: `status.phase == 'Ready'`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    /// CEL that is true while its controller works.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_progress: Option<String>,
    /// CEL that is true when it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// CEL that gives the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// A Lua script that returns a table with `status` and `message`, about `obj`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lua: Option<String>,
}

/// A place that a project may deploy to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AllowedDestination {
    /// The namespace; `*` stands for any text. Cluster-scoped objects need the empty namespace or `*`.
    pub namespace: String,
}

/// A kind that a project may deploy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AllowedKind {
    /// The API group, empty for the core group; `*` stands for any text.
    pub group: String,
    /// The kind; `*` stands for any text.
    pub kind: String,
}

impl ProjectSpec {
    /// Returns the rules that allow everything: those of the project `default` while nobody has written one.
    pub fn anything() -> Self {
        Self {
            sources: vec!["*".into()],
            destinations: vec![AllowedDestination { namespace: "*".into() }],
            kinds: vec![AllowedKind { group: "*".into(), kind: "*".into() }],
            ..Self::default()
        }
    }

    /// Tells whether Apps may use this source.
    pub fn allows_source(&self, url: &str) -> bool {
        self.sources.iter().any(|pattern| matches(pattern, url))
    }

    /// Tells whether Apps may deploy to this namespace; empty for cluster-scoped objects.
    pub fn allows_namespace(&self, namespace: &str) -> bool {
        self.destinations.iter().any(|allowed| matches(&allowed.namespace, namespace))
    }

    /// Tells whether Apps may deploy to every namespace.
    pub fn allows_everywhere(&self) -> bool {
        self.destinations.iter().any(|allowed| allowed.namespace == "*")
    }

    /// Tells whether Apps may deploy this kind.
    pub fn allows_kind(&self, group: &str, kind: &str) -> bool {
        self.kinds.iter().any(|allowed| matches(&allowed.group, group) && matches(&allowed.kind, kind))
    }
}

/// Tells whether a text fits a pattern in which `*` stands for any text, in time proportional to both lengths.
pub fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(place) = rest.find(part) else { return false };
        rest = &rest[place + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_allowed_is_denied() {
        let rules = ProjectSpec { sources: vec!["https://git.example.com/team-a/*".into()], ..ProjectSpec::default() };
        assert!(rules.allows_source("https://git.example.com/team-a/x.git"));
        assert!(!rules.allows_source("https://git.example.com/team-b/x.git"));
        assert!(!rules.allows_namespace("default"));
        assert!(ProjectSpec::anything().allows_kind("apps", "Deployment"));
        assert!(matches("a*b*c", "a-b-b-c") && !matches("a*b", "ab-") && matches("", ""));
    }
}
