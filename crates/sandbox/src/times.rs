//! Times as `metav1.Time` reads and prints them.

use jiff::Timestamp;

use crate::{
    moment::{micro_text, time_text},
    status::go_quote,
};

/// Reads an RFC 3339 time and prints it in UTC with seconds.
pub(crate) fn seconds(text: &str) -> Result<String, String> {
    parse(text, "2006-01-02T15:04:05Z07:00").map(time_text)
}

/// Reads an RFC 3339 time and prints it in UTC with microseconds.
pub(crate) fn micros(text: &str) -> Result<String, String> {
    parse(text, "2006-01-02T15:04:05.000000Z07:00").map(micro_text)
}

fn parse(text: &str, layout: &str) -> Result<Timestamp, String> {
    let bytes = text.as_bytes();
    let shaped = bytes.len() >= 20 && bytes[4] == b'-' && bytes[10] == b'T' && bytes[13] == b':';
    let parsed = if shaped { text.parse::<Timestamp>().ok() } else { None };
    parsed.ok_or_else(|| {
        let (rest, element) = if bytes.first().is_some_and(u8::is_ascii_digit) && bytes.len() >= 10 {
            (text.get(10..).unwrap_or_default(), "T")
        } else {
            (text, "2006")
        };
        format!(
            "parsing time {} as {}: cannot parse {} as {}",
            go_quote(text),
            go_quote(layout),
            go_quote(rest),
            go_quote(element)
        )
    })
}
