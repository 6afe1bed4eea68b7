//! The instant and the randomness that a request is handled with; the server itself has neither.

use jiff::{SignedDuration, Timestamp};

/// When a request is handled, and the seed of all it draws.
#[derive(Clone, Debug)]
pub struct Moment {
    now: Timestamp,
    state: u64,
}

/// The letters of generated names: Kubernetes leaves out vowels and digits that look like letters.
const NAME_LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

impl Moment {
    /// Returns the moment `now`, drawing from `seed`.
    pub fn new(now: Timestamp, seed: u64) -> Self {
        Self { now, state: seed }
    }

    /// Returns the instant.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Returns the instant as `metav1.Time` prints it.
    pub(crate) fn seconds(&self) -> String {
        time_text(self.now)
    }

    /// Returns the instant that many seconds later, as `metav1.Time`.
    pub(crate) fn after(&self, seconds: i64) -> String {
        let later = self.now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(self.now);
        time_text(later)
    }

    /// Draws a number (splitmix64).
    pub(crate) fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Draws a version 4 UUID.
    pub(crate) fn uid(&mut self) -> String {
        let high = (self.draw() & !0xF000) | 0x4000;
        let low = (self.draw() >> 2) | 0x8000_0000_0000_0000;
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xFFFF,
            high & 0xFFFF,
            low >> 48,
            low & 0xFFFF_FFFF_FFFF
        )
    }

    /// Draws the suffix of a generated name.
    pub(crate) fn suffix(&mut self) -> String {
        (0..5).map(|_| char::from(NAME_LETTERS[(self.draw() % 27) as usize])).collect()
    }
}

/// Prints an instant as `metav1.Time` does: seconds in UTC.
pub(crate) fn time_text(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Prints an instant as `metav1.MicroTime` does.
pub(crate) fn micro_text(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

/// Prints how long ago something was, as `kubectl get` shows it (`duration.HumanDuration`).
pub(crate) fn age(then: &str, now: Timestamp) -> String {
    match then.parse::<Timestamp>() {
        Ok(then) => human(now.as_second() - then.as_second()),
        Err(_) => "<unknown>".to_owned(),
    }
}

/// Prints seconds as `duration.HumanDuration` does.
pub(crate) fn human(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let two = |big: i64, big_unit: &str, small: i64, small_unit: &str| {
        if small == 0 { format!("{big}{big_unit}") } else { format!("{big}{big_unit}{small}{small_unit}") }
    };
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1..=0 => "0s".to_owned(),
        1..120 => format!("{seconds}s"),
        120..600 => two(minutes, "m", seconds % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => two(hours, "h", minutes % 60, "m"),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => two(days, "d", hours % 24, "h"),
        691_200..63_072_000 => format!("{days}d"),
        63_072_000..252_288_000 => two(days / 365, "y", days % 365, "d"),
        _ => format!("{}y", days / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_are_version_4_and_names_have_five_letters() {
        let mut moment = Moment::new(Timestamp::UNIX_EPOCH, 7);
        let uid = moment.uid();
        assert_eq!((uid.len(), uid.as_bytes()[14]), (36, b'4'));
        assert_eq!(moment.suffix().len(), 5);
    }

    #[test]
    fn ages_read_as_kubectl_prints_them() {
        for (seconds, text) in
            [(0, "0s"), (119, "119s"), (120, "2m"), (125, "2m5s"), (7200, "120m"), (10_801, "3h"), (200_000, "2d7h")]
        {
            assert_eq!(human(seconds), text);
        }
    }
}
