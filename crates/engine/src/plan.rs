//! What a sync has to do.

use std::sync::Arc;

use lockstep_object::{ObjectKey, Text};

use crate::{Desired, HookPhase, Inventory, LiveIndex, Prepared, Stage};

/// The rules of a plan.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The App's label: what does not carry it is never deleted.
    pub label: String,
    /// Whether objects that left the source are deleted.
    pub prune: bool,
    /// Whether a source without objects may delete everything.
    pub allow_empty: bool,
    /// Whether hooks run: the desired state changed, or a sync was asked for.
    pub hooks: bool,
}

/// What a sync has to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What is applied, stage after stage.
    pub stages: Vec<PlannedStage>,
    /// What is deleted afterwards, in the order of deletion.
    pub prune: Vec<(ObjectKey, Text)>,
    /// What was not planned, and why; a person should know.
    pub refusals: Vec<Refusal>,
}

/// One stage of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlannedStage {
    /// The stage.
    pub stage: Stage,
    /// What is applied, ordered by class.
    pub apply: Vec<Arc<Desired>>,
    /// What is already as it should be: only its health counts.
    pub keep: Vec<ObjectKey>,
}

/// Something that was not planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The object; nothing if it is about all of them.
    pub key: Option<ObjectKey>,
    /// Why.
    pub message: String,
    /// Whether the rest of the plan must not be carried out either.
    pub fatal: bool,
}

/// Plans a sync: what differs from the desired state or from what we applied, and what is no longer wanted.
///
/// An object whose desired digest is the recorded one and whose fields are as we left them is kept, at no cost.
/// Nothing is pruned that is not in the inventory, that does not carry our label, or that asks to be kept; and
/// never everything at once unless the policy allows it.
pub fn plan(desired: &Prepared, inventory: &Inventory, live: &LiveIndex, policy: &Policy) -> Plan {
    let mut plan = Plan::default();
    for one in &desired.desired {
        let hook = one.hook.as_ref();
        if hook.is_some_and(|hook| !policy.hooks || !hook.phases.iter().any(|phase| matches!(phase, HookPhase::At(_))))
        {
            continue;
        }
        if plan.stages.last().is_none_or(|last| last.stage != one.stage) {
            plan.stages.push(PlannedStage { stage: one.stage, ..PlannedStage::default() });
        }
        let stage = plan.stages.last_mut().expect("pushed above");
        if hook.is_none() && is_as_we_left_it(one, inventory, live) {
            stage.keep.push(one.key.clone());
        } else {
            stage.apply.push(Arc::new(one.clone()));
        }
    }
    plan_prune(&mut plan, desired, inventory, live, policy);
    plan
}

/// Tells whether an object needs no apply.
pub(crate) fn is_as_we_left_it(one: &Desired, inventory: &Inventory, live: &LiveIndex) -> bool {
    let (Some(record), Some(live)) = (inventory.get(&one.key), live.get(&one.key)) else { return false };
    record.desired == one.digest && record.version == one.version && record.owned == live.owned && !live.deleting
}

fn plan_prune(plan: &mut Plan, desired: &Prepared, inventory: &Inventory, live: &LiveIndex, policy: &Policy) {
    let wanted: std::collections::HashSet<&ObjectKey> = desired.desired.iter().map(|one| &one.key).collect();
    let gone: Vec<_> = inventory.iter().filter(|(key, _)| !wanted.contains(key)).collect();
    if gone.is_empty() {
        return;
    }
    if desired.desired.is_empty() && !policy.allow_empty {
        let message = format!("the source has no objects; {} would be deleted", count(gone.len()));
        plan.refusals.push(Refusal { key: None, message, fatal: true });
        return;
    }
    for (key, record) in gone {
        let Some(facts) = live.get(key) else { continue };
        if facts.app.as_deref() != Some(policy.label.as_str()) {
            continue;
        }
        match keeps(key, facts.prune.as_deref(), policy) {
            Some(message) => plan.refusals.push(Refusal { key: Some(key.clone()), message, fatal: false }),
            None => plan.prune.push((key.clone(), record.version.clone())),
        }
    }
    plan.prune.sort_by_key(|(key, _)| std::cmp::Reverse(lockstep_object::apply_rank(&key.kind)));
}

/// Tells why an object that is no longer wanted is kept.
fn keeps(key: &ObjectKey, annotation: Option<&str>, policy: &Policy) -> Option<String> {
    let holds_data = matches!(
        (key.group.as_str(), key.kind.as_str()),
        ("", "Namespace" | "PersistentVolumeClaim") | ("apiextensions.k8s.io", "CustomResourceDefinition")
    );
    match annotation {
        Some("disabled") => Some(format!("{key} is no longer wanted and kept, as its annotation asks")),
        _ if !policy.prune => Some(format!("{key} is no longer wanted and kept, for pruning is off")),
        Some("allowed") => None,
        _ if holds_data => Some(format!(
            "{key} is no longer wanted and kept, for deleting it destroys data; annotate it with {}=allowed to let it go",
            lockstep_api::PRUNE
        )),
        _ => None,
    }
}

fn count(number: usize) -> String {
    if number == 1 { "1 object".to_owned() } else { format!("{number} objects") }
}

#[cfg(test)]
mod tests {
    use lockstep_health::Status;

    use super::*;
    use crate::{Class, Live, Record};

    fn key(kind: &str, name: &str) -> ObjectKey {
        ObjectKey::new("", kind, "shop", name)
    }

    fn desired(names: &[&str]) -> Prepared {
        let one = |name: &&str| Desired {
            key: key("ConfigMap", name),
            version: "v1".into(),
            body: Arc::from(&b"{}"[..]),
            digest: 7,
            stage: Stage::default(),
            class: Class::Foundations,
            hook: None,
        };
        Prepared { desired: names.iter().map(one).collect(), ..Prepared::default() }
    }

    fn live(app: &str, prune: Option<&str>) -> Live {
        Live {
            uid: "u".into(),
            version: 1,
            owned: 9,
            status: Status::Healthy,
            message: "".into(),
            app: Some(app.into()),
            deleting: false,
            prune: prune.map(Text::from),
        }
    }

    fn check(wanted: &[&str], owned: &[(&str, &str, Live)], prune: bool) -> Plan {
        let mut inventory = Inventory::default();
        let mut index = LiveIndex::default();
        for (kind, name, live) in owned {
            inventory.insert(key(kind, name), Record { version: "v1".into(), desired: 7, owned: 9 });
            index.insert(&key(kind, name), live.clone());
        }
        let policy = Policy { label: "me".into(), prune, allow_empty: false, hooks: true };
        plan(&desired(wanted), &inventory, &index, &policy)
    }

    #[test]
    fn what_is_as_we_left_it_costs_nothing_and_what_is_not_wanted_goes() {
        let plan =
            check(&["a", "b"], &[("ConfigMap", "a", live("me", None)), ("ConfigMap", "c", live("me", None))], true);
        assert_eq!(plan.stages[0].keep, [key("ConfigMap", "a")]);
        assert_eq!(plan.stages[0].apply[0].key, key("ConfigMap", "b"));
        assert_eq!(plan.prune, [(key("ConfigMap", "c"), "v1".into())]);
    }

    #[test]
    fn nothing_is_pruned_that_is_not_ours_or_asks_to_be_kept_or_holds_data() {
        let owned = [
            ("ConfigMap", "theirs", live("other", None)),
            ("ConfigMap", "kept", live("me", Some("disabled"))),
            ("PersistentVolumeClaim", "data", live("me", None)),
            ("PersistentVolumeClaim", "let-go", live("me", Some("allowed"))),
        ];
        let plan = check(&["a"], &owned, true);
        assert_eq!(plan.prune, [(key("PersistentVolumeClaim", "let-go"), "v1".into())]);
        assert_eq!(plan.refusals.len(), 2);
    }

    #[test]
    fn an_empty_source_deletes_nothing() {
        let plan = check(&[], &[("ConfigMap", "a", live("me", None))], true);
        assert!(plan.prune.is_empty() && plan.refusals[0].fatal);
    }

    #[test]
    fn without_pruning_nothing_goes() {
        let plan = check(&["a"], &[("ConfigMap", "c", live("me", None))], false);
        assert!(plan.prune.is_empty() && !plan.refusals[0].fatal);
    }
}
