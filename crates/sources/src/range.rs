//! Ranges of versions, as the Go tools of the trade read them (Masterminds/semver 3, used by Argo CD and Flux).

use std::{cmp::Ordering, fmt, str::FromStr};

use semver::{BuildMetadata, Prerelease, Version};

use crate::{Error, ErrorKind, Result};

/// A range of versions: `^1.2`, `~1.2.3`, `>=1.0 <2 || 3.x`, `1.2 - 1.4`, `*`.
/// A version with a pre-release part lies only in a range that names one too.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Range {
    text: String,
    alternatives: Vec<Vec<Comparator>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Comparator {
    at_least: Option<Bound>,
    at_most: Option<Bound>,
    negated: bool,
    prereleases: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Bound {
    version: Version,
    inclusive: bool,
}

/// A version of which the last parts may be missing or `x`.
struct Partial {
    floor: Version,
    /// How many of major, minor, patch are given.
    given: usize,
}

const OPERATORS: [&str; 11] = [">=", "=>", "<=", "=<", "!=", "~>", ">", "<", "=", "~", "^"];

impl Range {
    /// Tells whether a version lies in the range.
    pub fn contains(&self, version: &Version) -> bool {
        self.alternatives.iter().any(|all| all.iter().all(|comparator| comparator.contains(version)))
    }

    /// Returns the place of the highest version among tag names (a `v` in front is read over); what is no version does not count.
    pub fn highest<'a>(&self, tags: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
        let versions = tags.into_iter().filter_map(|tag| Some((parse_version(tag)?, tag)));
        let fitting = versions.filter(|(version, _)| self.contains(version));
        fitting.max_by(|left, right| left.0.cmp_precedence(&right.0).then(left.1.cmp(right.1))).map(|(_, tag)| tag)
    }
}

impl Comparator {
    fn contains(&self, version: &Version) -> bool {
        if !version.pre.is_empty() && !self.prereleases {
            return false;
        }
        let fits = |bound: &Option<Bound>, outside: Ordering| {
            bound.as_ref().is_none_or(|bound| match version.cmp_precedence(&bound.version) {
                Ordering::Equal => bound.inclusive,
                order => order != outside,
            })
        };
        (fits(&self.at_least, Ordering::Less) && fits(&self.at_most, Ordering::Greater)) != self.negated
    }
}

impl Partial {
    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
        let (text, build) = text.split_once('+').map_or((text, ""), |(text, build)| (text, build));
        let (numbers, pre) = text.split_once('-').map_or((text, ""), |(text, pre)| (text, pre));
        let mut floor = Version::new(0, 0, 0);
        floor.pre = Prerelease::new(pre).ok()?;
        floor.build = BuildMetadata::new(build).ok()?;
        let mut given = 0;
        let mut wild = false;
        for (place, part) in numbers.split('.').enumerate() {
            if place > 2 {
                return None;
            }
            if matches!(part, "x" | "X" | "*") {
                wild = true;
            } else {
                if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
                    return None;
                }
                let number = part.parse().ok()?;
                if !wild {
                    *[&mut floor.major, &mut floor.minor, &mut floor.patch][place] = number;
                    given = place + 1;
                }
            }
        }
        (given == 3 || pre.is_empty()).then_some(Self { floor, given })
    }

    /// The first version after all that agree with the first `parts` parts; its pre-releases lie after, too.
    fn after(&self, parts: usize) -> Option<Bound> {
        let Version { major, minor, patch, .. } = self.floor;
        let mut version = match parts {
            0 => return None,
            1 => Version::new(major.saturating_add(1), 0, 0),
            2 => Version::new(major, minor.saturating_add(1), 0),
            _ => Version::new(major, minor, patch.saturating_add(1)),
        };
        version.pre = Prerelease::new("0").unwrap_or(Prerelease::EMPTY);
        Some(Bound { version, inclusive: false })
    }

    fn from(&self, inclusive: bool) -> Option<Bound> {
        Some(Bound { version: self.floor.clone(), inclusive })
    }
}

fn comparator(operator: &str, partial: &Partial) -> Comparator {
    let whole = partial.given == 3;
    let exactly = |partial: &Partial| match whole {
        true => (partial.from(true), partial.from(true)),
        false => (partial.from(true), partial.after(partial.given)),
    };
    let (at_least, at_most) = match operator {
        ">" if partial.given == 0 => (None, partial.from(false)),
        ">" if whole => (partial.from(false), None),
        ">" => (partial.after(partial.given).map(|bound| Bound { inclusive: true, ..bound }), None),
        ">=" | "=>" => (partial.from(true), None),
        "<" => (None, partial.from(false)),
        "<=" | "=<" if whole => (None, partial.from(true)),
        "<=" | "=<" => (None, partial.after(partial.given)),
        "~" | "~>" => (partial.from(true), partial.after(partial.given.min(2))),
        "^" => (partial.from(true), partial.after(caret_parts(partial))),
        _ => exactly(partial),
    };
    Comparator { at_least, at_most, negated: operator == "!=", prereleases: !partial.floor.pre.is_empty() }
}

/// `^` keeps the first part that is not zero.
fn caret_parts(partial: &Partial) -> usize {
    let Version { major, minor, .. } = partial.floor;
    let first = if major > 0 {
        1
    } else if minor > 0 {
        2
    } else {
        3
    };
    first.min(partial.given)
}

fn alternative(text: &str) -> Option<Vec<Comparator>> {
    if let Some((low, high)) = text.split_once(" - ") {
        let (low, high) = (Partial::parse(low.trim())?, Partial::parse(high.trim())?);
        return Some(vec![comparator(">=", &low), comparator("<=", &high)]);
    }
    let mut comparators = Vec::new();
    let mut operator = None;
    for mut word in text.split([',', ' ', '\t']).filter(|word| !word.is_empty()) {
        if let Some(found) = OPERATORS.iter().find(|operator| word.starts_with(**operator)) {
            if operator.replace(*found).is_some() {
                return None;
            }
            word = &word[found.len()..];
        }
        while !word.is_empty() {
            // `>=1.0<2` has no space between the two.
            let end = word.find(['<', '>', '=', '!', '~', '^']).unwrap_or(word.len());
            let (version, rest) = word.split_at(end);
            comparators.push(comparator(operator.take().unwrap_or("="), &Partial::parse(version)?));
            word = rest;
            if let Some(found) = OPERATORS.iter().find(|operator| word.starts_with(**operator)) {
                operator = Some(*found);
                word = &word[found.len()..];
            }
        }
    }
    (operator.is_none() && !comparators.is_empty()).then_some(comparators)
}

/// Reads a tag's name as a version; missing parts are zero and a `v` in front is read over.
pub(crate) fn parse_version(tag: &str) -> Option<Version> {
    let partial = Partial::parse(tag)?;
    let wild = tag.split(['-', '+']).next().is_some_and(|numbers| numbers.contains(['x', 'X', '*']));
    (partial.given > 0 && !wild).then_some(partial.floor)
}

impl FromStr for Range {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let alternatives: Option<Vec<_>> = text.split("||").map(|part| alternative(part.trim())).collect();
        let bad = || {
            Error::new(ErrorKind::BadReference, format!("{text:?} is not a range of versions"))
                .hint("ranges look like ^1.2, ~1.2.3, >=1.0 <2, 1.x or *")
        };
        Ok(Self { text: text.to_owned(), alternatives: alternatives.ok_or_else(bad)? })
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(range: &str, inside: &str, outside: &str) {
        let parsed: Range = range.parse().unwrap();
        for (versions, expect) in [(inside, true), (outside, false)] {
            for version in versions.split_whitespace() {
                assert_eq!(parsed.contains(&parse_version(version).unwrap()), expect, "{version} in {range}");
            }
        }
    }

    #[test]
    fn ranges_hold_what_masterminds_semver_documents() {
        check("^1.2.3", "1.2.3 v1.9.0", "1.2.2 2.0.0 1.3.0-rc.1");
        check("^0.2.3", "0.2.3 0.2.9", "0.3.0");
        check("^0.0.3", "0.0.3", "0.0.4");
        check("^0.0", "0.0.9", "0.1.0");
        check("~1.2.3", "1.2.3 1.2.9", "1.3.0");
        check("~1", "1.0.0 1.9.0", "2.0.0");
        check("1.2.x", "1.2.0 1.2.7", "1.3.0");
        check("1.2", "1.2.7", "1.3.0");
        check("*", "0.0.1 9.0.0", "1.0.0-rc.1");
        check(">1.2", "1.3.0", "1.2.9");
        check("<=2", "2.9.9", "3.0.0");
        check(">= 1.0 < 2 || 3.x", "1.5.0 3.1.0", "2.5.0 0.9.0");
        check(">=1.0<2", "1.5.0", "2.0.0");
        check("1.2 - 1.4", "1.2.0 1.4.9", "1.5.0");
        check("!=1.2.3", "1.2.4", "1.2.3");
        check("^1.2.0-0", "1.3.0-rc.1 1.2.0", "2.0.0-rc.1");
        check("=1.2.3", "1.2.3", "1.2.4");
    }

    #[test]
    fn nonsense_is_no_range() {
        for text in ["", "main", ">=", "1.2.3.4", "^ ^1", "1..2", "||", "-1"] {
            assert!(text.parse::<Range>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_highest_version_wins_not_the_last_in_the_alphabet() {
        let range: Range = "^1".parse().unwrap();
        assert_eq!(range.highest(["v1.9.0", "v1.10.0", "latest", "v2.0.0"]), Some("v1.10.0"));
    }
}
