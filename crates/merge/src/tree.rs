//! The order and equality of values that server-side apply uses: integers and floats compare as numbers.

use std::cmp::Ordering;

use lockstep_object::Value;

/// Orders values: numbers, strings, booleans, lists, maps, null.
pub(crate) fn order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::UInt(a), Value::UInt(b)) => a.cmp(b),
        (Value::Int(_) | Value::UInt(_) | Value::Float(_), Value::Int(_) | Value::UInt(_) | Value::Float(_)) => {
            let (a, b) = (a.as_f64().unwrap_or_default(), b.as_f64().unwrap_or_default());
            a.partial_cmp(&b).unwrap_or(Ordering::Equal)
        }
        (Value::Text(a), Value::Text(b)) => a.as_str().cmp(b.as_str()),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::List(a), Value::List(b)) => {
            let different = a.iter().zip(b.iter()).map(|(a, b)| order(a, b)).find(|found| found.is_ne());
            different.unwrap_or(a.len().cmp(&b.len()))
        }
        (Value::Map(a), Value::Map(b)) => {
            let sorted = |map: &lockstep_object::Map| {
                let mut entries: Vec<_> = map.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
                entries.sort_by(|(a, _), (b, _)| a.cmp(b));
                entries
            };
            let (a, b) = (sorted(a), sorted(b));
            let pairs = a.iter().zip(b.iter());
            let different =
                pairs.map(|((ka, va), (kb, vb))| ka.cmp(kb).then_with(|| order(va, vb))).find(|found| found.is_ne());
            different.unwrap_or(a.len().cmp(&b.len()))
        }
        _ => rank(a).cmp(&rank(b)),
    }
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Int(_) | Value::UInt(_) | Value::Float(_) => 0,
        Value::Text(_) => 1,
        Value::Bool(_) => 2,
        Value::List(_) => 3,
        Value::Map(_) => 4,
        Value::Null => 5,
    }
}

/// Tells whether two values are equal; `1` and `1.0` are.
pub(crate) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::List(a), Value::List(b)) => {
            a.shares(b) || (a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| equal(a, b)))
        }
        (Value::Map(a), Value::Map(b)) => {
            let same = |(key, value): (&lockstep_object::Key, &Value)| {
                b.value_of(key).is_some_and(|other| equal(value, other))
            };
            a.shares(b) || (a.len() == b.len() && a.iter().all(same))
        }
        (Value::Float(_), Value::Int(_) | Value::UInt(_)) | (Value::Int(_) | Value::UInt(_), Value::Float(_)) => {
            a.as_f64() == b.as_f64()
        }
        _ => a == b,
    }
}

/// Tells whether two lists or maps are the same memory; then they are equal.
pub(crate) fn shared(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::List(a), Value::List(b)) => a.shares(b),
        (Value::Map(a), Value::Map(b)) => a.shares(b),
        _ => false,
    }
}
