//! Flux's verdicts: the status library of github.com/fluxcd/cli-utils v1.2.2.
//!
//! Same words, conditions and refusals as the library has, so that a tool that was written against Flux's
//! `Ready`, `Reconciling` and `Stalled` reads ours. A running Job and a failed Pod are Current here: the library
//! asks whether the controller has done its part, not whether the user is happy; [`crate::Rules`] asks that.

mod convert;
mod kinds;

use jiff::Timestamp;
use lockstep_object::Object;

use convert::{Conditions, integer_at, text_at};

/// The status word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// The controller works on it.
    InProgress,
    /// The controller gave up.
    Failed,
    /// The cluster has what the object asks for.
    Current,
    /// It is being deleted.
    Terminating,
    /// It does not exist; never computed from an object.
    NotFound,
    /// Nobody could tell; never computed from an object.
    Unknown,
}

impl Status {
    /// Returns the library's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "InProgress",
            Self::Failed => "Failed",
            Self::Current => "Current",
            Self::Terminating => "Terminating",
            Self::NotFound => "NotFound",
            Self::Unknown => "Unknown",
        }
    }
}

/// A condition that the verdict stands for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Condition {
    /// `Reconciling` or `Stalled`.
    pub kind: &'static str,
    /// Always `True`: the other conditions are left out.
    pub status: &'static str,
    /// A word for machines.
    pub reason: String,
    /// A sentence for people.
    pub message: String,
}

/// A verdict.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Verdict {
    /// The status word.
    pub status: Status,
    /// Why.
    pub message: String,
    /// What stands in for it as conditions; none when all is well.
    pub conditions: Vec<Condition>,
}

/// The library refuses the object; the text is the library's own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(pub(crate) String);

/// Judges an object at the time `now`, which matters only to pods that nobody has scheduled.
///
/// # Errors
/// The object's status has a shape that the library does not read, or a Pod an unknown phase.
pub fn compute(object: &Object, now: Timestamp) -> Result<Verdict, Error> {
    if let Some(verdict) = generic(object)? {
        return Ok(verdict);
    }
    let conditions = Conditions::of(object)?;
    if let Some(judge) = kinds::judge_of(object) {
        return judge(object, &conditions, now);
    }
    for condition in conditions.iter().filter(|condition| condition.kind == "Ready") {
        match condition.status {
            "True" => return Ok(current("Resource is Ready")),
            "False" | "Unknown" => return Ok(in_progress(condition.reason, condition.message)),
            _ => {}
        }
    }
    Ok(current("Resource is current"))
}

/// What holds for every kind: deletion, generations, and the two conditions of the standard.
fn generic(object: &Object) -> Result<Option<Verdict>, Error> {
    let deletion = text_at(object, ["metadata", "deletionTimestamp"])?;
    if deletion.is_some_and(|time| !time.is_empty()) {
        return Ok(Some(Verdict {
            status: Status::Terminating,
            message: "Resource scheduled for deletion".to_owned(),
            conditions: Vec::new(),
        }));
    }
    if let Some(generation) = integer_at(object, ["metadata", "generation"])?
        && let Some(observed) = integer_at(object, ["status", "observedGeneration"])?
        && observed != generation
    {
        let kind = object.kind();
        let message = format!("{kind} generation is {generation}, but latest observed generation is {observed}");
        return Ok(Some(in_progress("LatestGenerationNotObserved", &message)));
    }
    let conditions = Conditions::of(object)?;
    let standard =
        conditions.iter().filter(|condition| condition.status == "True").find_map(|condition| match condition.kind {
            "Reconciling" => Some(in_progress(condition.reason, condition.message)),
            "Stalled" => Some(failed(condition.reason, condition.message)),
            _ => None,
        });
    Ok(standard)
}

fn current(message: impl Into<String>) -> Verdict {
    Verdict { status: Status::Current, message: message.into(), conditions: Vec::new() }
}

fn in_progress(reason: &str, message: &str) -> Verdict {
    with_condition(Status::InProgress, "Reconciling", reason, message)
}

fn failed(reason: &str, message: &str) -> Verdict {
    with_condition(Status::Failed, "Stalled", reason, message)
}

fn with_condition(status: Status, kind: &'static str, reason: &str, message: &str) -> Verdict {
    let condition = Condition { kind, status: "True", reason: reason.to_owned(), message: message.to_owned() };
    Verdict { status, message: message.to_owned(), conditions: vec![condition] }
}
