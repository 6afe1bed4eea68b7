//! Sync windows: when syncs may run by themselves.

use std::str::FromStr;

use croner::{Cron, parser::CronParser};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use lockstep_api::{SyncWindow, WindowKind};

/// The longest window; a longer one is always open or no window at all.
const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 366);
/// More openings than these inside one duration are not looked at.
const OPENINGS: usize = 10_000;

/// A window whose texts were read.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    kind: WindowKind,
    cron: Cron,
    schedule: String,
    duration: SignedDuration,
    zone: TimeZone,
    manual: bool,
    hold_repairs: bool,
    description: String,
}

/// Why a sync may not run now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Closed {
    /// In a sentence.
    pub(crate) reason: String,
    /// When that changes, if it is known.
    pub(crate) until: Option<Timestamp>,
    /// A sync that a person asks for runs all the same.
    pub(crate) manual: bool,
    /// Drift is not set back either.
    pub(crate) hold_repairs: bool,
}

/// Reads a window; the error names the text that cannot be read.
pub(crate) fn read(window: &SyncWindow) -> Result<Window, String> {
    let fields = CronParser::builder().seconds(croner::parser::Seconds::Disallowed).build();
    let schedule = window.schedule.trim();
    let cron = fields.parse(schedule).map_err(|error| {
        format!("the schedule {schedule:?} of a sync window cannot be read: {error}; it is like `0 22 * * 1-5`")
    })?;
    let duration = SignedDuration::from_str(window.duration.trim())
        .ok()
        .filter(|duration| *duration > SignedDuration::ZERO && *duration <= LONGEST);
    let duration = duration.ok_or_else(|| {
        format!("the duration {:?} of a sync window cannot be read; it is like `8h` or `1h30m`", window.duration)
    })?;
    let name = window.time_zone.as_deref().unwrap_or("UTC");
    let zone = TimeZone::get(name)
        .map_err(|_| format!("the time zone {name:?} of a sync window is not known; it is like `Europe/Berlin`"))?;
    Ok(Window {
        kind: window.kind,
        cron,
        schedule: schedule.to_owned(),
        duration,
        zone,
        manual: window.manual_sync,
        hold_repairs: window.hold_repairs,
        description: window.description.clone(),
    })
}

impl Window {
    /// Returns when the window closes, if it is open.
    fn open_until(&self, now: Timestamp) -> Option<Timestamp> {
        let from = now.checked_sub(self.duration).ok()?;
        let mut last = None;
        let mut at = from;
        // The last opening not after now counts: windows of one schedule may overlap.
        for _ in 0..OPENINGS {
            match self.opening_after(at) {
                Some(opening) if opening <= now => {
                    last = Some(opening);
                    at = opening;
                }
                _ => break,
            }
        }
        last.and_then(|opening| opening.checked_add(self.duration).ok()).filter(|end| *end > now)
    }

    /// Returns the next opening after a time.
    fn opening_after(&self, time: Timestamp) -> Option<Timestamp> {
        let zoned = time.to_zoned(self.zone.clone());
        self.cron.find_next_occurrence(&zoned, false).ok().map(|next| next.timestamp())
    }

    fn words(&self) -> String {
        let zone = self.zone.iana_name().unwrap_or("UTC");
        match self.description.as_str() {
            "" => format!("{} ({zone})", self.schedule),
            text => format!("{text}: {} ({zone})", self.schedule),
        }
    }
}

/// Tells why a sync may not run now; nothing if it may.
///
/// As in Argo CD 3.6: an open `Deny` forbids; else an open `Allow` permits; else a closed `Allow` forbids. Where
/// several forbid, a person may sync only if all of them permit that.
pub(crate) fn closed(windows: &[Window], now: Timestamp) -> Option<Closed> {
    let denying: Vec<(&Window, Timestamp)> = windows
        .iter()
        .filter(|window| window.kind == WindowKind::Deny)
        .filter_map(|window| Some((window, window.open_until(now)?)))
        .collect();
    if let Some((window, _)) = denying.first() {
        let until = denying.iter().map(|(_, until)| *until).max();
        return Some(Closed {
            reason: format!("syncs are denied until {} ({})", words_of(until), window.words()),
            until,
            manual: denying.iter().all(|(window, _)| window.manual),
            hold_repairs: denying.iter().any(|(window, _)| window.hold_repairs),
        });
    }
    let allowing: Vec<&Window> = windows.iter().filter(|window| window.kind == WindowKind::Allow).collect();
    if allowing.is_empty() || allowing.iter().any(|window| window.open_until(now).is_some()) {
        return None;
    }
    let next =
        allowing.iter().filter_map(|window| Some((window.opening_after(now)?, window))).min_by_key(|(at, _)| *at);
    let until = next.map(|(at, _)| at);
    let words = next.map_or_else(|| allowing[0].words(), |(_, window)| window.words());
    Some(Closed {
        reason: format!("no sync window is open; the next opens {} ({words})", words_of(until)),
        until,
        manual: allowing.iter().all(|window| window.manual),
        hold_repairs: allowing.iter().any(|window| window.hold_repairs),
    })
}

fn words_of(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "never".to_owned(), |time| time.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(kind: WindowKind, schedule: &str, duration: &str, zone: Option<&str>) -> SyncWindow {
        SyncWindow {
            kind,
            schedule: schedule.to_owned(),
            duration: duration.to_owned(),
            time_zone: zone.map(str::to_owned),
            ..SyncWindow::default()
        }
    }

    fn check(windows: &[SyncWindow], now: &str) -> Option<(String, String)> {
        let windows: Vec<Window> = windows.iter().map(|one| read(one).unwrap()).collect();
        let closed = closed(&windows, now.parse().unwrap())?;
        Some((closed.reason, closed.until.map(|time| time.to_string()).unwrap_or_default()))
    }

    #[test]
    fn syncs_run_in_an_open_window_only_and_a_denial_wins() {
        let night = || window(WindowKind::Allow, "0 22 * * *", "8h", None);
        let friday = || window(WindowKind::Deny, "0 0 * * 5", "24h", None);
        let until = |windows: &[SyncWindow], now: &str| check(windows, now).map(|(_, until)| until);
        // 2026-01-01 is a Thursday.
        for (windows, now, expect) in [
            (vec![], "2026-01-01T12:00:00Z", None),
            (vec![night()], "2026-01-01T23:00:00Z", None),
            (vec![night()], "2026-01-01T22:00:00Z", None),
            (vec![night()], "2026-01-01T05:59:59Z", None),
            (vec![night()], "2026-01-01T06:00:00Z", Some("2026-01-01T22:00:00Z")),
            (vec![friday()], "2026-01-01T12:00:00Z", None),
            (vec![friday()], "2026-01-02T12:00:00Z", Some("2026-01-03T00:00:00Z")),
            (vec![night(), friday()], "2026-01-02T23:00:00Z", Some("2026-01-03T00:00:00Z")),
            (vec![night(), friday()], "2026-01-03T00:30:00Z", None),
        ] {
            assert_eq!(until(&windows, now).as_deref(), expect, "{now} {windows:?}");
        }
    }

    #[test]
    fn a_schedule_follows_its_time_zone_through_summer_time() {
        let berlin = || window(WindowKind::Allow, "0 9 * * *", "1h", Some("Europe/Berlin"));
        assert_eq!(check(&[berlin()], "2026-01-15T08:30:00Z"), None, "nine in Berlin is eight UTC in winter");
        assert_eq!(check(&[berlin()], "2026-07-15T07:30:00Z"), None, "and seven in summer");
        let (reason, until) = check(&[berlin()], "2026-07-15T08:30:00Z").unwrap();
        assert_eq!(until, "2026-07-16T07:00:00Z");
        assert_eq!(reason, "no sync window is open; the next opens 2026-07-16 07:00 UTC (0 9 * * * (Europe/Berlin))");
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (schedule, duration, zone, word) in [
            ("often", "8h", None, "schedule \"often\""),
            ("0 22 * * *", "long", None, "duration \"long\""),
            ("0 22 * * *", "-1h", None, "duration \"-1h\""),
            ("0 22 * * *", "8h", Some("Mars"), "time zone \"Mars\""),
        ] {
            let error = read(&window(WindowKind::Allow, schedule, duration, zone)).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
