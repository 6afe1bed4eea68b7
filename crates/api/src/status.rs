//! The status of an App.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AppStatus {
    /// The generation of the spec that this status is about.
    pub observed_generation: i64,
    /// Where the sync stands.
    pub phase: Phase,
    /// The worst health of the objects.
    pub health: AppHealth,
    /// One sentence that says why, where there is something to say.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The revision that the cluster has, whole.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub revision: String,
    /// The revision that was last tried, where it is another.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub attempted_revision: String,
    /// The digest of the desired state that was last synced whole: hooks run again when it changes.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub digest: String,
    /// The last value of the annotation that asks for a sync.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last_refresh: String,
    /// How many syncs that owed hooks have ended: each runs its hooks once, also across a crash.
    #[serde(skip_serializing_if = "is_zero")]
    pub runs: u64,
    /// The revision that an atomic App went back from; it stays away from it until Git changes.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub held_revision: String,
    /// Whether hooks run when the App is deleted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub deletion_hooks: bool,
    /// What was asked for last that needs a person's word, as `lockstep.dev/confirm-prune=…`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub asks: String,
    /// `Ready`, `Reconciling` and `Stalled`, as kstatus reads them.
    pub conditions: Vec<Condition>,
    /// What the App owns: `group/Kind/namespace/name/version`, then the digests of what was applied and of what was stored.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inventory: Vec<String>,
    /// The last syncs, newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<HistoryEntry>,
    /// The last repairs of drift, newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<Drift>,
}

/// Where the sync stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "documented variants become a oneOf, which structural schemas refuse")]
pub enum Phase {
    #[default]
    Pending,
    Waiting,
    Syncing,
    Synced,
    Failed,
    Suspended,
    Deleting,
}

/// The worst health of an App's objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "documented variants become a oneOf, which structural schemas refuse")]
pub enum AppHealth {
    Healthy,
    Suspended,
    Progressing,
    Missing,
    Degraded,
    #[default]
    Unknown,
}

/// A condition, as all of Kubernetes has them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    /// `Ready`, `Reconciling` or `Stalled`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// Why, in one word.
    pub reason: String,
    /// Why, in a sentence.
    pub message: String,
    /// Since when, RFC 3339.
    pub last_transition_time: String,
    /// The generation that it is about.
    pub observed_generation: i64,
}

/// How a sync ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "documented variants become a oneOf, which structural schemas refuse")]
pub enum Outcome {
    #[default]
    Succeeded,
    Failed,
    Superseded,
}

/// One sync.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct HistoryEntry {
    /// The revision.
    pub revision: String,
    /// Who wrote the commit.
    pub author: String,
    /// The first line of its message.
    pub message: String,
    /// When the sync began, RFC 3339.
    pub started: String,
    /// When it ended, RFC 3339.
    pub finished: String,
    /// How it ended.
    pub outcome: Outcome,
    /// How many objects were changed.
    pub changed: u32,
    /// Why it failed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What its hooks gave.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<HookResult>,
}

/// What a hook gave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct HookResult {
    /// The object, as `namespace/Kind/name`.
    pub object: String,
    /// When it ran: `PreSync`, `Sync`, `PostSync`, `SyncFail`.
    pub phase: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it failed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The end of its pods' logs, where it failed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub log: String,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// One repair of drift.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Drift {
    /// The object, as `namespace/Kind/name`.
    pub object: String,
    /// What had changed, as `spec.replicas`.
    pub fields: Vec<String>,
    /// The field manager that changed it.
    pub manager: String,
    /// Who changed it, when and how, as `kubectl-edit (Update at 2026-01-01T10:00:00Z)`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// When it was seen, RFC 3339.
    pub time: String,
    /// What was done: `repaired`, `backing off`, `reported`, `waits for the window`.
    pub action: String,
}
