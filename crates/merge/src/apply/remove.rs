//! A value without some fields, or with nothing but some fields.

use lockstep_object::{List, Map, Value};
use lockstep_schema::{ListType, MapType, Relationship, TypeRef, Types};

use super::{
    FieldSet, Typed,
    element::Element,
    typed::{Form, Forms, item_element},
};

/// Removes the members of the set. A map or list that had something removed stays, even if it is empty then.
pub(crate) fn remove(typed: &Typed, fields: &FieldSet) -> Value {
    Walk { types: &typed.types, extract: false }.value(&typed.value, fields, &typed.of)
}

/// Keeps the members of the set and the way to them.
pub(crate) fn extract(typed: &Typed, fields: &FieldSet) -> Value {
    Walk { types: &typed.types, extract: true }.value(&typed.value, fields, &typed.of)
}

/// Keeps the keys of the items on the way as well.
pub(crate) fn extract_with_keys(typed: &Typed, fields: &FieldSet) -> Value {
    match typed.field_set() {
        Ok(present) => extract(typed, &fields.union(&keys_on_the_way(fields, &present))),
        Err(_) => extract(typed, fields),
    }
}

fn keys_on_the_way(fields: &FieldSet, present: &FieldSet) -> FieldSet {
    let mut keys = FieldSet::new();
    for path in fields.paths().into_iter().filter(|path| present.has(&path.0)) {
        for (place, element) in path.0.iter().enumerate() {
            let Element::Item(names) = element else { continue };
            for (name, _) in names.iter() {
                let mut key = path.0[..=place].to_vec();
                key.push(Element::Field(name.clone()));
                keys.insert(&key);
            }
        }
    }
    keys
}

struct Walk<'a> {
    types: &'a Types,
    extract: bool,
}

impl Walk<'_> {
    fn value(&self, value: &Value, fields: &FieldSet, of: &TypeRef) -> Value {
        let Some(resolved) = self.types.resolve(of) else { return Value::Null };
        match (Forms::of(&resolved, Some(value)).form(), value) {
            (Some(Form::Scalar(_)), value) => value.clone(),
            (Some(Form::List(form)), Value::List(items)) => self.list(form, items, fields),
            (Some(Form::Map(form)), Value::Map(map)) => self.map(form, map, fields),
            _ => Value::Null,
        }
    }

    /// What becomes of an empty or atomic container: all of it is extracted, nothing is left by removal.
    fn whole(&self, value: Value) -> Value {
        if self.extract { value } else { Value::Null }
    }

    fn list(&self, form: &ListType, items: &List, fields: &FieldSet) -> Value {
        if items.is_empty() || form.relationship == Relationship::Atomic {
            return self.whole(Value::List(items.clone()));
        }
        let mut kept = Vec::new();
        let mut touched = false;
        for item in items {
            let Ok(element) = item_element(form, item, self.types) else { continue };
            let is_member = fields.has_member(&element);
            let below = fields.child(&element).filter(|below| !below.is_empty());
            if self.extract {
                match below {
                    Some(below) => kept.push(self.value(item, below, &form.item)),
                    None if is_member => kept.push(item.clone()),
                    None => {}
                }
            } else if !is_member {
                touched |= below.is_some();
                kept.push(below.map_or_else(|| item.clone(), |below| self.shrunk(item, below, &form.item)));
            }
        }
        if kept.is_empty() && !touched { Value::Null } else { Value::List(kept.into()) }
    }

    fn map(&self, form: &MapType, map: &Map, fields: &FieldSet) -> Value {
        if map.is_empty() || form.relationship == Relationship::Atomic {
            return self.whole(Value::Map(map.clone()));
        }
        let mut kept: Vec<(lockstep_object::Key, Value)> = Vec::new();
        let mut touched = false;
        for (name, below) in map.iter() {
            let element = Element::Field(name.clone());
            let of = form.type_of(name).cloned().unwrap_or_else(TypeRef::deduced);
            if fields.has_member(&element) {
                if self.extract {
                    kept.push((name.clone(), self.value(below, fields, &of)));
                }
                continue;
            }
            match fields.child(&element).filter(|fields| !fields.is_empty()) {
                Some(fields) => {
                    touched = true;
                    kept.push((name.clone(), self.shrunk(below, fields, &of)));
                }
                None if self.extract => {}
                None => kept.push((name.clone(), below.clone())),
            }
        }
        let touched = touched && !self.extract;
        if kept.is_empty() && !touched { Value::Null } else { Value::Map(kept.into_iter().collect()) }
    }

    /// A container from which things were removed stays a container.
    fn shrunk(&self, value: &Value, fields: &FieldSet, of: &TypeRef) -> Value {
        match (self.value(value, fields, of), value) {
            (Value::Null, Value::Map(_)) if !self.extract => Value::Map(Map::new()),
            (Value::Null, Value::List(_)) if !self.extract => Value::List(List::new()),
            (left, _) => left,
        }
    }
}
