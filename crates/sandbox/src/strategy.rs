//! What differs between kinds when they are written: names, status, generation, field selectors.

use lockstep_object::{Map, Object, Value};

use crate::{build::text_at, catalog::Resource, names::NameRule};

/// How names of the kind are checked.
pub(crate) fn name_rule(resource: &Resource) -> NameRule {
    match (resource.group.as_str(), resource.plural.as_str()) {
        ("rbac.authorization.k8s.io", _) => NameRule::PathSegment,
        ("", "namespaces" | "services") | ("apps", "statefulsets") => NameRule::Label,
        _ => NameRule::Subdomain,
    }
}

/// Tells whether the status is written through a subresource only.
pub(crate) fn has_status(resource: &Resource) -> bool {
    match &resource.custom {
        Some(custom) => custom.status,
        None => resource.subresource("status").is_some(),
    }
}

/// What counts as a change of the wanted state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Generation {
    /// The kind does not count.
    None,
    /// Changes of `spec`.
    Spec,
    /// Changes of anything but metadata.
    Content,
    /// Changes of anything but metadata and status.
    AllButStatus,
    /// Set to 1 and never changed again.
    Fixed,
}

fn generation(resource: &Resource) -> Generation {
    if resource.is_custom() {
        return if has_status(resource) { Generation::AllButStatus } else { Generation::Content };
    }
    match (resource.group.as_str(), resource.plural.as_str()) {
        ("apps", "deployments" | "replicasets" | "statefulsets" | "daemonsets")
        | ("batch", "jobs" | "cronjobs")
        | ("networking.k8s.io", "ingresses" | "networkpolicies" | "ingressclasses")
        | ("policy", "poddisruptionbudgets")
        | ("", "replicationcontrollers" | "pods")
        | ("apiextensions.k8s.io", "customresourcedefinitions")
        | ("flowcontrol.apiserver.k8s.io", _)
        | ("resource.k8s.io", "resourceslices")
        | (
            "admissionregistration.k8s.io",
            "validatingadmissionpolicies"
            | "validatingadmissionpolicybindings"
            | "mutatingadmissionpolicies"
            | "mutatingadmissionpolicybindings",
        ) => Generation::Spec,
        ("admissionregistration.k8s.io", _) | ("discovery.k8s.io", "endpointslices") | ("", "podtemplates") => {
            Generation::Content
        }
        ("scheduling.k8s.io", "priorityclasses") => Generation::Fixed,
        _ => Generation::None,
    }
}

/// Prepares a new object: what clients may not set falls away.
pub(crate) fn prepare_create(resource: &Resource, object: &mut Object) {
    if has_status(resource) && !resource.is("", "namespaces") {
        reset_status(resource, object);
    }
    if generation(resource) != Generation::None {
        object.metadata_mut().insert("generation", 1);
    }
    if resource.is("apps", "daemonsets") {
        object.set_annotation(TEMPLATE_GENERATION, "1");
    }
}

/// The annotation in which a DaemonSet's templates are counted, a field until `apps/v1`.
const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

/// Counts the templates of a DaemonSet.
fn count_templates(old: &Object, new: &mut Object) {
    let known: i64 = old.annotation(TEMPLATE_GENERATION).and_then(|text| text.parse().ok()).unwrap_or_default();
    let changed = old.at(&["spec", "template"]) != new.at(&["spec", "template"]);
    new.set_annotation(TEMPLATE_GENERATION, &(known + i64::from(changed)).to_string());
}

/// Sets the status that a new object has.
fn reset_status(resource: &Resource, object: &mut Object) {
    if resource.is_custom() {
        object.root_mut().remove("status");
        return;
    }
    object.root_mut().remove("status");
}

/// Prepares a changed object: the status stays, the generation counts.
pub(crate) fn prepare_update(resource: &Resource, old: &Object, new: &mut Object) {
    if has_status(resource) {
        match old.root().get("status") {
            Some(status) => {
                new.root_mut().insert("status", status.clone());
            }
            None => {
                new.root_mut().remove("status");
            }
        }
    }
    if resource.is("apps", "daemonsets") {
        count_templates(old, new);
    }
    count_generation(resource, old, new);
}

/// Keeps the generation, or counts it up if the wanted state changed.
pub(crate) fn count_generation(resource: &Resource, old: &Object, new: &mut Object) {
    let kind = generation(resource);
    let old_generation = old.at(&["metadata", "generation"]).and_then(Value::as_i64);
    if kind == Generation::None {
        return;
    }
    let changed = match kind {
        Generation::Spec => {
            let annotated = resource.is("apps", "deployments")
                && old.at(&["metadata", "annotations"]) != new.at(&["metadata", "annotations"]);
            annotated || old.root().get("spec") != new.root().get("spec")
        }
        Generation::Content => content(old, false) != content(new, false),
        Generation::AllButStatus => content(old, true) != content(new, true),
        Generation::None | Generation::Fixed => false,
    };
    let generation = old_generation.unwrap_or_default() + i64::from(changed);
    if generation > 0 {
        new.metadata_mut().insert("generation", generation);
    } else {
        new.metadata_mut().remove("generation");
    }
}

fn content(object: &Object, without_status: bool) -> Map {
    let mut map = object.root().clone();
    map.remove("metadata");
    map.remove("apiVersion");
    map.remove("kind");
    if without_status {
        map.remove("status");
    }
    map
}

/// Prepares a write of the status: all but status and (for custom resources all) metadata stays.
pub(crate) fn prepare_status(resource: &Resource, old: &Object, new: &mut Object) {
    let status = new.root().get("status").cloned();
    let metadata = new.root().get("metadata").cloned();
    let mut result = old.root().clone();
    match status {
        Some(status) => result.insert("status", status),
        None => result.remove("status"),
    };
    if let Some(metadata) = metadata {
        result.insert("metadata", metadata);
    }
    *new = Object::new(result);
    if resource.is_custom() || resource.is("apiextensions.k8s.io", "customresourcedefinitions") {
        let fields = new.at(&["metadata", "managedFields"]).cloned();
        let version = new.at(&["metadata", "resourceVersion"]).cloned();
        let metadata = old.root().get("metadata").cloned().unwrap_or_default();
        new.root_mut().insert("metadata", metadata);
        for (key, value) in [("managedFields", fields), ("resourceVersion", version)] {
            match value {
                Some(value) => new.metadata_mut().insert(key, value),
                None => new.metadata_mut().remove(key),
            };
        }
        return;
    }
    let keep: &[&str] = match (resource.group.as_str(), resource.plural.as_str()) {
        ("apps", "deployments") => &["labels"],
        ("", "pods") => &["deletionTimestamp", "ownerReferences"],
        _ => &[],
    };
    for key in keep {
        match old.at(&["metadata", key]) {
            Some(value) => new.metadata_mut().insert(*key, value.clone()),
            None => new.metadata_mut().remove(key),
        };
    }
    if let Some(generation) = old.at(&["metadata", "generation"]) {
        new.metadata_mut().insert("generation", generation.clone());
    }
}

/// Prepares a change of a pod's ephemeral containers: nothing else changes.
pub(crate) fn prepare_ephemeral(old: &Object, new: &mut Object) {
    let wanted = new.at(&["spec", "ephemeralContainers"]).cloned();
    let metadata = new.root().get("metadata").cloned();
    let mut result = old.root().clone();
    if let Some(wanted) = wanted {
        result.map_entry("spec").insert("ephemeralContainers", wanted);
    }
    if let Some(metadata) = metadata {
        result.insert("metadata", metadata);
    }
    let mut result = Object::new(result);
    count_generation_of(old, &mut result);
    *new = result;
}

/// A pod's generation counts the changes of its spec.
fn count_generation_of(old: &Object, new: &mut Object) {
    let before = old.at(&["metadata", "generation"]).and_then(Value::as_i64).unwrap_or_default();
    let changed = old.root().get("spec") != new.root().get("spec");
    if before > 0 {
        new.metadata_mut().insert("generation", before + i64::from(changed));
    }
}

/// Tells whether a deletion answers with the object instead of a `Status`.
pub(crate) fn answers_deleted_object(resource: &Resource) -> bool {
    resource.group.is_empty()
        && [
            "podtemplates",
            "resourcequotas",
            "services",
            "serviceaccounts",
            "persistentvolumes",
            "persistentvolumeclaims",
            "pods",
        ]
        .contains(&resource.plural.as_str())
}

/// Tells whether a PUT of a name that is not there creates it.
pub(crate) fn creates_on_update(resource: &Resource) -> bool {
    matches!(
        (resource.group.as_str(), resource.plural.as_str()),
        ("", "events" | "limitranges" | "resourcequotas!" | "endpoints" | "services")
            | ("events.k8s.io", "events")
            | ("coordination.k8s.io", "leases")
            | ("rbac.authorization.k8s.io", _)
            | ("node.k8s.io", _)
            | ("discovery.k8s.io", "none")
    )
}

/// Tells whether a PUT may leave out the resource version.
pub(crate) fn updates_unconditionally(resource: &Resource) -> bool {
    !resource.is_custom()
        && !matches!(
            (resource.group.as_str(), resource.plural.as_str()),
            (
                "apiextensions.k8s.io"
                    | "apiregistration.k8s.io"
                    | "admissionregistration.k8s.io"
                    | "policy"
                    | "coordination.k8s.io"
                    | "certificates.k8s.io"
                    | "resource.k8s.io",
                _
            ) | ("storage.k8s.io", "volumeattachments")
                | ("discovery.k8s.io", _)
                | ("autoscaling", "none")
        )
}

/// Names what a field selector may ask of the kind.
pub(crate) fn selectable_fields(resource: &Resource) -> Vec<String> {
    let mut fields: Vec<String> = vec!["metadata.name".into()];
    if resource.namespaced {
        fields.push("metadata.namespace".into());
    }
    let more: &[&str] = match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "pods") => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.podIPs",
            "status.nominatedNodeName",
        ],
        ("", "nodes") => &["spec.unschedulable"],
        ("", "namespaces") => &["status.phase"],
        ("", "secrets") => &["type"],
        ("", "services") => &["spec.clusterIP", "spec.type"],
        ("", "replicationcontrollers") => &["status.replicas"],
        ("apps", "replicasets") => &["status.replicas"],
        ("batch", "jobs") => &["status.successful"],
        ("certificates.k8s.io", _) => &["spec.signerName"],
        ("", "events") => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        ("events.k8s.io", "events") => &[
            "reason",
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
            "regarding.apiVersion",
            "regarding.resourceVersion",
            "regarding.fieldPath",
            "reportingController",
            "type",
        ],
        _ => &[],
    };
    fields.extend(more.iter().map(|field| (*field).to_owned()));
    if let Some(custom) = &resource.custom {
        fields.extend(custom.version.selectable.iter().map(|path| path.trim_start_matches('.').to_owned()));
    }
    fields
}

/// Words the refusal of a field selector.
pub(crate) fn unknown_field(resource: &Resource, key: &str, known: &[String]) -> String {
    let quoted = crate::status::go_quote(key);
    if resource.is_custom() || known.iter().all(|field| field.starts_with("metadata.")) {
        let words: Vec<String> = known.iter().map(|field| crate::status::go_quote(field)).collect();
        return format!("{quoted} is not a known field selector: only {}", words.join(", "));
    }
    format!("field label not supported: {key}")
}

/// Reads a field for a selector; what is missing is empty.
pub(crate) fn field(resource: &Resource, object: &Object, key: &str) -> String {
    let renamed = match key.strip_prefix("regarding.") {
        Some(rest) => format!("involvedObject.{rest}"),
        None if key == "reportingController" => "reportingComponent".to_owned(),
        None => key.to_owned(),
    };
    let path: Vec<&str> = match renamed.as_str() {
        "status.podIPs" => vec!["status", "podIP"],
        "status.successful" => vec!["status", "succeeded"],
        "source" => vec!["source", "component"],
        other => other.split('.').collect(),
    };
    match object.at(&path) {
        Some(Value::Text(text)) => text.to_string(),
        Some(Value::Null) | None => zero_field(resource, key),
        Some(other) => lockstep_object::to_json(other),
    }
}

fn zero_field(resource: &Resource, key: &str) -> String {
    match (resource.plural.as_str(), key) {
        (_, "spec.unschedulable" | "spec.hostNetwork") => "false".to_owned(),
        ("replicasets" | "replicationcontrollers" | "jobs", _) if key.starts_with("status.") => "0".to_owned(),
        _ => String::new(),
    }
}

/// Reads the type of a value for logs and details.
pub(crate) fn uid_of(object: &Object) -> &str {
    object.root().get("metadata").map(|metadata| text_at(metadata, &["uid"])).unwrap_or_default()
}

/// Names the key under which etcd would hold the object, as some errors show it.
pub(crate) fn registry_key(resource: &Resource, object: &Object) -> String {
    let folder = match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "services") => "services/specs".to_owned(),
        ("", "endpoints") => "services/endpoints".to_owned(),
        ("", "nodes") => "minions".to_owned(),
        ("networking.k8s.io", "ingresses") => "ingress".to_owned(),
        (group, plural) if resource.is_custom() => format!("{group}/{plural}"),
        (_, plural) => plural.to_owned(),
    };
    match object.namespace() {
        "" => format!("/registry/{folder}/{}", object.name()),
        namespace => format!("/registry/{folder}/{namespace}/{}", object.name()),
    }
}
