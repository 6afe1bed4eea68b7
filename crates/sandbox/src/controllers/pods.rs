//! Pods: a scheduler that takes the first node, and kubelets that pretend.

use lockstep_object::{Map, Object, Value};

use super::{KUBELET, is_deleted, later, update};
use crate::{
    build::{list_at, map, set_at, text_at},
    moment::Moment,
    server::Server,
    subresources::set_condition,
};

/// Makes a pod fail with this reason, on the pod template of its workload.
const FAIL: &str = "sandbox.lockstep.dev/fail";
/// The tags that exist, comma-separated; pods with others cannot pull their image.
const TAGS: &str = "sandbox.lockstep.dev/known-tags";
const STORE: &str = "/pods";

/// Moves a pod on.
pub(super) fn pod(server: &mut Server, moment: &mut Moment, object: &Object) {
    if is_deleted(object) {
        // The node lets go at once: nothing runs that would need time to end.
        if list_at(&object.to_value(), &["metadata", "finalizers"]).is_empty() {
            server.store.remove(&STORE.into(), object.namespace(), object.name());
        } else {
            let mut new = object.clone();
            set_at(new.root_mut(), &["metadata", "deletionGracePeriodSeconds"], 0);
            update(server, moment, object, new, "", KUBELET);
        }
        return;
    }
    let node = object.str_at(&["spec", "nodeName"]);
    if node.is_empty() {
        schedule(server, moment, object);
        return;
    }
    if object.str_at(&["status", "phase"]) != "Pending" || server.store.get("/nodes", "", node).is_none() {
        return;
    }
    if let Some(reason) = failure(object) {
        set_waiting(server, moment, object, &reason);
        return;
    }
    let delay = server.settings.kubelet_delay;
    let created = object.str_at(&["metadata", "creationTimestamp"]).to_owned();
    let started = object.annotation("sandbox.lockstep.dev/started").map(str::to_owned).unwrap_or(created);
    let due = started
        .parse::<jiff::Timestamp>()
        .ok()
        .and_then(|then| then.checked_add(jiff::SignedDuration::try_from(delay).ok()?).ok());
    match due {
        // Creation times have whole seconds; the delay counts from when the node first saw the pod.
        Some(due) if due > moment.now() && !delay.is_zero() => {
            later(server, moment, delay.min(std::time::Duration::from_millis(200)), object, STORE)
        }
        _ => run(server, moment, object),
    }
}

fn schedule(server: &mut Server, moment: &mut Moment, object: &Object) {
    if !server.settings.scheduler {
        return;
    }
    let node = server
        .store
        .bucket("/nodes")
        .and_then(|bucket| bucket.range(None).next())
        .map(|(name, _)| name.name.to_string());
    let Some(node) = node else { return };
    let mut new = object.clone();
    set_at(new.root_mut(), &["spec", "nodeName"], node);
    let time = moment.seconds();
    set_condition(&mut new, "PodScheduled", "True", &time);
    server.store.put(&STORE.into(), new);
}

/// Says why a pod shall fail.
fn failure(object: &Object) -> Option<String> {
    if let Some(reason) = object.annotation(FAIL).filter(|reason| !reason.is_empty()) {
        return Some(reason.to_owned());
    }
    let known: Vec<&str> = object.annotation(TAGS)?.split(',').map(str::trim).collect();
    let value = object.to_value();
    let missing = list_at(&value, &["spec", "containers"]).iter().any(|container| {
        let image = text_at(container, &["image"]);
        let last = image.rsplit('/').next().unwrap_or(image);
        let tag = last.rsplit_once(':').map_or("latest", |(_, tag)| tag);
        !known.contains(&tag)
    });
    missing.then(|| "ImagePullBackOff".to_owned())
}

fn container_status(container: &Value, ready: bool, state: Map) -> Value {
    let name = text_at(container, &["name"]);
    Value::Map(map! {
        "name" => name, "state" => state, "lastState" => Map::new(), "ready" => ready, "restartCount" => 0,
        "image" => text_at(container, &["image"]), "imageID" => "", "started" => ready,
    })
}

fn set_waiting(server: &mut Server, moment: &mut Moment, object: &Object, reason: &str) {
    let mut new = object.clone();
    let time = moment.seconds();
    let value = object.to_value();
    let statuses: Vec<Value> = list_at(&value, &["spec", "containers"])
        .iter()
        .map(|container| {
            let message = format!("simulated failure of image \"{}\"", text_at(container, &["image"]));
            container_status(container, false, map! { "waiting" => map! { "reason" => reason, "message" => message } })
        })
        .collect();
    set_at(new.root_mut(), &["status", "containerStatuses"], statuses);
    for (kind, truth) in
        [("Initialized", "True"), ("Ready", "False"), ("ContainersReady", "False"), ("PodScheduled", "True")]
    {
        set_condition(&mut new, kind, truth, &time);
    }
    update(server, moment, object, new, "status", KUBELET);
}

fn is_of_job(object: &Object) -> bool {
    let owners = object.to_value();
    list_at(&owners, &["metadata", "ownerReferences"]).iter().any(|owner| text_at(owner, &["kind"]) == "Job")
}

fn run(server: &mut Server, moment: &mut Moment, object: &Object) {
    let done = is_of_job(object);
    let mut new = object.clone();
    let time = moment.seconds();
    let value = object.to_value();
    let statuses: Vec<Value> = list_at(&value, &["spec", "containers"])
        .iter()
        .map(|container| {
            if done {
                let end = map! { "exitCode" => 0, "reason" => "Completed", "startedAt" => time.as_str(), "finishedAt" => time.as_str() };
                container_status(container, false, map! { "terminated" => end })
            } else {
                container_status(container, true, map! { "running" => map! { "startedAt" => time.as_str() } })
            }
        })
        .collect();
    let number = moment.draw() % 65_000 + 2;
    let address = format!("10.244.{}.{}", number / 256, number % 256);
    let status = new.root_mut().map_entry("status");
    status.insert("phase", if done { "Succeeded" } else { "Running" });
    status.insert("containerStatuses", statuses);
    status.insert("hostIP", "10.0.0.1");
    status.insert("hostIPs", vec![Value::Map(map! { "ip" => "10.0.0.1" })]);
    status.insert("podIP", address.as_str());
    status.insert("podIPs", vec![Value::Map(map! { "ip" => address.as_str() })]);
    status.insert("startTime", time.as_str());
    let ready = if done { "False" } else { "True" };
    for (kind, truth) in
        [("Initialized", "True"), ("Ready", ready), ("ContainersReady", ready), ("PodScheduled", "True")]
    {
        set_condition(&mut new, kind, truth, &time);
    }
    update(server, moment, object, new, "status", KUBELET);
}

/// Tells whether a pod is ready.
pub(super) fn is_ready(pod: &Object) -> bool {
    !is_deleted(pod)
        && list_at(&pod.to_value(), &["status", "conditions"])
            .iter()
            .any(|one| text_at(one, &["type"]) == "Ready" && text_at(one, &["status"]) == "True")
}

/// Builds a pod from a template.
pub(super) fn of_template(template: &Value, owner: &Object, generate: &str) -> Object {
    let mut metadata = map! { "generateName" => generate, "namespace" => owner.namespace() };
    for key in ["labels", "annotations", "finalizers"] {
        if let Some(value) = template.at(&["metadata", key]) {
            metadata.insert(key, value.clone());
        }
    }
    metadata.insert("ownerReferences", vec![super::owner_reference(owner)]);
    let spec = template.get("spec").cloned().unwrap_or_default();
    Object::new(map! { "apiVersion" => "v1", "kind" => "Pod", "metadata" => metadata, "spec" => spec })
}
