//! Which rule judges which kind.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use jiff::Timestamp;
use lockstep_object::Object;

use crate::{
    Health, Status, builtin,
    language::{Rule, SyntaxError, evaluate, kinds_of, parse_rule},
    library::FILES,
    user::UserRule,
};

/// The rules that judge objects: the user's first, then the library, then the built-in kinds.
///
/// A library rule is parsed when its kind is first seen; the text of the others costs nothing but its place.
#[derive(Debug, Default)]
pub struct Rules {
    user: Vec<UserRule>,
    /// The rules that hold where none of these is about the kind.
    beneath: Option<Arc<Rules>>,
    library: Vec<Entry>,
    /// Group, kind, place in `library`.
    exact: HashMap<&'static str, Vec<(&'static str, usize)>>,
    wild: Vec<(Pattern, usize)>,
}

#[derive(Debug)]
struct Entry {
    text: &'static str,
    rule: OnceLock<Result<Rule, SyntaxError>>,
}

#[derive(Debug)]
struct Pattern {
    group: &'static str,
    kind: &'static str,
}

impl Rules {
    /// Returns the built-in kinds and the library.
    pub fn builtin() -> Self {
        let mut rules = Self::default();
        for (_, file) in FILES {
            for (kinds, text) in kinds_of(file) {
                rules.add(&kinds, text);
            }
        }
        // The most special pattern first.
        rules.wild.sort_by_key(|(pattern, _)| std::cmp::Reverse(pattern.group.len() + pattern.kind.len()));
        rules
    }

    /// Returns rules of the user that win over others; an earlier one wins over a later one about the same kind.
    pub fn over(beneath: Arc<Self>, user: Vec<UserRule>) -> Self {
        Self { user, beneath: Some(beneath), ..Self::default() }
    }

    /// Adds a rule of the user; a later one wins over an earlier one about the same kind.
    #[must_use]
    pub fn with(mut self, rule: UserRule) -> Self {
        self.user.insert(0, rule);
        self
    }

    /// Judges an object at the time `now`; `None` where its kind has no opinion, which counts as healthy.
    ///
    /// An object that is being deleted is Progressing whatever its rule says (as in Argo CD), unless it is a
    /// hook that waits for its finalizer.
    pub fn assess(&self, object: &Object, now: Timestamp) -> Option<Health> {
        if !builtin::is_leaving(object) {
            return self.judge(object, now);
        }
        let told = self.judge(object, now).filter(|health| health.status == Status::Progressing);
        let leaving = |health: &Health| ["delet", "terminat"].iter().any(|word| health.message.contains(word));
        Some(told.filter(leaving).unwrap_or_else(builtin::pending_deletion))
    }

    /// Judges an object by its kind's rule alone, as Argo CD's scripts do; see [`Rules::assess`].
    pub fn judge(&self, object: &Object, now: Timestamp) -> Option<Health> {
        let (group, kind) = (group_of(object), object.kind());
        if let Some(rule) = self.user.iter().find(|rule| rule.is_about(group, kind)) {
            return rule.judge(object, now);
        }
        if let Some(beneath) = &self.beneath {
            return beneath.judge(object, now);
        }
        match self.entry(group, kind) {
            None => builtin::judge(object, group),
            Some(entry) => match entry.rule.get_or_init(|| parse_rule(entry.text)) {
                Ok(rule) => evaluate(rule, object),
                Err(error) => {
                    Some(Health::new(Status::Unknown, format!("the health rule of {kind} does not parse: {error}")))
                }
            },
        }
    }

    /// Lists the kinds of the library, as `group/Kind`, where `_` stands for any group part or kind.
    pub fn kinds(&self) -> Vec<String> {
        let exact =
            self.exact.iter().flat_map(|(group, kinds)| kinds.iter().map(move |(kind, _)| format!("{group}/{kind}")));
        let wild = self.wild.iter().map(|(pattern, _)| format!("{}/{}", pattern.group, pattern.kind));
        let mut kinds: Vec<String> = exact.chain(wild).collect();
        kinds.sort();
        kinds
    }

    fn add(&mut self, kinds: &[&'static str], text: &'static str) {
        let place = self.library.len();
        self.library.push(Entry { text, rule: OnceLock::new() });
        for name in kinds {
            let (group, kind) = name.split_once('/').unwrap_or(("", name));
            if group.contains('_') || kind == "_" {
                self.wild.push((Pattern { group, kind }, place));
            } else {
                self.exact.entry(group).or_default().push((kind, place));
            }
        }
    }

    fn entry(&self, group: &str, kind: &str) -> Option<&Entry> {
        let exact = self.exact.get(group).and_then(|kinds| kinds.iter().find(|(known, _)| *known == kind));
        let place = exact.map(|(_, place)| *place).or_else(|| {
            let fits = |pattern: &Pattern| {
                matches_group(pattern.group, group) && matches!(pattern.kind, known if known == kind || known == "_")
            };
            self.wild.iter().find(|(pattern, _)| fits(pattern)).map(|(_, place)| *place)
        })?;
        self.library.get(place)
    }
}

/// Returns the group of an object's `apiVersion`, without making a copy.
fn group_of(object: &Object) -> &str {
    object.api_version().split_once('/').map_or("", |(group, _)| group)
}

/// Tells whether a group fits a pattern in which `_` or `*` stands for anything, dots included.
pub fn matches_group(pattern: &str, group: &str) -> bool {
    let mut parts = pattern.split(['_', '*']);
    let Some(mut rest) = parts.next().and_then(|first| group.strip_prefix(first)) else { return false };
    let mut open = false;
    for part in parts {
        open = true;
        match rest.rfind(part) {
            Some(place) => rest = &rest[place + part.len()..],
            None => return false,
        }
    }
    rest.is_empty() || (open && pattern.ends_with(['_', '*']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_of_the_library_parses() {
        let rules = FILES.iter().flat_map(|(name, file)| kinds_of(file).into_iter().map(move |rule| (name, rule)));
        let errors: Vec<String> = rules
            .filter_map(|(name, (kinds, text))| Some(format!("{name} {}: {}", kinds[0], parse_rule(text).err()?)))
            .collect();
        assert!(errors.is_empty(), "{}", errors.join("\n"));
    }

    #[test]
    fn no_kind_has_two_rules() {
        let kinds = Rules::builtin().kinds();
        for pair in kinds.windows(2) {
            assert_ne!(pair[0], pair[1]);
        }
    }

    #[test]
    fn a_wildcard_stands_for_any_part_of_a_group() {
        for (pattern, group, fits) in [
            ("_.crossplane.io", "pkg.crossplane.io", true),
            ("_.crossplane.io", "iam.aws.crossplane.io", true),
            ("_.crossplane.io", "crossplane.io", false),
            ("_.crossplane.io", "x.crossplane.io.example.com", false),
            ("apps", "apps", true),
            ("apps", "apps.kruise.io", false),
            ("_", "anything", true),
        ] {
            assert_eq!(matches_group(pattern, group), fits, "{pattern} {group}");
        }
    }
}
