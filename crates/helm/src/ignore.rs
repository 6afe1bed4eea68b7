//! `.helmignore`: which files of a folder are not part of the chart.

use crate::glob::path_match;

/// The rules of one `.helmignore`, with Helm's own (`templates/.?*`) after them.
pub(crate) struct Rules(Vec<Rule>);

struct Rule {
    pattern: String,
    negated: bool,
    folders_only: bool,
    whole_path: bool,
}

impl Rules {
    /// Reads a file's text. An error is Helm's words.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut rules = Vec::new();
        for line in text.lines().chain(["templates/.?*"]) {
            rules.extend(parse_rule(line.trim())?);
        }
        Ok(Self(rules))
    }

    /// Tells whether a path (from the chart's folder) is left out. A negated rule ignores what it does not match, as in Helm.
    pub(crate) fn ignores(&self, path: &str, is_folder: bool) -> bool {
        for rule in &self.0 {
            let matched = rule.matches(path);
            if rule.negated {
                if (rule.folders_only && !is_folder) || !matched {
                    return true;
                }
            } else if (is_folder || !rule.folders_only) && matched {
                return true;
            }
        }
        false
    }
}

fn parse_rule(line: &str) -> Result<Option<Rule>, String> {
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    if line.contains("**") {
        return Err("double-star (**) syntax is not supported".into());
    }
    if path_match(line, "abc").is_err() {
        return Err("syntax error in pattern".into());
    }
    let (negated, rest) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest));
    let (folders_only, rest) = rest.strip_suffix('/').map_or((false, rest), |rest| (true, rest));
    let (anchored, rest) = rest.strip_prefix('/').map_or((false, rest), |rest| (true, rest));
    Ok(Some(Rule { pattern: rest.to_owned(), negated, folders_only, whole_path: anchored || rest.contains('/') }))
}

impl Rule {
    fn matches(&self, path: &str) -> bool {
        let name = if self.whole_path { path } else { path.rsplit('/').next().unwrap_or(path) };
        path_match(&self.pattern, name).unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_leave_out_what_helm_leaves_out() {
        let rules = Rules::parse("# comment\n*.bak\n/docs\nsecret/\n").unwrap();
        assert!(rules.ignores("a/b.bak", false));
        assert!(rules.ignores("docs", true));
        assert!(!rules.ignores("sub/docs", true));
        assert!(rules.ignores("x/secret", true));
        assert!(!rules.ignores("x/secret", false));
        assert!(rules.ignores("templates/.hidden", false));
        assert!(Rules::parse("a/**").is_err());
    }

    #[test]
    fn a_negated_rule_ignores_everything_else() {
        let rules = Rules::parse("!keep.txt").unwrap();
        assert!(!rules.ignores("keep.txt", false));
        assert!(rules.ignores("Chart.yaml", false));
    }
}
