//! The decisions of Lockstep, as synchronous functions of values.
//!
//! What: [`prepare`] makes rendered objects ready to be applied, [`plan`] says what a sync has to do,
//! [`AppState::step`] is the state machine of one App, [`AppState::facts`] what there is to say about it.
//!
//! What not: no clock, no file, no network, no randomness: the time and a random number come with the
//! [`Context`], everything else as an [`Event`]; what is to be done leaves as an [`Effect`].
//!
//! Why: the whole product runs in a test, by seed, a thousand times faster than the world. The decisions
//! look only at what is seen, never at why they were called, so a lost or repeated event does no harm.
#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod claims;
mod context;
mod desired;
mod drift;
mod event;
mod facts;
mod fleet;
mod inventory;
mod live;
mod marks;
mod plan;
mod rules;
mod run;
mod state;
mod step;
mod windows;

pub use context::{Context, DependencyFacts, LiveIndex};
pub use desired::{
    Class, DeletePolicy, Desired, Hook, HookPhase, Prepared, Scope, Scopes, Stage, SyncPhase, inherit_source, prepare,
};
pub use drift::{Attribution, attribute};
pub use event::{
    AppId, ApplyOptions, Effect, Event, Notice, Problem, ProblemKind, Rejected, Respect, RevisionInfo, Ticket, Wanted,
};
pub use fleet::{Fleet, ProjectRules, Stored};
pub use inventory::{Inventory, Record};
pub use live::Live;
pub use marks::{Marks, PruneMark};
pub use plan::{Plan, PlannedStage, Policy, Refusal, plan};
pub use state::AppState;
