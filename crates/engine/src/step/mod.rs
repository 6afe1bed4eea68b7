//! One step of an App's state machine.

mod begin;
mod deletion;
mod drift;
mod outcome;
mod sync;

use jiff::{SignedDuration, Timestamp};
use lockstep_health::Status;
use lockstep_object::ObjectKey;

use crate::{
    AppState, Context, Effect, Event, Notice, Problem, ProblemKind, Record,
    state::{Activity, Applying, Deleting},
};

/// A state that lasts as long is worth a write of the status; shorter ones nobody sees.
const WORTH_TELLING: SignedDuration = SignedDuration::from_secs(2);

/// It is written after this time however busy the API server is.
const OVERDUE: SignedDuration = SignedDuration::from_secs(60);

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
            Event::Spec(wanted) => self.take_spec(*wanted),
            Event::Resolved(Ok(revision)) => {
                self.state.source_problem = None;
                self.state.target = Some(revision);
            }
            Event::Resolved(Err(problem)) => self.source_failed(problem),
            Event::Rendered { ticket, result, conflicts } => self.rendered(ticket, result, conflicts),
            Event::Applied { key, version, digest, result, changed } => {
                self.applied(key, version, digest, result, changed);
            }
            Event::Validated { key, result } => self.validated(&key, result),
            Event::Explained { key, reason, log } => {
                if let Some(run) = self.run() {
                    run.explain(&key, reason, log);
                }
            }
            Event::Looked { ticket } => self.looked(ticket),
            Event::Deleted { key, result } => self.deleted(&key, result),
            Event::Live { key, object } => self.live(&key, object),
            Event::Recorded => {
                self.state.recorded = self.state.written.runs;
                self.clear_ended_hooks();
            }
            Event::Wake => {}
            Event::RulesChanged => {
                // What is being rendered is held to the rules of before.
                if matches!(self.state.activity, Activity::Rendering(..)) {
                    self.state.activity = Activity::Idle;
                }
                self.ask_again(ProblemKind::Forbidden);
            }
            Event::ClaimsChanged => self.ask_again(ProblemKind::Claimed),
            Event::KindsChanged => {
                if self.has_problem(ProblemKind::UnknownKind) {
                    self.state.retry_at = Some(self.context.now);
                    self.state.failures = 0;
                }
            }
        }
    }

    fn has_problem(&self, kind: ProblemKind) -> bool {
        self.state.problem.as_ref().is_some_and(|problem| problem.kind == kind)
    }

    /// Renders anew if this is what stood in the way.
    fn ask_again(&mut self, obstacle: ProblemKind) {
        if self.has_problem(obstacle) {
            self.state.rendered = None;
            self.state.retry_at = None;
        }
    }

    fn source_failed(&mut self, problem: Problem) {
        if self.state.source_problem.as_ref() != Some(&problem) {
            self.notify(true, problem.kind.reason(), problem.message.clone());
            self.tell_now = true;
        }
        self.state.source_problem = Some(problem);
    }

    /// Returns the run under way, of a sync or of a deletion.
    fn run(&mut self) -> Option<&mut crate::run::Run> {
        match &mut self.state.activity {
            Activity::Running(run) | Activity::Deleting(Deleting::Running(run)) => Some(run),
            _ => None,
        }
    }

    /// Goes on as far as it goes without waiting.
    fn go_on(&mut self) {
        // Every turn either waits, or moves on along a finite plan.
        loop {
            if self.state.deleting {
                if self.go_on_deleting() {
                    continue;
                }
                return;
            }
            if self.state.spec.suspend {
                self.state.activity = Activity::Idle;
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
                    if self.is_superseded(&run.start.revision.id.clone()) {
                        self.supersede();
                        continue;
                    }
                    if self.has_sync_in_flight() || !self.advance() {
                        return;
                    }
                }
                Activity::Deleting(_) => return,
            }
        }
    }

    fn has_sync_in_flight(&self) -> bool {
        self.state.in_flight.values().any(|applying| *applying == Applying::Sync)
    }

    // The end of a step.

    fn finish(&mut self) {
        let now = self.context.now;
        if let Some(at) = self.state.retry_at {
            if at > now {
                self.wake_at(at);
            } else if self.state.is_idle() {
                self.state.retry_at = None;
            }
        }
        self.clear_solved_problem();
        let removed = self.effects.contains(&Effect::RemoveFinalizer);
        if removed || self.state.is_finding_its_feet() {
            return;
        }
        let due = *self.state.status_due.get_or_insert(now + WORTH_TELLING);
        let can_wait = due > now || self.context.saturated && due + OVERDUE > now;
        if !self.tell_now && can_wait {
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
        let late = self.has_problem(ProblemKind::Unhealthy);
        let healthy = |(key, _): (&ObjectKey, &Record)| {
            self.context.live.get(key).is_some_and(|live| matches!(live.status, Status::Healthy | Status::Suspended))
        };
        // One that is due already and does not begin waits for something else.
        let later = self.state.retry_at.is_some_and(|at| at > self.context.now);
        if late && later && self.state.is_idle() && self.state.inventory.iter().all(healthy) {
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

    /// The status is written soon, if what is now still is then.
    fn tell_soon(&mut self) {
        self.state.status_due.get_or_insert(self.context.now + WORTH_TELLING);
    }

    fn notify(&mut self, warning: bool, reason: &'static str, message: String) {
        self.effects.push(Effect::Notify(Notice { warning, reason, message }));
    }
}
