//! The state of one App.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use jiff::Timestamp;
use lockstep_api::{AppSpec, AppStatus, Drift, HistoryEntry, Outcome, Source, SyncWindow};
use lockstep_object::{Object, ObjectKey};

use crate::{
    AppId, Context, DependencyFacts, Desired, Effect, Event, HookPhase, Inventory, Prepared, Problem, ProblemKind,
    RevisionInfo, Ticket, drift::Repairs, rules::SpecRules, run::Run,
};

/// How many syncs and repairs the status remembers.
const REMEMBERED: usize = 10;

/// The state of one App: everything that its decisions depend on, beside the live index.
#[derive(Debug)]
pub struct AppState {
    /// What names it.
    pub(crate) id: AppId,
    /// The value of the label on its objects.
    pub(crate) label: String,
    /// What is wanted.
    pub(crate) spec: Arc<AppSpec>,
    pub(crate) generation: i64,
    pub(crate) finalizer: bool,
    pub(crate) deleting: bool,
    /// The annotation that asks for a sync, and the last value that was served.
    pub(crate) refresh: String,
    pub(crate) refreshed: String,
    /// The annotation with the objects that the sync asked for is about.
    pub(crate) resources: String,
    /// The annotation that agrees to a prune, and the word that agrees to what was last planned.
    pub(crate) confirm: String,
    pub(crate) asks: String,
    /// The rules of the spec, and the windows of the project that they were read with.
    pub(crate) rules: Arc<SpecRules>,
    pub(crate) project_windows: Arc<[SyncWindow]>,
    /// How many syncs that owed hooks have ended.
    pub(crate) runs: u64,
    /// As many of them are known to be recorded in the cluster.
    pub(crate) recorded: u64,
    /// The digest of a sync that owed hooks and was superseded before it ended.
    pub(crate) superseded: Option<u64>,
    /// The revision that an atomic App went back from.
    pub(crate) held: String,
    /// Whether the App is deleted with hooks.
    pub(crate) deletion_hooks: bool,
    /// Objects that drifted while a sync was under way.
    pub(crate) missed: BTreeMap<ObjectKey, Option<Arc<Object>>>,
    /// The revision whose files were looked at while no window was open.
    pub(crate) looked_at: String,
    /// The newest revision of the source.
    pub(crate) target: Option<RevisionInfo>,
    /// What the source said when it could not be asked.
    pub(crate) source_problem: Option<Problem>,
    /// The objects of the revision that was last rendered well.
    pub(crate) prepared: Arc<Prepared>,
    pub(crate) by_key: HashMap<ObjectKey, usize>,
    /// The revision of `prepared`.
    pub(crate) rendered: Option<RevisionInfo>,
    /// The revision that the cluster has, and the digest of its objects.
    pub(crate) synced: Option<RevisionInfo>,
    pub(crate) synced_digest: u64,
    /// The last revision that changed this App's objects: a commit that leaves them alone costs no write.
    pub(crate) shown: Option<RevisionInfo>,
    pub(crate) activity: Activity,
    pub(crate) ticket: Ticket,
    pub(crate) inventory: Inventory,
    /// Applies without an answer, also those of a run that was superseded.
    pub(crate) in_flight: BTreeMap<ObjectKey, Applying>,
    /// Hooks whose last apply had no answer: whether their objects were made, nobody knows.
    pub(crate) unanswered: BTreeSet<ObjectKey>,
    pub(crate) problem: Option<Problem>,
    /// What people should know though it stops nothing.
    pub(crate) remarks: Vec<String>,
    pub(crate) failures: u32,
    pub(crate) retry_at: Option<Timestamp>,
    pub(crate) repairs: HashMap<ObjectKey, Repairs>,
    pub(crate) repair_at: BTreeMap<ObjectKey, Timestamp>,
    pub(crate) history: VecDeque<HistoryEntry>,
    pub(crate) drift: VecDeque<Drift>,
    /// The status as last written, and when the next one is due.
    pub(crate) written: AppStatus,
    pub(crate) status_due: Option<Timestamp>,
    /// The last `WakeAt` that was asked for and has not come.
    pub(crate) wake_at: Option<Timestamp>,
}

/// What is being done about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Applying {
    /// A sync applies it.
    Sync,
    /// Drift is set back, seen at this time.
    Repair(Timestamp),
}

/// What the App is doing.
#[derive(Debug, Default)]
pub(crate) enum Activity {
    /// Nothing; it sleeps.
    #[default]
    Idle,
    /// It waits for its dependencies or for a window.
    Waiting(Wait),
    /// Its files are being rendered.
    Rendering(Ticket, RevisionInfo),
    /// A sync is under way.
    Running(Box<Run>),
    /// Its objects are being deleted.
    Deleting(Deleting),
}

/// What an App waits for before a sync.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    pub(crate) reason: &'static str,
    pub(crate) words: String,
    pub(crate) since: Timestamp,
    /// Whether people were told that it takes long.
    pub(crate) told: bool,
}

/// How far the deletion is.
#[derive(Debug)]
pub(crate) enum Deleting {
    /// It begins, or begins again after a pause.
    Begin,
    /// Its hooks are being rendered.
    Rendering(Ticket, RevisionInfo),
    /// What is there is being looked at.
    Looking(Ticket),
    /// A person's word is awaited; what it is asked for.
    Asking(String),
    /// Hooks run and objects go.
    Running(Box<Run>),
    /// Nothing of it is left.
    Done,
}

impl AppState {
    /// Returns the state of an App as its status tells: a restarted operator goes on from there.
    pub fn new(id: AppId, status: AppStatus) -> Self {
        let label = id.label();
        let revision =
            |id: &str| (!id.is_empty()).then(|| RevisionInfo { id: id.to_owned(), ..RevisionInfo::default() });
        let last = status.history.iter().find(|entry| entry.revision == status.revision);
        let synced = revision(&status.revision).map(|mut revision| {
            if let Some(entry) = last {
                revision.author = entry.author.clone();
                revision.message = entry.message.clone();
            }
            revision
        });
        Self {
            id,
            label,
            spec: Arc::default(),
            generation: 0,
            finalizer: false,
            deleting: false,
            refresh: String::new(),
            refreshed: status.last_refresh.clone(),
            resources: String::new(),
            confirm: String::new(),
            asks: status.asks.clone(),
            rules: Arc::default(),
            project_windows: Arc::default(),
            runs: status.runs,
            recorded: status.runs,
            superseded: None,
            held: status.held_revision.clone(),
            deletion_hooks: status.deletion_hooks,
            missed: BTreeMap::new(),
            looked_at: String::new(),
            target: None,
            source_problem: None,
            prepared: Arc::default(),
            by_key: HashMap::new(),
            rendered: None,
            shown: synced.clone(),
            synced,
            synced_digest: u64::from_str_radix(&status.digest, 16).unwrap_or_default(),
            activity: Activity::Idle,
            ticket: 0,
            inventory: Inventory::parse(&status.inventory),
            in_flight: BTreeMap::new(),
            unanswered: BTreeSet::new(),
            problem: None,
            remarks: Vec::new(),
            failures: 0,
            retry_at: None,
            repairs: HashMap::new(),
            repair_at: BTreeMap::new(),
            history: status.history.iter().cloned().collect(),
            drift: status.drift.iter().cloned().collect(),
            written: status,
            status_due: None,
            wake_at: None,
        }
    }

    /// Returns what names the App.
    pub fn id(&self) -> &AppId {
        &self.id
    }

    /// Returns what is wanted.
    pub fn spec(&self) -> &Arc<AppSpec> {
        &self.spec
    }

    /// Returns what the App owns.
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// Returns the digest of the objects that were last synced whole; 0 before the first time.
    pub fn synced_digest(&self) -> u64 {
        self.synced_digest
    }

    /// Returns the last sync, where it failed.
    pub fn last_failure(&self) -> Option<&HistoryEntry> {
        self.history.front().filter(|last| last.outcome == Outcome::Failed)
    }

    /// Returns the keys of the objects that it wants, owned or not yet.
    pub fn desired_keys(&self) -> impl Iterator<Item = &ObjectKey> {
        self.prepared.desired.iter().map(|one| &one.key)
    }

    /// Tells whether these are the objects that it wants.
    pub(crate) fn wants(&self, prepared: &Arc<Prepared>) -> bool {
        Arc::ptr_eq(&self.prepared, prepared)
    }

    /// Tells whether nothing is under way.
    pub fn is_idle(&self) -> bool {
        matches!(self.activity, Activity::Idle) && self.in_flight.is_empty()
    }

    /// Tells whether a sync is under way.
    pub fn is_syncing(&self) -> bool {
        matches!(self.activity, Activity::Running(_))
    }

    /// Tells whether the deletion of the App was asked for.
    pub fn is_deleting(&self) -> bool {
        self.deleting
    }

    /// Tells whether the last sync went well, with objects of this digest, and none is asked for since.
    pub fn is_synced_to(&self, digest: u64) -> bool {
        let asked = !self.refresh.is_empty() && self.refresh != self.refreshed;
        self.synced.is_some() && self.synced_digest == digest && self.problem.is_none() && !asked
    }

    /// Tells whether something went wrong that was not mended since.
    pub fn has_failed(&self) -> bool {
        self.problem.is_some()
    }

    /// Returns the annotation that asks for a sync.
    pub fn refresh(&self) -> &str {
        &self.refresh
    }

    /// Tells whether an apply of this object has no answer yet.
    pub(crate) fn awaits(&self, key: &ObjectKey) -> bool {
        self.in_flight.contains_key(key)
    }

    /// Walks the objects whose apply has no answer yet.
    pub(crate) fn awaited(&self) -> impl Iterator<Item = &ObjectKey> {
        self.in_flight.keys()
    }

    /// Tells whether a kind is missing that the App needs.
    pub fn waits_for_kind(&self) -> bool {
        self.problem.as_ref().is_some_and(|problem| problem.kind == ProblemKind::UnknownKind)
    }

    /// Tells whether another App has an object that this one wants.
    pub fn waits_for_claim(&self) -> bool {
        self.problem.as_ref().is_some_and(|problem| problem.kind == ProblemKind::Claimed)
    }

    /// Tells whether `facts` say more than what was last written.
    pub fn is_behind(&self, facts: &AppStatus) -> bool {
        (self.status_due.is_some() || self.written != *facts) && !self.is_finding_its_feet() && !self.deleting
    }

    /// Tells whether this is a restart of which nothing is known yet: what was written still stands.
    pub(crate) fn is_finding_its_feet(&self) -> bool {
        let known = self.synced.is_some() && self.written.observed_generation == self.generation;
        let started = self.rendered.is_some() || self.problem.is_some() || self.source_problem.is_some();
        known && !started && !self.deleting && !self.spec.suspend
    }

    /// Tells whether this is the status that was written last.
    pub(crate) fn is_written(&self, status: &AppStatus) -> bool {
        self.written == *status
    }

    /// The last status did not reach the cluster: it is written again in a second.
    pub fn status_lost(&mut self, now: Timestamp) {
        self.written = AppStatus { conditions: self.written.conditions.clone(), ..AppStatus::default() };
        self.status_due = Some(now + jiff::SignedDuration::from_secs(1));
    }

    /// Decides: takes an event, returns what is to be done.
    pub fn step(&mut self, event: Event, context: &Context<'_>) -> Vec<Effect> {
        crate::step::step(self, event, context)
    }

    /// Returns what others who depend on this App may know.
    pub fn dependency_facts(&self, context: &Context<'_>) -> DependencyFacts {
        DependencyFacts {
            ready: crate::facts::is_ready(self, context),
            phase: crate::facts::phase_of(self, context).0,
            health: crate::facts::worst(self, context).0,
            source: source_name(&self.spec),
            revision: self.synced.as_ref().map(|revision| revision.id.clone()).unwrap_or_default(),
        }
    }

    /// Returns the status: everything there is to say about the App.
    pub fn facts(&self, context: &Context<'_>) -> AppStatus {
        crate::facts::facts(self, context)
    }

    pub(crate) fn desired(&self, key: &ObjectKey) -> Option<&Desired> {
        self.by_key.get(key).map(|place| &self.prepared.desired[*place])
    }

    pub(crate) fn set_prepared(&mut self, prepared: Arc<Prepared>, revision: RevisionInfo) {
        let on_deletion = |phase: &HookPhase| matches!(phase, HookPhase::PreDelete | HookPhase::PostDelete);
        let hooks = prepared.desired.iter().filter_map(|one| one.hook.as_ref());
        self.deletion_hooks = hooks.flat_map(|hook| &hook.phases).any(on_deletion);
        self.by_key = prepared.desired.iter().enumerate().map(|(place, one)| (one.key.clone(), place)).collect();
        self.prepared = prepared;
        self.rendered = Some(revision);
    }

    pub(crate) fn remember_sync(&mut self, entry: HistoryEntry) {
        self.history.push_front(entry);
        self.history.truncate(REMEMBERED);
    }

    pub(crate) fn remember_drift(&mut self, drift: Drift) {
        self.drift.push_front(drift);
        self.drift.truncate(REMEMBERED);
    }
}

/// Names the source, to tell whether two Apps share it.
pub(crate) fn source_name(spec: &AppSpec) -> String {
    let reference = |text: &Option<String>| text.clone().unwrap_or_default();
    match &spec.source {
        Source { git: Some(git), .. } => format!("{}@{}", git.url, reference(&git.reference)),
        Source { chart: Some(chart), .. } => format!("{}/{}@{}", chart.repo, chart.name, chart.version),
        Source { oci: Some(oci), .. } => format!("{}@{}", oci.url, reference(&oci.reference)),
        Source { folder: Some(folder), .. } => folder.root.clone(),
        Source { .. } => String::new(),
    }
}
