//! Health rules of users: of the operator, of Projects and of Apps.

use std::sync::Arc;

use lockstep_api::HealthRule;
use lockstep_health::{Expressions, Rules, UserRule, UserRuleError};
use lockstep_object::Gk;

/// Returns rules that win over others, and what of them cannot be read. Earlier rules win over later ones.
pub(crate) fn over<'r>(beneath: &Arc<Rules>, rules: impl Iterator<Item = &'r HealthRule>) -> (Arc<Rules>, Vec<String>) {
    let (mut read, mut problems) = (Vec::new(), Vec::new());
    for rule in rules {
        match user_rule(rule) {
            Ok(rule) => read.push(rule),
            Err(message) => problems.push(message),
        }
    }
    let rules = if read.is_empty() { Arc::clone(beneath) } else { Arc::new(Rules::over(Arc::clone(beneath), read)) };
    (rules, problems)
}

/// Reads a rule: a Lua script, or CEL expressions.
fn user_rule(rule: &HealthRule) -> Result<UserRule, String> {
    let about = Gk { group: rule.group.as_str().into(), kind: rule.kind.as_str().into() };
    let words = |error: UserRuleError| error.to_string();
    match (&rule.current, &rule.lua) {
        (Some(current), None) => {
            let expressions = Expressions {
                in_progress: rule.in_progress.clone(),
                failed: rule.failed.clone(),
                current: current.clone(),
                message: rule.message.clone(),
            };
            UserRule::cel(about, &expressions).map_err(words)
        }
        (None, Some(script)) => UserRule::lua(about, script).map_err(words),
        _ => Err(format!("the health rule of {about} needs exactly one of `current` and `lua`")),
    }
}

#[cfg(test)]
mod tests {
    use lockstep_object::{Object, from_json};

    use super::*;

    fn rule(current: Option<&str>, lua: Option<&str>) -> HealthRule {
        HealthRule {
            group: "example.com".to_owned(),
            kind: "Widget".to_owned(),
            current: current.map(str::to_owned),
            lua: lua.map(str::to_owned),
            ..HealthRule::default()
        }
    }

    #[test]
    fn rules_in_both_languages_judge_and_wrong_ones_are_named() {
        let base = Arc::new(Rules::builtin());
        let json =
            br#"{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"w"},"status":{"phase":"Up"}}"#;
        let widget = Object::try_from(from_json(json).unwrap()).unwrap();
        let script = "return {status = \"Degraded\", message = obj.status.phase}";
        for (rule, expect) in [
            (rule(Some("status.phase == 'Up'"), None), Some("Healthy")),
            (rule(None, Some(script)), Some("Degraded")),
            (rule(None, None), None),
            (rule(Some("status."), None), None),
        ] {
            let (rules, problems) = over(&base, [&rule].into_iter());
            let health = rules.assess(&widget, jiff::Timestamp::UNIX_EPOCH);
            assert_eq!(health.map(|health| health.status.as_str()), expect, "{rule:?}");
            assert_eq!(problems.is_empty(), expect.is_some(), "{problems:?}");
        }
    }
}
