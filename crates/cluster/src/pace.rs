//! How many writes a second are sent.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Counts writes over the second that runs and the one before it.
pub(crate) struct Pace(Mutex<Window>);

struct Window {
    begun: Instant,
    now: u32,
    before: u32,
}

impl Pace {
    /// Counts one write.
    pub(crate) fn count(&self, at: Instant) {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        window.move_to(at);
        window.now = window.now.saturating_add(1);
    }

    /// Returns the larger of the last two seconds' counts.
    pub(crate) fn a_second(&self, at: Instant) -> u32 {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        window.move_to(at);
        window.now.max(window.before)
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self(Mutex::new(Window { begun: Instant::now(), now: 0, before: 0 }))
    }
}

impl Window {
    fn move_to(&mut self, at: Instant) {
        match at.saturating_duration_since(self.begun).as_secs() {
            0 => return,
            1 => self.before = self.now,
            _ => self.before = 0,
        }
        self.now = 0;
        // A whole number of seconds on, so that a late look does not stretch the second that runs.
        self.begun += Duration::from_secs(at.saturating_duration_since(self.begun).as_secs());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_two_seconds_count() {
        let pace = Pace::default();
        let begun = pace.0.lock().unwrap().begun;
        let at = |millis| begun + Duration::from_millis(millis);
        for _ in 0..30 {
            pace.count(at(500));
        }
        assert_eq!([pace.a_second(at(900)), pace.a_second(at(1_100)), pace.a_second(at(1_999))], [30, 30, 30]);
        pace.count(at(1_999));
        assert_eq!([pace.a_second(at(2_100)), pace.a_second(at(3_000)), pace.a_second(at(9_000))], [1, 0, 0]);
    }
}
