//! Drops nested values without recursion: a template can nest a list a million deep.

use super::Value;

/// Drops values and all that only they hold, with a worklist instead of the stack.
pub(super) fn drop_all(mut pending: Vec<Value>) {
    if !pending.iter().any(is_container) {
        return;
    }
    while let Some(value) = pending.pop() {
        let inner = match value {
            Value::List(list) => list.into_items(),
            Value::Map(map) => map.into_values(),
            _ => None,
        };
        pending.extend(inner.into_iter().flatten());
    }
}

fn is_container(value: &Value) -> bool {
    matches!(value, Value::List(_) | Value::Map(_))
}
