//! The formats of strings that the API server checks; others say nothing.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Tells whether a text is not of the format.
pub(super) fn is_wrong(format: &str, text: &str) -> bool {
    !match format {
        "date-time" | "datetime" => date_time(text),
        "date" => date(text),
        "duration" => duration(text),
        "email" => email(text),
        "hostname" => hostname(text),
        "ipv4" => text.parse::<Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        "cidr" => cidr(text),
        "mac" => mac(text),
        "uri" => uri(text),
        "uuid" => uuid(text, None),
        "uuid3" => uuid(text, Some('3')),
        "uuid4" => uuid(text, Some('4')),
        "uuid5" => uuid(text, Some('5')),
        "byte" => base64(text),
        "bsonobjectid" => text.len() == 24 && hex(text),
        "hexcolor" => matches!(text.trim_start_matches('#').len(), 3 | 6) && hex(text.trim_start_matches('#')),
        "k8s-short-name" => text.len() <= 63 && !text.contains('.') && subdomain(text),
        "k8s-long-name" => text.len() <= 253 && subdomain(text),
        _ => true,
    }
}

fn hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn digits(text: &str, count: usize) -> Option<u32> {
    let fits = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    if fits { text.parse().ok() } else { None }
}

fn date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else { return false };
    let (Some(year), Some(month), Some(day)) = (digits(year, 4), digits(month, 2), digits(day, 2)) else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=last).contains(&day)
}

/// RFC 3339, and the forms without a zone or with a short one that go-openapi accepts.
fn date_time(text: &str) -> bool {
    let Some((day, time)) = text.split_once(['T', 't']) else { return false };
    let zone_at = time.find(['Z', 'z', '+', '-']);
    let (time, zone) = zone_at.map_or((time, ""), |place| time.split_at(place));
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let parts: Vec<&str> = clock.split(':').collect();
    let clock = match parts.as_slice() {
        [hour, minute, second] => [(hour, 23), (minute, 59), (second, 60)]
            .iter()
            .all(|(part, most)| digits(part, 2).is_some_and(|number| number <= *most)),
        _ => false,
    };
    let offset = zone.trim_start_matches(['+', '-']).replace(':', "");
    let zone = matches!(zone, "" | "Z" | "z") || digits(&offset, 4).is_some();
    date(day) && clock && zone && !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit())
}

/// Go's durations (`1h30m`), and numbers with a word (`3 days`).
fn duration(text: &str) -> bool {
    const UNITS: [&str; 8] = ["ns", "us", "µs", "μs", "ms", "s", "m", "h"];
    let go = |text: &str| {
        let mut rest = text.trim_start_matches(['+', '-']);
        if rest == "0" {
            return true;
        }
        let mut any = false;
        while !rest.is_empty() {
            let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            let (amount, tail) = rest.split_at(number);
            let unit = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(unit);
            if amount.parse::<f64>().is_err() || !UNITS.contains(&unit) {
                return false;
            }
            any = true;
            rest = tail;
        }
        any
    };
    const WORDS: [&str; 8] = ["ns", "us", "ms", "s", "m", "h", "d", "w"];
    const NAMES: [&str; 8] = ["nano", "micro", "milli", "sec", "min", "hour", "day", "week"];
    let worded = |text: &str| {
        let number = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(0);
        let (amount, unit) = text.split_at(number);
        let unit = unit.trim();
        !amount.is_empty() && (WORDS.contains(&unit) || NAMES.iter().any(|name| unit.starts_with(name)))
    };
    go(text) || worded(text)
}

fn email(text: &str) -> bool {
    let address = text.rsplit_once('<').map_or(text, |(_, rest)| rest.trim_end_matches('>'));
    let Some((name, host)) = address.rsplit_once('@') else { return false };
    !name.is_empty() && !host.is_empty() && !name.contains(char::is_whitespace) && !host.contains([' ', '@'])
}

fn hostname(text: &str) -> bool {
    let label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=63).contains(&label.len()) && label.bytes().all(inner) && !label.starts_with('-') && !label.ends_with('-')
    };
    text.len() <= 255 && text.trim_end_matches('.').split('.').all(label)
}

fn subdomain(text: &str) -> bool {
    let label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !label.is_empty() && label.bytes().all(inner) && !label.starts_with('-') && !label.ends_with('-')
    };
    text.split('.').all(label)
}

fn cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else { return false };
    let most = if address.parse::<Ipv4Addr>().is_ok() { 32 } else { 128 };
    let known = most == 32 || address.parse::<Ipv6Addr>().is_ok();
    known && !bits.starts_with('+') && bits.parse::<u8>().is_ok_and(|bits| bits <= most)
}

fn mac(text: &str) -> bool {
    let parts: Vec<&str> = text.split([':', '-']).collect();
    let pairs = matches!(parts.len(), 6 | 8 | 20) && parts.iter().all(|part| part.len() == 2 && hex(part));
    let dots: Vec<&str> = text.split('.').collect();
    pairs || (matches!(dots.len(), 3 | 4 | 10) && dots.iter().all(|part| part.len() == 4 && hex(part)))
}

/// Go's `url.ParseRequestURI`: an absolute path, or a scheme and something behind it.
fn uri(text: &str) -> bool {
    if text.is_empty() || text.contains(|c: char| c.is_control() || c == ' ') {
        return false;
    }
    if text.starts_with('/') {
        return true;
    }
    let Some((scheme, _)) = text.split_once(':') else { return false };
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    scheme.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic()) && scheme.bytes().all(inner)
}

fn uuid(text: &str, version: Option<char>) -> bool {
    let plain: String = text.chars().filter(|c| *c != '-').collect();
    let fits = plain.len() == 32 && hex(&plain);
    let variant = plain.chars().nth(16).is_some_and(|c| "89abAB".contains(c));
    match version {
        None => fits,
        Some('3') => fits && plain.chars().nth(12) == Some('3'),
        Some(version) => fits && variant && plain.chars().nth(12) == Some(version),
    }
}

fn base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let padding = text.len() - body.len();
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    text.len().is_multiple_of(4) && padding <= 2 && body.bytes().all(inner)
}

#[cfg(test)]
mod tests {
    use super::is_wrong;

    fn check(format: &str, right: &[&str], wrong: &[&str]) {
        for text in right {
            assert!(!is_wrong(format, text), "{text} is a {format}");
        }
        for text in wrong {
            assert!(is_wrong(format, text), "{text} is no {format}");
        }
    }

    #[test]
    fn texts_are_of_their_formats_or_not() {
        check(
            "date-time",
            &["2020-01-01T00:00:00Z", "2024-02-29T23:59:59.5+02:00"],
            &["nope", "2020-01-01", "2023-02-29T00:00:00Z"],
        );
        check("date", &["2020-02-29"], &["2020-13-01", "2019-02-29", "2020-1-1"]);
        check("duration", &["1h", "1h30m", "1.5s", "3 days"], &["1x", "", "h"]);
        check("email", &["a@b.c"], &["nope", "@b"]);
        check("hostname", &["example.com"], &["bad_host!", "-a"]);
        check("ipv4", &["1.2.3.4"], &["300.1.1.1"]);
        check("cidr", &["10.0.0.0/8", "::/0"], &["x", "10.0.0.0/33"]);
        check("uri", &["https://example.com/x", "/x"], &["::", "x y"]);
        check("uuid", &["6ba7b810-9dad-11d1-80b4-00c04fd430c8"], &["x"]);
        check("byte", &["eA=="], &["***", "eA="]);
        check("password", &["anything"], &[]);
    }
}
