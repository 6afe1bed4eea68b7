//! What Lockstep promises, and how each promise is watched.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use lockstep_api::{APP_LABEL, PRUNE};
use lockstep_engine::{AppId, Desired, Effect, HookPhase, Prepared};
use lockstep_object::{Object, ObjectKey, Value, from_json};

use crate::{
    cluster::Cluster,
    operator::Operator,
    world::{StoredApp, World},
};

/// The operator may act on news that is as old: watches are late, and break for a while.
const LATE: SignedDuration = SignedDuration::from_secs(60);

/// The promises, and what must be remembered to watch them.
#[derive(Debug, Default)]
pub(crate) struct Promises {
    broken: Option<String>,
    /// The life of the operator that runs.
    life: u64,
    syncs: BTreeMap<AppId, Sync>,
    running: BTreeSet<AppId>,
    /// Objects that somebody laid hands on: without its label a hook's object is not seen any more.
    excused: BTreeSet<ObjectKey>,
    /// What an operator that was killed had sent and what arrived after its App was deleted: nobody can know of it.
    late: BTreeSet<ObjectKey>,
    /// What was synced last, and went well: the same again owes no hooks.
    done: BTreeMap<AppId, (u64, String)>,
    /// The annotation whose sync was refused: that is its answer.
    refused: BTreeMap<AppId, String>,
    /// The life of the operator that last stored an object, and the digest that it stored.
    digests: BTreeMap<ObjectKey, (u64, u64)>,
}

/// What an apply was sent for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StoredFor {
    /// The life of the operator.
    pub(crate) life: u64,
    /// The digest of the object.
    pub(crate) digest: u64,
    /// The number of the App's sync.
    pub(crate) number: u64,
}

/// The sync that an App is in or had last; it goes on across restarts.
#[derive(Clone, Debug, Default)]
struct Sync {
    /// Numbers the syncs, so that a request that comes late is known as one of an earlier sync.
    number: u64,
    /// Its number when it began.
    first: u64,
    /// What is synced: the digest of the objects, and the annotation that asked for it.
    what: (u64, String),
    begun: Timestamp,
    /// The hooks that were made for it, also before it failed and was tried again.
    ran: BTreeSet<ObjectKey>,
    /// How often each was made since it last failed.
    hooks: BTreeMap<ObjectKey, u32>,
}

impl Promises {
    /// Returns what promise was broken, if one was.
    pub(crate) fn broken(&self) -> Option<String> {
        self.broken.clone()
    }

    /// Says that a promise was broken; the first counts.
    pub(crate) fn broken_by(&mut self, words: String) {
        self.broken.get_or_insert(words);
    }

    /// Somebody laid hands on an object: a hook may have to run again for that.
    pub(crate) fn excuse(&mut self, key: &ObjectKey) {
        for sync in self.syncs.values_mut() {
            sync.hooks.remove(key);
        }
        self.excused.insert(key.clone());
    }

    /// A request of a killed operator arrived after its App was deleted.
    pub(crate) fn came_late(&mut self, key: &ObjectKey) {
        self.late.insert(key.clone());
    }

    pub(crate) fn restarted(&mut self) {
        self.life += 1;
        self.running.clear();
    }

    pub(crate) fn forget(&mut self, id: &AppId) {
        self.syncs.remove(id);
        self.done.remove(id);
        self.refused.remove(id);
        self.running.remove(id);
    }

    /// A rendering is handed to the engine: a sync may begin, or one that a restart cut off goes on.
    pub(crate) fn rendered(&mut self, id: &AppId, prepared: &Prepared, operator: &Operator, now: Timestamp) {
        let Some(state) = operator.fleet.app(id) else { return };
        let sync = self.syncs.entry(id.clone()).or_default();
        let answered = self.refused.get(id).is_some_and(|refused| refused == state.refresh());
        let refresh = if answered { sync.what.1.clone() } else { state.refresh().to_owned() };
        let what = (prepared.digest, refresh);
        if sync.what != what {
            let number = sync.number + 1;
            *sync = Sync { number, first: number, what, begun: now, ..Sync::default() };
        }
    }

    /// A revision is refused, and with it the sync that was asked for: the next one owes no hooks because of that.
    pub(crate) fn refused(&mut self, id: &AppId, refresh: &str) {
        self.refused.insert(id.clone(), refresh.to_owned());
    }

    /// The engine has decided something.
    pub(crate) fn decided(
        &mut self,
        id: &AppId,
        effect: &Effect,
        operator: &Operator,
        cluster: &Cluster,
        now: Timestamp,
    ) {
        match effect {
            Effect::Apply { key, .. } => self.applies(id, key, operator, cluster),
            Effect::Delete { key, .. } => self.prunes(id, key, operator, cluster),
            Effect::Render { .. } => self.begins(id, operator, now),
            _ => {}
        }
    }

    /// A sync begins: its dependencies are ready.
    fn begins(&mut self, id: &AppId, operator: &Operator, now: Timestamp) {
        let Some(state) = operator.fleet.app(id) else { return };
        for dependency in &state.spec().depends_on {
            let dependency = AppId::new(&id.namespace, &dependency.name);
            let status = operator.fleet.status(&dependency, now);
            let ready = status.is_some_and(|status| {
                status.conditions.iter().any(|condition| condition.kind == "Ready" && condition.status == "True")
            });
            if !ready {
                self.broken_by(format!("{id} begins a sync though {dependency} is not ready"));
            }
        }
    }

    /// An object is applied: it is wanted, and in a sync everything of the stages before is well.
    fn applies(&mut self, id: &AppId, key: &ObjectKey, operator: &Operator, cluster: &Cluster) {
        let Some(prepared) = operator.prepared.get(id) else {
            return self.broken_by(format!("{id} applies {key} without knowing what is wanted"));
        };
        let Some(wanted) = prepared.desired.iter().find(|one| one.key == *key) else {
            return self.broken_by(format!("{id} applies {key}, which is not wanted"));
        };
        let syncing = operator.fleet.app(id).is_some_and(|state| state.is_syncing());
        if !syncing || !runs_in_sync(wanted) {
            return;
        }
        let Some(sync) = self.syncs.get(id) else { return };
        let begun = sync.begun - LATE;
        // What was synced once and well owes no hooks, whatever is repaired afterwards.
        let done = self.done.get(id) == Some(&sync.what);
        let earlier = prepared.desired.iter().filter(|one| one.stage < wanted.stage && runs_in_sync(one));
        let late = earlier.into_iter().find(|one| {
            let stored = self.digests.get(&one.key).is_some_and(|(_, digest)| *digest == one.digest);
            let well = cluster.last_well(&one.key).is_some_and(|at| at >= begun);
            let owed = one.hook.is_none() || !done && sync.ran.contains(&one.key);
            owed && !(stored && well)
        });
        if let Some(late) = late {
            let words = format!("{id} applies {key} though {} of an earlier wave has not been well", late.key);
            self.broken_by(words);
        }
    }

    /// An object is to be deleted: it left what is wanted, and nothing protects it.
    fn prunes(&mut self, id: &AppId, key: &ObjectKey, operator: &Operator, cluster: &Cluster) {
        let Some(state) = operator.fleet.app(id) else { return };
        // What a later line of the same delivery took away was decided before it; whom such a request hits is looked
        // at when it arrives.
        if let Some(live) = operator.fleet.live().get(key)
            && live.app.as_deref() != Some(id.label().as_str())
        {
            return self.broken_by(format!("{id} deletes {key}, which is not its own: {:?}", live.app));
        }
        let Some(prepared) = operator.prepared.get(id) else {
            if !state.is_deleting() {
                self.broken_by(format!("{id} deletes {key} without knowing what is wanted"));
            }
            return;
        };
        if state.is_deleting() {
            return;
        }
        let wanted = prepared.desired.iter().find(|one| one.key == *key);
        let allowed = || {
            let truth = cluster.truth.get(key);
            truth.is_some_and(|truth| truth.object.annotation(PRUNE) == Some("allowed"))
        };
        let why = match wanted {
            Some(one) if one.hook.is_some() => return,
            Some(_) => "which is wanted",
            None if key.kind.as_str() == "Job" => return,
            None if !state.spec().sync.prune => "though pruning is off",
            None if prepared.desired.is_empty() => "though nothing at all is wanted",
            None if key.kind.as_str() == "PersistentVolumeClaim" && !allowed() => "which holds data",
            None => return,
        };
        self.broken_by(format!("{id} deletes {key}, {why}"));
    }

    /// An object was deleted that carried this label: nobody may have taken it over meanwhile.
    pub(crate) fn deleted(&mut self, id: &AppId, key: &ObjectKey, label: Option<&str>) {
        if label != Some(id.label().as_str()) {
            self.broken_by(format!("{id} deletes {key}, which is not its own by now: {label:?}"));
        }
    }

    /// Returns the number of an App's sync.
    pub(crate) fn number(&self, id: &AppId) -> u64 {
        self.syncs.get(id).map(|sync| sync.number).unwrap_or_default()
    }

    /// The operator stored an object for a sync; a hook must not be made twice for one. What the operator of an
    /// earlier life sent and what comes after this one's is somebody else's change, set back like any other.
    pub(crate) fn stored(&mut self, id: &AppId, key: &ObjectKey, of: StoredFor, made: bool) {
        let StoredFor { life, digest, number } = of;
        if self.digests.get(key).is_none_or(|(known, _)| *known <= life) {
            self.digests.insert(key.clone(), (life, digest));
        }
        if key.kind.as_str() != "Job" || !made {
            return;
        }
        let Some(sync) = self.syncs.get_mut(id).filter(|sync| sync.first <= number) else { return };
        sync.ran.insert(key.clone());
        if number < sync.number {
            // It was sent before the sync failed and was tried again.
            return;
        }
        let times = sync.hooks.entry(key.clone()).or_default();
        if life < self.life && *times > 0 {
            // Nobody can call back what an operator that was killed has sent.
            return;
        }
        *times += 1;
        let times = *times;
        if times > 1 {
            self.broken_by(format!("{id} runs the hook {key} {times} times for one sync"));
        }
    }

    /// Looks which syncs ended: a good end owes every hook, after a bad one they run again.
    pub(crate) fn look(&mut self, running: &BTreeSet<AppId>, operator: &Operator, now: Timestamp) {
        let ended: Vec<AppId> = self.running.difference(running).cloned().collect();
        self.running.clone_from(running);
        for id in ended {
            let (Some(state), Some(sync)) = (operator.fleet.app(&id), self.syncs.get_mut(&id)) else { continue };
            if state.has_failed() {
                sync.hooks.clear();
                (sync.number, sync.begun) = (sync.number + 1, now);
            }
            if state.is_deleting() || !state.is_synced_to(sync.what.0) {
                continue;
            }
            let Some(prepared) = operator.prepared.get(&id) else { continue };
            let first = self.done.insert(id.clone(), sync.what.clone()).as_ref() != Some(&sync.what);
            let hooks = prepared.desired.iter().filter(|one| one.hook.is_some() && runs_in_sync(one));
            let lost = hooks.into_iter().find(|one| !sync.ran.contains(&one.key) && !self.excused.contains(&one.key));
            if let Some(lost) = lost.filter(|_| first) {
                let words = format!("{id} ends a sync without having run the hook {}", lost.key);
                self.broken_by(words);
            }
        }
    }
}

fn runs_in_sync(one: &Desired) -> bool {
    one.hook.as_ref().is_none_or(|hook| hook.phases.iter().any(|phase| matches!(phase, HookPhase::At(_))))
}

/// Long after the last fault: the cluster is what Git says, and nothing else was touched.
pub(crate) fn check_end(world: &World) -> Result<(), String> {
    for (key, version) in &world.foreign {
        let now = world.cluster.truth.get(key).map(|truth| truth.object.str_at(&["metadata", "resourceVersion"]));
        if now != Some(version.as_str()) {
            return Err(format!("{key}, which is nobody's business, was touched"));
        }
    }
    for (id, _) in &world.scene.apps {
        match world.apps.get(id) {
            Some(_) => check_app(world, id)?,
            None => check_gone(world, id)?,
        }
    }
    Ok(())
}

fn check_app(world: &World, id: &AppId) -> Result<(), String> {
    let app = &world.apps[id];
    let status = &app.status;
    let told = format!("{:?}, {:?}: {}", status.phase, status.health, status.message);
    if app.seen.deleting {
        return Err(format!("{id} is not deleted: {told}"));
    }
    let ready = status.conditions.iter().any(|condition| condition.kind == "Ready" && condition.status == "True");
    let place = world.scene.apps.iter().position(|(known, _)| known == id).unwrap_or_default();
    let waits_for_data = is_claimed_elsewhere(world, id);
    if !ready && !waits_for_data {
        return Err(format!("{id} is not ready in the end: {told}"));
    }
    if waits_for_data {
        return Ok(());
    }
    let Ok(prepared) = world.prepare(id, world.head) else { return Err(format!("{id} cannot be rendered ({place})")) };
    for one in prepared.desired.iter().filter(|one| one.hook.is_none()) {
        let Some(truth) = world.cluster.truth.get(&one.key) else {
            return Err(format!("{id}: {} is missing", one.key));
        };
        let body = from_json(&one.body).map_err(|error| error.to_string())?;
        if let Some(path) = difference(&body, &truth.object.to_value(), String::new()) {
            return Err(format!("{id}: {} is not as in Git at {path}", one.key));
        }
        if let Some(left) = left_of_us(&body, &truth.object) {
            return Err(format!("{id}: {} still has {left}, which left Git", one.key));
        }
    }
    check_nothing_left(world, id, &prepared)
}

/// An object of the App may still belong to another App that keeps it, or to one that waits for this App before it
/// lets go of anything: then both say so, and it takes a commit to solve it.
fn is_claimed_elsewhere(world: &World, id: &AppId) -> bool {
    let blocked = |id: &AppId| {
        let Ok(prepared) = world.prepare(id, world.head) else { return false };
        prepared.desired.iter().any(|one| {
            let truth = world.cluster.truth.get(&one.key);
            let label = truth.and_then(|truth| truth.object.label(APP_LABEL));
            label.is_some_and(|label| label != id.label()) || is_wanted_by_dependent(world, id, &one.key)
        })
    };
    let Some(app) = world.apps.get(id) else { return true };
    let depends = |dependency: &lockstep_api::DependencyRef| {
        is_claimed_elsewhere(world, &AppId::new(&id.namespace, &dependency.name))
    };
    blocked(id) || app.spec.depends_on.iter().any(depends)
}

/// Tells whether an App that depends on this one wants an object, in the revision that it has.
fn is_wanted_by_dependent(world: &World, id: &AppId, key: &ObjectKey) -> bool {
    let depends = |app: &StoredApp| app.spec.depends_on.iter().any(|one| AppId::new(&id.namespace, &one.name) == *id);
    let dependents = world.apps.iter().filter(|(_, app)| depends(app)).map(|(dependent, _)| dependent);
    dependents.into_iter().any(|dependent| {
        let prepared = world.operator.prepared.get(dependent);
        let wants = prepared.is_some_and(|prepared| prepared.desired.iter().any(|one| one.key == *key));
        wants || is_wanted_by_dependent(world, dependent, key)
    })
}

fn check_nothing_left(world: &World, id: &AppId, prepared: &Prepared) -> Result<(), String> {
    let prune = world.apps.get(id).is_some_and(|app| app.spec.sync.prune);
    for (key, truth) in &world.cluster.truth {
        let ours = truth.object.label(APP_LABEL) == Some(&id.label());
        let wanted = prepared.desired.iter().any(|one| one.key == *key);
        if ours && !wanted && prune && !is_kept(key, &truth.object) {
            return Err(format!("{id}: {key} left Git and is still there"));
        }
    }
    Ok(())
}

fn is_kept(key: &ObjectKey, object: &Object) -> bool {
    let annotation = object.annotation(PRUNE);
    key.kind.as_str() == "Job"
        || annotation == Some("disabled")
        || key.kind.as_str() == "PersistentVolumeClaim" && annotation != Some("allowed")
}

fn check_gone(world: &World, id: &AppId) -> Result<(), String> {
    for (key, truth) in &world.cluster.truth {
        let ours = truth.object.label(APP_LABEL) == Some(&id.label()) && !world.promises.late.contains(key);
        if ours && truth.object.annotation(PRUNE) != Some("disabled") && key.kind.as_str() != "Job" {
            return Err(format!("{id} was deleted, and {key} is still there"));
        }
    }
    Ok(())
}

/// Finds a field that is not as wanted.
fn difference(wanted: &Value, live: &Value, path: String) -> Option<String> {
    match (wanted, live) {
        (Value::Map(wanted), Value::Map(live)) => wanted.iter().find_map(|(key, value)| {
            let path = format!("{path}.{}", key.as_str());
            match live.get(key.as_str()) {
                Some(live) => difference(value, live, path),
                None => Some(path),
            }
        }),
        (Value::List(wanted), Value::List(live)) => {
            let mut pairs = wanted.iter().zip(live.iter()).enumerate();
            pairs.find_map(|(place, (wanted, live))| difference(wanted, live, format!("{path}[{place}]")))
        }
        (wanted, live) => (wanted != live).then_some(path),
    }
}

/// Finds a key of ours that left Git.
fn left_of_us(wanted: &Value, live: &Object) -> Option<String> {
    let data = live.at(&["data"])?.as_map()?;
    let keys = wanted.get("data")?.as_map()?;
    let by_hand = |key: &str| live.at(&["data", key]).and_then(Value::as_str).is_some_and(|v| v.starts_with("by hand"));
    data.iter().map(|(key, _)| key.as_str().to_owned()).find(|key| keys.get(key).is_none() && !by_hand(key))
}
