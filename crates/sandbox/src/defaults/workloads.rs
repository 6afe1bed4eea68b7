//! What makes pods, and autoscalers.

use lockstep_object::{Map, Value};

use super::{each, inside, pods::template, put, storage::claim, text};
use crate::{build::map, catalog::Resource};

pub(super) fn deployment(spec: &mut Map) {
    put(spec, "replicas", 1);
    let strategy = spec.map_entry("strategy");
    put(strategy, "type", "RollingUpdate");
    if text(strategy, "type") == "RollingUpdate" {
        let rolling = strategy.map_entry("rollingUpdate");
        put(rolling, "maxUnavailable", "25%");
        put(rolling, "maxSurge", "25%");
    }
    put(spec, "revisionHistoryLimit", 10);
    put(spec, "progressDeadlineSeconds", 600);
    template(spec.map_entry("template"));
}

pub(super) fn replica_set(root: &mut Map) {
    let labels = template_labels(root);
    default_selector(root, labels);
    let spec = root.map_entry("spec");
    put(spec, "replicas", 1);
    template(spec.map_entry("template"));
}

pub(super) fn stateful_set(spec: &mut Map) {
    put(spec, "serviceName", "");
    put(spec, "podManagementPolicy", "OrderedReady");
    let strategy = spec.map_entry("updateStrategy");
    put(strategy, "type", "RollingUpdate");
    if text(strategy, "type") == "RollingUpdate" {
        put(strategy.map_entry("rollingUpdate"), "partition", 0);
    }
    let retention = spec.map_entry("persistentVolumeClaimRetentionPolicy");
    put(retention, "whenDeleted", "Retain");
    put(retention, "whenScaled", "Retain");
    put(spec, "replicas", 1);
    put(spec, "revisionHistoryLimit", 10);
    template(spec.map_entry("template"));
    each(spec, "volumeClaimTemplates", |claim_template| {
        put(claim_template, "apiVersion", "v1");
        put(claim_template, "kind", "PersistentVolumeClaim");
        claim(claim_template);
    });
}

pub(super) fn daemon_set(spec: &mut Map) {
    let strategy = spec.map_entry("updateStrategy");
    put(strategy, "type", "RollingUpdate");
    if text(strategy, "type") == "RollingUpdate" {
        let rolling = strategy.map_entry("rollingUpdate");
        put(rolling, "maxUnavailable", 1);
        put(rolling, "maxSurge", 0);
    }
    put(spec, "revisionHistoryLimit", 10);
    template(spec.map_entry("template"));
}

pub(super) fn job(spec: &mut Map) {
    if !spec.contains_key("completions") && !spec.contains_key("parallelism") {
        spec.insert("completions", 1);
        spec.insert("parallelism", 1);
    }
    put(spec, "parallelism", 1);
    if !spec.contains_key("backoffLimit") {
        spec.insert("backoffLimit", if spec.contains_key("backoffLimitPerIndex") { 2_147_483_647 } else { 6 });
    }
    put(spec, "completionMode", "NonIndexed");
    put(spec, "suspend", false);
    put(spec, "manualSelector", false);
    let replacement = if spec.contains_key("podFailurePolicy") { "Failed" } else { "TerminatingOrFailed" };
    put(spec, "podReplacementPolicy", replacement);
    inside(spec, "podFailurePolicy", |policy| {
        each(policy, "rules", |rule| each(rule, "onPodConditions", |condition| put(condition, "status", "True")));
    });
    template(spec.map_entry("template"));
}

pub(super) fn cron_job(spec: &mut Map) {
    put(spec, "concurrencyPolicy", "Allow");
    put(spec, "suspend", false);
    put(spec, "successfulJobsHistoryLimit", 3);
    put(spec, "failedJobsHistoryLimit", 1);
    let job_template = spec.map_entry("jobTemplate").map_entry("spec");
    template(job_template.map_entry("template"));
}

fn template_labels(root: &mut Map) -> Option<Map> {
    let labels = root.get("spec")?.at(&["template", "metadata", "labels"])?.as_map()?;
    Some(labels.clone())
}

/// A ReplicaSet without labels takes those of its template.
fn default_selector(root: &mut Map, labels: Option<Map>) {
    let Some(labels) = labels else { return };
    let metadata = root.map_entry("metadata");
    if metadata.get("labels").and_then(Value::as_map).is_none_or(Map::is_empty) {
        metadata.insert("labels", labels);
    }
}

pub(super) fn replication_controller(root: &mut Map) {
    let labels = template_labels(root);
    default_selector(root, labels.clone());
    let spec = root.map_entry("spec");
    if let Some(labels) = labels
        && spec.get("selector").and_then(Value::as_map).is_none_or(Map::is_empty)
    {
        spec.insert("selector", labels);
    }
    put(spec, "replicas", 1);
    inside(spec, "template", template);
}

pub(super) fn autoscaler(resource: &Resource, root: &mut Map) {
    let spec = root.map_entry("spec");
    put(spec, "minReplicas", 1);
    if resource.version == "v1" {
        put(spec, "targetCPUUtilizationPercentage", 80);
        return;
    }
    if spec.get("metrics").and_then(Value::as_list).is_none_or(|list| list.is_empty()) {
        let target = map! { "type" => "Utilization", "averageUtilization" => 80 };
        let metric = map! { "type" => "Resource", "resource" => map! { "name" => "cpu", "target" => target } };
        spec.insert("metrics", vec![Value::Map(metric)]);
    }
    inside(spec, "behavior", |behavior| {
        scaling_rules(behavior.map_entry("scaleUp"), true);
        scaling_rules(behavior.map_entry("scaleDown"), false);
    });
}

fn scaling_rules(rules: &mut Map, up: bool) {
    put(rules, "selectPolicy", "Max");
    if up {
        put(rules, "stabilizationWindowSeconds", 0);
    }
    if rules.get("policies").and_then(Value::as_list).is_none_or(|list| list.is_empty()) {
        let policy =
            |kind: &str, value: i64| Value::Map(map! { "type" => kind, "value" => value, "periodSeconds" => 15 });
        let policies = if up { vec![policy("Pods", 4), policy("Percent", 100)] } else { vec![policy("Percent", 100)] };
        rules.insert("policies", policies);
    }
}
