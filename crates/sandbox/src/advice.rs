//! Warnings about objects that are valid and still not what people want.

use lockstep_object::Object;

use crate::catalog::Resource;

/// Warns about a new object.
pub(crate) fn on_create(_resource: &Resource, _object: &Object, _warnings: &mut Vec<String>) {}

/// Warns about a changed object.
pub(crate) fn on_update(_resource: &Resource, _object: &Object, _warnings: &mut Vec<String>) {}
