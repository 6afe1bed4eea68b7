//! The fields that a value sets.

use std::collections::BTreeMap;

use lockstep_object::{List, Map, Value};
use lockstep_schema::{ListType, MapType, Relationship, TypeRef, Types};

use super::{
    FieldSet, Problems, Typed,
    element::Element,
    typed::{Form, Forms, Found, item_element, no_form, unknown_type},
};

pub(crate) fn fields(typed: &Typed) -> Result<FieldSet, Problems> {
    let mut walk = Walk { types: &typed.types, set: FieldSet::new(), found: Found::default() };
    walk.value(&typed.value, &typed.of);
    walk.found.end()?;
    Ok(walk.set)
}

struct Walk<'a> {
    types: &'a Types,
    set: FieldSet,
    found: Found,
}

impl Walk<'_> {
    fn value(&mut self, value: &Value, of: &TypeRef) {
        let Some(resolved) = self.types.resolve(of) else { return self.found.add(unknown_type(of)) };
        if self.found.too_deep() {
            return;
        }
        match Forms::of(&resolved, Some(value)).form() {
            None => self.found.add(no_form(of)),
            Some(Form::Scalar(_)) => self.own(),
            Some(Form::List(form)) if form.relationship == Relationship::Atomic => self.own(),
            Some(Form::Map(form)) if form.relationship == Relationship::Atomic => self.own(),
            Some(Form::List(form)) => {
                if let Value::List(items) = value {
                    self.items(form, items);
                }
            }
            Some(Form::Map(form)) => {
                if let Value::Map(map) = value {
                    self.fields(form, map);
                }
            }
        }
    }

    fn own(&mut self) {
        self.set.insert(&self.found.path);
    }

    /// Items of the same key are owned as one, without what is below them.
    fn items(&mut self, form: &ListType, items: &List) {
        let elements: Vec<Option<Element>> =
            items.iter().map(|item| item_element(form, item, self.types).ok()).collect();
        let mut counts: BTreeMap<&Element, usize> = BTreeMap::new();
        for element in elements.iter().flatten() {
            *counts.entry(element).or_default() += 1;
        }
        for (item, element) in items.iter().zip(&elements) {
            let Some(element) = element else { continue };
            self.found.path.push(element.clone());
            if counts.get(element) == Some(&1) {
                self.value(item, &form.item);
            }
            self.own();
            self.found.path.pop();
        }
    }

    /// Named fields count by what is below them; other fields, nulls and empty maps count by being there.
    fn fields(&mut self, form: &MapType, map: &Map) {
        for (name, below) in map.iter() {
            let Some(of) = form.type_of(name) else { continue };
            self.found.path.push(Element::Field(name.clone()));
            self.value(below, of);
            let empty = below.is_null() || below.as_map().is_some_and(Map::is_empty);
            if empty || form.field(name).is_none() {
                self.own();
            }
            self.found.path.pop();
        }
    }
}
