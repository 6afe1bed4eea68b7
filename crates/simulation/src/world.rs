//! The made-up world: one queue of what happens when, and everybody who takes part.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use lockstep_api::{AppStatus, REFRESH};
use lockstep_engine::{AppId, Effect, Event, Wanted};
use lockstep_object::ObjectKey;

use crate::{
    Faults, Limits,
    cluster::Cluster,
    operator::{Operator, Sent},
    promises::Promises,
    scene::Scene,
    story::Story,
};

/// How long the world goes on after the last fault: the longest pauses of the engine fit in many times.
const AFTERWARDS: i64 = 3 * 3600;
/// In the last part of it nobody may ask the cluster for anything.
const QUIET: i64 = 3600;
/// A world that has so many events does not end.
const MOST_EVENTS: u64 = 200_000;

/// What happens at some time.
#[derive(Debug)]
pub(crate) enum What {
    /// A request of the operator reaches the server, or is lost.
    Arrive(u64, Box<Sent>),
    /// The operator of this life is told something.
    Tell(u64, Box<Tell>),
    /// The operator of this life reads its watch of a kind.
    Read(u64, lockstep_object::Gk),
    /// The controllers of the cluster move an object on, if it is still the same.
    Controllers { key: ObjectKey, uid: String, generation: i64 },
    /// People push the next commit.
    Commit,
    /// Somebody changes the cluster by hand.
    Meddle,
    /// People change an App: its annotation, its suspension, its existence.
    People,
    /// The operator is killed and starts again.
    Restart,
    /// The faults end.
    Calm,
}

/// What the operator is told.
#[derive(Debug)]
pub(crate) enum Tell {
    App(AppId),
    Resolved,
    Rendered(AppId, u64, usize),
    Answer(AppId, Box<Event>),
    StatusWritten(AppId, Option<u64>),
    FinalizerLost(AppId),
    Looked(AppId, u64, Vec<lockstep_object::Gk>),
}

/// An App as the cluster stores it.
#[derive(Clone, Debug)]
pub(crate) struct StoredApp {
    pub(crate) uid: String,
    pub(crate) seen: Wanted,
    pub(crate) spec: lockstep_api::AppSpec,
    pub(crate) status: AppStatus,
    pub(crate) version: u64,
}

/// The world.
pub(crate) struct World {
    pub(crate) limits: Limits,
    pub(crate) scene: Scene,
    pub(crate) cluster: Cluster,
    pub(crate) apps: BTreeMap<AppId, StoredApp>,
    pub(crate) operator: Operator,
    pub(crate) promises: Promises,
    pub(crate) story: Story,
    pub(crate) now: Timestamp,
    /// The place of the newest commit.
    pub(crate) head: usize,
    pub(crate) calm: bool,
    /// Draws for each who takes part, so that leaving one out leaves the others as they were.
    pub(crate) dice: Dice,
    /// Objects that are nobody's business, as they were made.
    pub(crate) foreign: BTreeMap<ObjectKey, String>,
    queue: BTreeMap<(Timestamp, u64), What>,
    serial: u64,
}

/// Draws for each who takes part.
pub(crate) struct Dice {
    pub(crate) network: Rng,
    pub(crate) faults: Rng,
    pub(crate) health: Rng,
    pub(crate) meddler: Rng,
    pub(crate) people: Rng,
}

impl World {
    pub(crate) fn new(seed: u64, limits: &Limits, wanted: bool) -> Self {
        let begun = Timestamp::from_second(1_800_000_000).unwrap_or_default();
        let mut rng = Rng::with_seed(seed);
        let mut fork = || Rng::with_seed(rng.u64(..));
        let mut of_scene = fork();
        let scene = Scene::new(&mut of_scene, limits.apps, limits.commits);
        let dice = Dice { network: fork(), faults: fork(), health: fork(), meddler: fork(), people: fork() };
        let mut world = Self {
            limits: limits.clone(),
            cluster: Cluster::new(seed, begun),
            apps: BTreeMap::new(),
            operator: Operator::new(0, seed),
            promises: Promises::default(),
            story: Story::new(wanted, begun),
            now: begun,
            head: 0,
            calm: false,
            dice,
            foreign: BTreeMap::new(),
            queue: BTreeMap::new(),
            serial: 0,
            scene,
        };
        world.set_up();
        world
    }

    /// Fills the calendar: commits, hands on the cluster, restarts, and the end of all that.
    fn set_up(&mut self) {
        let apps = self.scene.apps.clone();
        for (place, (id, spec)) in apps.into_iter().enumerate() {
            self.apps.insert(id.clone(), StoredApp::new(format!("app-{place}"), spec));
        }
        let mut last = 0;
        for _ in 1..self.scene.commits.len() {
            // Often while the sync before is under way, sometimes long after.
            last += if self.dice.people.bool() {
                self.dice.people.i64(1_000..20_000)
            } else {
                self.dice.people.i64(20_000..400_000)
            };
            self.after(last, What::Commit);
        }
        let end = last + self.dice.people.i64(10_000..300_000);
        let Faults { meddling, restarts, people, .. } = self.limits.faults;
        for (wanted, most, what) in
            [(meddling, 8, || What::Meddle), (people, 3, || What::People), (restarts, 4, || What::Restart as _)]
                as [(bool, usize, fn() -> What); 3]
        {
            let times = self.dice.people.usize(..=most);
            for _ in 0..times {
                let at = self.dice.people.i64(0..end);
                if wanted {
                    self.after(at, what());
                }
            }
        }
        self.after(end, What::Calm);
        self.start_operator();
    }

    /// Lives on until nothing is left to happen, or a promise is broken.
    pub(crate) fn run(&mut self) -> Result<(), String> {
        let mut events = 0_u64;
        let mut end = None;
        let mut requests = None;
        loop {
            if let Some(broken) = self.promises.broken() {
                return Err(broken);
            }
            events += 1;
            if events > MOST_EVENTS {
                return Err("this does not end".to_owned());
            }
            if self.calm && end.is_none() {
                end = Some(self.now + SignedDuration::from_secs(AFTERWARDS));
            }
            let next = self.queue.first_key_value().map(|((at, _), _)| *at);
            let wake = self.operator.fleet.next_wake();
            let Some(at) = next.into_iter().chain(wake).min() else { break };
            if end.is_some_and(|end| at > end) {
                break;
            }
            if end.is_none_or(|end| at <= end - SignedDuration::from_secs(QUIET)) {
                requests = None;
            } else {
                requests = requests.or(Some(self.operator.requests));
            }
            self.now = at.max(self.now);
            self.cluster.set_time(self.now);
            if wake == Some(at) && next.is_none_or(|next| next > at) {
                self.operator.fleet.wake_due(self.now);
                self.perform();
                continue;
            }
            if let Some((_, what)) = self.queue.pop_first() {
                self.happen(what);
            }
        }
        let late = self.operator.requests - requests.unwrap_or(self.operator.requests);
        if late > 0 {
            return Err(format!("{late} requests were sent long after everything was in order"));
        }
        crate::promises::check_end(self)
    }

    pub(crate) fn after(&mut self, millis: i64, what: What) {
        self.serial += 1;
        self.queue.insert((self.now + SignedDuration::from_millis(millis), self.serial), what);
    }

    pub(crate) fn tell(&mut self, who: &str, what: impl FnOnce() -> String) {
        self.story.tell(self.now, who, what);
    }

    fn happen(&mut self, what: What) {
        match what {
            What::Arrive(life, sent) => self.arrive(life, *sent),
            What::Tell(life, told) if life == self.operator.life => self.told(*told),
            What::Read(life, gk) if life == self.operator.life => self.read(&gk),
            // Meant for an operator that is no more.
            What::Tell(..) | What::Read(..) => {}
            What::Controllers { key, uid, generation } => self.controllers(&key, &uid, generation),
            What::Commit => self.commit(),
            What::Meddle => self.meddle(),
            What::People => self.people(),
            What::Restart => self.restart(),
            What::Calm => self.settle(),
        }
    }

    fn commit(&mut self) {
        self.head += 1;
        let Some(commit) = self.scene.commits.get(self.head) else { return };
        let words = format!("commit {}: {}", self.head, commit.message);
        self.tell("git", || words);
        let delay = self.latency(200, 2_000);
        self.after(delay, What::Tell(self.operator.life, Box::new(Tell::Resolved)));
    }

    pub(crate) fn restart(&mut self) {
        self.tell("operator", || "is killed".to_owned());
        let life = self.operator.life + 1;
        self.operator = Operator::new(life, self.dice.faults.u64(..));
        self.promises.restarted();
        self.start_operator();
    }

    fn start_operator(&mut self) {
        let life = self.operator.life;
        let ids: Vec<AppId> = self.apps.keys().cloned().collect();
        for id in ids {
            let delay = self.latency(10, 300);
            self.after(delay, What::Tell(life, Box::new(Tell::App(id))));
        }
        let delay = self.latency(100, 3_000);
        self.after(delay, What::Tell(life, Box::new(Tell::Resolved)));
    }

    fn settle(&mut self) {
        self.calm = true;
        self.tell("world", || "the faults end".to_owned());
        let ids: Vec<AppId> = self.apps.keys().cloned().collect();
        for id in ids {
            self.change_app(&id, |app| app.spec.suspend = false);
        }
        self.heal();
        // Whoever held an object lets go.
        let keys: Vec<ObjectKey> = self.cluster.truth.keys().cloned().collect();
        keys.iter().for_each(|key| self.let_go(key));
    }

    /// People ask for a sync, suspend or resume an App, or delete it and perhaps make it anew.
    fn people(&mut self) {
        let place = self.dice.people.usize(..self.scene.apps.len());
        let draw = self.dice.people.u8(..10);
        let (id, spec) = self.scene.apps[place].clone();
        let serial = self.serial;
        match draw {
            0..4 => {
                self.tell("people", || format!("ask for a sync of {id} ({REFRESH}={serial})"));
                self.change_app(&id, |app| app.seen.refresh = serial.to_string());
            }
            4..7 => {
                self.tell("people", || format!("suspend {id}, or resume it"));
                self.change_app(&id, |app| app.spec.suspend = !app.spec.suspend);
            }
            7 => {
                self.tell("people", || format!("turn pruning of {id} on or off"));
                self.change_app(&id, |app| app.spec.sync.prune = !app.spec.sync.prune);
            }
            _ if self.apps.contains_key(&id) => {
                self.tell("people", || format!("delete {id}"));
                self.change_app(&id, |app| app.seen.deleting = true);
                self.remove_app_if_free(&id);
            }
            _ => {
                self.tell("people", || format!("make {id} anew"));
                self.apps.insert(id.clone(), StoredApp::new(format!("app-{place}-{serial}"), spec));
                self.change_app(&id, |_| {});
            }
        }
    }

    /// Changes an App in the cluster; its watch tells.
    pub(crate) fn change_app(&mut self, id: &AppId, change: impl FnOnce(&mut StoredApp)) {
        let Some(app) = self.apps.get_mut(id) else { return };
        let before = app.spec.clone();
        change(app);
        app.version += 1;
        if app.spec != before {
            app.seen.generation += 1;
        }
        let delay = self.latency(2, 200);
        self.after(delay, What::Tell(self.operator.life, Box::new(Tell::App(id.clone()))));
    }

    pub(crate) fn remove_app_if_free(&mut self, id: &AppId) {
        if self.apps.get(id).is_some_and(|app| app.seen.deleting && !app.seen.finalizer) {
            self.tell("cluster", || format!("the App {id} is gone"));
            self.apps.remove(id);
            let delay = self.latency(2, 200);
            self.after(delay, What::Tell(self.operator.life, Box::new(Tell::App(id.clone()))));
        }
    }

    /// Draws how long something takes, in milliseconds; with the fault of slowness it is now and then much longer.
    pub(crate) fn latency(&mut self, least: i64, most: i64) -> i64 {
        let usual = self.dice.network.i64(least..most.max(least + 1));
        let slow = self.dice.network.u8(..20) == 0;
        let much = self.dice.network.i64(1_000..15_000);
        if slow && self.limits.faults.slow && !self.calm { usual + much } else { usual }
    }

    /// Has the operator's wishes performed.
    pub(crate) fn perform(&mut self) {
        for (id, effect) in self.operator.fleet.take_effects() {
            self.promises.decided(&id, &effect, &self.operator, &self.cluster, self.now);
            self.perform_one(&id, effect);
        }
        let running: BTreeSet<AppId> =
            self.operator.fleet.apps().filter(|(_, state)| state.is_syncing()).map(|(id, _)| id.clone()).collect();
        self.promises.look(&running, &self.operator, self.now);
    }

    fn perform_one(&mut self, id: &AppId, effect: Effect) {
        match effect {
            Effect::WakeAt(_) => {}
            Effect::Notify(notice) => self.tell("operator", || format!("{id}: {}: {}", notice.reason, notice.message)),
            Effect::Look { ticket, kinds } => {
                let kinds = kinds.iter().map(lockstep_object::Gvk::gk).collect();
                self.after(1, What::Tell(self.operator.life, Box::new(Tell::Looked(id.clone(), ticket, kinds))));
            }
            Effect::Render { ticket, revision } => {
                self.tell("operator", || format!("{id}: renders {} (ticket {ticket})", revision.message));
                self.render(id, ticket, &revision);
            }
            effect => self.send(id, effect),
        }
    }
}

impl StoredApp {
    fn new(uid: String, spec: lockstep_api::AppSpec) -> Self {
        let seen = Wanted { generation: 1, ..Wanted::default() };
        Self { uid, seen, spec, status: AppStatus::default(), version: 1 }
    }
}
