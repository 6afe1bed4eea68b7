//! The App: what is deployed, where, and how.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AppStatus, KustomizeOptions};

/// An App as it stands in the cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct App {
    /// The object's metadata, as far as Lockstep looks at it.
    pub metadata: Metadata,
    /// What is wanted.
    pub spec: AppSpec,
    /// What is.
    pub status: AppStatus,
}

/// The parts of an object's metadata that matter here.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// The name.
    pub name: String,
    /// The namespace.
    pub namespace: String,
    /// The generation of the spec.
    pub generation: i64,
    /// The server's id of the object.
    pub uid: String,
    /// The server's version of the object.
    pub resource_version: String,
    /// When the server made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creation_timestamp: Option<String>,
    /// When deletion was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_timestamp: Option<String>,
    /// What must happen before it goes.
    pub finalizers: Vec<String>,
    /// The annotations.
    pub annotations: std::collections::BTreeMap<String, String>,
}

/// What is deployed, where, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AppSpec {
    /// The project whose rules hold, by default `default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Where the objects come from.
    pub source: Source,
    /// Where they go to.
    pub destination: Destination,
    /// How they are kept.
    pub sync: SyncPolicy,
    /// Apps that must be ready, at the same revision if they share the source, before this one is synced.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<DependencyRef>,
    /// Differences that are no drift and that a sync leaves as they are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignore_differences: Vec<IgnoreDifference>,
    /// Health rules for kinds of this App's objects; they win over those of the operator.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub health_rules: Vec<crate::HealthRule>,
    /// Nothing is changed in the cluster while this is true.
    pub suspend: bool,
}

/// Where the objects come from: exactly one of `git`, `chart`, `oci` and `folder`. `helm` says how a chart is rendered,
/// wherever it comes from: it is the same for a chart of a repository and for a folder of Git that is a chart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Source {
    /// A Git repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git: Option<GitSource>,
    /// A chart of a Helm repository or of an OCI registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chart: Option<ChartSource>,
    /// An artifact of an OCI registry: manifests, a kustomization or a chart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oci: Option<OciSource>,
    /// A folder of the machine that Lockstep runs on, without Git: for `lockstep up --worktree`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<FolderSource>,
    /// How a chart is rendered, where the folder is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub helm: Option<HelmOptions>,
    /// How a kustomization is built, where the folder is one, and what is changed without touching its file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kustomize: Option<KustomizeOptions>,
    /// Other sources, whose files `helm.valueFiles` may name as `$name/path`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refs: Vec<NamedSource>,
}

/// A chart of a Helm repository or of an OCI registry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ChartSource {
    /// The repository: `https://…` with an `index.yaml`, or `oci://host/path`.
    pub repo: String,
    /// The chart's name.
    pub name: String,
    /// A version or range of versions as Helm reads them; by default the newest release.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// The Secret with the credentials; by default one chosen by its URL prefix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretRef>,
    /// Whether an OCI registry is spoken to without TLS.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub insecure: bool,
    /// How often the repository is asked, in seconds; by default 300.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval_seconds: Option<u64>,
}

/// An artifact of an OCI registry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct OciSource {
    /// `oci://host/path`, without tag.
    pub url: String,
    /// A tag, a digest (`sha256:…`) or a semver range of tags; by default `latest`.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The folder inside the artifact, by default its root.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// The Secret with the credentials; by default one chosen by its URL prefix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretRef>,
    /// Whether the registry is spoken to without TLS.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub insecure: bool,
    /// How often the registry is asked, in seconds; by default 60.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval_seconds: Option<u64>,
}

/// A source whose files others may name: exactly one of `git`, `oci` and `folder`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct NamedSource {
    /// What `$name` means.
    pub name: String,
    /// A Git repository; without a URL that of the App itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git: Option<GitSource>,
    /// An artifact of an OCI registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oci: Option<OciSource>,
    /// A folder of the machine that Lockstep runs on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<FolderSource>,
}

/// How a chart is rendered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct HelmOptions {
    /// The release's name, by default the App's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release_name: Option<String>,
    /// Values files, from the root of the source, or of another source as `$name/path`; later ones win.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub value_files: Vec<String>,
    /// ConfigMaps and Secrets with values; they win over files, later ones over earlier ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values_from: Vec<ValuesReference>,
    /// Values as YAML text; they win over all others.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub values: String,
    /// Whether Helm's own record of the release is kept, so that `helm list`, `history` and `get` show it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub release_record: bool,
}

/// Values in a ConfigMap or Secret of the App's namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ValuesReference {
    /// `ConfigMap` or `Secret`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The key that holds the values, by default `values.yaml`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values_key: Option<String>,
    /// Where the key's content stands among the values, as `auth.password`; by default it is a whole values file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_path: Option<String>,
    /// Whether it may be missing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

/// A Git repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct GitSource {
    /// `https://`, `http://`, `ssh://`, `user@host:path`, `file://` or a path.
    pub url: String,
    /// A branch, tag, commit, full reference or semver range of tags; by default `HEAD`.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The folder inside the repository, by default its root.
    pub path: String,
    /// The Secret with the credentials; by default one chosen by its URL prefix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretRef>,
    /// Whether submodules are fetched too.
    pub submodules: bool,
    /// How often a remote repository is asked, in seconds; by default 30.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval_seconds: Option<u64>,
}

/// A folder of the machine that Lockstep runs on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FolderSource {
    /// The folder that is watched.
    pub root: String,
    /// The folder inside it, by default itself.
    pub path: String,
}

/// A Secret in the App's namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SecretRef {
    /// Its name.
    pub name: String,
}

/// Where the objects go to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Destination {
    /// The namespace of namespaced objects that name none; by default the App's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// How the objects are kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SyncPolicy {
    /// New revisions are applied by themselves.
    pub auto: bool,
    /// Objects that left the source are deleted.
    pub prune: bool,
    /// Drift is set back; `false` is the same as `drift: Warn`.
    pub self_heal: bool,
    /// What is done about drift: `Repair`, `Warn` (it is told), `Ignore` (it stays until Git changes the object).
    pub drift: DriftMode,
    /// Missing namespaces are made.
    pub create_namespace: bool,
    /// Labels and annotations of the destination's namespace where it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace_metadata: Option<NamespaceMetadata>,
    /// Before anything is changed, the API server checks all of it without storing it.
    pub validate_first: bool,
    /// Objects whose change the API server refuses because a field is immutable are deleted and made anew.
    pub recreate: bool,
    /// Objects are pruned only after a person agreed, with the annotation `lockstep.dev/confirm-prune`.
    pub confirm_prune: bool,
    /// A sync that fails goes back to the last revision that was well, and stays there until Git changes.
    pub atomic: bool,
    /// When syncs may run by themselves; those of the project hold too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<crate::SyncWindow>,
    /// A source without any object deletes everything; otherwise that is refused.
    pub allow_empty: bool,
    /// How long the objects may take to become healthy, in seconds.
    pub timeout_seconds: u64,
    /// How failures are tried again.
    pub retry: Retry,
    /// What happens to the objects when the App is deleted.
    pub deletion: Deletion,
}

impl Default for SyncPolicy {
    fn default() -> Self {
        Self {
            auto: true,
            prune: true,
            self_heal: true,
            drift: DriftMode::default(),
            create_namespace: false,
            namespace_metadata: None,
            validate_first: false,
            recreate: false,
            confirm_prune: false,
            atomic: false,
            windows: Vec::new(),
            allow_empty: false,
            timeout_seconds: 300,
            retry: Retry::default(),
            deletion: Deletion::default(),
        }
    }
}

/// How failures are tried again: after `minSeconds`, then twice as long each time up to `maxSeconds`, with jitter.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Retry {
    /// The first pause.
    pub min_seconds: u64,
    /// The longest pause.
    pub max_seconds: u64,
}

impl Default for Retry {
    fn default() -> Self {
        Self { min_seconds: 2, max_seconds: 180 }
    }
}

/// What happens to the objects when the App is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Deletion {
    #[default]
    #[allow(missing_docs, reason = "a documented variant becomes a oneOf, which structural schemas refuse")]
    Delete,
    #[allow(missing_docs, reason = "as above")]
    Orphan,
}

/// What is done about drift.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "documented variants become a oneOf, which structural schemas refuse")]
pub enum DriftMode {
    #[default]
    Repair,
    Warn,
    Ignore,
}

impl SyncPolicy {
    /// Returns what is done about drift, `selfHeal` considered.
    pub fn drift_mode(&self) -> DriftMode {
        if self.drift == DriftMode::Repair && !self.self_heal { DriftMode::Warn } else { self.drift }
    }
}

/// Differences that are no drift, of the objects that it is about. Empty fields are about every object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct IgnoreDifference {
    /// The API group, empty for the core group; `*` stands for any text.
    pub group: String,
    /// The kind; `*` stands for any text.
    pub kind: String,
    /// The object's name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The object's namespace.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Fields as JSON pointers: `/spec/replicas`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub json_pointers: Vec<String>,
    /// Fields as jq paths: `.webhooks[].clientConfig.caBundle`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub jq_path_expressions: Vec<String>,
    /// Fields as paths with list items by their keys: `spec.template.spec.containers[name=web].resources`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Everything that these field managers own: `kube-controller-manager`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub managed_fields_managers: Vec<String>,
    /// The differences are told, and not set back.
    pub warn: bool,
}

/// Labels and annotations of a namespace that is made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct NamespaceMetadata {
    /// The labels.
    pub labels: std::collections::BTreeMap<String, String>,
    /// The annotations.
    pub annotations: std::collections::BTreeMap<String, String>,
}

/// Another App.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DependencyRef {
    /// Its name.
    pub name: String,
    /// Its namespace, by default the App's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// When it counts as ready, in CEL over its `status`: `status.health == 'Healthy'`; by default synced and healthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<String>,
}
