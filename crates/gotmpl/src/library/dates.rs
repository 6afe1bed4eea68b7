//! Dates and spans. The clock is the caller's, the local zone is UTC.

use std::rc::Rc;

use super::{Result, add, args};
use crate::{
    context::Context,
    functions::Functions,
    number::parse_int,
    time::{Duration, Time, parse},
    types::Type,
    value::{Str, Value},
};

const S: Type = Type::Str;
const A: Type = Type::Any;
const SECOND: i64 = 1_000_000_000;

pub(super) fn register(f: &mut Functions) {
    add(f, &["now"], &[], |c, _| {
        c.warn("now");
        Ok(Value::Time(Rc::new(c.now())))
    });
    add(f, &["ago"], &[A], |c, a| {
        c.warn("ago");
        let then = instant(c, &a[0]);
        Ok(c.now().since(&then).round(Duration(SECOND)).to_string().into())
    });
    add(f, &["date"], &[S, A], |c, a| in_zone(c, &args::text(a, 0), &a[1], "Local"));
    add(f, &["dateInZone", "date_in_zone"], &[S, A, S], |c, a| {
        in_zone(c, &args::text(a, 0), &a[1], &args::text(a, 2).to_text())
    });
    add(f, &["htmlDate"], &[A], |c, a| in_zone(c, &"2006-01-02".into(), &a[0], "Local"));
    add(f, &["htmlDateInZone"], &[A, S], |c, a| in_zone(c, &"2006-01-02".into(), &a[0], &args::text(a, 1).to_text()));
    add(f, &["dateModify", "date_modify"], &[S, Type::Time], |_, a| Ok(modify(a).unwrap_or_else(|_| a[1].clone())));
    add(f, &["mustDateModify", "must_date_modify"], &[S, Type::Time], |_, a| modify(a));
    add(f, &["toDate"], &[S, S], |_, a| Ok(to_date(a).unwrap_or_else(|_| Value::Time(Rc::new(Time::zero())))));
    add(f, &["mustToDate"], &[S, S], |_, a| to_date(a));
    add(f, &["unixEpoch"], &[Type::Time], |_, a| Ok(time(&a[0]).map_or(0, |time| time.seconds).to_string().into()));
    add(f, &["duration"], &[A], |_, a| {
        let seconds = match &a[0] {
            Value::Str(text) => saturating_int(&text.to_text()),
            Value::Int64(n) => *n,
            _ => 0,
        };
        Ok(Duration(seconds.wrapping_mul(SECOND)).to_string().into())
    });
    add(f, &["durationRound"], &[A], |c, a| duration_round(c, &a[0]));
}

/// `strconv.ParseInt`, whose error still carries the nearest value for numbers out of range.
fn saturating_int(text: &str) -> i64 {
    match parse_int(text, 10) {
        Ok(n) => n,
        Err(crate::number::NumError::Syntax) => 0,
        Err(crate::number::NumError::Range) if text.starts_with('-') => i64::MIN,
        Err(crate::number::NumError::Range) => i64::MAX,
    }
}

fn time(value: &Value) -> Option<&Time> {
    match value {
        Value::Time(time) => Some(time),
        _ => None,
    }
}

/// Takes a date argument: a time, seconds as int, int32 or int64, anything else is now.
fn instant(context: &mut Context, value: &Value) -> Time {
    match value {
        Value::Time(time) => time.as_ref().clone(),
        Value::Int(seconds) | Value::Int64(seconds) => Time::from_unix(*seconds, 0),
        Value::Int32(seconds) => Time::from_unix(i64::from(*seconds), 0),
        _ => {
            context.warn("date of now");
            context.now()
        }
    }
}

fn in_zone(context: &mut Context, layout: &Str, value: &Value, zone: &str) -> Result {
    let time = instant(context, value);
    let local = time.in_zone(zone).unwrap_or_else(|| Time::from_unix(time.seconds, time.nanos));
    context.charge_bytes(layout.len())?;
    Ok(local.format(&layout.to_text()).into())
}

fn modify(a: &[Value]) -> Result {
    let span = Duration::parse(&args::text(a, 0).to_text())?;
    Ok(time(&a[1]).map_or(Value::Nil, |time| Value::Time(Rc::new(time.add(span)))))
}

fn to_date(a: &[Value]) -> Result {
    let (layout, text) = (args::text(a, 0), args::text(a, 1));
    Ok(Value::Time(Rc::new(parse(&layout.to_text(), &text.to_text())?)))
}

fn duration_round(context: &mut Context, value: &Value) -> Result {
    let span = match value {
        Value::Str(text) => Duration::parse(&text.to_text()).unwrap_or(Duration(0)),
        Value::Int64(nanos) => Duration(*nanos),
        Value::Time(time) => {
            context.warn("durationRound");
            context.now().since(time)
        }
        _ => Duration(0),
    };
    let nanos = span.0.unsigned_abs();
    let second = SECOND.unsigned_abs();
    let day = 86_400 * second;
    for (unit, name) in
        [(365 * day, "y"), (30 * day, "mo"), (day, "d"), (3600 * second, "h"), (60 * second, "m"), (second, "s")]
    {
        if nanos > unit {
            return Ok(format!("{}{name}", nanos / unit).into());
        }
    }
    Ok("0s".into())
}
