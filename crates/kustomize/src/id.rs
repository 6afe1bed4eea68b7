//! What names a resource: group, version, kind, name and namespace, as kustomize compares and prints them.

use std::{cmp::Ordering, fmt};

use crate::node::Node;

/// Group, version and kind; an empty part of a selector matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Gvk {
    pub(crate) group: Box<str>,
    pub(crate) version: Box<str>,
    pub(crate) kind: Box<str>,
}

/// Cuts `group/version`.
pub(crate) fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

impl Gvk {
    pub(crate) fn new(group: &str, version: &str, kind: &str) -> Self {
        Self { group: group.into(), version: version.into(), kind: kind.into() }
    }

    pub(crate) fn of(node: &Node) -> Self {
        let (group, version) = split_api_version(node.get("apiVersion").map_or("", Node::raw_text));
        Self::new(group, version, node.get("kind").map_or("", Node::raw_text))
    }

    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_string() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Tells whether this is certainly a kind without namespaces.
    pub(crate) fn is_cluster_scoped(&self) -> bool {
        is_cluster_scoped(&self.group, &self.version, &self.kind)
    }

    pub(crate) fn is_selected(&self, selector: &Self) -> bool {
        let fits = |wanted: &str, is: &str| wanted.is_empty() || wanted == is;
        fits(&selector.group, &self.group) && fits(&selector.version, &self.version) && fits(&selector.kind, &self.kind)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.group.is_empty() && self.version.is_empty() && self.kind.is_empty()
    }
}

impl fmt::Display for Gvk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or = |text: &'static str, part: &str| if part.is_empty() { text.to_owned() } else { part.to_owned() };
        let (kind, version, group) =
            (or("[noKind]", &self.kind), or("[noVer]", &self.version), or("[noGrp]", &self.group));
        write!(f, "{kind}.{version}.{group}")
    }
}

/// The kinds that kustomize knows to be without namespaces: those of Kubernetes 1.21 (kyaml 0.21's table).
const CLUSTER_SCOPED: &[(&str, &[&str], &[&str])] = &[
    ("", &["v1"], &["ComponentStatus", "Namespace", "Node", "NodeProxyOptions", "PersistentVolume"]),
    (
        "admissionregistration.k8s.io",
        &["v1", "v1beta1"],
        &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"],
    ),
    ("apiextensions.k8s.io", &["v1", "v1beta1"], &["CustomResourceDefinition"]),
    ("apiregistration.k8s.io", &["v1", "v1beta1"], &["APIService"]),
    ("authentication.k8s.io", &["v1", "v1beta1"], &["TokenReview"]),
    (
        "authorization.k8s.io",
        &["v1", "v1beta1"],
        &["SelfSubjectAccessReview", "SelfSubjectRulesReview", "SubjectAccessReview"],
    ),
    ("certificates.k8s.io", &["v1", "v1beta1"], &["CertificateSigningRequest"]),
    ("flowcontrol.apiserver.k8s.io", &["v1beta1"], &["FlowSchema", "PriorityLevelConfiguration"]),
    ("networking.k8s.io", &["v1", "v1beta1"], &["IngressClass"]),
    ("node.k8s.io", &["v1", "v1beta1"], &["RuntimeClass"]),
    ("policy", &["v1beta1"], &["PodSecurityPolicy"]),
    ("rbac.authorization.k8s.io", &["v1", "v1beta1"], &["ClusterRole", "ClusterRoleBinding"]),
    ("scheduling.k8s.io", &["v1", "v1beta1"], &["PriorityClass"]),
    ("storage.k8s.io", &["v1", "v1beta1"], &["CSIDriver", "CSINode", "StorageClass", "VolumeAttachment"]),
];

fn is_cluster_scoped(group: &str, version: &str, kind: &str) -> bool {
    let known = |(known_group, versions, kinds): &(&str, &[&str], &[&str])| {
        *known_group == group && kinds.contains(&kind) && versions.contains(&version)
    };
    CLUSTER_SCOPED.iter().any(known)
}

/// What kustomize puts in place of the namespace of a kind that has none.
pub(crate) const NO_NAMESPACE: &str = "_non_namespaceable_";

/// What names a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct ResId {
    pub(crate) gvk: Gvk,
    pub(crate) name: Box<str>,
    pub(crate) namespace: Box<str>,
    /// Known only of ids taken from an object as it is now.
    pub(crate) cluster_scoped: bool,
}

impl ResId {
    /// Returns the id of an object as it is now.
    pub(crate) fn of(node: &Node) -> Self {
        let gvk = Gvk::of(node);
        let cluster_scoped = gvk.is_cluster_scoped();
        let metadata = node.get("metadata");
        let part = |key: &str| metadata.and_then(|metadata| metadata.get(key)).map_or("", Node::text).into();
        Self { gvk, name: part("name"), namespace: part("namespace"), cluster_scoped }
    }

    /// Returns the namespace that counts: `default` if there is none.
    pub(crate) fn effective_namespace(&self) -> &str {
        if self.cluster_scoped {
            NO_NAMESPACE
        } else if self.namespace.is_empty() {
            "default"
        } else {
            &self.namespace
        }
    }

    /// Tells whether both name the same resource.
    pub(crate) fn same(&self, other: &Self) -> bool {
        self.same_but_namespace(other) && self.effective_namespace() == other.effective_namespace()
    }

    pub(crate) fn same_but_namespace(&self, other: &Self) -> bool {
        self.name == other.name && self.gvk == other.gvk
    }

    /// Tells whether a selector of literal parts picks it.
    pub(crate) fn is_selected_by(&self, selector: &Self) -> bool {
        (selector.name.is_empty() || selector.name == self.name)
            && (selector.namespace.is_empty() || selector.effective_namespace() == self.effective_namespace())
            && self.gvk.is_selected(&selector.gvk)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.gvk.is_empty() && self.name.is_empty() && self.namespace.is_empty()
    }

    /// Prints it as Go's `%#v` does.
    pub(crate) fn to_go(&self) -> String {
        format!(
            "resid.ResId{{Gvk:resid.Gvk{{Group:{:?}, Version:{:?}, Kind:{:?}, isClusterScoped:{}}}, Name:{:?}, \
             Namespace:{:?}}}",
            self.gvk.group, self.gvk.version, self.gvk.kind, self.cluster_scoped, self.name, self.namespace
        )
    }
}

impl fmt::Display for ResId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.name.is_empty() { "[noName]" } else { &self.name };
        let namespace = if self.namespace.is_empty() { "[noNs]" } else { &self.namespace };
        write!(f, "{}/{name}.{namespace}", self.gvk)
    }
}

/// Kinds that go first in kustomize's legacy order.
pub(crate) const ORDER_FIRST: &[&str] = &[
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];

/// Kinds that go last in it.
pub(crate) const ORDER_LAST: &[&str] = &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

/// Returns the rank of a kind in an order; 0 for kinds that it does not name.
pub(crate) fn rank<S: AsRef<str>>(kind: &str, first: &[S], last: &[S]) -> isize {
    if let Some(place) = last.iter().rposition(|known| known.as_ref() == kind) {
        return place as isize + 1;
    }
    match first.iter().rposition(|known| known.as_ref() == kind) {
        Some(place) => place as isize - first.len() as isize,
        None => 0,
    }
}

/// The text by which ids of one rank are ordered.
pub(crate) fn sort_text(gvk: &Gvk) -> String {
    let or = |empty: &'static str, part: &str| if part.is_empty() { empty.to_owned() } else { part.to_owned() };
    format!("{}_{}_{}", or("~G", &gvk.group), or("~V", &gvk.version), or("~K", &gvk.kind))
}

/// Orders field specifications and references by their kind, as kustomize sorts its configuration.
pub(crate) fn compare(a: &Gvk, b: &Gvk) -> Ordering {
    let by_rank = rank(&a.kind, ORDER_FIRST, ORDER_LAST).cmp(&rank(&b.kind, ORDER_FIRST, ORDER_LAST));
    by_rank.then_with(|| sort_text(a).cmp(&sort_text(b)))
}
