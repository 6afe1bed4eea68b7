//! The one task that owns all state: takes messages, lets the engine decide, has the effects performed.

use std::{collections::HashMap, sync::Arc, time::Duration};

use lockstep_api::{API_VERSION, App, AppSpec, CONFIRM_PRUNE, Deletion, HealthRule, Outcome, REFRESH, SYNC_RESOURCES};
use lockstep_cluster::{Cluster, Resource, Watch, WatchEvent};
use lockstep_engine::{
    AppId, AppState, Effect, Event, Fleet, Live, Notice, ProjectRules, RevisionInfo, Scope, Stored, Ticket, Wanted,
};
use lockstep_health::Rules;
use lockstep_object::{Gk, Gvk, Object};
use tokio::{
    sync::{broadcast, mpsc, oneshot},
    task::{AbortHandle, JoinSet},
};

use crate::{
    AppView, Handle, Settings, Told, explain,
    follow::Fetchers,
    health_rules,
    listening::{Listening, News},
    metrics::Metrics,
    notices,
    perform::{self, Apply, Delete},
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
    StatusWritten(AppId, Option<u64>),
    FinalizerLost(AppId),
    Nothing,
}

/// What belongs to an App outside the engine.
#[derive(Default)]
struct Entry {
    uid: String,
    /// When the App was made, in seconds since 1970.
    created: i64,
    version: String,
    finalizers: Vec<String>,
    /// The App's and its project's health rules.
    health_rules: Vec<HealthRule>,
    sources: Vec<Listed>,
    kept: Option<Kept>,
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
    fleet: Fleet,
    apps: HashMap<AppId, Entry>,
    projects: Projects,
    projects_known: bool,
    /// News of Apps from before the Projects were known.
    early: Vec<WatchEvent>,
    sources: Listening,
    tasks: JoinSet<Answer>,
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
            fleet: Fleet::new(u64::from(std::process::id()) ^ 0x9e37_79b9_7f4a_7c15),
            apps: HashMap::new(),
            projects: Projects::default(),
            projects_known: false,
            early: Vec::new(),
            sources: Listening::new(fetchers, handle.messages.clone()),
            tasks: JoinSet::new(),
            stopping: false,
        }
    }

    /// Runs until it is told to stop and nothing is in flight.
    pub(crate) async fn run(mut self, mut inbox: mpsc::Receiver<Message>) {
        let followers = self.follow_resources();
        while !(self.stopping && self.tasks.is_empty()) {
            let wait = self.until_next_timer();
            self.fleet.set_saturated(self.cluster.is_saturated());
            tokio::select! {
                Some(answer) = self.tasks.join_next() => match answer {
                    Ok(answer) => self.take_answer(answer),
                    Err(error) => tracing::error!(%error, "an effect ended without an answer"),
                },
                message = inbox.recv() => match message {
                    Some(message) => self.take(message),
                    None => self.stopping = true,
                },
                () = tokio::time::sleep(wait) => self.fleet.wake_due(crate::now()),
            }
            for id in self.fleet.take_synced_or_failed() {
                self.record_release(&id);
            }
            for (id, effect) in self.fleet.take_effects() {
                self.perform(&id, effect);
            }
        }
        self.write_last_statuses().await;
        followers.into_iter().for_each(|task| task.abort());
        self.sources.end();
    }

    /// Writes what nobody has waited long enough for, so that the next operator begins where this one ends.
    async fn write_last_statuses(&mut self) {
        for (id, status) in self.fleet.unwritten(crate::now()) {
            let cluster = self.cluster.clone();
            self.tasks.spawn(async move {
                perform::write_status(cluster, id, Box::new(status)).await;
                Answer::Nothing
            });
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
        let Some(at) = self.fleet.next_wake() else { return Duration::from_secs(3600) };
        let millis = at.duration_since(crate::now()).as_millis().clamp(0, 3_600_000);
        // Rounded up, so that it does not fire just before its time.
        Duration::from_millis(u64::try_from(millis).unwrap_or(0) + 1)
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
            WatchEvent::Synced { uids, .. } => self.fleet.missing_of(&uids).iter().for_each(|id| self.app_gone(id)),
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
        let App { spec, status, .. } = app;
        let spec = Arc::new(spec);
        let wanted = Wanted {
            spec: Arc::clone(&spec),
            generation: meta.generation,
            refresh: annotation(REFRESH),
            resources: annotation(SYNC_RESOURCES),
            confirm: annotation(CONFIRM_PRUNE),
            deleting: meta.deletion_timestamp.is_some(),
            finalizer: meta.finalizers.iter().any(|name| name == lockstep_api::FINALIZER),
            ..Wanted::default()
        };
        let first = !self.apps.contains_key(&id);
        let rules = self.project_rules(&id, &spec);
        let entry = self.apps.entry(id.clone()).or_default();
        entry.uid.clone_from(&meta.uid);
        let created = meta.creation_timestamp.and_then(|time| time.parse::<jiff::Timestamp>().ok());
        entry.created = created.map_or(0, jiff::Timestamp::as_second);
        entry.version = meta.resource_version;
        entry.finalizers = meta.finalizers;
        let stored = Stored { uid: meta.uid, version: Live::version_of(object), status };
        if !self.fleet.see_app(&id, stored, wanted, rules, crate::now()) {
            return;
        }
        self.listen(&id, source::sources_of(&spec.source, &id.namespace));
        self.judge_again_if_changed(&id, &spec, first);
        self.tell_last_news(&id);
    }

    /// Returns what an App's project says about it, and how its objects are judged.
    fn project_rules(&self, id: &AppId, spec: &AppSpec) -> ProjectRules {
        let project = self.projects.rules_for(id, spec).unwrap_or_default();
        let own = spec.health_rules.iter().chain(&project.health_rules);
        let (health, problems) = health_rules::over(&self.rules, own);
        ProjectRules { health, windows: project.windows.into(), problems }
    }

    /// Judges an App's objects anew if its health rules are others than before.
    fn judge_again_if_changed(&mut self, id: &AppId, spec: &AppSpec, first: bool) {
        let project = self.projects.rules_for(id, spec).unwrap_or_default();
        let rules: Vec<HealthRule> = spec.health_rules.iter().chain(&project.health_rules).cloned().collect();
        let Some(entry) = self.apps.get_mut(id) else { return };
        let before = std::mem::replace(&mut entry.health_rules, rules);
        if first || before == entry.health_rules {
            return;
        }
        let Some(state) = self.fleet.app(id) else { return };
        for (key, record) in state.inventory().iter() {
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
        self.fleet.forget_app(id, crate::now());
    }

    fn take_project(&mut self, event: WatchEvent) {
        let id = match event {
            WatchEvent::Live(object) => {
                let id = AppId::new(object.namespace(), object.name());
                let project = serde_json::to_value(&object).and_then(serde_json::from_value::<lockstep_api::Project>);
                match project {
                    Ok(project) => self.projects.insert(id.clone(), project.spec),
                    Err(error) => tracing::warn!(project = %id, %error, "the Project cannot be read"),
                }
                id
            }
            WatchEvent::Gone(object) => {
                let id = AppId::new(object.namespace(), object.name());
                self.projects.remove(&id);
                id
            }
            WatchEvent::Synced { .. } => return self.take_early_apps(),
            WatchEvent::Failed(error) => {
                tracing::warn!(%error, "the watch over Projects is interrupted");
                // A kind that is not installed has no objects.
                if error.is_not_found() {
                    self.take_early_apps();
                }
                return;
            }
        };
        let of_project = |app: &AppId, spec: &AppSpec| Projects::of(app, spec) == id;
        let apps = self.fleet.apps().filter(|(app, state)| of_project(app, state.spec()));
        let apps: Vec<(AppId, Arc<AppSpec>)> =
            apps.map(|(app, state)| (app.clone(), Arc::clone(state.spec()))).collect();
        for (id, spec) in apps {
            self.fleet.rules_changed(&id, self.project_rules(&id, &spec), crate::now());
            self.judge_again_if_changed(&id, &spec, false);
        }
    }

    /// The Projects are known: the Apps that came before are looked at.
    fn take_early_apps(&mut self) {
        self.projects_known = true;
        std::mem::take(&mut self.early).into_iter().for_each(|event| self.take_app(event));
    }

    /// The definitions of kinds changed: Apps that wait for a kind look again.
    fn kinds_changed(&mut self) {
        if !self.fleet.kinds_changed(crate::now()) {
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
        self.fleet.resolved(id, news, crate::now());
    }

    fn snapshot_of(&self, id: &AppId) -> Option<News> {
        self.sources.last(&self.apps.get(id)?.sources)
    }

    // The live index.

    fn take_watched(&mut self, gk: &Gk, event: WatchEvent) {
        match event {
            WatchEvent::Live(object) => self.fleet.object_changed(object, &self.rules, crate::now()),
            WatchEvent::Gone(object) => self.fleet.object_gone(&object, crate::now()),
            WatchEvent::Synced { uids, version } => {
                self.fleet.kind_listed(gk, &uids, version, crate::now());
                self.watches.synced(gk);
            }
            WatchEvent::Failed(_) => {}
        }
    }

    // Effects and their answers.

    /// Writes Helm's record of a release that was synced or failed to, where it is kept.
    fn record_release(&mut self, id: &AppId) {
        let (Some(entry), Some(state)) = (self.apps.get(id), self.fleet.app(id)) else { return };
        let Some(record) = entry.kept.as_ref().and_then(|kept| kept.record.clone()) else { return };
        let (outcome, reason) = match state.last_failure() {
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

    fn perform(&mut self, id: &AppId, effect: Effect) {
        let (cluster, app) = (self.cluster.clone(), id.clone());
        match effect {
            // The fleet keeps the timers.
            Effect::WakeAt(_) => {}
            Effect::Status(status) => {
                self.tasks.spawn(async move {
                    let version = perform::write_status(cluster, app.clone(), status).await;
                    Answer::StatusWritten(app, version)
                });
            }
            Effect::Notify(notice) => self.notify(id, notice),
            _ if self.stopping => {}
            Effect::Render { ticket, revision } => self.render(id, ticket, &revision),
            Effect::Apply { key, version, body, digest, options } => {
                let known = self.fleet.live().get(&key).map(|live| live.version);
                let rules = Arc::clone(self.fleet.rules_of(id).unwrap_or(&self.rules));
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
            Effect::Delete { key, version, uid, seen } => {
                let delete = Delete { key, version, uid, seen, label: id.label() };
                self.tasks.spawn(async move { Answer::Event(app, perform::delete(cluster, delete).await) });
            }
            Effect::AddFinalizer | Effect::RemoveFinalizer => {
                let Some(entry) = self.apps.get(id) else { return };
                let (version, finalizers) = (entry.version.clone(), entry.finalizers.clone());
                let ours = effect == Effect::AddFinalizer;
                let release = self.fleet.app(id).and_then(|state| release_to_remove(state, id)).filter(|_| !ours);
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
        let (Some(entry), Some(state)) = (self.apps.get(id), self.fleet.app(id)) else { return };
        let spec = Arc::clone(state.spec());
        let rules = self.projects.rules_for(id, &spec);
        let (kept, uid, created, name) = (entry.kept.clone(), entry.uid.clone(), entry.created, id.clone());
        let owned = state.inventory().iter();
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
            Answer::Event(id, event) => self.fleet.answered(&id, event, crate::now()),
            Answer::Rendered(id, ticket, done) => self.rendered(&id, ticket, done),
            Answer::StatusWritten(id, version) => self.fleet.status_written(&id, version, crate::now()),
            Answer::FinalizerLost(id) => self.look_again(id),
            Answer::Nothing => {}
        }
    }

    /// The App is decided about once more, as it is by then.
    fn look_again(&mut self, id: AppId) {
        if self.apps.contains_key(&id) {
            self.fleet.look_again(&id);
            tokio::spawn(perform::look_again(self.cluster.clone(), id, self.messages.clone()));
        }
    }

    fn rendered(&mut self, id: &AppId, ticket: Ticket, done: Done) {
        let Some(entry) = self.apps.get_mut(id) else { return };
        entry.kept = done.kept;
        if done.rendered { &self.metrics.rendered } else { &self.metrics.kept }.inc();
        self.fleet.rendered(id, ticket, done.result, crate::now());
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
        let now = crate::now();
        let view = |(id, state): (&AppId, &AppState)| {
            Some(AppView {
                id: id.clone(),
                spec: Arc::clone(state.spec()),
                status: self.fleet.status(id, now)?,
                objects: state.inventory().len(),
            })
        };
        self.fleet.apps().filter_map(view).collect()
    }
}

/// Returns namespace and name of the release whose records go with the App.
fn release_to_remove(state: &AppState, id: &AppId) -> Option<(String, String)> {
    let spec = state.spec();
    let helm = spec.source.helm.as_ref().filter(|helm| helm.release_record)?;
    let namespace = spec.destination.namespace.as_ref().unwrap_or(&id.namespace);
    let gone = spec.sync.deletion == Deletion::Delete;
    gone.then(|| (namespace.clone(), source::release_name(Some(helm), &id.name)))
}
