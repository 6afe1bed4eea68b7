//! Whether there is a sync to do, and what it waits for.

use std::sync::Arc;

use jiff::SignedDuration;
use lockstep_api::Deletion;

use super::Step;
use crate::{
    AppId, Effect, Problem, ProblemKind, RevisionInfo, Wanted,
    facts::short_revision,
    rules::SpecRules,
    state::{Activity, Wait, source_name},
    windows::{Closed, closed},
};

impl Step<'_, '_> {
    pub(super) fn take_spec(&mut self, wanted: Wanted) {
        let state = &mut *self.state;
        let changed = state.spec != wanted.spec;
        if source_name(&state.spec) != source_name(&wanted.spec) {
            state.target = None;
        }
        if changed || state.project_windows != wanted.windows {
            state.rules = Arc::new(SpecRules::read(&state.id.name, &wanted.spec, &wanted.windows));
        }
        if changed {
            // Whatever was decided, was decided under other rules.
            state.rendered = None;
            state.retry_at = None;
            if !matches!(state.activity, Activity::Deleting(_)) {
                state.activity = Activity::Idle;
            }
            state.problem = None;
        }
        let problems: Vec<String> = state.rules.problems.iter().chain(&wanted.problems).cloned().collect();
        if changed
            || !problems.is_empty()
            || self.state.problem.as_ref().is_some_and(|one| one.kind == ProblemKind::SpecInvalid)
        {
            let problems = problems.join("\n");
            self.state.problem = (!problems.is_empty()).then(|| Problem::new(ProblemKind::SpecInvalid, problems));
        }
        let state = &mut *self.state;
        state.spec = wanted.spec;
        state.project_windows = wanted.windows;
        state.generation = wanted.generation;
        state.finalizer = wanted.finalizer;
        state.deleting |= wanted.deleting;
        state.resources = wanted.resources;
        state.confirm = wanted.confirm;
        if state.refresh != wanted.refresh {
            state.refresh = wanted.refresh;
            if state.refresh != state.refreshed {
                state.retry_at = None;
            }
        }
        if !wanted.finalizer && !wanted.deleting && state.spec.sync.deletion == Deletion::Delete {
            self.effects.push(Effect::AddFinalizer);
        }
    }

    pub(super) fn is_superseded(&self, revision: &str) -> bool {
        self.goal().is_some_and(|goal| goal.id != revision) && self.wants_target()
    }

    /// Tells whether the newest revision is to be synced by itself or was asked for.
    fn wants_target(&self) -> bool {
        self.state.spec.sync.auto || self.is_asked()
    }

    /// Tells whether a person agreed to the prune or the deletion that was asked about.
    pub(super) fn is_agreed(&self) -> bool {
        !self.state.asks.is_empty() && self.state.asks == self.state.confirm
    }

    /// Tells whether a sync may change anything: by itself, or because a person wants it.
    pub(super) fn may_sync(&self) -> bool {
        self.wants_target() || self.is_agreed()
    }

    pub(super) fn is_asked(&self) -> bool {
        !self.state.refresh.is_empty() && self.state.refresh != self.state.refreshed
    }

    /// Returns the revision to have: the newest one, unless an atomic App went back from it.
    fn goal(&self) -> Option<RevisionInfo> {
        let state = &self.state;
        let target = state.target.as_ref()?;
        match &state.synced {
            Some(synced) if state.spec.sync.atomic && state.held == target.id && !self.is_asked() => {
                Some(synced.clone())
            }
            _ => Some(target.clone()),
        }
    }

    /// Begins a sync if there is reason to; tells whether the activity changed.
    pub(super) fn begin(&mut self) -> bool {
        let Some(goal) = self.goal() else { return false };
        if !self.needs_sync(&goal) {
            if matches!(self.state.activity, Activity::Waiting(_)) {
                self.state.activity = Activity::Idle;
            }
            return false;
        }
        if let Some((reason, words)) = self.waits_for() {
            self.wait(reason, words);
            return false;
        }
        if let Some(closed) = self.closed_window()
            && self.state.looked_at == goal.id
        {
            return self.wait_for_window(closed);
        }
        if self.state.retry_at.is_some_and(|at| at > self.context.now) {
            return false;
        }
        // A plan compares with what is there, so nothing may be on its way there; its answer comes here again.
        if !self.state.in_flight.is_empty() {
            return false;
        }
        self.state.ticket += 1;
        let ticket = self.state.ticket;
        self.state.activity = Activity::Rendering(ticket, goal.clone());
        self.effects.push(Effect::Render { ticket, revision: goal });
        true
    }

    /// Tells why the windows forbid a sync now, unless a person asked for one and they permit that.
    pub(super) fn closed_window(&self) -> Option<Closed> {
        let closed = closed(&self.state.rules.windows, self.context.now)?;
        (!(self.is_asked() && closed.manual)).then_some(closed)
    }

    pub(super) fn wait_for_window(&mut self, closed: Closed) -> bool {
        if let Some(until) = closed.until {
            self.wake_at(until);
        }
        self.wait("SyncWindowClosed", closed.reason);
        false
    }

    /// Waits before a sync; what takes longer than a sync may take is told once.
    fn wait(&mut self, reason: &'static str, words: String) {
        let now = self.context.now;
        let known = match &self.state.activity {
            Activity::Waiting(known) if known.words == words => Some(known.clone()),
            _ => None,
        };
        let mut wait = known.unwrap_or(Wait { reason, words, since: now, told: false });
        let patience = SignedDuration::from_secs(
            i64::try_from(self.state.spec.sync.timeout_seconds).unwrap_or(i64::MAX).clamp(1, 86_400),
        );
        let late = wait.since + patience;
        if now < late {
            self.tell_soon();
            self.wake_at(late);
        } else if !wait.told {
            wait.told = true;
            self.notify(true, reason, format!("{}, for {} s already", wait.words, patience.as_secs()));
        }
        self.state.activity = Activity::Waiting(wait);
    }

    /// Tells whether there is anything to do for a revision.
    fn needs_sync(&self, goal: &RevisionInfo) -> bool {
        let state = &self.state;
        if self.has_problem(ProblemKind::SpecInvalid) {
            return false;
        }
        if self.is_asked() || self.is_agreed() {
            return true;
        }
        let is_goal = |known: &RevisionInfo| known.id == goal.id && known.inputs == goal.inputs;
        let rendered = state.rendered.as_ref().is_some_and(is_goal);
        if !rendered {
            // After a restart, or for a new revision: its files are looked at, whatever comes of it.
            return state.spec.sync.auto || state.prepared.desired.is_empty();
        }
        let synced = state.synced.as_ref().is_some_and(|synced| synced.id == goal.id);
        // A problem that only a commit solves is not tried again; others are, after a pause.
        let retry = state.problem.as_ref().is_some_and(|problem| !problem.kind.needs_a_person());
        let known = state.problem.as_ref().is_some_and(|problem| problem.kind.needs_a_person());
        state.spec.sync.auto && !known && (!synced || retry) && state.problem_allows_retry()
    }

    /// Says which dependency is not ready.
    fn waits_for(&self) -> Option<(&'static str, String)> {
        let source = source_name(&self.state.spec);
        let target = self.state.target.as_ref().map(|target| target.id.as_str()).unwrap_or_default();
        let told = self.state.spec.depends_on.iter().enumerate().find_map(|(place, dependency)| {
            let namespace = dependency.namespace.as_ref().unwrap_or(&self.state.id.namespace);
            let id = AppId::new(namespace, &dependency.name);
            let name = &dependency.name;
            let Some(facts) = (self.context.dependency)(&id) else {
                return Some(format!("waits for {name}, which does not exist"));
            };
            if let Some(Some(expression)) = self.state.rules.ready.get(place) {
                return match expression.holds(&facts.to_object(), self.context.now) {
                    Ok(true) => None,
                    Ok(false) => Some(format!("waits for {name}: {}", expression.text())),
                    Err(error) => Some(format!("waits for {name}: {}: {error}", expression.text())),
                };
            }
            match () {
                () if !facts.ready => Some(format!("waits for {name} to be ready")),
                () if facts.source == source && facts.revision != target => {
                    Some(format!("waits for {name} to reach {}", short_revision(target)))
                }
                () => None,
            }
        });
        told.map(|words| ("DependencyNotReady", words))
    }
}

impl crate::AppState {
    /// Tells whether the pause after a failure is over, or there was none.
    fn problem_allows_retry(&self) -> bool {
        self.problem.is_none() || self.retry_at.is_some()
    }
}
