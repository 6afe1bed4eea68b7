//! Maps of a value: insertion order kept, shared until written.

use std::{fmt, sync::Arc};

use hashbrown::HashMap;

use crate::{Key, Value};

/// A map from keys to values in insertion order.
///
/// Up to [`SMALL`] entries live in one allocation and are searched in order, which is both the smallest
/// and the fastest form for Kubernetes' objects; larger maps (a `ConfigMap` of ten thousand keys) get an index.
/// Equality ignores the order, as JSON's does.
#[derive(Clone, Default)]
pub struct Map(Repr);

/// The largest map without an index; measured: beyond about 30 entries a hash beats the walk.
pub const SMALL: usize = 32;

type Entry = (Key, Value);

#[derive(Clone)]
enum Repr {
    Small(Arc<[Entry]>),
    Large(Arc<Large>),
}

impl Default for Repr {
    fn default() -> Self {
        Self::Small(Arc::default())
    }
}

#[derive(Clone)]
struct Large {
    entries: Vec<Entry>,
    places: HashMap<Key, usize>,
}

impl Large {
    fn new(entries: Vec<Entry>) -> Self {
        let places = entries.iter().enumerate().map(|(place, (key, _))| (key.clone(), place)).collect();
        Self { entries, places }
    }
}

impl Map {
    /// Returns the empty map.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the number of entries.
    pub fn len(&self) -> usize {
        self.entries().len()
    }

    /// Tells whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries().is_empty()
    }

    /// Returns the value of `key`.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.place(key).map(|place| &self.entries()[place].1)
    }

    /// Returns the value of `key` for writing; copies the entries first if they are shared.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        let place = self.place(key)?;
        Some(&mut self.entries_mut()[place].1)
    }

    /// Returns the value of a key that is interned already, which is found without a look at its text.
    pub fn value_of(&self, key: &Key) -> Option<&Value> {
        self.place_of(key).map(|place| &self.entries()[place].1)
    }

    /// Tells whether `key` is there.
    pub fn contains_key(&self, key: &str) -> bool {
        self.place(key).is_some()
    }

    /// Sets `key`; a known key keeps its place. Returns the former value.
    pub fn insert(&mut self, key: impl Into<Key>, value: impl Into<Value>) -> Option<Value> {
        let (key, value) = (key.into(), value.into());
        if let Some(place) = self.place_of(&key) {
            return Some(std::mem::replace(&mut self.entries_mut()[place].1, value));
        }
        self.append(key, value);
        None
    }

    /// Returns the value of `key` for writing, set from `default` if it was missing.
    pub fn entry(&mut self, key: impl Into<Key>, default: impl FnOnce() -> Value) -> &mut Value {
        let key = key.into();
        let place = match self.place_of(&key) {
            Some(place) => place,
            None => {
                self.append(key, default());
                self.len() - 1
            }
        };
        &mut self.entries_mut()[place].1
    }

    /// Returns the map at `key` for writing; anything else there (or nothing) is replaced by an empty map.
    pub fn map_entry(&mut self, key: impl Into<Key>) -> &mut Map {
        let value = self.entry(key, || Value::Map(Map::new()));
        if !matches!(value, Value::Map(_)) {
            *value = Value::Map(Map::new());
        }
        match value {
            Value::Map(map) => map,
            _ => unreachable!("set to a map above"),
        }
    }

    /// Removes `key`, keeping the order of the others. Returns its value.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let place = self.place(key)?;
        let mut entries = std::mem::take(self).into_entries();
        let (_, value) = entries.remove(place);
        *self = Self::from_unique(entries);
        Some(value)
    }

    /// Keeps the entries for which `keep` answers true.
    pub fn retain(&mut self, mut keep: impl FnMut(&Key, &mut Value) -> bool) {
        let mut entries = std::mem::take(self).into_entries();
        entries.retain_mut(|(key, value)| keep(key, value));
        *self = Self::from_unique(entries);
    }

    /// Sorts the entries by key (bytewise, as Go sorts map keys).
    pub fn sort_keys(&mut self) {
        if self.entries().is_sorted_by(|(a, _), (b, _)| a <= b) {
            return;
        }
        let mut entries = std::mem::take(self).into_entries();
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        *self = Self::from_unique(entries);
    }

    /// Walks the entries in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Key, &Value)> + ExactSizeIterator {
        self.entries().iter().map(|(key, value)| (key, value))
    }

    /// Walks the entries in order, values for writing.
    pub fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = (&Key, &mut Value)> + ExactSizeIterator {
        self.entries_mut().iter_mut().map(|(key, value)| (&*key, value))
    }

    /// Walks the keys in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &Key> + ExactSizeIterator {
        self.entries().iter().map(|(key, _)| key)
    }

    /// Walks the values in order.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &Value> + ExactSizeIterator {
        self.entries().iter().map(|(_, value)| value)
    }

    /// Tells whether both are the same allocation; then they are equal without a look.
    pub fn shares(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Repr::Small(a), Repr::Small(b)) => Arc::ptr_eq(a, b),
            (Repr::Large(a), Repr::Large(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    /// Returns the entries as a vector; moves them if they are not shared.
    pub fn into_entries(self) -> Vec<(Key, Value)> {
        match self.0 {
            Repr::Small(mut entries) => match Arc::get_mut(&mut entries) {
                Some(entries) => entries.iter_mut().map(|(key, value)| (key.clone(), std::mem::take(value))).collect(),
                None => entries.to_vec(),
            },
            Repr::Large(large) => Arc::unwrap_or_clone(large).entries,
        }
    }

    /// Builds a map from entries whose keys the caller knows to be different; quicker than collecting them.
    pub fn from_unique(entries: Vec<Entry>) -> Self {
        if entries.len() <= SMALL {
            Self(Repr::Small(entries.into()))
        } else {
            Self(Repr::Large(Arc::new(Large::new(entries))))
        }
    }

    fn entries(&self) -> &[Entry] {
        match &self.0 {
            Repr::Small(entries) => entries,
            Repr::Large(large) => &large.entries,
        }
    }

    fn entries_mut(&mut self) -> &mut [Entry] {
        match &mut self.0 {
            Repr::Small(entries) => Arc::make_mut(entries),
            Repr::Large(large) => &mut Arc::make_mut(large).entries,
        }
    }

    fn place(&self, key: &str) -> Option<usize> {
        match &self.0 {
            Repr::Small(entries) => entries.iter().position(|(known, _)| known.as_str() == key),
            Repr::Large(large) => large.places.get(key).copied(),
        }
    }

    fn place_of(&self, key: &Key) -> Option<usize> {
        match &self.0 {
            Repr::Small(entries) => entries.iter().position(|(known, _)| known == key),
            Repr::Large(large) => large.places.get(key).copied(),
        }
    }

    fn append(&mut self, key: Key, value: Value) {
        if let Repr::Large(large) = &mut self.0 {
            let large = Arc::make_mut(large);
            large.places.insert(key.clone(), large.entries.len());
            large.entries.push((key, value));
            return;
        }
        if self.len() == SMALL {
            let mut entries = std::mem::take(self).into_entries();
            entries.push((key, value));
            *self = Self::from_unique(entries);
            return;
        }
        // Straight from the old allocation into the new one.
        let Repr::Small(mut entries) = std::mem::take(&mut self.0) else { return };
        let more = std::iter::once((key, value));
        self.0 = Repr::Small(match Arc::get_mut(&mut entries) {
            Some(own) => own.iter_mut().map(|(key, value)| (key.clone(), std::mem::take(value))).chain(more).collect(),
            None => entries.iter().cloned().chain(more).collect(),
        });
    }
}

impl PartialEq for Map {
    fn eq(&self, other: &Self) -> bool {
        if self.shares(other) {
            return true;
        }
        let (mine, others) = (self.entries(), other.entries());
        if mine.len() != others.len() {
            return false;
        }
        mine.iter().enumerate().all(|(place, (key, value))| match &others[place] {
            (other_key, other_value) if other_key == key => other_value == value,
            _ => other.value_of(key) == Some(value),
        })
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Collects entries; of equal keys the last value wins, in the place of the first.
impl<K: Into<Key>, V: Into<Value>> FromIterator<(K, V)> for Map {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let entries = entries.into_iter();
        let mut unique: Vec<Entry> = Vec::with_capacity(entries.size_hint().0.min(SMALL));
        let mut places: HashMap<Key, usize> = HashMap::new();
        for (key, value) in entries {
            let (key, value) = (key.into(), value.into());
            let known = if places.is_empty() {
                unique.iter().position(|(other, _)| *other == key)
            } else {
                places.get(&key).copied()
            };
            match known {
                Some(place) => unique[place].1 = value,
                None => {
                    if !places.is_empty() {
                        places.insert(key.clone(), unique.len());
                    } else if unique.len() == SMALL {
                        places.extend(unique.iter().enumerate().map(|(place, (key, _))| (key.clone(), place)));
                        places.insert(key.clone(), unique.len());
                    }
                    unique.push((key, value));
                }
            }
        }
        if places.is_empty() {
            Self::from_unique(unique)
        } else {
            Self(Repr::Large(Arc::new(Large { entries: unique, places })))
        }
    }
}

impl<K: Into<Key>, V: Into<Value>> Extend<(K, V)> for Map {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        let known = std::mem::take(self).into_entries().into_iter();
        *self = known.chain(entries.into_iter().map(|(key, value)| (key.into(), value.into()))).collect();
    }
}

impl IntoIterator for Map {
    type Item = (Key, Value);
    type IntoIter = std::vec::IntoIter<(Key, Value)>;
    fn into_iter(self) -> Self::IntoIter {
        self.into_entries().into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_and_small_maps_behave_alike() {
        let mut map = Map::new();
        for n in 0..100 {
            assert_eq!(map.insert(format!("k{n}"), n), None);
            assert_eq!(map.len(), n as usize + 1);
        }
        assert_eq!(map.insert("k7", "seven"), Some(Value::Int(7)));
        assert_eq!(map.remove("k50"), Some(Value::Int(50)));
        assert_eq!(map.get("k51"), Some(&Value::Int(51)));
        map.retain(|_, value| value.as_i64().is_some_and(|n| n < 10));
        assert_eq!(
            map.keys().map(Key::as_str).collect::<Vec<_>>(),
            ["k0", "k1", "k2", "k3", "k4", "k5", "k6", "k8", "k9"]
        );
    }

    #[test]
    fn equality_ignores_the_order_of_keys() {
        let one: Map = [("a", 1), ("b", 2)].into_iter().collect();
        let two: Map = [("b", 2), ("a", 1)].into_iter().collect();
        assert_eq!(one, two);
    }

    #[test]
    fn a_shared_map_is_copied_when_it_is_written() {
        let mut one: Map = [("a", 1)].into_iter().collect();
        let two = one.clone();
        one.insert("a", 2);
        assert_eq!(two.get("a"), Some(&Value::Int(1)));
    }

    #[test]
    fn of_equal_keys_the_last_value_wins() {
        for n in [2, 100] {
            let map: Map = (0..n).chain(0..n).map(|i| (format!("k{i}"), i + 1)).collect();
            assert_eq!(map.len(), n as usize);
        }
    }
}
