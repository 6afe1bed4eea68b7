//! Server-side apply: who owns which field, and what an apply or update makes of an object.
//!
//! The rules are those of structured-merge-diff 6.4. [`Updater::apply`] and [`Updater::update`] are the two
//! ways in; [`FieldSet`] is the set of fields as `fieldsV1` holds it, [`Managed`] the managers' sets.

mod compare;
mod element;
mod entries;
mod managed;
mod merge;
mod reconcile;
mod remove;
mod set;
mod to_set;
mod typed;
mod updater;
mod validate;

pub use element::{Element, FieldPath};
pub use entries::{Entry, EntryError, Identity, Operation, Times};
pub use managed::{Managed, OwnedFields};
pub use set::{FieldSet, FieldSetError};
pub use typed::{Comparison, Problem, Problems, Typed};
pub use updater::{ApplyError, Conflict, Conflicts, Convert, NoConversion, NotConverted, Outcome, Updater};
