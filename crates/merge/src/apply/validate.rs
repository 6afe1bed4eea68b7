//! Does a value conform to its type?

use std::collections::BTreeSet;

use lockstep_object::{List, Map, Value};
use lockstep_schema::{ListType, MapType, Relationship, Scalar, TypeRef, Types};

use crate::words;

use super::{
    element::Element,
    typed::{Form, Forms, Found, is_plain_scalar, item_element, no_form, unknown_type},
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
        (Some(Form::List(_)), other) => found.add(format!("expected list, got &{{{}}}", words::plain(other))),
        (Some(Form::Map(_)), other) => found.add(format!("expected map, got &{{{}}}", words::plain(other))),
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
        Scalar::Numeric => format!("expected numeric (int or float), got {}", words::type_name(value)),
        Scalar::String => format!("expected string, got &value.valueUnstructured{{Value:{}}}", words::source(value)),
        Scalar::Boolean => format!("expected boolean, got &{{{}}}", words::plain(value)),
        Scalar::Untyped => format!("expected any scalar, got &{{{}}}", words::plain(value)),
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
        found.at(element, |found| value(item, &form.item, types, duplicates, found));
    }
}

fn fields(form: &MapType, map: &Map, types: &Types, duplicates: bool, found: &mut Found) {
    for (name, below) in map.iter() {
        let element = || Element::Field(name.clone());
        match form.type_of(name) {
            Some(of) if is_plain_scalar(of, below) => {}
            Some(of) => found.at(element(), |found| value(below, of, types, duplicates, found)),
            None => return found.at(element(), |found| found.add("field not declared in schema")),
        }
    }
}
