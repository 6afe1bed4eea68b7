//! What differs between two values of a type.

use lockstep_object::{List, Map, Value};
use lockstep_schema::{ListType, MapType, Relationship, Scalar, TypeRef, Types};

use crate::tree;

use super::{
    Comparison, Problems, Typed,
    element::Element,
    typed::{Form, Forms, Found, item_element, no_form, unknown_type},
    validate::scalar_problem,
};

pub(crate) fn compare(left: &Typed, right: &Typed) -> Result<Comparison, Problems> {
    // An update or apply without effect is the usual case.
    if tree::equal(&left.value, &right.value) {
        return Ok(Comparison::default());
    }
    let mut walk = Walk { types: &left.types, comparison: Comparison::default(), found: Found::default() };
    walk.value(Some(&left.value), Some(&right.value), &left.of);
    walk.found.end()?;
    Ok(walk.comparison)
}

struct Walk<'a> {
    types: &'a Types,
    comparison: Comparison,
    found: Found,
}

/// The two sides; at least one is there.
type Side<'v> = Option<&'v Value>;

impl Walk<'_> {
    fn value(&mut self, left: Side<'_>, right: Side<'_>, of: &TypeRef) {
        if let (Some(left), Some(right)) = (left, right)
            && tree::shared(left, right)
        {
            return;
        }
        let Some(resolved) = self.types.resolve(of) else { return self.found.add(unknown_type(of)) };
        if self.found.too_deep() {
            return;
        }
        let (lefts, rights) = (Forms::of(&resolved, left), Forms::of(&resolved, right));
        let leaf = if right.is_none() {
            self.form(lefts, left, right, of)
        } else if left.is_none() || lefts.same(&rights) {
            self.form(rights, left, right, of)
        } else {
            // A value that changed its form is compared as both.
            self.form(lefts, left, right, of);
            self.form(rights, left, right, of)
        };
        if !leaf && left.is_none() {
            self.comparison.added.insert(&self.found.path);
        } else if !leaf && right.is_none() {
            self.comparison.removed.insert(&self.found.path);
        }
    }

    /// Compares in one form. Tells whether it was compared as a whole.
    fn form(&mut self, forms: Forms<'_>, left: Side<'_>, right: Side<'_>, of: &TypeRef) -> bool {
        match forms.form() {
            None => {
                self.found.add(no_form(of));
                false
            }
            Some(Form::Scalar(form)) => self.scalar(form, left, right),
            Some(Form::List(form)) => {
                let (a, b) = (left.and_then(Value::as_list), right.and_then(Value::as_list));
                let empty = a.is_none_or(|list| list.is_empty()) && b.is_none_or(|list| list.is_empty());
                if form.relationship == Relationship::Atomic || empty {
                    return self.leaf(left, right);
                }
                self.items(form, a, b);
                false
            }
            Some(Form::Map(form)) => {
                let (a, b) = (left.and_then(Value::as_map), right.and_then(Value::as_map));
                let empty = a.is_none_or(Map::is_empty) && b.is_none_or(Map::is_empty);
                if form.relationship == Relationship::Atomic || empty {
                    return self.leaf(left, right);
                }
                self.fields(form, a, b);
                false
            }
        }
    }

    fn scalar(&mut self, form: Scalar, left: Side<'_>, right: Side<'_>) -> bool {
        if let (Some(one), Some(other)) = (scalar_problem(form, left), scalar_problem(form, right)) {
            self.found.add(format!("lhs: {one}"));
            self.found.add(format!("rhs: {other}"));
            return false;
        }
        self.leaf(left, right)
    }

    fn leaf(&mut self, left: Side<'_>, right: Side<'_>) -> bool {
        let set = match (left, right) {
            (None, _) => &mut self.comparison.added,
            (_, None) => &mut self.comparison.removed,
            (Some(left), Some(right)) if !tree::equal(left, right) => &mut self.comparison.modified,
            _ => return true,
        };
        set.insert(&self.found.path);
        true
    }

    fn fields(&mut self, form: &MapType, left: Option<&Map>, right: Option<&Map>) {
        let mut pairs: Vec<_> = left
            .iter()
            .flat_map(|map| map.iter())
            .map(|(name, value)| (name, Some(value), right.and_then(|right| right.value_of(name))))
            .collect();
        let added = right
            .iter()
            .flat_map(|map| map.iter())
            .filter(|(name, _)| left.is_none_or(|left| left.value_of(name).is_none()));
        pairs.extend(added.map(|(name, value)| (name, None, Some(value))));
        for (name, a, b) in pairs {
            self.found.path.push(Element::Field(name.clone()));
            match form.type_of(name) {
                Some(of) => self.value(a, b, of),
                None => self.found.add("schema error: invalid atom: inlined"),
            }
            self.found.path.pop();
        }
    }

    fn items(&mut self, form: &ListType, left: Option<&List>, right: Option<&List>) {
        let (lefts, rights) = (self.grouped(form, left), self.grouped(form, right));
        for (element, lefts) in &lefts {
            let rights = find(&rights, element);
            self.group(form, element, lefts, rights);
        }
        for (element, rights) in rights.iter().filter(|(element, _)| find(&lefts, element).is_empty()) {
            self.group(form, element, &[], rights);
        }
    }

    /// Groups the items by element, in the order of their first occurrence.
    fn grouped<'v>(&mut self, form: &ListType, list: Option<&'v List>) -> Groups<'v> {
        let mut groups: Groups<'v> = Groups::new();
        for (place, item) in list.iter().flat_map(|list| list.iter()).enumerate() {
            match item_element(form, item, self.types) {
                Err(problem) => self.found.add(format!("element {place}: {problem}")),
                Ok(element) => groups.entry(element).or_default().push(item),
            }
        }
        groups
    }

    /// Items of the same key are compared as if they were one atomic list.
    fn group(&mut self, form: &ListType, element: &Element, lefts: &[&Value], rights: &[&Value]) {
        self.found.path.push(element.clone());
        match (lefts, rights) {
            ([] | [_], [] | [_]) => self.value(lefts.first().copied(), rights.first().copied(), &form.item),
            ([_, _, ..], [_, _, ..]) => {
                let same = lefts.len() == rights.len() && lefts.iter().zip(rights).all(|(a, b)| tree::equal(a, b));
                if !same {
                    self.comparison.modified.insert(&self.found.path);
                }
            }
            ([_, _, ..], _) => {
                if let Some(right) = rights.first() {
                    self.value(None, Some(right), &form.item);
                }
                self.comparison.removed.insert(&self.found.path);
            }
            _ => {
                if let Some(left) = lefts.first() {
                    self.value(Some(left), None, &form.item);
                }
                self.comparison.added.insert(&self.found.path);
            }
        }
        self.found.path.pop();
    }
}

type Groups<'v> = std::collections::BTreeMap<Element, Vec<&'v Value>>;

fn find<'g, 'v>(groups: &'g Groups<'v>, element: &Element) -> &'g [&'v Value] {
    groups.get(element).map_or(&[], Vec::as_slice)
}
