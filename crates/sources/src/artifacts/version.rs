//! Which of many versions is wanted.

use semver::Version;

use crate::{Error, Range, Result, range::parse_version};

/// Returns the place of the wanted version among those that there are, as Helm chooses: exactly that text, else the highest that
/// lies in the range; without a wish the highest release.
pub(crate) fn choose(wanted: &str, versions: &[&str]) -> Result<Option<usize>> {
    let wanted = wanted.trim();
    if let Some(place) = versions.iter().position(|version| *version == wanted).filter(|_| !wanted.is_empty()) {
        return Ok(Some(place));
    }
    let range: Range = if wanted.is_empty() { "*" } else { wanted }.parse()?;
    Ok(highest(versions, |version| range.contains(version)))
}

fn highest(versions: &[&str], fits: impl Fn(&Version) -> bool) -> Option<usize> {
    let all = versions.iter().enumerate().filter_map(|(place, text)| Some((parse_version(text)?, place)));
    let fitting = all.filter(|(version, _)| fits(version));
    // Of equal versions the first: the index lists the newest first.
    fitting.max_by(|a, b| a.0.cmp_precedence(&b.0).then(b.1.cmp(&a.1))).map(|(_, place)| place)
}

/// Says that nothing fits, and what there is.
pub(crate) fn nothing_fits(what: &str, wanted: &str, versions: &[&str]) -> Error {
    let newest = highest(versions, |_| true).and_then(|place| versions.get(place));
    let wanted = if wanted.trim().is_empty() { "*" } else { wanted };
    let message = format!("no version of {what} matches {wanted}");
    let hint = match newest {
        Some(newest) if newest.contains('-') => {
            format!("the newest is {newest}; pre-releases are only taken when the range names one, as >=1.0.0-0")
        }
        Some(newest) => format!("the newest is {newest}"),
        None => "there are no versions at all".to_owned(),
    };
    Error::new(crate::ErrorKind::ReferenceNotFound, message).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_chosen_as_helm_chooses() {
        let there = ["2.0.0-rc.1", "1.10.0", "1.9.0", "1.9.0+b2", "v0.5.0", "nonsense"];
        let cases = [
            ("", Some("1.10.0")),
            ("*", Some("1.10.0")),
            ("1.9.x", Some("1.9.0")),
            ("1.9.0+b2", Some("1.9.0+b2")),
            ("^1", Some("1.10.0")),
            (">=1.0.0-0", Some("2.0.0-rc.1")),
            ("2.0.0-rc.1", Some("2.0.0-rc.1")),
            ("0.5.0", Some("v0.5.0")),
            ("^3", None),
        ];
        for (wanted, expect) in cases {
            assert_eq!(choose(wanted, &there).unwrap().map(|place| there[place]), expect, "{wanted}");
        }
        assert!(choose("not a range", &there).is_err());
        assert!(nothing_fits("the chart a", "^3", &there).hint_text().unwrap().contains("2.0.0-rc.1"));
    }
}
