//! HorizontalPodAutoscaler between `autoscaling/v2`, in which it is stored, and `v1`.

use lockstep_object::{Map, Value};

use crate::build::{int_at, list_at, map, text_at};

/// Where `v1` keeps what it has no fields for.
const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";

fn is_cpu(metric: &Value) -> bool {
    text_at(metric, &["type"]) == "Resource"
        && text_at(metric, &["resource", "name"]) == "cpu"
        && int_at(metric, &["resource", "target", "averageUtilization"]).is_some()
}

pub(crate) fn to_v1(map: &mut Map) {
    let spec = map.map_entry("spec");
    let metrics = spec.remove("metrics");
    let behavior = spec.remove("behavior");
    let metrics: Vec<Value> = metrics.as_ref().and_then(Value::as_list).map(|list| list.to_vec()).unwrap_or_default();
    let (cpu, others): (Vec<&Value>, Vec<&Value>) = metrics.iter().partition(|metric| is_cpu(metric));
    if let Some(percent) = cpu.first().and_then(|metric| int_at(metric, &["resource", "target", "averageUtilization"]))
    {
        spec.insert("targetCPUUtilizationPercentage", percent);
    }
    if !others.is_empty() {
        let list = Value::List(others.into_iter().cloned().map(old_metric).collect());
        annotate(map, METRICS, &lockstep_object::to_json(&list));
    }
    if let Some(behavior) = behavior {
        annotate(map, BEHAVIOR, &lockstep_object::to_json(&behavior));
    }
    if let Some(Value::Map(status)) = map.get_mut("status") {
        let current = status.remove("currentMetrics");
        status.remove("conditions");
        for key in ["currentReplicas", "desiredReplicas"] {
            status.entry(key, || 0.into());
        }
        let metrics = current.as_ref().map(|value| list_at(value, &[])).unwrap_or_default();
        let percent = metrics.iter().find_map(|metric| int_at(metric, &["resource", "current", "averageUtilization"]));
        if let Some(percent) = percent {
            status.insert("currentCPUUtilizationPercentage", percent);
        }
    }
}

fn annotate(map: &mut Map, key: &str, text: &str) {
    map.map_entry("metadata").map_entry("annotations").insert(key, text);
}

/// `v1`'s annotation has the metrics in the shape of `v2beta1`.
fn old_metric(metric: Value) -> Value {
    let Value::Map(mut metric) = metric else { return metric };
    for kind in ["resource", "containerResource"] {
        let Some(Value::Map(source)) = metric.get_mut(kind) else { continue };
        let Some(target) = source.remove("target") else { continue };
        for (new, old) in [("averageUtilization", "targetAverageUtilization"), ("averageValue", "targetAverageValue")] {
            if let Some(value) = target.get(new) {
                source.insert(old, value.clone());
            }
        }
    }
    Value::Map(metric)
}

pub(crate) fn to_v2(map: &mut Map) {
    let annotation = map.map_entry("metadata").get("annotations").and_then(|all| all.get(METRICS)).cloned();
    let others =
        annotation.as_ref().and_then(Value::as_str).and_then(|text| lockstep_object::from_json(text.as_bytes()).ok());
    let spec = map.map_entry("spec");
    let mut metrics: Vec<Value> =
        others.as_ref().and_then(Value::as_list).map(|list| list.to_vec()).unwrap_or_default();
    if let Some(percent) = spec.remove("targetCPUUtilizationPercentage") {
        let target = map! { "type" => "Utilization", "averageUtilization" => percent };
        let resource = map! { "name" => "cpu", "target" => target };
        metrics.push(Value::Map(map! { "type" => "Resource", "resource" => resource }));
    }
    if !metrics.is_empty() {
        spec.insert("metrics", metrics);
    }
    if let Some(Value::Map(status)) = map.get_mut("status") {
        status.remove("currentCPUUtilizationPercentage");
        status.entry("currentMetrics", || Value::Null);
    }
}
