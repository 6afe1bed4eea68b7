//! What a sync has to do.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use lockstep_object::{ObjectKey, Text};

use crate::{Class, Desired, HookPhase, Inventory, LiveIndex, Prepared, PruneMark, Stage};

/// The rules of a plan.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// The App's label: what does not carry it is never deleted.
    pub label: String,
    /// Whether objects that left the source are deleted.
    pub prune: bool,
    /// Whether a source without objects may delete everything.
    pub allow_empty: bool,
    /// Whether hooks run: the desired state changed, or a sync was asked for.
    pub hooks: bool,
    /// Whether what others changed stays until Git changes the object.
    pub leave_drift: bool,
    /// Whether every prune needs a person's word.
    pub confirm_prune: bool,
    /// The prune that a person agreed to, see [`Plan::asks`].
    pub confirmed: String,
    /// Only these objects are synced, as `Kind/name`, `group/Kind/name` or with the namespace in front; empty for all.
    pub only: Vec<String>,
}

/// What a sync has to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What is applied, stage after stage.
    pub stages: Vec<PlannedStage>,
    /// What is deleted before the hooks after the sync, group after group, each gone before the next.
    pub prune: Vec<Vec<(ObjectKey, Text)>>,
    /// What was not planned, and why; a person should know.
    pub refusals: Vec<Refusal>,
    /// The word with which a person agrees to the prunes that were not planned without; empty if there are none.
    pub asks: String,
}

/// One stage of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlannedStage {
    /// The stage.
    pub stage: Stage,
    /// What is applied, ordered by class; hooks among it run anew.
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
/// A hook runs once in each of its phases. Nothing is pruned that is neither in the inventory nor left by a hook, that
/// does not carry our label, or that asks to be kept; and never everything at once unless the policy allows it.
pub fn plan(desired: &Prepared, inventory: &Inventory, live: &LiveIndex, policy: &Policy) -> Plan {
    let mut stages: BTreeMap<Stage, PlannedStage> = BTreeMap::new();
    for one in desired.desired.iter().filter(|one| is_chosen(&one.key, &policy.only)) {
        for stage in stages_of(one, policy.hooks) {
            let planned = stages.entry(stage).or_insert_with(|| PlannedStage { stage, ..PlannedStage::default() });
            if one.hook.is_none() && is_in_order(one, inventory, live, policy.leave_drift) {
                planned.keep.push(one.key.clone());
            } else {
                planned.apply.push(Arc::new(one.clone()));
            }
        }
    }
    let mut plan = Plan { stages: stages.into_values().collect(), ..Plan::default() };
    plan.stages.iter_mut().for_each(|stage| stage.apply.sort_by_key(|one| one.class));
    plan_prune(&mut plan, desired, inventory, live, policy);
    plan
}

/// Returns the stages that an object belongs to: one, or those of a hook's phases.
fn stages_of(one: &Desired, hooks: bool) -> Vec<Stage> {
    let Some(hook) = &one.hook else { return vec![one.stage] };
    let at = hook.phases.iter().filter_map(|phase| match phase {
        HookPhase::At(phase) if hooks => Some(Stage { phase: *phase, wave: one.stage.wave }),
        _ => None,
    });
    let mut stages: Vec<Stage> = at.collect();
    stages.sort_unstable();
    stages.dedup();
    stages
}

/// Tells whether a sync of these objects is about one; none means all.
fn is_chosen(key: &ObjectKey, only: &[String]) -> bool {
    let names = |chosen: &String| {
        let parts: Vec<&str> = chosen.split('/').collect();
        let is = |found: &Text, wanted: &str| found.as_str() == wanted;
        match parts.as_slice() {
            [kind, name] => is(&key.kind, kind) && is(&key.name, name),
            [first, kind, name] => {
                (is(&key.namespace, first) || is(&key.group, first)) && is(&key.kind, kind) && is(&key.name, name)
            }
            [group, kind, namespace, name] => {
                is(&key.group, group) && is(&key.kind, kind) && is(&key.namespace, namespace) && is(&key.name, name)
            }
            _ => false,
        }
    };
    only.is_empty() || only.iter().any(names)
}

fn is_in_order(one: &Desired, inventory: &Inventory, live: &LiveIndex, leave_drift: bool) -> bool {
    if !leave_drift {
        return is_as_we_left_it(one, inventory, live);
    }
    let known = inventory.get(&one.key).is_some_and(|record| record.desired == one.digest);
    known && live.get(&one.key).is_some_and(|live| !live.deleting)
}

/// Tells whether an object needs no apply.
pub(crate) fn is_as_we_left_it(one: &Desired, inventory: &Inventory, live: &LiveIndex) -> bool {
    let (Some(record), Some(live)) = (inventory.get(&one.key), live.get(&one.key)) else { return false };
    record.desired == one.digest && record.version == one.version && record.owned == live.owned && !live.deleting
}

fn plan_prune(plan: &mut Plan, desired: &Prepared, inventory: &Inventory, live: &LiveIndex, policy: &Policy) {
    let wanted: HashSet<&ObjectKey> = desired.desired.iter().map(|one| &one.key).collect();
    let owned = inventory.iter().map(|(key, record)| (key, record.version.clone()));
    let mut gone: Vec<(&ObjectKey, Text)> = owned.filter(|(key, _)| !wanted.contains(key)).collect();
    if desired.desired.is_empty() && !policy.allow_empty {
        if !gone.is_empty() {
            let message = format!("the source has no objects; {} would be deleted", count(gone.len()));
            plan.refusals.push(Refusal { key: None, message, fatal: true });
        }
        return;
    }
    let left = left_by_hooks(inventory, live, &policy.label).into_iter().filter(|key| !wanted.contains(key));
    gone.extend(left.map(|key| (key, Text::from("v1"))));
    let (mut prune, mut asked) = (Vec::new(), Vec::new());
    for (key, version) in gone.into_iter().filter(|(key, _)| is_chosen(key, &policy.only)) {
        let Some(facts) = live.get(key) else { continue };
        if facts.app.as_deref() != Some(policy.label.as_str()) {
            continue;
        }
        let one = (key.clone(), version);
        match keeps(key, facts.marks.prune, policy) {
            Some(message) => plan.refusals.push(Refusal { key: Some(key.clone()), message, fatal: false }),
            None if policy.confirm_prune || facts.marks.prune == PruneMark::Confirm => asked.push(one),
            None => prune.push(one),
        }
    }
    if !asked.is_empty() {
        let word = word_for(&asked);
        if word == policy.confirmed {
            prune.append(&mut asked);
        } else {
            let message = question("no longer wanted and kept", &asked, &word);
            plan.refusals.push(Refusal { key: None, message, fatal: false });
            plan.asks = word;
        }
    }
    plan.prune = in_order_of_deletion(prune, live);
}

/// Finds the objects that an App's hooks left, sorted: no inventory names them, but the mark of the run they were for.
fn left_by_hooks<'l>(inventory: &Inventory, live: &'l LiveIndex, label: &str) -> Vec<&'l ObjectKey> {
    let of_hook = |key: &&ObjectKey| live.get(key).is_some_and(|facts| facts.hook_run.is_some() && facts.owned != 0);
    let mut left: Vec<&ObjectKey> =
        live.of_app(label).filter(of_hook).filter(|key| inventory.get(key).is_none()).collect();
    left.sort();
    left
}

/// Groups objects for deletion, the reverse of how they are applied: the last wave first, inside it the last class.
pub(crate) fn in_order_of_deletion(objects: Vec<(ObjectKey, Text)>, live: &LiveIndex) -> Vec<Vec<(ObjectKey, Text)>> {
    let mut groups: BTreeMap<(i32, Class), Vec<(ObjectKey, Text)>> = BTreeMap::new();
    for (key, version) in objects {
        let wave = live.get(&key).map(|live| live.marks.wave).unwrap_or_default();
        groups.entry((wave, Class::of(&key.kind))).or_default().push((key, version));
    }
    groups.into_values().rev().collect()
}

/// Returns the word that agrees to deleting exactly these objects.
pub(crate) fn word_for(objects: &[(ObjectKey, Text)]) -> String {
    let names: String = objects.iter().map(|(key, _)| format!("{}/{key} ", key.group)).collect();
    format!("{:08x}", crate::desired::digest_of(names.as_bytes()) as u32)
}

/// Asks for a person's word to delete objects that are `kept` until then.
pub(crate) fn question(kept: &str, objects: &[(ObjectKey, Text)], word: &str) -> String {
    let mut names: Vec<String> = objects.iter().take(3).map(|(key, _)| key.to_string()).collect();
    if objects.len() > names.len() {
        names.push(format!("{} more", objects.len() - names.len()));
    }
    let confirm = lockstep_api::CONFIRM_PRUNE;
    format!("{kept} until you agree: {}; annotate the App with {confirm}={word}", names.join(", "))
}

/// Tells whether deleting an object of this kind destroys what no commit brings back.
pub(crate) fn holds_data(key: &ObjectKey) -> bool {
    matches!(
        (key.group.as_str(), key.kind.as_str()),
        ("", "Namespace" | "PersistentVolumeClaim") | ("apiextensions.k8s.io", "CustomResourceDefinition")
    )
}

/// Tells why an object that is no longer wanted is kept.
fn keeps(key: &ObjectKey, mark: PruneMark, policy: &Policy) -> Option<String> {
    match mark {
        PruneMark::Never => Some(format!("{key} is no longer wanted and kept, as its annotation asks")),
        _ if !policy.prune => Some(format!("{key} is no longer wanted and kept, for pruning is off")),
        PruneMark::Allowed | PruneMark::Confirm => None,
        PruneMark::Plain if holds_data(key) => Some(format!(
            "{key} is no longer wanted and kept, for deleting it destroys data; annotate it with {}=allowed to let it go",
            lockstep_api::PRUNE
        )),
        PruneMark::Plain => None,
    }
}

fn count(number: usize) -> String {
    if number == 1 { "1 object".to_owned() } else { format!("{number} objects") }
}

#[cfg(test)]
mod tests {
    use lockstep_health::Status;

    use super::*;
    use crate::{Class, Hook, Live, Marks, Record, SyncPhase};

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
            marks: Marks::default(),
        };
        Prepared { desired: names.iter().map(one).collect(), ..Prepared::default() }
    }

    fn live(app: &str, prune: PruneMark) -> Live {
        Live {
            uid: "u".into(),
            version: 1,
            owned: 9,
            status: Status::Healthy,
            message: "".into(),
            app: Some(app.into()),
            deleting: false,
            finalizers: "".into(),
            marks: Marks { prune, ..Marks::default() },
            hook_run: None,
        }
    }

    fn check(wanted: &[&str], owned: &[(&str, &str, Live)], prune: bool) -> Plan {
        let mut inventory = Inventory::default();
        let mut index = LiveIndex::default();
        for (kind, name, live) in owned {
            inventory.insert(key(kind, name), Record { version: "v1".into(), desired: 7, owned: 9 });
            index.insert(&key(kind, name), live.clone());
        }
        let policy = Policy { label: "me".into(), prune, hooks: true, ..Policy::default() };
        plan(&desired(wanted), &inventory, &index, &policy)
    }

    #[test]
    fn what_is_as_we_left_it_costs_nothing_and_what_is_not_wanted_goes() {
        let plan = check(
            &["a", "b"],
            &[("ConfigMap", "a", live("me", PruneMark::Plain)), ("ConfigMap", "c", live("me", PruneMark::Plain))],
            true,
        );
        assert_eq!(plan.stages[0].keep, [key("ConfigMap", "a")]);
        assert_eq!(plan.stages[0].apply[0].key, key("ConfigMap", "b"));
        assert_eq!(plan.prune, [[(key("ConfigMap", "c"), "v1".into())]]);
    }

    #[test]
    fn nothing_is_pruned_that_is_not_ours_or_asks_to_be_kept_or_holds_data() {
        let owned = [
            ("ConfigMap", "theirs", live("other", PruneMark::Plain)),
            ("ConfigMap", "kept", live("me", PruneMark::Never)),
            ("PersistentVolumeClaim", "data", live("me", PruneMark::Plain)),
            ("PersistentVolumeClaim", "let-go", live("me", PruneMark::Allowed)),
        ];
        let plan = check(&["a"], &owned, true);
        assert_eq!(plan.prune, [[(key("PersistentVolumeClaim", "let-go"), "v1".into())]]);
        assert_eq!(plan.refusals.len(), 2);
    }

    #[test]
    fn an_empty_source_deletes_nothing() {
        let plan = check(&[], &[("ConfigMap", "a", live("me", PruneMark::Plain))], true);
        assert!(plan.prune.is_empty() && plan.refusals[0].fatal);
    }

    #[test]
    fn without_pruning_nothing_goes() {
        let plan = check(&["a"], &[("ConfigMap", "c", live("me", PruneMark::Plain))], false);
        assert!(plan.prune.is_empty() && !plan.refusals[0].fatal);
    }

    #[test]
    fn a_prune_that_needs_a_word_waits_for_exactly_that_word() {
        let owned =
            [("ConfigMap", "c", live("me", PruneMark::Confirm)), ("ConfigMap", "d", live("me", PruneMark::Plain))];
        let asked = check(&["a"], &owned, true);
        assert_eq!(asked.prune, [[(key("ConfigMap", "d"), "v1".into())]]);
        assert!(asked.refusals[0].message.contains(&format!("confirm-prune={}", asked.asks)), "{:?}", asked.refusals);
        let mut inventory = Inventory::default();
        let mut index = LiveIndex::default();
        for (kind, name, live) in &owned {
            inventory.insert(key(kind, name), Record { version: "v1".into(), desired: 7, owned: 9 });
            index.insert(&key(kind, name), live.clone());
        }
        let policy = Policy { label: "me".into(), prune: true, confirmed: asked.asks, ..Policy::default() };
        assert_eq!(plan(&desired(&["a"]), &inventory, &index, &policy).prune[0].len(), 2);
    }

    #[test]
    fn deletion_is_the_reverse_of_applying() {
        let mut index = LiveIndex::default();
        let mut late = live("me", PruneMark::Plain);
        late.marks.wave = 2;
        index.insert(&key("ConfigMap", "late"), late);
        let objects = [("ConfigMap", "early"), ("ConfigMap", "late"), ("Deployment", "web"), ("Namespace", "shop")];
        let objects = objects.map(|(kind, name)| (key(kind, name), Text::from("v1"))).to_vec();
        let groups = in_order_of_deletion(objects, &index);
        let names: Vec<String> = groups.iter().map(|group| group[0].0.name.to_string()).collect();
        assert_eq!(names, ["late", "web", "early", "shop"]);
    }

    #[test]
    fn a_hook_runs_in_each_of_its_phases_and_only_when_hooks_are_owed() {
        let mut wanted = desired(&["a", "hook"]);
        let delete = crate::DeletePolicy { before_creation: true, succeeded: false, failed: false };
        let phases = vec![HookPhase::At(SyncPhase::PreSync), HookPhase::At(SyncPhase::PostSync), HookPhase::SyncFail];
        wanted.desired[1].hook = Some(Hook { phases, delete });
        let stages = |hooks: bool| {
            let policy = Policy { hooks, ..Policy::default() };
            let plan = plan(&wanted, &Inventory::default(), &LiveIndex::default(), &policy);
            plan.stages.iter().map(|stage| stage.stage.phase).collect::<Vec<_>>()
        };
        assert_eq!(stages(true), [SyncPhase::PreSync, SyncPhase::Sync, SyncPhase::PostSync]);
        assert_eq!(stages(false), [SyncPhase::Sync]);
    }

    #[test]
    fn a_selective_sync_is_about_what_was_chosen() {
        let key = ObjectKey::new("apps", "Deployment", "shop", "web");
        for (chosen, fits) in [
            ("Deployment/web", true),
            ("apps/Deployment/web", true),
            ("shop/Deployment/web", true),
            ("apps/Deployment/shop/web", true),
            ("Deployment/api", false),
            ("web", false),
        ] {
            assert_eq!(is_chosen(&key, &[chosen.to_owned()]), fits, "{chosen}");
        }
    }
}
