//! StatefulSets, DaemonSets, budgets and autoscalers.

use lockstep_object::{Map, Object, Value};

use super::{condition, controlled, create, delete, is_deleted, owner_reference, pods, template_hash, write_status};
use crate::{
    build::{int_at, list_at, map, set_at, text_at},
    moment::Moment,
    select::Labels,
    server::Server,
};

const HASH: &str = "controller-revision-hash";

fn generation(object: &Object) -> i64 {
    int_at(&object.to_value(), &["metadata", "generation"]).unwrap_or_default()
}

fn count(pods: &[Object], wanted: impl Fn(&Object) -> bool) -> i64 {
    i64::try_from(pods.iter().filter(|pod| wanted(pod)).count()).unwrap_or_default()
}

/// Keeps the history of a template as a ControllerRevision; returns its hash.
fn keep_revision(server: &mut Server, moment: &mut Moment, owner: &Object) -> String {
    let template = owner.at(&["spec", "template"]).cloned().unwrap_or_default();
    let hash = template_hash(&template);
    let name = format!("{}-{hash}", owner.name());
    let store = "apps/controllerrevisions";
    if server.store.get(store, owner.namespace(), &name).is_none() {
        let highest =
            controlled(server, store, owner).iter().filter_map(|one| one.root().get("revision")?.as_i64()).max();
        let mut labels = template.at(&["metadata", "labels"]).and_then(Value::as_map).cloned().unwrap_or_default();
        labels.insert(HASH, hash.as_str());
        let metadata = map! {
            "name" => name, "namespace" => owner.namespace(), "labels" => labels, "ownerReferences" => vec![owner_reference(owner)],
        };
        let mut patched = template;
        if let Value::Map(map) = &mut patched {
            map.insert("$patch", "replace");
        }
        let data = map! { "spec" => map! { "template" => patched } };
        let revision = map! {
            "apiVersion" => "apps/v1", "kind" => "ControllerRevision", "metadata" => metadata,
            "data" => data, "revision" => highest.unwrap_or_default() + 1,
        };
        create(server, moment, store, Object::new(revision));
    }
    hash
}

/// Keeps the numbered pods of a StatefulSet.
pub(super) fn stateful_set(server: &mut Server, moment: &mut Moment, object: &Object) {
    if is_deleted(object) {
        return;
    }
    let hash = keep_revision(server, moment, object);
    let revision = format!("{}-{hash}", object.name());
    let value = object.to_value();
    let wanted = int_at(&value, &["spec", "replicas"]).unwrap_or(1);
    let partition = int_at(&value, &["spec", "updateStrategy", "rollingUpdate", "partition"]).unwrap_or_default();
    let parallel = object.str_at(&["spec", "podManagementPolicy"]) == "Parallel";
    let on_delete = object.str_at(&["spec", "updateStrategy", "type"]) == "OnDelete";
    let start = int_at(&value, &["spec", "ordinals", "start"]).unwrap_or_default();
    let old_status = object.root().get("status").cloned().unwrap_or_default();
    let current = Some(text_at(&old_status, &["currentRevision"]).to_owned())
        .filter(|text| !text.is_empty())
        .unwrap_or(revision.clone());
    let mut steady = true;
    for ordinal in start..start + wanted {
        let name = format!("{}-{ordinal}", object.name());
        match server.store.get("/pods", object.namespace(), &name).map(|one| one.object.clone()) {
            None => {
                claims(server, moment, object, ordinal);
                numbered_pod(server, moment, object, ordinal, &revision);
                steady = false;
            }
            Some(pod) => steady &= pods::is_ready(&pod),
        }
        if !steady && !parallel {
            break;
        }
    }
    let mut pods = controlled(server, "/pods", object);
    pods.sort_by_key(ordinal_of);
    for pod in pods.iter().rev().filter(|pod| ordinal_of(pod) >= start + wanted && !is_deleted(pod)) {
        delete(server, moment, pod);
        if !parallel {
            break;
        }
    }
    if steady && !on_delete {
        let outdated = pods.iter().rev().find(|pod| {
            let place = ordinal_of(pod);
            place < start + wanted
                && place >= start + partition
                && pod.label(HASH) != Some(&revision)
                && !is_deleted(pod)
        });
        if let Some(pod) = outdated {
            delete(server, moment, pod);
        }
    }
    set_status(server, moment, object, &revision, &current, wanted);
}

fn ordinal_of(pod: &Object) -> i64 {
    pod.name().rsplit('-').next().and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn numbered_pod(server: &mut Server, moment: &mut Moment, owner: &Object, ordinal: i64, revision: &str) {
    let template = owner.at(&["spec", "template"]).cloned().unwrap_or_default();
    let mut pod = pods::of_template(&template, owner, &format!("{}-", owner.name()));
    let name = format!("{}-{ordinal}", owner.name());
    pod.metadata_mut().insert("name", name.as_str());
    pod.set_label("apps.kubernetes.io/pod-index", &ordinal.to_string());
    pod.set_label(HASH, revision);
    pod.set_label("statefulset.kubernetes.io/pod-name", &name);
    let service = owner.str_at(&["spec", "serviceName"]).to_owned();
    let mut volumes: Vec<Value> = Vec::new();
    for claim in list_at(&owner.to_value(), &["spec", "volumeClaimTemplates"]) {
        let template_name = text_at(claim, &["metadata", "name"]);
        let source = map! { "claimName" => format!("{template_name}-{name}") };
        volumes.push(Value::Map(map! { "name" => template_name, "persistentVolumeClaim" => source }));
    }
    volumes.extend(list_at(&pod.to_value(), &["spec", "volumes"]).iter().cloned());
    let spec = pod.root_mut().map_entry("spec");
    spec.insert("hostname", name);
    if !service.is_empty() {
        spec.insert("subdomain", service);
    }
    if !volumes.is_empty() {
        spec.insert("volumes", volumes);
    }
    create(server, moment, "/pods", pod);
}

fn claims(server: &mut Server, moment: &mut Moment, owner: &Object, ordinal: i64) {
    for template in list_at(&owner.to_value(), &["spec", "volumeClaimTemplates"]) {
        let name = format!("{}-{}-{ordinal}", text_at(template, &["metadata", "name"]), owner.name());
        if server.store.get("/persistentvolumeclaims", owner.namespace(), &name).is_some() {
            continue;
        }
        let mut labels = template.at(&["metadata", "labels"]).and_then(Value::as_map).cloned().unwrap_or_default();
        for (key, value) in
            owner.at(&["spec", "selector", "matchLabels"]).and_then(Value::as_map).into_iter().flat_map(Map::iter)
        {
            labels.insert(key, value.clone());
        }
        let metadata = map! { "name" => name, "namespace" => owner.namespace(), "labels" => labels };
        let claim = map! {
            "apiVersion" => "v1", "kind" => "PersistentVolumeClaim", "metadata" => metadata,
            "spec" => template.get("spec").cloned().unwrap_or_default(),
        };
        create(server, moment, "/persistentvolumeclaims", Object::new(claim));
    }
}

fn set_status(server: &mut Server, moment: &mut Moment, object: &Object, revision: &str, current: &str, wanted: i64) {
    let pods: Vec<Object> = controlled(server, "/pods", object).into_iter().filter(|pod| !is_deleted(pod)).collect();
    let ready = count(&pods, pods::is_ready);
    let updated = count(&pods, |pod| pod.label(HASH) == Some(revision));
    let total = i64::try_from(pods.len()).unwrap_or_default();
    let complete = updated == wanted && ready == wanted && total == wanted;
    let current = if complete { revision } else { current };
    let of_current = count(&pods, |pod| pod.label(HASH) == Some(current));
    let mut status = map! { "observedGeneration" => generation(object), "replicas" => total };
    let counts = [("readyReplicas", ready), ("currentReplicas", of_current), ("updatedReplicas", updated)];
    for (key, value) in counts {
        if value > 0 {
            status.insert(key, value);
        }
    }
    status.insert("currentRevision", current);
    status.insert("updateRevision", revision);
    status.insert("collisionCount", 0);
    status.insert("availableReplicas", ready);
    write_status(server, moment, object, Value::Map(status));
}

/// Keeps a pod of a DaemonSet on every node.
pub(super) fn daemon_set(server: &mut Server, moment: &mut Moment, object: &Object) {
    if is_deleted(object) {
        return;
    }
    let hash = keep_revision(server, moment, object);
    let nodes: Vec<String> = server
        .store
        .bucket("/nodes")
        .into_iter()
        .flat_map(|bucket| bucket.range(None))
        .map(|(name, _)| name.name.to_string())
        .collect();
    let pods = controlled(server, "/pods", object);
    let template = object.at(&["spec", "template"]).cloned().unwrap_or_default();
    let all_ready = pods.iter().all(pods::is_ready);
    for node in &nodes {
        match pods.iter().find(|pod| pod.str_at(&["spec", "nodeName"]) == node) {
            None => {
                let mut pod = pods::of_template(&template, object, &format!("{}-", object.name()));
                pod.set_label(HASH, &hash);
                pod.set_label("pod-template-generation", &generation(object).to_string());
                set_at(pod.root_mut(), &["spec", "nodeName"], node.as_str());
                create(server, moment, "/pods", pod);
            }
            Some(pod) if pod.label(HASH) != Some(&hash) && !is_deleted(pod) && all_ready => {
                delete(server, moment, pod);
                break;
            }
            Some(_) => {}
        }
    }
    let pods: Vec<Object> = controlled(server, "/pods", object).into_iter().filter(|pod| !is_deleted(pod)).collect();
    let wanted = i64::try_from(nodes.len()).unwrap_or_default();
    let (ready, updated) = (count(&pods, pods::is_ready), count(&pods, |pod| pod.label(HASH) == Some(&hash)));
    let mut status = map! {
        "currentNumberScheduled" => count(&pods, |_| true), "numberMisscheduled" => 0, "desiredNumberScheduled" => wanted,
        "numberReady" => ready, "observedGeneration" => generation(object),
    };
    let missing = (wanted - ready).max(0);
    for (key, value) in
        [("updatedNumberScheduled", updated), ("numberAvailable", ready), ("numberUnavailable", missing)]
    {
        if value > 0 {
            status.insert(key, value);
        }
    }
    write_status(server, moment, object, Value::Map(status));
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
    let healthy = count(&pods, pods::is_ready);
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

/// Says what an autoscaler sees: its target, and no metrics.
pub(super) fn autoscaler(server: &mut Server, moment: &mut Moment, object: &Object) {
    let target = object.at(&["spec", "scaleTargetRef"]).cloned().unwrap_or_default();
    let api_version = text_at(&target, &["apiVersion"]);
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let Some(resource) = server.catalog.any_version(group, text_at(&target, &["kind"])).cloned() else { return };
    let found = server.store.get(&resource.store, object.namespace(), text_at(&target, &["name"]));
    let replicas = found.and_then(|one| int_at(&one.object.to_value(), &["spec", "replicas"]));
    let old = object.root().get("status").cloned().unwrap_or_default();
    let mut status =
        map! { "currentReplicas" => replicas.unwrap_or_default(), "desiredReplicas" => replicas.unwrap_or_default() };
    let able = match replicas {
        Some(_) => condition(
            &old,
            "AbleToScale",
            true,
            "SucceededGetScale",
            "the HPA controller was able to get the target's current scale",
            moment,
            false,
        ),
        None => {
            let text = format!(
                "the HPA controller was unable to get the target's current scale: {} \"{}\" not found",
                crate::status::qualified(&resource.plural, &resource.group),
                text_at(&target, &["name"])
            );
            condition(&old, "AbleToScale", false, "FailedGetScale", &text, moment, false)
        }
    };
    status.insert("conditions", vec![able]);
    status.insert("currentMetrics", old.get("currentMetrics").cloned().unwrap_or_default());
    write_status(server, moment, object, Value::Map(status));
}
