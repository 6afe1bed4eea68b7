//! The versions of one kind: how an object that is stored in one is shown in another.

use lockstep_object::{Map, Object, Value};

use crate::catalog::Resource;

/// Tells whether the stored object already is in the resource's version.
pub(crate) fn is_stored_form(resource: &Resource, object: &Object) -> bool {
    object.api_version() == resource.api_version() && object.kind() == resource.kind
}

/// Returns a stored object in the version of `resource`.
pub(crate) fn show(resource: &Resource, object: &Object) -> Value {
    if is_stored_form(resource, object) {
        return object.to_value();
    }
    let mut map = object.root().clone();
    match (resource.group.as_str(), resource.plural.as_str(), resource.version.as_str()) {
        ("events.k8s.io", "events", _) => event_to_new(&mut map),
        ("autoscaling", "horizontalpodautoscalers", "v1") => crate::autoscaling::to_v1(&mut map),
        _ => {}
    }
    map.insert("apiVersion", resource.api_version());
    map.insert("kind", resource.kind.as_str());
    Value::Map(map)
}

/// Turns an object that came in the version of `resource` into the stored form.
pub(crate) fn store_form(resource: &Resource, object: Object) -> Object {
    let mut map = object.root().clone();
    match (resource.group.as_str(), resource.plural.as_str(), resource.version.as_str()) {
        ("events.k8s.io", "events", _) => {
            event_to_core(&mut map);
            map.insert("apiVersion", "v1");
        }
        ("autoscaling", "horizontalpodautoscalers", "v1") => {
            crate::autoscaling::to_v2(&mut map);
            map.insert("apiVersion", "autoscaling/v2");
        }
        _ => {
            if let Some(custom) = &resource.custom {
                map.insert("apiVersion", custom.stored_api_version.as_str());
            }
        }
    }
    Object::new(map)
}

/// Names of an event's fields: in the core group, and in `events.k8s.io`.
const EVENT_FIELDS: &[(&str, &str)] = &[
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

fn event_to_new(map: &mut Map) {
    rename(map, EVENT_FIELDS.iter().map(|(core, new)| (*core, *new)));
    for key in ["reportingController", "reportingInstance"] {
        if map.get(key).and_then(Value::as_str) == Some("") {
            map.remove(key);
        }
    }
}

fn event_to_core(map: &mut Map) {
    rename(map, EVENT_FIELDS.iter().map(|(core, new)| (*new, *core)));
    for (key, zero) in [("involvedObject", Value::Map(Map::new())), ("source", Value::Map(Map::new()))] {
        map.entry(key, || zero);
    }
    for key in ["reportingComponent", "reportingInstance"] {
        map.entry(key, || "".into());
    }
    for key in ["firstTimestamp", "lastTimestamp", "eventTime"] {
        map.entry(key, || Value::Null);
    }
}

fn rename<'a>(map: &mut Map, names: impl Iterator<Item = (&'a str, &'a str)>) {
    for (from, to) in names {
        if let Some(value) = map.remove(from) {
            map.insert(to, value);
        }
    }
    let empty = |value: &Value| value.as_str() == Some("");
    for key in ["message", "note"] {
        if map.get(key).is_some_and(empty) {
            map.remove(key);
        }
    }
}
