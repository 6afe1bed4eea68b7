//! The fields that a value sets.

use std::collections::BTreeMap;

use lockstep_object::{List, Map, Value};
use lockstep_schema::{ListType, MapType, Relationship, TypeRef, Types};

use super::{
    FieldSet, Problems, Typed,
    element::Element,
    typed::{Form, Forms, Found, is_plain_scalar, item_element, no_form, unknown_type},
};

pub(crate) fn fields(typed: &Typed) -> Result<FieldSet, Problems> {
    let mut walk = Walk { types: &typed.types, found: Found::default() };
    let node = walk.value(&typed.value, &typed.of);
    walk.found.end()?;
    Ok(node.below)
}

struct Walk<'a> {
    types: &'a Types,
    found: Found,
}

/// What a value sets: itself as a whole, or fields below it.
#[derive(Default)]
struct Node {
    whole: bool,
    below: FieldSet,
}

impl Walk<'_> {
    fn value(&mut self, value: &Value, of: &TypeRef) -> Node {
        let whole = Node { whole: true, below: FieldSet::new() };
        let Some(resolved) = self.types.resolve(of) else {
            self.found.add(unknown_type(of));
            return Node::default();
        };
        if self.found.too_deep() {
            return Node::default();
        }
        match (Forms::of(&resolved, Some(value)).form(), value) {
            (None, _) => {
                self.found.add(no_form(of));
                Node::default()
            }
            (Some(Form::Scalar(_)), _) => whole,
            (Some(Form::List(form)), _) if form.relationship == Relationship::Atomic => whole,
            (Some(Form::Map(form)), _) if form.relationship == Relationship::Atomic => whole,
            (Some(Form::List(form)), Value::List(items)) => Node { whole: false, below: self.items(form, items) },
            (Some(Form::Map(form)), Value::Map(map)) => Node { whole: false, below: self.fields(form, map) },
            _ => Node::default(),
        }
    }

    /// Items of the same key are owned as one, without what is below them.
    fn items(&mut self, form: &ListType, items: &List) -> FieldSet {
        let mut elements: BTreeMap<Element, Option<&Value>> = BTreeMap::new();
        for item in items {
            if let Ok(element) = item_element(form, item, self.types) {
                elements.entry(element).and_modify(|known| *known = None).or_insert(Some(item));
            }
        }
        let mut set = FieldSet::new();
        for (element, only) in elements {
            self.found.path.push(element.clone());
            let node = only.map(|item| self.value(item, &form.item)).unwrap_or_default();
            self.found.path.pop();
            set.push(element, true, node.below);
        }
        set
    }

    /// Named fields count by what is below them; other fields, nulls and empty maps count by being there.
    fn fields(&mut self, form: &MapType, map: &Map) -> FieldSet {
        let mut entries: Vec<_> = map.iter().collect();
        entries.sort_unstable_by_key(|(name, _)| *name);
        let mut set = FieldSet::new();
        for (name, value) in entries {
            let Some(of) = form.type_of(name) else { continue };
            if is_plain_scalar(of, value) {
                set.push(Element::Field(name.clone()), true, FieldSet::new());
                continue;
            }
            self.found.path.push(Element::Field(name.clone()));
            let node = self.value(value, of);
            let Some(element) = self.found.path.pop() else { continue };
            let empty = value.is_null() || value.as_map().is_some_and(Map::is_empty);
            set.push(element, node.whole || empty || form.field(name).is_none(), node.below);
        }
        set
    }
}
