//! Types as server-side apply and strategic merge see them: a scalar, a list, a map, or several of these.

use std::{collections::BTreeMap, sync::Arc};

use lockstep_object::{Key, Value};

use crate::table::Table;

/// The name of the type of values without a schema whose maps are granular (structured-merge-diff's deduced type).
pub const DEDUCED: &str = "__untyped_deduced_";
/// The name of the type of values without a schema that are owned as a whole.
pub const UNTYPED_ATOMIC: &str = "__untyped_atomic_";

/// A type. A value may take any of the forms that are present; a type without a form accepts nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Type {
    /// The scalars it accepts.
    pub scalar: Option<Scalar>,
    /// The lists it accepts.
    pub list: Option<ListType>,
    /// The maps it accepts.
    pub map: Option<MapType>,
}

/// What a scalar may be; null is accepted everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// An integer or a float.
    Numeric,
    /// A string.
    String,
    /// A boolean.
    Boolean,
    /// Any of these.
    Untyped,
}

/// Who owns the parts of a list or map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relationship {
    /// One owner owns the whole.
    Atomic,
    /// Each item or field has its own owners.
    Granular,
}

/// A list.
#[derive(Clone, Debug, PartialEq)]
pub struct ListType {
    /// The type of each item.
    pub item: TypeRef,
    /// Granular: a set of scalars, or a map by `keys`.
    pub relationship: Relationship,
    /// The fields that identify an item; empty for sets and atomic lists.
    pub keys: Arc<[Key]>,
}

/// A map or an object with fields.
#[derive(Clone, Debug, PartialEq)]
pub struct MapType {
    /// The fields with names, sorted by name.
    pub fields: Arc<[Field]>,
    /// The type of all other fields; none: there may be no others.
    pub item: Option<TypeRef>,
    /// Whether the fields have owners of their own.
    pub relationship: Relationship,
}

/// A named field of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: Key,
    /// Its type.
    pub of: TypeRef,
    /// The static default, as the OpenAPI document states it.
    pub default: Option<Value>,
    /// How a strategic merge patch treats it.
    pub patch: PatchRule,
}

/// The tags `patchStrategy` and `patchMergeKey` of a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PatchRule {
    /// `merge`: lists merge by key or as sets; otherwise a list is replaced.
    pub merge: bool,
    /// `replace`: a map is replaced as a whole.
    pub replace: bool,
    /// `retainKeys`: the patch names the keys to keep.
    pub retain_keys: bool,
    /// The field that identifies an item of the list.
    pub merge_key: Option<Key>,
}

/// A type, or where to find it.
#[derive(Clone, Debug, PartialEq)]
pub enum TypeRef {
    /// A type in the table of names; the relationship, if given, takes the place of the type's own.
    Named(Arc<str>, Option<Relationship>),
    /// The type itself.
    Inline(Arc<Type>),
}

impl TypeRef {
    /// Refers to a type by name.
    pub fn named(name: &str) -> Self {
        Self::Named(name.into(), None)
    }

    /// Refers to the type of values without a schema.
    pub fn deduced() -> Self {
        Self::named(DEDUCED)
    }
}

/// The table of named types; a cheap clone.
#[derive(Clone, Debug)]
pub struct Types(Arc<Names>);

#[derive(Debug)]
struct Names {
    own: BTreeMap<Arc<str>, Arc<Type>>,
    table: Option<Arc<Table>>,
    deduced: Arc<Type>,
    atomic: Arc<Type>,
}

impl Types {
    /// Returns a table with these types, and the two for values without a schema.
    pub fn new(types: impl IntoIterator<Item = (Arc<str>, Type)>) -> Self {
        Self::build(types.into_iter().map(|(name, one)| (name, Arc::new(one))).collect(), None)
    }

    /// Returns the types of a table of API facts, parsed when they are asked for.
    pub(crate) fn of_table(table: Arc<Table>) -> Self {
        Self::build(BTreeMap::new(), Some(table))
    }

    fn build(own: BTreeMap<Arc<str>, Arc<Type>>, table: Option<Arc<Table>>) -> Self {
        let untyped = |item: &str, map: Relationship| {
            let list = ListType {
                item: TypeRef::named(UNTYPED_ATOMIC),
                relationship: Relationship::Atomic,
                keys: Arc::default(),
            };
            let map = MapType { fields: Arc::default(), item: Some(TypeRef::named(item)), relationship: map };
            Arc::new(Type { scalar: Some(Scalar::Untyped), list: Some(list), map: Some(map) })
        };
        let deduced = untyped(DEDUCED, Relationship::Granular);
        let atomic = untyped(UNTYPED_ATOMIC, Relationship::Atomic);
        Self(Arc::new(Names { own, table, deduced, atomic }))
    }

    /// Finds a type by name.
    pub fn get(&self, name: &str) -> Option<Arc<Type>> {
        if let Some(own) = self.0.own.get(name) {
            return Some(own.clone());
        }
        match name {
            DEDUCED => Some(self.0.deduced.clone()),
            UNTYPED_ATOMIC => Some(self.0.atomic.clone()),
            _ => self.0.table.as_ref()?.named_type(name),
        }
    }

    /// Finds what a reference means; none if its name is not known.
    pub fn resolve(&self, reference: &TypeRef) -> Option<Arc<Type>> {
        match reference {
            TypeRef::Inline(one) => Some(one.clone()),
            TypeRef::Named(name, None) => self.get(name),
            TypeRef::Named(name, Some(relationship)) => Some(Arc::new(self.get(name)?.with(*relationship))),
        }
    }
}

impl Type {
    /// Returns the type with another relationship of its map, or of its list if it has no map; the keys of a list stay.
    #[must_use]
    pub fn with(&self, relationship: Relationship) -> Self {
        let mut changed = self.clone();
        match (&mut changed.map, &mut changed.list) {
            (Some(map), _) => map.relationship = relationship,
            (None, Some(list)) => list.relationship = relationship,
            (None, None) => {}
        }
        changed
    }

    /// Finds a named field of its map form.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.map.as_ref()?.field(name)
    }
}

impl MapType {
    /// Finds a named field.
    pub fn field(&self, name: &str) -> Option<&Field> {
        let place = self.fields.binary_search_by(|field| field.name.as_str().cmp(name)).ok()?;
        Some(&self.fields[place])
    }

    /// Finds the type of a field, named or not.
    pub fn type_of(&self, name: &str) -> Option<&TypeRef> {
        self.field(name).map(|field| &field.of).or(self.item.as_ref())
    }
}
