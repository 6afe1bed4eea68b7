//! A sync under way.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use jiff::Timestamp;
use lockstep_health::Status;
use lockstep_object::{ObjectKey, Text};

use crate::{Class, Desired, LiveIndex, Plan, PlannedStage, Problem, ProblemKind, RevisionInfo, SyncPhase};

/// A sync under way: the rest of its plan.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) revision: RevisionInfo,
    pub(crate) digest: u64,
    pub(crate) started: Timestamp,
    /// When waiting ends; moved on with each stage.
    pub(crate) deadline: Timestamp,
    pub(crate) changed: u32,
    parts: VecDeque<Part>,
    /// Objects that must be gone before anything else happens.
    going: BTreeSet<ObjectKey>,
}

/// A part of a run; one is finished before the next begins.
#[derive(Debug)]
enum Part {
    /// Delete what an earlier sync left of these hooks.
    Clear(Vec<Arc<Desired>>),
    /// Apply these objects at once.
    Apply(Vec<Arc<Desired>>),
    /// Wait until these objects are healthy; a hook that fails ends the run.
    Gate { keys: BTreeSet<ObjectKey>, hooks: BTreeSet<ObjectKey> },
    /// Delete these hooks, for they succeeded.
    Finish(Vec<(ObjectKey, Text)>),
    /// Delete what is no longer wanted.
    Prune(Vec<(ObjectKey, Text)>),
}

/// What a run does next.
#[derive(Debug)]
pub(crate) enum Next {
    /// Apply these objects, then look again.
    Apply(Vec<Arc<Desired>>),
    /// Delete these objects, then look again.
    Delete(Vec<(ObjectKey, Text)>),
    /// Wait for answers, health or the deadline.
    Wait,
    /// It is done.
    Done,
    /// It cannot go on.
    Fail(Problem),
}

impl Run {
    pub(crate) fn new(plan: Plan, revision: RevisionInfo, digest: u64, now: Timestamp, deadline: Timestamp) -> Self {
        let mut parts = VecDeque::new();
        let mut prune = Some(plan.prune).filter(|prune| !prune.is_empty()).map(Part::Prune);
        for stage in plan.stages {
            if stage.stage.phase == SyncPhase::PostSync {
                parts.extend(prune.take());
            }
            parts.extend(parts_of(stage));
        }
        parts.extend(prune);
        Self { revision, digest, started: now, deadline, changed: 0, parts, going: BTreeSet::new() }
    }

    /// Returns the objects that the run waits for now, with their health and what is to say about them.
    pub(crate) fn waiting_for<'r>(&'r self, live: &'r LiveIndex) -> Vec<(&'r ObjectKey, Status, &'r str)> {
        match self.parts.front() {
            Some(Part::Gate { keys, .. }) => keys.iter().filter_map(|key| not_healthy(key, live)).collect(),
            _ => Vec::new(),
        }
    }

    /// Decides what comes next, once nothing is in flight. `renew` gives the deadline of a next stage.
    pub(crate) fn next(&mut self, live: &LiveIndex, now: Timestamp, renew: Timestamp) -> Next {
        loop {
            self.going.retain(|key| live.get(key).is_some());
            if !self.going.is_empty() {
                return self.wait_or_fail(now, ProblemKind::PruneFailed, || words_of_going(&self.going));
            }
            if matches!(self.parts.front(), Some(Part::Gate { .. })) {
                if let Some(problem) = self.failed_hook(live) {
                    return Next::Fail(problem);
                }
                if !self.waiting_for(live).is_empty() {
                    return self
                        .wait_or_fail(now, ProblemKind::Unhealthy, || words_of_waiting(&self.waiting_for(live)));
                }
                self.deadline = renew;
            }
            match self.parts.pop_front() {
                None => return Next::Done,
                Some(Part::Gate { .. }) => {}
                Some(Part::Apply(batch)) => return Next::Apply(batch),
                Some(Part::Finish(hooks)) => return Next::Delete(hooks),
                Some(Part::Prune(keys)) => {
                    self.changed += u32::try_from(keys.len()).unwrap_or(u32::MAX);
                    return self.delete(keys);
                }
                Some(Part::Clear(hooks)) => {
                    let left = hooks.iter().filter(|hook| live.get(&hook.key).is_some());
                    let left: Vec<_> = left.map(|hook| (hook.key.clone(), hook.version.clone())).collect();
                    if !left.is_empty() {
                        return self.delete(left);
                    }
                }
            }
        }
    }

    fn delete(&mut self, keys: Vec<(ObjectKey, Text)>) -> Next {
        self.going = keys.iter().map(|(key, _)| key.clone()).collect();
        Next::Delete(keys)
    }

    fn wait_or_fail(&self, now: Timestamp, kind: ProblemKind, words: impl Fn() -> String) -> Next {
        if now < self.deadline { Next::Wait } else { Next::Fail(Problem::new(kind, words())) }
    }

    fn failed_hook(&self, live: &LiveIndex) -> Option<Problem> {
        let Some(Part::Gate { hooks, .. }) = self.parts.front() else { return None };
        hooks.iter().find_map(|key| {
            let facts = live.get(key)?;
            let message = format!("the hook {key} failed: {}", facts.message);
            (facts.status == Status::Degraded).then(|| Problem::new(ProblemKind::HookFailed, message))
        })
    }
}

/// Splits a stage: hooks cleared, then class after class, definitions waited for, and all of it healthy at the end.
fn parts_of(stage: PlannedStage) -> Vec<Part> {
    let mut parts = Vec::new();
    let hooks: Vec<&Arc<Desired>> = stage.apply.iter().filter(|one| one.hook.is_some()).collect();
    let policy = |one: &Desired| one.hook.as_ref().map(|hook| hook.delete);
    let clear: Vec<_> =
        hooks.iter().filter(|one| policy(one).is_some_and(|p| p.before_creation)).map(|one| Arc::clone(one)).collect();
    let finish: Vec<_> = hooks
        .iter()
        .filter(|one| policy(one).is_some_and(|p| p.succeeded))
        .map(|one| (one.key.clone(), one.version.clone()))
        .collect();
    let hooks: BTreeSet<ObjectKey> = hooks.iter().map(|one| one.key.clone()).collect();
    let mut keys: BTreeSet<ObjectKey> = stage.keep.into_iter().collect();
    if !clear.is_empty() {
        parts.push(Part::Clear(clear));
    }
    let mut rest = stage.apply.into_iter().peekable();
    while let Some(class) = rest.peek().map(|one| one.class) {
        let mut batch = Vec::new();
        while let Some(one) = rest.next_if(|one| one.class == class) {
            keys.insert(one.key.clone());
            batch.push(one);
        }
        let definitions: BTreeSet<ObjectKey> = batch.iter().map(|one| one.key.clone()).collect();
        parts.push(Part::Apply(batch));
        if class == Class::Definitions && rest.peek().is_some() {
            parts.push(Part::Gate { keys: definitions, hooks: BTreeSet::new() });
        }
    }
    parts.push(Part::Gate { keys, hooks });
    if !finish.is_empty() {
        parts.push(Part::Finish(finish));
    }
    parts
}

fn not_healthy<'r>(key: &'r ObjectKey, live: &'r LiveIndex) -> Option<(&'r ObjectKey, Status, &'r str)> {
    match live.get(key) {
        None => Some((key, Status::Missing, "")),
        Some(facts) if matches!(facts.status, Status::Healthy | Status::Suspended) => None,
        Some(facts) => Some((key, facts.status, &*facts.message)),
    }
}

/// Says in a sentence what is waited for.
pub(crate) fn words_of_waiting(waiting: &[(&ObjectKey, Status, &str)]) -> String {
    let words = waiting.iter().take(3).map(|(key, status, message)| match *message {
        "" => format!("{key} is {}", status.as_str().to_lowercase()),
        message => format!("{key}: {message}"),
    });
    let mut words: Vec<String> = words.collect();
    if waiting.len() > words.len() {
        words.push(format!("and {} more", waiting.len() - words.len()));
    }
    words.join("; ")
}

fn words_of_going(going: &BTreeSet<ObjectKey>) -> String {
    let names: Vec<String> = going.iter().take(3).map(ToString::to_string).collect();
    format!("still being deleted: {}", names.join(", "))
}
