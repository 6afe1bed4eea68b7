//! CEL rules of custom resources (`x-kubernetes-validations`).

use lockstep_object::{Object, Value};

use crate::status::Cause;

/// The rules of a schema.
#[derive(Debug, Default)]
pub(crate) struct Rules {}

impl Rules {
    /// Collects the rules of a schema.
    pub(crate) fn of_schema(_schema: &Value) -> Self {
        Self {}
    }

    /// Checks an object.
    pub(crate) fn check(&self, _new: &Object, _old: Option<&Object>) -> Vec<Cause> {
        Vec::new()
    }
}
