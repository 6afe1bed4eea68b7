//! Values with their types.

use std::{fmt, sync::Arc};

use lockstep_object::Value;
use lockstep_schema::{ListType, MapType, Relationship, Scalar, Type, TypeRef, Types};

use super::{FieldSet, compare, element::Element, merge, remove, to_set, validate};

/// A value that conforms to its type; cheap to clone.
#[derive(Clone, Debug)]
pub struct Typed {
    pub(crate) value: Value,
    pub(crate) of: TypeRef,
    pub(crate) types: Types,
    /// No list has items of the same key.
    pub(crate) unique: bool,
}

/// What differs between two values; no field is in more than one of the sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// The fields that only the first has.
    pub removed: FieldSet,
    /// The fields that both have with different values.
    pub modified: FieldSet,
    /// The fields that only the second has.
    pub added: FieldSet,
}

/// What does not conform to a type; displays as `.spec.replicas: expected numeric (int or float), got string`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The path, empty for the root.
    pub path: String,
    /// The words.
    pub message: String,
}

/// Every problem of a value. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl Typed {
    /// Checks that a value conforms to its type. `duplicates` allows lists to hold items of the same key, as
    /// updates may and applies may not.
    ///
    /// # Errors
    /// With every violation: unknown fields, wrong forms, duplicate items.
    pub fn new(value: Value, of: &TypeRef, types: &Types, duplicates: bool) -> Result<Self, Problems> {
        let typed = Self { value, of: of.clone(), types: types.clone(), unique: !duplicates };
        let mut found = Found::default();
        validate::value(&typed.value, &typed.of, types, duplicates, &mut found);
        found.end()?;
        Ok(typed)
    }

    /// Returns the value.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Returns the value and drops the type.
    pub fn into_value(self) -> Value {
        self.value
    }

    /// Lists the fields: leaves, and the items and nodes that count by being there.
    ///
    /// # Errors
    /// If the schema is broken.
    pub fn field_set(&self) -> Result<FieldSet, Problems> {
        to_set::fields(self)
    }

    /// Merges: where both have a leaf, the second wins; nothing is removed.
    ///
    /// # Errors
    /// If a list of the second has items of the same key, or the schema is broken.
    pub fn merge(&self, other: &Self) -> Result<Self, Problems> {
        merge::merge(self, other)
    }

    /// Compares.
    ///
    /// # Errors
    /// If the schema is broken, or items of a list have no key.
    pub fn compare(&self, other: &Self) -> Result<Comparison, Problems> {
        compare::compare(self, other)
    }

    /// Returns the value without these fields and items.
    #[must_use]
    pub fn without(&self, fields: &FieldSet) -> Self {
        self.with(remove::remove(self, fields))
    }

    /// Returns the value with nothing but these fields and items.
    #[must_use]
    pub fn only(&self, fields: &FieldSet) -> Self {
        self.with(remove::extract(self, fields))
    }

    /// Returns the value with nothing but these fields and items, and the keys of the items on the way to them.
    #[must_use]
    pub fn only_with_keys(&self, fields: &FieldSet) -> Self {
        self.with(remove::extract_with_keys(self, fields))
    }

    /// Tells whether it is a map that is not empty and whose fields have owners of their own.
    pub(crate) fn is_granular_map(&self) -> bool {
        let granular = |one: Arc<Type>| one.map.as_ref().is_some_and(|map| map.relationship == Relationship::Granular);
        self.value.as_map().is_some_and(|map| !map.is_empty()) && self.types.resolve(&self.of).is_some_and(granular)
    }

    pub(crate) fn with(&self, value: Value) -> Self {
        Self { value, of: self.of.clone(), types: self.types.clone(), unique: false }
    }
}

impl Comparison {
    /// Tells whether there is no difference.
    pub fn is_same(&self) -> bool {
        self.removed.is_empty() && self.modified.is_empty() && self.added.is_empty()
    }

    /// Returns the comparison without these fields and what is below them.
    #[must_use]
    pub fn excluding(&self, fields: &FieldSet) -> Self {
        Self {
            removed: self.removed.recursive_difference(fields),
            modified: self.modified.recursive_difference(fields),
            added: self.added.recursive_difference(fields),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { f.write_str(&self.message) } else { write!(f, "{}: {}", self.path, self.message) }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [only] = self.0.as_slice() {
            return write!(f, "{only}");
        }
        f.write_str("errors:")?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

/// The problems found by a walk, and where the walk is.
#[derive(Default)]
pub(crate) struct Found {
    pub path: Vec<Element>,
    problems: Vec<Problem>,
}

impl Found {
    pub fn add(&mut self, message: impl Into<String>) {
        let path = self.path.iter().map(ToString::to_string).collect();
        self.problems.push(Problem { path, message: message.into() });
    }

    pub fn at<R>(&mut self, element: Element, walk: impl FnOnce(&mut Self) -> R) -> R {
        self.path.push(element);
        let result = walk(self);
        self.path.pop();
        result
    }

    pub fn count(&self) -> usize {
        self.problems.len()
    }

    /// Objects nested deeper are refused; the API server refuses JSON beyond 10,000 levels, Go's stack being larger.
    pub fn too_deep(&mut self) -> bool {
        const DEEPEST: usize = 500;
        let too_deep = self.path.len() > DEEPEST;
        if too_deep {
            self.add("the value is nested too deep");
        }
        too_deep
    }

    pub fn end(self) -> Result<(), Problems> {
        if self.problems.is_empty() { Ok(()) } else { Err(Problems(self.problems)) }
    }
}

/// The forms of a type that a value may take.
#[derive(Clone, Copy)]
pub(crate) struct Forms<'t> {
    scalar: Option<Scalar>,
    list: Option<&'t ListType>,
    map: Option<&'t MapType>,
}

/// The form by which a value is walked.
pub(crate) enum Form<'t> {
    Map(&'t MapType),
    Scalar(Scalar),
    List(&'t ListType),
}

impl<'t> Forms<'t> {
    /// Narrows a type to the form of the value; a value that is absent, null or of another form narrows nothing.
    pub fn of(one: &'t Type, value: Option<&Value>) -> Self {
        let (scalar, list, map) = (one.scalar, one.list.as_ref(), one.map.as_ref());
        let all = Self { scalar, list, map };
        match value {
            None | Some(Value::Null) => all,
            Some(Value::List(_)) if list.is_some() => Self { scalar: None, list, map: None },
            Some(Value::Map(_)) if map.is_some() => Self { scalar: None, list: None, map },
            Some(Value::List(_) | Value::Map(_)) => all,
            Some(_) if scalar.is_some() => Self { scalar, list: None, map: None },
            Some(_) => all,
        }
    }

    pub fn same(&self, other: &Self) -> bool {
        let shape = |forms: &Self| (forms.scalar.is_some(), forms.list.is_some(), forms.map.is_some());
        shape(self) == shape(other)
    }

    /// Chooses the form to walk by; maps first, as the library does.
    pub fn form(&self) -> Option<Form<'t>> {
        let scalar = || self.scalar.map(Form::Scalar);
        self.map.map(Form::Map).or_else(scalar).or_else(|| self.list.map(Form::List))
    }
}

/// Tells whether a value is a scalar of a type that has no other form, without a look at the table of types: most
/// fields are, and nothing more has to be known of them.
pub(crate) fn is_plain_scalar(of: &TypeRef, value: &Value) -> bool {
    let TypeRef::Inline(one) = of else { return false };
    match (one.scalar, &one.list, &one.map) {
        (Some(form), None, None) => !value.is_null() && validate::scalar_problem(form, Some(value)).is_none(),
        _ => false,
    }
}

/// Names a type in the error for a schema without it.
pub(crate) fn unknown_type(of: &TypeRef) -> String {
    match of {
        TypeRef::Named(name, _) => format!("schema error: no type found matching: {name}"),
        TypeRef::Inline(_) => "schema error: no type found matching: inlined type".into(),
    }
}

/// Names a type in the error for a type without a form.
pub(crate) fn no_form(of: &TypeRef) -> String {
    match of {
        TypeRef::Named(name, _) => format!("schema error: invalid atom: named type: {name}"),
        TypeRef::Inline(_) => "schema error: invalid atom: inlined".into(),
    }
}

/// Returns the element of a list's item: its keys, or the scalar itself.
pub(crate) fn item_element(list: &ListType, item: &Value, types: &Types) -> Result<Element, String> {
    if list.keys.is_empty() {
        return match item {
            Value::Map(_) => Err("associative list without keys has an element that's a map type".into()),
            Value::List(_) => Err("not supported: associative list with lists as elements".into()),
            Value::Null => Err("associative list without keys has an element that's an explicit null".into()),
            scalar => Ok(Element::Value(scalar.clone())),
        };
    }
    let map = match item {
        Value::Map(map) => map,
        Value::Null => return Err("associative list with keys may not have a null element".into()),
        _ => return Err("associative list with keys may not have non-map elements".into()),
    };
    let mut keys = Vec::with_capacity(list.keys.len());
    for name in list.keys.iter() {
        if let Some(value) = map.get(name) {
            keys.push((name.clone(), value.clone()));
            continue;
        }
        let item = types.resolve(&list.item);
        let fields = item.as_ref().and_then(|item| item.map.as_ref()).ok_or_else(|| {
            format!("couldn't find default value for {name}: associative list may not have non-map types")
        })?;
        if let Some(default) = fields.field(name).and_then(|field| field.default.as_ref()) {
            keys.push((name.clone(), default.clone()));
        }
    }
    if keys.is_empty() {
        let names: Vec<String> = list.keys.iter().map(|key| crate::words::quoted(key)).collect();
        return Err(format!(
            "associative list with keys has an element that omits all key fields [{}] (and doesn't have default values for any key fields)",
            names.join(" ")
        ));
    }
    Ok(Element::item(keys))
}
