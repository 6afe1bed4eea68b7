//! Values in words, as Go's `%v`, `%q` and `%#v` print them in the libraries' errors.

pub(crate) use lockstep_object::go::quoted;
use lockstep_object::{Key, Map, Value, go::float};

/// Prints as `%v` does: `map[a:1 b:[x y]]`.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".into(),
        Value::Text(text) => text.to_string(),
        Value::Float(number) => float(*number),
        Value::List(items) => format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(" ")),
        Value::Map(map) => plain_map(map),
        other => lockstep_object::to_json(other),
    }
}

/// Prints a map as `%v` does, sorted by key.
pub(crate) fn plain_map(map: &Map) -> String {
    let parts: Vec<String> = sorted(map).iter().map(|(key, value)| format!("{key}:{}", plain(value))).collect();
    format!("map[{}]", parts.join(" "))
}

/// Prints as `%#v` does.
pub(crate) fn source(value: &Value) -> String {
    match value {
        Value::Null => "interface {}(nil)".into(),
        Value::Text(text) => quoted(text),
        Value::Float(number) => float(*number),
        Value::List(items) => {
            format!("[]interface {{}}{{{}}}", items.iter().map(source).collect::<Vec<_>>().join(", "))
        }
        Value::Map(map) => {
            let parts: Vec<String> =
                sorted(map).iter().map(|(key, value)| format!("{}:{}", quoted(key), source(value))).collect();
            format!("map[string]interface {{}}{{{}}}", parts.join(", "))
        }
        other => lockstep_object::to_json(other),
    }
}

/// Names the Go type of a decoded value.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int64",
        Value::UInt(_) | Value::Float(_) => "float64",
        Value::Text(_) => "string",
        Value::List(_) => "[]interface {}",
        Value::Map(_) => "map[string]interface {}",
    }
}

fn sorted(map: &Map) -> Vec<(&Key, &Value)> {
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_by_key(|(key, _)| *key);
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use lockstep_object::from_json;

    #[test]
    fn values_print_as_go_prints_them() {
        let value = from_json(br#"{"b":[1,"x",1.5,null],"a":{"c":true}}"#).unwrap();
        assert_eq!(plain(&value), "map[a:map[c:true] b:[1 x 1.5 <nil>]]");
        assert_eq!(plain(&Value::Float(1e21)), "1e+21");
        assert_eq!(quoted("a\"\u{1}\n"), r#""a\"\x01\n""#);
        assert_eq!(source(&Value::from("x")), "\"x\"");
    }
}
