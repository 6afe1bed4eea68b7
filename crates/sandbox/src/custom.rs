//! Validation of custom resources by their schemas.

use lockstep_object::Object;

use crate::{crd::Custom, status::Cause};

/// Checks an object by the schema and the rules of its definition.
pub(crate) fn validate(custom: &Custom, new: &Object, old: Option<&Object>) -> Vec<Cause> {
    let value = new.to_value();
    let errors = custom.version.schema.validate(&value);
    let mut causes: Vec<Cause> =
        errors.into_iter().map(|error| Cause::new(error.reason, error.field, error.message)).collect();
    causes.extend(custom.rules.check(new, old));
    causes
}
