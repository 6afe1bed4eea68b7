//! Which rule judges which kind.

use jiff::Timestamp;
use lockstep_object::Object;

use crate::Health;

/// The rules that judge objects: built-in ones, the library, and the user's.
#[derive(Debug, Default)]
pub struct Rules {}

impl Rules {
    /// Returns the built-in kinds and the library; a library rule is parsed when its kind is first seen.
    pub fn builtin() -> Self {
        Self::default()
    }

    /// Judges an object at the time `now`; `None` where its kind has no opinion, which counts as healthy.
    pub fn assess(&self, _object: &Object, _now: Timestamp) -> Option<Health> {
        None
    }
}
