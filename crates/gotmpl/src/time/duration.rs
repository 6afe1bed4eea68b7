//! Spans of time.

use std::fmt;

use crate::{convert::float_to_int, fmt::quote};

/// A span in nanoseconds: `time.Duration`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(pub i64);

const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

impl Duration {
    /// Parses as `time.ParseDuration`.
    ///
    /// # Errors
    /// Go's texts, e.g. `time: invalid duration "x"`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let invalid = || format!("time: invalid duration {}", quote(text));
        let negative = text.starts_with('-');
        let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
        if rest == "0" {
            return Ok(Self(0));
        }
        if rest.is_empty() {
            return Err(invalid());
        }
        let mut total: u64 = 0;
        while !rest.is_empty() {
            let number = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
            let (digits, after) = rest.split_at(number);
            let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
            if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
                return Err(invalid());
            }
            let end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
            let (unit, next) = after.split_at(end);
            if unit.is_empty() {
                return Err(format!("time: missing unit in duration {}", quote(text)));
            }
            let Some((_, scale)) = UNITS.iter().find(|(name, _)| *name == unit) else {
                return Err(format!("time: unknown unit {} in duration {}", quote(unit), quote(text)));
            };
            let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| invalid())? };
            let part = fraction_of(fraction, *scale);
            total = whole
                .checked_mul(*scale)
                .and_then(|v| v.checked_add(part))
                .and_then(|v| v.checked_add(total))
                .filter(|v| *v <= 1 << 63)
                .ok_or_else(invalid)?;
            rest = next;
        }
        match (negative, total) {
            (true, _) => Ok(Self((total as i64).wrapping_neg())),
            (false, _) => i64::try_from(total).map(Self).map_err(|_| invalid()),
        }
    }

    /// Rounds to a multiple, halves away from zero, as `Duration.Round`.
    #[must_use]
    pub fn round(self, multiple: Self) -> Self {
        if multiple.0 <= 0 {
            return self;
        }
        let rest = self.0 % multiple.0;
        let up = rest.unsigned_abs().saturating_mul(2) >= multiple.0.unsigned_abs();
        let rounded = match (self.0 < 0, up) {
            (_, false) => self.0.checked_sub(rest),
            (false, true) => self.0.checked_sub(rest).and_then(|v| v.checked_add(multiple.0)),
            (true, true) => self.0.checked_sub(rest).and_then(|v| v.checked_sub(multiple.0)),
        };
        Self(rounded.unwrap_or(if self.0 < 0 { i64::MIN } else { i64::MAX }))
    }

    /// Cuts to a multiple, as `Duration.Truncate`.
    #[must_use]
    pub fn truncate(self, multiple: Self) -> Self {
        if multiple.0 <= 0 { self } else { Self(self.0 - self.0 % multiple.0) }
    }

    /// Gives the span in units of `nanos`, whole part and fraction added as Go does.
    pub fn in_units(self, nanos: i64) -> f64 {
        (self.0 / nanos) as f64 + (self.0 % nanos) as f64 / nanos as f64
    }
}

/// Scales decimal digits after a point; Go drops digits that overflow.
fn fraction_of(digits: &str, scale: u64) -> u64 {
    let (mut value, mut power) = (0u64, 1.0f64);
    for digit in digits.bytes() {
        match value.checked_mul(10).and_then(|v| v.checked_add(u64::from(digit - b'0'))).filter(|v| *v < 1 << 63) {
            Some(next) => value = next,
            None => break,
        }
        power *= 10.0;
    }
    float_to_int(value as f64 * (scale as f64 / power)).max(0) as u64
}

impl fmt::Display for Duration {
    /// Prints as `Duration.String`: `1h0m0s`, `1.5s`, `2ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        if nanos == 0 {
            return f.write_str("0s");
        }
        if nanos < 1_000_000_000 {
            let (scale, unit) = match nanos {
                0..1_000 => (1, "ns"),
                1_000..1_000_000 => (1_000, "µs"),
                _ => (1_000_000, "ms"),
            };
            return write!(f, "{sign}{}{unit}", decimal(nanos, scale));
        }
        let seconds = decimal(nanos % 60_000_000_000, 1_000_000_000);
        let minutes = nanos / 60_000_000_000;
        match (minutes / 60, minutes % 60) {
            (0, 0) => write!(f, "{sign}{seconds}s"),
            (0, minutes) => write!(f, "{sign}{minutes}m{seconds}s"),
            (hours, minutes) => write!(f, "{sign}{hours}h{minutes}m{seconds}s"),
        }
    }
}

fn decimal(value: u64, scale: u64) -> String {
    let (whole, rest) = (value / scale, value % scale);
    if rest == 0 {
        return whole.to_string();
    }
    let width = scale.ilog10() as usize;
    let text = format!("{whole}.{rest:0width$}");
    text.trim_end_matches('0').to_owned()
}
