//! How a sync ends, and what is remembered of it.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use lockstep_api::{HistoryEntry, HookResult, Outcome};
use lockstep_health::Status;
use lockstep_object::{ObjectKey, Text};

use super::Step;
use crate::{
    Desired, Hook, HookPhase, Problem, ProblemKind, RevisionInfo,
    facts::{self, time_text},
    plan::holds_data,
    run::{Purpose, Run, Start, number_of},
    state::{Activity, Deleting},
};

impl Step<'_, '_> {
    pub(super) fn succeed(&mut self) {
        match std::mem::take(&mut self.state.activity) {
            Activity::Running(run) => match run.start.purpose.clone() {
                Purpose::Failure(problem) => self.end_failed(*run, problem),
                Purpose::Sync | Purpose::Deletion => self.succeed_sync(*run),
            },
            Activity::Deleting(Deleting::Running(run)) => {
                self.delete_hooks(&run, |hook| hook.delete.succeeded, true);
                self.let_go();
            }
            other => self.state.activity = other,
        }
    }

    fn succeed_sync(&mut self, run: Run) {
        self.state.refreshed.clone_from(&run.start.refresh);
        self.state.problem = None;
        self.state.failures = 0;
        self.state.retry_at = None;
        self.tell_now = true;
        let words = format!("{} is synced, {} changed", revision_words(&run.start.revision), run.changed);
        if run.start.selective {
            let words = format!("chosen objects only: {}", self.state.resources);
            return self.remember(
                &run.start.revision,
                run.start.started,
                run.changed,
                Outcome::Succeeded,
                words,
                run.results,
            );
        }
        let first = self.state.synced.is_none();
        let moved = self.state.synced.as_ref().is_none_or(|synced| synced.id != run.start.revision.id);
        let applied = run.changed > 0 || self.state.synced_digest != run.start.digest;
        self.state.runs += u64::from(run.start.hooks);
        if (moved && applied) || !run.results.is_empty() {
            let none = String::new();
            self.remember(&run.start.revision, run.start.started, run.changed, Outcome::Succeeded, none, run.results);
        }
        if !first && applied && moved {
            self.notify(false, "Synced", words);
        }
        if first || applied || self.state.shown.is_none() {
            self.state.shown = Some(run.start.revision.clone());
        }
        let held = &self.state.held;
        let back =
            self.state.target.as_ref().is_some_and(|target| target.id == *held) && run.start.revision.id != *held;
        self.state.synced = Some(run.start.revision);
        self.state.synced_digest = run.start.digest;
        if back {
            self.hold(run.changed > 0);
        } else {
            self.state.held.clear();
        }
        self.catch_up();
        self.clear_ended_hooks();
    }

    /// The cluster is back at the last good revision; only Git leads on.
    fn hold(&mut self, news: bool) {
        let held = facts::short_revision(&self.state.held).to_owned();
        let synced = self.state.synced.as_ref().map(|synced| facts::short_revision(&synced.id).to_owned());
        let failure = self.state.history.iter().find(|entry| entry.revision == self.state.held);
        let why = failure.map(|entry| entry.reason.clone()).unwrap_or_default();
        let message = format!(
            "{held} failed and the cluster went back to {}; revert {held} or push a commit that mends it: {why}",
            synced.unwrap_or_default()
        );
        if news {
            self.notify(true, ProblemKind::RolledBack.reason(), message.clone());
        }
        self.state.problem = Some(Problem::new(ProblemKind::RolledBack, message));
    }

    pub(super) fn fail_run(&mut self, problem: Problem) {
        match std::mem::take(&mut self.state.activity) {
            Activity::Running(run) => self.fail_sync(*run, problem),
            Activity::Deleting(Deleting::Running(run)) => {
                self.delete_hooks(&run, |hook| hook.delete.failed, false);
                self.state.activity = Activity::Deleting(Deleting::Begin);
                self.fail(&run.start.revision, run.start.started, run.changed, run.results, problem);
            }
            other => self.state.activity = other,
        }
    }

    fn fail_sync(&mut self, run: Run, problem: Problem) {
        if let Purpose::Failure(first) = &run.start.purpose {
            let both = Problem::new(first.kind, format!("{}; then {}", first.message, problem.message));
            return self.end_failed(run, both);
        }
        let hooks = if run.start.hooks { self.hooks_at(HookPhase::SyncFail) } else { Vec::new() };
        if hooks.is_empty() {
            return self.end_failed(run, problem);
        }
        // The failed sync's own name: what was asked for since then is for another sync.
        let start = Start { purpose: Purpose::Failure(problem), deadline: self.deadline(), ..run.start };
        let mut next = Run::hooks(start, &hooks, HookPhase::SyncFail);
        (next.changed, next.results) = (run.changed, run.results);
        self.state.activity = Activity::Running(Box::new(next));
    }

    /// A sync failed and the hooks after it have run.
    fn end_failed(&mut self, run: Run, problem: Problem) {
        self.state.runs += u64::from(run.start.hooks);
        let good = self.state.synced.as_ref().filter(|good| good.id != run.start.revision.id);
        if self.state.spec.sync.atomic && good.is_some() && !run.start.selective {
            self.state.held = run.start.revision.id.clone();
            self.state.refreshed.clone_from(&run.start.refresh);
        }
        self.catch_up();
        self.fail(&run.start.revision, run.start.started, run.changed, run.results, problem);
        if self.state.held == run.start.revision.id {
            // Going back begins at once.
            self.state.retry_at = None;
            self.state.failures = 0;
            self.state.problem = None;
        }
    }

    pub(super) fn fail(
        &mut self,
        revision: &RevisionInfo,
        started: Timestamp,
        changed: u32,
        hooks: Vec<HookResult>,
        problem: Problem,
    ) {
        if self.state.problem.as_ref() != Some(&problem) || !hooks.is_empty() {
            self.remember(revision, started, changed, Outcome::Failed, problem.message.clone(), hooks);
            self.notify(true, problem.kind.reason(), format!("{}: {}", revision_words(revision), problem.message));
        }
        self.state.problem = Some(problem);
        self.retry_later();
        self.tell_now = true;
    }

    pub(super) fn supersede(&mut self) {
        let Activity::Running(run) = std::mem::take(&mut self.state.activity) else { return };
        // A commit that leaves this App alone must not run its hooks again; one that does not begins another run.
        self.state.superseded = run.start.hooks.then_some(run.start.digest);
        let words = "a newer revision came".to_owned();
        self.remember(&run.start.revision, run.start.started, run.changed, Outcome::Superseded, words, run.results);
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
        hooks: Vec<HookResult>,
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
            hooks,
        });
    }

    /// Returns the hooks of a phase.
    pub(super) fn hooks_at(&self, phase: HookPhase) -> Vec<Arc<Desired>> {
        let runs = |one: &&Desired| one.hook.as_ref().is_some_and(|hook| hook.phases.contains(&phase));
        self.state.prepared.desired.iter().filter(runs).map(|one| Arc::new(one.clone())).collect()
    }

    /// Deletes the objects of hooks whose run has ended, where their policy says so. Not before the end is recorded:
    /// without it only these objects tell a restarted operator that the hooks ran.
    pub(super) fn clear_ended_hooks(&mut self) {
        if self.state.spec.suspend || self.state.deleting || !self.is_quiet() {
            return;
        }
        let (live, recorded) = (self.context.live, self.state.recorded);
        let asks = |one: &&Desired| {
            let (Some(hook), Some(facts)) = (&one.hook, live.get(&one.key)) else { return false };
            let ended = facts.hook_run.as_ref().and_then(number_of).is_some_and(|number| number < recorded);
            let chosen = match facts.status {
                Status::Healthy => hook.delete.succeeded,
                Status::Degraded => hook.delete.failed,
                _ => false,
            };
            ended && chosen && !holds_data(&one.key)
        };
        let ended = self.state.prepared.desired.iter().filter(asks);
        let ended: Vec<(ObjectKey, Text)> = ended.map(|one| (one.key.clone(), one.version.clone())).collect();
        for (key, version) in ended {
            self.delete(key, version);
        }
    }

    /// Deletes the objects of a deletion's hooks that ended well or badly, where their policy says so.
    fn delete_hooks(&mut self, run: &Run, asks: impl Fn(&Hook) -> bool, well: bool) {
        let ended: Vec<ObjectKey> = match well {
            true => run.succeeded_hooks().cloned().collect(),
            false => {
                let hooks = self.state.prepared.desired.iter().filter(|one| one.hook.is_some());
                let bad = |one: &&Desired| {
                    self.context.live.get(&one.key).is_some_and(|live| live.status == Status::Degraded)
                };
                hooks.filter(bad).map(|one| one.key.clone()).collect()
            }
        };
        let chosen: Vec<(ObjectKey, Text)> = ended
            .into_iter()
            .filter_map(|key| {
                let one = self.state.desired(&key)?;
                let asked = one.hook.as_ref().is_some_and(&asks) && !holds_data(&key);
                asked.then(|| (key.clone(), one.version.clone()))
            })
            .collect();
        for (key, version) in chosen {
            self.delete(key, version);
        }
    }
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
