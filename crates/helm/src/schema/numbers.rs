//! Numbers as the messages show them.

use lockstep_object::Value;

/// Prints an integer with commas between thousands, as Go's message printer does in English.
pub(super) fn count(number: usize) -> String {
    group(&number.to_string())
}

/// Prints a number with commas between thousands.
pub(super) fn grouped(number: f64) -> String {
    let text = format!("{number}");
    match text.split_once('.') {
        Some((whole, fraction)) => format!("{}.{fraction}", group(whole)),
        None => group(&text),
    }
}

fn group(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |digits| ("-", digits));
    let mut out = String::from(sign);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Prints a scalar as Go's `%v`; strings in single quotes.
pub(super) fn display(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".into(),
        Value::Text(text) => super::failure::quote(text),
        Value::Bool(truth) => truth.to_string(),
        Value::Int(number) => number.to_string(),
        Value::UInt(number) => number.to_string(),
        Value::Float(number) => lockstep_gotmpl::print::sprint(&[lockstep_gotmpl::Value::Float(*number)]).to_string(),
        Value::List(_) | Value::Map(_) => "value".into(),
    }
}

/// Tells whether two JSON values are equal: numbers by value, maps without order.
pub(super) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| equal(a, b)),
        (Value::Map(a), Value::Map(b)) => {
            a.len() == b.len() && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| equal(value, other)))
        }
        _ => match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => a == b,
            _ => a == b,
        },
    }
}
