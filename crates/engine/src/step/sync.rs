//! A sync: from rendered files to objects that are well.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};
use lockstep_api::HOOK_RUN;
use lockstep_object::{Object, ObjectKey, Text, from_json, to_json};

use super::Step;
use crate::{
    ApplyOptions, Desired, Effect, Live, Policy, Prepared, Problem, ProblemKind, Record, RevisionInfo, Ticket,
    event::Rejected,
    facts::short_revision,
    plan::{holds_data, plan},
    run::{Failing, HookRun, Next, Purpose, Run, Start, id_of, is_cleared, number_of},
    state::{Activity, Applying},
};

/// The operator answers sooner; without an answer the run fails as well as it can.
const EXPLAINED_WITHIN: SignedDuration = SignedDuration::from_secs(15);
/// More objects than these are not explained: one is enough to act on.
const EXPLAINED: usize = 3;

impl Step<'_, '_> {
    pub(super) fn rendered(
        &mut self,
        ticket: Ticket,
        result: Result<Arc<Prepared>, Rejected>,
        conflicts: Vec<(ObjectKey, String)>,
    ) {
        if self.state.deleting {
            return self.rendered_for_deletion(ticket, result);
        }
        let revision = match &self.state.activity {
            Activity::Rendering(awaited, revision) if *awaited == ticket => revision.clone(),
            _ => return,
        };
        self.state.activity = Activity::Idle;
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
        if !self.may_sync() {
            return self.take_note(revision, prepared);
        }
        self.state.looked_at = revision.id.clone();
        if let Some(closed) = self.closed_window()
            && (prepared.digest != self.state.synced_digest || closed.hold_repairs)
        {
            self.wait_for_window(closed);
            return;
        }
        self.start_run(revision, prepared);
    }

    /// Nobody asked for a sync: what was rendered only tells drift, if it is what the cluster has.
    fn take_note(&mut self, revision: RevisionInfo, prepared: Arc<Prepared>) {
        if prepared.digest == self.state.synced_digest {
            self.state.synced = Some(revision.clone());
            self.state.set_prepared(prepared, revision);
        } else {
            self.state.rendered = Some(revision);
        }
        self.tell_soon();
    }

    /// The revision is not applied and the cluster stays as it is.
    fn refuse(&mut self, revision: &RevisionInfo, problem: Problem) {
        let message = match &self.state.synced {
            Some(synced) => format!("{}\nthe cluster stays at {}", problem.message, short_revision(&synced.id)),
            None => problem.message,
        };
        self.state.rendered = Some(revision.clone());
        self.state.refreshed = self.state.refresh.clone();
        self.fail(revision, self.context.now, 0, Vec::new(), Problem::new(problem.kind, message));
    }

    fn start_run(&mut self, revision: RevisionInfo, prepared: Arc<Prepared>) {
        self.adopt(&prepared);
        let only: Vec<String> = match self.is_asked() {
            true => self.state.resources.split(',').map(|word| word.trim().to_owned()).collect(),
            false => Vec::new(),
        };
        let only: Vec<String> = only.into_iter().filter(|word| !word.is_empty()).collect();
        let selective = !only.is_empty();
        let sync = &self.state.spec.sync;
        let other = self.state.superseded.is_some_and(|superseded| superseded != prepared.digest);
        // Going back to what was synced last is a change, too, if a sync of something else had begun.
        let hooks = !selective && (other || self.is_asked() || prepared.digest != self.state.synced_digest);
        let policy = Policy {
            label: self.state.label.clone(),
            prune: sync.prune,
            allow_empty: sync.allow_empty,
            hooks,
            leave_drift: sync.drift_mode() == lockstep_api::DriftMode::Ignore,
            confirm_prune: sync.confirm_prune,
            confirmed: self.state.confirm.clone(),
            only,
        };
        let plan = plan(&prepared, &self.state.inventory, self.context.live, &policy);
        if let Some(fatal) = plan.refusals.iter().find(|refusal| refusal.fatal) {
            let hint = "set sync.allowEmpty if that is meant";
            let problem = Problem::new(ProblemKind::Refused, format!("{}; {hint}", fatal.message));
            return self.refuse(&revision, problem);
        }
        // A revision that was refused began nothing: the superseded sync may still be the one to go on with.
        self.state.superseded = None;
        self.state.runs += u64::from(other);
        let warnings = prepared.diagnostics.iter().map(ToString::to_string);
        self.state.remarks = plan.refusals.iter().map(|refusal| refusal.message.clone()).chain(warnings).collect();
        self.state.asks = plan.asks.clone();
        self.forget_what_is_gone(&prepared);
        let start = self.start(Purpose::Sync, revision.clone(), prepared.digest, hooks, selective);
        let validate_first = self.state.spec.sync.validate_first;
        self.state.set_prepared(prepared, revision);
        self.state.activity = Activity::Running(Box::new(Run::sync(plan, start, validate_first)));
    }

    /// Says what a run begins with.
    pub(super) fn start(
        &mut self,
        purpose: Purpose,
        revision: RevisionInfo,
        digest: u64,
        hooks: bool,
        selective: bool,
    ) -> Start {
        // The same sync has the same id and number in the next process, until it has ended and its end was written.
        // That it began may not have been written: then the hooks that ran for it tell its number. Where they ran for
        // another sync, that one was given up, and going back to it later is one more.
        let live = self.context.live;
        let marks = live.of_app(&self.state.label).filter_map(|key| live.get(key)?.hook_run.as_ref());
        let marks: Vec<(u64, u64)> = marks.filter_map(|mark| Some((number_of(mark)?, id_of(mark)?))).collect();
        let number = marks.iter().map(|(number, _)| *number).max().unwrap_or_default().max(self.state.runs);
        // What was asked for and answered, be it by a refusal, makes no other sync of it: neither of one that began
        // before it was asked for, nor of one that began for it.
        let id_for = |asked: &str| crate::desired::digest_of(format!("{digest:x} {asked}").as_bytes());
        let answered = id_for(&self.state.refreshed);
        let id = match self.is_asked() {
            true => id_for(&self.state.refresh),
            false if marks.contains(&(number, answered)) => answered,
            false => id_for(""),
        };
        let given_up = hooks && marks.iter().any(|(known, of)| *known == number && *of != id);
        let number = number + u64::from(given_up);
        self.state.runs = number;
        let (started, deadline, refresh) = (self.context.now, self.deadline(), self.state.refresh.clone());
        Start { purpose, revision, digest, id, number, refresh, hooks, selective, started, deadline }
    }

    /// Takes in objects that a sync left which was cut off by a crash: no status names them.
    fn adopt(&mut self, prepared: &Prepared) {
        let found = self.context.live.of_app(&self.state.label);
        let unknown: HashSet<&ObjectKey> = found.filter(|key| self.state.inventory.get(key).is_none()).collect();
        if unknown.is_empty() {
            return;
        }
        let wanted = prepared.desired.iter().filter(|one| unknown.contains(&one.key));
        let wanted: std::collections::HashMap<&ObjectKey, &Desired> = wanted.map(|one| (&one.key, one)).collect();
        // What carries our label and has no field of ours was made by somebody who copies labels.
        // A hook's object is owned by no App: its plan finds what hooks left.
        let owned = |live: &Live| live.owned != 0 && !live.marks.extraneous && live.hook_run.is_none();
        for key in unknown.into_iter().filter(|key| self.context.live.get(key).is_some_and(owned)) {
            let one = wanted.get(key);
            if one.is_some_and(|one| one.hook.is_some()) {
                continue;
            }
            let version = one.map_or_else(|| Text::from("v1"), |one| one.version.clone());
            self.state.inventory.insert(key.clone(), Record { version, desired: 0, owned: 0 });
        }
    }

    /// Forgets objects that are not wanted and not there, or no longer ours; and hooks, which come and go.
    fn forget_what_is_gone(&mut self, prepared: &Prepared) {
        let wanted: HashSet<&ObjectKey> = prepared.desired.iter().map(|one| &one.key).collect();
        let label = self.state.label.as_str();
        let ours = |key: &ObjectKey| self.context.live.get(key).is_some_and(|live| live.app.as_deref() == Some(label));
        let owned = self.state.inventory.iter().map(|(key, _)| key);
        let hooks: HashSet<&ObjectKey> =
            prepared.desired.iter().filter(|one| one.hook.is_some()).map(|one| &one.key).collect();
        let of_hook = |key: &ObjectKey| self.context.live.get(key).is_some_and(|live| live.hook_run.is_some());
        let goes = |key: &&ObjectKey| hooks.contains(*key) || !wanted.contains(*key) && (!ours(key) || of_hook(key));
        let gone: Vec<ObjectKey> = owned.filter(goes).cloned().collect();
        for key in gone {
            self.state.inventory.remove(&key);
        }
    }

    pub(super) fn deadline(&self) -> Timestamp {
        let seconds = i64::try_from(self.state.spec.sync.timeout_seconds).unwrap_or(i64::MAX).clamp(1, 86_400);
        self.context.now + SignedDuration::from_secs(seconds)
    }

    /// Does what the run does next; tells whether to look again.
    pub(super) fn advance(&mut self) -> bool {
        if let Some(ended) = self.explained() {
            return ended;
        }
        let (renew, live, now) = (self.deadline(), self.context.live, self.context.now);
        let Some(run) = self.run() else { return false };
        if !run.validating.is_empty() {
            return false;
        }
        match run.next(live, now, renew) {
            Next::Validate(batch) => {
                run.validating = batch.iter().map(|one| one.key.clone()).collect();
                batch.iter().for_each(|one| self.validate(one));
                false
            }
            Next::Apply(objects, hooks) => {
                objects.iter().for_each(|one| self.apply(one, Applying::Sync));
                hooks.iter().for_each(|hook| self.apply_hook(hook));
                objects.is_empty() && hooks.is_empty()
            }
            Next::Delete(keys) => {
                let deadline = run.start.deadline;
                let gone = keys.iter().all(|(key, _)| live.get(key).is_none());
                for (key, version) in keys {
                    if self.belongs_to_another(&key) {
                        self.leave(&key);
                    } else {
                        self.delete(key, version);
                    }
                }
                self.tell_soon();
                self.wake_at(deadline);
                // Of what is gone already no event will tell.
                gone
            }
            Next::Wait(until) => {
                self.tell_soon();
                self.wake_at(until);
                false
            }
            Next::Done => {
                self.succeed();
                true
            }
            Next::Fail(problem, about) => {
                self.explain(problem, about);
                true
            }
        }
    }

    /// Tells whether an object carries another App's label by now, or none.
    fn belongs_to_another(&self, key: &ObjectKey) -> bool {
        let live = self.context.live.get(key);
        live.is_some_and(|live| live.app.as_deref() != Some(self.state.label.as_str()))
    }

    /// An object was handed over after it was planned to delete it.
    fn leave(&mut self, key: &ObjectKey) {
        self.state.inventory.remove(key);
        if let Some(run) = self.run() {
            run.leave(key);
        }
    }

    /// Asks why objects are not well before the run fails because of them.
    fn explain(&mut self, problem: Problem, about: Vec<ObjectKey>) {
        let until = self.context.now + EXPLAINED_WITHIN;
        let log = problem.kind == ProblemKind::HookFailed;
        let version = |key: &ObjectKey| {
            let record = self.state.inventory.get(key).map(|record| record.version.clone());
            record.or_else(|| self.state.desired(key).map(|one| one.version.clone()))
        };
        let asked: Vec<(ObjectKey, Text)> = about
            .into_iter()
            .filter(|key| self.context.live.get(key).is_some())
            .filter_map(|key| Some((key.clone(), version(&key)?)))
            .take(EXPLAINED)
            .collect();
        let open: BTreeSet<ObjectKey> = asked.iter().map(|(key, _)| key.clone()).collect();
        if let Some(run) = self.run() {
            run.failing = Some(Failing { problem, open, reasons: Vec::new(), until });
        }
        for (key, version) in asked {
            self.effects.push(Effect::Explain { key, version, log });
        }
    }

    /// Ends a failed run once it was explained; nothing if it did not fail.
    fn explained(&mut self) -> Option<bool> {
        let now = self.context.now;
        let run = self.run()?;
        let failing = run.failing.as_ref()?;
        if !failing.open.is_empty() && now < failing.until {
            let until = failing.until;
            self.wake_at(until);
            return Some(false);
        }
        let failing = run.failing.take()?;
        let mut problem = failing.problem;
        if !failing.reasons.is_empty() {
            let reasons = failing.reasons.join("; ");
            problem.message = match problem.kind {
                ProblemKind::Unhealthy => format!("not healthy in time: {reasons}"),
                _ => format!("{}; {reasons}", problem.message),
            };
        }
        self.fail_run(problem);
        Some(true)
    }

    fn options(&self, one: &Desired) -> ApplyOptions {
        let sync = &self.state.spec.sync;
        let namespace = self.state.spec.destination.namespace.as_deref().unwrap_or(&self.state.id.namespace);
        let metadata =
            sync.namespace_metadata.clone().filter(|_| one.key.namespace.as_str() == namespace).unwrap_or_default();
        let hook_is_made_anew = one.hook.is_some() && is_cleared(one);
        ApplyOptions {
            create_namespace: sync.create_namespace.then(|| Arc::new(metadata)),
            replace: one.marks.replace,
            // What is in a hook's place goes before it is made, also what its run cannot see for want of our label.
            recreate: one.marks.force || ((sync.recreate || hook_is_made_anew) && !holds_data(&one.key)),
            afresh: None,
            respect: self.state.rules.ignored(&one.key).respect,
        }
    }

    fn validate(&mut self, one: &Desired) {
        self.effects.push(Effect::Validate {
            key: one.key.clone(),
            version: one.version.clone(),
            body: Arc::clone(&one.body),
            options: Arc::new(self.options(one)),
        });
    }

    pub(super) fn validated(&mut self, key: &ObjectKey, result: Result<(), Problem>) {
        let Some(run) = self.run() else { return };
        if !run.validating.remove(key) {
            return;
        }
        // What the same sync brings cannot be there yet.
        let early =
            |problem: &Problem| matches!(problem.kind, ProblemKind::UnknownKind | ProblemKind::NamespaceMissing);
        if let Err(problem) = result
            && !early(&problem)
        {
            run.validating.clear();
            let message = format!("{key}: {}; nothing was changed", problem.message);
            self.fail_run(Problem::new(problem.kind, message));
        }
    }

    pub(super) fn apply(&mut self, one: &Desired, why: Applying) {
        self.apply_as(one, why, self.options(one));
    }

    fn apply_as(&mut self, one: &Desired, why: Applying, options: ApplyOptions) {
        self.state.in_flight.insert(one.key.clone(), why);
        self.effects.push(Effect::Apply {
            key: one.key.clone(),
            version: one.version.clone(),
            body: Arc::clone(&one.body),
            digest: one.digest,
            options: Arc::new(options),
        });
    }

    /// Applies a hook with the run's name on it.
    fn apply_hook(&mut self, hook: &HookRun) {
        let one = &hook.desired;
        let object = from_json(&one.body).ok().and_then(|value| Object::try_from(value).ok());
        let body = object.map(|mut object| {
            object.set_annotation(HOOK_RUN, hook.mark.as_str());
            Arc::from(to_json(&object.to_value()).into_bytes())
        });
        let marked = Desired { body: body.unwrap_or_else(|| Arc::clone(&one.body)), ..Desired::clone(one) };
        let mut options = self.options(one);
        if is_cleared(one) && self.state.unanswered.contains(&one.key) {
            options.afresh = Some(hook.mark.clone());
        }
        self.apply_as(&marked, Applying::Sync, options);
    }

    pub(super) fn delete(&mut self, key: ObjectKey, version: Text) {
        match self.context.live.get(&key) {
            Some(live) if !live.deleting => {
                let (uid, seen) = (live.uid.clone(), live.version);
                self.effects.push(Effect::Delete { key, version, uid, seen });
            }
            Some(_) => {}
            None => {
                self.state.inventory.remove(&key);
            }
        }
    }

    pub(super) fn applied(
        &mut self,
        key: ObjectKey,
        version: Text,
        digest: u64,
        result: Result<Live, Problem>,
        changed: bool,
    ) {
        let why = self.state.in_flight.remove(&key);
        let hook = self.state.desired(&key).is_some_and(|one| one.hook.is_some());
        if hook && result.as_ref().is_err_and(|problem| problem.kind == ProblemKind::Unreachable) {
            self.state.unanswered.insert(key.clone());
        } else {
            self.state.unanswered.remove(&key);
        }
        match result {
            Ok(live) => {
                if !hook {
                    self.state.inventory.insert(key.clone(), Record { version, desired: digest, owned: live.owned });
                }
                match &why {
                    Some(Applying::Sync) => {
                        if let Some(run) = self.run() {
                            run.changed += u32::from(changed);
                        }
                    }
                    Some(Applying::Repair(seen)) => {
                        let took = self.context.now.duration_since(*seen).as_millis();
                        self.finish_repair(&key, took);
                    }
                    None => {}
                }
                self.look_after_answer(&key);
            }
            Err(problem) => match why {
                Some(Applying::Sync) if self.run().is_some_and(|run| run.failing.is_none()) => {
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

    pub(super) fn deleted(&mut self, key: &ObjectKey, result: Result<(), Problem>) {
        match result {
            Ok(()) => {
                if self.context.live.get(key).is_none() {
                    self.state.inventory.remove(key);
                }
            }
            Err(problem) => {
                let words = format!("cannot delete {key}: {}", problem.message);
                if self.run().is_some() {
                    self.fail_run(Problem::new(problem.kind, words));
                } else {
                    // The object of a hook that ended; the next sync clears it.
                    self.notify(true, problem.kind.reason(), words);
                }
            }
        }
    }
}
