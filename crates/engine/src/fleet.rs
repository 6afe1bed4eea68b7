//! All Apps of an operator: who hears of what, and what comes of it.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, VecDeque},
    sync::Arc,
};

use jiff::Timestamp;
use lockstep_api::{AppStatus, SyncWindow};
use lockstep_health::Rules;
use lockstep_object::{Gk, Object, ObjectKey};

use crate::{
    AppId, AppState, Context, DependencyFacts, Effect, Event, Live, LiveIndex, Prepared, Problem, Rejected,
    RevisionInfo, Ticket, Wanted, claims::Claims,
};

/// All Apps of an operator, the live objects, and who waits for whom.
///
/// The shell tells what happened by the methods and performs what [`Fleet::take_effects`] returns; the timers
/// ([`Effect::WakeAt`]) and the order of status writes are kept here and never leave.
///
/// # Guarantees
/// The same calls give the same effects in the same order. One status of an App is written at a time.
#[derive(Debug, Default)]
pub struct Fleet {
    members: BTreeMap<AppId, Member>,
    live: LiveIndex,
    claims: Claims,
    dependents: HashMap<AppId, BTreeSet<AppId>>,
    timers: BinaryHeap<Reverse<(Timestamp, AppId)>>,
    random: u64,
    saturated: bool,
    effects: VecDeque<(AppId, Effect)>,
    synced_or_failed: BTreeSet<AppId>,
}

#[derive(Debug)]
struct Member {
    state: AppState,
    /// The server's id of the App.
    uid: String,
    /// What the engine was last told, to tell news from our own writes; nothing if whatever comes is news.
    wanted: Option<Wanted>,
    /// How its objects are judged.
    rules: Arc<Rules>,
    /// A status is being written, and the one to write afterwards.
    writing: bool,
    pending: Option<Box<AppStatus>>,
    /// The newest version of the App that is known, and what came while a status was being written.
    version: u64,
    seen: Option<(u64, Box<AppStatus>)>,
    /// What its dependents were last told.
    told: Option<DependencyFacts>,
}

impl Member {
    /// What changes when a sync ends.
    fn outcome(&self) -> (u64, Option<String>) {
        (self.state.synced_digest(), self.state.last_failure().map(|failure| failure.started.clone()))
    }
}

/// An App as the cluster stores it, beside what is wanted.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The server's id.
    pub uid: String,
    /// The server's version as a number: newer ones are greater.
    pub version: u64,
    /// Its status.
    pub status: AppStatus,
}

/// What a project says about an App.
#[derive(Clone, Debug)]
pub struct ProjectRules {
    /// How its objects are judged.
    pub health: Arc<Rules>,
    /// When it may be synced.
    pub windows: Arc<[SyncWindow]>,
    /// What of its rules cannot be read.
    pub problems: Vec<String>,
}

impl Fleet {
    /// Returns a fleet without Apps; `seed` is where its jitter begins.
    pub fn new(seed: u64) -> Self {
        Self { random: seed, ..Self::default() }
    }

    /// Takes whether the API server is the bottleneck: news that are no end wait then.
    pub fn set_saturated(&mut self, saturated: bool) {
        self.saturated = saturated;
    }

    /// Takes what is to be done, in order.
    pub fn take_effects(&mut self) -> Vec<(AppId, Effect)> {
        self.effects.drain(..).collect()
    }

    /// Takes the Apps that were synced whole, or that failed to be, since this was asked last.
    pub fn take_synced_or_failed(&mut self) -> BTreeSet<AppId> {
        std::mem::take(&mut self.synced_or_failed)
    }

    // What there is to see.

    /// Returns the state of an App.
    pub fn app(&self, id: &AppId) -> Option<&AppState> {
        self.members.get(id).map(|member| &member.state)
    }

    /// Walks the Apps, sorted.
    pub fn apps(&self) -> impl Iterator<Item = (&AppId, &AppState)> {
        self.members.iter().map(|(id, member)| (id, &member.state))
    }

    /// Returns the live objects.
    pub fn live(&self) -> &LiveIndex {
        &self.live
    }

    /// Returns the status of an App as it would be written now.
    pub fn status(&self, id: &AppId, now: Timestamp) -> Option<AppStatus> {
        let member = self.members.get(id)?;
        Some(self.with_context(now, |context| member.state.facts(context)))
    }

    /// Returns the statuses that say more than what was last written: an operator that stops leaves nothing unsaid.
    pub fn unwritten(&self, now: Timestamp) -> Vec<(AppId, AppStatus)> {
        let status = |(id, member): (&AppId, &Member)| {
            let facts = self.with_context(now, |context| member.state.facts(context));
            (member.pending.is_some() || member.state.is_behind(&facts)).then(|| (id.clone(), facts))
        };
        self.members.iter().filter_map(status).collect()
    }

    // Apps come, change and go.

    /// Takes an App as the cluster has it. Tells whether it was news: our own writes are none. A status that is not
    /// the one that was written last is written again: the last request of an operator that was killed may be late.
    pub fn see_app(&mut self, id: &AppId, stored: Stored, wanted: Wanted, rules: ProjectRules, now: Timestamp) -> bool {
        let Stored { uid, version, status } = stored;
        if self.members.get(id).is_some_and(|member| member.uid != uid) {
            // Deleted and made anew while nobody watched: nothing of the old one counts.
            self.forget_app(id, now);
        }
        if let Some(member) = self.members.get_mut(id) {
            let same = member.wanted.as_ref().is_some_and(|known| is_same(known, &wanted));
            self.see_status(id, version, status, now);
            if same {
                return false;
            }
        } else {
            let member = Member {
                state: AppState::new(id.clone(), status),
                uid,
                wanted: None,
                rules: Arc::clone(&rules.health),
                writing: false,
                pending: None,
                version,
                seen: None,
                told: None,
            };
            self.members.insert(id.clone(), member);
        }
        for dependency in &wanted.spec.depends_on {
            let namespace = dependency.namespace.as_ref().unwrap_or(&id.namespace);
            let dependency = AppId::new(namespace, &dependency.name);
            self.dependents.entry(dependency).or_default().insert(id.clone());
        }
        self.tell_wanted(id, wanted, rules, now);
        true
    }

    /// Takes that a project says something else about an App than before.
    pub fn rules_changed(&mut self, id: &AppId, rules: ProjectRules, now: Timestamp) {
        let Some(member) = self.members.get_mut(id) else { return };
        match member.wanted.clone() {
            Some(wanted) => self.tell_wanted(id, wanted, rules, now),
            // The App is about to be seen again, with what else its project says.
            None => member.rules = rules.health,
        }
        self.step(id, Event::RulesChanged, now);
    }

    fn tell_wanted(&mut self, id: &AppId, mut wanted: Wanted, rules: ProjectRules, now: Timestamp) {
        let Some(member) = self.members.get_mut(id) else { return };
        (wanted.windows, wanted.problems) = (rules.windows, rules.problems);
        member.rules = rules.health;
        member.wanted = Some(wanted.clone());
        self.step(id, Event::Spec(Box::new(wanted)), now);
    }

    /// Whatever is next seen of an App is news: something that was decided did not reach the cluster.
    pub fn look_again(&mut self, id: &AppId) {
        if let Some(member) = self.members.get_mut(id) {
            member.wanted = None;
        }
    }

    /// Returns the Apps that a full list of them did not name.
    pub fn missing_of(&self, uids: &HashSet<String>) -> Vec<AppId> {
        self.members.iter().filter(|(_, member)| !uids.contains(&member.uid)).map(|(id, _)| id.clone()).collect()
    }

    /// Forgets an App that went.
    pub fn forget_app(&mut self, id: &AppId, now: Timestamp) {
        if self.members.remove(id).is_none() {
            return;
        }
        self.claims.release(id);
        self.wake_dependents(id, now);
        self.claims_changed(now);
    }

    /// Objects became free: Apps that were refused because of them ask again.
    fn claims_changed(&mut self, now: Timestamp) {
        let refused = self.apps().filter(|(_, state)| state.waits_for_claim()).map(|(id, _)| id.clone());
        for id in refused.collect::<Vec<_>>() {
            self.step(&id, Event::ClaimsChanged, now);
        }
    }

    /// Tells the Apps that wait for a kind that there may be others. Tells whether there are such Apps.
    pub fn kinds_changed(&mut self, now: Timestamp) -> bool {
        let waiting: Vec<AppId> =
            self.apps().filter(|(_, state)| state.waits_for_kind()).map(|(id, _)| id.clone()).collect();
        waiting.iter().for_each(|id| self.step(id, Event::KindsChanged, now));
        !waiting.is_empty()
    }

    // Sources.

    /// Takes the newest revision of an App's source, or why it is not known.
    pub fn resolved(&mut self, id: &AppId, news: Result<RevisionInfo, Problem>, now: Timestamp) {
        self.step(id, Event::Resolved(news), now);
    }

    /// Takes a rendering; objects that another App wants or has are conflicts. What the App wants from now on it
    /// claims; a rendering that is refused changes no claim.
    pub fn rendered(&mut self, id: &AppId, ticket: Ticket, result: Result<Arc<Prepared>, Rejected>, now: Timestamp) {
        if !self.members.contains_key(id) {
            return;
        }
        let prepared = result.as_ref().ok().cloned();
        let wanted: Vec<&ObjectKey> = prepared.iter().flat_map(|one| &one.desired).map(|one| &one.key).collect();
        let conflicts = self.claims.conflicts(id, &wanted, |key| self.labelled(key));
        self.step(id, Event::Rendered { ticket, result, conflicts }, now);
        let Some(prepared) = prepared.filter(|prepared| self.app(id).is_some_and(|state| state.wants(prepared))) else {
            return;
        };
        if self.claims.replace(id, prepared.desired.iter().map(|one| one.key.clone())) {
            self.claims_changed(now);
        }
    }

    // Live objects.

    /// Returns how an App's objects are judged.
    pub fn rules_of(&self, id: &AppId) -> Option<&Arc<Rules>> {
        self.members.get(id).map(|member| &member.rules)
    }

    /// Takes an object as the cluster has it; what is older than what is known is no news. `rules` judge what
    /// belongs to no App.
    pub fn object_changed(&mut self, object: Object, rules: &Rules, now: Timestamp) {
        let key = object.key();
        let owner = self.owner_of(&key);
        let rules = owner.as_ref().and_then(|owner| self.members.get(owner)).map_or(rules, |member| &member.rules);
        let live = Live::of(&object, rules, now);
        let before = self.labelled(&key);
        if !self.live.insert(&key, live) {
            return;
        }
        let owner = self.owner_of(&key);
        if let Some(owner) = &owner {
            let event = Event::Live { key: key.clone(), object: Some(Arc::new(object)) };
            self.step(owner, event, now);
        }
        self.tell_former_owner(before, owner.as_ref(), &key, now);
    }

    /// An App whose object was handed over to another one, or went when another one wants it, hears of it, too.
    fn tell_former_owner(&mut self, before: Option<AppId>, owner: Option<&AppId>, key: &ObjectKey, now: Timestamp) {
        let before = before.filter(|before| Some(before) != owner && self.labelled(key).as_ref() != Some(before));
        if let Some(before) = before {
            self.step(&before, Event::Live { key: key.clone(), object: None }, now);
        }
    }

    /// Takes that an object went, as it was seen last; what is older than what is known is no news.
    pub fn object_gone(&mut self, object: &Object, now: Timestamp) {
        self.gone(&object.key(), Live::version_of(object), now);
    }

    /// Takes the end of a full list of a kind in this version: what it did not name went, unless it came later.
    pub fn kind_listed(&mut self, gk: &Gk, uids: &HashSet<String>, version: u64, now: Timestamp) {
        let mut gone = self.live.keys_of(gk, |live| !uids.contains(live.uid.as_str()));
        gone.sort();
        gone.iter().for_each(|key| self.gone(key, version, now));
        // What was applied before the list and is not in it went in between: its answer is yet to come.
        for member in self.members.values() {
            let awaited = member.state.awaited().filter(|key| key.kind == gk.kind && key.group == gk.group);
            for key in awaited.filter(|key| self.live.get(key).is_none()).cloned().collect::<Vec<_>>() {
                self.live.remove(&key, version, true);
            }
        }
    }

    fn gone(&mut self, key: &ObjectKey, version: u64, now: Timestamp) {
        let (owner, before) = (self.owner_of(key), self.labelled(key));
        let asked = owner.as_ref().and_then(|owner| self.members.get(owner));
        let awaited = asked.is_some_and(|member| member.state.awaits(key));
        if self.live.remove(key, version, awaited).is_none() {
            return;
        }
        if let Some(owner) = &owner {
            self.step(owner, Event::Live { key: key.clone(), object: None }, now);
        }
        self.tell_former_owner(before, owner.as_ref(), key, now);
    }

    /// Finds whose an object is: the App that claims it, else the one that its label names.
    fn owner_of(&self, key: &ObjectKey) -> Option<AppId> {
        self.claims.owner(key).cloned().or_else(|| self.labelled(key))
    }

    /// Returns the App that an object's label names, if there is such an App.
    fn labelled(&self, key: &ObjectKey) -> Option<AppId> {
        let (namespace, name) = self.live.get(key)?.app.as_ref()?.split_once('.')?;
        Some(AppId::new(namespace, name)).filter(|id| self.members.contains_key(id))
    }

    // Answers and time.

    /// Takes the answer to an effect.
    pub fn answered(&mut self, id: &AppId, event: Event, now: Timestamp) {
        let Event::Applied { key, result, .. } = &event else { return self.step(id, event, now) };
        let key = key.clone();
        let before = self.labelled(&key);
        if let Ok(live) = result {
            self.live.insert(&key, live.clone());
        }
        self.live.forget_gone(&key);
        self.step(id, event, now);
        self.tell_former_owner(before, Some(id), &key, now);
    }

    /// Takes that a status was written, with the version that the App has by it; none if it must be written again.
    pub fn status_written(&mut self, id: &AppId, version: Option<u64>, now: Timestamp) {
        let Some(member) = self.members.get_mut(id) else { return };
        member.writing = false;
        member.version = member.version.max(version.unwrap_or_default());
        let seen = member.seen.take();
        if let Some(status) = member.pending.take() {
            self.write_status(id, status);
        } else if version.is_none() {
            member.state.status_lost(now);
            self.step(id, Event::Wake, now);
        } else {
            self.step(id, Event::Recorded, now);
            if let Some((version, status)) = seen {
                self.see_status(id, version, *status, now);
            }
        }
    }

    /// Looks whether the status that an App has is the one that was written last; if not, it is written again.
    fn see_status(&mut self, id: &AppId, version: u64, status: AppStatus, now: Timestamp) {
        let Some(member) = self.members.get_mut(id).filter(|member| version > member.version) else { return };
        if member.writing {
            member.seen = Some((version, Box::new(status)));
            return;
        }
        member.version = version;
        if !member.state.is_deleting() && !member.state.is_written(&status) {
            member.state.status_lost(now);
            self.step(id, Event::Wake, now);
        }
    }

    /// Returns when [`Fleet::wake_due`] is to be called next.
    pub fn next_wake(&self) -> Option<Timestamp> {
        self.timers.peek().map(|Reverse((at, _))| *at)
    }

    /// Wakes the Apps whose time has come.
    pub fn wake_due(&mut self, now: Timestamp) {
        while self.next_wake().is_some_and(|at| at <= now) {
            if let Some(Reverse((_, id))) = self.timers.pop() {
                self.step(&id, Event::Wake, now);
            }
        }
    }

    // Decisions.

    fn with_context<R>(&self, now: Timestamp, look: impl FnOnce(&Context<'_>) -> R) -> R {
        let dependency = |id: &AppId| self.dependency_facts(id, now);
        let saturated = self.saturated;
        look(&Context { saturated, now, random: self.random, live: &self.live, dependency: &dependency })
    }

    fn dependency_facts(&self, id: &AppId, now: Timestamp) -> Option<DependencyFacts> {
        let member = self.members.get(id)?;
        let nobody = |_: &AppId| None;
        let context = Context { saturated: false, now, random: 0, live: &self.live, dependency: &nobody };
        Some(member.state.dependency_facts(&context))
    }

    fn step(&mut self, id: &AppId, event: Event, now: Timestamp) {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // The state is taken out while it decides, so that the others can be looked at.
        let Some(mut member) = self.members.remove(id) else { return };
        let before = member.outcome();
        let effects = self.with_context(now, |context| member.state.step(event, context));
        if member.outcome() != before {
            self.synced_or_failed.insert(id.clone());
        }
        self.members.insert(id.clone(), member);
        for effect in effects {
            match effect {
                Effect::WakeAt(at) => self.timers.push(Reverse((at, id.clone()))),
                Effect::Status(status) => self.write_status(id, status),
                effect => self.effects.push_back((id.clone(), effect)),
            }
        }
        self.tell_dependents(id, now);
    }

    /// Wakes who depends on an App, if there is news for them; also what the live index alone brought is news.
    fn tell_dependents(&mut self, id: &AppId, now: Timestamp) {
        if !self.dependents.contains_key(id) {
            return;
        }
        let facts = self.dependency_facts(id, now);
        let Some(member) = self.members.get_mut(id) else { return };
        if member.told != facts {
            member.told = facts;
            self.wake_dependents(id, now);
        }
    }

    fn write_status(&mut self, id: &AppId, status: Box<AppStatus>) {
        let Some(member) = self.members.get_mut(id) else { return };
        if member.writing {
            member.pending = Some(status);
            return;
        }
        member.writing = true;
        self.effects.push_back((id.clone(), Effect::Status(status)));
    }

    fn wake_dependents(&mut self, id: &AppId, now: Timestamp) {
        let dependents: Vec<AppId> = self.dependents.get(id).into_iter().flatten().cloned().collect();
        dependents.iter().for_each(|dependent| self.step(dependent, Event::Wake, now));
    }
}

/// Tells whether an App is as it was; what its project says aside.
fn is_same(known: &Wanted, wanted: &Wanted) -> bool {
    let asked = |wanted: &Wanted| [wanted.refresh.clone(), wanted.resources.clone(), wanted.confirm.clone()];
    known.generation == wanted.generation
        && asked(known) == asked(wanted)
        && (known.deleting, known.finalizer) == (wanted.deleting, wanted.finalizer)
}

#[cfg(test)]
mod tests {
    use lockstep_api::AppSpec;

    use super::*;

    fn rules() -> ProjectRules {
        ProjectRules { health: Arc::new(Rules::builtin()), windows: Arc::new([]), problems: Vec::new() }
    }

    #[test]
    fn a_changed_project_counts_for_an_app_that_is_to_be_seen_again() {
        let (id, now) = (AppId::new("apps", "shop"), Timestamp::UNIX_EPOCH);
        let mut fleet = Fleet::new(1);
        let wanted = Wanted { spec: Arc::new(AppSpec::default()), finalizer: true, ..Wanted::default() };
        let stored = Stored { uid: "1".into(), version: 1, status: AppStatus::default() };
        fleet.see_app(&id, stored, wanted, rules(), now);
        let revision = RevisionInfo { id: "one".into(), ..RevisionInfo::default() };
        fleet.resolved(&id, Ok(revision), now);
        let renders = |effects: Vec<(AppId, Effect)>| {
            let ticket = |(_, effect)| match effect {
                Effect::Render { ticket, .. } => Some(ticket),
                _ => None,
            };
            effects.into_iter().filter_map(ticket).collect::<Vec<_>>()
        };
        let tickets = renders(fleet.take_effects());
        let rejected = Rejected { kind: crate::ProblemKind::Forbidden, diagnostics: Vec::new() };
        fleet.rendered(&id, tickets[0], Err(rejected), now);
        // Its finalizer met a newer version.
        fleet.look_again(&id);
        assert!(renders(fleet.take_effects()).is_empty());
        fleet.rules_changed(&id, rules(), now);
        assert_eq!(renders(fleet.take_effects()).len(), 1);
    }
}
