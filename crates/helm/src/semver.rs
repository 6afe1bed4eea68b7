//! Versions and constraints as Masterminds/semver 3.5 reads them.

use std::cmp::Ordering;

const MAX_VERSION: usize = 256;
const MAX_CONSTRAINT: usize = 512;
const MAX_GROUPS: usize = 32;

/// A version: `v1.2.3-pre+meta`, where minor and patch may be missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    numbers: [u64; 3],
    pre: String,
}

impl Version {
    /// Parses as `semver.NewVersion` does.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_VERSION {
            return None;
        }
        let text = text.strip_prefix('v').unwrap_or(text);
        let (text, meta) = cut(text, '+');
        let (core, pre) = cut(text, '-');
        if meta.is_some_and(|meta| !identifiers(meta, false)) || pre.is_some_and(|pre| !identifiers(pre, true)) {
            return None;
        }
        let mut numbers = [0; 3];
        let parts: Vec<&str> = core.split('.').collect();
        if parts.len() > 3 {
            return None;
        }
        for (number, part) in numbers.iter_mut().zip(parts) {
            let plain = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            if !plain {
                return None;
            }
            *number = part.parse().ok()?;
        }
        Some(Self { numbers, pre: pre.unwrap_or_default().to_owned() })
    }

    fn compare(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| compare_pre(&self.pre, &other.pre))
    }
}

fn cut(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(before, after)| (before, Some(after)))
}

fn identifiers(text: &str, numbers_without_zero: bool) -> bool {
    text.split('.').all(|part| {
        let allowed = !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let padded = part.len() > 1 && part.starts_with('0') && part.bytes().all(|b| b.is_ascii_digit());
        allowed && !(numbers_without_zero && padded)
    })
}

fn compare_pre(a: &str, b: &str) -> Ordering {
    match (a.is_empty(), b.is_empty()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let order = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) => compare_part(a, b),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

fn compare_part(a: &str, b: &str) -> Ordering {
    match (a.parse::<u64>(), b.parse::<u64>()) {
        (Ok(a), Ok(b)) => a.cmp(&b),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => a.cmp(b),
    }
}

/// Tells whether a version fits a constraint; false when either cannot be read, as Helm's `IsCompatibleRange`.
pub(crate) fn is_compatible(constraint: &str, version: &str) -> bool {
    let (Some(version), Some(groups)) = (Version::parse(version), parse_constraint(constraint)) else {
        return false;
    };
    groups.iter().any(|group| {
        let with_pre = group.iter().any(|part| !part.version.pre.is_empty());
        group.iter().all(|part| part.check(&version, with_pre))
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterEqual,
    LessEqual,
    Tilde,
    Caret,
}

/// The longest first, so that `>=` is not read as `>`.
const OPERATORS: &[(&str, Operator)] = &[
    ("!=", Operator::NotEqual),
    (">=", Operator::GreaterEqual),
    ("=>", Operator::GreaterEqual),
    ("<=", Operator::LessEqual),
    ("=<", Operator::LessEqual),
    ("~>", Operator::Tilde),
    ("=", Operator::Equal),
    (">", Operator::Greater),
    ("<", Operator::Less),
    ("~", Operator::Tilde),
    ("^", Operator::Caret),
];

#[derive(Debug)]
struct Part {
    operator: Operator,
    version: Version,
    /// How many numbers were given; the rest are wildcards.
    given: usize,
}

fn parse_constraint(text: &str) -> Option<Vec<Vec<Part>>> {
    if text.len() > MAX_CONSTRAINT {
        return None;
    }
    let text = rewrite_ranges(text);
    let groups: Vec<&str> = text.split("||").collect();
    if groups.len() > MAX_GROUPS {
        return None;
    }
    groups.into_iter().map(parse_group).collect()
}

/// Rewrites `1.2 - 2.3` to `>= 1.2, <= 2.3`.
fn rewrite_ranges(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(" - ") {
        let before = rest[..at].trim_end();
        let start = before.rfind([' ', ',', '|']).map_or(0, |i| i + 1);
        let after = rest[at + 3..].trim_start();
        let end = after.find([' ', ',', '|']).unwrap_or(after.len());
        out.push_str(&before[..start]);
        out.push_str(&format!(">= {}, <= {} ", &before[start..], &after[..end]));
        rest = &after[end..];
    }
    out.push_str(rest);
    out
}

fn parse_group(text: &str) -> Option<Vec<Part>> {
    let mut rest = text.trim_start();
    let mut parts = Vec::new();
    loop {
        let (operator, after) = OPERATORS
            .iter()
            .find_map(|(sign, operator)| rest.strip_prefix(sign).map(|after| (*operator, after)))
            .unwrap_or((Operator::Equal, rest));
        let after = after.trim_start();
        let end = after.find(|c: char| c.is_whitespace() || c == ',').unwrap_or(after.len());
        parts.push(parse_part(operator, &after[..end])?);
        let next = after[end..].trim_start();
        if next.is_empty() {
            return Some(parts);
        }
        rest = next.strip_prefix(',').unwrap_or(next).trim_start();
        if rest.is_empty() {
            return None;
        }
    }
}

fn parse_part(operator: Operator, text: &str) -> Option<Part> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let core_end = text.find(['-', '+']).unwrap_or(text.len());
    let (core, tail) = text.split_at(core_end);
    let (pre, meta) = cut(tail, '+');
    let mut numbers = Vec::new();
    for part in core.split('.') {
        if matches!(part, "x" | "X" | "*") {
            break;
        }
        numbers.push(part);
    }
    let count = core.split('.').count();
    let wild = core.split('.').all(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit() || b"xX*".contains(&b)));
    if core.is_empty() || count > 3 || !wild || meta.is_some_and(|meta| !identifiers(meta, false)) {
        return None;
    }
    let given = numbers.len();
    let mut full = numbers.join(".");
    for n in given..3 {
        full.push_str(if n == 0 { "0" } else { ".0" });
    }
    full.push_str(pre);
    Some(Part { operator, version: Version::parse(&full)?, given })
}

impl Part {
    fn check(&self, version: &Version, with_pre: bool) -> bool {
        if !version.pre.is_empty() && !with_pre {
            return false;
        }
        let order = version.compare(&self.version);
        match self.operator {
            Operator::Equal if self.given < 3 => self.tilde(version, order),
            Operator::Equal => order == Ordering::Equal,
            Operator::NotEqual => self.not_equal(version, order),
            Operator::Greater => self.greater(version, order),
            Operator::Less => order == Ordering::Less,
            Operator::GreaterEqual => order != Ordering::Less,
            Operator::LessEqual => self.less_equal(version, order),
            Operator::Tilde => self.tilde(version, order),
            Operator::Caret => self.caret(version, order),
        }
    }

    fn not_equal(&self, version: &Version, order: Ordering) -> bool {
        match self.given {
            2 if version.numbers[..2] == self.version.numbers[..2] => {
                (!version.pre.is_empty() || !self.version.pre.is_empty()) && version.pre != self.version.pre
            }
            given @ 1..=2 => version.numbers[..given] != self.version.numbers[..given],
            _ => order != Ordering::Equal,
        }
    }

    fn greater(&self, version: &Version, order: Ordering) -> bool {
        match self.given {
            1 => version.numbers[0] > self.version.numbers[0],
            2 => version.numbers[..2] > self.version.numbers[..2],
            _ => order == Ordering::Greater,
        }
    }

    fn less_equal(&self, version: &Version, order: Ordering) -> bool {
        match self.given {
            3 => order != Ordering::Greater,
            1 => version.numbers[0] <= self.version.numbers[0],
            _ => version.numbers[..2] <= self.version.numbers[..2],
        }
    }

    fn tilde(&self, version: &Version, order: Ordering) -> bool {
        if order == Ordering::Less {
            return false;
        }
        if self.version.numbers == [0; 3] && (self.given == 3 || self.given == 0) {
            return true;
        }
        version.numbers[0] == self.version.numbers[0]
            && (self.given == 1 || version.numbers[1] == self.version.numbers[1])
    }

    fn caret(&self, version: &Version, order: Ordering) -> bool {
        let (mine, its) = (self.version.numbers, version.numbers);
        if order == Ordering::Less {
            return false;
        }
        if mine[0] > 0 || self.given == 1 {
            return its[0] == mine[0];
        }
        if its[0] > 0 {
            return false;
        }
        if mine[1] > 0 || self.given == 2 {
            return its[1] == mine[1];
        }
        its[1] == 0 && its[2] == mine[2]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(constraint: &str, version: &str, expect: bool) {
        assert_eq!(is_compatible(constraint, version), expect, "{constraint} {version}");
    }

    #[test]
    fn constraints_hold_as_masterminds_reads_them() {
        check(">=1.16", "v1.20.4", true);
        check("~1.2", "1.2.9", true);
        check("~1", "1.9.9", true);
        check("^0.2.3", "0.2.9", true);
        check("^0.2.3", "0.3.0", false);
        check("1.2.x", "1.2.7", true);
        check("1.2 - 1.4", "1.3.5", true);
        check("<1.0 || >=2", "2.1.0", true);
        check(">1.0.0", "2.0.0-rc.1", false);
        check(">1.0.0-0", "2.0.0-rc.1", true);
        check("*", "3.1.4", true);
        check("", "1.0.0", false);
    }

    #[test]
    fn versions_may_leave_out_minor_and_patch_and_have_leading_zeros() {
        assert!(Version::parse("v1").is_some());
        assert!(Version::parse("1.2").is_some());
        assert!(Version::parse("01.2.3").is_some());
        for bad in ["", "1.2.3.4", "1.2.3-01", " 1.0.0", "1.x", "x.y"] {
            assert!(Version::parse(bad).is_none(), "{bad}");
        }
    }
}
