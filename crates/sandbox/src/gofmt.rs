//! Values as Go's `%v` prints them in error texts.

use lockstep_object::Value;

/// Prints owner references as the server does in its message: JSON of the list.
pub(crate) fn owner_references(owners: &[Value]) -> String {
    let items: Vec<String> = owners.iter().map(lockstep_object::to_json).collect();
    format!("[{}]", items.join(","))
}

/// Prints a value inside an `Invalid value` message: strings quoted, the rest as JSON.
pub(crate) fn bad_value(value: &Value) -> String {
    match value {
        Value::Text(text) => crate::status::go_quote(text),
        other => lockstep_object::to_json(other),
    }
}

/// Shows how two values differ, as lines of their JSON.
pub(crate) fn difference(old: &Value, new: &Value) -> String {
    let [old, new] = [old, new].map(|value| lockstep_object::to_json_pretty(value, " "));
    similar::TextDiff::from_lines(&old, &new).unified_diff().context_radius(3).to_string()
}

/// Prints a value as Go prints a `map[string]interface{}`: `map[a:1 b:[x]]`.
pub(crate) fn go_map(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Text(text) => text.to_string(),
        Value::List(items) => {
            let words: Vec<String> = items.iter().map(go_map).collect();
            format!("[{}]", words.join(" "))
        }
        Value::Map(map) => {
            let mut map = map.clone();
            map.sort_keys();
            let words: Vec<String> = map.iter().map(|(key, value)| format!("{key}:{}", go_map(value))).collect();
            format!("map[{}]", words.join(" "))
        }
        other => lockstep_object::to_json(other),
    }
}
