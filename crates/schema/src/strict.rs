//! Strict decoding of built-in kinds: unknown fields and values of the wrong type, with the API server's texts.

use lockstep_object::Value;

use crate::{TypeRef, Types};

/// Lists the fields that the type does not know, as `unknown field "spec.foo"`, in the order of the value.
pub fn unknown_fields(_value: &Value, _of: &TypeRef, _types: &Types) -> Vec<String> {
    Vec::new()
}

/// Removes the fields that the type does not know (what decoding into Go's structs does); returns their paths.
pub fn drop_unknown(_value: &mut Value, _of: &TypeRef, _types: &Types) -> Vec<String> {
    Vec::new()
}
