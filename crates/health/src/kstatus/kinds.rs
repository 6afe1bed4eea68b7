//! The kinds that the library knows by name.

use jiff::{SignedDuration, Timestamp};
use lockstep_object::{Object, Value};

use super::{
    Error, Verdict,
    convert::{Conditions, integer_at, list_at, number, text},
    current, failed, in_progress,
};

type Judge = fn(&Object, &Conditions<'_>, Timestamp) -> Result<Verdict, Error>;

/// The time that a new pod is given before an unschedulable one counts as failed.
const SCHEDULE_WINDOW: SignedDuration = SignedDuration::from_secs(15);

/// Returns how objects of this kind are judged, if the library knows the kind.
pub fn judge_of(object: &Object) -> Option<Judge> {
    let group = object.api_version().split_once('/').map_or("", |(group, _)| group);
    Some(match (group, object.kind()) {
        ("", "Service") => service,
        ("", "Pod") => pod,
        ("", "Secret" | "ConfigMap") | ("batch", "CronJob") => always_ready,
        ("", "PersistentVolumeClaim") => claim,
        ("apps", "StatefulSet") => stateful_set,
        ("apps" | "extensions", "DaemonSet") => daemon_set,
        ("apps" | "extensions", "Deployment") => deployment,
        ("apps" | "extensions", "ReplicaSet") => replica_set,
        ("policy", "PodDisruptionBudget") => disruption_budget,
        ("batch", "Job") => job,
        ("apiextensions.k8s.io", "CustomResourceDefinition") => definition,
        _ => return None,
    })
}

fn always_ready(_: &Object, _: &Conditions<'_>, _: Timestamp) -> Result<Verdict, Error> {
    Ok(current("Resource is always ready"))
}

fn disruption_budget(_: &Object, _: &Conditions<'_>, _: Timestamp) -> Result<Verdict, Error> {
    Ok(current("AllowedDisruptions has been computed."))
}

/// In progress if fewer are there than wanted: `Ready: 1/2`.
fn too_few(reason: &str, word: &str, have: i64, want: i64) -> Option<Verdict> {
    (want > have).then(|| in_progress(reason, &format!("{word}: {have}/{want}")))
}

fn too_many(have: i64, want: i64) -> Option<Verdict> {
    (have > want).then(|| in_progress("ExtraPods", &format!("Pending termination: {}", have.saturating_sub(want))))
}

fn stateful_set(object: &Object, _: &Conditions<'_>, _: Timestamp) -> Result<Verdict, Error> {
    if text(object, &["spec", "updateStrategy", "type"], "") == "OnDelete" {
        return Ok(current("StatefulSet is using the ondelete update strategy"));
    }
    let wanted = number(object, &["spec", "replicas"], 1);
    let status = |key: &str| number(object, &["status", key], 0);
    let (replicas, updated) = (status("replicas"), status("updatedReplicas"));
    let partition = number(object, &["spec", "updateStrategy", "rollingUpdate", "partition"], -1);
    let counted = too_few("LessReplicas", "Replicas", replicas, wanted)
        .or_else(|| too_few("LessReady", "Ready", status("readyReplicas"), wanted))
        .or_else(|| too_many(replicas, wanted));
    if let Some(verdict) = counted {
        return Ok(verdict);
    }
    if partition != -1 {
        let part = wanted.saturating_sub(partition);
        return Ok(too_few("PartitionRollout", "updated", updated, part)
            .unwrap_or_else(|| current(format!("Partition rollout complete. updated: {updated}"))));
    }
    if let Some(verdict) = too_few("LessCurrent", "current", status("currentReplicas"), wanted) {
        return Ok(verdict);
    }
    if text(object, &["status", "currentRevision"], "") != text(object, &["status", "updateRevision"], "") {
        return Ok(in_progress("RevisionMismatch", "Waiting for updated revision to match current"));
    }
    Ok(current(format!("All replicas scheduled as expected. Replicas: {replicas}")))
}

fn deployment(object: &Object, conditions: &Conditions<'_>, _: Timestamp) -> Result<Verdict, Error> {
    let no_deadline = i64::from(i32::MAX);
    let mut progressed = number(object, &["spec", "progressDeadlineSeconds"], no_deadline) == no_deadline;
    let mut available = false;
    for condition in conditions.iter() {
        match condition.kind {
            "Progressing" if condition.reason == "ProgressDeadlineExceeded" => {
                let mut verdict = failed(condition.reason, condition.message);
                verdict.message = "Progress deadline exceeded".to_owned();
                return Ok(verdict);
            }
            "Progressing" => progressed |= condition.status == "True" && condition.reason == "NewReplicaSetAvailable",
            "Available" => available |= condition.status == "True",
            _ => {}
        }
    }
    let wanted = number(object, &["spec", "replicas"], 1);
    let status = |key: &str| number(object, &["status", key], 0);
    let (replicas, updated) = (status("replicas"), status("updatedReplicas"));
    let counted = too_few("LessReplicas", "Replicas", replicas, wanted)
        .or_else(|| too_few("LessUpdated", "Updated", updated, wanted))
        .or_else(|| too_many(replicas, wanted))
        .or_else(|| too_few("LessAvailable", "Available", status("availableReplicas"), updated))
        .or_else(|| too_few("LessReady", "Ready", status("readyReplicas"), wanted));
    Ok(match counted {
        Some(verdict) => verdict,
        None if !progressed => in_progress("ReplicaSetNotAvailable", "ReplicaSet not Available"),
        None if !available => in_progress("DeploymentNotAvailable", "Deployment not Available"),
        None => current(format!("Deployment is available. Replicas: {replicas}")),
    })
}

fn replica_set(object: &Object, conditions: &Conditions<'_>, _: Timestamp) -> Result<Verdict, Error> {
    if conditions.iter().any(|condition| condition.kind == "ReplicaFailure" && condition.status == "True") {
        return Ok(in_progress("ReplicaFailure", "Replica Failure condition. Check Pods"));
    }
    let wanted = number(object, &["spec", "replicas"], 1);
    let status = |key: &str| number(object, &["status", key], 0);
    let replicas = status("replicas");
    Ok(too_few("LessLabelled", "Labelled", status("fullyLabeledReplicas"), wanted)
        .or_else(|| too_few("LessAvailable", "Available", status("availableReplicas"), wanted))
        .or_else(|| too_few("LessReady", "Ready", status("readyReplicas"), wanted))
        .or_else(|| too_many(replicas, wanted))
        .unwrap_or_else(|| current(format!("ReplicaSet is available. Replicas: {replicas}"))))
}

fn daemon_set(object: &Object, _: &Conditions<'_>, _: Timestamp) -> Result<Verdict, Error> {
    for (keys, reason) in
        [(["metadata", "generation"], "NoGeneration"), (["status", "observedGeneration"], "NoObservedGeneration")]
    {
        if integer_at(object, keys)?.is_none() {
            let message = format!("{} {}.{} not found", object.kind(), keys[0], keys[1]);
            return Ok(in_progress(reason, &message));
        }
    }
    let status = |key: &str| number(object, &["status", key], 0);
    let desired = number(object, &["status", "desiredNumberScheduled"], -1);
    if desired == -1 {
        return Ok(in_progress("NoDesiredNumber", "Missing .status.desiredNumberScheduled"));
    }
    Ok(too_few("LessCurrent", "Current", status("currentNumberScheduled"), desired)
        .or_else(|| too_few("LessUpdated", "Updated", status("updatedNumberScheduled"), desired))
        .or_else(|| too_few("LessAvailable", "Available", status("numberAvailable"), desired))
        .or_else(|| too_few("LessReady", "Ready", status("numberReady"), desired))
        .unwrap_or_else(|| current(format!("All replicas scheduled as expected. Replicas: {desired}"))))
}

fn claim(object: &Object, _: &Conditions<'_>, _: Timestamp) -> Result<Verdict, Error> {
    Ok(match text(object, &["status", "phase"], "unknown") {
        "Bound" => current("PVC is Bound"),
        phase => in_progress("NotBound", &format!("PVC is not Bound. phase: {phase}")),
    })
}

fn service(object: &Object, _: &Conditions<'_>, _: Timestamp) -> Result<Verdict, Error> {
    let balanced = text(object, &["spec", "type"], "ClusterIP") == "LoadBalancer";
    Ok(if balanced && text(object, &["spec", "clusterIP"], "").is_empty() {
        in_progress("NoIPAssigned", "ClusterIP not set. Service type: LoadBalancer")
    } else {
        current("Service is ready")
    })
}

fn pod(object: &Object, conditions: &Conditions<'_>, now: Timestamp) -> Result<Verdict, Error> {
    let has = |kind: &str, status: &str| {
        conditions.iter().find(|condition| condition.kind == kind && condition.status == status)
    };
    match text(object, &["status", "phase"], "") {
        "Succeeded" => Ok(current("Pod has completed successfully")),
        "Failed" => Ok(current("Pod has completed, but not successfully")),
        "Running" if has("Ready", "True").is_some() => Ok(current("Pod is Ready")),
        "Running" => {
            let looping = crash_looping(object)?;
            if looping.is_empty() {
                return Ok(in_progress("PodRunningNotReady", "Pod is running but is not Ready"));
            }
            Ok(failed("ContainerCrashLooping", &format!("Containers in CrashLoop state: {}", looping.join(","))))
        }
        "Pending" => {
            if has("PodScheduled", "False").is_none_or(|condition| condition.reason != "Unschedulable") {
                return Ok(in_progress("PodPending", "Pod is in the Pending phase"));
            }
            let created: Option<Timestamp> = text(object, &["metadata", "creationTimestamp"], "").parse().ok();
            let since = now.checked_sub(SCHEDULE_WINDOW).unwrap_or(Timestamp::MIN);
            if created.is_some_and(|created| since < created) {
                return Ok(in_progress("PodNotScheduled", "Pod has not been scheduled"));
            }
            Ok(failed("PodUnschedulable", "Pod could not be scheduled"))
        }
        "" => Ok(in_progress("PodNotObserved", "Pod phase not available")),
        phase => Err(Error(format!("unknown phase {phase}"))),
    }
}

fn crash_looping(object: &Object) -> Result<Vec<&str>, Error> {
    let containers = list_at(object, ["status", "containerStatuses"])?.iter();
    let looping = containers.filter(|container| {
        container.at(&["state", "waiting", "reason"]).and_then(Value::as_str) == Some("CrashLoopBackOff")
    });
    Ok(looping.filter_map(|container| container.get("name")?.as_str()).collect())
}

fn job(object: &Object, conditions: &Conditions<'_>, _: Timestamp) -> Result<Verdict, Error> {
    let parallelism = number(object, &["spec", "parallelism"], 1);
    let completions = number(object, &["spec", "completions"], parallelism);
    let status = |key: &str| number(object, &["status", key], 0);
    let (succeeded, active, failures) = (status("succeeded"), status("active"), status("failed"));
    for condition in conditions.iter().filter(|condition| condition.status == "True") {
        match condition.kind {
            "Complete" => return Ok(current(format!("Job Completed. succeeded: {succeeded}/{completions}"))),
            "Failed" => return Ok(failed("JobFailed", &format!("Job Failed. failed: {failures}/{completions}"))),
            _ => {}
        }
    }
    if text(object, &["status", "startTime"], "").is_empty() {
        return Ok(in_progress("JobNotStarted", "Job not started"));
    }
    Ok(current(format!("Job in progress. success:{succeeded}, active: {active}, failed: {failures}")))
}

fn definition(_: &Object, conditions: &Conditions<'_>, _: Timestamp) -> Result<Verdict, Error> {
    for condition in conditions.iter() {
        match (condition.kind, condition.status) {
            ("NamesAccepted", "False") => return Ok(failed(condition.reason, condition.message)),
            ("Established", "False") if condition.reason != "Installing" => {
                return Ok(failed(condition.reason, condition.message));
            }
            ("Established", "True") => return Ok(current("CRD is established")),
            _ => {}
        }
    }
    Ok(in_progress("Installing", "Install in progress"))
}
