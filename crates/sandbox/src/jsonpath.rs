//! The simple JSON paths of printer columns and scale subresources: `.spec.a`, `['b.c']`, `[0]`, `[?(@.type=="Ready")]`.

use jiff::Timestamp;
use lockstep_object::{Object, Value, to_json};

use crate::moment::human;

#[derive(Debug, PartialEq)]
enum Step {
    Field(String),
    Index(i64),
    All,
    Filter(Vec<String>, String),
}

fn parse(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut rest = path.trim().trim_start_matches('{').trim_end_matches('}');
    while !rest.is_empty() {
        if let Some(tail) = rest.strip_prefix('[') {
            let Some(end) = closing(tail) else { break };
            steps.push(bracket(&tail[..end]));
            rest = &tail[end + 1..];
            continue;
        }
        rest = rest.strip_prefix('.').unwrap_or(rest);
        let (mut name, mut end, mut escaped) = (String::new(), rest.len(), false);
        for (place, c) in rest.char_indices() {
            match c {
                '\\' if !escaped => escaped = true,
                '.' | '[' if !escaped => {
                    end = place;
                    break;
                }
                c => {
                    escaped = false;
                    name.push(c);
                }
            }
        }
        rest = &rest[end..];
        match name.as_str() {
            "" => {}
            "*" => steps.push(Step::All),
            _ => steps.push(Step::Field(name)),
        }
        if end == 0 && !rest.starts_with('[') {
            break;
        }
    }
    steps
}

fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    for (place, c) in text.char_indices() {
        match (quote, c) {
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (None, ']') => return Some(place),
            _ => {}
        }
    }
    None
}

fn bracket(inner: &str) -> Step {
    let unquote = |text: &str| text.trim().trim_matches(['\'', '"']).to_owned();
    if inner == "*" {
        return Step::All;
    }
    if let Ok(index) = inner.parse() {
        return Step::Index(index);
    }
    if let Some(filter) = inner.strip_prefix("?(").and_then(|text| text.strip_suffix(')'))
        && let Some((path, value)) = filter.split_once("==")
    {
        let path = path.trim().trim_start_matches('@').split('.').filter(|part| !part.is_empty());
        return Step::Filter(path.map(str::to_owned).collect(), unquote(value));
    }
    Step::Field(unquote(inner))
}

/// Finds what a path points at.
pub(crate) fn find<'v>(value: &'v Value, path: &str) -> Vec<&'v Value> {
    let mut found = vec![value];
    for step in parse(path) {
        found = found
            .into_iter()
            .flat_map(|value| -> Vec<&Value> {
                match &step {
                    Step::Field(name) => value.get(name).into_iter().collect(),
                    Step::Index(index) => {
                        let items = value.as_list().map(|list| &**list).unwrap_or_default();
                        let place = if *index < 0 { items.len() as i64 + index } else { *index };
                        usize::try_from(place).ok().and_then(|place| items.get(place)).into_iter().collect()
                    }
                    Step::All => match value {
                        Value::List(items) => items.iter().collect(),
                        Value::Map(map) => map.values().collect(),
                        _ => Vec::new(),
                    },
                    Step::Filter(keys, wanted) => {
                        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
                        let items = value.as_list().map(|list| &**list).unwrap_or_default();
                        items
                            .iter()
                            .filter(|item| item.at(&keys).is_some_and(|found| print(found) == *wanted))
                            .collect()
                    }
                }
            })
            .collect();
    }
    found
}

fn print(value: &Value) -> String {
    match value {
        Value::Text(text) => text.to_string(),
        other => to_json(other),
    }
}

/// Makes a cell of a custom resource's column.
pub(crate) fn cell(item: &Value, path: &str, kind: &str, now: Timestamp) -> Value {
    let found = find(item, path);
    let Some(first) = found.first().filter(|value| !value.is_null()) else {
        return if kind == "date" && path == ".metadata.creationTimestamp" { "<unknown>".into() } else { Value::Null };
    };
    match (kind, first) {
        ("integer", Value::Int(_)) | ("number", Value::Int(_) | Value::Float(_)) | ("boolean", Value::Bool(_)) => {
            (*first).clone()
        }
        ("integer", Value::Float(number)) => (number.trunc() as i64).into(),
        ("integer" | "number" | "boolean", _) => Value::Null,
        ("date", Value::Text(text)) => match text.parse::<Timestamp>() {
            Ok(then) => human(now.as_second() - then.as_second()).into(),
            Err(_) => "<invalid>".into(),
        },
        ("date", _) => "<invalid>".into(),
        // Of several results the server shows the first.
        _ => print(first).into(),
    }
}

/// Reads an integer at a path.
pub(crate) fn integer(object: &Object, path: &str) -> Option<i64> {
    find(&object.to_value(), path).first().and_then(|value| value.as_i64())
}

/// Reads a string at a path.
pub(crate) fn text(object: &Object, path: &str) -> String {
    find(&object.to_value(), path).first().and_then(|value| value.as_str()).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expect: &str) {
        let text = br#"{"spec":{"a":1,"b.c":"x","l":[{"type":"Ready","status":"True"},{"type":"B"}]}}"#;
        let value = lockstep_object::from_json(text).unwrap();
        let found: Vec<String> = find(&value, path).into_iter().map(print).collect();
        assert_eq!(found.join(" "), expect, "{path}");
    }

    #[test]
    fn simple_paths_are_followed() {
        check(".spec.a", "1");
        check(".spec['b.c']", "x");
        check(r".spec.b\.c", "x");
        check(".spec.l[1].type", "B");
        check(".spec.l[*].type", "Ready B");
        check(r#".spec.l[?(@.type=="Ready")].status"#, "True");
        check(".spec.nope.a", "");
    }
}
