//! Errors of fields, in the words of `k8s.io/apimachinery/pkg/util/validation/field`.

pub(super) use lockstep_object::go::float;
use lockstep_object::{Value, go::quoted, to_json};

/// What is wrong with a field, worded as Kubernetes does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The reason as in a status cause: `FieldValueInvalid`, `FieldValueRequired`, `FieldValueNotSupported`,
    /// `FieldValueDuplicate`, `FieldValueTypeInvalid`, `FieldValueTooLong`, `FieldValueTooMany`.
    pub reason: &'static str,
    /// The path, as `spec.replicas`; `<nil>` where Kubernetes names none.
    pub field: String,
    /// The words without the path, as `Invalid value: "string": spec.replicas in body must be of type integer: "string"`.
    pub message: String,
}

impl FieldError {
    fn new(reason: &'static str, field: &str, message: String) -> Self {
        Self { reason, field: if field.is_empty() { "<nil>".into() } else { field.into() }, message }
    }

    pub(super) fn required(field: &str) -> Self {
        Self::new("FieldValueRequired", field, "Required value".into())
    }

    pub(super) fn invalid(field: &str, value: &Value, detail: &str) -> Self {
        Self::new("FieldValueInvalid", field, format!("Invalid value: {}: {detail}", shown(value)))
    }

    /// An error that stands for a whole schema, without a field or value.
    pub(super) fn of_schema(detail: String) -> Self {
        Self::invalid("", &Value::from(""), &detail)
    }

    pub(super) fn wrong_type(field: &str, wanted: &str, value: &str) -> Self {
        let value = quoted(value);
        let message = format!("Invalid value: {value}: {field} in body must be of type {wanted}: {value}");
        Self::new("FieldValueTypeInvalid", field, message)
    }

    pub(super) fn unsupported(field: &str, value: &Value, choices: &[Value]) -> Self {
        let choice = |value: &Value| match value {
            Value::Text(text) => quoted(text),
            other => quoted(&to_json(other)),
        };
        let choices: Vec<String> = choices.iter().map(choice).collect();
        let message = format!("Unsupported value: {}: supported values: {}", shown(value), choices.join(", "));
        Self::new("FieldValueNotSupported", field, message)
    }

    pub(super) fn too_long(field: &str, most: i64) -> Self {
        let unit = if most == 1 { "byte" } else { "bytes" };
        Self::new("FieldValueTooLong", field, format!("Too long: may not be more than {most} {unit}"))
    }

    pub(super) fn too_many(field: &str, count: i64, most: i64) -> Self {
        let unit = if most == 1 { "item" } else { "items" };
        Self::new("FieldValueTooMany", field, format!("Too many: {count}: must have at most {most} {unit}"))
    }

    pub(super) fn duplicate(field: &str, value: &Value) -> Self {
        Self::new("FieldValueDuplicate", field, format!("Duplicate value: {}", shown(value)))
    }
}

/// Prints a value as Go's `%v` does a number and `%q` a string; anything else as JSON.
fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) => quoted(text),
        Value::Float(number) => float(*number),
        other => to_json(other),
    }
}
