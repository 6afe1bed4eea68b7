//! Arithmetic: 64-bit integers that wrap, floats through exact decimals.

mod decimal;

use decimal::Decimal;

use super::{Result, add, add_variadic, args};
use crate::{
    context::Context,
    convert::{to_float64, to_int64},
    fmt::sprint,
    functions::Functions,
    number::parse_int,
    types::Type,
    value::{List, Value},
};

const A: Type = Type::Any;
const I: Type = Type::Int;

pub(super) fn register(f: &mut Functions) {
    integers(f);
    floats(f);
    sequences(f);
}

fn integers(f: &mut Functions) {
    add(f, &["atoi"], &[Type::Str], |_, a| Ok(Value::Int(args::text(a, 0).as_str().map_or(0, atoi))));
    add(f, &["int64"], &[A], |_, a| Ok(Value::Int64(to_int64(&a[0]))));
    add(f, &["int"], &[A], |_, a| Ok(Value::Int(to_int64(&a[0]))));
    add(f, &["float64"], &[A], |_, a| Ok(Value::Float(to_float64(&a[0]))));
    add(f, &["toDecimal"], &[A], |_, a| {
        let text = sprint(std::slice::from_ref(&a[0]));
        Ok(Value::Int64(text.as_str().and_then(|text| parse_int(text, 8).ok()).unwrap_or(0)))
    });
    add(f, &["add1"], &[A], |_, a| Ok(Value::Int64(to_int64(&a[0]).wrapping_add(1))));
    add_variadic(f, &["add"], &[], A, |_, a| Ok(Value::Int64(a.iter().map(to_int64).fold(0, i64::wrapping_add))));
    add(f, &["sub"], &[A, A], |_, a| Ok(Value::Int64(to_int64(&a[0]).wrapping_sub(to_int64(&a[1])))));
    add(f, &["div"], &[A, A], |_, a| match to_int64(&a[1]) {
        0 => Err("runtime error: integer divide by zero".into()),
        by => Ok(Value::Int64(to_int64(&a[0]).wrapping_div(by))),
    });
    add(f, &["mod"], &[A, A], |_, a| match to_int64(&a[1]) {
        0 => Err("runtime error: integer divide by zero".into()),
        by => Ok(Value::Int64(to_int64(&a[0]).wrapping_rem(by))),
    });
    add_variadic(f, &["mul"], &[A], A, |_, a| Ok(Value::Int64(a.iter().map(to_int64).fold(1, i64::wrapping_mul))));
    add_variadic(f, &["max", "biggest"], &[A], A, |_, a| Ok(Value::Int64(a.iter().map(to_int64).max().unwrap_or(0))));
    add_variadic(f, &["min"], &[A], A, |_, a| Ok(Value::Int64(a.iter().map(to_int64).min().unwrap_or(0))));
    add(f, &["randInt"], &[I, I], |c, a| {
        c.warn("randInt");
        let (low, high) = (args::int(a, 0), args::int(a, 1));
        match high.checked_sub(low).and_then(|span| u64::try_from(span).ok()).filter(|span| *span > 0) {
            Some(span) => Ok(Value::Int(low + (c.random() % span) as i64)),
            None => Err("invalid argument to Intn".into()),
        }
    });
}

/// `strconv.Atoi`, whose error still carries the nearest value for numbers out of range.
fn atoi(text: &str) -> i64 {
    match parse_int(text, 10) {
        Ok(n) => n,
        Err(crate::number::NumError::Range) if text.starts_with('-') => i64::MIN,
        Err(crate::number::NumError::Range) => i64::MAX,
        Err(crate::number::NumError::Syntax) => 0,
    }
}

fn floats(f: &mut Functions) {
    add(f, &["add1f"], &[A], |_, a| exact(&a[0], &[Value::Int(1)], |x, y| Ok(x.add(y))));
    add_variadic(f, &["addf"], &[], A, |_, a| exact(&Value::Float(0.0), a, |x, y| Ok(x.add(y))));
    add_variadic(f, &["subf"], &[A], A, |_, a| exact(&a[0], &a[1..], |x, y| Ok(x.sub(y))));
    add_variadic(f, &["mulf"], &[A], A, |_, a| exact(&a[0], &a[1..], |x, y| Ok(x.mul(y))));
    add_variadic(f, &["divf"], &[A], A, |_, a| exact(&a[0], &a[1..], Decimal::div));
    add_variadic(f, &["maxf"], &[A], A, |_, a| Ok(Value::Float(fold(a, go_max))));
    add_variadic(f, &["minf"], &[A], A, |_, a| Ok(Value::Float(fold(a, go_min))));
    add(f, &["floor"], &[A], |_, a| Ok(Value::Float(to_float64(&a[0]).floor())));
    add(f, &["ceil"], &[A], |_, a| Ok(Value::Float(to_float64(&a[0]).ceil())));
    add_variadic(f, &["round"], &[A, I], Type::Float64, |_, a| {
        let on = if a.len() > 2 { args::float(a, 2) } else { 0.5 };
        Ok(Value::Float(round(to_float64(&a[0]), args::int(a, 1), on)))
    });
}

fn exact(first: &Value, rest: &[Value], op: impl Fn(&Decimal, &Decimal) -> Result<Decimal>) -> Result {
    let mut total = Decimal::from_float(to_float64(first))?;
    for value in rest {
        total = op(&total, &Decimal::from_float(to_float64(value))?)?;
    }
    Ok(Value::Float(total.to_float()))
}

fn fold(a: &[Value], pick: fn(f64, f64) -> f64) -> f64 {
    a.iter().skip(1).map(to_float64).fold(a.first().map_or(0.0, to_float64), pick)
}

/// `math.Max`: NaN wins unless there is an infinity; 0 is above -0.
fn go_max(a: f64, b: f64) -> f64 {
    match () {
        () if a == f64::INFINITY || b == f64::INFINITY => f64::INFINITY,
        () if a.is_nan() || b.is_nan() => f64::NAN,
        () if a == 0.0 && b == 0.0 => {
            if a.is_sign_negative() {
                b
            } else {
                a
            }
        }
        () => a.max(b),
    }
}

fn go_min(a: f64, b: f64) -> f64 {
    match () {
        () if a == f64::NEG_INFINITY || b == f64::NEG_INFINITY => f64::NEG_INFINITY,
        () if a.is_nan() || b.is_nan() => f64::NAN,
        () if a == 0.0 && b == 0.0 => {
            if a.is_sign_negative() {
                a
            } else {
                b
            }
        }
        () => a.min(b),
    }
}

fn round(value: f64, places: i64, on: f64) -> f64 {
    let power = 10f64.powi(places.clamp(-400, 400) as i32);
    let digit = power * value;
    let rounded = if digit.fract() >= on { digit.ceil() } else { digit.floor() };
    rounded / power
}

fn sequences(f: &mut Functions) {
    add(f, &["until"], &[I], |c, a| {
        let count = args::int(a, 0);
        until_step(c, 0, count, if count < 0 { -1 } else { 1 }).map(int_list)
    });
    add(f, &["untilStep"], &[I, I, I], |c, a| {
        until_step(c, args::int(a, 0), args::int(a, 1), args::int(a, 2)).map(int_list)
    });
    add_variadic(f, &["seq"], &[], I, seq);
}

fn int_list(items: Vec<i64>) -> Value {
    Value::List(List::new(I, items.into_iter().map(Value::Int).collect()))
}

fn until_step(context: &mut Context, start: i64, stop: i64, step: i64) -> Result<Vec<i64>> {
    let up = stop >= start;
    if (up && step <= 0) || (!up && step >= 0) {
        return Ok(Vec::new());
    }
    let span = stop.abs_diff(start);
    let count = span.div_ceil(step.unsigned_abs());
    context.charge(count)?;
    context.charge_bytes(usize::try_from(count).unwrap_or(usize::MAX).saturating_mul(8))?;
    Ok((0..count as i64).map(|i| start + i * step).collect())
}

fn seq(context: &mut Context, a: &[Value]) -> Result {
    let n = |i: usize| args::int(a, i);
    let (start, step, end) = match a.len() {
        1 => (1, None, n(0)),
        2 => (n(0), None, n(1)),
        3 => (n(0), Some(n(1)), n(2)),
        _ => return Ok("".into()),
    };
    let direction = if end < start { -1 } else { 1 };
    if direction < 0 && step.is_some_and(|step| step > 0) {
        return Ok("".into());
    }
    let numbers = until_step(context, start, end.saturating_add(direction), step.unwrap_or(direction))?;
    let text: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    Ok(text.join(" ").into())
}
