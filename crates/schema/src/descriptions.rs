//! Descriptions of OpenAPI schemas, kept apart: only who explains a kind to a person needs them.
//!
//! What is taken out has the shape of the schema: `description`, and below `properties`, `items` and
//! `additionalProperties` what was taken out there.

use lockstep_object::{Map, Value};

const KEY: &str = "description";
const PROPERTIES: &str = "properties";
/// The keys below which one schema stands.
const BELOW: [&str; 2] = ["items", "additionalProperties"];

/// Takes the descriptions out of a schema and returns them.
pub(crate) fn take(schema: &mut Map) -> Map {
    let mut taken = Map::new();
    if let Some(text) = schema.remove(KEY) {
        taken.insert(KEY, text);
    }
    if let Some(Value::Map(properties)) = schema.get_mut(PROPERTIES) {
        let below: Map = properties.iter_mut().filter_map(|(name, one)| Some((name.clone(), below(one)?))).collect();
        if !below.is_empty() {
            taken.insert(PROPERTIES, below);
        }
    }
    for key in BELOW {
        if let Some(below) = schema.get_mut(key).and_then(below) {
            taken.insert(key, below);
        }
    }
    taken
}

fn below(schema: &mut Value) -> Option<Value> {
    let taken = take(schema.as_map_mut()?);
    (!taken.is_empty()).then_some(Value::Map(taken))
}

/// Puts back what [`take`] took.
pub(crate) fn put(schema: &mut Value, taken: &Value) {
    let (Value::Map(schema), Value::Map(taken)) = (schema, taken) else { return };
    if let Some(text) = taken.get(KEY) {
        schema.insert(KEY, text.clone());
    }
    for (name, taken) in taken.get(PROPERTIES).and_then(Value::as_map).iter().flat_map(|map| map.iter()) {
        if let Some(property) = schema.get_mut(PROPERTIES).and_then(|all| all.as_map_mut()?.get_mut(name)) {
            put(property, taken);
        }
    }
    for key in BELOW {
        if let (Some(schema), Some(taken)) = (schema.get_mut(key), taken.get(key)) {
            put(schema, taken);
        }
    }
}

/// Removes every text under the key, as of operations and their parameters: nobody asks for them.
pub(crate) fn drop_all(value: &mut Value) {
    match value {
        Value::Map(map) => {
            if map.get(KEY).and_then(Value::as_str).is_some() {
                map.remove(KEY);
            }
            map.iter_mut().for_each(|(_, value)| drop_all(value));
        }
        Value::List(items) => items.make_mut().iter_mut().for_each(drop_all),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use lockstep_object::{from_json, to_json};

    use super::*;

    #[test]
    fn what_was_taken_can_be_put_back_also_where_properties_have_the_names_of_keywords() {
        let text = r#"{"properties":{"description":{"type":"string","description":"a"},"items":{"items":{"type":"string","description":"b"}},"plain":{"type":"string"}},"description":"c"}"#;
        let whole = from_json(text.as_bytes()).unwrap();
        let mut schema = whole.clone();
        let taken = take(schema.as_map_mut().unwrap());
        let bare = r#"{"properties":{"description":{"type":"string"},"items":{"items":{"type":"string"}},"plain":{"type":"string"}}}"#;
        assert_eq!(to_json(&schema), bare);
        put(&mut schema, &Value::Map(taken));
        assert_eq!(schema, whole);
    }
}
