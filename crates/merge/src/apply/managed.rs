//! Managers and what they own.

use std::collections::{BTreeMap, btree_map};

use super::FieldSet;

/// The fields of one manager.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnedFields {
    /// The fields.
    pub set: FieldSet,
    /// The `apiVersion` in which the paths are written.
    pub version: String,
    /// Whether they come from an apply; updates otherwise.
    pub applied: bool,
}

/// Managers by key. In an API server the key is [`super::Identity::key`]; anywhere else any name will do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Managed(BTreeMap<String, OwnedFields>);

impl Managed {
    /// Returns no managers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns what a manager owns.
    pub fn get(&self, manager: &str) -> Option<&OwnedFields> {
        self.0.get(manager)
    }

    /// Sets what a manager owns.
    pub fn insert(&mut self, manager: impl Into<String>, fields: OwnedFields) {
        self.0.insert(manager.into(), fields);
    }

    /// Removes a manager.
    pub fn remove(&mut self, manager: &str) -> Option<OwnedFields> {
        self.0.remove(manager)
    }

    /// Walks the managers by key.
    pub fn iter(&self) -> btree_map::Iter<'_, String, OwnedFields> {
        self.0.iter()
    }

    /// Tells whether there is no manager.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Counts the managers.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn retain(&mut self, keep: impl FnMut(&String, &mut OwnedFields) -> bool) {
        self.0.retain(keep);
    }
}

impl FromIterator<(String, OwnedFields)> for Managed {
    fn from_iter<I: IntoIterator<Item = (String, OwnedFields)>>(managers: I) -> Self {
        Self(managers.into_iter().collect())
    }
}
