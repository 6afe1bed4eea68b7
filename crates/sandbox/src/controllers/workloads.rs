//! Deployments and ReplicaSets.

use lockstep_object::{Map, Object, Value};

use super::{
    MANAGER,
    adoption::adopt,
    condition, controlled, create, create_pod, delete, delete_pod,
    events::{Event, tell},
    is_deleted, owner_reference, pods, update, write_status,
};
use crate::{
    build::{int_at, list_at, map, set_at, text_at},
    gotypes::template_hash,
    moment::Moment,
    server::Server,
};

const REVISION: &str = "deployment.kubernetes.io/revision";
const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
const MAXIMUM: &str = "deployment.kubernetes.io/max-replicas";
const SETS: &str = "apps/replicasets";

fn replicas(object: &Object) -> i64 {
    int_at(&object.to_value(), &["spec", "replicas"]).unwrap_or(1)
}

fn status_int(object: &Object, key: &str) -> i64 {
    int_at(&object.to_value(), &["status", key]).unwrap_or_default()
}

fn revision(object: &Object) -> i64 {
    object.annotation(REVISION).and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// Reads a number or a share of `total`; shares round up for surges and down for what may be missing.
fn share(value: Option<&Value>, total: i64, up: bool) -> i64 {
    match value {
        Some(Value::Int(number)) => *number,
        Some(Value::Text(text)) => {
            let percent: i64 = text.trim_end_matches('%').parse().unwrap_or_default();
            let product = total.saturating_mul(percent);
            if up { (product + 99) / 100 } else { product / 100 }
        }
        _ => 0,
    }
}

/// Rolls a Deployment out.
pub(super) fn deployment(server: &mut Server, moment: &mut Moment, object: &Object) {
    if is_deleted(object) {
        return;
    }
    adopt(server, moment, object, SETS);
    let template = object.at(&["spec", "template"]).cloned().unwrap_or_default();
    let hash = template_hash(&template);
    let sets = controlled(server, SETS, object);
    let paused = object.at(&["spec", "paused"]).and_then(Value::as_bool) == Some(true);
    let newest = sets.iter().find(|set| same_template(set, &template)).cloned();
    let newest = match newest {
        Some(set) => Some(set),
        None if paused => None,
        // Old pods end before new ones begin.
        None if is_recreate(object) && sets.iter().any(|set| replicas(set) > 0 || status_int(set, "replicas") > 0) => {
            for set in sets.iter().filter(|set| replicas(set) > 0) {
                scale(server, moment, set, 0, object);
            }
            None
        }
        None => new_set(server, moment, object, &template, &hash, &sets),
    };
    if let Some(newest) = &newest
        && !paused
    {
        number(server, moment, object, newest, &sets);
    }
    let Some(current) =
        server.store.get("apps/deployments", object.namespace(), object.name()).map(|one| one.object.clone())
    else {
        return;
    };
    let sets = controlled(server, SETS, &current);
    let newest = sets.iter().find(|set| same_template(set, &template)).cloned();
    if paused {
        if let Some(newest) = &newest {
            scale(server, moment, newest, replicas(&current), &current);
        }
    } else if let Some(newest) = &newest {
        roll(server, moment, &current, newest, &sets);
        clean_up(server, moment, &current, newest);
    }
    let sets = controlled(server, SETS, &current);
    status(server, moment, &current, newest.as_ref(), &sets, paused);
}

fn same_template(set: &Object, template: &Value) -> bool {
    let Some(Value::Map(mut own)) = set.at(&["spec", "template"]).cloned() else { return false };
    if let Some(Value::Map(labels)) = own.map_entry("metadata").get_mut("labels") {
        labels.remove("pod-template-hash");
    }
    let mut wanted = template.clone();
    if let Value::Map(map) = &mut wanted {
        map.map_entry("metadata");
    }
    Value::Map(own) == wanted
}

fn new_set(
    server: &mut Server,
    moment: &mut Moment,
    owner: &Object,
    template: &Value,
    hash: &str,
    sets: &[Object],
) -> Option<Object> {
    let mut template = template.clone();
    if let Value::Map(map) = &mut template {
        map.map_entry("metadata").map_entry("labels").insert("pod-template-hash", hash);
    }
    let mut selector = owner.at(&["spec", "selector"]).and_then(Value::as_map).cloned().unwrap_or_default();
    selector.map_entry("matchLabels").insert("pod-template-hash", hash);
    let highest = sets.iter().map(revision).max().unwrap_or_default();
    let old_total: i64 = sets.iter().map(replicas).sum();
    let (wanted, surge) = (replicas(owner), surge_of(owner));
    let start = (wanted + surge - old_total).clamp(0, wanted);
    let mut annotations = set_annotations(owner);
    annotations.insert(REVISION, (highest + 1).to_string());
    annotations.insert(DESIRED, wanted.to_string());
    annotations.insert(MAXIMUM, (wanted + surge).to_string());
    let metadata = map! {
        "name" => format!("{}-{hash}", owner.name()), "namespace" => owner.namespace(),
        "labels" => template.at(&["metadata", "labels"]).cloned().unwrap_or_default(),
        "annotations" => annotations, "ownerReferences" => vec![owner_reference(owner)],
    };
    let mut spec = map! { "replicas" => start, "selector" => selector, "template" => template };
    if let Some(seconds) = owner.at(&["spec", "minReadySeconds"]) {
        spec.insert("minReadySeconds", seconds.clone());
    }
    let set = map! { "apiVersion" => "apps/v1", "kind" => "ReplicaSet", "metadata" => metadata, "spec" => spec };
    let created = create(server, moment, SETS, Object::new(set))?;
    tell_of_scale(server, moment, owner, created.name(), 0, start);
    Some(created)
}

/// The annotations that a ReplicaSet takes over.
fn set_annotations(owner: &Object) -> Map {
    let mut annotations = owner.at(&["metadata", "annotations"]).and_then(Value::as_map).cloned().unwrap_or_default();
    let own = [
        REVISION,
        DESIRED,
        MAXIMUM,
        "kubectl.kubernetes.io/last-applied-configuration",
        "deployment.kubernetes.io/revision-history",
    ];
    annotations.retain(|key, _| !own.contains(&key.as_str()));
    annotations
}

/// Gives the newest set the highest revision, and the Deployment the same.
fn number(server: &mut Server, moment: &mut Moment, owner: &Object, newest: &Object, sets: &[Object]) {
    let others = sets.iter().filter(|set| set.name() != newest.name()).map(revision).max().unwrap_or_default();
    let mut wanted = revision(newest);
    if wanted <= others {
        wanted = others + 1;
        let mut set = newest.clone();
        set.set_annotation(REVISION, &wanted.to_string());
        update(server, moment, newest, set, "", MANAGER);
    }
    if revision(owner) != wanted {
        let mut new = owner.clone();
        new.set_annotation(REVISION, &wanted.to_string());
        // Through the status, as the real controller does: annotations would count as a change of the generation.
        update(server, moment, owner, new, "status", MANAGER);
    }
}

fn is_recreate(owner: &Object) -> bool {
    owner.str_at(&["spec", "strategy", "type"]) == "Recreate"
}

fn surge_of(owner: &Object) -> i64 {
    if is_recreate(owner) {
        return 0;
    }
    share(owner.at(&["spec", "strategy", "rollingUpdate", "maxSurge"]), replicas(owner), true)
}

fn scale(server: &mut Server, moment: &mut Moment, set: &Object, wanted: i64, owner: &Object) {
    let Some(set) = server.store.get(SETS, set.namespace(), set.name()).map(|one| one.object.clone()) else { return };
    let mut new = set.clone();
    set_at(new.root_mut(), &["spec", "replicas"], wanted);
    new.set_annotation(DESIRED, &replicas(owner).to_string());
    new.set_annotation(MAXIMUM, &(replicas(owner) + surge_of(owner)).to_string());
    update(server, moment, &set, new, "", MANAGER);
    tell_of_scale(server, moment, owner, set.name(), replicas(&set), wanted);
}

fn tell_of_scale(server: &mut Server, moment: &mut Moment, owner: &Object, set: &str, from: i64, to: i64) {
    if from == to {
        return;
    }
    let way = if from < to { "up" } else { "down" };
    let message = format!("Scaled {way} replica set {set} from {from} to {to}");
    tell(server, moment, owner, &Event::normal("deployment-controller", "ScalingReplicaSet", &message));
}

/// Moves replicas from old sets to the newest, as far as surge and availability allow.
fn roll(server: &mut Server, moment: &mut Moment, owner: &Object, newest: &Object, sets: &[Object]) {
    let old: Vec<&Object> = sets.iter().filter(|set| set.name() != newest.name()).collect();
    let wanted = replicas(owner);
    if is_recreate(owner) {
        for set in &old {
            if replicas(set) > 0 {
                scale(server, moment, set, 0, owner);
            }
        }
        if old.iter().all(|set| status_int(set, "replicas") == 0 && replicas(set) == 0) {
            scale(server, moment, newest, wanted, owner);
        }
        return;
    }
    let surge = surge_of(owner);
    let mut missing = share(owner.at(&["spec", "strategy", "rollingUpdate", "maxUnavailable"]), wanted, false);
    if surge == 0 && missing == 0 {
        missing = 1;
    }
    let old_total: i64 = old.iter().map(|set| replicas(set)).sum();
    let target = (wanted + surge - old_total).max(replicas(newest).min(wanted)).min(wanted);
    let target = if replicas(newest) > wanted { wanted } else { target };
    scale(server, moment, newest, target, owner);
    // What is not available of the old ones may go at once; what is, only if enough others are.
    let available: i64 = sets.iter().map(|set| status_int(set, "availableReplicas")).sum();
    let mut spare = (available - (wanted - missing)).max(0);
    let mut sorted = old.clone();
    sorted.sort_by_key(|set| revision(set));
    for set in sorted {
        let (have, ready) = (replicas(set), status_int(set, "availableReplicas"));
        let unready = (have - ready).max(0);
        let cut = unready + spare.min(have - unready);
        if cut > 0 {
            spare -= (cut - unready).max(0);
            scale(server, moment, set, have - cut, owner);
        }
    }
}

/// Forgets old sets beyond the history limit.
fn clean_up(server: &mut Server, moment: &mut Moment, owner: &Object, newest: &Object) {
    let limit = int_at(&owner.to_value(), &["spec", "revisionHistoryLimit"]).unwrap_or(10);
    let mut old: Vec<Object> = controlled(server, SETS, owner)
        .into_iter()
        .filter(|set| {
            set.name() != newest.name() && replicas(set) == 0 && status_int(set, "replicas") == 0 && !is_deleted(set)
        })
        .collect();
    old.sort_by_key(revision);
    let excess = old.len().saturating_sub(usize::try_from(limit).unwrap_or_default());
    for set in old.into_iter().take(excess) {
        delete(server, moment, &set);
    }
}

fn status(
    server: &mut Server,
    moment: &mut Moment,
    owner: &Object,
    newest: Option<&Object>,
    sets: &[Object],
    paused: bool,
) {
    let sum = |key: &str| -> i64 { sets.iter().map(|set| status_int(set, key)).sum() };
    let newest = newest.and_then(|newest| sets.iter().find(|set| set.name() == newest.name()));
    let wanted = replicas(owner);
    let (total, ready, available) = (sum("replicas"), sum("readyReplicas"), sum("availableReplicas"));
    let updated = newest.map(|set| status_int(set, "replicas")).unwrap_or_default();
    let old = owner.root().get("status").cloned().unwrap_or_default();
    let mut status = Map::new();
    status.insert("observedGeneration", int_at(&owner.to_value(), &["metadata", "generation"]).unwrap_or_default());
    for (key, value) in [
        ("replicas", total),
        ("updatedReplicas", updated),
        ("readyReplicas", ready),
        ("availableReplicas", available),
        ("unavailableReplicas", (total.max(wanted) - available).max(0)),
    ] {
        if value > 0 {
            status.insert(key, value);
        }
    }
    status.insert("terminatingReplicas", 0);
    let missing = share(owner.at(&["spec", "strategy", "rollingUpdate", "maxUnavailable"]), wanted, false);
    let enough = available >= wanted - missing;
    let (reason, text) = if enough {
        ("MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
        ("MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    };
    let mut conditions: Vec<Value> = Vec::new();
    let available_condition = condition(&old, "Available", enough, reason, text, moment, true);
    let complete = updated == wanted && total == wanted && available == wanted && newest.is_some();
    let progress = progress(&old, owner, newest, complete, paused, moment, total, available);
    let first_progress =
        list_at(&old, &["conditions"]).first().is_some_and(|one| text_at(one, &["type"]) == "Progressing");
    match (first_progress, progress) {
        (true, Some(progress)) => conditions.extend([progress, available_condition]),
        (_, Some(progress)) => conditions.extend([available_condition, progress]),
        (_, None) => conditions.push(available_condition),
    }
    status.insert("conditions", conditions);
    write_status(server, moment, owner, Value::Map(status));
    if !complete && !paused {
        let deadline = int_at(&owner.to_value(), &["spec", "progressDeadlineSeconds"]).unwrap_or(600);
        let delay = std::time::Duration::from_secs(u64::try_from(deadline).unwrap_or(600) + 1);
        super::later(server, moment, delay, owner, "apps/deployments");
    }
}

#[expect(clippy::too_many_arguments, reason = "the facts that one condition is made of")]
fn progress(
    old: &Value,
    owner: &Object,
    newest: Option<&Object>,
    complete: bool,
    paused: bool,
    moment: &Moment,
    total: i64,
    available: i64,
) -> Option<Value> {
    let known = list_at(old, &["conditions"]).iter().find(|one| text_at(one, &["type"]) == "Progressing").cloned();
    if paused {
        let text = "Deployment is paused";
        let already = known.as_ref().is_some_and(|one| text_at(one, &["reason"]) == "DeploymentPaused");
        let mut made = condition(old, "Progressing", true, "DeploymentPaused", text, moment, true);
        if let (Value::Map(made), false) = (&mut made, already) {
            made.insert("status", "Unknown");
            made.insert("lastTransitionTime", moment.seconds());
        } else if let Some(known) = known {
            return Some(known);
        }
        return Some(made);
    }
    let name = newest.map(Object::name).unwrap_or_default();
    if complete {
        let text = format!("ReplicaSet \"{name}\" has successfully progressed.");
        return Some(condition(old, "Progressing", true, "NewReplicaSetAvailable", &text, moment, true));
    }
    let deadline = int_at(&owner.to_value(), &["spec", "progressDeadlineSeconds"]).unwrap_or(600);
    let moved = total != int_at(old, &["replicas"]).unwrap_or_default()
        || available > int_at(old, &["availableReplicas"]).unwrap_or_default();
    let since = known.as_ref().and_then(|one| text_at(one, &["lastUpdateTime"]).parse::<jiff::Timestamp>().ok());
    let late = since.is_some_and(|since| moment.now().as_second() - since.as_second() >= deadline);
    let exceeded = known.as_ref().is_some_and(|one| text_at(one, &["reason"]) == "ProgressDeadlineExceeded");
    let of_newest = known.as_ref().is_some_and(|one| text_at(one, &["message"]).contains(name));
    if of_newest && !moved && (late || exceeded) && !name.is_empty() {
        let text = format!("ReplicaSet \"{name}\" has timed out progressing.");
        return Some(condition(old, "Progressing", false, "ProgressDeadlineExceeded", &text, moment, true));
    }
    let (reason, text) = match &known {
        None => ("NewReplicaSetCreated", format!("Created new replica set \"{name}\"")),
        Some(_) => ("ReplicaSetUpdated", format!("ReplicaSet \"{name}\" is progressing.")),
    };
    Some(condition(old, "Progressing", true, reason, &text, moment, true))
}

/// Keeps as many pods as a ReplicaSet wants.
pub(super) fn replica_set(server: &mut Server, moment: &mut Moment, object: &Object) {
    adopt(server, moment, object, "/pods");
    let mut pods: Vec<Object> = controlled(server, "/pods", object)
        .into_iter()
        .filter(|pod| !is_deleted(pod) && !matches!(pod.str_at(&["status", "phase"]), "Succeeded" | "Failed"))
        .collect();
    let wanted = usize::try_from(replicas(object)).unwrap_or_default();
    if !is_deleted(object) {
        let template = object.at(&["spec", "template"]).cloned().unwrap_or_default();
        for _ in pods.len()..wanted {
            let pod = pods::of_template(&template, object, &format!("{}-", object.name()));
            match create_pod(server, moment, object, pod) {
                Some(pod) => pods.push(pod),
                None => break,
            }
        }
        if pods.len() > wanted {
            pods.sort_by_key(pods::is_ready);
            let excess = pods.len() - wanted;
            for pod in pods.drain(..excess) {
                delete_pod(server, moment, object, &pod);
            }
        }
    }
    let ready = i64::try_from(pods.iter().filter(|pod| pods::is_ready(pod)).count()).unwrap_or_default();
    let available = pods::count_available(server, moment, &pods, object, SETS);
    let total = i64::try_from(pods.len()).unwrap_or_default();
    let mut status = map! { "replicas" => total };
    if total > 0 {
        status.insert("fullyLabeledReplicas", total);
    }
    if ready > 0 {
        status.insert("readyReplicas", ready);
    }
    if available > 0 {
        status.insert("availableReplicas", available);
    }
    status.insert("terminatingReplicas", 0);
    status.insert("observedGeneration", int_at(&object.to_value(), &["metadata", "generation"]).unwrap_or_default());
    write_status(server, moment, object, Value::Map(status));
}
