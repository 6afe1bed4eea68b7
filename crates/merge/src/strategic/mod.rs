//! Strategic merge patch, its maker, and kubectl apply's three-way patch.

mod conflicts;
mod diff;
mod list;
mod lookup;
mod merge;

use lockstep_object::{Map, Value};
use lockstep_schema::{TypeRef, Types};

use crate::{PatchError, merge_patch::conflict_error};

use lookup::Node;

/// The type that a patch is read by.
#[derive(Clone, Copy, Debug)]
pub struct Schema<'a> {
    /// The table of named types.
    pub types: &'a Types,
    /// The type of the object.
    pub root: &'a TypeRef,
}

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM: &str = "$deleteFromPrimitiveList";
const SET_ORDER: &str = "$setElementOrder";

/// Applies a strategic merge patch, as the API server does.
///
/// # Errors
/// If a directive is wrong, a merge key is missing, or the forms of patch and object differ.
pub fn apply(original: &Value, patch: &Value, schema: Schema<'_>) -> Result<Value, PatchError> {
    let options = merge::Options { directives: true, drop_nulls: true };
    merge::maps(document(original)?, document(patch)?, &Node::root(schema), options).map(Value::Map)
}

/// Makes the patch that turns `original` into `modified`.
///
/// # Errors
/// If a merge key is missing, or the schema does not know a changed map or list.
pub fn diff(original: &Value, modified: &Value, schema: Schema<'_>) -> Result<Value, PatchError> {
    let options = diff::Options { set_order: true, ..diff::Options::default() };
    diff::maps(&document(original)?, &document(modified)?, &Node::root(schema), options).map(Value::Map)
}

/// Makes kubectl apply's patch for `current` from the last applied configuration and the new one.
/// Without `overwrite`, changes that others made to the same fields are an error.
///
/// # Errors
/// As [`diff`], and conflicts.
pub fn three_way(
    original: &Value,
    modified: &Value,
    current: &Value,
    schema: Schema<'_>,
    overwrite: bool,
) -> Result<Value, PatchError> {
    let (original, modified, current) = (document(original)?, document(modified)?, document(current)?);
    let root = Node::root(schema);
    let only_changes = diff::Options { set_order: true, ignore_deletions: true, ..diff::Options::default() };
    let only_deletions = diff::Options { set_order: true, ignore_changes: true, ..diff::Options::default() };
    let changes = diff::maps(&current, &modified, &root, only_changes)?;
    let deletions = diff::maps(&original, &modified, &root, only_deletions)?;
    let patch = merge::maps(deletions, changes, &root, merge::Options { directives: false, drop_nulls: false })?;
    if !overwrite {
        let changed = diff::maps(&original, &current, &root, diff::Options::default())?;
        if conflicts::maps(&patch, &changed, &root)? {
            return Err(conflict_error(patch, changed));
        }
    }
    Ok(patch.into())
}

fn document(value: &Value) -> Result<Map, PatchError> {
    match value {
        Value::Null => Ok(Map::new()),
        Value::Map(map) => Ok(map.clone()),
        _ => Err(PatchError::new("invalid JSON document")),
    }
}
