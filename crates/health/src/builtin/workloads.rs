//! Deployments and their like, and Jobs.

use lockstep_object::{Object, Value};

use super::conditions;
use crate::{Health, Status};

fn number(object: &Object, keys: &[&str]) -> i64 {
    object.at(keys).and_then(Value::as_i64).unwrap_or_default()
}

fn wanted_replicas(object: &Object) -> Option<i64> {
    object.at(&["spec", "replicas"]).and_then(Value::as_i64)
}

/// Tells whether the controller has seen the latest spec.
fn is_observed(object: &Object) -> bool {
    number(object, &["metadata", "generation"]) <= number(object, &["status", "observedGeneration"])
}

fn progressing(message: impl Into<String>) -> Health {
    Health::new(Status::Progressing, message)
}

/// Judges a `Deployment`, as `kubectl rollout status` does.
pub fn deployment(object: &Object) -> Health {
    if object.at(&["spec", "paused"]).and_then(Value::as_bool) == Some(true) {
        return Health::new(Status::Suspended, "Deployment is paused");
    }
    if !is_observed(object) {
        return progressing(
            "Waiting for rollout to finish: observed deployment generation less than desired generation",
        );
    }
    let late = conditions(object).find(|condition| condition.kind() == "Progressing");
    if late.is_some_and(|condition| condition.reason() == "ProgressDeadlineExceeded") {
        return Health::new(Status::Degraded, format!("Deployment {:?} exceeded its progress deadline", object.name()));
    }
    let updated = number(object, &["status", "updatedReplicas"]);
    let replicas = number(object, &["status", "replicas"]);
    let available = number(object, &["status", "availableReplicas"]);
    if let Some(wanted) = wanted_replicas(object).filter(|wanted| updated < *wanted) {
        return progressing(format!(
            "Waiting for rollout to finish: {updated} out of {wanted} new replicas have been updated..."
        ));
    }
    if replicas > updated {
        let old = replicas - updated;
        return progressing(format!("Waiting for rollout to finish: {old} old replicas are pending termination..."));
    }
    if available < updated {
        return progressing(format!(
            "Waiting for rollout to finish: {available} of {updated} updated replicas are available..."
        ));
    }
    Health::new(Status::Healthy, "")
}

/// Judges a `StatefulSet`, as `kubectl rollout status` does.
pub fn stateful_set(object: &Object) -> Health {
    if number(object, &["status", "observedGeneration"]) == 0 || !is_observed(object) {
        return progressing("Waiting for statefulset spec update to be observed...");
    }
    let ready = number(object, &["status", "readyReplicas"]);
    let updated = number(object, &["status", "updatedReplicas"]);
    let wanted = wanted_replicas(object);
    if let Some(wanted) = wanted.filter(|wanted| ready < *wanted) {
        return progressing(format!("Waiting for {} pods to be ready...", wanted - ready));
    }
    let strategy = object.str_at(&["spec", "updateStrategy", "type"]);
    let rolling = object.at(&["spec", "updateStrategy", "rollingUpdate"]).filter(|rolling| !rolling.is_null());
    if strategy == "RollingUpdate"
        && let Some(rolling) = rolling
    {
        let partition = rolling.get("partition").and_then(Value::as_i64);
        let expected = wanted.zip(partition).map(|(wanted, partition)| wanted - partition);
        if let Some(expected) = expected.filter(|expected| updated < *expected) {
            return progressing(format!(
                "Waiting for partitioned roll out to finish: {updated} out of {expected} new pods have been updated..."
            ));
        }
        return Health::new(
            Status::Healthy,
            format!("partitioned roll out complete: {updated} new pods have been updated..."),
        );
    }
    if strategy == "OnDelete" {
        return Health::new(Status::Healthy, format!("statefulset has {ready} ready pods"));
    }
    let current = object.str_at(&["status", "currentRevision"]);
    let update = object.str_at(&["status", "updateRevision"]);
    if update != current {
        return progressing(format!(
            "waiting for statefulset rolling update to complete {updated} pods at revision {update}..."
        ));
    }
    let replicas = number(object, &["status", "currentReplicas"]);
    Health::new(
        Status::Healthy,
        format!("statefulset rolling update complete {replicas} pods at revision {current}..."),
    )
}

/// Judges a `ReplicaSet`.
pub fn replica_set(object: &Object) -> Health {
    if !is_observed(object) {
        return progressing(
            "Waiting for rollout to finish: observed replica set generation less than desired generation",
        );
    }
    let failure = conditions(object).find(|condition| condition.kind() == "ReplicaFailure");
    if let Some(failure) = failure.filter(|condition| condition.status() == "True") {
        return Health::new(Status::Degraded, failure.message());
    }
    let available = number(object, &["status", "availableReplicas"]);
    match wanted_replicas(object).filter(|wanted| available < *wanted) {
        Some(wanted) => progressing(format!(
            "Waiting for rollout to finish: {available} out of {wanted} new replicas are available..."
        )),
        None => Health::new(Status::Healthy, ""),
    }
}

/// Judges a `DaemonSet`, as `kubectl rollout status` does.
pub fn daemon_set(object: &Object) -> Health {
    if !is_observed(object) {
        return progressing(
            "Waiting for rollout to finish: observed daemon set generation less than desired generation",
        );
    }
    let desired = number(object, &["status", "desiredNumberScheduled"]);
    let updated = number(object, &["status", "updatedNumberScheduled"]);
    let available = number(object, &["status", "numberAvailable"]);
    let name = object.name();
    if object.str_at(&["spec", "updateStrategy", "type"]) == "OnDelete" {
        return Health::new(
            Status::Healthy,
            format!("daemon set {updated} out of {desired} new pods have been updated"),
        );
    }
    if updated < desired {
        return progressing(format!(
            "Waiting for daemon set {name:?} rollout to finish: {updated} out of {desired} new pods have been updated..."
        ));
    }
    if available < desired {
        return progressing(format!(
            "Waiting for daemon set {name:?} rollout to finish: {available} of {desired} updated pods are available..."
        ));
    }
    Health::new(Status::Healthy, "")
}

/// Judges a `Job`.
pub fn job(object: &Object) -> Health {
    let (mut message, mut failure) = ("", None);
    let (mut complete, mut suspended) = (false, false);
    for condition in conditions(object) {
        match condition.kind() {
            "Failed" => failure = Some(condition.message()),
            "Complete" | "Suspended" => {
                message = condition.message();
                suspended |= condition.kind() == "Suspended" && condition.status() == "True";
            }
            _ => continue,
        }
        complete = true;
    }
    match failure {
        Some(failure) => Health::new(Status::Degraded, failure),
        None if !complete => progressing(message),
        None if suspended => Health::new(Status::Suspended, message),
        None => Health::new(Status::Healthy, message),
    }
}
