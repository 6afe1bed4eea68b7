//! A sync under way.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};
use lockstep_api::{HookResult, Outcome};
use lockstep_health::Status;
use lockstep_object::{ObjectKey, Text};

use crate::{
    Class, Desired, HookPhase, Live, LiveIndex, Plan, PlannedStage, Problem, ProblemKind, RevisionInfo, SyncPhase,
    plan::holds_data,
};

/// A hook whose object is missing may still come by a watch; after as long it was deleted by somebody.
const VANISHED: SignedDuration = SignedDuration::from_secs(10);

/// What a run is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It brings a revision.
    Sync,
    /// It runs the hooks after a failure.
    Failure(Problem),
    /// It deletes the App's objects.
    Deletion,
}

/// A sync under way: the rest of its plan.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) start: Start,
    pub(crate) changed: u32,
    /// What its hooks gave, in order.
    pub(crate) results: Vec<HookResult>,
    /// It failed, and it is asked why.
    pub(crate) failing: Option<Failing>,
    parts: VecDeque<Part>,
    /// Objects that must be gone before anything else happens.
    going: BTreeSet<ObjectKey>,
    /// Checks without an answer.
    pub(crate) validating: BTreeSet<ObjectKey>,
    /// Hooks that succeeded, whatever becomes of their objects.
    done: BTreeSet<ObjectKey>,
    /// Hooks whose objects are missing, and since when.
    missing: BTreeMap<ObjectKey, Timestamp>,
}

/// A run that failed, while it is asked why.
#[derive(Debug)]
pub(crate) struct Failing {
    pub(crate) problem: Problem,
    /// Objects without an answer.
    pub(crate) open: BTreeSet<ObjectKey>,
    /// The answers.
    pub(crate) reasons: Vec<String>,
    /// When it fails without.
    pub(crate) until: Timestamp,
}

/// A hook in one of its phases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HookRun {
    pub(crate) desired: Arc<Desired>,
    pub(crate) phase: HookPhase,
    /// The value of the annotation on its object.
    pub(crate) mark: Text,
}

/// A part of a run; one is finished before the next begins.
#[derive(Debug)]
enum Part {
    /// Have the server check these objects.
    Validate(Vec<Arc<Desired>>),
    /// Delete what an earlier sync left of these hooks.
    Clear(Vec<HookRun>),
    /// Apply these objects at once.
    Apply(Vec<Arc<Desired>>, Vec<HookRun>),
    /// Wait until these objects are healthy; a hook that fails ends the run.
    Gate { keys: BTreeSet<ObjectKey>, hooks: BTreeMap<ObjectKey, HookRun> },
    /// Delete these objects.
    Prune(Vec<(ObjectKey, Text)>),
}

/// What a run does next.
#[derive(Debug, PartialEq)]
pub(crate) enum Next {
    /// Have the server check these objects.
    Validate(Vec<Arc<Desired>>),
    /// Apply these objects, then look again.
    Apply(Vec<Arc<Desired>>, Vec<HookRun>),
    /// Delete these objects, then look again.
    Delete(Vec<(ObjectKey, Text)>),
    /// Wait for answers, health or this time.
    Wait(Timestamp),
    /// It is done.
    Done,
    /// It cannot go on, because of these objects.
    Fail(Problem, Vec<ObjectKey>),
}

/// Returns the number of the run that a hook's object was made for, from the mark on it.
pub(crate) fn number_of(mark: &Text) -> Option<u64> {
    mark.as_str().split('.').nth(1)?.parse().ok()
}

/// Returns the id of that run.
pub(crate) fn id_of(mark: &Text) -> Option<u64> {
    u64::from_str_radix(mark.as_str().split('.').next()?, 16).ok()
}

/// What a run begins with beside its plan.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) purpose: Purpose,
    pub(crate) revision: RevisionInfo,
    pub(crate) digest: u64,
    /// Names the run on the objects of its hooks: after a crash, a hook that ran for it does not run again.
    pub(crate) id: u64,
    /// Numbers the runs of the App.
    pub(crate) number: u64,
    /// What was asked for when it began.
    pub(crate) refresh: String,
    /// Whether its hooks run.
    pub(crate) hooks: bool,
    /// Whether it is about some objects only.
    pub(crate) selective: bool,
    pub(crate) started: Timestamp,
    /// When waiting ends; moved on with each stage.
    pub(crate) deadline: Timestamp,
}

impl Run {
    fn empty(start: Start) -> Self {
        Self {
            start,
            changed: 0,
            results: Vec::new(),
            failing: None,
            parts: VecDeque::new(),
            going: BTreeSet::new(),
            validating: BTreeSet::new(),
            done: BTreeSet::new(),
            missing: BTreeMap::new(),
        }
    }

    /// A sync: stage after stage, and what is no longer wanted deleted before the hooks after it.
    pub(crate) fn sync(plan: Plan, start: Start, validate_first: bool) -> Self {
        let mut run = Self::empty(start);
        if validate_first {
            let all = plan.stages.iter().flat_map(|stage| &stage.apply);
            let all: Vec<_> = all.filter(|one| !one.marks.skip_validation).map(Arc::clone).collect();
            run.parts.push_back(Part::Validate(all));
        }
        let mut prune = plan.prune.into_iter().map(Part::Prune).collect::<VecDeque<_>>();
        for stage in plan.stages {
            if stage.stage.phase == SyncPhase::PostSync {
                run.parts.append(&mut prune);
            }
            run.add_stage(stage);
        }
        run.parts.append(&mut prune);
        run
    }

    /// The hooks of a phase outside of a sync, wave after wave.
    pub(crate) fn hooks(start: Start, hooks: &[Arc<Desired>], phase: HookPhase) -> Self {
        let mut run = Self::empty(start);
        run.add_hooks(hooks, phase);
        run
    }

    /// The deletion of everything: hooks, then the objects group after group, then hooks.
    pub(crate) fn deletion(
        start: Start,
        before: &[Arc<Desired>],
        objects: Vec<Vec<(ObjectKey, Text)>>,
        after: &[Arc<Desired>],
    ) -> Self {
        let mut run = Self::empty(start);
        run.add_hooks(before, HookPhase::PreDelete);
        run.parts.extend(objects.into_iter().map(Part::Prune));
        run.add_hooks(after, HookPhase::PostDelete);
        run
    }

    fn hook_run(&self, desired: &Arc<Desired>, phase: HookPhase) -> HookRun {
        let mark = Text::from(format!("{:016x}.{}.{}", self.start.id, self.start.number, phase.as_str()));
        HookRun { desired: Arc::clone(desired), phase, mark }
    }

    fn add_hooks(&mut self, hooks: &[Arc<Desired>], phase: HookPhase) {
        let mut waves: BTreeMap<i32, Vec<HookRun>> = BTreeMap::new();
        for hook in hooks {
            let run = self.hook_run(hook, phase);
            waves.entry(hook.stage.wave).or_default().push(run);
        }
        for hooks in waves.into_values() {
            self.parts.push_back(Part::Clear(hooks.clone()));
            let gate = hooks.iter().map(|hook| (hook.desired.key.clone(), hook.clone())).collect();
            self.parts.push_back(Part::Apply(Vec::new(), hooks));
            self.parts.push_back(Part::Gate { keys: BTreeSet::new(), hooks: gate });
        }
    }

    /// Splits a stage: hooks cleared, then class after class, definitions waited for, and all of it healthy at the end.
    fn add_stage(&mut self, stage: PlannedStage) {
        let phase = HookPhase::At(stage.stage.phase);
        let mut keys: BTreeSet<ObjectKey> = stage.keep.into_iter().collect();
        let is_hook = |one: &&Arc<Desired>| one.hook.is_some();
        let hooks: Vec<HookRun> = stage.apply.iter().filter(is_hook).map(|one| self.hook_run(one, phase)).collect();
        if !hooks.is_empty() {
            self.parts.push_back(Part::Clear(hooks.clone()));
        }
        let mut classes: BTreeMap<Class, (Vec<Arc<Desired>>, Vec<HookRun>)> = BTreeMap::new();
        for one in stage.apply.iter().filter(|one| one.hook.is_none()) {
            keys.insert(one.key.clone());
            classes.entry(one.class).or_default().0.push(Arc::clone(one));
        }
        for hook in &hooks {
            classes.entry(hook.desired.class).or_default().1.push(hook.clone());
        }
        let last = classes.keys().next_back().copied();
        for (class, (objects, hooks)) in classes {
            let definitions: BTreeSet<ObjectKey> = objects.iter().map(|one| one.key.clone()).collect();
            self.parts.push_back(Part::Apply(objects, hooks));
            if class == Class::Definitions && last != Some(class) {
                self.parts.push_back(Part::Gate { keys: definitions, hooks: BTreeMap::new() });
            }
        }
        let hooks = hooks.into_iter().map(|hook| (hook.desired.key.clone(), hook)).collect();
        self.parts.push_back(Part::Gate { keys, hooks });
    }

    /// Returns the objects that the run waits for now, with their health and what is to say about them.
    pub(crate) fn waiting_for<'r>(&'r self, live: &'r LiveIndex) -> Vec<(&'r ObjectKey, Status, &'r str)> {
        match self.parts.front() {
            Some(Part::Gate { keys, hooks }) => {
                let open = hooks.keys().filter(|key| !self.done.contains(*key));
                let hooks = open.filter_map(|key| not_healthy(key, live));
                keys.iter().filter_map(|key| not_healthy(key, live)).chain(hooks).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Says what the run waits for, if it waits.
    pub(crate) fn words(&self, live: &LiveIndex) -> String {
        let waiting = self.waiting_for(live);
        match () {
            () if !self.going.is_empty() => words_of_going(&self.going, live),
            () if !self.validating.is_empty() => format!("{} objects are being checked", self.validating.len()),
            () if waiting.is_empty() => String::new(),
            () => format!("waits for {}", words_of_waiting(&waiting)),
        }
    }

    /// Tells whether a hook's object is of this run, so that it must not be made again. A deletion that failed is
    /// the same run when it is tried again: only what failed runs anew.
    fn ran(&self, hook: &HookRun, live: &LiveIndex) -> bool {
        let again = self.start.purpose == Purpose::Deletion;
        live.get(&hook.desired.key).is_some_and(|live| {
            let failed = matches!(live.status, Status::Degraded | Status::Unknown);
            live.hook_run.as_ref() == Some(&hook.mark) && !live.deleting && !(again && failed)
        })
    }

    /// Decides what comes next, once nothing is in flight. `renew` gives the deadline of a next stage.
    pub(crate) fn next(&mut self, live: &LiveIndex, now: Timestamp, renew: Timestamp) -> Next {
        loop {
            if !self.going.is_empty() {
                self.going.retain(|key| live.get(key).is_some());
                if !self.going.is_empty() {
                    return self.wait_or_fail(now, ProblemKind::PruneFailed, || words_of_going(&self.going, live));
                }
                self.start.deadline = renew;
            }
            if matches!(self.parts.front(), Some(Part::Gate { .. })) {
                if let Some(next) = self.wait_at_gate(live, now) {
                    return next;
                }
                self.start.deadline = renew;
            }
            match self.parts.pop_front() {
                None => return Next::Done,
                Some(Part::Gate { .. }) => {}
                Some(Part::Validate(all)) if all.is_empty() => {}
                Some(Part::Validate(all)) => return Next::Validate(all),
                Some(Part::Apply(objects, mut hooks)) => {
                    hooks.retain(|hook| !self.ran(hook, live));
                    self.done.retain(|key| !hooks.iter().any(|hook| hook.desired.key == *key));
                    return Next::Apply(objects, hooks);
                }
                Some(Part::Prune(keys)) => {
                    self.changed += u32::try_from(keys.len()).unwrap_or(u32::MAX);
                    return self.delete(keys);
                }
                Some(Part::Clear(hooks)) => {
                    let left = hooks.iter().filter(|hook| is_cleared(&hook.desired));
                    let left = left.filter(|hook| live.get(&hook.desired.key).is_some() && !self.ran(hook, live));
                    let left: Vec<_> =
                        left.map(|hook| (hook.desired.key.clone(), hook.desired.version.clone())).collect();
                    if !left.is_empty() {
                        return self.delete(left);
                    }
                }
            }
        }
    }

    /// Does not wait any more until this object is gone.
    pub(crate) fn leave(&mut self, key: &ObjectKey) {
        self.going.remove(key);
    }

    fn delete(&mut self, keys: Vec<(ObjectKey, Text)>) -> Next {
        self.going = keys.iter().map(|(key, _)| key.clone()).collect();
        Next::Delete(keys)
    }

    fn wait_or_fail(&self, now: Timestamp, kind: ProblemKind, words: impl Fn() -> String) -> Next {
        if now < self.start.deadline {
            Next::Wait(self.start.deadline)
        } else {
            Next::Fail(Problem::new(kind, words()), Vec::new())
        }
    }

    /// Waits at the gate in front; nothing if it is open.
    fn wait_at_gate(&mut self, live: &LiveIndex, now: Timestamp) -> Option<Next> {
        let Some(Part::Gate { hooks, .. }) = self.parts.front() else { return None };
        let hooks: Vec<HookRun> =
            hooks.values().filter(|hook| !self.done.contains(&hook.desired.key)).cloned().collect();
        for hook in hooks {
            let key = &hook.desired.key;
            match live.get(key) {
                Some(facts) if facts.status == Status::Healthy => {
                    self.done.insert(key.clone());
                    self.results.push(result_of(&hook, Outcome::Succeeded, String::new()));
                }
                Some(facts) if matches!(facts.status, Status::Degraded | Status::Unknown) => {
                    return Some(self.fail_hook(&hook, &facts.message));
                }
                Some(_) => {
                    self.missing.remove(key);
                }
                None => {
                    let since = *self.missing.entry(key.clone()).or_insert(now);
                    if now >= since + VANISHED {
                        return Some(self.fail_hook(&hook, "it was deleted before it ended"));
                    }
                }
            }
        }
        let waiting = self.waiting_for(live);
        if waiting.is_empty() {
            self.missing.clear();
            return None;
        }
        if now >= self.start.deadline {
            let about = waiting.iter().map(|(key, ..)| (*key).clone()).collect();
            let words = format!("not healthy in time: {}", words_of_waiting(&waiting));
            return Some(Next::Fail(Problem::new(ProblemKind::Unhealthy, words), about));
        }
        let vanished = self.missing.values().min().map(|since| *since + VANISHED);
        Some(Next::Wait(vanished.map_or(self.start.deadline, |at| at.min(self.start.deadline))))
    }

    fn fail_hook(&mut self, hook: &HookRun, message: &str) -> Next {
        let key = &hook.desired.key;
        self.results.push(result_of(hook, Outcome::Failed, message.to_owned()));
        let words = if message.is_empty() { String::new() } else { format!(": {message}") };
        let words = format!("the {} hook {key} failed{words}", hook.phase.as_str());
        Next::Fail(Problem::new(ProblemKind::HookFailed, words), vec![key.clone()])
    }

    /// Takes what was found out about a failed object; the log belongs to the hook's result.
    pub(crate) fn explain(&mut self, key: &ObjectKey, reason: Option<String>, log: Option<String>) {
        let name = key.to_string();
        if let Some(log) = log
            && let Some(result) =
                self.results.iter_mut().rfind(|one| one.object == name && one.outcome == Outcome::Failed)
        {
            result.log = log;
        }
        if let Some(failing) = &mut self.failing {
            failing.open.remove(key);
            failing.reasons.extend(reason);
        }
    }

    /// Returns the hooks of this run that succeeded.
    pub(crate) fn succeeded_hooks(&self) -> impl Iterator<Item = &ObjectKey> {
        self.done.iter()
    }
}

fn result_of(hook: &HookRun, outcome: Outcome, reason: String) -> HookResult {
    HookResult {
        object: hook.desired.key.to_string(),
        phase: hook.phase.as_str().to_owned(),
        outcome,
        reason,
        log: String::new(),
    }
}

/// Tells whether what an earlier sync left of a hook is deleted before the hook runs: as its policy says, and always
/// where applying it again would not run it again. What holds data never is.
pub(crate) fn is_cleared(hook: &Desired) -> bool {
    let runs_once = matches!(hook.key.kind.as_str(), "Job" | "Pod" | "Workflow" | "PipelineRun" | "TaskRun");
    let policy = hook.hook.as_ref().is_some_and(|hook| hook.delete.before_creation);
    (policy || runs_once) && !holds_data(&hook.key)
}

fn not_healthy<'r>(key: &'r ObjectKey, live: &'r LiveIndex) -> Option<(&'r ObjectKey, Status, &'r str)> {
    match live.get(key) {
        None => Some((key, Status::Missing, "")),
        Some(facts) if is_well(facts) => None,
        Some(facts) => Some((key, facts.status, &*facts.message)),
    }
}

fn is_well(facts: &Live) -> bool {
    matches!(facts.status, Status::Healthy) || (facts.status == Status::Suspended && !facts.marks.hook)
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

fn words_of_going(going: &BTreeSet<ObjectKey>, live: &LiveIndex) -> String {
    let words = going.iter().take(3).map(|key| match live.get(key).map(|facts| facts.finalizers.as_ref()) {
        Some(names) if !names.is_empty() => format!("{key} (its finalizers: {names})"),
        _ => key.to_string(),
    });
    format!("still being deleted: {}", words.collect::<Vec<_>>().join(", "))
}
