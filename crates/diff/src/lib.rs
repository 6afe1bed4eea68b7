//! Compares desired with live objects and words the changes.
//!
//! What: the changes between two objects ([`compare`]), normalised so that what Kubernetes does to an object by
//! itself is no change; rules for what to ignore ([`Ignore`]); words for people ([`text`], [`markdown`]) in which
//! secrets are masked; and who owns which field and whether it still has its value ([`owned_digest`],
//! [`authors`], [`foreign_changes`]).
//!
//! What not: nothing here reads a cluster, applies a change, or decides what is done about a drift.
//!
//! Why: a drift that is only a defaulted field costs an operator's night, and a drift without a name costs
//! another; so equal things must compare equal, and each change says who made it.
#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod compare;
mod equal;
mod fields;
mod foreign;
mod hash;
mod ignore;
mod lists;
mod mask;
mod owned;
mod prepare;
mod respect;
mod words;

pub use compare::{Change, Lists, Mode, Options, compare};
pub use foreign::{ForeignChange, foreign_changes};
pub use ignore::{Ignore, IgnoreError};
pub use lists::ListKind;
pub use mask::{MASK, masked};
pub use owned::{Author, authors, last_foreign_author, owned_digest, taken_over};
pub use respect::respected;
pub use words::{ObjectDiff, What, line_of, markdown, text};
