//! Validation of built-in kinds: the rules that people meet, in the server's words.

use lockstep_object::{Map, Object, Value};

use crate::{catalog::Resource, server::Server, status::Cause};

/// The most that a ConfigMap or Secret holds.
const DATA_LIMIT: usize = 1024 * 1024;

/// Checks a new object.
pub(crate) fn create(_server: &Server, resource: &Resource, object: &Object) -> Vec<Cause> {
    let mut causes = Vec::new();
    content(resource, object, &mut causes);
    causes
}

/// Checks a changed object.
pub(crate) fn update(
    _server: &Server,
    resource: &Resource,
    subresource: &str,
    old: &Object,
    new: &Object,
) -> Vec<Cause> {
    let mut causes = Vec::new();
    if subresource.is_empty() {
        immutable_data(resource, old, new, &mut causes);
        immutable_fields(resource, old, new, &mut causes);
        content(resource, new, &mut causes);
    }
    causes
}

fn content(resource: &Resource, object: &Object, causes: &mut Vec<Cause>) {
    let (field, keys): (&str, &[&str]) = match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "configmaps") => ("[]", &["data", "binaryData"]),
        ("", "secrets") => ("data", &["data"]),
        _ => return,
    };
    let entries = keys.iter().filter_map(|key| object.root().get(key)?.as_map()).flat_map(Map::values);
    // Secrets are counted as bytes, which base64 makes a third longer.
    let sizes =
        entries.filter_map(Value::as_str).map(|text| if field == "data" { text.len() / 4 * 3 } else { text.len() });
    if sizes.sum::<usize>() > DATA_LIMIT {
        causes.push(Cause::new(
            "FieldValueTooLong",
            field,
            format!("Too long: may not be more than {DATA_LIMIT} bytes"),
        ));
    }
}

fn immutable_data(resource: &Resource, old: &Object, new: &Object, causes: &mut Vec<Cause>) {
    let keys: &[&str] = match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "configmaps") => &["data", "binaryData"],
        ("", "secrets") => &["data"],
        _ => return,
    };
    let text = "field is immutable when `immutable` is set";
    if old.root().get("immutable").and_then(Value::as_bool) == Some(true) {
        if new.root().get("immutable").and_then(Value::as_bool) != Some(true) {
            causes.push(Cause::forbidden("immutable", text));
        }
        for key in keys {
            if old.root().get(key) != new.root().get(key) {
                causes.push(Cause::forbidden(*key, text));
            }
        }
    }
    if resource.plural == "secrets" && old.root().get("type") != new.root().get("type") {
        causes.push(Cause::invalid_text("type", new.str_at(&["type"]), "field is immutable"));
    }
}

/// Fields that never change.
fn immutable_fields(resource: &Resource, old: &Object, new: &Object, causes: &mut Vec<Cause>) {
    let paths: &[&[&str]] = match (resource.group.as_str(), resource.plural.as_str()) {
        ("apps", "deployments" | "replicasets" | "daemonsets") => &[&["spec", "selector"]],
        ("batch", "jobs") => &[&["spec", "completionMode"], &["spec", "selector"]],
        ("rbac.authorization.k8s.io", "rolebindings" | "clusterrolebindings") => &[&["roleRef"]],
        ("storage.k8s.io", "storageclasses") => {
            &[&["provisioner"], &["parameters"], &["reclaimPolicy"], &["volumeBindingMode"]]
        }
        _ => return,
    };
    for path in paths {
        let (before, after) = (old.at(path), new.at(path));
        if before != after {
            let value = after.map_or_else(|| "null".to_owned(), crate::gofmt::bad_value);
            causes.push(Cause::invalid(path.join("."), &value, "field is immutable"));
        }
    }
}
