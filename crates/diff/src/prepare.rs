//! Makes two objects comparable.

use base64::{Engine, engine::general_purpose::STANDARD};
use lockstep_object::{Map, Object, Value};

/// What the server writes into the metadata.
const SERVER_METADATA: [&str; 9] = [
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "managedFields",
    "selfLink",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "ownerReferences",
];

/// Copies of the object that tools keep in it; secrets would show, and they say nothing of their own.
pub const COPIES: [&str; 2] = ["kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision"];

/// Returns both objects without what says nothing; desired first.
pub fn pair(desired: &Object, live: &Object) -> (Map, Map) {
    let (mut after, mut before) = (stripped(desired), stripped(live));
    if desired.kind() == "Secret" {
        fold_string_data(&mut after);
        fold_string_data(&mut before);
    }
    // The controller fills in the rules of an aggregated role.
    let aggregated = |map: &Map| map.get("aggregationRule").is_some_and(|rule| !rule.is_null());
    if desired.kind() == "ClusterRole" && (aggregated(&after) || aggregated(&before)) {
        after.remove("rules");
        before.remove("rules");
    }
    if after.get("metadata").and_then(|metadata| metadata.get("namespace")).is_none() {
        before.map_entry("metadata").remove("namespace");
    }
    (after, before)
}

fn stripped(object: &Object) -> Map {
    let mut map = object.root().clone();
    map.remove("status");
    if let Some(Value::Map(metadata)) = map.get_mut("metadata") {
        let owners_told = object.at(&["metadata", "uid"]).is_none();
        metadata.retain(|key, _| !SERVER_METADATA.contains(&key.as_str()) || (owners_told && key == "ownerReferences"));
        if let Some(Value::Map(annotations)) = metadata.get_mut("annotations") {
            annotations.retain(|key, _| !COPIES.contains(&key.as_str()));
        }
    }
    map
}

/// Writes `stringData` into `data`, where it wins, as the server does.
pub fn fold_string_data(map: &mut Map) {
    let Some(Value::Map(texts)) = map.remove("stringData") else { return };
    let data = map.map_entry("data");
    for (key, text) in texts.iter() {
        let bytes = match text {
            Value::Text(text) => text.as_bytes().to_vec(),
            other => lockstep_object::to_json(other).into_bytes(),
        };
        data.insert(key, STANDARD.encode(bytes));
    }
}
