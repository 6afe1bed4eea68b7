//! Tells whether a Kubernetes object is well.
//!
//! What: two systems of verdicts. [`kstatus`] is Flux's (Current, InProgress, Failed, …); [`Rules`] gives
//! Argo CD 3.6's (Healthy, Progressing, Degraded, …), with built-in kinds in Rust, a library of rules for
//! custom kinds as data files (`rules/*.rules`), and the user's own rules in CEL and Lua. [`reason`] says in
//! one sentence why a workload is not well.
//!
//! What not: nothing here reads a cluster or a clock; `now` is a parameter. A verdict never changes an object.
//!
//! Why: a wave waits for health, so a wrong verdict either stops a deployment or lets a broken one pass.
#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod builtin;
mod health;
pub mod kstatus;
mod language;
mod library;
mod reason;
mod rules;
mod user;

pub use health::{Health, Status, UnknownStatus};
pub use jiff::Timestamp;
pub use reason::reason;
pub use rules::Rules;
pub use user::{Expression, Expressions, UserRule, UserRuleError};
