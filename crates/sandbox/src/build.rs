//! Small helpers to build values.

use lockstep_object::{Key, Map, Value};

/// Builds a map from `key => value` pairs in one allocation.
macro_rules! map {
    ($($key:expr => $value:expr),* $(,)?) => {
        $crate::build::from_pairs(vec![$(($key, lockstep_object::Value::from($value))),*])
    };
}
pub(crate) use map;

pub(crate) fn from_pairs(pairs: Vec<(&str, Value)>) -> Map {
    pairs.into_iter().map(|(key, value)| (Key::new(key), value)).collect()
}

/// Returns a list of strings.
pub(crate) fn texts<'a>(items: impl IntoIterator<Item = &'a str>) -> Value {
    Value::List(items.into_iter().collect())
}

/// Follows the keys to a string, empty if there is none.
pub(crate) fn text_at<'a>(value: &'a Value, keys: &[&str]) -> &'a str {
    value.at(keys).and_then(Value::as_str).unwrap_or_default()
}

/// Follows the keys to an integer.
pub(crate) fn int_at(value: &Value, keys: &[&str]) -> Option<i64> {
    value.at(keys).and_then(Value::as_i64)
}

/// Follows the keys to a list, empty if there is none.
pub(crate) fn list_at<'a>(value: &'a Value, keys: &[&str]) -> &'a [Value] {
    value.at(keys).and_then(Value::as_list).map(|list| &**list).unwrap_or_default()
}

/// Sets the value below the keys, making maps on the way.
pub(crate) fn set_at(map: &mut Map, keys: &[&str], value: impl Into<Value>) {
    match keys {
        [] => {}
        [last] => {
            map.insert(*last, value);
        }
        [first, rest @ ..] => set_at(map.map_entry(*first), rest, value),
    }
}
