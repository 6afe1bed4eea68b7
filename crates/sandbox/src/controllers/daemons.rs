//! DaemonSets: a pod on every node.

use lockstep_object::{Map, Object, Value};

use super::{
    adoption::adopt,
    controlled, create_pod, delete_pod, is_deleted, pods,
    revisions::{self, HASH},
    write_status,
};
use crate::{
    build::{int_at, list_at, map, texts},
    moment::Moment,
    server::Server,
};

/// The annotation that counts the templates of a DaemonSet.
const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";
/// What the pods of a DaemonSet tolerate on their nodes: key and effect.
const TOLERATED: [(&str, &str); 6] = [
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
];

/// Keeps a pod of a DaemonSet on every node that its template may run on.
pub(super) fn daemon_set(server: &mut Server, moment: &mut Moment, object: &Object) {
    if is_deleted(object) {
        return;
    }
    adopt(server, moment, object, "/pods");
    let hash = revisions::keep(server, moment, object);
    let template = object.at(&["spec", "template"]).cloned().unwrap_or_default();
    let bucket = server.store.bucket("/nodes").into_iter().flat_map(|bucket| bucket.range(None));
    let nodes: Vec<String> =
        bucket.filter(|(_, node)| pods::fits(&template, &node.object)).map(|(name, _)| name.name.to_string()).collect();
    let pods = controlled(server, "/pods", object);
    let all_ready = pods.iter().all(pods::is_ready);
    let replaces = object.str_at(&["spec", "updateStrategy", "type"]) != "OnDelete";
    for node in &nodes {
        match pods.iter().find(|pod| pods::node_of(pod) == Some(node.as_str())) {
            None => pod_of(server, moment, object, &template, node, &hash),
            Some(pod) if pod.label(HASH) != Some(&hash) && !is_deleted(pod) && all_ready && replaces => {
                delete_pod(server, moment, object, pod);
                break;
            }
            Some(_) => {}
        }
    }
    for pod in pods.iter().filter(|pod| !pods::node_of(pod).is_some_and(|node| nodes.iter().any(|one| one == node))) {
        delete_pod(server, moment, object, pod);
    }
    status(server, moment, object, &hash, nodes.len());
}

fn pod_of(server: &mut Server, moment: &mut Moment, owner: &Object, template: &Value, node: &str, hash: &str) {
    let mut pod = pods::of_template(template, owner, &format!("{}-", owner.name()));
    pod.set_label(HASH, hash);
    pod.set_label("pod-template-generation", owner.annotation(TEMPLATE_GENERATION).unwrap_or("1"));
    let spec = pod.root_mut().map_entry("spec");
    let field = map! { "key" => "metadata.name", "operator" => "In", "values" => texts([node]) };
    let required = spec
        .map_entry("affinity")
        .map_entry("nodeAffinity")
        .map_entry("requiredDuringSchedulingIgnoredDuringExecution");
    required.insert("nodeSelectorTerms", vec![Value::Map(map! { "matchFields" => vec![Value::Map(field)] })]);
    let mut tolerations = spec.get("tolerations").map(|value| list_at(value, &[]).to_vec()).unwrap_or_default();
    for (key, effect) in TOLERATED {
        tolerations.push(Value::Map(map! { "key" => key, "operator" => "Exists", "effect" => effect }));
    }
    spec.insert("tolerations", tolerations);
    create_pod(server, moment, owner, pod);
}

fn status(server: &mut Server, moment: &mut Moment, object: &Object, hash: &str, wanted: usize) {
    let pods: Vec<Object> = controlled(server, "/pods", object).into_iter().filter(|pod| !is_deleted(pod)).collect();
    let number = |count: usize| i64::try_from(count).unwrap_or_default();
    let wanted = number(wanted);
    let ready = number(pods.iter().filter(|pod| pods::is_ready(pod)).count());
    let updated = number(pods.iter().filter(|pod| pod.label(HASH) == Some(hash)).count());
    let available = pods::count_available(server, moment, &pods, object, "apps/daemonsets");
    let generation = int_at(&object.to_value(), &["metadata", "generation"]).unwrap_or_default();
    let mut status: Map = map! {
        "currentNumberScheduled" => number(pods.len()), "numberMisscheduled" => 0, "desiredNumberScheduled" => wanted,
        "numberReady" => ready, "observedGeneration" => generation,
    };
    for (key, value) in [
        ("updatedNumberScheduled", updated),
        ("numberAvailable", available),
        ("numberUnavailable", (wanted - available).max(0)),
    ] {
        if value > 0 {
            status.insert(key, value);
        }
    }
    write_status(server, moment, object, Value::Map(status));
}
