//! The one task that owns all state: takes messages, lets the engine decide, has the effects performed.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use lockstep_api::{
    API_VERSION, App, AppStatus, CONFIRM_PRUNE, Deletion, HealthRule, Outcome, REFRESH, SYNC_RESOURCES,
};
use lockstep_cluster::{Cluster, Resource, Watch, WatchEvent};
use lockstep_engine::{
    AppId, AppState, Context, DependencyFacts, Effect, Event, Live, LiveIndex, Notice, RevisionInfo, Scope, Ticket,
    Wanted,
};
use lockstep_health::Rules;
use lockstep_object::{Gk, Gvk, Object, ObjectKey};
use tokio::{
    sync::{broadcast, mpsc, oneshot},
    task::{AbortHandle, JoinSet},
};

use crate::{
    AppView, Handle, Settings, Told,
    claims::{Claimed, Claims},
    explain,
    follow::Fetchers,
    health_rules,
    listening::{Listening, News},
    metrics::Metrics,
    notices,
    perform::{self, Apply},
    records,
    rendering::{Done, Job, Kept, Renderer},
    rules::Projects,
    source::{self, Listed, SourceKey},
    watches::Watches,
};

/// What the core is told.
#[derive(Debug)]
pub(crate) enum Message {
    /// News of the Apps themselves.
    App(WatchEvent),
    /// News of the Projects.
    Project(WatchEvent),
    /// The cluster may know other kinds.
    Kinds,
    /// News of a source.
    Source(SourceKey, News),
    /// News of the objects of a kind.
    Watched(Gk, WatchEvent),
    /// Somebody wants to see the Apps.
    Apps(oneshot::Sender<Vec<AppView>>),
    /// Finish what is in flight and end.
    Stop,
}

/// What a performed effect answers.
enum Answer {
    Event(AppId, Event),
    Rendered(AppId, Ticket, Done),
    StatusWritten(AppId, bool),
    FinalizerLost(AppId),
    Nothing,
}

/// An App and what belongs to it outside the engine.
struct Entry {
    state: AppState,
    uid: String,
    /// When the App was made, in seconds since 1970.
    created: i64,
    version: String,
    finalizers: Vec<String>,
    /// What the engine was last told, to tell news from our own writes.
    seen: Option<Seen>,
    wanted: Wanted,
    /// How its objects are judged.
    rules: Arc<Rules>,
    /// The project's part of these rules.
    project_rules: Vec<HealthRule>,
    sources: Vec<Listed>,
    kept: Option<Kept>,
    writing: bool,
    pending: Option<Box<AppStatus>>,
}

/// What of an App is news.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    generation: i64,
    asked: [String; 3],
    deleting: bool,
    finalizer: bool,
}

/// An explanation is worth no longer wait: the sync has failed already. Less than the engine waits.
const EXPLAIN_WITHIN: Duration = Duration::from_secs(10);

/// The one task that owns all state.
pub(crate) struct Core {
    cluster: Cluster,
    settings: Settings,
    messages: mpsc::Sender<Message>,
    told: broadcast::Sender<Told>,
    metrics: Metrics,
    rules: Arc<Rules>,
    watches: Arc<Watches>,
    renderer: Arc<Renderer>,
    apps: HashMap<AppId, Entry>,
    projects: Projects,
    projects_known: bool,
    /// News of Apps from before the Projects were known.
    early: Vec<WatchEvent>,
    sources: Listening,
    live: LiveIndex,
    claims: Claims,
    dependents: HashMap<AppId, HashSet<AppId>>,
    timers: BinaryHeap<Reverse<(Timestamp, AppId)>>,
    tasks: JoinSet<Answer>,
    random: u64,
    stopping: bool,
}

impl Core {
    pub(crate) fn new(handle: &Handle, settings: Settings) -> Self {
        let messages = handle.messages.clone();
        let cluster = handle.cluster.clone();
        let fetchers =
            Fetchers { git: handle.git.clone(), artifacts: handle.artifacts.clone(), cluster: cluster.clone() };
        let watches = Arc::new(Watches::new(messages.clone()));
        let renderer = Arc::new(Renderer::new(fetchers.clone(), Arc::clone(&watches)));
        let (rules, problems) = health_rules::over(&Arc::new(Rules::builtin()), settings.health_rules.iter());
        for problem in problems {
            tracing::error!("{problem}");
        }
        Self {
            cluster,
            settings,
            messages,
            told: handle.told.clone(),
            metrics: handle.metrics.clone(),
            rules,
            watches,
            renderer,
            apps: HashMap::new(),
            projects: Projects::default(),
            projects_known: false,
            early: Vec::new(),
            sources: Listening::new(fetchers, handle.messages.clone()),
            live: LiveIndex::default(),
            claims: Claims::default(),
            dependents: HashMap::new(),
            timers: BinaryHeap::new(),
            tasks: JoinSet::new(),
            random: u64::from(std::process::id()) ^ 0x9e37_79b9_7f4a_7c15,
            stopping: false,
        }
    }

    /// Runs until it is told to stop and nothing is in flight.
    pub(crate) async fn run(mut self, mut inbox: mpsc::Receiver<Message>) {
        let followers = self.follow_resources();
        while !(self.stopping && self.tasks.is_empty()) {
            let wait = self.until_next_timer();
            tokio::select! {
                Some(answer) = self.tasks.join_next() => match answer {
                    Ok(answer) => self.take_answer(answer),
                    Err(error) => tracing::error!(%error, "an effect ended without an answer"),
                },
                message = inbox.recv() => match message {
                    Some(message) => self.take(message),
                    None => self.stopping = true,
                },
                () = tokio::time::sleep(wait) => self.fire_timers(),
            }
        }
        self.write_last_statuses().await;
        followers.into_iter().for_each(|task| task.abort());
        self.sources.end();
    }

    /// Writes what nobody has waited long enough for, so that the next operator begins where this one ends.
    async fn write_last_statuses(&mut self) {
        let ids: Vec<AppId> = self.apps.keys().cloned().collect();
        for id in ids {
            let Some(entry) = self.apps.get(&id) else { continue };
            let facts = self.with_context(|context| entry.state.facts(context));
            if entry.pending.is_some() || entry.state.is_behind(&facts) {
                let cluster = self.cluster.clone();
                self.tasks.spawn(async move {
                    perform::write_status(cluster, id, Box::new(facts)).await;
                    Answer::Nothing
                });
            }
        }
        while self.tasks.join_next().await.is_some() {}
    }

    // Following.

    fn follow_resources(&self) -> Vec<AbortHandle> {
        let resource = |plural: &str, kind: &str| Resource {
            gvk: Gvk::from_api_version(API_VERSION, kind),
            plural: plural.to_owned(),
            scope: Scope::Namespaced,
        };
        let crds = Resource {
            gvk: Gvk::new("apiextensions.k8s.io", "v1", "CustomResourceDefinition"),
            plural: "customresourcedefinitions".to_owned(),
            scope: Scope::Cluster,
        };
        vec![
            self.follow(resource("projects", "Project"), Message::Project),
            self.follow(resource("apps", "App"), Message::App),
            self.follow(crds, |_| Message::Kinds),
        ]
    }

    fn follow(&self, resource: Resource, message: fn(WatchEvent) -> Message) -> AbortHandle {
        let mut watch = Watch::new(self.cluster.clone(), resource, "");
        let messages = self.messages.clone();
        let task = tokio::spawn(async move { while messages.send(message(watch.next().await)).await.is_ok() {} });
        task.abort_handle()
    }

    fn until_next_timer(&self) -> Duration {
        let Some(Reverse((at, _))) = self.timers.peek() else { return Duration::from_secs(3600) };
        let millis = at.duration_since(crate::now()).as_millis().clamp(0, 3_600_000);
        // Rounded up, so that it does not fire just before its time.
        Duration::from_millis(u64::try_from(millis).unwrap_or(0) + 1)
    }

    fn fire_timers(&mut self) {
        let now = crate::now();
        while self.timers.peek().is_some_and(|Reverse((at, _))| *at <= now) {
            if let Some(Reverse((_, id))) = self.timers.pop() {
                self.step(&id, Event::Wake);
            }
        }
    }

    // Messages.

    fn take(&mut self, message: Message) {
        match message {
            // What a project forbids, or its windows, must be known before its Apps are looked at.
            Message::App(event) if !self.projects_known => self.early.push(event),
            Message::App(event) => self.take_app(event),
            Message::Project(event) => self.take_project(event),
            Message::Kinds => self.kinds_changed(),
            Message::Source(key, news) => self.take_source(&key, news),
            Message::Watched(gk, event) => self.take_watched(&gk, event),
            Message::Apps(sender) => {
                // Who asked may be gone.
                if sender.send(self.views()).is_err() {
                    tracing::trace!("nobody waits for the apps any more");
                }
            }
            Message::Stop => self.stopping = true,
        }
    }

    fn take_app(&mut self, event: WatchEvent) {
        match event {
            WatchEvent::Live(object) => self.app_changed(&object),
            WatchEvent::Gone(object) => self.app_gone(&AppId::new(object.namespace(), object.name())),
            WatchEvent::Synced { uids } => {
                let gone: Vec<AppId> = self
                    .apps
                    .iter()
                    .filter(|(_, entry)| !uids.contains(&entry.uid))
                    .map(|(id, _)| id.clone())
                    .collect();
                gone.iter().for_each(|id| self.app_gone(id));
            }
            WatchEvent::Failed(error) => tracing::warn!(%error, "the watch over Apps is interrupted"),
        }
    }

    fn app_changed(&mut self, object: &Object) {
        let id = AppId::new(object.namespace(), object.name());
        if self.settings.namespace.as_ref().is_some_and(|only| *only != id.namespace) {
            return;
        }
        let app = match perform::app_of(object) {
            Ok(app) => app,
            Err(error) => {
                tracing::warn!(app = %id, %error, "the App cannot be read");
                return;
            }
        };
        let meta = app.metadata.clone();
        let annotation = |name: &str| meta.annotations.get(name).cloned().unwrap_or_default();
        let (refresh, resources, confirm) =
            (annotation(REFRESH), annotation(SYNC_RESOURCES), annotation(CONFIRM_PRUNE));
        let finalizer = meta.finalizers.iter().any(|name| name == lockstep_api::FINALIZER);
        let deleting = meta.deletion_timestamp.is_some();
        let seen = Seen {
            generation: meta.generation,
            asked: [refresh.clone(), resources.clone(), confirm.clone()],
            deleting,
            finalizer,
        };
        let App { spec, status, .. } = app;
        let entry = self
            .apps
            .entry(id.clone())
            .or_insert_with(|| Entry::new(AppState::new(id.clone(), status), Arc::clone(&self.rules)));
        entry.uid = meta.uid;
        let created = meta.creation_timestamp.and_then(|time| time.parse::<Timestamp>().ok());
        entry.created = created.map_or(0, Timestamp::as_second);
        entry.version = meta.resource_version;
        entry.finalizers = meta.finalizers;
        if entry.seen.as_ref() == Some(&seen) {
            return;
        }
        entry.seen = Some(seen);
        let spec = Arc::new(spec);
        let again = entry.wanted.spec.health_rules != spec.health_rules && entry.wanted.generation > 0;
        for dependency in &spec.depends_on {
            let namespace = dependency.namespace.as_ref().unwrap_or(&id.namespace);
            let dependency = AppId::new(namespace, &dependency.name);
            self.dependents.entry(dependency).or_default().insert(id.clone());
        }
        self.listen(&id, source::sources_of(&spec.source, &id.namespace));
        let wanted = Wanted {
            spec,
            generation: meta.generation,
            refresh,
            resources,
            confirm,
            deleting,
            finalizer,
            ..Wanted::default()
        };
        self.tell_spec(&id, wanted);
        if again {
            self.judge_again(&id);
        }
        self.tell_last_news(&id);
    }

    /// Tells an App what is wanted, with what its project says.
    fn tell_spec(&mut self, id: &AppId, mut wanted: Wanted) {
        let project = self.projects.rules_for(id, &wanted.spec).unwrap_or_default();
        let own = wanted.spec.health_rules.iter().chain(&project.health_rules);
        let (rules, problems) = health_rules::over(&self.rules, own);
        wanted.windows = project.windows.into();
        wanted.problems = problems;
        let Some(entry) = self.apps.get_mut(id) else { return };
        entry.rules = rules;
        entry.wanted = wanted.clone();
        self.step(id, Event::Spec(Box::new(wanted)));
    }

    /// Judges an App's objects anew: its health rules are others than before.
    fn judge_again(&self, id: &AppId) {
        let Some(entry) = self.apps.get(id) else { return };
        for (key, record) in entry.state.inventory().iter() {
            let (key, version) = (key.clone(), record.version.clone());
            let (cluster, messages) = (self.cluster.clone(), self.messages.clone());
            tokio::spawn(async move {
                if let Ok(Some(object)) = cluster.live(&key, &version).await
                    && messages.send(Message::Watched(key.gk(), WatchEvent::Live(object))).await.is_err()
                {
                    tracing::trace!("the operator stops");
                }
            });
        }
    }

    fn app_gone(&mut self, id: &AppId) {
        let Some(entry) = self.apps.remove(id) else { return };
        self.sources.change(id, &entry.sources, &[]);
        self.claims.release(id);
        self.wake_dependents(id);
        self.claims_changed();
    }

    /// Objects became free: Apps that were refused because of them ask again.
    fn claims_changed(&mut self) {
        let refused: Vec<AppId> =
            self.apps.iter().filter(|(_, entry)| entry.state.waits_for_claim()).map(|(id, _)| id.clone()).collect();
        refused.iter().for_each(|id| self.step(id, Event::ClaimsChanged));
    }

    fn take_project(&mut self, event: WatchEvent) {
        match event {
            WatchEvent::Live(object) => {
                let id = AppId::new(object.namespace(), object.name());
                let project = serde_json::to_value(&object).and_then(serde_json::from_value::<lockstep_api::Project>);
                match project {
                    Ok(project) => self.projects.insert(id, project.spec),
                    Err(error) => tracing::warn!(project = %id, %error, "the Project cannot be read"),
                }
            }
            WatchEvent::Gone(object) => self.projects.remove(&AppId::new(object.namespace(), object.name())),
            WatchEvent::Synced { .. } => return self.take_early_apps(),
            WatchEvent::Failed(error) => {
                tracing::warn!(%error, "the watch over Projects is interrupted");
                // A kind that is not installed has no objects.
                if error.is_not_found() {
                    self.take_early_apps();
                }
                return;
            }
        }
        for id in self.apps.keys().cloned().collect::<Vec<_>>() {
            let Some(entry) = self.apps.get(&id) else { continue };
            let (wanted, before) = (entry.wanted.clone(), self.projects.rules_for(&id, &entry.wanted.spec).ok());
            let rules = before.map(|project| project.health_rules).unwrap_or_default();
            let again = entry.project_rules != rules;
            self.tell_spec(&id, wanted);
            if again && let Some(entry) = self.apps.get_mut(&id) {
                entry.project_rules = rules;
                self.judge_again(&id);
            }
            self.step(&id, Event::RulesChanged);
        }
    }

    /// The Projects are known: the Apps that came before are looked at.
    fn take_early_apps(&mut self) {
        self.projects_known = true;
        std::mem::take(&mut self.early).into_iter().for_each(|event| self.take_app(event));
    }

    /// The definitions of kinds changed: Apps that wait for a kind look again.
    fn kinds_changed(&mut self) {
        let waiting: Vec<AppId> =
            self.apps.iter().filter(|(_, entry)| entry.state.waits_for_kind()).map(|(id, _)| id.clone()).collect();
        if waiting.is_empty() {
            return;
        }
        let cluster = self.cluster.clone();
        self.tasks.spawn(async move {
            let seen = cluster.discovered();
            if let Err(error) = cluster.refresh_discovery(seen).await {
                tracing::warn!(%error, "the kinds of the cluster could not be asked for");
            }
            Answer::Nothing
        });
        waiting.iter().for_each(|id| self.step(id, Event::KindsChanged));
    }

    // Sources.

    fn listen(&mut self, id: &AppId, wanted: Vec<Listed>) {
        let Some(entry) = self.apps.get_mut(id) else { return };
        self.sources.change(id, &entry.sources, &wanted);
        entry.sources = wanted;
    }

    fn take_source(&mut self, key: &SourceKey, news: News) {
        self.sources.take(key, news).iter().for_each(|id| self.tell_last_news(id));
    }

    fn tell_last_news(&mut self, id: &AppId) {
        let Some(snapshot) = self.snapshot_of(id) else { return };
        let news = snapshot.map(|snapshot| snapshot.revision.clone());
        self.step(id, Event::Resolved(news));
    }

    fn snapshot_of(&self, id: &AppId) -> Option<News> {
        self.sources.last(&self.apps.get(id)?.sources)
    }

    // The live index.

    fn take_watched(&mut self, gk: &Gk, event: WatchEvent) {
        match event {
            WatchEvent::Live(object) => self.object_changed(object),
            WatchEvent::Gone(object) => self.object_gone(&object.key()),
            WatchEvent::Synced { uids } => {
                let gone = self.live.keys_of(gk, |live| !uids.contains(live.uid.as_str()));
                gone.iter().for_each(|key| self.object_gone(key));
                self.watches.synced(gk);
            }
            WatchEvent::Failed(_) => {}
        }
    }

    fn object_changed(&mut self, object: Object) {
        let key = object.key();
        let owner = self.owner_of(&key).and_then(|owner| self.apps.get(&owner));
        let rules = owner.map_or(&self.rules, |entry| &entry.rules);
        let live = Live::of(&object, rules, crate::now());
        if !self.live.insert(&key, live) {
            return;
        }
        if let Some(owner) = self.owner_of(&key) {
            self.step(&owner, Event::Live { key, object: Some(Arc::new(object)) });
        }
    }

    fn object_gone(&mut self, key: &ObjectKey) {
        let owner = self.owner_of(key);
        if self.live.remove(key).is_none() {
            return;
        }
        if let Some(owner) = owner {
            self.step(&owner, Event::Live { key: key.clone(), object: None });
        }
    }

    /// Finds whose an object is: the App that claims it, else the one that its label names.
    fn owner_of(&self, key: &ObjectKey) -> Option<AppId> {
        self.claims.owner(key).cloned().or_else(|| self.labelled(key))
    }

    /// Returns the App that an object's label names, if there is such an App.
    fn labelled(&self, key: &ObjectKey) -> Option<AppId> {
        let (namespace, name) = self.live.get(key)?.app.as_ref()?.split_once('.')?;
        Some(AppId::new(namespace, name)).filter(|id| self.apps.contains_key(id))
    }

    // Decisions and their effects.

    fn with_context<R>(&self, look: impl FnOnce(&Context<'_>) -> R) -> R {
        let dependency = |id: &AppId| self.facts_of(id);
        let saturated = self.cluster.is_saturated();
        look(&Context { saturated, now: crate::now(), random: self.random, live: &self.live, dependency: &dependency })
    }

    fn facts_of(&self, id: &AppId) -> Option<DependencyFacts> {
        let entry = self.apps.get(id)?;
        let nobody = |_: &AppId| None;
        let context = Context { saturated: false, now: crate::now(), random: 0, live: &self.live, dependency: &nobody };
        Some(entry.state.dependency_facts(&context))
    }

    fn step(&mut self, id: &AppId, event: Event) {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // The state is taken out while it decides, so that the others can be looked at.
        let Some(mut entry) = self.apps.remove(id) else { return };
        let watched = self.dependents.contains_key(id);
        let facts = |core: &Self, entry: &Entry| core.with_context(|context| entry.state.dependency_facts(context));
        let before = watched.then(|| facts(self, &entry));
        let recorded = entry.synced_or_failed();
        let effects = self.with_context(|context| entry.state.step(event, context));
        let after = watched.then(|| facts(self, &entry));
        if entry.synced_or_failed() != recorded {
            self.record_release(id, &entry);
        }
        self.apps.insert(id.clone(), entry);
        for effect in effects {
            self.perform(id, effect);
        }
        if before != after {
            self.wake_dependents(id);
        }
    }

    /// Writes Helm's record of a release that was synced or failed to, where it is kept.
    fn record_release(&mut self, id: &AppId, entry: &Entry) {
        let Some(record) = entry.kept.as_ref().and_then(|kept| kept.record.clone()) else { return };
        let (outcome, reason) = match entry.state.last_failure() {
            Some(failure) => (Outcome::Failed, failure.reason.clone()),
            None => (Outcome::Succeeded, String::new()),
        };
        let (app, cluster, now) = (id.clone(), self.cluster.clone(), crate::now().to_string());
        self.tasks.spawn(async move {
            let record = lockstep_render::ReleaseRecord::clone(&record);
            if let Err(error) = records::write(&cluster, record, outcome, &reason, &now).await {
                tracing::warn!(%app, %error, "the record of the release could not be written");
            }
            Answer::Nothing
        });
    }

    fn wake_dependents(&mut self, id: &AppId) {
        let dependents: Vec<AppId> = self.dependents.get(id).into_iter().flatten().cloned().collect();
        dependents.iter().for_each(|dependent| self.step(dependent, Event::Wake));
    }

    fn perform(&mut self, id: &AppId, effect: Effect) {
        let (cluster, app) = (self.cluster.clone(), id.clone());
        match effect {
            Effect::WakeAt(at) => self.timers.push(Reverse((at, app))),
            Effect::Status(status) => self.write_status(id, status),
            Effect::Notify(notice) => self.notify(id, notice),
            _ if self.stopping => {}
            Effect::Render { ticket, revision } => self.render(id, ticket, &revision),
            Effect::Apply { key, version, body, digest, options } => {
                let known = self.live.get(&key).map(|live| live.version);
                let rules = self.apps.get(id).map_or_else(|| Arc::clone(&self.rules), |entry| Arc::clone(&entry.rules));
                let apply = Apply { key, version, body, digest, options, known };
                self.tasks.spawn(async move { Answer::Event(app, perform::apply(cluster, rules, apply).await) });
            }
            Effect::Validate { key, version, body, options } => {
                let check = perform::validate(cluster, key, version, body, options);
                self.tasks.spawn(async move { Answer::Event(app, check.await) });
            }
            Effect::Explain { key, version, log } => {
                let explain =
                    tokio::time::timeout(EXPLAIN_WITHIN, explain::explain(cluster, key.clone(), version, log));
                self.tasks.spawn(async move {
                    let event = explain.await;
                    Answer::Event(app, event.unwrap_or(Event::Explained { key, reason: None, log: None }))
                });
            }
            Effect::Look { ticket, kinds } => {
                let watches = Arc::clone(&self.watches);
                self.tasks.spawn(async move {
                    watches.ensure(kinds, &cluster).await;
                    Answer::Event(app, Event::Looked { ticket })
                });
            }
            Effect::Delete { key, version, uid } => {
                self.tasks.spawn(async move { Answer::Event(app, perform::delete(cluster, key, version, uid).await) });
            }
            Effect::AddFinalizer | Effect::RemoveFinalizer => {
                let Some(entry) = self.apps.get(id) else { return };
                let (version, finalizers) = (entry.version.clone(), entry.finalizers.clone());
                let ours = effect == Effect::AddFinalizer;
                let release = entry.release_to_remove(id).filter(|_| !ours);
                self.tasks.spawn(async move {
                    if let Some((namespace, name)) = release
                        && let Err(error) = records::remove(&cluster, &namespace, &name).await
                    {
                        tracing::warn!(%app, %error, "the records of the release could not be removed");
                    }
                    match perform::set_finalizer(cluster, app.clone(), version, finalizers, ours).await {
                        true => Answer::Nothing,
                        false => Answer::FinalizerLost(app),
                    }
                });
            }
        }
    }

    fn render(&mut self, id: &AppId, ticket: Ticket, revision: &RevisionInfo) {
        let newest = self.snapshot_of(id).and_then(Result::ok);
        let newest = newest.filter(|snapshot| snapshot.revision.id == revision.id);
        let Some(entry) = self.apps.get(id) else { return };
        let spec = Arc::clone(entry.state.spec());
        let rules = self.projects.rules_for(id, &spec);
        let (kept, uid, created, name) = (entry.kept.clone(), entry.uid.clone(), entry.created, id.clone());
        let owned = entry.state.inventory().iter();
        let mut kinds: Vec<Gvk> = Vec::new();
        for (key, record) in owned {
            if !kinds.iter().any(|kind| kind.kind == key.kind && kind.group == key.group) {
                kinds.push(Gvk { group: key.group.clone(), version: record.version.clone(), kind: key.kind.clone() });
            }
        }
        let (app, renderer) = (id.clone(), Arc::clone(&self.renderer));
        let revision = revision.clone();
        self.tasks.spawn(async move {
            let snapshot = match newest {
                Some(snapshot) => Ok(snapshot),
                None => renderer.open(&spec.source, &name, &revision).await,
            };
            let done = match snapshot {
                Ok(snapshot) => {
                    let job = Job { id: name, uid, created, spec, rules, snapshot, kept };
                    renderer.perform(job, kinds).await
                }
                Err(problem) => Done::failed(problem, kept),
            };
            Answer::Rendered(app, ticket, done)
        });
    }

    fn take_answer(&mut self, answer: Answer) {
        match answer {
            Answer::Event(id, event) => {
                if let Event::Applied { key, result: Ok(live), .. } = &event {
                    self.live.insert(key, live.clone());
                }
                self.step(&id, event);
            }
            Answer::Rendered(id, ticket, done) => self.rendered(&id, ticket, done),
            Answer::StatusWritten(id, again) => self.status_written(&id, again),
            Answer::FinalizerLost(id) => self.look_again(id),
            Answer::Nothing => {}
        }
    }

    /// The App is decided about once more, as it is by then.
    fn look_again(&mut self, id: AppId) {
        if let Some(entry) = self.apps.get_mut(&id) {
            entry.seen = None;
            tokio::spawn(perform::look_again(self.cluster.clone(), id, self.messages.clone()));
        }
    }

    fn rendered(&mut self, id: &AppId, ticket: Ticket, done: Done) {
        let Some(entry) = self.apps.get_mut(id) else { return };
        entry.kept = done.kept;
        if done.rendered { &self.metrics.rendered } else { &self.metrics.kept }.inc();
        let claimed = match &done.result {
            Ok(prepared) => {
                let wanted: Vec<&ObjectKey> = prepared.desired.iter().map(|one| &one.key).collect();
                let mut claims = std::mem::take(&mut self.claims);
                let claimed = claims.replace(id, &wanted, |key| self.labelled(key));
                self.claims = claims;
                claimed
            }
            Err(_) => Claimed::default(),
        };
        self.step(id, Event::Rendered { ticket, result: done.result, conflicts: claimed.conflicts });
        if claimed.released {
            self.claims_changed();
        }
    }

    fn write_status(&mut self, id: &AppId, status: Box<AppStatus>) {
        let Some(entry) = self.apps.get_mut(id) else { return };
        if entry.writing {
            entry.pending = Some(status);
            return;
        }
        entry.writing = true;
        let (app, cluster) = (id.clone(), self.cluster.clone());
        self.tasks.spawn(async move {
            let again = perform::write_status(cluster, app.clone(), status).await;
            Answer::StatusWritten(app, again)
        });
    }

    fn status_written(&mut self, id: &AppId, again: bool) {
        let Some(entry) = self.apps.get_mut(id) else { return };
        entry.writing = false;
        if let Some(status) = entry.pending.take() {
            self.write_status(id, status);
        } else if again {
            entry.state.status_lost(crate::now());
            self.step(id, Event::Wake);
        }
    }

    fn notify(&mut self, id: &AppId, notice: Notice) {
        let now = crate::now();
        if notice.warning {
            tracing::warn!(app = %id, reason = notice.reason, "{}", notice.message);
        } else {
            tracing::info!(app = %id, reason = notice.reason, "{}", notice.message);
        }
        self.metrics.tell(notice.reason);
        // A repair is told together with its drift; one event is enough.
        if notice.reason != "DriftRepaired" && !self.stopping {
            let uid = self.apps.get(id).map(|entry| entry.uid.clone()).unwrap_or_default();
            let written = notices::write_event(self.cluster.clone(), id.clone(), uid, notice.clone(), now);
            self.tasks.spawn(async move {
                written.await;
                Answer::Nothing
            });
        }
        // Nobody may be listening.
        if self.told.send(Told { time: now, app: id.clone(), notice }).is_err() {
            tracing::trace!("nobody listens to notices");
        }
    }

    fn views(&self) -> Vec<AppView> {
        let mut views: Vec<AppView> = self.with_context(|context| {
            let view = |(id, entry): (&AppId, &Entry)| AppView {
                id: id.clone(),
                spec: Arc::clone(entry.state.spec()),
                status: entry.state.facts(context),
                objects: entry.state.inventory().len(),
            };
            self.apps.iter().map(view).collect()
        });
        views.sort_by(|a, b| a.id.cmp(&b.id));
        views
    }
}

impl Entry {
    /// What changes when a sync ends.
    fn synced_or_failed(&self) -> (u64, Option<String>) {
        (self.state.synced_digest(), self.state.last_failure().map(|failure| failure.started.clone()))
    }

    /// Returns namespace and name of the release whose records go with the App.
    fn release_to_remove(&self, id: &AppId) -> Option<(String, String)> {
        let spec = self.state.spec();
        let helm = spec.source.helm.as_ref().filter(|helm| helm.release_record)?;
        let namespace = spec.destination.namespace.as_ref().unwrap_or(&id.namespace);
        let gone = spec.sync.deletion == Deletion::Delete;
        gone.then(|| (namespace.clone(), source::release_name(Some(helm), &id.name)))
    }

    fn new(state: AppState, rules: Arc<Rules>) -> Self {
        Self {
            state,
            wanted: Wanted::default(),
            rules,
            project_rules: Vec::new(),
            uid: String::new(),
            created: 0,
            version: String::new(),
            finalizers: Vec::new(),
            seen: None,
            sources: Vec::new(),
            kept: None,
            writing: false,
            pending: None,
        }
    }
}
