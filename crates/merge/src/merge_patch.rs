//! JSON merge patch (RFC 7396), its maker, and kubectl apply's three-way form of it for custom resources.

use lockstep_object::{Map, Value, yaml};

use crate::{PatchError, tree};

/// Applies a merge patch as the API server's library does to whole documents.
///
/// # Errors
/// If one of them is null, or the patch is a scalar.
pub fn apply_document(original: &Value, patch: &Value) -> Result<Value, PatchError> {
    match (original, patch) {
        (Value::Null, _) => Err(PatchError::new("Invalid JSON Document")),
        (Value::Map(_), Value::Map(_)) => Ok(apply(original, patch)),
        (_, Value::Map(_) | Value::List(_)) => Ok(without_nulls(patch)),
        _ => Err(PatchError::new("Invalid JSON Patch")),
    }
}

/// Applies a merge patch to any value, as RFC 7396 says.
pub fn apply(original: &Value, patch: &Value) -> Value {
    match (original, patch) {
        (Value::Map(original), Value::Map(patch)) => {
            let mut merged = original.clone();
            merge(&mut merged, patch);
            merged.into()
        }
        (Value::Map(_), patch) => patch.clone(),
        (_, patch) => without_nulls(patch),
    }
}

fn merge(into: &mut Map, patch: &Map) {
    for (key, value) in patch.iter() {
        match (value, into.get_mut(key)) {
            (Value::Null, _) => {
                into.remove(key);
            }
            (value, None | Some(Value::Null)) => {
                into.insert(key, without_nulls(value));
            }
            (value, Some(known)) => *known = apply(known, value),
        }
    }
}

/// In a new value a null deletes nothing, so it is dropped; also from maps in lists, but not from lists.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Map(map) => {
            let kept = map.iter().filter(|(_, value)| !value.is_null());
            Value::Map(kept.map(|(key, value)| (key.clone(), without_nulls(value))).collect())
        }
        Value::List(items) => Value::List(items.iter().map(without_nulls).collect()),
        scalar => scalar.clone(),
    }
}

/// Makes the patch that turns `original` into `modified`; of two lists, the list of patches for their items.
///
/// # Errors
/// If they are neither two maps nor two lists of as many maps. Null counts as the empty map.
pub fn diff(original: &Value, modified: &Value) -> Result<Value, PatchError> {
    match (original, modified) {
        (Value::List(original), Value::List(modified)) if original.len() == modified.len() => {
            let pairs = original.iter().zip(modified.iter());
            let patches =
                pairs.map(|(original, modified)| Ok(difference(&document(original)?, &document(modified)?).into()));
            Ok(Value::from(patches.collect::<Result<Vec<Value>, PatchError>>()?))
        }
        (Value::List(_), Value::List(_)) => Err(PatchError::new("Invalid JSON Document")),
        (Value::List(_), _) | (_, Value::List(_)) => Err(PatchError::new("Mismatched JSON Documents")),
        _ => Ok(difference(&document(original)?, &document(modified)?).into()),
    }
}

fn difference(original: &Map, modified: &Map) -> Map {
    let mut patch = Map::new();
    for (key, new) in modified.iter() {
        match (original.get(key), new) {
            (Some(Value::Map(old)), Value::Map(new)) => {
                let below = difference(old, new);
                if !below.is_empty() {
                    patch.insert(key, below);
                }
            }
            (Some(old), new) if tree::equal(old, new) => {}
            (_, new) => {
                patch.insert(key, new.clone());
            }
        }
    }
    for key in original.keys().filter(|key| !modified.contains_key(key)) {
        patch.insert(key, Value::Null);
    }
    patch
}

/// Makes kubectl apply's patch for kinds without strategic merge: what `modified` changes in `current`, and the
/// deletion of what `original` (the last applied configuration, null if there is none) had and `modified` has not.
///
/// # Errors
/// If one of them is neither a map nor null.
pub fn three_way(original: &Value, modified: &Value, current: &Value) -> Result<Value, PatchError> {
    let (original, modified, current) = (document(original)?, document(modified)?, document(current)?);
    let changes = keep(&difference(&current, &modified), false);
    let deletions = keep(&difference(&original, &modified), true);
    if conflict(&changes, &deletions) {
        return Err(conflict_error(changes, deletions));
    }
    Ok(apply(&deletions.into(), &changes.into()))
}

fn document(value: &Value) -> Result<Map, PatchError> {
    match value {
        Value::Null => Ok(Map::new()),
        Value::Map(map) => Ok(map.clone()),
        _ => Err(PatchError::new("Invalid JSON Document")),
    }
}

/// Keeps either only the nulls of a patch or all but the nulls. An empty map in it is a value.
fn keep(patch: &Map, nulls: bool) -> Map {
    let mut kept = Map::new();
    for (key, value) in patch.iter() {
        match value {
            Value::Map(map) if !map.is_empty() => {
                let below = keep(map, nulls);
                if !below.is_empty() {
                    kept.insert(key, below);
                }
            }
            value if value.is_null() == nulls => {
                kept.insert(key, value.clone());
            }
            _ => {}
        }
    }
    kept
}

fn conflict(left: &Map, right: &Map) -> bool {
    let both = left.iter().filter_map(|(key, left)| Some((left, right.get(key)?)));
    both.into_iter().any(|(left, right)| match (left, right) {
        (Value::Map(left), Value::Map(right)) => conflict(left, right),
        (left, right) => left != right,
    })
}

/// The error of both kinds of three-way patches.
pub(crate) fn conflict_error(patch: Map, changes: Map) -> PatchError {
    let (patch, changes) = (yaml::print(&patch.into()), yaml::print(&changes.into()));
    PatchError::new(format!("patch:\n{patch}\nconflicts with changes made from original to current:\n{changes}\n"))
}
