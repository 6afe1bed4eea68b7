//! Keeps secrets out of what people see.

use lockstep_object::{Map, Object, Step, Value};

use crate::{compare::Change, prepare::COPIES};

/// What stands in place of a secret value.
pub const MASK: &str = "•••";

/// Masks the values of a Secret's change.
pub fn change(change: &mut Change) {
    let Some(Step::Field(first)) = change.path.steps().first() else { return };
    if !matches!(first.as_str(), "data" | "stringData") {
        return;
    }
    for value in [&mut change.before, &mut change.after].into_iter().flatten() {
        hide(value);
    }
}

/// Returns an object that may be shown: of a Secret only the keys are told, and the copies that tools keep of an
/// object in its annotations are left out.
pub fn masked(object: &Object) -> Object {
    let mut object = object.clone();
    if let Some(Value::Map(metadata)) = object.root_mut().get_mut("metadata")
        && let Some(Value::Map(annotations)) = metadata.get_mut("annotations")
        && COPIES.iter().any(|key| annotations.contains_key(key))
    {
        annotations.retain(|key, _| !COPIES.contains(&key.as_str()));
    }
    if object.kind() == "Secret" && object.api_version() == "v1" {
        for key in ["data", "stringData"] {
            if let Some(value) = object.root_mut().get_mut(key) {
                hide(value);
            }
        }
    }
    object
}

fn hide(value: &mut Value) {
    *value = match value {
        Value::Map(map) => Value::Map(map.keys().map(|key| (key, MASK)).collect::<Map>()),
        _ => MASK.into(),
    };
}
