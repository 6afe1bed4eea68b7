//! How a kustomization is built, and what is changed without touching its file.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Changes to a kustomization, made without touching its file, and what its build is allowed.
///
/// Fields have the names of `kustomization.yaml` and of Argo CD's and Flux's own resources.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct KustomizeOptions {
    /// Rules for images; one takes the place of the file's rule of the same name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<KustomizeImage>,
    /// Patches, after those of the file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<KustomizePatch>,
    /// Folders of components, from the kustomization's folder; after those of the file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<String>,
    /// Components that are not there are left out.
    pub ignore_missing_components: bool,
    /// Takes the place of the file's `namePrefix`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_prefix: Option<String>,
    /// Takes the place of the file's `nameSuffix`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_suffix: Option<String>,
    /// Takes the place of the file's `namespace`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Labels for all objects and their pod templates, not for selectors.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations for all objects.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub common_annotations: BTreeMap<String, String>,
    /// Numbers of replicas by the name of the workload.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub replicas: Vec<KustomizeReplicas>,
    /// `LoadRestrictionsNone` lets files above the kustomization's folder be read; never files outside of the source.
    pub load_restrictor: LoadRestrictor,
    /// Charts of the field `helmCharts` are rendered.
    pub enable_helm: bool,
    /// Repositories and URLs outside of the source may be named as bases. They are fetched whenever the App's source has
    /// a new revision.
    pub allow_remote_bases: bool,
}

/// Which files a kustomization may read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum LoadRestrictor {
    #[default]
    #[allow(missing_docs, reason = "a documented variant becomes a oneOf, which structural schemas refuse")]
    LoadRestrictionsRootOnly,
    #[allow(missing_docs, reason = "as above")]
    LoadRestrictionsNone,
}

/// A rule for an image; parts that are left out stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct KustomizeImage {
    /// The image's name, without a tag.
    pub name: String,
    /// The new name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub new_name: String,
    /// The new tag.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub new_tag: String,
    /// The new digest.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub digest: String,
}

/// A patch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct KustomizePatch {
    /// A strategic merge patch or a JSON patch (RFC 6902), as YAML or JSON text.
    pub patch: String,
    /// What it is for; without it, the object that the patch names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<KustomizeTarget>,
}

/// Picks the objects of a patch. All parts are anchored regular expressions; those that are left out match all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct KustomizeTarget {
    /// The API group.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// The API version.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// The kind.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// The name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The namespace.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// A label selector.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub label_selector: String,
    /// An annotation selector.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub annotation_selector: String,
}

/// A number of replicas.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct KustomizeReplicas {
    /// The name of the workload.
    pub name: String,
    /// The number.
    pub count: i64,
}
