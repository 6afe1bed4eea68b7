//! Go's fmt.
use crate::value::{Str, Value};
/// Formats as Go's `fmt.Sprintf`.
pub fn sprintf(_format: &str, _args: &[Value]) -> Str {
    Str::default()
}
/// Formats as Go's `fmt.Sprint`.
pub fn sprint(_args: &[Value]) -> Str {
    Str::default()
}
/// Formats as Go's `fmt.Sprintln`.
pub fn sprintln(_args: &[Value]) -> Str {
    Str::default()
}
pub(crate) fn quote(text: &str) -> String {
    format!("{text:?}")
}
