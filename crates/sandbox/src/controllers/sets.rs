//! StatefulSets.

use lockstep_object::{Map, Object, Value};

use super::{
    adoption::adopt,
    controlled, create, create_pod, delete_pod, is_deleted, pods,
    revisions::{self, HASH},
    write_status,
};
use crate::{
    build::{int_at, list_at, map, text_at},
    moment::Moment,
    server::Server,
};

fn generation(object: &Object) -> i64 {
    int_at(&object.to_value(), &["metadata", "generation"]).unwrap_or_default()
}

fn count(pods: &[Object], wanted: impl Fn(&Object) -> bool) -> i64 {
    i64::try_from(pods.iter().filter(|pod| wanted(pod)).count()).unwrap_or_default()
}

/// Keeps the numbered pods of a StatefulSet.
pub(super) fn stateful_set(server: &mut Server, moment: &mut Moment, object: &Object) {
    if is_deleted(object) {
        return;
    }
    adopt(server, moment, object, "/pods");
    let hash = revisions::keep(server, moment, object);
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
        delete_pod(server, moment, object, pod);
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
            delete_pod(server, moment, object, pod);
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
    create_pod(server, moment, owner, pod);
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
    let available = pods::count_available(server, moment, &pods, object, "apps/statefulsets");
    status.insert("availableReplicas", available);
    write_status(server, moment, object, Value::Map(status));
}
