//! A cluster in memory that performs the effects of one App.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};
use lockstep_api::{AppHealth, AppSpec, AppStatus, Phase};
use lockstep_engine::{
    AppId, AppState, Context, DependencyFacts, Effect, Event, Live, LiveIndex, Prepared, Problem, ProblemKind,
    Rejected, RevisionInfo, Scope, Scopes, Wanted, prepare,
};
use lockstep_health::{Rules, Status};
use lockstep_object::{Gvk, Object, ObjectKey, Place, Value, from_json};

pub struct World {
    state: AppState,
    wanted: Wanted,
    now: Timestamp,
    live: LiveIndex,
    objects: BTreeMap<ObjectKey, Object>,
    statuses: HashMap<String, Status>,
    revisions: Vec<Vec<String>>,
    events: VecDeque<Event>,
    wake: Option<Timestamp>,
    written: AppStatus,
    applied: Vec<String>,
    story: Vec<String>,
    always_healthy: bool,
    versions: u64,
    /// What is found out about an object that is not well, and its log.
    pub explanation: Option<(String, String)>,
    /// The object that the server would refuse.
    pub refused: Option<String>,
    /// The next revision is forbidden, and while it is rendered the project's rules change.
    pub forbidden_until_rendered: bool,
    /// The object that has a finalizer, so that it does not go when it is deleted.
    pub finalized: Option<String>,
}

struct Everything;

impl Scopes for Everything {
    fn scope(&self, _: &Gvk) -> Option<Scope> {
        Some(Scope::Namespaced)
    }
}

fn id() -> AppId {
    AppId::new("default", "shop")
}

pub fn config(name: &str) -> String {
    format!(
        r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"{name}","annotations":{{}}}},"data":{{"key":"one"}}}}"#
    )
}

pub fn job(name: &str) -> String {
    format!(r#"{{"apiVersion":"batch/v1","kind":"Job","metadata":{{"name":"{name}","annotations":{{}}}},"spec":{{}}}}"#)
}

pub fn annotated(json: String, name: &str, value: &str) -> String {
    json.replace("\"annotations\":{", &format!("\"annotations\":{{\"{name}\":\"{value}\",")).replace(",}", "}")
}

pub fn hook(json: String, phase: &str) -> String {
    annotated(json, "lockstep.dev/hook", phase)
}

pub fn in_wave(json: String, wave: i32) -> String {
    annotated(json, "lockstep.dev/wave", &wave.to_string())
}

impl World {
    pub fn new(spec: AppSpec) -> Self {
        let mut world = Self {
            state: AppState::new(id(), AppStatus::default()),
            wanted: Wanted { spec: Arc::new(spec), generation: 1, finalizer: true, ..Wanted::default() },
            now: "2026-01-01T00:00:00Z".parse().unwrap(),
            live: LiveIndex::default(),
            objects: BTreeMap::new(),
            statuses: HashMap::new(),
            revisions: Vec::new(),
            events: VecDeque::new(),
            wake: None,
            written: AppStatus::default(),
            applied: Vec::new(),
            story: Vec::new(),
            always_healthy: false,
            versions: 0,
            explanation: None,
            refused: None,
            forbidden_until_rendered: false,
            finalized: None,
        };
        world.events.push_back(Event::Spec(Box::new(world.wanted.clone())));
        world
    }

    pub fn always_healthy(mut self) -> Self {
        self.always_healthy = true;
        self
    }

    pub fn commit(&mut self, objects: &[String]) {
        self.revisions.push(objects.to_vec());
        self.events.push_back(Event::Resolved(Ok(self.revision())));
    }

    fn revision(&self) -> RevisionInfo {
        RevisionInfo { id: format!("revision-{}", self.revisions.len()), ..RevisionInfo::default() }
    }

    /// Forgets everything but what was written.
    pub fn crash(&mut self) {
        self.state = AppState::new(id(), self.written.clone());
        self.events.clear();
        self.wake = None;
        self.events.push_back(Event::Spec(Box::new(self.wanted.clone())));
        self.events.push_back(Event::Resolved(Ok(self.revision())));
    }

    pub fn ask(&mut self, token: &str) {
        self.ask_for(token, "");
    }

    pub fn ask_for(&mut self, token: &str, resources: &str) {
        self.wanted.refresh = token.to_owned();
        self.wanted.resources = resources.to_owned();
        self.tell_spec();
    }

    pub fn confirm(&mut self, word: &str) {
        self.wanted.confirm = word.to_owned();
        self.tell_spec();
    }

    pub fn delete_app(&mut self) {
        self.wanted.deleting = true;
        self.story.clear();
        self.tell_spec();
    }

    fn tell_spec(&mut self) {
        self.events.push_back(Event::Spec(Box::new(self.wanted.clone())));
        self.run();
    }

    /// Takes every event, and the next wish to be woken within three seconds: the status is written by then.
    pub fn run(&mut self) {
        self.settle();
        let soon = self.now + SignedDuration::from_secs(3);
        self.wait_until(soon);
    }

    pub fn wait(&mut self, seconds: i64) {
        self.wait_until(self.now + SignedDuration::from_secs(seconds));
    }

    fn wait_until(&mut self, end: Timestamp) {
        while let Some(at) = self.wake.filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.wake = None;
            self.events.push_back(Event::Wake);
            self.settle();
        }
        self.now = end;
        self.events.push_back(Event::Wake);
        self.settle();
    }

    fn settle(&mut self) {
        while let Some(event) = self.events.pop_front() {
            let dependency = |_: &AppId| {
                let facts = DependencyFacts {
                    phase: Phase::Synced,
                    health: AppHealth::Suspended,
                    ..DependencyFacts::default()
                };
                Some(facts)
            };
            let context =
                Context { saturated: false, now: self.now, random: 0, live: &self.live, dependency: &dependency };
            for effect in self.state.step(event, &context) {
                self.perform(effect);
            }
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Render { ticket, revision } => {
                let place: usize = revision.id.trim_start_matches("revision-").parse().unwrap();
                if std::mem::take(&mut self.forbidden_until_rendered) {
                    let rejected = Rejected { kind: ProblemKind::Forbidden, diagnostics: Vec::new() };
                    self.events.push_back(Event::RulesChanged);
                    self.events.push_back(Event::Rendered { ticket, result: Err(rejected), conflicts: Vec::new() });
                    return;
                }
                let result = Ok(Arc::new(self.prepared(place)));
                self.events.push_back(Event::Rendered { ticket, result, conflicts: Vec::new() });
            }
            Effect::Apply { key, version, body, digest, .. } => {
                self.applied.push(key.name.to_string());
                self.story.push(format!("apply {}", key.name));
                let mut object = Object::try_from(from_json(&body).unwrap()).unwrap();
                let uid = match self.objects.get(&key) {
                    Some(known) => known.str_at(&["metadata", "uid"]).to_owned(),
                    None => format!("uid-{}", self.versions),
                };
                object.metadata_mut().insert("uid", uid);
                let fields = from_json(
                    br#"[{"manager":"lockstep","operation":"Apply","fieldsV1":{"f:data":{"f:key":{}},"f:spec":{}}}]"#,
                );
                object.metadata_mut().insert("managedFields", fields.unwrap());
                let live = self.store(&key, object);
                self.events.push_back(Event::Applied {
                    key: key.clone(),
                    version,
                    digest,
                    result: Ok(live),
                    changed: true,
                });
                self.tell_live(&key);
            }
            Effect::Validate { key, .. } => {
                let refused = self.refused.as_deref() == Some(key.name.as_str());
                let result = if refused { Err(Problem::new(ProblemKind::Rejected, "is invalid")) } else { Ok(()) };
                self.events.push_back(Event::Validated { key, result });
            }
            Effect::Delete { key, .. } if self.finalized.as_deref() == Some(key.name.as_str()) => {
                let mut object = self.objects[&key].clone();
                object.metadata_mut().insert("deletionTimestamp", "2026-01-01T00:00:00Z");
                object.metadata_mut().insert("finalizers", vec![Value::from("example.com/hold")]);
                self.store(&key, object);
                self.events.push_back(Event::Deleted { key: key.clone(), result: Ok(()) });
                self.tell_live(&key);
            }
            Effect::Delete { key, .. } => {
                self.story.push(format!("delete {}", key.name));
                self.objects.remove(&key);
                self.live.remove(&key, u64::MAX, false);
                self.events.push_back(Event::Deleted { key: key.clone(), result: Ok(()) });
                self.events.push_back(Event::Live { key, object: None });
            }
            Effect::Explain { key, log, .. } => {
                let (reason, text) = self.explanation.clone().unzip();
                self.events.push_back(Event::Explained { key, reason, log: text.filter(|_| log) });
            }
            Effect::Look { ticket, .. } => self.events.push_back(Event::Looked { ticket }),
            Effect::Status(status) => {
                self.written = *status;
                self.events.push_back(Event::Recorded);
            }
            Effect::WakeAt(at) => self.wake = Some(self.wake.map_or(at, |known| known.min(at))),
            Effect::RemoveFinalizer => self.story.push("let go".to_owned()),
            Effect::AddFinalizer | Effect::Notify(_) => {}
        }
    }

    fn prepared(&self, place: usize) -> Prepared {
        let object = |json: &String| (Object::try_from(from_json(json.as_bytes()).unwrap()).unwrap(), Place::default());
        let objects: Vec<(Object, Place)> = self.revisions[place - 1].iter().map(object).collect();
        prepare(&id(), &objects, "shop", &Everything)
    }

    fn store(&mut self, key: &ObjectKey, mut object: Object) -> Live {
        self.versions += 1;
        object.metadata_mut().insert("resourceVersion", self.versions.to_string());
        let mut live = Live::of(&object, &Rules::builtin(), self.now);
        let told = self.statuses.get(key.name.as_str()).copied();
        live.status = told.unwrap_or(if self.always_healthy { Status::Healthy } else { Status::Progressing });
        self.live.insert(key, live.clone());
        self.objects.insert(key.clone(), object);
        live
    }

    fn tell_live(&mut self, key: &ObjectKey) {
        let object = self.objects.get(key).cloned().map(Arc::new);
        self.events.push_back(Event::Live { key: key.clone(), object });
    }

    fn key(&self, name: &str) -> ObjectKey {
        self.objects
            .keys()
            .find(|key| key.name.as_str() == name)
            .cloned()
            .unwrap_or_else(|| panic!("there is no {name}"))
    }

    /// The object becomes healthy, or not; a later apply finds it so. Hooks begin anew when they are made anew.
    pub fn set(&mut self, name: &str, status: Status) {
        let key = self.key(name);
        if key.kind.as_str() != "Job" {
            self.statuses.insert(name.to_owned(), status);
        }
        let object = self.objects[&key].clone();
        let mut live = self.store(&key, object);
        live.status = status;
        self.live.insert(&key, live);
        self.tell_live(&key);
        self.run();
    }

    /// The object is gone at last.
    pub fn remove(&mut self, name: &str) {
        let key = self.key(name);
        self.objects.remove(&key);
        self.live.remove(&key, u64::MAX, false);
        self.tell_live(&key);
        self.run();
    }

    /// Somebody edits the object.
    pub fn change(&mut self, name: &str) {
        let key = self.key(name);
        let mut object = self.objects[&key].clone();
        object.root_mut().map_entry("data").insert("key", "theirs");
        let fields = br#"[{"manager":"lockstep","operation":"Apply","fieldsV1":{"f:spec":{}}},
            {"manager":"kubectl-edit","operation":"Update","time":"2026-01-01T00:00:00Z","fieldsV1":{"f:data":{"f:key":{}}}}]"#;
        object.metadata_mut().insert("managedFields", from_json(fields).unwrap());
        self.store(&key, object);
        self.tell_live(&key);
        self.run();
    }

    pub fn exists(&self, name: &str) -> bool {
        self.objects.keys().any(|key| key.name.as_str() == name)
    }

    /// Returns what was applied since this was last asked.
    pub fn applied(&mut self) -> Vec<String> {
        std::mem::take(&mut self.applied)
    }

    pub fn story(&self) -> &[String] {
        &self.story
    }

    /// Returns the status as it was last written.
    pub fn status(&self) -> AppStatus {
        self.written.clone()
    }
}
