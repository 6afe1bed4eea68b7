//! Does a value conform to its type?

use std::collections::BTreeSet;

use lockstep_object::{List, Map, Value};
use lockstep_schema::{ListType, MapType, Relationship, Scalar, TypeRef, Types};

use super::{
    element::{Element, quoted},
    typed::{Form, Forms, Found, item_element, no_form, unknown_type},
};

pub(crate) fn value(value: &Value, of: &TypeRef, types: &Types, duplicates: bool, found: &mut Found) {
    let Some(resolved) = types.resolve(of) else { return found.add(unknown_type(of)) };
    if found.too_deep() {
        return;
    }
    match (Forms::of(&resolved, Some(value)).form(), value) {
        (None, _) => found.add(no_form(of)),
        (Some(_), Value::Null) => {}
        (Some(Form::Scalar(form)), value) => scalar(form, value, "", found),
        (Some(Form::List(form)), Value::List(items)) => list(form, items, types, duplicates, found),
        (Some(Form::Map(form)), Value::Map(map)) => fields(form, map, types, duplicates, found),
        (Some(Form::List(_)), other) => found.add(format!("expected list, got {}", go_words(other))),
        (Some(Form::Map(_)), other) => found.add(format!("expected map, got {}", go_words(other))),
    }
}

/// Checks a scalar; null is one of any kind.
pub(crate) fn scalar(form: Scalar, value: &Value, side: &str, found: &mut Found) {
    if let Some(message) = scalar_problem(form, Some(value)) {
        found.add(format!("{side}{message}"));
    }
}

/// Says why a value is not a scalar of this kind; an absent one is.
pub(crate) fn scalar_problem(form: Scalar, value: Option<&Value>) -> Option<String> {
    let value = value.filter(|value| !value.is_null())?;
    let fits = match form {
        Scalar::Numeric => matches!(value, Value::Int(_) | Value::UInt(_) | Value::Float(_)),
        Scalar::String => matches!(value, Value::Text(_)),
        Scalar::Boolean => matches!(value, Value::Bool(_)),
        Scalar::Untyped => !matches!(value, Value::List(_) | Value::Map(_)),
    };
    if fits {
        return None;
    }
    Some(match form {
        Scalar::Numeric => format!("expected numeric (int or float), got {}", go_type(value)),
        Scalar::String => format!("expected string, got &value.valueUnstructured{{Value:{}}}", go_source(value)),
        Scalar::Boolean => format!("expected boolean, got {}", go_words(value)),
        Scalar::Untyped => format!("expected any scalar, got {}", go_words(value)),
    })
}

fn list(form: &ListType, items: &List, types: &Types, duplicates: bool, found: &mut Found) {
    let mut observed = BTreeSet::new();
    for (place, item) in items.iter().enumerate() {
        let element = if form.relationship == Relationship::Atomic {
            Element::Index(i64::try_from(place).unwrap_or(i64::MAX))
        } else {
            match item_element(form, item, types) {
                // Without an element not even the errors below could be placed.
                Err(problem) => return found.add(format!("element {place}: {problem}")),
                Ok(element) => {
                    if !observed.insert(element.clone()) && !duplicates {
                        found.add(format!("duplicate entries for key {element}"));
                    }
                    element
                }
            }
        };
        found.at(&element, |found| value(item, &form.item, types, duplicates, found));
    }
}

fn fields(form: &MapType, map: &Map, types: &Types, duplicates: bool, found: &mut Found) {
    for (name, below) in map.iter() {
        let element = Element::Field(name.clone());
        match form.type_of(name) {
            Some(of) => found.at(&element, |found| value(below, of, types, duplicates, found)),
            None => return found.at(&element, |found| found.add("field not declared in schema")),
        }
    }
}

/// Names the Go type of a decoded value.
fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int64",
        Value::UInt(_) => "uint64",
        Value::Float(_) => "float64",
        Value::Text(_) => "string",
        Value::List(_) => "[]interface {}",
        Value::Map(_) => "map[string]interface {}",
    }
}

/// Prints a value as Go's `%#v` does: the library's error for a wrong string shows its own representation.
fn go_source(value: &Value) -> String {
    match value {
        Value::Null => "interface {}(nil)".into(),
        Value::Text(text) => quoted(text),
        Value::List(items) => {
            format!("[]interface {{}}{{{}}}", items.iter().map(go_source).collect::<Vec<_>>().join(", "))
        }
        Value::Map(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|(a, _), (b, _)| a.cmp(b));
            let parts: Vec<String> =
                entries.iter().map(|(key, value)| format!("{}:{}", quoted(key), go_source(value))).collect();
            format!("map[string]interface {{}}{{{}}}", parts.join(", "))
        }
        other => lockstep_object::to_json(other),
    }
}

/// Prints a value as Go's `%v` prints the library's wrapper around it.
fn go_words(value: &Value) -> String {
    format!("&{{{}}}", go_plain(value))
}

fn go_plain(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".into(),
        Value::Text(text) => text.to_string(),
        Value::List(items) => format!("[{}]", items.iter().map(go_plain).collect::<Vec<_>>().join(" ")),
        Value::Map(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|(a, _), (b, _)| a.cmp(b));
            let parts: Vec<String> = entries.iter().map(|(key, value)| format!("{key}:{}", go_plain(value))).collect();
            format!("map[{}]", parts.join(" "))
        }
        other => lockstep_object::to_json(other),
    }
}
