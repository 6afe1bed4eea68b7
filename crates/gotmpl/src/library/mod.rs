//! The function library.
pub(crate) mod builtins;
pub(crate) mod json;
pub(crate) fn register(_functions: &mut crate::functions::Functions) {}
