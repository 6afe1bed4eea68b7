//! Pods and what makes them.

use lockstep_object::Value;

use super::{
    Cell::{Age, Containers, Count, Images, Labels, Name, Number, Ratio, Selector, Text, TextOr, With},
    Kinds, Row, between, or, plain, pods,
};
use crate::{
    build::{int_at, list_at, text_at},
    moment::age,
    subresources::selector_text,
};

const CONTAINERS: &str = "spec.template.spec.containers";
const JOB_CONTAINERS: &str = "spec.jobTemplate.spec.template.spec.containers";

pub(super) const KINDS: Kinds = &[
    (
        "",
        "pods",
        &[
            Name,
            With(pods::ready),
            With(pods::status),
            With(pods::restarts),
            Age,
            With(pods::address),
            TextOr("spec.nodeName", "<none>"),
            TextOr("status.nominatedNodeName", "<none>"),
            With(pods::gates),
        ],
    ),
    (
        "",
        "podtemplates",
        &[
            Name,
            Containers("template.spec.containers"),
            Images("template.spec.containers"),
            Labels("template.metadata.labels"),
        ],
    ),
    (
        "",
        "replicationcontrollers",
        &[
            Name,
            Number("spec.replicas"),
            Number("status.replicas"),
            Number("status.readyReplicas"),
            Age,
            Containers(CONTAINERS),
            Images(CONTAINERS),
            Labels("spec.selector"),
        ],
    ),
    (
        "apps",
        "replicasets",
        &[
            Name,
            Number("spec.replicas"),
            Number("status.replicas"),
            Number("status.readyReplicas"),
            Age,
            Containers(CONTAINERS),
            Images(CONTAINERS),
            Selector("spec.selector"),
        ],
    ),
    (
        "apps",
        "deployments",
        &[
            Name,
            Ratio("status.readyReplicas", "spec.replicas"),
            Number("status.updatedReplicas"),
            Number("status.availableReplicas"),
            Age,
            Containers(CONTAINERS),
            Images(CONTAINERS),
            With(|row| selector_text(row.at("spec.selector")).into()),
        ],
    ),
    (
        "apps",
        "statefulsets",
        &[Name, Ratio("status.readyReplicas", "spec.replicas"), Age, Containers(CONTAINERS), Images(CONTAINERS)],
    ),
    (
        "apps",
        "daemonsets",
        &[
            Name,
            Number("status.desiredNumberScheduled"),
            Number("status.currentNumberScheduled"),
            Number("status.numberReady"),
            Number("status.updatedNumberScheduled"),
            Number("status.numberAvailable"),
            Labels("spec.template.spec.nodeSelector"),
            Age,
            Containers(CONTAINERS),
            Images(CONTAINERS),
            Selector("spec.selector"),
        ],
    ),
    ("apps", "controllerrevisions", &[Name, With(controller), Number("revision"), Age]),
    (
        "batch",
        "jobs",
        &[
            Name,
            With(job_status),
            With(completions),
            With(job_duration),
            Age,
            Containers(CONTAINERS),
            Images(CONTAINERS),
            Selector("spec.selector"),
        ],
    ),
    (
        "batch",
        "cronjobs",
        &[
            Name,
            Text("spec.schedule"),
            TextOr("spec.timeZone", "<none>"),
            With(suspended),
            Count("status.active"),
            With(last_schedule),
            Age,
            Containers(JOB_CONTAINERS),
            Images(JOB_CONTAINERS),
            Selector("spec.jobTemplate.spec.selector"),
        ],
    ),
    (
        "autoscaling",
        "horizontalpodautoscalers",
        &[
            Name,
            With(|row| {
                format!("{}/{}", row.text("spec.scaleTargetRef.kind"), row.text("spec.scaleTargetRef.name")).into()
            }),
            With(metrics),
            With(|row| row.at("spec.minReplicas").map_or_else(|| "<unset>".into(), |value| plain(value).into())),
            Number("spec.maxReplicas"),
            Number("status.currentReplicas"),
            Age,
        ],
    ),
    (
        "policy",
        "poddisruptionbudgets",
        &[
            Name,
            With(|row| row.at("spec.minAvailable").map_or_else(|| "N/A".into(), |value| plain(value).into())),
            With(|row| row.at("spec.maxUnavailable").map_or_else(|| "N/A".into(), |value| plain(value).into())),
            Number("status.disruptionsAllowed"),
            Age,
        ],
    ),
];

/// Names the controller that an object belongs to, as `kind.group/name`.
fn controller(row: &Row<'_>) -> Value {
    let owners = row.list("metadata.ownerReferences").iter();
    let Some(owner) = owners.clone().find(|one| one.get("controller").and_then(Value::as_bool) == Some(true)) else {
        return "<none>".into();
    };
    let kind = text_at(owner, &["kind"]).to_lowercase();
    match text_at(owner, &["apiVersion"]).split_once('/') {
        Some((group, _)) => format!("{kind}.{group}/{}", text_at(owner, &["name"])).into(),
        None => format!("{kind}/{}", text_at(owner, &["name"])).into(),
    }
}

fn job_status(row: &Row<'_>) -> Value {
    let held = |kinds: &[&'static str]| kinds.iter().find(|kind| row.holds(kind)).copied();
    if let Some(ended) = held(&["Complete", "Failed"]) {
        return ended.into();
    }
    if row.is_deleted() {
        return "Terminating".into();
    }
    held(&["Suspended", "FailureTarget", "SuccessCriteriaMet"]).unwrap_or("Running").into()
}

fn completions(row: &Row<'_>) -> Value {
    let done = row.number("status.succeeded");
    match (row.at("spec.completions").and_then(Value::as_i64), row.number("spec.parallelism")) {
        (Some(wanted), _) => format!("{done}/{wanted}").into(),
        (None, parallel @ 2..) => format!("{done}/1 of {parallel}").into(),
        _ => format!("{done}/1").into(),
    }
}

fn job_duration(row: &Row<'_>) -> Value {
    let (start, end) = (row.text("status.startTime"), row.text("status.completionTime"));
    match (start, end) {
        ("", _) => "".into(),
        (start, "") => age(start, row.now).into(),
        (start, end) => between(start, end).unwrap_or_default().into(),
    }
}

fn suspended(row: &Row<'_>) -> Value {
    match row.at("spec.suspend").and_then(Value::as_bool) {
        Some(true) => "True".into(),
        Some(false) => "False".into(),
        None => "<unset>".into(),
    }
}

fn last_schedule(row: &Row<'_>) -> Value {
    match row.at("status.lastScheduleTime") {
        Some(_) => row.since("status.lastScheduleTime").into(),
        None => "<none>".into(),
    }
}

/// Prints the first two metrics of an autoscaler as `current/target`.
fn metrics(row: &Row<'_>) -> Value {
    let specs = row.list("spec.metrics");
    if specs.is_empty() {
        return "<none>".into();
    }
    let states = list_at(row.item, &["status", "currentMetrics"]);
    let words: Vec<String> = specs.iter().enumerate().map(|(place, spec)| metric(spec, states.get(place))).collect();
    let text = words.iter().take(2).cloned().collect::<Vec<_>>().join(", ");
    if words.len() > 2 { format!("{text} + {} more...", words.len() - 2).into() } else { text.into() }
}

fn metric(spec: &Value, state: Option<&Value>) -> String {
    let kind = text_at(spec, &["type"]);
    let field = match kind {
        "External" => "external",
        "Pods" => "pods",
        "Object" => "object",
        "Resource" => "resource",
        "ContainerResource" => "containerResource",
        _ => return "<unknown type>".to_owned(),
    };
    let target = |key: &str| spec.at(&[field, "target", key]).filter(|value| !value.is_null()).map(plain);
    let current = |key: &str| {
        let found = state.and_then(|state| state.at(&[field, "current", key])).filter(|value| !value.is_null());
        found.map_or_else(|| "<unknown>".to_owned(), plain)
    };
    let name = text_at(spec, &[field, "name"]);
    match (kind, target("averageValue")) {
        ("Resource" | "ContainerResource", Some(target)) => format!("{name}: {}/{target}", current("averageValue")),
        ("Resource" | "ContainerResource", None) => {
            let now = state.and_then(|state| int_at(state, &[field, "current", "averageUtilization"]));
            let now = now.map_or_else(|| "<unknown>".to_owned(), |percent| format!("{percent}%"));
            let wanted =
                target("averageUtilization").map_or_else(|| "<auto>".to_owned(), |percent| format!("{percent}%"));
            format!("{name}: {now}/{wanted}")
        }
        ("Pods", average) => format!("{}/{}", current("averageValue"), average.unwrap_or_else(|| "0".to_owned())),
        (_, Some(target)) => format!("{}/{target} (avg)", current("averageValue")),
        (_, None) => format!(
            "{}/{}",
            current("value"),
            or(&target("value").unwrap_or_default(), "0").as_str().unwrap_or_default()
        ),
    }
}
