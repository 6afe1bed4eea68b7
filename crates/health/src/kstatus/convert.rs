//! Reads fields as the library does, with its refusals.

use lockstep_object::{Object, Value};

use super::Error;

/// The conditions of an object's status.
pub struct Conditions<'a>(Vec<Basic<'a>>);

/// What the library reads of a condition.
pub struct Basic<'a> {
    pub kind: &'a str,
    pub status: &'a str,
    pub reason: &'a str,
    pub message: &'a str,
}

impl<'a> Conditions<'a> {
    /// Reads the conditions; missing ones are none, ones of a wrong shape are refused.
    pub fn of(object: &'a Object) -> Result<Self, Error> {
        let Some(status) = object.root().get("status").filter(|status| !status.is_null()) else {
            return Ok(Self(Vec::new()));
        };
        let status = status.as_map().ok_or_else(|| no_struct(status))?;
        let Some(list) = status.get("conditions").filter(|list| !list.is_null()) else {
            return Ok(Self(Vec::new()));
        };
        let items = list.as_list().ok_or_else(|| Error(format!("cannot restore slice from {}", kind_of(list))))?;
        items.iter().map(Basic::of).collect::<Result<_, _>>().map(Self)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Basic<'a>> {
        self.0.iter()
    }
}

impl<'a> Basic<'a> {
    fn of(item: &'a Value) -> Result<Self, Error> {
        if item.is_null() {
            return Ok(Self { kind: "", status: "", reason: "", message: "" });
        }
        if item.as_map().is_none() {
            return Err(no_struct(item));
        }
        Ok(Self {
            kind: text_of(item, "type", "string")?,
            status: text_of(item, "status", "v1.ConditionStatus")?,
            reason: text_of(item, "reason", "string")?,
            message: text_of(item, "message", "string")?,
        })
    }
}

fn no_struct(value: &Value) -> Error {
    Error(format!("cannot restore struct from: {}", kind_of(value)))
}

fn text_of<'a>(item: &'a Value, key: &str, wanted: &str) -> Result<&'a str, Error> {
    match item.get(key) {
        None | Some(Value::Null) => Ok(""),
        Some(Value::Text(text)) => Ok(text),
        // Go converts an integer to a string as a character, so the library words this one differently.
        Some(Value::Int(_) | Value::UInt(_)) => Err(Error(format!("cannot convert int64 to {wanted}"))),
        Some(_) => Err(Error("unrecognized type: string".to_owned())),
    }
}

/// Names a value's kind as Go's reflection does.
fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "invalid",
        Value::Bool(_) => "bool",
        Value::Int(_) | Value::UInt(_) => "int64",
        Value::Float(_) => "float64",
        Value::Text(_) => "string",
        Value::List(_) => "slice",
        Value::Map(_) => "map",
    }
}

/// Names a value's type as Go prints it.
fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::List(_) => "[]interface {}",
        Value::Map(_) => "map[string]interface {}",
        other => kind_of(other),
    }
}

/// Prints a value as Go's `%v` does.
fn show(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Text(text) => text.to_string(),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(show).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Map(map) => {
            let mut entries: Vec<String> = map.iter().map(|(key, value)| format!("{key}:{}", show(value))).collect();
            entries.sort();
            format!("map[{}]", entries.join(" "))
        }
        other => lockstep_object::to_json(other),
    }
}

/// Follows two keys; a parent that is no map is refused.
fn find<'a>(object: &'a Object, [first, second]: [&str; 2]) -> Result<Option<&'a Value>, Error> {
    match object.root().get(first) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Map(map)) => Ok(map.get(second)),
        Some(other) => Err(refused(&format!(".{first}.{second}"), other, "map[string]interface{}")),
    }
}

fn refused(path: &str, value: &Value, wanted: &str) -> Error {
    Error(format!("{path} accessor error: {} is of the type {}, expected {wanted}", show(value), type_of(value)))
}

fn looking_up(keys: [&str; 2], error: Error) -> Error {
    Error(format!("looking up {}.{} from resource: {error}", keys[0], keys[1]))
}

/// Reads an integer; anything else that is there is refused.
pub fn integer_at(object: &Object, keys: [&str; 2]) -> Result<Option<i64>, Error> {
    let found = find(object, keys).map_err(|error| looking_up(keys, error))?;
    match found {
        None => Ok(None),
        Some(Value::Int(number)) => Ok(Some(*number)),
        Some(other) => Err(looking_up(keys, refused(&format!(".{}.{}", keys[0], keys[1]), other, "int64"))),
    }
}

/// Reads a text; anything else that is there is refused.
pub fn text_at<'a>(object: &'a Object, keys: [&str; 2]) -> Result<Option<&'a str>, Error> {
    let found = find(object, keys).map_err(|error| looking_up(keys, error))?;
    match found {
        None => Ok(None),
        Some(Value::Text(text)) => Ok(Some(text)),
        Some(other) => Err(looking_up(keys, refused(&format!(".{}.{}", keys[0], keys[1]), other, "string"))),
    }
}

/// Reads a list; anything else that is there is refused.
pub fn list_at<'a>(object: &'a Object, keys: [&str; 2]) -> Result<&'a [Value], Error> {
    match find(object, keys)? {
        None => Ok(&[]),
        Some(Value::List(items)) => Ok(items),
        Some(other) => Err(refused(&format!(".{}.{}", keys[0], keys[1]), other, "[]interface{}")),
    }
}

/// Reads an integer, or `default` where there is none.
pub fn number(object: &Object, keys: &[&str], default: i64) -> i64 {
    object.at(keys).and_then(Value::as_i64).unwrap_or(default)
}

/// Reads a text, or `default` where there is none.
pub fn text<'a>(object: &'a Object, keys: &[&str], default: &'a str) -> &'a str {
    object.at(keys).and_then(Value::as_str).unwrap_or(default)
}
