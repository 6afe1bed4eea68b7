//! What may not change once an object is there.

use lockstep_object::{Object, Value};

use crate::status::{Cause, go_quote};

/// Checks the metadata of a changed object.
pub(crate) fn check_metadata(old: &Object, new: &Object, causes: &mut Vec<Cause>) {
    let deleted = old.at(&["metadata", "deletionTimestamp"]).is_some();
    if deleted {
        let texts = |object: &Object| -> Vec<String> {
            let list = object.at(&["metadata", "finalizers"]).and_then(Value::as_list);
            list.into_iter().flat_map(|list| list.iter()).filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let before = texts(old);
        let added: Vec<String> =
            texts(new).into_iter().filter(|name| !before.contains(name)).map(|name| go_quote(&name)).collect();
        if !added.is_empty() {
            let text = format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                added.join(", ")
            );
            causes.push(Cause::forbidden("metadata.finalizers", &text));
        }
    }
    for key in ["name", "namespace"] {
        let (before, after) = (old.str_at(&["metadata", key]), new.str_at(&["metadata", key]));
        if before != after {
            causes.push(Cause::invalid_text(format!("metadata.{key}"), after, "field is immutable"));
        }
    }
}
