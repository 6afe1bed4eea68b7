//! Compares desired with live objects and words the changes.
//!
//! What: who owns which field and whether it still has its value ([`owned_digest`], [`authors`]).
//!
//! What not: nothing here reads a cluster, applies a change, or decides what is done about a drift.
//!
//! Why: a drift that is only a defaulted field costs an operator's night, and a drift without a name costs
//! another; so equal things must compare equal, and each change says who made it.
#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod fields;
mod hash;
mod owned;

pub use owned::{Author, authors, last_foreign_author, owned_digest};
