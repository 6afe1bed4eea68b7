//! The cluster of the made-up world: the sandbox's server, and the truth about its objects.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use jiff::Timestamp;
use lockstep_engine::{Problem, ProblemKind};
use lockstep_health::{Rules, Status};
use lockstep_object::{Gk, Object, ObjectKey, from_json};
use lockstep_sandbox::{Answer, AnswerBody, Options, Request, Sandbox, Watching};
use serde_json::{Value, json};

use crate::scene::NAMESPACE;

/// The server and what is known of its objects by whoever wrote them; no watch is needed to know the truth.
pub(crate) struct Cluster {
    sandbox: Sandbox,
    clock: Arc<AtomicI64>,
    pub(crate) rules: Arc<Rules>,
    pub(crate) truth: BTreeMap<ObjectKey, Truth>,
    /// The last time an object of this name was seen well; kept when it goes.
    well: BTreeMap<ObjectKey, Timestamp>,
}

/// An object as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct Truth {
    pub(crate) object: Object,
    pub(crate) status: Status,
}

/// The group, version and plural of the kinds of the world.
const KINDS: &[(&str, &str, &str, &str)] = &[
    ("", "v1", "ConfigMap", "configmaps"),
    ("", "v1", "Secret", "secrets"),
    ("", "v1", "Service", "services"),
    ("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
    ("apps", "v1", "Deployment", "deployments"),
    ("apps", "v1", "StatefulSet", "statefulsets"),
    ("batch", "v1", "Job", "jobs"),
];

fn collection(group: &str, kind: &str) -> String {
    let known = KINDS.iter().find(|(g, _, k, _)| *g == group && *k == kind);
    let (group, version, _, plural) = known.expect("a kind of the scene");
    let prefix = if group.is_empty() { "/api".to_owned() } else { format!("/apis/{group}") };
    format!("{prefix}/{version}/namespaces/{NAMESPACE}/{plural}")
}

fn path(key: &ObjectKey) -> String {
    format!("{}/{}", collection(&key.group, &key.kind), key.name)
}

impl Cluster {
    pub(crate) fn new(seed: u64, now: Timestamp) -> Self {
        let clock = Arc::new(AtomicI64::new(now.as_microsecond()));
        let read = Arc::clone(&clock);
        let clock_of_server = move || Timestamp::from_microsecond(read.load(Ordering::Relaxed)).unwrap_or_default();
        let options = Options {
            seed: Some(seed),
            clock: Some(Arc::new(clock_of_server)),
            bare: true,
            admin_token: Some("token".into()),
            ..Options::default()
        };
        let sandbox = Sandbox::new(options).expect("a server in memory starts");
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
        let cluster =
            Self { sandbox, clock, rules: Arc::new(Rules::builtin()), truth: BTreeMap::new(), well: BTreeMap::new() };
        let made = cluster.send("POST", "/api/v1/namespaces", "application/json", &namespace.to_string());
        made.expect("the namespace is made");
        cluster
    }

    pub(crate) fn set_time(&self, now: Timestamp) {
        self.clock.store(now.as_microsecond(), Ordering::Relaxed);
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.clock.load(Ordering::Relaxed)).unwrap_or_default()
    }

    fn send(
        &self,
        method: &str,
        target: &str,
        content_type: &'static str,
        body: &str,
    ) -> Result<Object, (u16, String)> {
        let request = Request::as_admin(method, target, content_type, body.as_bytes().to_vec());
        let Answer { code, body: AnswerBody::Bytes(bytes) } = self.sandbox.answer(&request) else {
            return Err((500, "a stream".into()));
        };
        let object = from_json(&bytes).ok().and_then(|value| Object::try_from(value).ok());
        match (code, object) {
            (200..300, Some(object)) => Ok(object),
            (code, object) => {
                let message = object.map(|status| status.str_at(&["message"]).to_owned());
                Err((code, message.unwrap_or_else(|| String::from_utf8_lossy(&bytes).into_owned())))
            }
        }
    }

    /// Applies an object, forced.
    pub(crate) fn apply(&mut self, key: &ObjectKey, body: &[u8], manager: &str) -> Result<Object, Problem> {
        let target = format!("{}?fieldManager={manager}&force=true", path(key));
        let result = self.send("PATCH", &target, "application/apply-patch+yaml", &String::from_utf8_lossy(body));
        self.learn(key, result.as_ref().ok());
        result.map_err(|(code, message)| problem(code, message))
    }

    /// Merges a patch; `under` is empty or `/status`.
    pub(crate) fn merge(&mut self, key: &ObjectKey, under: &str, patch: &Value, manager: &str) -> Result<(), String> {
        let target = format!("{}{under}?fieldManager={manager}", path(key));
        let result = self.send("PATCH", &target, "application/merge-patch+json", &patch.to_string());
        self.learn(key, result.as_ref().ok());
        result.map(|_| ()).map_err(|(code, message)| format!("{code} {message}"))
    }

    /// Makes an object that nobody but its maker knows of.
    pub(crate) fn create(&mut self, body: &Value) {
        let (group, kind) = ("", body["kind"].as_str().unwrap_or_default());
        let made = self.send("POST", &collection(group, kind), "application/json", &body.to_string());
        if let Ok(object) = made {
            self.learn(&object.key(), Some(&object));
        }
    }

    /// Deletes an object if it has this uid and this version; without them, whatever is there. Tells whether it went.
    pub(crate) fn delete(&mut self, key: &ObjectKey, seen: Option<(&str, u64)>) -> Result<bool, Problem> {
        let mut options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"});
        if let Some((uid, version)) = seen {
            options["preconditions"] = json!({"uid": uid, "resourceVersion": version.to_string()});
        }
        let result = self.send("DELETE", &path(key), "application/json", &options.to_string());
        let there = self.send("GET", &path(key), "", "");
        match &there {
            Ok(object) => self.learn(key, Some(object)),
            Err(_) => self.went(key),
        }
        match result {
            Ok(_) | Err((404, _)) => Ok(true),
            Err((409, _)) => Ok(false),
            Err((code, message)) => Err(problem(code, message)),
        }
    }

    fn learn(&mut self, key: &ObjectKey, object: Option<&Object>) {
        let Some(object) = object else { return };
        if object.at(&["metadata", "deletionTimestamp"]).is_some() && object.at(&["metadata", "finalizers"]).is_none() {
            // Its last finalizer went, and it with it.
            return self.went(key);
        }
        let was = self.truth.get(key).is_some_and(|truth| is_well(truth.status));
        let now = self.now();
        let status = self.rules.assess(object, now).map_or(Status::Healthy, |health| health.status);
        if was || is_well(status) {
            self.well.insert(key.clone(), now);
        }
        self.truth.insert(key.clone(), Truth { object: object.clone(), status });
    }

    fn went(&mut self, key: &ObjectKey) {
        if self.truth.remove(key).is_some_and(|truth| is_well(truth.status)) {
            self.well.insert(key.clone(), self.now());
        }
    }

    /// Returns when an object of this name was last well: now, if it is.
    pub(crate) fn last_well(&self, key: &ObjectKey) -> Option<Timestamp> {
        if self.truth.get(key).is_some_and(|truth| is_well(truth.status)) {
            return Some(self.now());
        }
        self.well.get(key).copied()
    }

    /// Returns the kinds of the objects with our label.
    pub(crate) fn kinds_of_ours(&self) -> Vec<Gk> {
        let ours = self.truth.iter().filter(|(_, truth)| truth.object.label(lockstep_api::APP_LABEL).is_some());
        let mut kinds: Vec<Gk> = ours.map(|(key, _)| key.gk()).collect();
        kinds.dedup();
        kinds
    }

    /// Opens a watch over the objects of a kind with our label, from the beginning or after a version.
    pub(crate) fn watch(&self, gk: &Gk, version: &str) -> Result<Watching, String> {
        let label = lockstep_api::APP_LABEL.replace('/', "%2F");
        let collection = collection(&gk.group, &gk.kind);
        let from = match version {
            "" => "sendInitialEvents=true&resourceVersionMatch=NotOlderThan".to_owned(),
            version => format!("resourceVersion={version}"),
        };
        let target =
            format!("{collection}?watch=true&allowWatchBookmarks=true&timeoutSeconds=290&labelSelector={label}&{from}");
        match self.sandbox.answer(&Request::as_admin("GET", &target, "", "")) {
            Answer { body: AnswerBody::Watch(watch), .. } => Ok(watch),
            Answer { code, .. } => Err(format!("the watch is answered with {code}")),
        }
    }
}

/// Tells whether nobody has to wait for an object.
pub(crate) fn is_well(status: Status) -> bool {
    matches!(status, Status::Healthy | Status::Suspended)
}

/// Returns the problem that an error of the server is to the engine.
pub(crate) fn problem(code: u16, message: String) -> Problem {
    let kind = match code {
        429 | 502 | 503 | 504 => ProblemKind::Unreachable,
        _ => ProblemKind::Rejected,
    };
    Problem::new(kind, message)
}
