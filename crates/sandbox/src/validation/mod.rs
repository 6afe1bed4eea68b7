//! Validation of built-in kinds, in the server's words and order (Kubernetes 1.36, `pkg/apis/*/validation`).
//!
//! Each kind has one function that checks a new object, or a changed one against its old form; the table
//! [`CHECKS`] says which. Metadata is checked elsewhere, for all kinds alike ([`crate::names`]).

mod address;
mod affinity;
mod autoscaler;
mod batch;
mod claims;
mod cluster;
mod config;
mod containers;
mod cron;
mod definition;
mod endpoints;
mod env;
mod field;
mod network;
mod paths;
mod place;
mod pod;
mod policies;
mod probes;
mod rbac;
mod resources;
mod schema;
mod security;
mod selector;
mod service;
mod volumes;
mod webhooks;
mod workloads;

use lockstep_object::Object;

use crate::{catalog::Resource, status::Cause};

use field::Causes;

pub(crate) use field::{Field, Subject};

/// The metadata and the spec of the pods that an object is or makes.
pub(crate) struct Template<'a> {
    /// `metadata`, with its place.
    pub(crate) metadata: Field<'a>,
    /// `spec`, with its place.
    pub(crate) spec: Field<'a>,
}

/// Finds the pods that an object is or makes.
pub(crate) fn template_of<'a>(resource: &Resource, object: &Subject<'a>) -> Option<Template<'a>> {
    let path: &[&str] = match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "pods") => {
            return Some(Template { metadata: Field::of(object, "metadata"), spec: Field::of(object, "spec") });
        }
        ("apps", _) | ("batch", "jobs") | ("", "replicationcontrollers") => &["template"],
        ("batch", "cronjobs") => &["jobTemplate", "spec", "template"],
        _ => return None,
    };
    let template = Field::of(object, "spec").down(path);
    Some(Template { metadata: template.at("metadata"), spec: template.at("spec") })
}

/// Checks an object; with its old form, if it changed.
type Check = fn(&Subject<'_>, Option<&Subject<'_>>, &mut Causes);

/// Who checks what: group, plural, function.
const CHECKS: &[(&str, &str, Check)] = &[
    ("", "configmaps", config::config_map),
    ("", "endpoints", endpoints::endpoints),
    ("", "events", cluster::event),
    ("", "limitranges", policies::limit_range),
    ("", "namespaces", cluster::namespace),
    ("", "nodes", cluster::node),
    ("", "persistentvolumeclaims", claims::claim),
    ("", "persistentvolumes", claims::volume),
    ("", "pods", pod::check),
    ("", "replicationcontrollers", workloads::replication_controller),
    ("", "resourcequotas", policies::quota),
    ("", "secrets", config::secret),
    ("", "services", service::check),
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations", webhooks::check),
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations", webhooks::check),
    ("admissionregistration.k8s.io", "validatingadmissionpolicies", webhooks::policy),
    ("admissionregistration.k8s.io", "validatingadmissionpolicybindings", webhooks::binding),
    ("apiextensions.k8s.io", "customresourcedefinitions", definition::check),
    ("apps", "daemonsets", workloads::daemon_set),
    ("apps", "deployments", workloads::deployment),
    ("apps", "replicasets", workloads::replica_set),
    ("apps", "statefulsets", workloads::stateful_set),
    ("autoscaling", "horizontalpodautoscalers", autoscaler::check),
    ("batch", "cronjobs", batch::cron_job),
    ("batch", "jobs", batch::job),
    ("coordination.k8s.io", "leases", policies::lease),
    ("discovery.k8s.io", "endpointslices", endpoints::slice),
    ("events.k8s.io", "events", cluster::new_event),
    ("networking.k8s.io", "ingressclasses", network::ingress_class),
    ("networking.k8s.io", "ingresses", network::ingress),
    ("networking.k8s.io", "networkpolicies", network::policy),
    ("node.k8s.io", "runtimeclasses", policies::runtime_class),
    ("policy", "poddisruptionbudgets", policies::budget),
    ("rbac.authorization.k8s.io", "clusterrolebindings", rbac::cluster_role_binding),
    ("rbac.authorization.k8s.io", "clusterroles", rbac::cluster_role),
    ("rbac.authorization.k8s.io", "rolebindings", rbac::role_binding),
    ("rbac.authorization.k8s.io", "roles", rbac::role),
    ("scheduling.k8s.io", "priorityclasses", policies::priority_class),
    ("storage.k8s.io", "storageclasses", claims::class),
];

/// Who checks changes of a status: group, plural, function.
const STATUS_CHECKS: &[(&str, &str, Check)] = &[
    ("", "namespaces", cluster::namespace_status),
    ("", "services", service::status),
    ("apps", "deployments", workloads::deployment_status),
    ("apps", "replicasets", workloads::replica_status),
    ("apps", "statefulsets", workloads::stateful_status),
    ("autoscaling", "horizontalpodautoscalers", autoscaler::status),
    ("batch", "jobs", batch::job_status),
];

fn checks(resource: &Resource) -> Option<Check> {
    let found = CHECKS.iter().find(|(group, plural, _)| resource.is(group, plural));
    found.map(|(_, _, check)| *check)
}

/// Checks a new object.
pub(crate) fn create(resource: &Resource, object: &Object) -> Vec<Cause> {
    checks(resource).map_or_else(Vec::new, |check| run(check, resource, object, None))
}

/// Checks a changed object, or a change of its subresource.
pub(crate) fn update(resource: &Resource, subresource: &str, old: &Object, new: &Object) -> Vec<Cause> {
    let check = match subresource {
        "" => checks(resource),
        "status" => {
            let found = STATUS_CHECKS.iter().find(|(group, plural, _)| resource.is(group, plural));
            found.map(|(_, _, check)| *check)
        }
        _ => None,
    };
    check.map_or_else(Vec::new, |check| run(check, resource, new, Some(old)))
}

fn run(check: Check, resource: &Resource, new: &Object, old: Option<&Object>) -> Vec<Cause> {
    let found = |new: Subject<'_>, old: Option<Subject<'_>>| {
        let mut causes = Vec::new();
        check(&new, old.as_ref(), &mut causes);
        causes
    };
    // The rules for the schemas of definitions ask where they are.
    let asks_for_paths = resource.is("apiextensions.k8s.io", "customresourcedefinitions");
    if !asks_for_paths && found(Subject::without_paths(new), old.map(Subject::without_paths)).is_empty() {
        return Vec::new();
    }
    found(Subject::with_paths(new), old.map(Subject::with_paths))
}
