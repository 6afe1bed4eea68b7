//! HorizontalPodAutoscalers: they keep their target within its limits.
//!
//! Simulated kubelets measure what an autoscaler asks of pods, and it is always what it aims at: within its limits a
//! target keeps its replicas. Nobody serves the metrics of anything else. Conditions and their words are those of
//! kube-controller-manager 1.36 (`pkg/controller/podautoscaler/horizontal.go`).

use std::sync::Arc;

use lockstep_object::{Map, Object, Value};

use super::{MANAGER, condition, group_of, update, write_status};
use crate::{
    build::{int_at, list_at, map, text_at},
    catalog::Resource,
    moment::Moment,
    scale,
    server::Server,
    status::qualified,
    store::Name,
};

/// Where they are stored.
pub(super) const STORE: &str = "autoscaling/horizontalpodautoscalers";

/// Returns the autoscalers that have the object as their target.
pub(super) fn of(server: &Server, target: &Object) -> Vec<Name> {
    let bucket = server.store.bucket(STORE).into_iter().flat_map(|bucket| bucket.range(Some(target.namespace())));
    let aims = |autoscaler: &Object| {
        autoscaler.at(&["spec", "scaleTargetRef"]).is_some_and(|aim| {
            text_at(aim, &["name"]) == target.name()
                && text_at(aim, &["kind"]) == target.kind()
                && group_of(text_at(aim, &["apiVersion"])) == *target.gvk().group
        })
    };
    bucket.filter(|(_, one)| aims(&one.object)).map(|(name, _)| name.clone()).collect()
}

/// Brings the target within the limits, or says how it is.
pub(super) fn autoscaler(server: &mut Server, moment: &mut Moment, object: &Object) {
    let aim = object.at(&["spec", "scaleTargetRef"]).cloned().unwrap_or_default();
    let (group, name) = (group_of(text_at(&aim, &["apiVersion"])), text_at(&aim, &["name"]));
    let Some(resource) = server.catalog.any_version(&group, text_at(&aim, &["kind"])).cloned() else { return };
    let found = server.store.get(&resource.store, object.namespace(), name).map(|one| one.object.clone());
    let status = match found {
        Some(target) => observe(server, moment, object, &resource, &target),
        None => missing(moment, object, &resource, name),
    };
    write_status(server, moment, object, Value::Map(status));
}

fn missing(moment: &Moment, object: &Object, resource: &Resource, name: &str) -> Map {
    let text = format!(
        "the HPA controller was unable to get the target's current scale: {} \"{name}\" not found",
        qualified(&resource.plural, &resource.group),
    );
    let old = object.root().get("status").cloned().unwrap_or_default();
    let able = condition(&old, "AbleToScale", false, "FailedGetScale", &text, moment, false);
    map! { "desiredReplicas" => 0, "currentMetrics" => Value::Null, "conditions" => vec![able] }
}

fn observe(
    server: &mut Server,
    moment: &mut Moment,
    object: &Object,
    resource: &Arc<Resource>,
    target: &Object,
) -> Map {
    let value = object.to_value();
    let current = scale::replicas_of(resource, target);
    let least = int_at(&value, &["spec", "minReplicas"]).unwrap_or(1);
    let most = int_at(&value, &["spec", "maxReplicas"]).unwrap_or(least);
    let desired = if current == 0 { 0 } else { current.max(least).min(most.max(least)) };
    let mut status: Map = map! { "desiredReplicas" => desired };
    if current > 0 {
        status.insert("currentReplicas", current);
    }
    let last = value.at(&["status", "lastScaleTime"]).cloned();
    let last = if desired == current { last } else { Some(moment.seconds().into()) };
    if let Some(last) = last {
        status.insert("lastScaleTime", last);
    }
    let (conditions, seen) = if desired == current {
        judge(server, moment, &value, current)
    } else {
        let mut scaled = target.clone();
        scale::set_replicas(resource, &mut scaled, desired);
        update(server, moment, target, scaled, "scale", MANAGER);
        let text = format!("the HPA controller was able to update the target scale to {desired}");
        let old = value.get("status").cloned().unwrap_or_default();
        (vec![condition(&old, "AbleToScale", true, "SucceededRescale", &text, moment, false)], Value::Null)
    };
    status.insert("currentMetrics", seen);
    status.insert("conditions", conditions);
    status
}

/// Says how it is with a target that keeps its replicas: the conditions, and what is measured.
fn judge(server: &Server, moment: &Moment, object: &Value, replicas: i64) -> (Vec<Value>, Value) {
    let old = object.get("status").cloned().unwrap_or_default();
    let say =
        |kind: &str, truth: bool, reason: &str, text: &str| condition(&old, kind, truth, reason, text, moment, false);
    let got_scale = "the HPA controller was able to get the target's current scale";
    let able = || say("AbleToScale", true, "SucceededGetScale", got_scale);
    if replicas == 0 {
        let text = "scaling is disabled since the replica count of the target is zero";
        return (vec![able(), say("ScalingActive", false, "ScalingDisabled", text)], Value::Null);
    }
    let metrics = list_at(object, &["spec", "metrics"]);
    let kubelets = server.settings.scheduler;
    if let Some(metric) = metrics.iter().find(|metric| !kubelets || measured(metric).is_none()) {
        let (reason, text) = failure(metric);
        return (vec![able(), say("ScalingActive", false, reason, &text)], Value::Null);
    }
    let seen: Vec<Value> = metrics.iter().filter_map(measured).collect();
    let found = metrics.first().map(proposal).unwrap_or_default();
    let text = format!("the HPA was able to successfully calculate a replica count from {found}");
    let conditions = vec![
        say("AbleToScale", true, "ReadyForNewScale", "recommended size matches current size"),
        say("ScalingActive", true, "ValidMetricFound", &text),
        say("ScalingLimited", false, "DesiredWithinRange", "the desired count is within the acceptable range"),
    ];
    (conditions, seen.into())
}

/// Where a metric of pods is, that kubelets measure: the key below the metric.
fn key_of(metric: &Value) -> Option<&'static str> {
    match text_at(metric, &["type"]) {
        "Resource" => Some("resource"),
        "ContainerResource" => Some("containerResource"),
        _ => None,
    }
}

/// Shows what is measured: what the metric aims at.
fn measured(metric: &Value) -> Option<Value> {
    let key = key_of(metric)?;
    let mut shown = metric.get(key)?.as_map()?.clone();
    let mut target = shown.remove("target")?.as_map()?.clone();
    target.remove("type");
    shown.insert("current", target);
    Some(Value::Map(map! { "type" => text_at(metric, &["type"]), key => shown }))
}

/// Names what a replica count is calculated from.
fn proposal(metric: &Value) -> String {
    let key = key_of(metric).unwrap_or_default();
    let container = if key == "containerResource" { " container" } else { "" };
    let part = match text_at(metric, &[key, "target", "type"]) {
        "Utilization" => " utilization (percentage of request)",
        _ => "",
    };
    format!("{}{container} resource{part}", text_at(metric, &[key, "name"]))
}

/// Says why there is no value of a metric: the reason and the message.
fn failure(metric: &Value) -> (&'static str, String) {
    let absent = "the server could not find the requested resource";
    let (reason, what, from) = match text_at(metric, &["type"]) {
        "Pods" => {
            ("FailedGetPodsMetric", format!("pods metric {}", text_at(metric, &["pods", "metric", "name"])), "custom")
        }
        "Object" => (
            "FailedGetObjectMetric",
            format!("object metric {}", text_at(metric, &["object", "metric", "name"])),
            "custom",
        ),
        "External" => {
            let name = text_at(metric, &["external", "metric", "name"]);
            ("FailedGetExternalMetric", format!("external metric {name}"), "external")
        }
        _ => {
            let name = text_at(metric, &[key_of(metric).unwrap_or_default(), "name"]);
            let text = format!(
                "failed to get {name} utilization: unable to get metrics for resource {name}: unable to fetch metrics from resource metrics API: {absent} (get pods.metrics.k8s.io)"
            );
            return ("FailedGetResourceMetric", format!("the HPA was unable to compute the replica count: {text}"));
        }
    };
    let text = format!("unable to get {what}: unable to fetch metrics from {from} metrics API: {absent}");
    (reason, format!("the HPA was unable to compute the replica count: {text}"))
}
