//! The cells of a pod: what kubectl calls its status is worked out from its containers.

use lockstep_object::Value;

use super::{Row, or};
use crate::{
    build::{int_at, list_at, text_at},
    moment::age,
};

/// What is worked out of a pod's containers.
#[derive(Default)]
struct Summary {
    reason: String,
    ready: usize,
    restarts: i64,
    last_restart: String,
}

impl Summary {
    fn count_restarts(&mut self, container: &Value) {
        self.restarts += int_at(container, &["restartCount"]).unwrap_or_default();
        let finished = text_at(container, &["lastState", "terminated", "finishedAt"]);
        // RFC 3339 in UTC with seconds: the order of texts is that of times.
        if finished > self.last_restart.as_str() {
            finished.clone_into(&mut self.last_restart);
        }
    }
}

pub(super) fn ready(row: &Row<'_>) -> Value {
    let sidecars = row.list("spec.initContainers").iter().filter(|one| restarts_always(one)).count();
    format!("{}/{}", summary(row).ready, row.list("spec.containers").len() + sidecars).into()
}

pub(super) fn status(row: &Row<'_>) -> Value {
    let summary = summary(row);
    let phase = row.text("status.phase");
    if row.is_deleted() {
        if row.text("status.reason") == "NodeLost" {
            return "Unknown".into();
        }
        if !matches!(phase, "Succeeded" | "Failed") {
            return "Terminating".into();
        }
    }
    summary.reason.into()
}

pub(super) fn restarts(row: &Row<'_>) -> Value {
    let summary = summary(row);
    if summary.restarts == 0 || summary.last_restart.is_empty() {
        return summary.restarts.to_string().into();
    }
    format!("{} ({} ago)", summary.restarts, age(&summary.last_restart, row.now)).into()
}

pub(super) fn address(row: &Row<'_>) -> Value {
    or(row.list("status.podIPs").first().map_or("", |one| text_at(one, &["ip"])), "<none>")
}

pub(super) fn gates(row: &Row<'_>) -> Value {
    let gates = row.list("spec.readinessGates");
    if gates.is_empty() {
        return "<none>".into();
    }
    let open = gates.iter().filter(|gate| row.holds(text_at(gate, &["conditionType"]))).count();
    format!("{open}/{}", gates.len()).into()
}

fn restarts_always(container: &Value) -> bool {
    text_at(container, &["restartPolicy"]) == "Always"
}

fn summary(row: &Row<'_>) -> Summary {
    let mut summary = Summary::default();
    let gated = row
        .list("status.conditions")
        .iter()
        .any(|one| text_at(one, &["type"]) == "PodScheduled" && text_at(one, &["reason"]) == "SchedulingGated");
    let told = row.text("status.reason");
    let reason = if told.is_empty() { row.text("status.phase") } else { told };
    summary.reason = if gated { "SchedulingGated" } else { reason }.to_owned();
    let (sidecars, initializing) = init_containers(row, &mut summary);
    if !initializing || row.holds("Initialized") {
        summary.restarts = sidecars.restarts;
        summary.last_restart = sidecars.last_restart;
        containers(row, &mut summary);
    }
    summary
}

/// Reads the init containers; returns what the restartable ones add, and whether the pod still initializes.
fn init_containers(row: &Row<'_>, summary: &mut Summary) -> (Summary, bool) {
    let mut sidecars = Summary::default();
    let specs = row.list("spec.initContainers");
    for (place, container) in row.list("status.initContainerStatuses").iter().enumerate() {
        summary.count_restarts(container);
        let name = text_at(container, &["name"]);
        let sidecar = specs.iter().any(|one| text_at(one, &["name"]) == name && restarts_always(one));
        if sidecar {
            sidecars.count_restarts(container);
        }
        let terminated = container.at(&["state", "terminated"]).filter(|state| !state.is_null());
        if terminated.is_some_and(|state| int_at(state, &["exitCode"]).unwrap_or_default() == 0) {
            continue;
        }
        if sidecar && container.get("started").and_then(Value::as_bool) == Some(true) {
            summary.ready += usize::from(container.get("ready").and_then(Value::as_bool) == Some(true));
            continue;
        }
        let waiting = text_at(container, &["state", "waiting", "reason"]);
        summary.reason = match terminated {
            Some(state) => format!("Init:{}", end_of(state)),
            None if !waiting.is_empty() && waiting != "PodInitializing" => format!("Init:{waiting}"),
            None => format!("Init:{place}/{}", specs.len()),
        };
        return (sidecars, true);
    }
    (sidecars, false)
}

/// Says how a container ended.
fn end_of(state: &Value) -> String {
    let (reason, signal) = (text_at(state, &["reason"]), int_at(state, &["signal"]).unwrap_or_default());
    match (reason, signal) {
        ("", 0) => format!("ExitCode:{}", int_at(state, &["exitCode"]).unwrap_or_default()),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

fn containers(row: &Row<'_>, summary: &mut Summary) {
    let (mut running, mut failure) = (false, String::new());
    for container in list_at(row.item, &["status", "containerStatuses"]).iter().rev() {
        summary.count_restarts(container);
        let waiting = text_at(container, &["state", "waiting", "reason"]);
        let state = |name: &str| container.at(&["state", name]).filter(|state| !state.is_null());
        if !waiting.is_empty() {
            waiting.clone_into(&mut summary.reason);
        } else if let Some(ended) = state("terminated") {
            summary.reason = end_of(ended);
            if int_at(ended, &["exitCode"]).unwrap_or_default() != 0 {
                failure.clone_from(&summary.reason);
            }
        } else if container.get("ready").and_then(Value::as_bool) == Some(true) && state("running").is_some() {
            running = true;
            summary.ready += 1;
        }
    }
    // A pod with a container that still runs has not completed.
    if summary.reason == "Completed" {
        if running && row.holds("Ready") {
            summary.reason = "Running".to_owned();
        } else if !failure.is_empty() {
            summary.reason = failure;
        } else if running {
            summary.reason = "NotReady".to_owned();
        }
    }
}
