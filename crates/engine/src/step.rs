//! One step of an App's state machine.

use std::{collections::HashSet, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use lockstep_api::{Deletion, Drift, HistoryEntry, Outcome};
use lockstep_health::Status;
use lockstep_object::{Object, ObjectKey, Text, apply_rank};

use crate::{
    AppId, AppState, Context, Desired, Effect, Event, HookPhase, Live, Notice, Policy, Prepared, Problem, ProblemKind,
    Record, RevisionInfo, Ticket, attribute,
    event::Rejected,
    facts::{self, short_revision, time_text},
    plan::{is_as_we_left_it, plan},
    run::{Next, Run},
    state::{Activity, Applying, source_name},
};

/// A state that lasts as long is worth a write of the status; shorter ones nobody sees.
const WORTH_TELLING: SignedDuration = SignedDuration::from_secs(2);

/// Takes an event and decides.
pub(crate) fn step(state: &mut AppState, event: Event, context: &Context<'_>) -> Vec<Effect> {
    let mut step = Step { state, context, effects: Vec::new(), tell_now: false };
    if step.state.wake_at.is_some_and(|at| at <= context.now) {
        step.state.wake_at = None;
    }
    step.take(event);
    step.go_on();
    step.repair_due();
    step.finish();
    step.effects
}

struct Step<'s, 'c> {
    state: &'s mut AppState,
    context: &'s Context<'c>,
    effects: Vec<Effect>,
    /// The status is final for now and written at once.
    tell_now: bool,
}

impl Step<'_, '_> {
    fn take(&mut self, event: Event) {
        match event {
            Event::Spec { spec, generation, refresh, deleting, finalizer } => {
                self.take_spec(spec, generation, refresh, deleting, finalizer);
            }
            Event::Resolved(Ok(revision)) => {
                self.state.source_problem = None;
                self.state.target = Some(revision);
            }
            Event::Resolved(Err(problem)) => self.source_failed(problem),
            Event::Rendered { ticket, result, conflicts } => self.rendered(ticket, result, conflicts),
            Event::Applied { key, version, digest, result, changed } => {
                self.applied(key, version, digest, result, changed);
            }
            Event::Deleted { key, result } => self.deleted(&key, result),
            Event::Live { key, object } => self.live(&key, object.as_deref()),
            Event::Wake => {}
            Event::RulesChanged => self.ask_again(ProblemKind::Forbidden),
            Event::ClaimsChanged => self.ask_again(ProblemKind::Claimed),
            Event::KindsChanged => {
                if self.state.problem.as_ref().is_some_and(|problem| problem.kind == ProblemKind::UnknownKind) {
                    self.state.retry_at = Some(self.context.now);
                    self.state.failures = 0;
                }
            }
        }
    }

    fn take_spec(
        &mut self,
        spec: Arc<lockstep_api::AppSpec>,
        generation: i64,
        refresh: String,
        deleting: bool,
        finalizer: bool,
    ) {
        let state = &mut *self.state;
        let changed = state.spec != spec;
        if source_name(&state.spec) != source_name(&spec) {
            state.target = None;
        }
        if changed {
            // Whatever was decided, was decided under other rules.
            state.rendered = None;
            state.retry_at = None;
            if !matches!(state.activity, Activity::Deleting) {
                state.activity = Activity::Idle;
            }
            state.problem = None;
        }
        state.spec = spec;
        state.generation = generation;
        state.finalizer = finalizer;
        state.deleting |= deleting;
        if state.refresh != refresh {
            state.refresh = refresh;
            if state.refresh != state.refreshed {
                state.retry_at = None;
            }
        }
        if !finalizer && !deleting && state.spec.sync.deletion == Deletion::Delete {
            self.effects.push(Effect::AddFinalizer);
        }
    }

    fn source_failed(&mut self, problem: Problem) {
        if self.state.source_problem.as_ref() != Some(&problem) {
            self.notify(true, problem.kind.reason(), problem.message.clone());
            self.tell_now = true;
        }
        self.state.source_problem = Some(problem);
    }

    // What the App does of its own accord.

    /// Goes on as far as it goes without waiting.
    fn go_on(&mut self) {
        // Every turn either waits, or moves on along a finite plan.
        loop {
            if self.state.deleting {
                return self.go_on_deleting();
            }
            if self.state.spec.suspend {
                if !matches!(self.state.activity, Activity::Idle) {
                    self.state.activity = Activity::Idle;
                }
                return;
            }
            match &self.state.activity {
                Activity::Idle | Activity::Waiting(_) => {
                    if !self.begin() {
                        return;
                    }
                }
                Activity::Rendering(_, revision) => {
                    if self.is_superseded(&revision.id.clone()) {
                        self.state.activity = Activity::Idle;
                        continue;
                    }
                    return;
                }
                Activity::Running(run) => {
                    if self.is_superseded(&run.revision.id.clone()) {
                        self.supersede();
                        continue;
                    }
                    if self.has_sync_in_flight() || !self.advance() {
                        return;
                    }
                }
                Activity::Deleting => return,
            }
        }
    }

    fn is_superseded(&self, revision: &str) -> bool {
        self.state.target.as_ref().is_some_and(|target| target.id != revision) && self.wants_target()
    }

    /// Tells whether the newest revision is to be synced by itself or was asked for.
    fn wants_target(&self) -> bool {
        self.state.spec.sync.auto || self.is_asked()
    }

    fn is_asked(&self) -> bool {
        !self.state.refresh.is_empty() && self.state.refresh != self.state.refreshed
    }

    fn has_sync_in_flight(&self) -> bool {
        self.state.in_flight.values().any(|applying| *applying == Applying::Sync)
    }

    /// Begins a sync if there is reason to; tells whether the activity changed.
    fn begin(&mut self) -> bool {
        let Some(target) = self.state.target.clone() else { return false };
        if !self.needs_sync(&target) {
            if matches!(self.state.activity, Activity::Waiting(_)) {
                self.state.activity = Activity::Idle;
            }
            return false;
        }
        if let Some(why) = self.waits_for() {
            let told = matches!(&self.state.activity, Activity::Waiting(known) if *known == why);
            self.state.activity = Activity::Waiting(why);
            if !told {
                self.state.status_due.get_or_insert(self.context.now + WORTH_TELLING);
            }
            return false;
        }
        if self.state.retry_at.is_some_and(|at| at > self.context.now) {
            return false;
        }
        self.state.ticket += 1;
        let ticket = self.state.ticket;
        self.state.activity = Activity::Rendering(ticket, target.clone());
        self.effects.push(Effect::Render { ticket, revision: target });
        true
    }

    /// Tells whether there is anything to do for the newest revision.
    fn needs_sync(&self, target: &RevisionInfo) -> bool {
        let state = &self.state;
        if self.is_asked() {
            return true;
        }
        let is_target = |known: &RevisionInfo| known.id == target.id && known.inputs == target.inputs;
        let rendered = state.rendered.as_ref().is_some_and(is_target);
        if !rendered {
            // After a restart, or for a new revision: its files are looked at, whatever comes of it.
            return state.spec.sync.auto || state.prepared.desired.is_empty();
        }
        let synced = state.synced.as_ref().is_some_and(|synced| synced.id == target.id);
        // A problem that only a commit solves is not tried again; others are, after a pause.
        let retry = state.problem.as_ref().is_some_and(|problem| !problem.kind.needs_a_person());
        let known = state.problem.as_ref().is_some_and(|problem| problem.kind.needs_a_person());
        state.spec.sync.auto && !known && (!synced || retry) && state.problem_allows_retry()
    }

    /// Says which dependency is not ready.
    fn waits_for(&self) -> Option<String> {
        let source = source_name(&self.state.spec);
        let target = self.state.target.as_ref().map(|target| target.id.as_str()).unwrap_or_default();
        self.state.spec.depends_on.iter().find_map(|dependency| {
            let namespace = dependency.namespace.as_ref().unwrap_or(&self.state.id.namespace);
            let id = AppId::new(namespace, &dependency.name);
            match (self.context.dependency)(&id) {
                None => Some(format!("waits for {}, which does not exist", dependency.name)),
                Some(facts) if !facts.ready => Some(format!("waits for {} to be ready", dependency.name)),
                Some(facts) if facts.source == source && facts.revision != target => {
                    Some(format!("waits for {} to reach {}", dependency.name, short_revision(target)))
                }
                Some(_) => None,
            }
        })
    }

    // Rendering.

    fn rendered(
        &mut self,
        ticket: Ticket,
        result: Result<Arc<Prepared>, Rejected>,
        conflicts: Vec<(ObjectKey, String)>,
    ) {
        let revision = match &self.state.activity {
            Activity::Rendering(awaited, revision) if *awaited == ticket => revision.clone(),
            _ => return,
        };
        self.state.activity = Activity::Idle;
        self.state.refreshed = self.state.refresh.clone();
        let prepared = match result {
            Ok(prepared) => prepared,
            Err(rejected) => {
                let words: Vec<String> = rejected.diagnostics.iter().map(ToString::to_string).collect();
                return self.refuse(&revision, Problem::new(rejected.kind, words.join("\n")));
            }
        };
        let errors = prepared.diagnostics.iter().filter(|diagnostic| diagnostic.is_error());
        let errors: Vec<String> = errors.map(ToString::to_string).collect();
        if !errors.is_empty() {
            return self.refuse(&revision, Problem::new(ProblemKind::RenderFailed, errors.join("\n")));
        }
        if !conflicts.is_empty() {
            let words = |(key, owner): &(ObjectKey, String)| {
                format!("{key} belongs to the app {owner}; remove it from one of the two")
            };
            let words: Vec<String> = conflicts.iter().map(words).collect();
            return self.refuse(&revision, Problem::new(ProblemKind::Claimed, words.join("\n")));
        }
        self.start_run(revision, prepared);
    }

    /// Renders anew if this is what stood in the way.
    fn ask_again(&mut self, obstacle: ProblemKind) {
        if self.state.problem.as_ref().is_some_and(|problem| problem.kind == obstacle) {
            self.state.rendered = None;
            self.state.retry_at = None;
        }
    }

    /// The revision is not applied and the cluster stays as it is.
    fn refuse(&mut self, revision: &RevisionInfo, problem: Problem) {
        let message = match &self.state.synced {
            Some(synced) => format!("{}\nthe cluster stays at {}", problem.message, short_revision(&synced.id)),
            None => problem.message,
        };
        self.state.rendered = Some(revision.clone());
        self.fail(revision, self.context.now, 0, Problem::new(problem.kind, message));
    }

    fn start_run(&mut self, revision: RevisionInfo, prepared: Arc<Prepared>) {
        let asked = self.state.written.last_refresh != self.state.refreshed;
        for key in self.context.live.of_app(&self.state.label) {
            // A sync that was cut off by a crash left objects that no status names.
            if self.state.inventory.get(key).is_none() && !is_hook(&prepared, key) {
                let record = Record { version: Text::from("v1"), desired: 0, owned: 0 };
                let version = prepared.desired.iter().find(|one| one.key == *key).map(|one| one.version.clone());
                let record = Record { version: version.unwrap_or_else(|| record.version.clone()), ..record };
                self.state.inventory.insert(key.clone(), record);
            }
        }
        let policy = Policy {
            label: self.state.label.clone(),
            prune: self.state.spec.sync.prune,
            allow_empty: self.state.spec.sync.allow_empty,
            hooks: asked || prepared.digest != self.state.synced_digest,
        };
        let plan = plan(&prepared, &self.state.inventory, self.context.live, &policy);
        if let Some(fatal) = plan.refusals.iter().find(|refusal| refusal.fatal) {
            let hint = "set sync.allowEmpty if that is meant";
            let problem = Problem::new(ProblemKind::Refused, format!("{}; {hint}", fatal.message));
            return self.refuse(&revision, problem);
        }
        let warnings = prepared.diagnostics.iter().map(ToString::to_string);
        self.state.remarks = plan.refusals.iter().map(|refusal| refusal.message.clone()).chain(warnings).collect();
        self.forget_what_is_gone(&prepared);
        let digest = prepared.digest;
        self.state.set_prepared(prepared, revision.clone());
        let now = self.context.now;
        self.state.activity = Activity::Running(Box::new(Run::new(plan, revision, digest, now, self.deadline())));
    }

    /// Forgets objects that are neither wanted nor there.
    fn forget_what_is_gone(&mut self, prepared: &Prepared) {
        let wanted: HashSet<&ObjectKey> = prepared.desired.iter().map(|one| &one.key).collect();
        let gone = self.state.inventory.iter().map(|(key, _)| key);
        let gone: Vec<ObjectKey> =
            gone.filter(|key| self.context.live.get(key).is_none() && !wanted.contains(key)).cloned().collect();
        for key in gone {
            self.state.inventory.remove(&key);
        }
    }

    fn deadline(&self) -> Timestamp {
        let seconds = i64::try_from(self.state.spec.sync.timeout_seconds).unwrap_or(i64::MAX).clamp(1, 86_400);
        self.context.now + SignedDuration::from_secs(seconds)
    }

    // The run.

    /// Does what the run does next; tells whether to look again.
    fn advance(&mut self) -> bool {
        let renew = self.deadline();
        let Activity::Running(run) = &mut self.state.activity else { return false };
        match run.next(self.context.live, self.context.now, renew) {
            Next::Apply(batch) => {
                for one in &batch {
                    self.apply(one, Applying::Sync);
                }
                batch.is_empty()
            }
            Next::Delete(keys) => {
                for (key, version) in keys {
                    self.delete(key, version);
                }
                false
            }
            Next::Wait => {
                let deadline = run.deadline;
                self.state.status_due.get_or_insert(self.context.now + WORTH_TELLING);
                self.wake_at(deadline);
                false
            }
            Next::Done => {
                self.succeed();
                true
            }
            Next::Fail(problem) => {
                self.fail_run(problem);
                true
            }
        }
    }

    fn apply(&mut self, one: &Desired, why: Applying) {
        self.state.in_flight.insert(one.key.clone(), why);
        self.effects.push(Effect::Apply {
            key: one.key.clone(),
            version: one.version.clone(),
            body: Arc::clone(&one.body),
            digest: one.digest,
            create_namespace: self.state.spec.sync.create_namespace,
        });
    }

    fn delete(&mut self, key: ObjectKey, version: Text) {
        match self.context.live.get(&key) {
            Some(live) if !live.deleting => {
                let uid = live.uid.clone();
                self.effects.push(Effect::Delete { key, version, uid });
            }
            Some(_) => {}
            None => {
                self.state.inventory.remove(&key);
            }
        }
    }

    fn applied(&mut self, key: ObjectKey, version: Text, digest: u64, result: Result<Live, Problem>, changed: bool) {
        let why = self.state.in_flight.remove(&key);
        let hook = self.state.desired(&key).is_some_and(|one| one.hook.is_some());
        match result {
            Ok(live) => {
                if !hook {
                    self.state.inventory.insert(key.clone(), Record { version, desired: digest, owned: live.owned });
                }
                match (&mut self.state.activity, &why) {
                    (Activity::Running(run), Some(Applying::Sync)) => run.changed += u32::from(changed),
                    (_, Some(Applying::Repair(seen))) => {
                        let took = self.context.now.duration_since(*seen).as_millis();
                        self.finish_repair(&key, took);
                    }
                    _ => {}
                }
            }
            Err(problem) => match why {
                Some(Applying::Sync) if matches!(self.state.activity, Activity::Running(_)) => {
                    self.fail_run(Problem::new(problem.kind, format!("{key}: {}", problem.message)));
                }
                Some(Applying::Repair(_)) => {
                    let at = self.context.now + SignedDuration::from_secs(5);
                    self.state.repair_at.insert(key, at);
                }
                _ => {}
            },
        }
    }

    fn deleted(&mut self, key: &ObjectKey, result: Result<(), Problem>) {
        match result {
            Ok(()) => {
                if self.context.live.get(key).is_none() {
                    self.state.inventory.remove(key);
                }
            }
            Err(problem) => {
                let problem = Problem::new(problem.kind, format!("cannot delete {key}: {}", problem.message));
                if matches!(self.state.activity, Activity::Running(_)) {
                    self.fail_run(problem);
                } else {
                    self.state.problem = Some(problem);
                    self.retry_later();
                }
            }
        }
    }

    fn succeed(&mut self) {
        let Activity::Running(run) = std::mem::take(&mut self.state.activity) else { return };
        let first = self.state.synced.is_none();
        let moved = self.state.synced.as_ref().is_none_or(|synced| synced.id != run.revision.id);
        let applied = run.changed > 0 || self.state.synced_digest != run.digest;
        if moved && applied {
            self.remember(&run.revision, run.started, run.changed, Outcome::Succeeded, String::new());
        }
        if !first && applied && moved {
            let words = format!("{} is synced, {} changed", revision_words(&run.revision), run.changed);
            self.notify(false, "Synced", words);
        }
        if first || applied || self.state.shown.is_none() {
            self.state.shown = Some(run.revision.clone());
        }
        self.state.synced = Some(run.revision);
        self.state.synced_digest = run.digest;
        self.state.problem = None;
        self.state.failures = 0;
        self.state.retry_at = None;
        self.tell_now = true;
    }

    fn fail_run(&mut self, problem: Problem) {
        let Activity::Running(run) = std::mem::take(&mut self.state.activity) else { return };
        for hook in self.state.prepared.clone().desired.iter().filter(|one| runs_on_failure(one)) {
            self.apply(hook, Applying::Sync);
        }
        self.fail(&run.revision, run.started, run.changed, problem);
    }

    fn fail(&mut self, revision: &RevisionInfo, started: Timestamp, changed: u32, problem: Problem) {
        if self.state.problem.as_ref() != Some(&problem) {
            self.remember(revision, started, changed, Outcome::Failed, problem.message.clone());
            self.notify(true, problem.kind.reason(), format!("{}: {}", revision_words(revision), problem.message));
        }
        self.state.problem = Some(problem);
        self.retry_later();
        self.tell_now = true;
    }

    fn supersede(&mut self) {
        let Activity::Running(run) = std::mem::take(&mut self.state.activity) else { return };
        self.remember(&run.revision, run.started, run.changed, Outcome::Superseded, "a newer revision came".to_owned());
        self.state.retry_at = None;
    }

    fn retry_later(&mut self) {
        let retry = &self.state.spec.sync.retry;
        let doubled = retry.min_seconds.max(1).saturating_mul(1 << self.state.failures.min(20));
        let seconds = doubled.min(retry.max_seconds.max(1));
        // Up to a quarter more, so that a thousand apps do not come back at once.
        let millis = seconds.saturating_mul(1000);
        let jitter = self.context.random % (millis / 4).max(1);
        let pause = i64::try_from(millis + jitter).unwrap_or(i64::MAX / 2);
        self.state.failures = self.state.failures.saturating_add(1);
        self.state.retry_at = Some(self.context.now + SignedDuration::from_millis(pause.min(86_400_000)));
    }

    fn remember(
        &mut self,
        revision: &RevisionInfo,
        started: Timestamp,
        changed: u32,
        outcome: Outcome,
        reason: String,
    ) {
        self.state.remember_sync(HistoryEntry {
            revision: revision.id.clone(),
            author: revision.author.clone(),
            message: revision.message.clone(),
            started: time_text(started),
            finished: time_text(self.context.now),
            outcome,
            changed,
            reason,
        });
    }

    // Drift.

    fn live(&mut self, key: &ObjectKey, object: Option<&Object>) {
        if object.is_none() {
            let wanted = self.state.by_key.contains_key(key);
            if !wanted || self.state.deleting {
                self.state.inventory.remove(key);
            }
        }
        if self.is_drift(key) {
            self.drift(key, object);
        }
    }

    /// Tells whether an object that we left in order is no longer so, and nobody is at it.
    fn is_drift(&self, key: &ObjectKey) -> bool {
        let state = &self.state;
        if state.deleting || state.in_flight.contains_key(key) || !matches!(state.activity, Activity::Idle) {
            return false;
        }
        let (Some(one), Some(record)) = (state.desired(key), state.inventory.get(key)) else { return false };
        let known = one.hook.is_none() && record.desired == one.digest;
        known && !is_as_we_left_it(one, &state.inventory, self.context.live)
    }

    fn drift(&mut self, key: &ObjectKey, object: Option<&Object>) {
        let Some(one) = self.state.desired(key) else { return };
        let told = match object {
            Some(object) => attribute(&one.body, object),
            None => crate::Attribution { manager: String::new(), fields: vec!["deleted".to_owned()] },
        };
        let now = self.context.now;
        let heals = self.state.spec.sync.self_heal && !self.state.spec.suspend;
        let repairs = self.state.repairs.entry(key.clone()).or_default();
        let at = repairs.next(now);
        let fight = repairs.is_fight();
        let action = match (heals, at > now) {
            (false, _) => "reported",
            (true, false) => "repaired",
            (true, true) => "backing off",
        };
        let waits = self.state.repair_at.contains_key(key);
        if heals {
            self.state.repair_at.insert(key.clone(), at);
        }
        if waits {
            return;
        }
        let by = if told.manager.is_empty() { String::new() } else { format!(" by {}", told.manager) };
        let mut words = format!("{key}: {}{by}; {action}", told.fields.join(", "));
        if fight {
            words.push_str("; it is changed again and again, which looks like a second controller");
        }
        self.notify(true, "Drift", words);
        self.state.remember_drift(Drift {
            object: key.to_string(),
            fields: told.fields,
            manager: told.manager,
            time: time_text(now),
            action: action.to_owned(),
        });
        self.state.status_due.get_or_insert(now + WORTH_TELLING);
    }

    /// Sets back what is due, if it still is as it should not be.
    fn repair_due(&mut self) {
        let now = self.context.now;
        let due: Vec<ObjectKey> =
            self.state.repair_at.iter().filter(|(_, at)| **at <= now).map(|(key, _)| key.clone()).collect();
        for key in due {
            self.state.repair_at.remove(&key);
            if !self.is_drift(&key) || self.state.spec.suspend || !self.state.spec.sync.self_heal {
                continue;
            }
            self.state.repairs.entry(key.clone()).or_default().record(now);
            let Some(one) = self.state.desired(&key).cloned() else { continue };
            self.apply(&one, Applying::Repair(now));
        }
        if let Some(next) = self.state.repair_at.values().min().copied() {
            self.wake_at(next);
        }
    }

    fn finish_repair(&mut self, key: &ObjectKey, millis: i128) {
        self.notify(false, "DriftRepaired", format!("{key}: set back after {millis} ms"));
    }

    // Deletion.

    /// Deletes what the App owns, the last kind first, each kind gone before the next; then lets go.
    fn go_on_deleting(&mut self) {
        if !matches!(self.state.activity, Activity::Deleting) {
            self.state.activity = Activity::Deleting;
            self.state.problem = None;
            self.state.retry_at = None;
        }
        if !self.state.finalizer || !self.state.in_flight.is_empty() {
            return;
        }
        if self.state.retry_at.is_some_and(|at| at > self.context.now) {
            return;
        }
        if self.state.spec.sync.deletion == Deletion::Delete {
            let left = self.left_to_delete();
            if let Some(rank) = left.iter().map(|(key, _)| apply_rank(&key.kind)).max() {
                for (key, version) in left.into_iter().filter(|(key, _)| apply_rank(&key.kind) == rank) {
                    self.delete(key, version);
                }
                self.state.status_due.get_or_insert(self.context.now + WORTH_TELLING);
                return;
            }
        }
        self.state.finalizer = false;
        self.effects.push(Effect::RemoveFinalizer);
    }

    /// Returns the objects that are there, carry our label and do not ask to be kept.
    fn left_to_delete(&self) -> Vec<(ObjectKey, Text)> {
        let ours = |live: &Live| live.app.as_deref() == Some(self.state.label.as_str());
        let kept = |live: &Live| live.prune.as_deref() == Some("disabled");
        let there = |key: &ObjectKey| self.context.live.get(key).is_some_and(|live| ours(live) && !kept(live));
        let owned = self.state.inventory.iter().filter(|(key, _)| there(key));
        owned.map(|(key, record)| (key.clone(), record.version.clone())).collect()
    }

    // The end of a step.

    fn finish(&mut self) {
        self.clear_solved_problem();
        let now = self.context.now;
        if let Some(at) = self.state.retry_at {
            if at > now {
                self.wake_at(at);
            } else if self.state.is_idle() {
                self.state.retry_at = None;
            }
        }
        let removed = self.effects.contains(&Effect::RemoveFinalizer);
        if removed {
            return;
        }
        if self.state.is_finding_its_feet() {
            return;
        }
        let due = *self.state.status_due.get_or_insert(now + WORTH_TELLING);
        if !self.tell_now && (due > now || self.context.saturated) {
            self.wake_at(if due > now { due } else { now + WORTH_TELLING });
            return;
        }
        self.state.status_due = None;
        let facts = self.state.facts(self.context);
        if facts != self.state.written {
            self.state.written = facts.clone();
            self.effects.push(Effect::Status(Box::new(facts)));
        }
    }

    /// Objects that became healthy after their time are healthy all the same.
    fn clear_solved_problem(&mut self) {
        let late = self.state.problem.as_ref().is_some_and(|problem| problem.kind == ProblemKind::Unhealthy);
        let healthy = |(key, _): (&ObjectKey, &Record)| {
            self.context.live.get(key).is_some_and(|live| matches!(live.status, Status::Healthy | Status::Suspended))
        };
        if late && self.state.is_idle() && self.state.inventory.iter().all(healthy) {
            self.state.retry_at = Some(self.context.now);
            self.wake_at(self.context.now);
        }
    }

    fn wake_at(&mut self, at: Timestamp) {
        let at = at.max(self.context.now);
        if self.state.wake_at.is_none_or(|known| at < known) {
            self.state.wake_at = Some(at);
            self.effects.push(Effect::WakeAt(at));
        }
    }

    fn notify(&mut self, warning: bool, reason: &'static str, message: String) {
        self.effects.push(Effect::Notify(Notice { warning, reason, message }));
    }
}

impl AppState {
    /// Tells whether the pause after a failure is over, or there was none.
    fn problem_allows_retry(&self) -> bool {
        self.problem.is_none() || self.retry_at.is_some()
    }
}

fn runs_on_failure(one: &Desired) -> bool {
    one.hook.as_ref().is_some_and(|hook| hook.phases.contains(&HookPhase::SyncFail))
}

fn is_hook(prepared: &Prepared, key: &ObjectKey) -> bool {
    prepared.desired.iter().any(|one| one.key == *key && one.hook.is_some())
}

fn revision_words(revision: &RevisionInfo) -> String {
    let mut words = facts::short_revision(&revision.id).to_owned();
    if !revision.message.is_empty() {
        words.push_str(&format!(" \"{}\"", revision.message));
    }
    if !revision.author.is_empty() {
        words.push_str(&format!(" ({})", revision.author));
    }
    words
}
