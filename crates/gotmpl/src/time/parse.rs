//! Reads instants with a layout, as `time.ParseInLocation(…, time.Local)` where local is UTC.

use super::{
    DAYS, MONTHS, Time, days_from_civil,
    layout::{Std, next_std},
};
use crate::fmt::quote;

/// Why an element could not be read.
enum Bad {
    Syntax,
    Range(&'static str),
}

type Result<T> = std::result::Result<T, Bad>;

#[derive(Default)]
struct Fields {
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    year_day: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanos: u32,
    pm: Option<bool>,
    utc: bool,
    offset: Option<i32>,
    zone: String,
}

/// Parses a text with a layout.
///
/// # Errors
/// Go's texts: `parsing time "x" as "2006": cannot parse "x" as "2006"`.
pub(crate) fn parse(layout: &str, text: &str) -> std::result::Result<Time, String> {
    let fail = |element: &str, value: &str| {
        let (text, layout) = (quote(text), quote(layout));
        format!("parsing time {text} as {layout}: cannot parse {} as {}", quote(value), quote(element))
    };
    let mut fields = Fields::default();
    let (mut rest, mut value) = (layout, text);
    while let Some((before, std, element, after)) = next_std(rest) {
        value = skip(value, before).map_err(|left| fail(before, left))?;
        rest = after;
        value = match fields.read(std, value, after) {
            Ok(left) => left,
            Err(Bad::Syntax) => return Err(fail(element, value)),
            Err(Bad::Range(what)) => return Err(format!("parsing time {}: {what} out of range", quote(text))),
        };
    }
    value = skip(value, rest).map_err(|left| fail(rest, left))?;
    if !value.is_empty() {
        return Err(format!("parsing time {}: extra text: {}", quote(text), quote(value)));
    }
    fields.finish().map_err(|what| format!("parsing time {}: {what} out of range", quote(text)))
}

/// Skips literal text; runs of spaces match each other.
fn skip<'v>(value: &'v str, prefix: &str) -> std::result::Result<&'v str, &'v str> {
    let (mut value, mut prefix) = (value, prefix);
    while let Some(c) = prefix.chars().next() {
        if c == ' ' {
            if !value.is_empty() && !value.starts_with(' ') {
                return Err(value);
            }
            (prefix, value) = (prefix.trim_start_matches(' '), value.trim_start_matches(' '));
            continue;
        }
        value = value.strip_prefix(c).ok_or(value)?;
        prefix = &prefix[c.len_utf8()..];
    }
    Ok(value)
}

/// Reads exactly or at most two digits.
fn number(value: &str, fixed: bool) -> Result<(i64, &str)> {
    let digits = value.bytes().take(2).take_while(u8::is_ascii_digit).count();
    if digits == 0 || (fixed && digits < 2) {
        return Err(Bad::Syntax);
    }
    Ok((value[..digits].parse().map_err(|_| Bad::Syntax)?, &value[digits..]))
}

fn exact(value: &str, count: usize) -> Result<(i64, &str)> {
    let digits = value.get(..count).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit())).ok_or(Bad::Syntax)?;
    Ok((digits.parse().map_err(|_| Bad::Syntax)?, &value[count..]))
}

/// Looks a name up without regard to case.
fn name<'v>(value: &'v str, names: &[&str], len: Option<usize>) -> Result<(i64, &'v str)> {
    for (i, name) in names.iter().enumerate() {
        let name = len.map_or(*name, |len| &name[..len]);
        if value.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name)) {
            return Ok((i as i64, &value[name.len()..]));
        }
    }
    Err(Bad::Syntax)
}

fn in_range(n: i64, range: std::ops::Range<i64>, what: &'static str) -> Result<i64> {
    if range.contains(&n) { Ok(n) } else { Err(Bad::Range(what)) }
}

impl Fields {
    /// Reads one element; `after` is the rest of the layout.
    fn read<'v>(&mut self, std: Std, value: &'v str, after: &str) -> Result<&'v str> {
        let (n, rest) = match std {
            Std::Year => {
                let (year, rest) = exact(value, 2)?;
                self.year = year + if year >= 69 { 1900 } else { 2000 };
                return Ok(rest);
            }
            Std::LongYear => {
                let (year, rest) = exact(value, 4)?;
                self.year = year;
                return Ok(rest);
            }
            Std::Month | Std::LongMonth => {
                let (month, rest) = name(value, &MONTHS, (std == Std::Month).then_some(3))?;
                self.month = Some(month + 1);
                return Ok(rest);
            }
            Std::Weekday | Std::LongWeekday => {
                return name(value, &DAYS, (std == Std::Weekday).then_some(3)).map(|(_, rest)| rest);
            }
            Std::UnderYearDay | Std::ZeroYearDay => {
                let padded = value.trim_start_matches(' ');
                let skipped = (value.len() - padded.len()).min(if std == Std::UnderYearDay { 2 } else { 0 });
                let (day, rest) = exact(&value[skipped..], 3 - skipped)?;
                self.year_day = Some(day);
                return Ok(rest);
            }
            Std::Pm | Std::LowerPm => return self.half_day(std, value),
            Std::Offset { z, colon, minutes, seconds } => return self.read_offset(value, z, colon, minutes, seconds),
            Std::Tz => return self.read_zone(value),
            Std::Fraction { digits, zeros, .. } => return self.fraction(value, digits, zeros),
            Std::UnderDay => number(value.strip_prefix(' ').unwrap_or(value), false)?,
            Std::ZeroMonth | Std::ZeroDay | Std::Hour | Std::ZeroHour12 | Std::ZeroMinute | Std::ZeroSecond => {
                number(value, std != Std::Hour)?
            }
            Std::NumMonth | Std::Day | Std::Hour12 | Std::Minute | Std::Second => number(value, false)?,
        };
        match std {
            Std::NumMonth | Std::ZeroMonth => self.month = Some(in_range(n, 1..13, "month")?),
            Std::Day | Std::UnderDay | Std::ZeroDay => self.day = Some(n),
            Std::Hour => self.hour = in_range(n, 0..24, "hour")?,
            Std::Hour12 | Std::ZeroHour12 => self.hour = in_range(n, 0..13, "hour")?,
            Std::Minute | Std::ZeroMinute => self.minute = in_range(n, 0..60, "minute")?,
            _ => {
                self.second = in_range(n, 0..60, "second")?;
                return self.unasked_fraction(rest, after);
            }
        }
        Ok(rest)
    }

    /// A fraction after the seconds is read even when the layout has none.
    fn unasked_fraction<'v>(&mut self, rest: &'v str, after: &str) -> Result<&'v str> {
        let asked = next_std(after).is_some_and(|(_, std, ..)| matches!(std, Std::Fraction { .. }));
        let digits = rest.get(1..).unwrap_or("").bytes().take_while(u8::is_ascii_digit).count();
        if asked || !rest.starts_with(['.', ',']) || digits == 0 {
            return Ok(rest);
        }
        self.nanos = nanos(&rest[1..=digits])?;
        Ok(&rest[1 + digits..])
    }

    fn fraction<'v>(&mut self, value: &'v str, digits: usize, zeros: bool) -> Result<&'v str> {
        let present = value.get(1..).unwrap_or("").bytes().take_while(u8::is_ascii_digit).count();
        if !value.starts_with(['.', ',']) || present == 0 {
            return if zeros { Err(Bad::Syntax) } else { Ok(value) };
        }
        let take = if zeros { digits } else { present.min(9) };
        if present < take {
            return Err(Bad::Syntax);
        }
        self.nanos = nanos(&value[1..=take])?;
        Ok(&value[1 + take..])
    }

    fn half_day<'v>(&mut self, std: Std, value: &'v str) -> Result<&'v str> {
        let (am, pm) = if std == Std::Pm { ("AM", "PM") } else { ("am", "pm") };
        let rest = value.get(2..).ok_or(Bad::Syntax)?;
        match &value[..2] {
            half if half == pm => self.pm = Some(true),
            half if half == am => self.pm = Some(false),
            _ => return Err(Bad::Syntax),
        }
        Ok(rest)
    }

    fn read_offset<'v>(
        &mut self,
        value: &'v str,
        z: bool,
        colon: bool,
        minutes: bool,
        seconds: bool,
    ) -> Result<&'v str> {
        if z && let Some(rest) = value.strip_prefix('Z') {
            self.utc = true;
            return Ok(rest);
        }
        let sign = match value.as_bytes().first() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return Err(Bad::Syntax),
        };
        let mut rest = &value[1..];
        let mut parts = [0i64; 3];
        for (i, wanted) in [true, minutes, seconds].into_iter().enumerate() {
            if !wanted {
                break;
            }
            if i > 0 && colon {
                rest = rest.strip_prefix(':').ok_or(Bad::Syntax)?;
            }
            (parts[i], rest) = exact(rest, 2)?;
        }
        in_range(parts[0], 0..25, "time zone offset hour")?;
        in_range(parts[1], 0..61, "time zone offset minute")?;
        in_range(parts[2], 0..61, "time zone offset second")?;
        self.offset = Some(sign * (parts[0] * 3600 + parts[1] * 60 + parts[2]) as i32);
        Ok(rest)
    }

    fn read_zone<'v>(&mut self, value: &'v str) -> Result<&'v str> {
        if let Some(rest) = value.strip_prefix("UTC") {
            self.utc = true;
            return Ok(rest);
        }
        let capitals = value.bytes().take(6).take_while(u8::is_ascii_uppercase).count();
        let len = match capitals {
            3 if value.starts_with("GMT") => 3 + signed_hours(&value[3..]),
            0 if value.starts_with(['+', '-']) => signed_hours(value),
            3 => 3,
            4 if value.as_bytes()[3] == b'T' || value.starts_with("WITA") => 4,
            5 if value.as_bytes()[4] == b'T' => 5,
            _ if value.starts_with("ChST") || value.starts_with("MeST") => 4,
            _ => 0,
        };
        if len == 0 {
            return Err(Bad::Syntax);
        }
        self.zone = value[..len].to_owned();
        Ok(&value[len..])
    }

    fn finish(self) -> std::result::Result<Time, &'static str> {
        let hour = match self.pm {
            Some(true) if self.hour < 12 => self.hour + 12,
            Some(false) if self.hour == 12 => 0,
            _ => self.hour,
        };
        let (month, day) = self.date()?;
        let local = days_from_civil(self.year, month, day) * 86_400 + hour * 3600 + self.minute * 60 + self.second;
        let mut time = Time::from_unix(local, self.nanos);
        if self.utc {
            return Ok(time);
        }
        if let Some(offset) = self.offset {
            time.seconds -= i64::from(offset);
            if offset != 0 || !matches!(self.zone.as_str(), "" | "UTC") {
                (time.offset, time.zone) = (offset, self.zone);
            }
            return Ok(time);
        }
        if !self.zone.is_empty() {
            let hours: i32 = self.zone.strip_prefix("GMT").and_then(|hours| hours.parse().ok()).unwrap_or(0);
            time.offset = hours * 3600;
            time.seconds -= i64::from(time.offset);
            time.zone = self.zone;
        }
        Ok(time)
    }

    fn date(&self) -> std::result::Result<(i64, i64), &'static str> {
        let leap = self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0);
        if let Some(year_day) = self.year_day {
            if year_day < 1 || year_day > 365 + i64::from(leap) {
                return Err("day-of-year");
            }
            let (_, month, day) = super::civil_from_days(days_from_civil(self.year, 1, 1) + year_day - 1);
            if self.month.is_some_and(|m| m != month) {
                return Err("day-of-year does not match month: day-of-year");
            }
            return Ok((month, day));
        }
        let (month, day) = (self.month.unwrap_or(1), self.day.unwrap_or(1));
        let days = match month {
            2 => 28 + i64::from(leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        if day < 1 || day > days { Err("day") } else { Ok((month, day)) }
    }
}

fn signed_hours(value: &str) -> usize {
    let digits = value.get(1..).unwrap_or("").bytes().take_while(u8::is_ascii_digit).count();
    let hours = value.get(1..1 + digits).and_then(|text| text.parse::<u32>().ok());
    if value.starts_with(['+', '-']) && hours.is_some_and(|hours| hours < 24) { 1 + digits } else { 0 }
}

fn nanos(digits: &str) -> Result<u32> {
    let digits = &digits[..digits.len().min(9)];
    let value: u32 = digits.parse().map_err(|_| Bad::Syntax)?;
    Ok(value * 10u32.pow(9 - digits.len() as u32))
}
