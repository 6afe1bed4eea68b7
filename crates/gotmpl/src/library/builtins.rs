//! Go's builtins.
pub(crate) fn register(_functions: &mut crate::functions::Functions) {}
