//! Pods: a scheduler that takes the first node, and kubelets that pretend.

use lockstep_object::{Map, Object, Value};

use super::{
    KUBELET,
    events::{Event, tell},
    is_deleted, later, update,
};
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
const SCHEDULER: &str = "default-scheduler";

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
        _ => match failure(server, object) {
            Some(reason) if is_of_job(object) => end(server, moment, object, Some(&reason)),
            Some(reason) => set_waiting(server, moment, object, &reason),
            None if is_of_job(object) => end(server, moment, object, None),
            None => run(server, moment, object),
        },
    }
}

/// Gives a pod to the first node that it fits on.
fn schedule(server: &mut Server, moment: &mut Moment, object: &Object) {
    let scheduler = object.str_at(&["spec", "schedulerName"]);
    if !server.settings.scheduler || !matches!(scheduler, "" | SCHEDULER) {
        return;
    }
    let value = object.to_value();
    let wanted = value.get("spec").and_then(wanted_node);
    let nodes = server.store.bucket("/nodes");
    let found = nodes
        .and_then(|nodes| {
            let mut nodes = nodes.range(None);
            nodes.find(|(name, node)| wanted.is_none_or(|wanted| *name.name == *wanted) && fits(&value, &node.object))
        })
        .map(|(name, _)| name.name.to_string());
    let time = moment.seconds();
    let mut new = object.clone();
    let Some(node) = found else {
        let total = server.store.bucket("/nodes").map_or(0, crate::store::Bucket::len);
        let text = format!("0/{total} nodes are available: {total} node(s) didn't match Pod's node affinity/selector.");
        let mut conditions = list_at(&value, &["status", "conditions"]).to_vec();
        if conditions.is_empty() {
            conditions.push(Value::Map(map! {
                "type" => "PodScheduled", "status" => "False", "lastProbeTime" => Value::Null,
                "lastTransitionTime" => time, "reason" => "Unschedulable", "message" => text.as_str(),
            }));
            set_at(new.root_mut(), &["status", "conditions"], conditions);
            update(server, moment, object, new, "status", "kube-scheduler");
            tell(server, moment, object, &Event::warning(SCHEDULER, "FailedScheduling", &text));
        }
        return;
    };
    let message = format!("Successfully assigned {}/{} to {node}", object.namespace(), object.name());
    set_at(new.root_mut(), &["spec", "nodeName"], node);
    set_condition(&mut new, "PodScheduled", "True", &time);
    server.store.put(&STORE.into(), new);
    tell(server, moment, object, &Event::normal(SCHEDULER, "Scheduled", &message));
}

/// Returns the node that a pod of a DaemonSet is made for.
fn wanted_node(spec: &Value) -> Option<&str> {
    let terms = list_at(
        spec,
        &["affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms"],
    );
    let fields = terms.iter().flat_map(|term| list_at(term, &["matchFields"]));
    let named = fields.into_iter().find(|field| text_at(field, &["key"]) == "metadata.name")?;
    list_at(named, &["values"]).first()?.as_str()
}

/// Returns the node that a pod is on, or is made for.
pub(super) fn node_of(pod: &Object) -> Option<&str> {
    match pod.str_at(&["spec", "nodeName"]) {
        "" => pod.root().get("spec").and_then(wanted_node),
        node => Some(node),
    }
}

/// Tells whether a pod or template may run on a node, by its node selector.
pub(super) fn fits(pod: &Value, node: &Object) -> bool {
    let selector = pod.at(&["spec", "nodeSelector"]).and_then(Value::as_map);
    selector.is_none_or(|selector| selector.iter().all(|(key, value)| node.label(key) == value.as_str()))
}

/// Says why a pod shall fail: by its own annotation, or one of what controls it.
fn failure(server: &Server, object: &Object) -> Option<String> {
    let mut one = Some(object.clone());
    // Pod, ReplicaSet, Deployment; or Pod, Job, CronJob.
    for _ in 0..3 {
        let Some(current) = one else { break };
        if let Some(reason) = current.annotation(FAIL).filter(|reason| !reason.is_empty()) {
            return Some(reason.to_owned());
        }
        one = super::adoption::owner(server, &current);
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
    let known = object.at(&["status", "containerStatuses"]) == new.at(&["status", "containerStatuses"]);
    update(server, moment, object, new, "status", KUBELET);
    if known {
        return;
    }
    for_containers(server, moment, object, |image| {
        let pulls = matches!(reason, "ImagePullBackOff" | "ErrImagePull");
        let back_off = if pulls { format!("Back-off pulling image \"{image}\"") } else { format!("Error: {reason}") };
        vec![(if pulls { "BackOff" } else { "Failed" }, true, back_off)]
    });
}

/// Tells something of each container, by its image: reason, whether it is a warning, message.
fn for_containers(
    server: &mut Server,
    moment: &mut Moment,
    pod: &Object,
    say: impl Fn(&str) -> Vec<(&'static str, bool, String)>,
) {
    for container in list_at(&pod.to_value(), &["spec", "containers"]) {
        let field = format!("spec.containers{{{}}}", text_at(container, &["name"]));
        for (reason, warning, message) in say(text_at(container, &["image"])) {
            let event = Event { component: KUBELET, field: &field, warning, reason, message: &message };
            tell(server, moment, pod, &event);
        }
    }
}

fn is_of_job(object: &Object) -> bool {
    let owners = object.to_value();
    list_at(&owners, &["metadata", "ownerReferences"]).iter().any(|owner| text_at(owner, &["kind"]) == "Job")
}

fn run(server: &mut Server, moment: &mut Moment, object: &Object) {
    let time = moment.seconds();
    let statuses = statuses(object, |container| {
        container_status(container, true, map! { "running" => map! { "startedAt" => time.as_str() } })
    });
    start(server, moment, object, "Running", statuses);
}

/// Ends a pod of a Job: well, or for a reason.
fn end(server: &mut Server, moment: &mut Moment, object: &Object, failure: Option<&str>) {
    let time = moment.seconds();
    let statuses = statuses(object, |container| {
        let end = map! {
            "exitCode" => i64::from(failure.is_some()), "reason" => failure.unwrap_or("Completed"),
            "startedAt" => time.as_str(), "finishedAt" => time.as_str(),
        };
        container_status(container, false, map! { "terminated" => end })
    });
    start(server, moment, object, if failure.is_some() { "Failed" } else { "Succeeded" }, statuses);
}

fn statuses(object: &Object, make: impl Fn(&Value) -> Value) -> Vec<Value> {
    list_at(&object.to_value(), &["spec", "containers"]).iter().map(make).collect()
}

/// Gives a pod its address and the status of its containers.
fn start(server: &mut Server, moment: &mut Moment, object: &Object, phase: &str, statuses: Vec<Value>) {
    let mut new = object.clone();
    let time = moment.seconds();
    let number = moment.draw() % 65_000 + 2;
    let address = format!("10.244.{}.{}", number / 256, number % 256);
    let status = new.root_mut().map_entry("status");
    status.insert("phase", phase);
    status.insert("containerStatuses", statuses);
    status.insert("hostIP", "10.0.0.1");
    status.insert("hostIPs", vec![Value::Map(map! { "ip" => "10.0.0.1" })]);
    status.insert("podIP", address.as_str());
    status.insert("podIPs", vec![Value::Map(map! { "ip" => address.as_str() })]);
    status.insert("startTime", time.as_str());
    let ready = if phase == "Running" { "True" } else { "False" };
    for (kind, truth) in
        [("Initialized", "True"), ("Ready", ready), ("ContainersReady", ready), ("PodScheduled", "True")]
    {
        set_condition(&mut new, kind, truth, &time);
    }
    update(server, moment, object, new, "status", KUBELET);
    for_containers(server, moment, object, |image| {
        let present = format!("Container image \"{image}\" already present on machine");
        let (created, started) = ("Container created".to_owned(), "Container started".to_owned());
        vec![("Pulled", false, present), ("Created", false, created), ("Started", false, started)]
    });
}

/// Counts the pods that have been ready for the owner's `minReadySeconds`; asks to be called when more will be.
pub(super) fn count_available(
    server: &mut Server,
    moment: &Moment,
    pods: &[Object],
    owner: &Object,
    store: &str,
) -> i64 {
    let least = owner.at(&["spec", "minReadySeconds"]).and_then(Value::as_i64).unwrap_or_default();
    let mut available = 0;
    for pod in pods.iter().filter(|pod| is_ready(pod)) {
        let value = pod.to_value();
        let since = list_at(&value, &["status", "conditions"])
            .iter()
            .find(|one| text_at(one, &["type"]) == "Ready")
            .and_then(|one| text_at(one, &["lastTransitionTime"]).parse::<jiff::Timestamp>().ok());
        let rest = since.map_or(0, |since| since.as_second() + least - moment.now().as_second());
        if least == 0 || rest <= 0 {
            available += 1;
        } else {
            later(server, moment, std::time::Duration::from_secs(rest.unsigned_abs()), owner, store);
        }
    }
    available
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
