//! What there is to say about an App.

use lockstep_api::{AppHealth, AppStatus, Condition, Phase};
use lockstep_health::Status;
use lockstep_object::ObjectKey;

use crate::{
    AppState, Context,
    run::words_of_waiting,
    state::{Activity, Deleting},
};

/// Tells whether the App is synced at its newest revision and healthy.
pub(crate) fn is_ready(state: &AppState, context: &Context<'_>) -> bool {
    let current = match (&state.synced, &state.target) {
        (Some(synced), Some(target)) => synced.id == target.id || !state.spec.sync.auto,
        (Some(_), None) => true,
        (None, _) => false,
    };
    let quiet = matches!(state.activity, Activity::Idle) && state.problem.is_none() && !state.deleting;
    let current = current && state.held.is_empty();
    current && quiet && matches!(worst(state, context).0, AppHealth::Healthy | AppHealth::Suspended)
}

/// Returns the worst health of the objects and what makes it so.
pub(crate) fn worst(state: &AppState, context: &Context<'_>) -> (AppHealth, String) {
    let mut worst = AppHealth::Healthy;
    let mut because: Vec<(&ObjectKey, Status, &str)> = Vec::new();
    for (key, _) in state.inventory.iter() {
        let (status, message) = match context.live.get(key) {
            Some(facts) => (facts.status, &*facts.message),
            None => (Status::Missing, ""),
        };
        let health = health_of(status);
        if health > worst {
            worst = health;
            because.clear();
        }
        if health == worst && health != AppHealth::Healthy {
            because.push((key, status, message));
        }
    }
    (worst, words_of_waiting(&because))
}

fn health_of(status: Status) -> AppHealth {
    match status {
        Status::Healthy => AppHealth::Healthy,
        Status::Suspended => AppHealth::Suspended,
        Status::Progressing => AppHealth::Progressing,
        Status::Missing => AppHealth::Missing,
        Status::Degraded => AppHealth::Degraded,
        Status::Unknown => AppHealth::Unknown,
    }
}

/// Computes the status. Times of conditions are kept where the condition did not change.
pub(crate) fn facts(state: &AppState, context: &Context<'_>) -> AppStatus {
    let (mut health, because) = worst(state, context);
    if state.synced.is_none() && state.inventory.is_empty() {
        health = AppHealth::Unknown;
    }
    let ready = is_ready(state, context);
    let (phase, mut message) = phase_of(state, context);
    if message.is_empty() && !ready {
        message = because;
    }
    if message.is_empty() && !state.remarks.is_empty() {
        message = state.remarks.join("; ");
    }
    let id = |revision: &Option<crate::RevisionInfo>| revision.as_ref().map(|r| r.id.clone()).unwrap_or_default();
    let revision = id(&state.shown);
    let attempted = if id(&state.synced) == id(&state.target) { String::new() } else { id(&state.target) };
    let mut status = AppStatus {
        observed_generation: state.generation,
        phase,
        health,
        message,
        attempted_revision: attempted,
        revision,
        digest: if state.synced_digest == 0 { String::new() } else { format!("{:x}", state.synced_digest) },
        last_refresh: state.refreshed.clone(),
        runs: state.runs,
        held_revision: state.held.clone(),
        deletion_hooks: state.deletion_hooks,
        asks: state.asks.clone(),
        conditions: Vec::new(),
        inventory: state.inventory.print(),
        history: state.history.iter().cloned().collect(),
        drift: state.drift.iter().cloned().collect(),
    };
    status.conditions = conditions(state, &status, ready, context);
    status
}

pub(crate) fn phase_of(state: &AppState, context: &Context<'_>) -> (Phase, String) {
    if state.spec.suspend && !state.deleting {
        return (Phase::Suspended, "suspended: nothing is changed in the cluster".to_owned());
    }
    let problem = state.problem.as_ref().or(state.source_problem.as_ref());
    match &state.activity {
        Activity::Deleting(deleting) => {
            let words = match deleting {
                Deleting::Running(run) => run.words(context.live),
                Deleting::Asking(question) => question.clone(),
                _ => problem.map(|problem| problem.message.clone()).unwrap_or_default(),
            };
            (Phase::Deleting, words)
        }
        Activity::Waiting(wait) => (Phase::Waiting, wait.words.clone()),
        Activity::Rendering(..) if problem.is_none() => (Phase::Syncing, String::new()),
        Activity::Running(run) => (Phase::Syncing, run.words(context.live)),
        _ => match problem {
            Some(problem) => (Phase::Failed, problem.message.clone()),
            None if state.synced.is_some() => (Phase::Synced, String::new()),
            None if state.target.is_none() => (Phase::Pending, "the source is being fetched".to_owned()),
            None if !state.spec.sync.auto => (Phase::Pending, "waits until a sync is asked for".to_owned()),
            None => (Phase::Pending, String::new()),
        },
    }
}

fn conditions(state: &AppState, status: &AppStatus, ready: bool, context: &Context<'_>) -> Vec<Condition> {
    let problem = state.problem.as_ref().or(state.source_problem.as_ref());
    let stalled = problem.is_some_and(|problem| problem.kind.needs_a_person()) && state.is_idle();
    let busy = !ready && !stalled && status.phase != Phase::Suspended;
    let reason = match (problem, status.phase) {
        (Some(problem), _) => problem.kind.reason(),
        (None, Phase::Synced) if ready => "Synced",
        (None, Phase::Synced) => "Progressing",
        (None, Phase::Waiting) => match &state.activity {
            Activity::Waiting(wait) => wait.reason,
            _ => "Waiting",
        },
        (None, Phase::Suspended) => "Suspended",
        (None, Phase::Deleting) => "Deleting",
        (None, _) => "Syncing",
    };
    let message = match (ready, status.message.as_str()) {
        (true, "") => format!("synced at {}", short_revision(&status.revision)),
        (_, message) => message.to_owned(),
    };
    let truth = |value: bool| if value { "True" } else { "False" };
    let states = [("Ready", truth(ready)), ("Reconciling", truth(busy)), ("Stalled", truth(stalled))];
    let condition = |(kind, value): (&str, &str)| {
        let known = state.written.conditions.iter().find(|known| known.kind == kind && known.status == value);
        Condition {
            kind: kind.to_owned(),
            status: value.to_owned(),
            reason: reason.to_owned(),
            message: message.clone(),
            last_transition_time: match known {
                Some(known) => known.last_transition_time.clone(),
                None => time(context),
            },
            observed_generation: state.generation,
        }
    };
    states.map(condition).into()
}

/// Returns a version without its digest, or the first twelve characters of a commit or digest, for people.
pub(crate) fn short_revision(revision: &str) -> &str {
    let version = revision.split_once('@').map(|(version, _)| version);
    version.or(revision.get(..12)).unwrap_or(revision)
}

/// Returns the time to the second, RFC 3339.
pub(crate) fn time(context: &Context<'_>) -> String {
    time_text(context.now)
}

pub(crate) fn time_text(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
