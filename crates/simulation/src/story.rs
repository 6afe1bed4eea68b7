//! What happened, for people.

use jiff::Timestamp;

/// What happened, line by line; nothing is kept unless somebody wants to read it.
#[derive(Debug, Default)]
pub(crate) struct Story {
    wanted: bool,
    begun: Timestamp,
    lines: Vec<String>,
}

impl Story {
    pub(crate) fn new(wanted: bool, begun: Timestamp) -> Self {
        Self { wanted, begun, lines: Vec::new() }
    }

    /// Adds a line: when, who, what.
    pub(crate) fn tell(&mut self, now: Timestamp, who: &str, what: impl FnOnce() -> String) {
        if self.wanted {
            let seconds = now.duration_since(self.begun).as_secs_f64();
            self.lines.push(format!("{seconds:>10.3} s  {who:<10} {}", what()));
        }
    }

    pub(crate) fn into_lines(self) -> Vec<String> {
        self.lines
    }
}
