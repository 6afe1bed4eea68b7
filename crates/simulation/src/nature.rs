//! What happens in the cluster without the operator: controllers, and people who change things by hand.

use lockstep_object::{Object, ObjectKey, Value as Stored};
use serde_json::{Value, json};

use crate::{
    cluster::is_well,
    scene::NAMESPACE,
    world::{What, World},
};

impl World {
    /// An object was written: whoever watches its kind hears of it, and its controller begins to work.
    pub(crate) fn stored(&mut self, key: &ObjectKey) {
        self.read_soon(&key.gk(), false);
        let Some(truth) = self.cluster.truth.get(key) else { return };
        let object = &truth.object;
        let kinds = ["Deployment", "StatefulSet", "Job", "PersistentVolumeClaim"];
        if is_well(truth.status) && !is_deleting(object) || !kinds.contains(&key.kind.as_str()) {
            if is_deleting(object) {
                self.controllers_later(key);
            }
            return;
        }
        self.controllers_later(key);
    }

    fn controllers_later(&mut self, key: &ObjectKey) {
        let Some(truth) = self.cluster.truth.get(key) else { return };
        let uid = truth.object.str_at(&["metadata", "uid"]).to_owned();
        let generation = generation(&truth.object);
        let sick = self.limits.faults.sickness && !self.calm;
        let delay = match self.dice.health.u8(..20) {
            // It is well when the faults have ended.
            0 if sick => return,
            1 | 2 if sick => self.dice.health.i64(30_000..600_000),
            _ => self.dice.health.i64(50..20_000),
        };
        self.after(delay, What::Controllers { key: key.clone(), uid, generation });
    }

    /// Moves an object on, if it is still the one that was seen.
    pub(crate) fn controllers(&mut self, key: &ObjectKey, uid: &str, seen: i64) {
        let Some(truth) = self.cluster.truth.get(key) else { return };
        let object = truth.object.clone();
        if object.str_at(&["metadata", "uid"]) != uid || generation(&object) != seen {
            return;
        }
        if is_deleting(&object) {
            self.let_go(key);
            return;
        }
        if is_well(truth.status) || is_finished(&object) {
            return;
        }
        let failing = self.limits.faults.sickness && !self.calm && self.dice.health.u8(..6) == 0;
        let status = status_of(&object, failing);
        let word = if failing { "fails" } else { "becomes well" };
        self.tell("cluster", || format!("{key} {word}"));
        if let Err(error) = self.cluster.merge(key, "/status", &json!({"status": status}), "kube-controller-manager") {
            self.promises.broken_by(format!("the world is wrong: {key}: {error}"));
        }
        self.read_soon(&key.gk(), false);
    }

    /// Whoever holds a deleted object with a finalizer lets go of it.
    pub(crate) fn let_go(&mut self, key: &ObjectKey) {
        let held =
            self.cluster.truth.get(key).is_some_and(|truth| {
                is_deleting(&truth.object) && truth.object.at(&["metadata", "finalizers"]).is_some()
            });
        if held {
            self.tell("cluster", || format!("{key} is let go"));
            let patch = json!({"metadata": {"finalizers": null}});
            if let Err(error) = self.cluster.merge(key, "", &patch, "somebody") {
                self.promises.broken_by(format!("the world is wrong: {key}: {error}"));
            }
            self.read_soon(&key.gk(), false);
        }
    }

    /// The faults have ended: what is not well gets well.
    pub(crate) fn heal(&mut self) {
        let ill = self.cluster.truth.iter().filter(|(_, truth)| !is_well(truth.status));
        let ill: Vec<ObjectKey> = ill.map(|(key, _)| key.clone()).collect();
        ill.iter().for_each(|key| self.controllers_later(key));
    }

    /// Somebody changes the cluster by hand.
    pub(crate) fn meddle(&mut self) {
        let managed =
            self.cluster.truth.iter().filter(|(_, truth)| truth.object.label(lockstep_api::APP_LABEL).is_some());
        let managed: Vec<ObjectKey> = managed.map(|(key, _)| key.clone()).collect();
        let draw = self.dice.meddler.u8(..10);
        let place = self.dice.meddler.usize(..managed.len().max(1));
        if let Some(key) = managed.get(place) {
            self.promises.excuse(key);
        }
        match managed.get(place) {
            _ if draw == 0 => self.add_foreign(),
            None => self.add_foreign(),
            Some(key) if draw < 4 => {
                self.tell("meddler", || format!("deletes {key}"));
                if let Err(problem) = self.cluster.delete(key, None) {
                    self.promises.broken_by(format!("the world is wrong: {key}: {}", problem.message));
                }
                self.stored(key);
            }
            Some(key) => self.edit(key, draw),
        }
    }

    fn edit(&mut self, key: &ObjectKey, draw: u8) {
        let (words, patch) = match draw {
            4 => ("adds a finalizer to", json!({"metadata": {"finalizers": ["example.com/held"]}})),
            5 => ("takes our label from", json!({"metadata": {"labels": {"lockstep.dev/app": null}}})),
            6 => ("annotates", json!({"metadata": {"annotations": {"example.com/note": self.now.to_string()}}})),
            _ => ("edits", fields_of(key, self.dice.meddler.u32(1..9))),
        };
        let by_apply = draw == 9;
        self.tell("meddler", || format!("{words} {key}{}", if by_apply { " by an apply" } else { "" }));
        let result = if by_apply {
            let mut body = patch;
            body["apiVersion"] = api_version(key).into();
            body["kind"] = key.kind.as_str().into();
            body["metadata"] = json!({"name": key.name.as_str(), "namespace": NAMESPACE});
            let result = self.cluster.apply(key, body.to_string().as_bytes(), "other");
            result.map(|_| ()).map_err(|problem| problem.message)
        } else {
            self.cluster.merge(key, "", &patch, "kubectl-edit")
        };
        match result {
            Ok(()) => self.stored(key),
            Err(error) => self.tell("meddler", || format!("is refused: {error}")),
        }
    }

    /// Adds an object that is nobody's business.
    fn add_foreign(&mut self) {
        let name = format!("foreign{}", self.foreign.len());
        self.tell("meddler", || format!("makes ConfigMap {name}"));
        let body = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "b"}});
        self.cluster.create(&body);
        let key = ObjectKey::new("", "ConfigMap", NAMESPACE, &name);
        let version = self.cluster.truth.get(&key).map(|truth| truth.object.str_at(&["metadata", "resourceVersion"]));
        self.foreign.insert(key, version.unwrap_or_default().to_owned());
    }
}

fn is_deleting(object: &Object) -> bool {
    object.at(&["metadata", "deletionTimestamp"]).is_some()
}

fn generation(object: &Object) -> i64 {
    object.at(&["metadata", "generation"]).and_then(Stored::as_i64).unwrap_or_default()
}

fn is_finished(object: &Object) -> bool {
    object.kind() == "Job" && object.at(&["status", "conditions"]).is_some()
}

fn api_version(key: &ObjectKey) -> &'static str {
    match key.group.as_str() {
        "apps" => "apps/v1",
        "batch" => "batch/v1",
        _ => "v1",
    }
}

/// A change of a field that Git has too, or that nobody has.
fn fields_of(key: &ObjectKey, number: u32) -> Value {
    match key.kind.as_str() {
        "ConfigMap" => json!({"data": {format!("key{}", number % 3): format!("by hand {number}")}}),
        "Secret" => json!({"data": {"key": "aGFuZA=="}}),
        "Deployment" | "StatefulSet" => json!({"spec": {"replicas": number}}),
        "Job" => json!({"spec": {"activeDeadlineSeconds": 1_000_000}}),
        _ => json!({"metadata": {"labels": {"by-hand": format!("n{number}")}}}),
    }
}

/// Returns the status that the controller of an object writes.
fn status_of(object: &Object, failing: bool) -> Value {
    let time = "2027-01-15T08:00:00Z";
    let condition = |kind: &str, status: &str, reason: &str| json!({"type": kind, "status": status, "reason": reason, "message": "simulated", "lastTransitionTime": time});
    let replicas = object.at(&["spec", "replicas"]).and_then(Stored::as_i64).unwrap_or(1);
    let observed = generation(object);
    match (object.kind(), failing) {
        ("Deployment", true) => json!({"observedGeneration": observed,
            "conditions": [condition("Progressing", "False", "ProgressDeadlineExceeded")]}),
        ("Deployment", false) => json!({"observedGeneration": observed, "replicas": replicas,
            "updatedReplicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas,
            "conditions": [condition("Progressing", "True", "NewReplicaSetAvailable")]}),
        ("StatefulSet", _) => json!({"observedGeneration": observed, "replicas": replicas, "readyReplicas": replicas,
            "updatedReplicas": replicas, "currentReplicas": replicas, "availableReplicas": replicas,
            "currentRevision": "r1", "updateRevision": "r1"}),
        ("Job", true) => json!({"failed": 1, "startTime": time, "conditions": [
            condition("FailureTarget", "True", "BackoffLimitExceeded"), condition("Failed", "True", "BackoffLimitExceeded")]}),
        ("Job", false) => json!({"succeeded": 1, "startTime": time, "completionTime": time, "conditions": [
            condition("SuccessCriteriaMet", "True", "CompletionsReached"), condition("Complete", "True", "CompletionsReached")]}),
        _ => json!({"phase": "Bound"}),
    }
}
