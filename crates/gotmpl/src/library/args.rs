//! The arguments of a function, which the evaluator has checked against its signature.

use crate::value::{List, Map, Str, Value};

// The signature makes these hold; a caller that breaks it gets zero values.

pub(super) fn value(args: &[Value], i: usize) -> Value {
    args.get(i).cloned().unwrap_or(Value::Nil)
}

pub(super) fn text(args: &[Value], i: usize) -> Str {
    args.get(i).and_then(Value::as_str).cloned().unwrap_or_default()
}

pub(super) fn int(args: &[Value], i: usize) -> i64 {
    args.get(i).and_then(crate::convert::as_int).unwrap_or_default()
}

pub(super) fn float(args: &[Value], i: usize) -> f64 {
    match args.get(i) {
        Some(Value::Float(f)) => *f,
        _ => 0.0,
    }
}

pub(super) fn boolean(args: &[Value], i: usize) -> bool {
    matches!(args.get(i), Some(Value::Bool(true)))
}

pub(super) fn map(args: &[Value], i: usize) -> Map {
    args.get(i).and_then(Value::as_map).cloned().unwrap_or_else(|| Map::nil(crate::types::Type::Any))
}

pub(super) fn list(args: &[Value], i: usize) -> List {
    args.get(i).and_then(Value::as_list).cloned().unwrap_or_else(|| List::nil(crate::types::Type::Any))
}
