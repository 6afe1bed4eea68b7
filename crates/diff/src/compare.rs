//! The changes between two objects.

use std::fmt;

use lockstep_object::{Key, Map, Object, Path, Step, Value};

use crate::{
    equal::{Place, is_empty_form, same_scalar},
    ignore::Ignore,
    lists::{self, ListKind, Pairing},
    mask, prepare,
};

/// One field that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Where; list items by their keys where the list has keys.
    pub path: Path,
    /// What is there now; `None` if nothing.
    pub before: Option<Value>,
    /// What will be there; `None` if nothing.
    pub after: Option<Value>,
}

/// What a field that only the live object has means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// The desired side says only what somebody wrote: what else the live object has was defaulted or is
    /// somebody else's, unless our manager owns it; then it would be removed.
    #[default]
    Desired,
    /// Both sides are whole (a dry run's answer, or two renderings), so each difference is one.
    Whole,
}

/// Answers what the list at a path is; `None` if it does not know.
pub type Lists<'a> = &'a dyn Fn(&Path) -> Option<ListKind>;

/// How to compare.
#[derive(Clone, Copy, Default)]
pub struct Options<'a> {
    /// See [`Mode`].
    pub mode: Mode,
    /// What is left out on both sides.
    pub ignore: &'a [Ignore],
    /// Our field manager; fields that it owns in the live object and that are desired no more are removals.
    pub manager: Option<&'a str>,
    /// What the schema says about the list at a path; without it (or where it answers `None`) the well-known
    /// lists of Kubernetes are known, and others are matched by `name` if each item has one.
    pub lists: Option<Lists<'a>>,
}

impl fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("mode", &self.mode).field("manager", &self.manager).finish_non_exhaustive()
    }
}

/// Deeper than any object that an API server takes.
const DEEPEST: usize = 128;

/// Lists what would change if `desired` were applied over `live`, in the order of the desired object.
///
/// Left out are the status, what the server manages in the metadata, and differences that are none: another
/// way to write a quantity or duration, empty against missing, the order of sets and of lists with keys,
/// `stringData` against `data`, rules of an aggregated role, and placeholders of CA bundles. The values of
/// Secrets are masked.
pub fn compare(desired: &Object, live: &Object, options: &Options<'_>) -> Vec<Change> {
    let owned = options.manager.map(|manager| crate::owned::sets_of(live, manager)).unwrap_or_default();
    let (mut after, mut before) = prepare::pair(desired, live);
    for rule in options.ignore {
        rule.apply(&mut after, &mut before, live);
    }
    let native = is_native(desired.api_version());
    let mut run = Run { options, native, path: Path::root(), changes: Vec::new(), depth: 0 };
    run.maps(&after, &before, &owned);
    let mut changes = run.changes;
    if desired.kind() == "Secret" && desired.api_version() == "v1" {
        changes.iter_mut().for_each(mask::change);
    }
    changes
}

/// Tells whether the kind is one of Kubernetes' own, whose server drops fields with their zero value.
fn is_native(api_version: &str) -> bool {
    match api_version.split_once('/') {
        None => true,
        Some((group, _)) => !group.contains('.') || group.ends_with(".k8s.io"),
    }
}

struct Run<'a> {
    options: &'a Options<'a>,
    native: bool,
    path: Path,
    changes: Vec<Change>,
    depth: usize,
}

impl Run<'_> {
    fn maps(&mut self, after: &Map, before: &Map, owned: &[Map]) {
        for (key, wanted) in after.iter() {
            let sets = below(owned, &format!("f:{key}"));
            self.step(Step::Field(key.clone()), |run| run.values(Some(wanted), before.get(key), &sets));
        }
        for (key, found) in before.iter().filter(|(key, _)| !after.contains_key(key)) {
            let name = format!("f:{key}");
            if self.options.mode == Mode::Whole || owned.iter().any(|set| set.contains_key(&name)) {
                self.only_live(Step::Field(key.clone()), found, &below(owned, &name));
            }
        }
    }

    /// A field or item that is not desired: a removal, or, in a map that others share, of our part of it.
    fn only_live(&mut self, step: Step, found: &Value, owned: &[Map]) {
        let shared = !owned.is_empty() && self.options.mode == Mode::Desired;
        match found {
            Value::Map(map) if shared => self.step(step, |run| run.maps(&Map::new(), map, owned)),
            _ => self.step(step, |run| run.values(None, Some(found), owned)),
        }
    }

    fn step(&mut self, step: Step, body: impl FnOnce(&mut Self)) {
        if self.depth >= DEEPEST {
            return;
        }
        self.depth += 1;
        self.path.push(step);
        body(self);
        self.path.pop();
        self.depth -= 1;
    }

    fn values(&mut self, after: Option<&Value>, before: Option<&Value>, owned: &[Map]) {
        let place = Place { path: &self.path, native: self.native };
        match (after, before) {
            (Some(Value::Map(after)), Some(Value::Map(before))) => self.maps(after, before, owned),
            (Some(Value::List(after)), Some(Value::List(before))) => self.lists(after, before, owned),
            (Some(after), Some(before)) if same_scalar(&place, after, before) => {}
            (None, Some(value)) | (Some(value), None) if is_empty_form(&place, value) => {}
            // A placeholder such as `x: {}` with nothing but empty things inside.
            (Some(Value::Map(map)), None) if map.values().all(|value| is_empty_form(&place, value)) => {}
            (None, None) => {}
            (after, before) => {
                let change = Change { path: self.path.clone(), before: before.cloned(), after: after.cloned() };
                self.changes.push(change);
            }
        }
    }

    fn lists(&mut self, after: &[Value], before: &[Value], owned: &[Map]) {
        let told = self.options.lists.and_then(|lists| lists(&self.path));
        match told.unwrap_or_else(|| lists::guess(&self.path, after, before)) {
            ListKind::Set => self.sets(after, before, owned),
            ListKind::Map(keys) => self.keyed(&keys, after, before, owned),
            ListKind::Atomic => self.atomic(after, before),
        }
    }

    /// Items that only the live set has are somebody else's, unless we own them.
    fn sets(&mut self, after: &[Value], before: &[Value], owned: &[Map]) {
        let place = Place { path: &self.path, native: self.native };
        let has = |list: &[Value], item: &Value| list.iter().any(|other| same_scalar(&place, item, other));
        let ours = |item: &Value| {
            let name = format!("v:{}", lockstep_object::to_json(item));
            owned.iter().any(|set| set.contains_key(&name))
        };
        let missing = after.iter().any(|item| !has(before, item));
        // A set that nobody's managedFields split is ours as a whole, like an atomic list.
        let whole = self.options.mode == Mode::Whole || owned.is_empty() && !lists::is_shared(&self.path);
        let surplus = before.iter().any(|item| !has(after, item) && (whole || ours(item)));
        if missing || surplus {
            self.replaced(after, before);
        }
    }

    fn keyed(&mut self, keys: &[Key], after: &[Value], before: &[Value], owned: &[Map]) {
        let pairing = Pairing::new(keys, after, before);
        for (wanted, found) in pairing.wanted {
            let step = lists::step_of(keys, wanted);
            let sets = lists::below_item(owned, keys, wanted);
            self.step(step, |run| run.values(Some(wanted), found, &sets));
        }
        for found in pairing.others {
            let sets = lists::below_item(owned, keys, found);
            if self.options.mode == Mode::Whole || sets.iter().any(|set| set.contains_key(".")) {
                self.step(lists::step_of(keys, found), |run| run.values(None, Some(found), &[]));
            }
        }
    }

    /// Items stand for their places; the length counts, because nobody else may add an item.
    fn atomic(&mut self, after: &[Value], before: &[Value]) {
        let scalars = after.iter().chain(before).all(|item| !matches!(item, Value::Map(_) | Value::List(_)));
        if after.len() != before.len() || scalars {
            let place = Place { path: &self.path, native: self.native };
            let same = after.len() == before.len() && after.iter().zip(before).all(|(a, b)| same_scalar(&place, a, b));
            if !same {
                self.replaced(after, before);
            }
            return;
        }
        for (index, (wanted, found)) in after.iter().zip(before).enumerate() {
            self.step(Step::Index(index), |run| run.values(Some(wanted), Some(found), &[]));
        }
    }

    fn replaced(&mut self, after: &[Value], before: &[Value]) {
        self.changes.push(Change {
            path: self.path.clone(),
            before: Some(Value::from(before.to_vec())),
            after: Some(Value::from(after.to_vec())),
        });
    }
}

fn below(owned: &[Map], name: &str) -> Vec<Map> {
    let sets = owned.iter().filter_map(|set| set.get(name)?.as_map());
    sets.filter(|set| !set.is_empty()).cloned().collect()
}
