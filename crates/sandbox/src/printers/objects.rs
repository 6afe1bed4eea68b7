//! Everything else: configuration, access, nodes, events, policies.

use lockstep_object::Value;

use super::{
    Cell::{Age, Count, Flag, Name, Number, Text, TextOr, With},
    Kinds, Row, or, plain,
};
use crate::{
    build::{int_at, list_at, text_at},
    moment::{age, human},
    subresources::selector_text,
};

pub(super) const KINDS: Kinds = &[
    (
        "",
        "configmaps",
        &[Name, With(|row| (super::count(row.at("data")) + super::count(row.at("binaryData"))).into()), Age],
    ),
    ("", "secrets", &[Name, Text("type"), Count("data"), Age]),
    ("", "serviceaccounts", &[Name, Age]),
    ("", "namespaces", &[Name, Text("status.phase"), Age]),
    ("", "resourcequotas", &[Name, With(|row| quota(row, false)), With(|row| quota(row, true)), Age]),
    (
        "",
        "nodes",
        &[
            Name,
            With(node_status),
            With(node_roles),
            Age,
            Text("status.nodeInfo.kubeletVersion"),
            With(|row| node_address(row, "InternalIP")),
            With(|row| node_address(row, "ExternalIP")),
            TextOr("status.nodeInfo.osImage", "<unknown>"),
            With(kernel),
            TextOr("status.nodeInfo.containerRuntimeVersion", "<unknown>"),
        ],
    ),
    (
        "",
        "componentstatuses",
        &[Name, With(|row| healthy(row, 0)), With(|row| healthy(row, 1)), With(|row| healthy(row, 2))],
    ),
    ("", "events", EVENT),
    ("events.k8s.io", "events", EVENT),
    ("rbac.authorization.k8s.io", "rolebindings", BINDING),
    ("rbac.authorization.k8s.io", "clusterrolebindings", BINDING),
    ("coordination.k8s.io", "leases", &[Name, Text("spec.holderIdentity"), Age]),
    ("node.k8s.io", "runtimeclasses", &[Name, Text("handler"), Age]),
    (
        "scheduling.k8s.io",
        "priorityclasses",
        &[Name, Number("value"), Flag("globalDefault", false), Age, Text("preemptionPolicy")],
    ),
    ("apiregistration.k8s.io", "apiservices", &[Name, With(api_service), With(api_available), Age]),
    (
        "certificates.k8s.io",
        "certificatesigningrequests",
        &[
            Name,
            Age,
            TextOr("spec.signerName", "<none>"),
            Text("spec.username"),
            With(|row| {
                let seconds = row.at("spec.expirationSeconds").and_then(Value::as_i64);
                seconds.map_or_else(|| "<none>".into(), |seconds| human(seconds).into())
            }),
            With(certificate_status),
        ],
    ),
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations", &[Name, Count("webhooks"), Age]),
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations", &[Name, Count("webhooks"), Age]),
    (
        "admissionregistration.k8s.io",
        "validatingadmissionpolicies",
        &[Name, Count("spec.validations"), With(parameter_kind), Age],
    ),
    (
        "admissionregistration.k8s.io",
        "mutatingadmissionpolicies",
        &[Name, Count("spec.mutations"), With(parameter_kind), Age],
    ),
    ("admissionregistration.k8s.io", "validatingadmissionpolicybindings", POLICY_BINDING),
    ("admissionregistration.k8s.io", "mutatingadmissionpolicybindings", POLICY_BINDING),
    (
        "flowcontrol.apiserver.k8s.io",
        "flowschemas",
        &[
            Name,
            Text("spec.priorityLevelConfiguration.name"),
            Number("spec.matchingPrecedence"),
            TextOr("spec.distinguisherMethod.type", "<none>"),
            Age,
            With(|row| {
                let found = row.list("status.conditions").iter().find(|one| text_at(one, &["type"]) == "Dangling");
                found.map_or_else(|| "?".into(), |one| text_at(one, &["status"]).into())
            }),
        ],
    ),
    (
        "flowcontrol.apiserver.k8s.io",
        "prioritylevelconfigurations",
        &[
            Name,
            Text("spec.type"),
            With(|row| limit(row, "spec.limited.nominalConcurrencyShares")),
            With(|row| limit(row, "spec.limited.limitResponse.queuing.queues")),
            With(|row| limit(row, "spec.limited.limitResponse.queuing.handSize")),
            With(|row| limit(row, "spec.limited.limitResponse.queuing.queueLengthLimit")),
            Age,
        ],
    ),
    ("resource.k8s.io", "deviceclasses", &[Name, Age]),
    ("resource.k8s.io", "resourceclaims", &[Name, With(claim_state), Age]),
    ("resource.k8s.io", "resourceclaimtemplates", &[Name, Age]),
    (
        "resource.k8s.io",
        "resourceslices",
        &[Name, Text("spec.nodeName"), Text("spec.driver"), Text("spec.pool.name"), Age],
    ),
];

const EVENT: &[super::Cell] = &[
    With(|row| last_seen(row).into()),
    Text("type"),
    Text("reason"),
    With(event_object),
    Text("involvedObject.fieldPath"),
    With(event_source),
    With(|row| row.text("message").trim().into()),
    With(|row| first_seen(row).into()),
    With(event_count),
    Name,
];

const BINDING: &[super::Cell] = &[
    Name,
    With(|row| format!("{}/{}", row.text("roleRef.kind"), row.text("roleRef.name")).into()),
    Age,
    With(|row| subjects(row, "User")),
    With(|row| subjects(row, "Group")),
    With(|row| subjects(row, "ServiceAccount")),
];

const POLICY_BINDING: &[super::Cell] = &[Name, Text("spec.policyName"), With(parameter_reference), Age];

/// Lists what is used of what a quota allows; `limits` are those of `limits.*`.
fn quota(row: &Row<'_>, limits: bool) -> Value {
    let Some(hard) = row.at("status.hard").and_then(Value::as_map) else { return "".into() };
    let mut keys: Vec<&str> =
        hard.keys().map(|key| &**key).filter(|key| key.starts_with("limits.") == limits).collect();
    keys.sort_unstable();
    let amount = |key: &str, which: &str| row.item.at(&["status", which, key]).map_or_else(|| "0".to_owned(), plain);
    let words = keys.iter().map(|key| format!("{key}: {}/{}", amount(key, "used"), amount(key, "hard")));
    words.collect::<Vec<_>>().join(", ").into()
}

fn node_status(row: &Row<'_>) -> Value {
    let ready = row.list("status.conditions").iter().rfind(|one| text_at(one, &["type"]) == "Ready");
    let mut words = vec![match ready {
        Some(one) if text_at(one, &["status"]) == "True" => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }];
    if row.at("spec.unschedulable").and_then(Value::as_bool) == Some(true) {
        words.push("SchedulingDisabled");
    }
    words.join(",").into()
}

fn node_roles(row: &Row<'_>) -> Value {
    let labels = row.at("metadata.labels").and_then(Value::as_map);
    let mut roles: Vec<&str> = labels
        .into_iter()
        .flat_map(|labels| labels.iter())
        .filter_map(|(key, value)| match key.strip_prefix("node-role.kubernetes.io/") {
            Some(role) => Some(role),
            None if &**key == "kubernetes.io/role" => value.as_str(),
            None => None,
        })
        .filter(|role| !role.is_empty())
        .collect();
    roles.sort_unstable();
    roles.dedup();
    or(&roles.join(","), "<none>")
}

fn node_address(row: &Row<'_>, kind: &str) -> Value {
    let found = row.list("status.addresses").iter().find(|one| text_at(one, &["type"]) == kind);
    found.map_or_else(|| "<none>".into(), |one| text_at(one, &["address"]).into())
}

fn kernel(row: &Row<'_>) -> Value {
    let version = or(row.text("status.nodeInfo.kernelVersion"), "<unknown>");
    match row.text("status.nodeInfo.architecture") {
        "" => version,
        architecture => format!("{} ({architecture})", plain(&version)).into(),
    }
}

/// Status, message and error of a component, by place.
fn healthy(row: &Row<'_>, place: usize) -> Value {
    let found = row.list("conditions").iter().find(|one| text_at(one, &["type"]) == "Healthy");
    let Some(found) = found else { return if place == 0 { "Unknown".into() } else { "".into() } };
    match place {
        0 if text_at(found, &["status"]) == "True" => "Healthy".into(),
        0 => "Unhealthy".into(),
        1 => text_at(found, &["message"]).into(),
        _ => text_at(found, &["error"]).into(),
    }
}

fn first_seen(row: &Row<'_>) -> String {
    match row.text("firstTimestamp") {
        "" => row.since("eventTime"),
        time => age(time, row.now),
    }
}

fn last_seen(row: &Row<'_>) -> String {
    if row.at("series").is_some() {
        return row.since("series.lastObservedTime");
    }
    match row.text("lastTimestamp") {
        "" => first_seen(row),
        time => age(time, row.now),
    }
}

fn event_count(row: &Row<'_>) -> Value {
    if row.at("series").is_some() {
        return row.number("series.count").into();
    }
    row.number("count").max(1).into()
}

fn event_object(row: &Row<'_>) -> Value {
    let kind = row.text("involvedObject.kind").to_lowercase();
    match row.text("involvedObject.name") {
        "" => kind.into(),
        name => format!("{kind}/{name}").into(),
    }
}

fn event_source(row: &Row<'_>) -> Value {
    let first =
        |keys: [&str; 2]| keys.iter().map(|key| row.text(key)).find(|text| !text.is_empty()).unwrap_or_default();
    let component = first(["source.component", "reportingComponent"]);
    match first(["source.host", "reportingInstance"]) {
        "" => component.into(),
        instance => format!("{component}, {instance}").into(),
    }
}

fn subjects(row: &Row<'_>, kind: &str) -> Value {
    let of_kind = row.list("subjects").iter().filter(|one| text_at(one, &["kind"]) == kind);
    let words = of_kind.map(|one| match (kind, text_at(one, &["namespace"])) {
        ("ServiceAccount", namespace) => format!("{namespace}/{}", text_at(one, &["name"])),
        _ => text_at(one, &["name"]).to_owned(),
    });
    words.collect::<Vec<_>>().join(", ").into()
}

fn api_service(row: &Row<'_>) -> Value {
    match row.at("spec.service") {
        Some(service) => format!("{}/{}", text_at(service, &["namespace"]), text_at(service, &["name"])).into(),
        None => "Local".into(),
    }
}

fn api_available(row: &Row<'_>) -> Value {
    let found = row.list("status.conditions").iter().find(|one| text_at(one, &["type"]) == "Available");
    let Some(found) = found else { return "Unknown".into() };
    match (text_at(found, &["status"]), text_at(found, &["reason"])) {
        (status @ "True", _) | (status, "") => status.into(),
        (status, reason) => format!("{status} ({reason})").into(),
    }
}

fn certificate_status(row: &Row<'_>) -> Value {
    let has =
        |kind: &str| list_at(row.item, &["status", "conditions"]).iter().any(|one| text_at(one, &["type"]) == kind);
    let mut words = vec![match (has("Denied"), has("Approved")) {
        (true, _) => "Denied",
        (false, true) => "Approved",
        (false, false) => "Pending",
    }];
    if has("Failed") {
        words.push("Failed");
    }
    if !row.text("status.certificate").is_empty() {
        words.push("Issued");
    }
    words.join(",").into()
}

fn parameter_kind(row: &Row<'_>) -> Value {
    match row.at("spec.paramKind") {
        Some(kind) => format!("{}/{}", text_at(kind, &["apiVersion"]), text_at(kind, &["kind"])).into(),
        None => "<unset>".into(),
    }
}

fn parameter_reference(row: &Row<'_>) -> Value {
    let Some(reference) = row.at("spec.paramRef") else { return "<unset>".into() };
    match (text_at(reference, &["name"]), text_at(reference, &["namespace"])) {
        ("", _) => match reference.get("selector") {
            Some(selector) => selector_text(Some(selector)).into(),
            None => "<unset>".into(),
        },
        (name, "") => format!("*/{name}").into(),
        (name, namespace) => format!("{namespace}/{name}").into(),
    }
}

fn limit(row: &Row<'_>, path: &str) -> Value {
    row.at(path).and_then(|value| int_at(value, &[])).map_or_else(|| "<none>".into(), Value::from)
}

fn claim_state(row: &Row<'_>) -> Value {
    let mut words = Vec::new();
    if row.is_deleted() {
        words.push("deleted");
    }
    if row.at("status.allocation").is_some() {
        words.push("allocated");
        if !row.list("status.reservedFor").is_empty() {
            words.push("reserved");
        }
    } else if !row.is_deleted() {
        words.push("pending");
    }
    words.join(",").into()
}
