//! Lists (immutable: no template function changes one in place) and maps (shared and mutable).

use std::{borrow::Cow, cell::RefCell, collections::BTreeMap, rc::Rc};

use super::{Str, Value, drain};
use crate::types::Type;

/// A Go slice. Its elements never change: every function of the library copies.
#[derive(Clone)]
pub struct List(Rc<ListData>);

struct ListData {
    element: Type,
    nil: bool,
    items: Vec<Value>,
}

impl List {
    /// Makes a slice with elements of a type.
    pub fn new(element: Type, items: Vec<Value>) -> Self {
        Self(Rc::new(ListData { element, nil: false, items }))
    }

    /// Makes a nil slice: empty, `null` in JSON.
    pub fn nil(element: Type) -> Self {
        Self(Rc::new(ListData { element, nil: true, items: Vec::new() }))
    }

    /// Gives the type of the elements.
    pub fn element(&self) -> Type {
        self.0.element
    }

    /// Tells whether it is a nil slice.
    pub fn is_nil(&self) -> bool {
        self.0.nil
    }

    /// Gives the elements.
    pub fn items(&self) -> &[Value] {
        &self.0.items
    }

    /// Counts the elements.
    pub fn len(&self) -> usize {
        self.0.items.len()
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.items.is_empty()
    }

    /// Tells whether both are the same slice in memory.
    pub fn same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    /// Takes the elements out when nobody else holds the list.
    pub(super) fn into_items(self) -> Option<Vec<Value>> {
        Rc::into_inner(self.0).map(|mut data| std::mem::take(&mut data.items))
    }
}

impl Drop for ListData {
    fn drop(&mut self) {
        drain::drop_all(std::mem::take(&mut self.items));
    }
}

/// A Go map with string keys: shared by all who hold it, changed in place, iterated in the order of its keys.
///
/// The name of its type belongs to the handle, as in Go: a conversion gives the same map another type.
#[derive(Clone)]
pub struct Map(Rc<MapData>, Option<&'static str>);

struct MapData {
    element: Type,
    entries: RefCell<Option<BTreeMap<Str, Value>>>,
}

impl Map {
    /// Makes an empty `map[string]interface{}`.
    pub fn new() -> Self {
        Self::typed(Type::Any, None)
    }

    /// Makes an empty map with elements of a type and, for a named type such as `common.Values`, its name.
    pub fn typed(element: Type, name: Option<&'static str>) -> Self {
        Self(Rc::new(MapData { element, entries: RefCell::new(Some(BTreeMap::new())) }), name)
    }

    /// Makes a nil map with elements of a type: empty, `null` in JSON; writing to it is an error.
    pub fn nil(element: Type) -> Self {
        Self(Rc::new(MapData { element, entries: RefCell::new(None) }), None)
    }

    /// Gives the same map as a value of a named type, or of the type without a name.
    #[must_use]
    pub fn converted(&self, name: Option<&'static str>) -> Self {
        Self(self.0.clone(), name)
    }

    /// Makes an empty map of the same type.
    pub fn empty_like(&self) -> Self {
        Self::typed(self.0.element, self.1)
    }

    /// Gives the type of the elements.
    pub fn element(&self) -> Type {
        self.0.element
    }

    /// Gives the name of the type as Go's `%T` prints it.
    pub fn type_name(&self) -> Cow<'static, str> {
        match self.1 {
            Some(name) => Cow::Borrowed(name),
            None if self.0.element == Type::Any => Cow::Borrowed("map[string]interface {}"),
            None => Cow::Owned(format!("map[string]{}", self.0.element)),
        }
    }

    /// Tells whether the type has a name of its own.
    pub fn is_named(&self) -> bool {
        self.1.is_some()
    }

    /// Tells whether it is a nil map.
    pub fn is_nil(&self) -> bool {
        self.0.entries.borrow().is_none()
    }

    /// Counts the entries.
    pub fn len(&self) -> usize {
        self.0.entries.borrow().as_ref().map_or(0, BTreeMap::len)
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Looks a key up.
    pub fn get(&self, key: impl AsRef<[u8]>) -> Option<Value> {
        self.0.entries.borrow().as_ref()?.get(key.as_ref()).cloned()
    }

    /// Tells whether a key is there.
    pub fn contains(&self, key: impl AsRef<[u8]>) -> bool {
        self.0.entries.borrow().as_ref().is_some_and(|entries| entries.contains_key(key.as_ref()))
    }

    /// Sets a key; false when the map is nil.
    pub fn insert(&self, key: impl Into<Str>, value: Value) -> bool {
        let old = match self.0.entries.borrow_mut().as_mut() {
            Some(entries) => entries.insert(key.into(), value),
            None => return false,
        };
        drop(old);
        true
    }

    /// Removes a key and gives what it held.
    pub fn remove(&self, key: impl AsRef<[u8]>) -> Option<Value> {
        self.0.entries.borrow_mut().as_mut()?.remove(key.as_ref())
    }

    /// Removes every key: breaks the cycles that templates make with `set`.
    pub fn clear(&self) {
        let old = self.0.entries.borrow_mut().replace(BTreeMap::new());
        drop(old);
    }

    /// Gives a copy of the keys, sorted.
    pub fn keys(&self) -> Vec<Str> {
        self.0.entries.borrow().as_ref().map_or_else(Vec::new, |entries| entries.keys().cloned().collect())
    }

    /// Gives a copy of the entries, sorted by key.
    pub fn entries(&self) -> Vec<(Str, Value)> {
        let entries = self.0.entries.borrow();
        entries.as_ref().map_or_else(Vec::new, |entries| entries.iter().map(|(k, v)| (k.clone(), v.clone())).collect())
    }

    /// Visits the entries in the order of their keys, without a copy. The map must not be changed meanwhile:
    /// [`Map::insert`] and the like would panic, so `visit` must not run template code.
    pub fn each<E>(&self, mut visit: impl FnMut(&Str, &Value) -> Result<(), E>) -> Result<(), E> {
        match self.0.entries.borrow().as_ref() {
            Some(entries) => entries.iter().try_for_each(|(key, value)| visit(key, value)),
            None => Ok(()),
        }
    }

    /// Tells whether both are the same map in memory.
    pub fn same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    /// Gives an address that identifies the map while it lives.
    pub fn address(&self) -> usize {
        Rc::as_ptr(&self.0).addr()
    }

    /// Takes the entries out when nobody else holds the map.
    pub(super) fn into_values(self) -> Option<Vec<Value>> {
        let mut data = Rc::into_inner(self.0)?;
        Some(data.entries.get_mut().take().map_or_else(Vec::new, |entries| entries.into_values().collect()))
    }
}

impl Default for Map {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Into<Str>> FromIterator<(K, Value)> for Map {
    fn from_iter<I: IntoIterator<Item = (K, Value)>>(iter: I) -> Self {
        let entries = iter.into_iter().map(|(key, value)| (key.into(), value)).collect();
        Self(Rc::new(MapData { element: Type::Any, entries: RefCell::new(Some(entries)) }), None)
    }
}

impl Drop for MapData {
    fn drop(&mut self) {
        if let Some(entries) = self.entries.get_mut().take() {
            drain::drop_all(entries.into_values().collect());
        }
    }
}
