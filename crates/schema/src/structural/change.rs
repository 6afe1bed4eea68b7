//! Pruning and defaults.

use lockstep_object::{Map, Value};

use super::{Structural, validate::below};

/// What the metadata of an embedded object may hold.
const METADATA: [&str; 15] = [
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// What every object has, whatever its schema says.
const ALWAYS: [&str; 3] = ["apiVersion", "kind", "metadata"];

pub(super) fn prune(schema: &Structural, value: &mut Value) -> Vec<String> {
    let mut walk = Pruning::default();
    walk.node(schema, value, "", true);
    walk.fields.sort();
    walk.metadata.sort();
    walk.fields.extend(walk.metadata);
    walk.fields
}

#[derive(Default)]
struct Pruning {
    fields: Vec<String>,
    metadata: Vec<String>,
}

impl Pruning {
    fn node(&mut self, schema: &Structural, value: &mut Value, path: &str, is_root: bool) {
        match value {
            Value::Map(map) => self.map(schema, map, path, is_root),
            Value::List(items) => {
                let free = Structural { keep_unknown: true, ..Structural::default() };
                let of = schema.items.as_deref().unwrap_or(&free);
                for (place, item) in items.make_mut().iter_mut().enumerate() {
                    self.node(of, item, &format!("{path}[{place}]"), false);
                }
            }
            _ => {}
        }
    }

    fn map(&mut self, schema: &Structural, map: &mut Map, path: &str, is_root: bool) {
        let is_object = is_root || schema.embedded;
        let keeps = |name: &str| {
            let known = schema.properties.contains_key(name) || schema.additional.keeps() || schema.keep_unknown;
            known || (is_object && ALWAYS.contains(&name))
        };
        if map.keys().any(|name| !keeps(name)) {
            map.retain(|name, _| {
                if !keeps(name) {
                    self.fields.push(below(path, name));
                }
                keeps(name)
            });
        }
        for (name, value) in map.iter_mut() {
            if is_object && ALWAYS.contains(&name.as_str()) {
                if schema.embedded && name == "metadata" {
                    self.embedded_metadata(value, &below(path, name));
                }
            } else if let Some(of) = schema.of_field(name) {
                self.node(of, value, &below(path, name), false);
            }
        }
    }

    fn embedded_metadata(&mut self, value: &mut Value, path: &str) {
        let Value::Map(map) = value else { return };
        map.retain(|name, _| {
            let known = METADATA.contains(&name.as_str());
            if !known {
                self.metadata.push(below(path, name));
            }
            known
        });
    }
}

pub(super) fn fill_defaults(schema: &Structural, value: &mut Value) {
    drop_nulls(schema, value);
    fill(schema, value);
}

/// Removes nulls from fields that may not be null and have no default.
fn drop_nulls(schema: &Structural, value: &mut Value) {
    match value {
        Value::Map(map) => {
            let wrong = |name: &str, value: &Value| {
                let of = schema.properties.get(name).filter(|_| value.is_null());
                of.is_some_and(|of| !of.nullable && of.default.is_none())
            };
            if map.iter().any(|(name, value)| wrong(name, value)) {
                map.retain(|name, value| !wrong(name, value));
            }
            for (name, value) in map.iter_mut() {
                if let Some(of) = schema.of_field(name) {
                    drop_nulls(of, value);
                }
            }
        }
        Value::List(items) => {
            if let Some(of) = &schema.items {
                items.make_mut().iter_mut().for_each(|item| drop_nulls(of, item));
            }
        }
        _ => {}
    }
}

fn fill(schema: &Structural, value: &mut Value) {
    match value {
        Value::Map(map) => {
            for (name, of) in &schema.properties {
                let Some(default) = &of.default else { continue };
                if map.get(name).is_none_or(|value| value.is_null() && !of.nullable) {
                    map.insert(name, default.clone());
                }
            }
            for (name, value) in map.iter_mut() {
                if let Some(of) = schema.of_field(name) {
                    fill_null(of, value);
                    fill(of, value);
                }
            }
        }
        Value::List(items) => {
            if let Some(of) = &schema.items {
                for item in items.make_mut() {
                    fill_null(of, item);
                    fill(of, item);
                }
            }
        }
        _ => {}
    }
}

fn fill_null(schema: &Structural, value: &mut Value) {
    if let Some(default) = &schema.default
        && value.is_null()
        && !schema.nullable
    {
        *value = default.clone();
    }
}

pub(super) fn embedded<'v>(schema: &Structural, value: &'v Value, path: &str, found: &mut Vec<(String, &'v Value)>) {
    match value {
        Value::Map(map) => {
            if schema.embedded {
                found.push((path.to_owned(), value));
            }
            for (name, value) in map.iter() {
                if let Some(of) = schema.of_field(name) {
                    embedded(of, value, &below(path, name), found);
                }
            }
        }
        Value::List(items) => {
            for (place, item) in items.iter().enumerate() {
                if let Some(of) = &schema.items {
                    embedded(of, item, &format!("{path}[{place}]"), found);
                }
            }
        }
        _ => {}
    }
}
