//! Conversions between values: Go's reflection and the `cast` library that sprig uses.

use crate::{
    context::Context,
    error::FuncError,
    fmt::sprint,
    number::{parse_float, parse_int},
    value::{Str, Value},
};

/// Gives the number of any integer kind.
pub(crate) fn as_int(value: &Value) -> Option<i64> {
    match value {
        Value::Int(n) | Value::Int64(n) => Some(*n),
        Value::Int32(n) => Some(i64::from(*n)),
        Value::Uint8(n) => Some(i64::from(*n)),
        Value::Uint64(n) => Some(*n as i64),
        Value::Duration(d) => Some(d.0),
        _ => None,
    }
}

/// `cast.ToInt64`: strings in Go's syntax (`010` is 8), floats cut, anything else 0.
pub(crate) fn to_int64(value: &Value) -> i64 {
    match value {
        Value::Float(f) => float_to_int(*f),
        Value::Bool(b) => i64::from(*b),
        Value::Str(text) => text.as_str().map_or(0, |text| parse_int(trim_zero_decimal(text), 0).unwrap_or(0)),
        Value::Duration(_) => 0,
        value => as_int(value).unwrap_or(0),
    }
}

/// Converts as Go on amd64: what does not fit is the least integer.
pub(crate) fn float_to_int(f: f64) -> i64 {
    if f.is_nan() || !(-9.223_372_036_854_776e18..9.223_372_036_854_776e18).contains(&f) { i64::MIN } else { f as i64 }
}

/// Cuts `.000` from the end.
fn trim_zero_decimal(text: &str) -> &str {
    let trimmed = text.trim_end_matches('0');
    match trimmed.strip_suffix('.') {
        Some(whole) if trimmed.len() < text.len() => whole,
        _ => text,
    }
}

/// `cast.ToFloat64`.
pub(crate) fn to_float64(value: &Value) -> f64 {
    match value {
        Value::Float(f) => *f,
        Value::Uint64(n) => *n as f64,
        Value::Bool(b) => f64::from(u8::from(*b)),
        Value::Str(text) => text.as_str().map_or(0.0, |text| parse_float(text).unwrap_or(0.0)),
        Value::Duration(_) => 0.0,
        value => as_int(value).unwrap_or(0) as f64,
    }
}

/// sprig's `strval`: the text of a value.
pub(crate) fn strval(value: &Value) -> Str {
    match value {
        Value::Str(text) => text.clone(),
        Value::Bytes(bytes) => Str::from(&**bytes),
        Value::Nil | Value::Invalid => "<nil>".into(),
        value => sprint(std::slice::from_ref(value)),
    }
}

/// Gives the elements of any slice; none for another kind.
pub(crate) fn elements(value: &Value) -> Option<Vec<Value>> {
    match value {
        Value::List(list) => Some(list.items().to_vec()),
        Value::Bytes(bytes) => Some(bytes.iter().map(|b| Value::Uint8(*b)).collect()),
        Value::Native(object) if object.kind() == crate::types::Kind::Slice => {
            object.entries().map(|entries| entries.into_iter().map(|(_, item)| item).collect())
        }
        _ => None,
    }
}

/// sprig's `strslice`: a list of texts without nil.
pub(crate) fn strslice(value: &Value) -> Vec<Str> {
    match elements(value) {
        Some(items) => items.iter().filter(|item| !item.is_nil()).map(strval).collect(),
        None if value.is_nil() => Vec::new(),
        None => vec![strval(value)],
    }
}

/// `reflect.DeepEqual`.
pub(crate) fn deep_equal(context: &mut Context, a: &Value, b: &Value) -> Result<bool, FuncError> {
    let mut steps = 0;
    let equal = equal_within(a, b, 0, &mut steps);
    context.charge(steps / 4 + 1)?;
    Ok(equal)
}

/// Nesting that is compared: maps may contain themselves.
const MAX_DEPTH: usize = 2_000;
/// Pairs that one call compares.
const MAX_STEPS: u64 = 1 << 24;

fn equal_within(a: &Value, b: &Value, depth: usize, steps: &mut u64) -> bool {
    *steps += 1;
    if depth > MAX_DEPTH || *steps > MAX_STEPS {
        return true;
    }
    match (a, b) {
        (Value::Nil | Value::Invalid, Value::Nil | Value::Invalid) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a), Value::Int(b)) | (Value::Int64(a), Value::Int64(b)) => a == b,
        (Value::Int32(a), Value::Int32(b)) => a == b,
        (Value::Uint8(a), Value::Uint8(b)) => a == b,
        (Value::Uint64(a), Value::Uint64(b)) => a == b,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Complex(a, b), Value::Complex(c, d)) => a == c && b == d,
        (Value::Str(a), Value::Str(b)) => a == b,
        (Value::Bytes(a), Value::Bytes(b)) => a == b,
        (Value::Time(a), Value::Time(b)) => a == b,
        (Value::Duration(a), Value::Duration(b)) => a == b,
        (Value::List(a), Value::List(b)) => {
            a.element() == b.element()
                && a.is_nil() == b.is_nil()
                && a.len() == b.len()
                && a.items()
                    .iter()
                    .zip(b.items())
                    .all(|(a, b)| crate::stack::deep(|| equal_within(a, b, depth + 1, steps)))
        }
        (Value::Map(a), Value::Map(b)) => {
            a.same(b)
                || a.type_name() == b.type_name()
                    && a.is_nil() == b.is_nil()
                    && a.len() == b.len()
                    && a.each(|key, value| match b.get(key) {
                        Some(other) if crate::stack::deep(|| equal_within(value, &other, depth + 1, steps)) => Ok(()),
                        _ => Err(()),
                    })
                    .is_ok()
        }
        (Value::Native(a), Value::Native(b)) => {
            std::rc::Rc::ptr_eq(a, b)
                || a.type_name() == b.type_name() && {
                    let (a, b) = (a.fields(), b.fields());
                    a.len() == b.len()
                        && !a.is_empty()
                        && a.iter().zip(&b).all(|(a, b)| a.0 == b.0 && equal_within(&a.1, &b.1, depth + 1, steps))
                }
        }
        _ => false,
    }
}
