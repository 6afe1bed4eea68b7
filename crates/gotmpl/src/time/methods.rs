//! The methods of `time.Time` and `time.Duration` that templates may call.

use std::rc::Rc;

use super::{DAYS, Duration, MONTHS, Time, ZERO_SECONDS};
use crate::{error::FuncError, functions::Signature, types::Type, value::Value};

/// Gives the parameters of a method.
pub(crate) fn method(value: &Value, name: &str) -> Option<Signature> {
    let params: &[Type] = match (value, name) {
        (Value::Time(_), "Format") => &[Type::Str],
        (Value::Time(_), "Add" | "Truncate" | "Round") => &[Type::Duration],
        (Value::Time(_), "AddDate") => &[Type::Int, Type::Int, Type::Int],
        (Value::Time(_), "Sub" | "After" | "Before" | "Equal" | "Compare") => &[Type::Time],
        (Value::Time(_), name) if TIME_METHODS.contains(&name) => &[],
        (Value::Duration(_), "Round" | "Truncate") => &[Type::Duration],
        (Value::Duration(_), name) if DURATION_METHODS.contains(&name) => &[],
        _ => return None,
    };
    Some(Signature::new(params))
}

const TIME_METHODS: [&str; 16] = [
    "Unix",
    "UnixMilli",
    "UnixMicro",
    "UnixNano",
    "Year",
    "Month",
    "Day",
    "Hour",
    "Minute",
    "Second",
    "Nanosecond",
    "YearDay",
    "Weekday",
    "String",
    "UTC",
    "IsZero",
];
const DURATION_METHODS: [&str; 8] =
    ["Hours", "Minutes", "Seconds", "Milliseconds", "Microseconds", "Nanoseconds", "String", "Abs"];

/// Runs a method.
pub(crate) fn call_method(value: &Value, name: &str, args: &[Value]) -> Result<Value, FuncError> {
    match value {
        Value::Time(time) => Ok(time_method(time, name, args)),
        Value::Duration(span) => Ok(duration_method(*span, name, args)),
        _ => Err(format!("no method {name}").into()),
    }
}

fn time_method(time: &Time, name: &str, args: &[Value]) -> Value {
    let civil = time.civil();
    let other = match args.first() {
        Some(Value::Time(other)) => other.as_ref().clone(),
        _ => Time::zero(),
    };
    let span = match args.first() {
        Some(Value::Duration(span)) => *span,
        _ => Duration(0),
    };
    let order = (time.seconds, time.nanos).cmp(&(other.seconds, other.nanos));
    let nanos = i64::from(time.nanos);
    match name {
        "Format" => {
            time.format(&args.first().and_then(Value::as_str).map_or_else(String::new, ToString::to_string)).into()
        }
        "Add" => Value::Time(Rc::new(time.add(span))),
        "AddDate" => Value::Time(Rc::new(add_date(time, args))),
        "Truncate" | "Round" => {
            let since = time.since(&Time::zero());
            let cut = if name == "Round" { since.round(span) } else { since.truncate(span) };
            Value::Time(Rc::new(time.add(Duration(cut.0.wrapping_sub(since.0)))))
        }
        "Sub" => Value::Duration(time.since(&other)),
        "After" => Value::Bool(order.is_gt()),
        "Before" => Value::Bool(order.is_lt()),
        "Equal" => Value::Bool(order.is_eq()),
        "Compare" => Value::Int(order as i64),
        "Unix" => Value::Int64(time.seconds),
        "UnixMilli" => Value::Int64(time.seconds.wrapping_mul(1_000).wrapping_add(nanos / 1_000_000)),
        "UnixMicro" => Value::Int64(time.seconds.wrapping_mul(1_000_000).wrapping_add(nanos / 1_000)),
        "UnixNano" => Value::Int64(time.seconds.wrapping_mul(1_000_000_000).wrapping_add(nanos)),
        "Year" => Value::Int(civil.year),
        "Month" => MONTHS[civil.month as usize - 1].into(),
        "Day" => Value::Int(civil.day),
        "Hour" => Value::Int(civil.hour),
        "Minute" => Value::Int(civil.minute),
        "Second" => Value::Int(civil.second),
        "Nanosecond" => Value::Int(nanos),
        "YearDay" => Value::Int(civil.year_day),
        "Weekday" => DAYS[civil.weekday as usize].into(),
        "IsZero" => Value::Bool(time.seconds == ZERO_SECONDS && time.nanos == 0),
        "UTC" => Value::Time(Rc::new(Time::from_unix(time.seconds, time.nanos))),
        _ => time.to_string().into(),
    }
}

fn add_date(time: &Time, args: &[Value]) -> Time {
    let part = |i: usize| match args.get(i) {
        Some(Value::Int(n)) => (*n).clamp(-4_000_000, 4_000_000),
        _ => 0,
    };
    let civil = time.civil();
    let months = civil.month - 1 + part(1);
    let year = civil.year + part(0) + months.div_euclid(12);
    let days = super::days_from_civil(year, months.rem_euclid(12) + 1, 1) + civil.day - 1 + part(2);
    let clock = civil.hour * 3600 + civil.minute * 60 + civil.second;
    Time { seconds: days * super::DAY + clock - i64::from(time.offset), ..time.clone() }
}

fn duration_method(span: Duration, name: &str, args: &[Value]) -> Value {
    let other = match args.first() {
        Some(Value::Duration(other)) => *other,
        _ => Duration(0),
    };
    match name {
        "Hours" => Value::Float(span.in_units(3_600_000_000_000)),
        "Minutes" => Value::Float(span.in_units(60_000_000_000)),
        "Seconds" => Value::Float(span.in_units(1_000_000_000)),
        "Milliseconds" => Value::Int64(span.0 / 1_000_000),
        "Microseconds" => Value::Int64(span.0 / 1_000),
        "Nanoseconds" => Value::Int64(span.0),
        "Round" => Value::Duration(span.round(other)),
        "Truncate" => Value::Duration(span.truncate(other)),
        "Abs" => Value::Duration(Duration(span.0.saturating_abs())),
        _ => span.to_string().into(),
    }
}
