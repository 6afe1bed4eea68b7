//! Pods.

use lockstep_object::{Object, Value};

use super::conditions;
use crate::{Health, Status};

/// Makes a running pod that ends some day count as one that runs for ever.
const IGNORE_RESTART_POLICY: &str = "argocd.argoproj.io/ignore-restart-policy";

/// Judges a pod.
///
/// A pod that ends (`restartPolicy` Never or `OnFailure`) is Progressing while it runs and is not Degraded by a
/// container that waits, because it may be a hook whose image comes later.
pub fn pod(object: &Object) -> Health {
    let message = object.str_at(&["status", "message"]);
    let policy = object.str_at(&["spec", "restartPolicy"]);
    let lasting = policy == "Always" || (object.annotation(IGNORE_RESTART_POLICY) == Some("true") && !is_hook(object));
    if lasting && let Some(health) = waiting(object) {
        return health;
    }
    match object.str_at(&["status", "phase"]) {
        "Pending" => Health::new(Status::Progressing, message),
        "Succeeded" => Health::new(Status::Healthy, message),
        "Failed" => Health::new(Status::Degraded, failure(object)),
        "Running" if lasting => Health::new(running(object), message),
        "Running" if matches!(policy, "OnFailure" | "Never") => Health::new(Status::Progressing, message),
        _ => Health::new(Status::Unknown, message),
    }
}

fn is_hook(object: &Object) -> bool {
    match object.annotation("argocd.argoproj.io/hook") {
        Some(kinds) => kinds.trim() != "Skip",
        None => object.annotation("helm.sh/hook").is_some_and(|kinds| kinds != "crd-install"),
    }
}

fn containers<'a>(object: &'a Object, key: &str) -> &'a [Value] {
    object.at(&["status", key]).and_then(Value::as_list).map_or(&[], |list| list)
}

fn text_at<'a>(value: &'a Value, keys: &[&str]) -> &'a str {
    value.at(keys).and_then(Value::as_str).unwrap_or_default()
}

/// Degraded if containers wait for an error.
fn waiting(object: &Object) -> Option<Health> {
    let broken = containers(object, "containerStatuses").iter().filter(|container| {
        let reason = text_at(container, &["state", "waiting", "reason"]);
        reason.starts_with("Err") || reason.ends_with("Error") || reason.ends_with("BackOff")
    });
    let messages: Vec<&str> = broken.map(|container| text_at(container, &["state", "waiting", "message"])).collect();
    if messages.is_empty() { None } else { Some(Health::new(Status::Degraded, messages.join(", "))) }
}

fn running(object: &Object) -> Status {
    if conditions(object).any(|condition| condition.kind() == "Ready" && condition.status() == "True") {
        return Status::Healthy;
    }
    let ended = |container: &Value| container.at(&["lastState", "terminated"]).is_some_and(|state| !state.is_null());
    let restarted = containers(object, "containerStatuses").iter().any(ended);
    if restarted { Status::Degraded } else { Status::Progressing }
}

fn failure(object: &Object) -> String {
    let message = object.str_at(&["status", "message"]);
    if !message.is_empty() {
        return message.to_owned();
    }
    let initial = containers(object, "initContainerStatuses").iter();
    initial.chain(containers(object, "containerStatuses")).find_map(container_failure).unwrap_or_default()
}

fn container_failure(container: &Value) -> Option<String> {
    let ended = container.at(&["state", "terminated"])?;
    let message = text_at(ended, &["message"]);
    if !message.is_empty() {
        return Some(message.to_owned());
    }
    if text_at(ended, &["reason"]) == "OOMKilled" {
        return Some("OOMKilled".to_owned());
    }
    let code = ended.get("exitCode").and_then(Value::as_i64).filter(|code| *code != 0)?;
    Some(format!("container {:?} failed with exit code {code}", text_at(container, &["name"])))
}
