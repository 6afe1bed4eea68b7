//! The order in which kinds are applied.

/// Kinds in the order in which they are applied; deletion is the reverse. It is Helm's install order
/// (4.3), which Argo CD also follows, with the cluster's definitions first.
const ORDER: &[&str] = &[
    "PriorityClass",
    "Namespace",
    "CustomResourceDefinition",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "IngressClass",
    "GatewayClass",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "Ingress",
    "APIService",
];

/// Kinds that intercept or validate the others: applied after everything that they need to run.
const LAST: &[&str] =
    &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "ValidatingAdmissionPolicyBinding"];

/// Returns the place of a kind in the apply order: lower is earlier, equal may go together.
pub fn apply_rank(kind: &str) -> u16 {
    let known = u16::try_from(ORDER.len()).unwrap_or(u16::MAX);
    match ORDER.iter().position(|other| *other == kind) {
        Some(place) => u16::try_from(place).unwrap_or(known),
        None if LAST.contains(&kind) => known + 1,
        None => known,
    }
}

/// Tells whether others depend on objects of this kind to exist at all: CRDs and namespaces.
pub fn is_cluster_definition(group: &str, kind: &str) -> bool {
    matches!((group, kind), ("", "Namespace") | ("apiextensions.k8s.io", "CustomResourceDefinition"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_come_first_and_webhooks_last() {
        assert!(apply_rank("Namespace") < apply_rank("ServiceAccount"));
        assert!(apply_rank("CustomResourceDefinition") < apply_rank("ConfigMap"));
        assert!(apply_rank("Deployment") < apply_rank("Widget"));
        assert!(apply_rank("Widget") < apply_rank("ValidatingWebhookConfiguration"));
    }
}
