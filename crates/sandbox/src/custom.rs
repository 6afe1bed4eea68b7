//! Validation of custom resources by their schemas.

use lockstep_object::{Object, Value};

use crate::{crd::Custom, names, status::Cause};

/// Errors after which rules are not looked at.
const BLOCKING: [&str; 5] =
    ["FieldValueNotSupported", "FieldValueRequired", "FieldValueTooLong", "FieldValueTooMany", "FieldValueTypeInvalid"];

/// Checks an object by the schema and the rules of its definition; what did not change is not complained about.
pub(crate) fn validate(custom: &Custom, new: &Object, old: Option<&Object>) -> Vec<Cause> {
    let value = new.to_value();
    let schema = &custom.version.schema;
    let errors = match old {
        Some(old) => schema.validate_update(&value, &old.to_value()),
        None => schema.validate(&value),
    };
    let mut causes: Vec<Cause> =
        errors.into_iter().map(|error| Cause::new(error.reason, error.field, error.message)).collect();
    for (path, object) in schema.embedded(&value) {
        embedded(&path, object, &mut causes);
    }
    if causes.iter().any(|cause| BLOCKING.contains(&cause.reason)) {
        let broken = !custom.rules.is_empty();
        if broken {
            let text = "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation";
            causes.push(Cause::invalid("<nil>", "null", text));
        }
        return causes;
    }
    causes.extend(custom.rules.check(new, old));
    causes
}

/// Checks the metadata of an object inside an object.
fn embedded(path: &str, object: &Value, causes: &mut Vec<Cause>) {
    for (key, check) in [
        ("labels", names::check_labels as fn(&lockstep_object::Map, &str, &mut Vec<Cause>)),
        ("annotations", names::check_annotations),
    ] {
        if let Some(map) = object.at(&["metadata", key]).and_then(Value::as_map) {
            check(map, &format!("{path}.metadata.{key}"), causes);
        }
    }
}
