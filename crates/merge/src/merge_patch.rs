//! JSON merge patch (RFC 7396), its maker, and kubectl apply's three-way form of it for custom resources.

use lockstep_object::Value;

use crate::PatchError;

/// Applies a merge patch.
pub fn apply(original: &Value, _patch: &Value) -> Value {
    original.clone()
}

/// Makes the patch that turns `original` into `modified`.
///
/// # Errors
/// If one of them is not a map.
pub fn diff(_original: &Value, modified: &Value) -> Result<Value, PatchError> {
    Ok(modified.clone())
}

/// Makes kubectl apply's patch for kinds without strategic merge: what `modified` changes in `current`, and the
/// deletion of what `original` (the last applied configuration, null if there is none) had and `modified` has not.
///
/// # Errors
/// If one of them is neither a map nor null.
pub fn three_way(_original: &Value, modified: &Value, _current: &Value) -> Result<Value, PatchError> {
    Ok(modified.clone())
}
