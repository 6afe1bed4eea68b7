//! Apply and update.

use std::{collections::BTreeMap, fmt};

use lockstep_object::Value;

use crate::{tree, words::quoted};

use super::{Comparison, FieldSet, Managed, OwnedFields, Problems, Typed, element::FieldPath, reconcile::reconcile};

/// Converts objects between the versions of their group.
pub trait Convert {
    /// Returns the object as `version` (an `apiVersion`) has it.
    ///
    /// # Errors
    /// If the version is not served any more, or the conversion fails.
    fn convert(&self, object: &Typed, version: &str) -> Result<Typed, NotConverted>;
}

/// Why an object could not be converted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotConverted {
    /// The version is not known any more; managers that used it are forgotten.
    #[error("the version is not known")]
    MissingVersion,
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

/// All versions are the same.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoConversion;

impl Convert for NoConversion {
    fn convert(&self, object: &Typed, _version: &str) -> Result<Typed, NotConverted> {
        Ok(object.clone())
    }
}

/// Performs applies and updates of one kind.
#[derive(Clone)]
pub struct Updater<'a> {
    /// How to convert between versions.
    pub converter: &'a dyn Convert,
    /// By version: fields that nobody may own, with all that is below them.
    pub ignored: BTreeMap<String, FieldSet>,
    /// Whether an apply without effect returns the object instead of none.
    pub return_input_on_noop: bool,
}

impl Default for Updater<'_> {
    fn default() -> Self {
        Self { converter: &NoConversion, ignored: BTreeMap::new(), return_input_on_noop: false }
    }
}

/// What an apply does.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The new object; none if it is the live one.
    pub object: Option<Value>,
    /// The managers afterwards.
    pub managers: Managed,
}

/// Why an apply does nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// Others own fields that the apply would change.
    #[error(transparent)]
    Conflicts(#[from] Conflicts),
    /// Anything else; the text is the library's.
    #[error("{0}")]
    Failed(String),
}

/// A field that another manager owns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conflict {
    /// The key of the manager.
    pub manager: String,
    /// The field.
    pub path: FieldPath,
}

/// Conflicts by manager, then in the order of the set. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Conflicts(pub Vec<Conflict>);

impl fmt::Display for Conflicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [only] = self.0.as_slice() {
            return write!(f, "conflict with {}: {}", quoted(&only.manager), only.path);
        }
        let mut manager = None;
        for (place, conflict) in self.0.iter().enumerate() {
            if manager != Some(&conflict.manager) {
                let start = if place > 0 { "\n" } else { "" };
                write!(f, "{start}conflicts with {}:", quoted(&conflict.manager))?;
                manager = Some(&conflict.manager);
            }
            write!(f, "\n- {}", conflict.path)?;
        }
        Ok(())
    }
}

/// An object before and after, in one version.
struct Change<'a> {
    old: &'a Typed,
    new: &'a Typed,
    version: &'a str,
    compared: Comparison,
}

impl Updater<'_> {
    /// Applies a configuration to the live object (null if there is none yet) for `manager`. Both are in `version`.
    ///
    /// Fields that the manager applied before and does not now are removed unless somebody else owns them.
    /// With `force`, fields of others are taken over.
    ///
    /// # Errors
    /// Conflicts without `force`; failing conversions.
    pub fn apply(
        &self,
        live: &Typed,
        config: &Typed,
        version: &str,
        managers: &Managed,
        manager: &str,
        force: bool,
    ) -> Result<Outcome, ApplyError> {
        let mut managers = self.reconciled(live, managers)?;
        let merged = live.merge(config).map_err(failed("failed to merge config"))?;
        let last = managers.get(manager).cloned();
        let set = config.field_set().map_err(failed("failed to get field set"))?;
        let set = self.owned(set, version);
        managers.insert(manager, OwnedFields { set, version: version.into(), applied: true });
        let new = self.prune(merged, &managers, manager, last.as_ref())?;
        // Whoever is alone takes nothing from anybody.
        let compared = if managers.len() > 1 { self.compared(live, &new, version)? } else { Comparison::default() };
        let change = Change { old: live, new: &new, version, compared };
        let managers = self.transfer(&change, managers, manager, force)?;
        let same = !self.return_input_on_noop && tree::equal(&live.value, &new.value);
        Ok(Outcome { object: (!same).then_some(new.value), managers })
    }

    /// Records that `manager` replaced the old object (null at a creation) by the new one. Both are in `version`.
    ///
    /// # Errors
    /// If a conversion fails.
    pub fn update(
        &self,
        old: &Typed,
        new: &Typed,
        version: &str,
        managers: &Managed,
        manager: &str,
    ) -> Result<Managed, ApplyError> {
        let managers = self.reconciled(old, managers)?;
        let compared = self.compared(old, new, version)?;
        let change = Change { old, new, version, compared };
        let mut managers = self.transfer(&change, managers, manager, true)?;
        let compared = change.compared;
        let had = managers.remove(manager).map(|fields| fields.set).unwrap_or_default();
        let set = had.difference(&compared.removed).union(&compared.modified).union(&compared.added);
        let set = self.owned(set, version);
        if !set.is_empty() {
            managers.insert(manager, OwnedFields { set, version: version.into(), applied: false });
        }
        Ok(managers)
    }

    /// Returns the part of the object that a manager owns, as an apply configuration would state it. `with_keys`
    /// adds the keys of list items that are owned in part, as client-go's extraction does.
    ///
    /// # Errors
    /// If the manager's fields are recorded in another version.
    pub fn extract(
        &self,
        live: &Typed,
        version: &str,
        managers: &Managed,
        manager: &str,
        with_keys: bool,
    ) -> Result<Typed, ApplyError> {
        let current = self.convert(live, version)?;
        let owned = managers.get(manager);
        if let Some(owned) = owned.filter(|owned| owned.version != version) {
            let text = "existing managed fieldpath set APIVersion";
            return Err(ApplyError::Failed(format!(
                "{text} ({}) differs from desired ({version}), unable to extract",
                owned.version
            )));
        }
        let set = owned.map(|owned| owned.set.leaves()).unwrap_or_default();
        Ok(if with_keys { current.only_with_keys(&set) } else { current.only(&set) })
    }

    fn owned(&self, set: FieldSet, version: &str) -> FieldSet {
        match self.ignored.get(version) {
            Some(ignored) if !ignored.is_empty() => set.recursive_difference(ignored),
            _ => set,
        }
    }

    fn convert(&self, object: &Typed, version: &str) -> Result<Typed, ApplyError> {
        self.converter.convert(object, version).map_err(|error| ApplyError::Failed(error.to_string()))
    }

    /// Converts, if the version is still known.
    fn known(&self, object: &Typed, version: &str, words: &str) -> Result<Option<Typed>, ApplyError> {
        match self.converter.convert(object, version) {
            Ok(converted) => Ok(Some(converted)),
            Err(NotConverted::MissingVersion) => Ok(None),
            Err(NotConverted::Failed(message)) => Err(ApplyError::Failed(format!("{words}: {message}"))),
        }
    }

    /// Brings the sets under the present schema; managers of versions that are not known are forgotten.
    fn reconciled(&self, live: &Typed, managers: &Managed) -> Result<Managed, ApplyError> {
        let mut reconciled = Managed::new();
        for (manager, fields) in managers.iter() {
            let Some(live) = self.known(live, &fields.version, "failed to convert live object")? else { continue };
            let mut fields = fields.clone();
            let set = reconcile(&fields.set, &live.of, &live.types)
                .map_err(failed("errors reconciling field set with schema"))?;
            if let Some(set) = set {
                fields.set = set;
            }
            reconciled.insert(manager, fields);
        }
        Ok(reconciled)
    }

    /// Takes what changed away from all but `manager`.
    fn transfer(
        &self,
        change: &Change<'_>,
        mut managers: Managed,
        manager: &str,
        force: bool,
    ) -> Result<Managed, ApplyError> {
        let mut elsewhere: BTreeMap<String, Option<Comparison>> = BTreeMap::new();
        let mut conflicts = Vec::new();
        let mut lost: BTreeMap<String, Option<FieldSet>> = BTreeMap::new();
        for (other, fields) in managers.iter().filter(|(other, _)| *other != manager) {
            let compared = if fields.version == change.version {
                Some(&change.compared)
            } else {
                if !elsewhere.contains_key(&fields.version) {
                    let seen = self.compared_in(change.old, change.new, &fields.version)?;
                    elsewhere.insert(fields.version.clone(), seen);
                }
                elsewhere.get(&fields.version).and_then(Option::as_ref)
            };
            let Some(compared) = compared else {
                lost.insert(other.clone(), None);
                continue;
            };
            if compared.is_same() {
                continue;
            }
            let taken = fields.set.intersection(&compared.modified.union(&compared.added));
            conflicts.extend(taken.paths().into_iter().map(|path| Conflict { manager: other.clone(), path }));
            lost.insert(other.clone(), Some(taken.union(&compared.removed)));
        }
        if !force && !conflicts.is_empty() {
            return Err(Conflicts(conflicts).into());
        }
        managers.retain(|name, fields| {
            match lost.get(name) {
                Some(None) => return false,
                Some(Some(lost)) => fields.set = fields.set.difference(lost),
                None => {}
            }
            !fields.set.is_empty()
        });
        Ok(managers)
    }

    fn compared(&self, old: &Typed, new: &Typed, version: &str) -> Result<Comparison, ApplyError> {
        let compared = old.compare(new).map_err(failed("failed to compare objects"))?;
        Ok(match self.ignored.get(version) {
            Some(ignored) if !ignored.is_empty() => compared.excluding(ignored),
            _ => compared,
        })
    }

    fn compared_in(&self, old: &Typed, new: &Typed, version: &str) -> Result<Option<Comparison>, ApplyError> {
        let Some(old) = self.known(old, version, "failed to convert old object")? else { return Ok(None) };
        let Some(new) = self.known(new, version, "failed to convert new object")? else { return Ok(None) };
        self.compared(&old, &new, version).map(Some)
    }

    /// Removes what the manager applied last time and not now, unless somebody owns it.
    fn prune(
        &self,
        merged: Typed,
        managers: &Managed,
        manager: &str,
        last: Option<&OwnedFields>,
    ) -> Result<Typed, ApplyError> {
        let Some(last) = last.filter(|last| !last.set.is_empty()) else { return Ok(merged) };
        // All that was applied last time is applied again, so there is nothing to remove; this is the usual case.
        let again = managers
            .get(manager)
            .is_some_and(|now| now.version == last.version && last.set.difference(&now.set).is_empty());
        if again && merged.is_granular_map() {
            return Ok(merged);
        }
        let words = "failed to prune fields: failed to convert merged object to last applied version";
        let Some(merged_then) = self.known(&merged, &last.version, words)? else { return Ok(merged) };
        let named = |set: &FieldSet| set.with_named_fields(Some(&merged_then.of), &merged_then.types);
        let pruned = merged_then.without(&named(&last.set));
        let pruned = self.add_back_owned(&merged_then, pruned, &last.version, managers)?;
        let pruned = self.add_back_dangling(&merged_then, &pruned, last)?;
        let now = managers.get(manager).map_or(last.version.as_str(), |fields| fields.version.as_str());
        self.convert(&pruned, now)
    }

    /// Adds back what others, or the new configuration itself, own.
    fn add_back_owned(
        &self,
        merged: &Typed,
        pruned: Typed,
        first: &str,
        managers: &Managed,
    ) -> Result<Typed, ApplyError> {
        let mut owned: BTreeMap<&str, FieldSet> = BTreeMap::new();
        for (_, fields) in managers.iter() {
            let all = owned.entry(&fields.version).or_default();
            *all = all.union(&fields.set);
        }
        // The version of the removal comes first: conversions may need the removed fields.
        let mut order: Vec<(&str, FieldSet)> = owned.remove_entry(first).into_iter().collect();
        order.extend(owned);
        let (mut merged, mut pruned) = (merged.clone(), pruned);
        for (version, owned) in order {
            let words = "failed to prune fields: failed add back owned items: failed to convert";
            let Some(whole) = self.known(&merged, version, words)? else { continue };
            merged = whole;
            let Some(left) = self.known(&pruned, version, words)? else { continue };
            let named = |set: &FieldSet| set.with_named_fields(Some(&merged.of), &merged.types);
            let (all, rest) = (fields(&merged)?, fields(&left)?);
            pruned = merged.without(&named(&all).difference(&named(&rest).union(&named(&owned))));
        }
        Ok(pruned)
    }

    /// Adds back what was removed but was not the manager's last time: unowned items, and those of updaters.
    fn add_back_dangling(&self, merged: &Typed, pruned: &Typed, last: &OwnedFields) -> Result<Typed, ApplyError> {
        let words = "failed to prune fields: failed add back dangling items: failed to convert pruned object";
        let Some(pruned) = self.known(pruned, &last.version, words)? else { return Ok(merged.clone()) };
        let named = |set: &FieldSet| set.with_named_fields(Some(&merged.of), &merged.types);
        let (all, rest) = (named(&fields(merged)?), named(&fields(&pruned)?));
        Ok(merged.without(&all.difference(&rest).intersection(&named(&last.set))))
    }
}

fn fields(typed: &Typed) -> Result<FieldSet, ApplyError> {
    typed.field_set().map_err(failed("failed to create field set"))
}

fn failed(words: &'static str) -> impl Fn(Problems) -> ApplyError {
    move |problems| ApplyError::Failed(format!("{words}: {problems}"))
}
