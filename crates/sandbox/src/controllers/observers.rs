//! Budgets and autoscalers: what they say of the workloads that they look at.

use lockstep_object::{Map, Object, Value};

use super::{condition, pods, write_status};
use crate::{
    build::{int_at, list_at, map, text_at},
    moment::Moment,
    select::Labels,
    server::Server,
};

fn generation(object: &Object) -> i64 {
    int_at(&object.to_value(), &["metadata", "generation"]).unwrap_or_default()
}

/// Counts the pods of a PodDisruptionBudget.
pub(super) fn budget(server: &mut Server, moment: &mut Moment, object: &Object) {
    let value = object.to_value();
    let labels = value.at(&["spec", "selector"]).and_then(Labels::of_selector);
    let pods: Vec<Object> = server
        .store
        .bucket("/pods")
        .into_iter()
        .flat_map(|bucket| bucket.range(Some(object.namespace())))
        .map(|(_, one)| one.object.clone())
        .filter(|pod| labels.as_ref().is_some_and(|labels| labels.matches(pod)))
        .collect();
    let expected = i64::try_from(pods.len()).unwrap_or_default();
    let healthy = i64::try_from(pods.iter().filter(|pod| pods::is_ready(pod)).count()).unwrap_or_default();
    let part = |value: Option<&Value>| match value {
        Some(Value::Int(number)) => Some(*number),
        Some(Value::Text(text)) => {
            text.trim_end_matches('%').parse::<i64>().ok().map(|share| (expected * share + 99) / 100)
        }
        _ => None,
    };
    let desired = match (part(value.at(&["spec", "minAvailable"])), part(value.at(&["spec", "maxUnavailable"]))) {
        (Some(least), _) => least,
        (None, Some(most)) => (expected - most).max(0),
        _ => (expected - 1).max(0),
    };
    let allowed = (healthy - desired).max(0);
    let allowed = if expected == 0 { 0 } else { allowed };
    let old = object.root().get("status").cloned().unwrap_or_default();
    let reason = if allowed > 0 { "SufficientPods" } else { "InsufficientPods" };
    let mut made = condition(&old, "DisruptionAllowed", allowed > 0, reason, "", moment, false);
    if let Value::Map(made) = &mut made {
        made.insert("observedGeneration", generation(object));
    }
    let status = map! {
        "observedGeneration" => generation(object), "disruptionsAllowed" => allowed, "currentHealthy" => healthy,
        "desiredHealthy" => desired, "expectedPods" => expected, "conditions" => vec![made],
    };
    write_status(server, moment, object, Value::Map(status));
}

/// Says what an autoscaler sees: its target, and that nobody measures anything.
pub(super) fn autoscaler(server: &mut Server, moment: &mut Moment, object: &Object) {
    let target = object.at(&["spec", "scaleTargetRef"]).cloned().unwrap_or_default();
    let api_version = text_at(&target, &["apiVersion"]);
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let Some(resource) = server.catalog.any_version(group, text_at(&target, &["kind"])).cloned() else { return };
    let found = server.store.get(&resource.store, object.namespace(), text_at(&target, &["name"]));
    let replicas = found.map(|one| int_at(&one.object.to_value(), &["spec", "replicas"]).unwrap_or(1));
    let old = object.root().get("status").cloned().unwrap_or_default();
    let conditions = match replicas {
        Some(count) => {
            let text = "the HPA controller was able to get the target's current scale";
            let able = condition(&old, "AbleToScale", true, "SucceededGetScale", text, moment, false);
            vec![able, scaling_active(&old, object, count, moment)]
        }
        None => {
            let text = format!(
                "the HPA controller was unable to get the target's current scale: {} \"{}\" not found",
                crate::status::qualified(&resource.plural, &resource.group),
                text_at(&target, &["name"])
            );
            vec![condition(&old, "AbleToScale", false, "FailedGetScale", &text, moment, false)]
        }
    };
    let mut status: Map = map! { "desiredReplicas" => replicas.unwrap_or_default() };
    if let Some(count) = replicas.filter(|count| *count > 0) {
        status.insert("currentReplicas", count);
    }
    status.insert("currentMetrics", Value::Null);
    status.insert("conditions", conditions);
    write_status(server, moment, object, Value::Map(status));
}

fn scaling_active(old: &Value, object: &Object, replicas: i64, moment: &Moment) -> Value {
    if replicas == 0 {
        let text = "scaling is disabled since the replica count of the target is zero";
        return condition(old, "ScalingActive", false, "ScalingDisabled", text, moment, false);
    }
    let value = object.to_value();
    let metric = list_at(&value, &["spec", "metrics"]).first();
    let name =
        metric.map(|metric| text_at(metric, &["resource", "name"])).filter(|name| !name.is_empty()).unwrap_or("cpu");
    let text = format!(
        "the HPA was unable to compute the replica count: failed to get {name} utilization: unable to get metrics for resource {name}: unable to fetch metrics from resource metrics API: the server could not find the requested resource (get pods.metrics.k8s.io)"
    );
    condition(old, "ScalingActive", false, "FailedGetResourceMetric", &text, moment, false)
}
