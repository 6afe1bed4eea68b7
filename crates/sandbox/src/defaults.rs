//! Defaults that the server computes for built-in kinds.

use lockstep_object::Object;

use crate::catalog::Resource;

/// Fills in the defaults of a kind.
pub(crate) fn apply(_resource: &Resource, _object: &mut Object) {}
