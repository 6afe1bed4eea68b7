//! Which texts yaml.v2 takes for a date or time.

/// Tells whether a text is a timestamp in one of the four layouts of yaml.v2, read with Go's `time.Parse`:
/// `2006-1-2T15:4:5.999999999Z07:00` (or a small `t`), `2006-1-2 15:4:5.999999999` and `2006-1-2`.
pub(super) fn is_timestamp(text: &str) -> bool {
    let mut rest = Reader(text.as_bytes());
    let Some(year) = rest.year() else { return false };
    let Some(()) = rest.date(year) else { return false };
    match rest.0 {
        [] => true,
        [b'T' | b't', time @ ..] => {
            let mut time = Reader(time);
            time.time().is_some() && time.zone().is_some() && time.0.is_empty()
        }
        [b' ', ..] => {
            let mut time = Reader(rest.0.trim_ascii_start());
            time.time().is_some() && time.0.is_empty()
        }
        _ => false,
    }
}

struct Reader<'t>(&'t [u8]);

impl Reader<'_> {
    fn year(&mut self) -> Option<u32> {
        let len = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if len != 4 {
            return None;
        }
        let year = self.0[..4].iter().fold(0, |year, digit| year * 10 + u32::from(digit - b'0'));
        self.0 = &self.0[4..];
        Some(year)
    }

    /// Reads one or two digits.
    fn number(&mut self) -> Option<u32> {
        let (first, rest) = self.0.split_first().filter(|(first, _)| first.is_ascii_digit())?;
        let first = u32::from(first - b'0');
        match rest.split_first().filter(|(second, _)| second.is_ascii_digit()) {
            Some((second, rest)) => {
                self.0 = rest;
                Some(first * 10 + u32::from(second - b'0'))
            }
            None => {
                self.0 = rest;
                Some(first)
            }
        }
    }

    fn byte(&mut self, wanted: u8) -> Option<()> {
        self.0 = self.0.strip_prefix(&[wanted])?;
        Some(())
    }

    fn date(&mut self, year: u32) -> Option<()> {
        self.byte(b'-')?;
        let month = self.number()?;
        self.byte(b'-')?;
        let day = self.number()?;
        (1..=days_in(year, month)).contains(&day).then_some(())
    }

    fn time(&mut self) -> Option<()> {
        let hour = self.number()?;
        self.byte(b':')?;
        let minute = self.number()?;
        self.byte(b':')?;
        let second = self.number()?;
        if let [b'.' | b',', digits @ ..] = self.0 {
            let len = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if len > 0 {
                self.0 = &digits[len..];
            }
        }
        (hour < 24 && minute < 60 && second < 60).then_some(())
    }

    fn zone(&mut self) -> Option<()> {
        if self.byte(b'Z').is_some() {
            return Some(());
        }
        let [b'+' | b'-', h1, h2, b':', m1, m2, rest @ ..] = self.0 else { return None };
        let pair = |a: u8, b: u8| (a.is_ascii_digit() && b.is_ascii_digit()).then(|| (a - b'0') * 10 + (b - b'0'));
        // Go takes offsets of 24 hours and 60 minutes too.
        let fine = pair(*h1, *h2)? <= 24 && pair(*m1, *m2)? <= 60;
        self.0 = rest;
        fine.then_some(())
    }
}

fn days_in(year: u32, month: u32) -> u32 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times_are_told_from_other_texts() {
        for text in
            ["2001-1-2", "2024-02-29", "2001-01-02T3:4:5Z", "2001-01-02t03:04:05.5+01:00", "2001-01-02  03:04:05"]
        {
            assert!(is_timestamp(text), "{text}");
        }
        for text in [
            "2023-02-29",
            "01-01-01",
            "2001-13-01",
            "2001-01-02T03:04:05",
            "2001-01-02 03:04",
            "2001-01-02T25:00:00Z",
            "20011-1-1",
        ] {
            assert!(!is_timestamp(text), "{text}");
        }
    }
}
