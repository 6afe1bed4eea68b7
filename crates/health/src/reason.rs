//! Why a workload is not well, in one sentence that a person can act on.

mod pods;

use lockstep_object::{Object, Value};

use crate::builtin::conditions;

/// A sentence longer than this is cut.
const LONGEST: usize = 400;

/// Says why an object is not well: `Deployment/api: 0/2 ready: pod api-6c9f container api: ImagePullBackOff: not found`.
///
/// `children` are the objects that it owns, at any depth (pods, replica sets, claims); `events` the events about
/// any of them, in any order. The most telling cause is said: what stops a container, a pod that fits nowhere, a
/// claim without a volume, a quota, and last what a condition or a warning says. `None` if nothing is wrong.
pub fn reason(object: &Object, children: &[&Object], events: &[&Object]) -> Option<String> {
    let counts = counts(object);
    let pods: Vec<&Object> = match object.kind() {
        "Pod" => vec![object],
        _ => children.iter().copied().filter(|child| child.kind() == "Pod").collect(),
    };
    let cause = pods::cause(&pods, events, object.kind() != "Pod")
        .or_else(|| children.iter().find_map(|child| waiting_claim(child, events)))
        .or_else(|| condition_cause(object))
        .or_else(|| children.iter().find_map(|child| creation_failure(child)))
        .or_else(|| latest_warning(object, events));
    if counts.is_none() && cause.is_none() {
        return None;
    }
    let name = format!("{}/{}", object.kind(), object.name());
    let parts: Vec<String> = [Some(name), counts, cause].into_iter().flatten().collect();
    Some(one_line(&parts.join(": ")))
}

/// Tells how many replicas are ready, if fewer are than wanted.
fn counts(object: &Object) -> Option<String> {
    let number = |keys: &[&str]| object.at(keys).and_then(Value::as_i64);
    let (ready, wanted) = match object.kind() {
        "Deployment" | "StatefulSet" | "ReplicaSet" | "ReplicationController" => {
            (number(&["status", "readyReplicas"]), number(&["spec", "replicas"]).unwrap_or(1))
        }
        "DaemonSet" => {
            (number(&["status", "numberReady"]), number(&["status", "desiredNumberScheduled"]).unwrap_or_default())
        }
        _ => return None,
    };
    let ready = ready.unwrap_or_default();
    (ready < wanted).then(|| format!("{ready}/{wanted} ready"))
}

/// A claim that no volume satisfies stops its pods.
fn waiting_claim(child: &Object, events: &[&Object]) -> Option<String> {
    if child.kind() != "PersistentVolumeClaim" || matches!(child.str_at(&["status", "phase"]), "Bound" | "") {
        return None;
    }
    let phase = child.str_at(&["status", "phase"]);
    let told = latest_warning(child, events).map(|text| format!(": {text}")).unwrap_or_default();
    Some(format!("claim {}: {phase}{told}", child.name()))
}

/// The quota or admission that keeps a replica set from creating pods.
fn creation_failure(child: &Object) -> Option<String> {
    let failure =
        conditions(child).find(|condition| condition.kind() == "ReplicaFailure" && condition.status() == "True")?;
    Some(format!("{}: {}", failure.reason(), failure.message()))
}

/// What the object's own conditions complain about, the worst first.
fn condition_cause(object: &Object) -> Option<String> {
    let broken = |kinds: &[&str], status: &str| {
        conditions(object).find(|condition| kinds.contains(&condition.kind()) && condition.status() == status)
    };
    let condition =
        broken(&["ReplicaFailure", "Failed", "FailureTarget", "Stalled", "Degraded"], "True").or_else(|| {
            broken(&["Ready", "Available", "Healthy", "Synced", "Accepted", "Established", "Progressing"], "False")
        })?;
    let reason = if condition.reason().is_empty() { condition.kind() } else { condition.reason() };
    if condition.message().is_empty() {
        return Some(format!("{} is {} ({reason})", condition.kind(), condition.status()));
    }
    Some(format!("{reason}: {}", condition.message()))
}

/// The latest warning about an object: `FailedMount: …`.
fn latest_warning(object: &Object, events: &[&Object]) -> Option<String> {
    let about = events.iter().filter(|event| is_about(event, object) && event.str_at(&["type"]) == "Warning");
    let latest = about.max_by(|a, b| time_of(a).cmp(time_of(b)))?;
    let text = ["message", "note"].into_iter().map(|key| latest.str_at(&[key])).find(|text| !text.is_empty());
    Some(format!("{}: {}", latest.str_at(&["reason"]), text.unwrap_or_default()))
}

/// Tells whether an event (of either API group) is about an object.
fn is_about(event: &Object, object: &Object) -> bool {
    ["involvedObject", "regarding"].into_iter().any(|key| {
        let uid = event.str_at(&[key, "uid"]);
        let known = object.str_at(&["metadata", "uid"]);
        if !uid.is_empty() && !known.is_empty() {
            return uid == known;
        }
        event.str_at(&[key, "kind"]) == object.kind()
            && event.str_at(&[key, "name"]) == object.name()
            && event.str_at(&[key, "namespace"]) == object.namespace()
    })
}

fn time_of(event: &Object) -> &str {
    let times: [&[&str]; 5] = [
        &["series", "lastObservedTime"],
        &["lastTimestamp"],
        &["eventTime"],
        &["firstTimestamp"],
        &["metadata", "creationTimestamp"],
    ];
    times.into_iter().map(|keys| event.str_at(keys)).find(|time| !time.is_empty()).unwrap_or_default()
}

/// Puts a text into one line and cuts it.
fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.len() <= LONGEST {
        return line;
    }
    let end = (0..=LONGEST).rev().find(|end| line.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", &line[..end])
}
