//! Lists of a value.

use std::sync::Arc;

use crate::Value;

/// A list of values: shared until written, one allocation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct List(Arc<[Value]>);

impl List {
    /// Returns the empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the items for writing in place; copies them first if they are shared.
    pub fn make_mut(&mut self) -> &mut [Value] {
        Arc::make_mut(&mut self.0)
    }

    /// Changes the list as a vector: for growing and shrinking. Costs O(n) once a call.
    pub fn edit<R>(&mut self, change: impl FnOnce(&mut Vec<Value>) -> R) -> R {
        let mut items = std::mem::take(self).into_vec();
        let result = change(&mut items);
        *self = items.into();
        result
    }

    /// Adds an item at the end. O(n); collect or [`List::edit`] to add many.
    pub fn push(&mut self, item: impl Into<Value>) {
        self.edit(|items| items.push(item.into()));
    }

    /// Returns the items as a vector; moves them if they are not shared.
    pub fn into_vec(mut self) -> Vec<Value> {
        match Arc::get_mut(&mut self.0) {
            Some(items) => items.iter_mut().map(std::mem::take).collect(),
            None => self.0.to_vec(),
        }
    }

    /// Tells whether both are the same allocation; then they are equal without a look.
    pub fn shares(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl std::ops::Deref for List {
    type Target = [Value];
    fn deref(&self) -> &[Value] {
        &self.0
    }
}

impl From<Vec<Value>> for List {
    fn from(items: Vec<Value>) -> Self {
        Self(items.into())
    }
}

impl<V: Into<Value>> FromIterator<V> for List {
    fn from_iter<I: IntoIterator<Item = V>>(items: I) -> Self {
        Self(items.into_iter().map(Into::into).collect())
    }
}

impl<'a> IntoIterator for &'a List {
    type Item = &'a Value;
    type IntoIter = std::slice::Iter<'a, Value>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl IntoIterator for List {
    type Item = Value;
    type IntoIter = std::vec::IntoIter<Value>;
    fn into_iter(self) -> Self::IntoIter {
        self.into_vec().into_iter()
    }
}
