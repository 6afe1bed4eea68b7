//! Merges two values of a type: of a leaf the second's wins, nothing is removed.
//!
//! What only one side has is taken over as it is, and so is a map of the left in which nothing changes: a merge without
//! effect gives back the left's own memory.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use lockstep_object::{Key, List, Map, Value};
use lockstep_schema::{ListType, MapType, Relationship, TypeRef, Types};

use crate::tree;

use super::{
    Problems, Typed,
    element::Element,
    typed::{Form, Forms, Found, item_element, no_form, unknown_type},
    validate::scalar_problem,
};

pub(crate) fn merge(left: &Typed, right: &Typed) -> Result<Typed, Problems> {
    let mut walk = Walk { types: &left.types, right_is_unique: right.unique, found: Found::default() };
    let merged = walk.value(Some(&left.value), Some(&right.value), &left.of);
    walk.found.end()?;
    Ok(left.with(merged.unwrap_or_default()))
}

struct Walk<'a> {
    types: &'a Types,
    /// No list of the right has items of the same key.
    right_is_unique: bool,
    found: Found,
}

type Side<'v> = Option<&'v Value>;

impl Walk<'_> {
    fn value(&mut self, left: Side<'_>, right: Side<'_>, of: &TypeRef) -> Option<Value> {
        // Both conform to the type.
        match (left, right) {
            (Some(left), None) => return Some(left.clone()),
            (None, Some(right)) if self.right_is_unique => return Some(right.clone()),
            _ => {}
        }
        let Some(resolved) = self.types.resolve(of) else {
            self.found.add(unknown_type(of));
            return None;
        };
        if self.found.too_deep() {
            return None;
        }
        let (lefts, rights) = (Forms::of(&resolved, left), Forms::of(&resolved, right));
        if left.is_some() && !lefts.same(&rights) {
            // The value changed its form: the left form is walked for its problems only.
            self.form(lefts, left, right, of);
        }
        self.form(rights, left, right, of)
    }

    fn form(&mut self, forms: Forms<'_>, left: Side<'_>, right: Side<'_>, of: &TypeRef) -> Option<Value> {
        let leaf = || match (left, right) {
            (Some(left), Some(right)) if left == right => Some(left.clone()),
            _ => right.or(left).cloned(),
        };
        match forms.form() {
            None => {
                self.found.add(no_form(of));
                None
            }
            Some(Form::Scalar(form)) => {
                if let (Some(one), Some(other)) = (scalar_problem(form, left), scalar_problem(form, right)) {
                    self.found.add(format!("lhs: {one}"));
                    self.found.add(format!("rhs: {other}"));
                    return None;
                }
                leaf()
            }
            Some(Form::List(form)) => {
                let (a, b) = (left.and_then(Value::as_list), right.and_then(Value::as_list));
                // Two empty lists are a leaf, which keeps null and empty apart.
                let empty = a.is_none_or(|list| list.is_empty()) && b.is_none_or(|list| list.is_empty());
                if form.relationship == Relationship::Atomic || empty {
                    return leaf();
                }
                self.items(form, a, b)
            }
            Some(Form::Map(form)) => {
                let (a, b) = (left.and_then(Value::as_map), right.and_then(Value::as_map));
                let empty = a.is_none_or(Map::is_empty) && b.is_none_or(Map::is_empty);
                if form.relationship == Relationship::Atomic || empty {
                    return leaf();
                }
                self.fields(form, a, b)
            }
        }
    }

    fn fields(&mut self, form: &MapType, left: Option<&Map>, right: Option<&Map>) -> Option<Value> {
        let mut merged: Vec<(Key, Value)> = Vec::with_capacity(left.map_or(0, Map::len) + right.map_or(0, Map::len));
        for (name, value) in left.iter().flat_map(|map| map.iter()) {
            self.field(form, name, Some(value), right.and_then(|right| right.value_of(name)), &mut merged);
        }
        for (name, value) in right.iter().flat_map(|map| map.iter()) {
            if left.is_none_or(|left| left.value_of(name).is_none()) {
                self.field(form, name, None, Some(value), &mut merged);
            }
        }
        if let Some(left) = left.filter(|left| left.len() == merged.len())
            && left.iter().zip(&merged).all(|((key, before), (name, after))| key == name && is_same(before, after))
        {
            return Some(Value::Map(left.clone()));
        }
        (!merged.is_empty()).then(|| Value::Map(Map::from_unique(merged)))
    }

    fn field(&mut self, form: &MapType, name: &Key, left: Side<'_>, right: Side<'_>, merged: &mut Vec<(Key, Value)>) {
        self.found.path.push(Element::Field(name.clone()));
        match form.type_of(name) {
            Some(of) => merged.extend(self.value(left, right, of).map(|value| (name.clone(), value))),
            None => self.found.add("schema error: invalid atom: inlined"),
        }
        self.found.path.pop();
    }

    /// Merges lists with keys. The order is the right's for the items that it has; items that only the left has
    /// stay near their neighbours.
    fn items(&mut self, form: &ListType, left: Option<&List>, right: Option<&List>) -> Option<Value> {
        let before = self.found.count();
        let rights = self.indexed(form, right, false);
        let lefts = self.indexed(form, left, true);
        if self.found.count() > before {
            return None;
        }
        let merged = Interleave::new(&lefts, &rights).run(|element, left, right| {
            self.found.path.push(element.clone());
            let merged = self.value(left, right, &form.item);
            self.found.path.pop();
            merged
        });
        if let Some(left) = left.filter(|left| left.len() == merged.len())
            && left.iter().zip(&merged).all(|(before, after)| is_same(before, after))
        {
            return Some(Value::List(left.clone()));
        }
        (!merged.is_empty()).then(|| Value::List(merged.into()))
    }

    fn indexed<'v>(&mut self, form: &ListType, list: Option<&'v List>, duplicates: bool) -> Indexed<'v> {
        let mut indexed = Indexed::default();
        for (place, item) in list.iter().flat_map(|list| list.iter()).enumerate() {
            let element = match item_element(form, item, self.types) {
                Ok(element) => element,
                Err(problem) => {
                    self.found.add(format!("element {place}: {problem}"));
                    continue;
                }
            };
            if let Some(known) = indexed.observed.get_mut(&element) {
                if !duplicates {
                    self.found.add(format!("duplicate entries for key {element}"));
                    continue;
                }
                // Of items with the same key none is merged with the new one: it takes their place.
                *known = &Value::Null;
            } else {
                indexed.observed.insert(element.clone(), item);
            }
            indexed.order.push((element, item));
        }
        indexed
    }
}

/// Tells whether a merged value is the left's own, without a look below.
fn is_same(before: &Value, after: &Value) -> bool {
    match before {
        Value::Map(_) | Value::List(_) => tree::shared(before, after),
        _ => before == after,
    }
}

/// The items of a list in order and by element.
#[derive(Default)]
struct Indexed<'v> {
    order: Vec<(Element, &'v Value)>,
    observed: BTreeMap<Element, &'v Value>,
}

/// Walks two lists at once.
struct Interleave<'i, 'v> {
    left: &'i Indexed<'v>,
    right: &'i Indexed<'v>,
    /// The items of both, in the right's order, that are still to come.
    shared: VecDeque<&'i Element>,
    merged: BTreeSet<&'i Element>,
    out: Vec<Value>,
}

impl<'i, 'v> Interleave<'i, 'v> {
    fn new(left: &'i Indexed<'v>, right: &'i Indexed<'v>) -> Self {
        let both = right.order.iter().map(|(element, _)| element).filter(|element| left.observed.contains_key(element));
        Self { left, right, shared: both.collect(), merged: BTreeSet::new(), out: Vec::new() }
    }

    fn run(mut self, mut merge: impl FnMut(&Element, Side<'v>, Side<'v>) -> Option<Value>) -> Vec<Value> {
        let (mut l, mut r) = (0, 0);
        while l < self.left.order.len() || r < self.right.order.len() {
            let (left, right) = (self.left.order.get(l), self.right.order.get(r));
            if let (Some((element, _)), Some((other, _))) = (left, right) {
                if element == other {
                    self.take_both(element, &mut merge);
                    (l, r) = (l + 1, r + 1);
                    self.shared.pop_front();
                    continue;
                }
                let waits = self.shared.front().is_some_and(|next| *next != element);
                if waits && self.right.observed.contains_key(element) {
                    l += 1;
                    continue;
                }
            }
            if let Some((element, item)) = left {
                if !self.right.observed.contains_key(element) {
                    self.out.extend(merge(element, Some(item), None));
                    l += 1;
                    continue;
                }
                l += usize::from(self.merged.contains(element));
            }
            if let Some((element, _)) = right {
                self.take_both(element, &mut merge);
                r += 1;
                if self.shared.front() == Some(&element) {
                    self.shared.pop_front();
                }
            }
        }
        self.out
    }

    fn take_both(
        &mut self,
        element: &'i Element,
        merge: &mut impl FnMut(&Element, Side<'v>, Side<'v>) -> Option<Value>,
    ) {
        self.merged.insert(element);
        let (left, right) = (self.left.observed.get(element).copied(), self.right.observed.get(element).copied());
        self.out.extend(merge(element, left, right));
    }
}
