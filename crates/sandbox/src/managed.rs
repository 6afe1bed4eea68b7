//! Managed fields: who owns what, after a write and by an apply.

use lockstep_object::{Object, Value};

use crate::{server::Server, status::Outcome, writing::Write};

/// What an apply makes of an object.
pub(crate) struct Applied {
    pub(crate) object: Value,
    pub(crate) manager: String,
}

/// Records a write by its manager.
pub(crate) fn on_write(_server: &Server, _write: &Write<'_>, _old: Option<&Object>, _new: &mut Object) {}

/// Merges what is applied into what is there.
pub(crate) fn apply(_server: &Server, write: &Write<'_>, _old: Option<&Object>, applied: Object) -> Outcome<Applied> {
    Ok(Applied { object: applied.into_value(), manager: write.options.manager.clone() })
}

/// Tells whether two objects differ at most in the times of their managed fields.
pub(crate) fn equal_but_times(old: &Object, new: &Object) -> bool {
    if old == new {
        return true;
    }
    let strip = |object: &Object| {
        let mut object = object.clone();
        if let Some(Value::List(entries)) = object.metadata_mut().get_mut("managedFields") {
            for entry in entries.make_mut() {
                if let Value::Map(entry) = entry {
                    entry.remove("time");
                }
            }
        }
        object
    };
    strip(old) == strip(new)
}

/// Records the writer of a review, which is answered and not stored.
pub(crate) fn on_review(
    _server: &Server,
    _call: &crate::server::Call<'_>,
    _options: &crate::options::WriteOptions,
    _object: &mut Object,
) {
}

/// Records a write of the status by a part of the server itself.
pub(crate) fn record_status(_server: &Server, _old: &Object, _new: &mut Object, _manager: &str, _time: &str) {}
