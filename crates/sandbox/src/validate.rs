//! Validation of built-in kinds.

use lockstep_object::Object;

use crate::{catalog::Resource, server::Server, status::Cause};

/// Checks a new object.
pub(crate) fn create(_server: &Server, _resource: &Resource, _object: &Object) -> Vec<Cause> {
    Vec::new()
}

/// Checks a changed object.
pub(crate) fn update(_server: &Server, _resource: &Resource, _subresource: &str, _old: &Object, _new: &Object) -> Vec<Cause> {
    Vec::new()
}
