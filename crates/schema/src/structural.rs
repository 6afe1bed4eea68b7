//! Structural schemas of custom resources: validation, pruning and defaults.

use lockstep_object::Value;

/// A structural schema (the subset of OpenAPI v3 that definitions may use).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Structural {}

/// What is wrong with a field, worded as Kubernetes does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The reason as in a status cause: `FieldValueInvalid`, `FieldValueRequired`, `FieldValueNotSupported`,
    /// `FieldValueDuplicate`, `FieldValueForbidden`, `FieldValueTypeInvalid`, `FieldValueTooLong`, `FieldValueTooMany`.
    pub reason: &'static str,
    /// The path, as `spec.replicas`.
    pub field: String,
    /// The words without the path, as `Invalid value: "string": spec.replicas in body must be of type integer: "string"`.
    pub message: String,
}

impl Structural {
    /// Reads the schema of an object; `apiVersion`, `kind` and `metadata` are added to it.
    pub fn of_object(_schema: &Value) -> Self {
        Self::default()
    }

    /// Checks a value; an empty list means that it is valid.
    pub fn validate(&self, _value: &Value) -> Vec<FieldError> {
        Vec::new()
    }

    /// Removes fields that the schema does not know. Returns their paths, as `spec.foo`, sorted.
    pub fn prune(&self, _value: &mut Value) -> Vec<String> {
        Vec::new()
    }

    /// Fills in the defaults, where the parent is present; nulls that may not be null are replaced as well.
    pub fn fill_defaults(&self, _value: &mut Value) {}
}
