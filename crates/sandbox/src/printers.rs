//! The columns of built-in kinds.

use crate::{catalog::Resource, columns::Column};

/// Returns the columns of a kind that has its own.
pub(crate) fn of(_resource: &Resource) -> Option<Vec<Column>> {
    None
}
