//! An App's own rules, read once when its spec changes.

use std::sync::Arc;

use lockstep_api::{AppSpec, IgnoreDifference, SyncWindow, matches};
use lockstep_diff::{Ignore, IgnoreError};
use lockstep_health::Expression;
use lockstep_object::ObjectKey;

use crate::{
    Respect,
    windows::{self, Window},
};

/// The rules of an App: what differences are none, when it may be synced, when its dependencies are ready.
#[derive(Debug, Default)]
pub(crate) struct SpecRules {
    ignore: Vec<IgnoreRule>,
    pub(crate) windows: Vec<Window>,
    /// One for each dependency.
    pub(crate) ready: Vec<Option<Expression>>,
    /// What cannot be read.
    pub(crate) problems: Vec<String>,
}

#[derive(Debug)]
struct IgnoreRule {
    about: IgnoreDifference,
    rules: Vec<Ignore>,
}

/// What the rules say about one object.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ignored {
    /// What a sync leaves as it is.
    pub(crate) respect: Respect,
    /// Differences that are no drift at all, and not even told.
    pub(crate) silent: Arc<[Ignore]>,
}

impl SpecRules {
    /// Reads the rules of a spec and the windows of its project. What cannot be read is told and left out.
    pub(crate) fn read(app: &str, spec: &AppSpec, project: &[SyncWindow]) -> Self {
        let mut rules = Self::default();
        for about in &spec.ignore_differences {
            match read_ignore(about) {
                Ok(read) => rules.ignore.push(IgnoreRule { about: about.clone(), rules: read }),
                Err(error) => rules.problems.push(format!("ignoreDifferences: {error}")),
            }
        }
        for window in spec.sync.windows.iter().chain(project).filter(|window| window.is_about(app)) {
            match windows::read(window) {
                Ok(window) => rules.windows.push(window),
                Err(error) => rules.problems.push(error),
            }
        }
        for dependency in &spec.depends_on {
            let ready = dependency.ready.as_deref().map(Expression::read).transpose();
            rules.ready.push(ready.unwrap_or_else(|error| {
                rules.problems.push(format!("dependsOn {}: ready: {error}", dependency.name));
                None
            }));
        }
        rules
    }

    /// Returns what is ignored of an object.
    pub(crate) fn ignored(&self, key: &ObjectKey) -> Ignored {
        let about = || self.ignore.iter().filter(|rule| is_about(&rule.about, key));
        let all: Vec<Ignore> = about().flat_map(|rule| rule.rules.iter().cloned()).collect();
        let silent = about().filter(|rule| !rule.about.warn).flat_map(|rule| rule.rules.iter().cloned()).collect();
        Ignored { respect: Respect(all.into()), silent }
    }
}

fn read_ignore(about: &IgnoreDifference) -> Result<Vec<Ignore>, IgnoreError> {
    let pointers = about.json_pointers.iter().map(|text| Ignore::pointer(text));
    let expressions = about.jq_path_expressions.iter().map(|text| Ignore::jq(text));
    let paths = about.paths.iter().map(|text| Ignore::path(text));
    let mut rules = pointers.chain(expressions).chain(paths).collect::<Result<Vec<_>, _>>()?;
    if !about.managed_fields_managers.is_empty() {
        rules.push(Ignore::managers(about.managed_fields_managers.iter().cloned()));
    }
    Ok(rules)
}

/// Group and kind are patterns, name and namespace exact, as in Argo CD.
fn is_about(about: &IgnoreDifference, key: &ObjectKey) -> bool {
    let exact = |wanted: &str, found: &str| wanted.is_empty() || wanted == found;
    matches(&about.group, &key.group)
        && (about.kind.is_empty() || matches(&about.kind, &key.kind))
        && exact(&about.name, &key.name)
        && exact(&about.namespace, &key.namespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_about_the_objects_that_it_names() {
        let about = |group: &str, kind: &str, name: &str| IgnoreDifference {
            group: group.to_owned(),
            kind: kind.to_owned(),
            name: name.to_owned(),
            json_pointers: vec!["/spec/replicas".to_owned()],
            ..IgnoreDifference::default()
        };
        let key = ObjectKey::new("apps", "Deployment", "shop", "web");
        for (rule, fits) in [
            (about("apps", "Deployment", ""), true),
            (about("apps", "Deployment", "web"), true),
            (about("apps", "Deployment", "api"), false),
            (about("*", "*", ""), true),
            (about("", "Deployment", ""), false),
            (about("apps", "Stateful*", ""), false),
        ] {
            let spec = AppSpec { ignore_differences: vec![rule.clone()], ..AppSpec::default() };
            let rules = SpecRules::read("shop", &spec, &[]);
            assert_eq!(!rules.ignored(&key).respect.0.is_empty(), fits, "{rule:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_and_the_rest_holds() {
        let rule = |pointer: &str| IgnoreDifference {
            group: "*".to_owned(),
            json_pointers: vec![pointer.to_owned()],
            ..IgnoreDifference::default()
        };
        let spec = AppSpec { ignore_differences: vec![rule("spec"), rule("/spec")], ..AppSpec::default() };
        let rules = SpecRules::read("shop", &spec, &[]);
        assert_eq!(
            rules.problems,
            ["ignoreDifferences: \"spec\" is no JSON pointer: one begins with `/`, as `/spec/replicas`"]
        );
        assert_eq!(rules.ignored(&ObjectKey::new("", "ConfigMap", "a", "b")).respect.0.len(), 1);
    }
}
