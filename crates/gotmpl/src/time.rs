//! Go's `time.Time` and `time.Duration`.

/// A span in nanoseconds: `time.Duration`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(pub i64);

/// An instant with the offset and name of a zone: `time.Time`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Time {
    /// Seconds since 1970 in UTC.
    pub seconds: i64,
    /// Nanoseconds of the second.
    pub nanos: u32,
    /// Seconds east of UTC.
    pub offset: i32,
    /// The abbreviation of the zone, e.g. `UTC` or `CET`; empty for a bare offset.
    pub zone: String,
}

impl Time {
    /// Makes an instant in UTC.
    pub fn from_unix(seconds: i64, nanos: u32) -> Self {
        Self { seconds, nanos, offset: 0, zone: "UTC".to_owned() }
    }
}

use crate::{error::FuncError, functions::Signature, value::Value};
pub(crate) fn method(_value: &Value, _name: &str) -> Option<Signature> {
    None
}
pub(crate) fn call_method(_value: &Value, _name: &str, _args: &[Value]) -> Result<Value, FuncError> {
    Ok(Value::Nil)
}
pub(crate) fn duration_text(d: Duration) -> String {
    format!("{}", d.0)
}
impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.seconds)
    }
}
impl Time {
    pub(crate) fn rfc3339_nano(&self) -> String {
        String::new()
    }
}
