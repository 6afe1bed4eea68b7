//! The operator of the made-up world: the engine's fleet, and a shell around it without threads and sockets.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use lockstep_engine::{
    AppId, AppState, ApplyOptions, Effect, Event, Fleet, Live, Prepared, Problem, ProblemKind, ProjectRules, Rejected,
    RevisionInfo, Scope, Scopes, Stored, Ticket, Wanted, prepare,
};
use lockstep_object::{Diagnostic, Gk, Gvk, Object, ObjectKey, Place, Value, from_json};
use lockstep_sandbox::Watching;

use crate::{
    cluster::problem,
    promises::StoredFor,
    scene::NAMESPACE,
    world::{Tell, What, World},
};

/// One life of the operator: a restart begins another.
pub(crate) struct Operator {
    pub(crate) life: u64,
    pub(crate) fleet: Fleet,
    /// The requests that it sent, watches aside.
    pub(crate) requests: u64,
    /// What it last rendered for each App.
    pub(crate) prepared: BTreeMap<AppId, Prepared>,
    /// The newest ticket of each App.
    tickets: BTreeMap<AppId, Ticket>,
    /// The commit that it knows.
    snapshot: Option<usize>,
    /// The version of each App as it was last seen.
    versions: BTreeMap<AppId, u64>,
    watches: HashMap<Gk, KindWatch>,
    /// The kinds of which there were objects of ours when this life first looked.
    found: Option<Vec<Gk>>,
}

/// A watch over a kind, as the client of the product holds it.
#[derive(Default)]
struct KindWatch {
    stream: Option<Watching>,
    version: String,
    /// What was listed so far, until the list is complete.
    uids: Option<HashSet<String>>,
    synced: bool,
    /// It will be read anyway.
    due: bool,
}

/// A request on its way.
#[derive(Debug)]
pub(crate) struct Sent {
    id: AppId,
    effect: Effect,
    fate: Fate,
    /// The version of the App that the operator knew.
    app_version: u64,
    /// The version of the object that the operator knew.
    known: Option<u64>,
    /// The number of the App's sync.
    sync: u64,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Well,
    Refused(u16),
    LostBefore,
    LostAfter,
}

struct EveryKind;

impl Scopes for EveryKind {
    fn scope(&self, _: &Gvk) -> Option<Scope> {
        Some(Scope::Namespaced)
    }
}

impl Operator {
    pub(crate) fn new(life: u64, seed: u64) -> Self {
        Self {
            life,
            fleet: Fleet::new(seed),
            requests: 0,
            prepared: BTreeMap::new(),
            tickets: BTreeMap::new(),
            snapshot: None,
            versions: BTreeMap::new(),
            watches: HashMap::new(),
            found: None,
        }
    }
}

impl World {
    // What the operator is told.

    pub(crate) fn told(&mut self, told: Tell) {
        match told {
            Tell::App(id) => self.app_seen(&id),
            Tell::Resolved => self.resolve(),
            Tell::Rendered(id, ticket, commit) => self.rendered(id, ticket, commit),
            Tell::Answer(id, event) => self.operator.fleet.answered(&id, *event, self.now),
            Tell::FinalizerLost(id) => {
                // It is looked at once more, as the real shell does.
                self.operator.fleet.look_again(&id);
                self.after(1_000, What::Tell(self.operator.life, Box::new(Tell::App(id))));
            }
            Tell::Looked(id, ticket, kinds) => self.looked(id, ticket, kinds),
            Tell::StatusWritten(id, version) => self.operator.fleet.status_written(&id, version, self.now),
        }
        self.perform();
    }

    fn app_seen(&mut self, id: &AppId) {
        let Some(app) = self.apps.get(id).cloned() else {
            self.operator.fleet.forget_app(id, self.now);
            self.promises.forget(id);
            return;
        };
        self.operator.versions.insert(id.clone(), app.version);
        let wanted = Wanted { spec: Arc::new(app.spec), ..app.seen };
        let health = Arc::clone(&self.cluster.rules);
        let rules = ProjectRules { health, windows: Arc::default(), problems: Vec::new() };
        let stored = Stored { uid: app.uid, version: app.version, status: app.status };
        let news = self.operator.fleet.see_app(id, stored, wanted, rules, self.now);
        // Each decision is judged by what was known when it was made.
        self.perform();
        if news && let Some(news) = self.news() {
            self.operator.fleet.resolved(id, Ok(news), self.now);
        }
    }

    fn resolve(&mut self) {
        let faulty = self.limits.faults.errors && !self.calm && self.dice.faults.u8(..10) == 0;
        let news = if faulty {
            self.after(10_000, What::Tell(self.operator.life, Box::new(Tell::Resolved)));
            Err(Problem::new(ProblemKind::SourceFailed, "the repository cannot be reached"))
        } else {
            self.operator.snapshot = Some(self.head);
            match self.news() {
                Some(news) => Ok(news),
                None => return,
            }
        };
        let ids: Vec<AppId> = self.operator.fleet.apps().map(|(id, _)| id.clone()).collect();
        for id in &ids {
            self.operator.fleet.resolved(id, news.clone(), self.now);
            self.perform();
        }
    }

    fn news(&self) -> Option<RevisionInfo> {
        let commit = self.scene.commits.get(self.operator.snapshot?)?;
        Some(RevisionInfo {
            id: commit.id.clone(),
            author: "Ada".into(),
            message: commit.message.clone(),
            inputs: String::new(),
        })
    }

    // Rendering.

    pub(crate) fn render(&mut self, id: &AppId, ticket: Ticket, revision: &RevisionInfo) {
        let known = self.scene.commits.iter().position(|commit| commit.id == revision.id);
        let Some(commit) = known else { return };
        self.operator.tickets.insert(id.clone(), ticket);
        let delay = self.latency(1, 300);
        self.after(delay, What::Tell(self.operator.life, Box::new(Tell::Rendered(id.clone(), ticket, commit))));
    }

    /// Gives the objects, once everything that is owned or wanted is watched.
    fn rendered(&mut self, id: AppId, ticket: u64, commit: usize) {
        let result = self.prepare(&id, commit);
        let owned = self.operator.fleet.app(&id).into_iter().flat_map(|state| state.inventory().iter());
        let wanted = result.iter().flat_map(|prepared| prepared.desired.iter().map(|one| &one.key));
        let mut kinds: Vec<Gk> = owned.map(|(key, _)| key).chain(wanted).map(ObjectKey::gk).collect();
        kinds.dedup();
        if !self.are_watched(&kinds) {
            self.after(50, What::Tell(self.operator.life, Box::new(Tell::Rendered(id, ticket, commit))));
            return;
        }
        let awaited = self.operator.tickets.get(&id) == Some(&ticket);
        let prepared = result.as_ref().ok().cloned();
        self.operator.fleet.rendered(&id, ticket, result.map(Arc::new), self.now);
        // What was refused changes nothing.
        let taken = |state: &AppState| state.is_syncing() || state.is_deleting() || !state.has_failed();
        if let Some(prepared) = prepared
            && awaited
            && self.operator.fleet.app(&id).is_some_and(taken)
        {
            self.promises.rendered(&id, &prepared, &self.operator, self.now);
            self.operator.prepared.insert(id, prepared);
        } else if awaited && let Some(state) = self.operator.fleet.app(&id) {
            self.promises.refused(&id, state.refresh());
        }
    }

    /// Tells whether what is there of these kinds has reached the operator, and of all kinds that its former lives
    /// left objects of; watches begin where there is none.
    fn are_watched(&mut self, kinds: &[Gk]) -> bool {
        let found = self.operator.found.get_or_insert_with(|| self.cluster.kinds_of_ours());
        let kinds = kinds.iter().chain(found.iter());
        let synced = |gk: &Gk| self.operator.watches.get(gk).is_some_and(|watch| watch.synced);
        let open: Vec<Gk> = kinds.filter(|gk| !synced(gk)).cloned().collect();
        open.iter().for_each(|gk| self.read_soon(gk, true));
        open.is_empty()
    }

    /// Answers that these kinds are seen, once they are.
    fn looked(&mut self, id: AppId, ticket: Ticket, kinds: Vec<Gk>) {
        if self.are_watched(&kinds) {
            self.operator.fleet.answered(&id, Event::Looked { ticket }, self.now);
        } else {
            self.after(50, What::Tell(self.operator.life, Box::new(Tell::Looked(id, ticket, kinds))));
        }
    }

    pub(crate) fn prepare(&self, id: &AppId, commit: usize) -> Result<Prepared, Rejected> {
        let place = self.scene.apps.iter().position(|(known, _)| known == id).unwrap_or_default();
        let folder = &self.scene.commits[commit].folders[place];
        if folder.broken {
            let diagnostics = vec![Diagnostic::error(Place::file("broken.yaml"), "it cannot be read")];
            return Err(Rejected { kind: ProblemKind::RenderFailed, diagnostics });
        }
        let objects: Vec<(Object, Place)> =
            folder.files.iter().map(|file| (file.object(), Place::file(file.to_string()))).collect();
        Ok(prepare(id, &objects, NAMESPACE, &EveryKind))
    }

    // Requests.

    pub(crate) fn send(&mut self, id: &AppId, effect: Effect) {
        self.operator.requests += 1;
        let known = match &effect {
            Effect::Apply { key, .. } => self.operator.fleet.live().get(key).map(|live| live.version),
            _ => None,
        };
        let app_version = self.operator.versions.get(id).copied().unwrap_or_default();
        let fate = self.fate();
        let words = words_of(&effect);
        self.tell("operator", || match fate {
            Fate::Well => format!("{id}: {words}"),
            fate => format!("{id}: {words} ({fate:?})"),
        });
        let delay = self.latency(1, 30);
        let sync = self.promises.number(id);
        let sent = Sent { id: id.clone(), effect, fate, app_version, known, sync };
        self.after(delay, What::Arrive(self.operator.life, Box::new(sent)));
    }

    fn fate(&mut self) -> Fate {
        let draw = self.dice.faults.u8(..100);
        if self.calm {
            return Fate::Well;
        }
        match draw {
            0..4 if self.limits.faults.errors => Fate::Refused([409, 429, 500, 503][self.dice.faults.usize(..4)]),
            4..7 if self.limits.faults.lost => Fate::LostBefore,
            7..10 if self.limits.faults.lost => Fate::LostAfter,
            _ => Fate::Well,
        }
    }

    pub(crate) fn arrive(&mut self, life: u64, sent: Sent) {
        let Sent { id, effect, fate, app_version, known, sync } = sent;
        let problem = match fate {
            Fate::Well => None,
            Fate::Refused(code) => Some(problem(code, format!("the server says {code}"))),
            Fate::LostBefore | Fate::LostAfter => Some(Problem::new(ProblemKind::Unreachable, "there is no answer")),
        };
        let reaches = matches!(fate, Fate::Well | Fate::LostAfter);
        let told = match effect {
            Effect::Apply { key, version, body, digest, options } => {
                let of = StoredFor { life, digest, number: sync };
                let result = reaches.then(|| self.apply(&id, &key, &body, of, &options));
                let result = match (problem, result) {
                    (None, Some(result)) => result,
                    (problem, _) => Err(problem.unwrap_or_else(|| Problem::new(ProblemKind::Rejected, "refused"))),
                };
                let changed = result.as_ref().is_ok_and(|live| known != Some(live.version));
                Tell::Answer(id, Box::new(Event::Applied { key, version, digest, result, changed }))
            }
            Effect::Delete { key, uid, seen, .. } => {
                let mut result = if reaches { self.delete(&id, &key, &uid, seen) } else { Ok(()) };
                if let Some(problem) = problem {
                    result = Err(problem);
                }
                Tell::Answer(id, Box::new(Event::Deleted { key, result }))
            }
            Effect::Status(status) => {
                if reaches {
                    self.change_app(&id, |app| app.status = through_json(&status));
                }
                let version = self.apps.get(&id).map(|app| app.version).unwrap_or_default();
                Tell::StatusWritten(id, problem.is_none().then_some(version))
            }
            Effect::AddFinalizer | Effect::RemoveFinalizer => {
                let ours = effect == Effect::AddFinalizer;
                let current = self.apps.get(&id).is_some_and(|app| app.version == app_version);
                if reaches && current {
                    self.change_app(&id, |app| app.seen.finalizer = ours);
                    self.remove_app_if_free(&id);
                }
                if problem.is_none() && current {
                    return;
                }
                Tell::FinalizerLost(id)
            }
            Effect::Explain { key, .. } => {
                let reason = problem.is_none().then(|| format!("{key} is simulated"));
                Tell::Answer(id, Box::new(Event::Explained { key, reason, log: None }))
            }
            Effect::Validate { key, .. } => {
                Tell::Answer(id, Box::new(Event::Validated { key, result: problem.map_or(Ok(()), Err) }))
            }
            Effect::Render { .. } | Effect::Look { .. } | Effect::WakeAt(_) | Effect::Notify(_) => return,
        };
        let delay = match fate {
            Fate::LostBefore | Fate::LostAfter if self.dice.faults.bool() => 30_000,
            _ => self.latency(1, 30),
        };
        self.after(delay, What::Tell(life, Box::new(told)));
    }

    /// Applies as the real shell does: what cannot be changed is deleted and made anew, where that is allowed.
    fn apply(
        &mut self,
        id: &AppId,
        key: &ObjectKey,
        body: &[u8],
        of: StoredFor,
        options: &ApplyOptions,
    ) -> Result<Live, Problem> {
        let before = self.cluster.truth.get(key).map(|truth| truth.object.str_at(&["metadata", "uid"]).to_owned());
        let mark = self.cluster.truth.get(key).and_then(|truth| truth.object.annotation(lockstep_api::HOOK_RUN));
        let mut result = match &options.afresh {
            Some(afresh) if mark != Some(afresh.as_str()) => self.recreate(key, body),
            _ => self.cluster.apply(key, body, lockstep_api::FIELD_MANAGER),
        };
        if options.recreate && result.as_ref().is_err_and(|problem| problem.message.contains("field is immutable")) {
            result = self.recreate(key, body);
        }
        if let Ok(object) = &result {
            let made = before.as_deref() != Some(object.str_at(&["metadata", "uid"]));
            if of.life < self.operator.life && self.apps.get(id).is_none_or(|app| app.seen.deleting) {
                self.promises.came_late(key);
            }
            self.promises.stored(id, key, of, made);
            self.stored(key);
        }
        result.map(|object| Live::of(&object, &self.cluster.rules, self.now))
    }

    fn recreate(&mut self, key: &ObjectKey, body: &[u8]) -> Result<Object, Problem> {
        self.cluster.delete(key, None)?;
        match self.cluster.truth.contains_key(key) {
            true => Err(Problem::new(ProblemKind::Unreachable, "it is deleted to be made anew and not gone")),
            false => self.cluster.apply(key, body, lockstep_api::FIELD_MANAGER),
        }
    }

    /// Deletes as the real shell does: what changed since it was seen is looked at again.
    fn delete(&mut self, id: &AppId, key: &ObjectKey, uid: &str, seen: u64) -> Result<(), Problem> {
        let text = |object: &Object, name: &str| object.str_at(&["metadata", name]).to_owned();
        let mut seen = seen;
        while let Some(object) = self.cluster.truth.get(key).map(|truth| truth.object.clone()) {
            let label = object.label(lockstep_api::APP_LABEL).map(str::to_owned);
            if self.cluster.delete(key, Some((uid, seen)))? {
                self.promises.deleted(id, key, label.as_deref());
                break;
            }
            if text(&object, "uid") != uid || label != Some(id.label()) {
                break;
            }
            seen = Live::version_of(&object);
        }
        self.stored(key);
        Ok(())
    }

    // Watches.

    /// Has the watch of a kind read soon; begins one if that is wanted.
    pub(crate) fn read_soon(&mut self, gk: &Gk, begin: bool) {
        if begin && !self.operator.watches.contains_key(gk) {
            self.operator.watches.insert(gk.clone(), KindWatch::default());
        }
        let slow = self.latency(1, 60);
        let Some(watch) = self.operator.watches.get_mut(gk) else { return };
        if !std::mem::replace(&mut watch.due, true) {
            self.after(slow, What::Read(self.operator.life, gk.clone()));
        }
    }

    pub(crate) fn read(&mut self, gk: &Gk) {
        let draw = if self.limits.faults.watches && !self.calm { self.dice.faults.u8(..100) } else { 99 };
        let Some(watch) = self.operator.watches.get_mut(gk) else { return };
        watch.due = false;
        if draw < 8 {
            watch.stream = None;
            if draw < 3 {
                // 410: the history is gone, everything is listed anew.
                watch.version.clear();
            }
            let pause = self.dice.faults.i64(200..10_000);
            self.tell("watch", || format!("of {gk} breaks, for {pause} ms"));
            if let Some(watch) = self.operator.watches.get_mut(gk) {
                watch.due = true;
            }
            self.after(pause, What::Read(self.operator.life, gk.clone()));
            return;
        }
        for line in self.lines(gk) {
            self.take_line(gk, &line);
            if draw < 12 {
                self.take_line(gk, &line);
            }
        }
    }

    /// Reads what there is to read; a stream that ended is opened anew.
    fn lines(&mut self, gk: &Gk) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        let Some(watch) = self.operator.watches.get_mut(gk) else { return lines };
        for _ in 0..10 {
            if watch.stream.is_none() {
                if watch.version.is_empty() {
                    watch.uids = Some(HashSet::new());
                }
                watch.stream = self.cluster.watch(gk, &watch.version).ok();
            }
            match watch.stream.as_mut().and_then(Watching::poll) {
                Some(more) if more.is_empty() => break,
                Some(more) => lines.extend(more.split(|byte| *byte == b'\n').map(<[u8]>::to_vec)),
                None => {
                    watch.stream = None;
                    // What was read tells where to go on.
                    if !lines.is_empty() {
                        self.after(1, What::Read(self.operator.life, gk.clone()));
                        break;
                    }
                }
            }
        }
        lines.retain(|line| !line.is_empty());
        lines
    }

    fn take_line(&mut self, gk: &Gk, line: &[u8]) {
        let Ok(event) = from_json(line) else { return };
        let kind = event.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        let Some(Ok(object)) = event.get("object").cloned().map(Object::try_from) else { return };
        let Some(watch) = self.operator.watches.get_mut(gk) else { return };
        let uid = object.str_at(&["metadata", "uid"]).to_owned();
        if kind == "ERROR" {
            watch.version.clear();
            watch.stream = None;
            return;
        }
        if watch.uids.is_none() || kind == "BOOKMARK" {
            watch.version = object.str_at(&["metadata", "resourceVersion"]).to_owned();
        }
        match kind.as_str() {
            "ADDED" | "MODIFIED" => {
                watch.uids.iter_mut().for_each(|uids| uids.extend([uid.clone()]));
                self.operator.fleet.object_changed(object, &self.cluster.rules, self.now);
            }
            "DELETED" => {
                watch.uids.iter_mut().for_each(|uids| uids.retain(|known| *known != uid));
                self.operator.fleet.object_gone(&object, self.now);
            }
            "BOOKMARK" if object.annotation("k8s.io/initial-events-end") == Some("true") => {
                watch.synced = true;
                let version = Live::version_of(&object);
                if let Some(uids) = watch.uids.take() {
                    self.operator.fleet.kind_listed(gk, &uids, version, self.now);
                }
            }
            _ => {}
        }
        self.perform();
    }
}

/// What is not in the JSON of a status is lost by a restart.
fn through_json(status: &lockstep_api::AppStatus) -> lockstep_api::AppStatus {
    let value = serde_json::to_value(status).and_then(serde_json::from_value);
    value.expect("a status is JSON both ways")
}

fn words_of(effect: &Effect) -> String {
    match effect {
        Effect::Apply { key, digest, .. } => format!("applies {key} ({digest:x})"),
        Effect::Delete { key, .. } => format!("deletes {key}"),
        Effect::Status(status) => {
            format!("writes the status: {:?} {:?} {}", status.phase, status.health, status.message)
        }
        Effect::AddFinalizer => "adds its finalizer".to_owned(),
        Effect::RemoveFinalizer => "removes its finalizer".to_owned(),
        other => format!("{other:?}"),
    }
}
