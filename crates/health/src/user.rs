//! The user's own rules.

use jiff::Timestamp;
use lockstep_object::Object;

use crate::{Health, rules::matches_group};

/// A rule that the user wrote, about a group and kind (each may have wildcards).
#[derive(Debug)]
pub struct UserRule {
    group: String,
    kind: String,
}

impl UserRule {
    /// Tells whether the rule is about a kind.
    pub(crate) fn is_about(&self, group: &str, kind: &str) -> bool {
        matches_group(&self.group, group) && (self.kind == kind || matches!(self.kind.as_str(), "_" | "*"))
    }

    pub(crate) fn judge(&self, _object: &Object, _now: Timestamp) -> Option<Health> {
        None
    }
}
