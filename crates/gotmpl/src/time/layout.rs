//! Layouts: `2006-01-02T15:04:05Z07:00`.

use super::{DAYS, MONTHS, Time};

/// An element of a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Std {
    LongMonth,
    Month,
    NumMonth,
    ZeroMonth,
    LongWeekday,
    Weekday,
    Day,
    UnderDay,
    ZeroDay,
    UnderYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    Year,
    Pm,
    LowerPm,
    Tz,
    /// An offset: with `Z` for UTC, with colons, with minutes, with seconds.
    Offset {
        z: bool,
        colon: bool,
        minutes: bool,
        seconds: bool,
    },
    /// A fraction of a second: digits, and whether zeros at the end are kept.
    Fraction {
        digits: usize,
        zeros: bool,
        comma: bool,
    },
}

/// Offsets, longest first.
const OFFSETS: [(&str, bool, bool, bool); 5] = [
    ("070000", false, true, true),
    ("07:00:00", true, true, true),
    ("0700", false, true, false),
    ("07:00", true, true, false),
    ("07", false, false, false),
];

/// Cuts a layout at its first element: what goes before, the element with its text, what follows.
pub(super) fn next_std(layout: &str) -> Option<(&str, Std, &str, &str)> {
    let bytes = layout.as_bytes();
    for at in 0..bytes.len() {
        if !layout.is_char_boundary(at) {
            continue;
        }
        if let Some((std, skip, len)) = std_at(layout, at) {
            let start = at + skip;
            return Some((&layout[..start], std, &layout[start..start + len], &layout[start + len..]));
        }
    }
    None
}

/// Reads the element at an offset: with how many bytes to leave before it, and its length.
fn std_at(layout: &str, at: usize) -> Option<(Std, usize, usize)> {
    let rest = &layout[at..];
    let lower_after = |n: usize| rest.as_bytes().get(n).is_some_and(u8::is_ascii_lowercase);
    let found = |std, len| Some((std, 0, len));
    let starts = |text: &str| rest.starts_with(text);
    match rest.as_bytes()[0] {
        b'J' if starts("January") => found(Std::LongMonth, 7),
        b'J' if starts("Jan") && !lower_after(3) => found(Std::Month, 3),
        b'M' if starts("Monday") => found(Std::LongWeekday, 6),
        b'M' if starts("Mon") && !lower_after(3) => found(Std::Weekday, 3),
        b'M' if starts("MST") => found(Std::Tz, 3),
        b'0' if starts("002") => found(Std::ZeroYearDay, 3),
        b'0' => match rest.as_bytes().get(1)? {
            b'1' => found(Std::ZeroMonth, 2),
            b'2' => found(Std::ZeroDay, 2),
            b'3' => found(Std::ZeroHour12, 2),
            b'4' => found(Std::ZeroMinute, 2),
            b'5' => found(Std::ZeroSecond, 2),
            b'6' => found(Std::Year, 2),
            _ => None,
        },
        b'1' if starts("15") => found(Std::Hour, 2),
        b'1' => found(Std::NumMonth, 1),
        b'2' if starts("2006") => found(Std::LongYear, 4),
        b'2' => found(Std::Day, 1),
        b'_' if starts("_2006") => Some((Std::LongYear, 1, 4)),
        b'_' if starts("_2") => found(Std::UnderDay, 2),
        b'_' if starts("__2") => found(Std::UnderYearDay, 3),
        b'3' => found(Std::Hour12, 1),
        b'4' => found(Std::Minute, 1),
        b'5' => found(Std::Second, 1),
        b'P' if starts("PM") => found(Std::Pm, 2),
        b'p' if starts("pm") => found(Std::LowerPm, 2),
        sign @ (b'-' | b'Z') => {
            OFFSETS.iter().find(|(text, ..)| rest[1..].starts_with(text)).map(|(text, colon, minutes, seconds)| {
                (
                    Std::Offset { z: sign == b'Z', colon: *colon, minutes: *minutes, seconds: *seconds },
                    0,
                    1 + text.len(),
                )
            })
        }
        point @ (b'.' | b',') => {
            let digit = *rest.as_bytes().get(1).filter(|b| matches!(b, b'0' | b'9'))?;
            let digits = rest[1..].bytes().take_while(|b| *b == digit).count();
            let ends = !rest.as_bytes().get(1 + digits).is_some_and(u8::is_ascii_digit);
            ends.then_some((Std::Fraction { digits, zeros: digit == b'0', comma: point == b',' }, 0, 1 + digits))
        }
        _ => None,
    }
}

/// Formats an instant.
pub(super) fn format(time: &Time, layout: &str) -> String {
    let civil = time.civil();
    let mut out = String::with_capacity(layout.len() + 10);
    let mut rest = layout;
    while let Some((before, std, _, after)) = next_std(rest) {
        out.push_str(before);
        rest = after;
        let hour12 = if civil.hour % 12 == 0 { 12 } else { civil.hour % 12 };
        let text = match std {
            Std::LongMonth => MONTHS[civil.month as usize - 1].to_owned(),
            Std::Month => MONTHS[civil.month as usize - 1][..3].to_owned(),
            Std::LongWeekday => DAYS[civil.weekday as usize].to_owned(),
            Std::Weekday => DAYS[civil.weekday as usize][..3].to_owned(),
            Std::NumMonth => civil.month.to_string(),
            Std::ZeroMonth => format!("{:02}", civil.month),
            Std::Day => civil.day.to_string(),
            Std::UnderDay => format!("{:2}", civil.day),
            Std::ZeroDay => format!("{:02}", civil.day),
            Std::UnderYearDay => format!("{:3}", civil.year_day),
            Std::ZeroYearDay => format!("{:03}", civil.year_day),
            Std::Hour => format!("{:02}", civil.hour),
            Std::Hour12 => hour12.to_string(),
            Std::ZeroHour12 => format!("{hour12:02}"),
            Std::Minute => civil.minute.to_string(),
            Std::ZeroMinute => format!("{:02}", civil.minute),
            Std::Second => civil.second.to_string(),
            Std::ZeroSecond => format!("{:02}", civil.second),
            Std::LongYear if civil.year < 0 => format!("-{:04}", -civil.year),
            Std::LongYear => format!("{:04}", civil.year),
            Std::Year => format!("{:02}", civil.year.max(0) % 100),
            Std::Pm => if civil.hour >= 12 { "PM" } else { "AM" }.to_owned(),
            Std::LowerPm => if civil.hour >= 12 { "pm" } else { "am" }.to_owned(),
            Std::Tz if time.zone.is_empty() => offset(time.offset, false, true, false),
            Std::Tz => time.zone.clone(),
            Std::Offset { z: true, .. } if time.offset == 0 => "Z".to_owned(),
            Std::Offset { colon, minutes, seconds, .. } => offset(time.offset, colon, minutes, seconds),
            Std::Fraction { digits, zeros, comma } => fraction(time.nanos, digits, zeros, comma),
        };
        out.push_str(&text);
    }
    out + rest
}

fn offset(offset: i32, colon: bool, minutes: bool, seconds: bool) -> String {
    let total = offset.unsigned_abs();
    let sign = if offset < 0 && (seconds || offset / 60 != 0) { '-' } else { '+' };
    let separator = if colon { ":" } else { "" };
    let mut text = format!("{sign}{:02}", total / 3600);
    if minutes {
        text.push_str(&format!("{separator}{:02}", total / 60 % 60));
    }
    if seconds {
        text.push_str(&format!("{separator}{:02}", total % 60));
    }
    text
}

fn fraction(nanos: u32, digits: usize, zeros: bool, comma: bool) -> String {
    let all = format!("{nanos:09}");
    let mut text = if digits <= 9 { all[..digits].to_owned() } else { format!("{all:0<digits$}") };
    if !zeros {
        text.truncate(text.trim_end_matches('0').len());
        if text.is_empty() {
            return text;
        }
    }
    text.insert(0, if comma { ',' } else { '.' });
    text
}
