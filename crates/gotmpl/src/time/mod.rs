//! Go's `time.Time` and `time.Duration`.

mod duration;
mod layout;
mod methods;
mod parse;

use std::fmt;

pub use duration::Duration;
pub(crate) use methods::{call_method, method};
pub(crate) use parse::parse;

/// An instant with the offset and name of a zone: `time.Time`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Time {
    /// Seconds since 1970 in UTC.
    pub seconds: i64,
    /// Nanoseconds of the second.
    pub nanos: u32,
    /// Seconds east of UTC.
    pub offset: i32,
    /// The abbreviation of the zone, e.g. `UTC` or `CET`; empty for a bare offset.
    pub zone: String,
}

/// Seconds of the first of January of year 1: Go's zero time.
const ZERO_SECONDS: i64 = -62_135_596_800;
const DAY: i64 = 86_400;
pub(crate) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub(crate) const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// The fields of a calendar and a clock.
#[derive(Clone, Copy)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    /// From 1.
    pub(crate) month: i64,
    pub(crate) day: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
    /// From Sunday, 0.
    pub(crate) weekday: i64,
    /// From 1.
    pub(crate) year_day: i64,
}

impl Time {
    /// Makes an instant in UTC.
    pub fn from_unix(seconds: i64, nanos: u32) -> Self {
        Self { seconds, nanos, offset: 0, zone: "UTC".to_owned() }
    }

    /// Gives Go's zero time.
    pub fn zero() -> Self {
        Self::from_unix(ZERO_SECONDS, 0)
    }

    /// Gives the same instant in a zone of the IANA database (`""`, `UTC` and `Local` are UTC); none for an unknown name.
    pub fn in_zone(&self, name: &str) -> Option<Self> {
        if matches!(name, "" | "UTC" | "Local") {
            return Some(Self::from_unix(self.seconds, self.nanos));
        }
        let zone = jiff::tz::TimeZoneDatabase::bundled().get(name).ok()?;
        if zone.iana_name() != Some(name) {
            return None;
        }
        let info = zone.to_offset_info(jiff::Timestamp::from_second(self.seconds).ok()?);
        let abbreviation = info.abbreviation();
        // Zones without letters have their offset as name.
        Some(Self { offset: info.offset().seconds(), zone: abbreviation.to_owned(), ..self.clone() })
    }

    /// Formats with a Go layout.
    pub fn format(&self, layout: &str) -> String {
        layout::format(self, layout)
    }

    /// Formats as `time.RFC3339Nano`, as JSON has it.
    pub fn rfc3339_nano(&self) -> String {
        self.format("2006-01-02T15:04:05.999999999Z07:00")
    }

    /// Adds a span.
    #[must_use]
    pub fn add(&self, span: Duration) -> Self {
        let nanos = i64::from(self.nanos) + span.0.rem_euclid(1_000_000_000);
        let seconds =
            self.seconds.saturating_add(span.0.div_euclid(1_000_000_000)).saturating_add(nanos / 1_000_000_000);
        Self { seconds, nanos: (nanos % 1_000_000_000) as u32, ..self.clone() }
    }

    /// Gives the span since another instant, at most what fits.
    pub fn since(&self, other: &Self) -> Duration {
        let seconds = i128::from(self.seconds) - i128::from(other.seconds);
        let nanos = seconds * 1_000_000_000 + i128::from(self.nanos) - i128::from(other.nanos);
        Duration(nanos.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64)
    }

    pub(crate) fn civil(&self) -> Civil {
        let local = self.seconds.saturating_add(i64::from(self.offset));
        let (days, second) = (local.div_euclid(DAY), local.rem_euclid(DAY));
        let (year, month, day) = civil_from_days(days);
        Civil {
            year,
            month,
            day,
            hour: second / 3600,
            minute: second / 60 % 60,
            second: second % 60,
            weekday: (days + 4).rem_euclid(7),
            year_day: days - days_from_civil(year, 1, 1) + 1,
        }
    }
}

/// Gives year, month and day of a count of days since 1970.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Counts the days since 1970 of a date.
pub(crate) fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

impl fmt::Display for Time {
    /// Prints as `Time.String`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.format("2006-01-02 15:04:05.999999999 -0700 MST"))
    }
}
