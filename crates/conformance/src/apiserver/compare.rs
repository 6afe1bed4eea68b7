//! JSON pointers, and how two answers differ.

use serde_json::Value;

/// Returns what a JSON pointer names; a negative index counts from the end of a list.
pub fn pointer<'a>(document: &'a Value, pointer: &str) -> Option<&'a Value> {
    pointer.trim_matches('/').split('/').try_fold(document, |value, part| match value {
        Value::Array(list) => {
            let index: isize = part.parse().ok()?;
            let size = isize::try_from(list.len()).ok()?;
            list.get(usize::try_from(if index < 0 { index + size } else { index }).ok()?)
        }
        Value::Object(map) => map.get(&part.replace("~1", "/").replace("~0", "~")),
        _ => None,
    })
}

/// Returns what a JSON pointer names, or null.
pub fn at(document: &Value, place: &str) -> Value {
    pointer(document, place).cloned().unwrap_or_default()
}

/// Tells whether two leaves are the same; `1` and `1.0` are.
pub fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        _ => left == right,
    }
}

/// Lists where two values differ, as pointer, wanted and got.
pub fn differences(want: &Value, got: &Value, path: &str, out: &mut Vec<String>) {
    match (want, got) {
        (Value::Object(a), Value::Object(b)) => {
            let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                let path = format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
                match (a.get(key), b.get(key)) {
                    (Some(a), Some(b)) => differences(a, b, &path, out),
                    (a, b) => out.push(difference(&path, a, b)),
                }
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            if a.len() != b.len() {
                out.push(format!("    {path}\n      want {} elements\n      got  {} elements", a.len(), b.len()));
            }
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                differences(a, b, &format!("{path}/{index}"), out);
            }
        }
        _ if same(want, got) => {}
        _ => out.push(difference(path, Some(want), Some(got))),
    }
}

fn difference(path: &str, want: Option<&Value>, got: Option<&Value>) -> String {
    format!("    {path}\n      want {}\n      got  {}", cut(want), cut(got))
}

fn cut(value: Option<&Value>) -> String {
    let text = match value {
        None => return "(absent)".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    match text.char_indices().nth(1000) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
