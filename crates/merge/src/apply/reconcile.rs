//! Field sets that were written under another schema: what became atomic is owned as a whole.

use lockstep_schema::{DEDUCED, ListType, MapType, Relationship, Scalar, TypeRef, Types};

use super::{
    FieldSet, Problems,
    element::Element,
    typed::{Form, Forms, Found, unknown_type},
};

/// Returns the set under the present schema; none if it is as it was.
pub(crate) fn reconcile(set: &FieldSet, of: &TypeRef, types: &Types) -> Result<Option<FieldSet>, Problems> {
    let mut walk = Walk { types, atomic: FieldSet::new(), found: Found::default() };
    walk.node(Some(set), of, false);
    walk.found.end()?;
    if walk.atomic.is_empty() {
        return Ok(None);
    }
    Ok(Some(set.recursive_difference(&walk.atomic).union(&walk.atomic)))
}

struct Walk<'a> {
    types: &'a Types,
    /// The paths that are owned as a whole now.
    atomic: FieldSet,
    found: Found,
}

impl Walk<'_> {
    /// `whole`: the node is a member without anything below it.
    fn node(&mut self, set: Option<&FieldSet>, of: &TypeRef, whole: bool) {
        let Some(resolved) = self.types.resolve(of) else { return self.found.add(unknown_type(of)) };
        if self.found.too_deep() {
            return;
        }
        match Forms::of(&resolved, None).form() {
            Some(Form::List(form)) => self.list(form, set, whole),
            Some(Form::Map(form)) => self.map(form, set, whole),
            Some(Form::Scalar(_)) | None => {}
        }
    }

    fn list(&mut self, form: &ListType, set: Option<&FieldSet>, whole: bool) {
        if !whole && form.relationship == Relationship::Atomic {
            return self.atomic.insert(&self.found.path);
        }
        self.each(set, |_| Some(&form.item));
    }

    fn map(&mut self, form: &MapType, set: Option<&FieldSet>, whole: bool) {
        if is_deduced(form) {
            return;
        }
        if !whole && form.relationship == Relationship::Atomic {
            if set.is_some_and(|set| !set.is_empty()) {
                self.atomic.insert(&self.found.path);
            }
            return;
        }
        self.each(set, |element| match element {
            Element::Field(name) => form.type_of(name),
            _ => form.item.as_ref(),
        });
    }

    fn each<'t>(&mut self, set: Option<&FieldSet>, of: impl Fn(&Element) -> Option<&'t TypeRef>) {
        let Some(set) = set else { return };
        let nodes = set.children().iter().map(|(element, _)| element).filter(|element| !set.has_member(element));
        for element in nodes.chain(set.members()) {
            let Some(of) = of(element) else { continue };
            let child = set.child(element);
            self.found.path.push(element.clone());
            self.node(child, of, set.has_member(element) && child.is_none());
            self.found.path.pop();
        }
    }
}

/// A map without named fields whose values have no schema has no relationship that could have changed.
fn is_deduced(form: &MapType) -> bool {
    let untyped = match &form.item {
        Some(TypeRef::Named(name, _)) => &**name == DEDUCED,
        Some(TypeRef::Inline(one)) => one.scalar == Some(Scalar::Untyped),
        None => false,
    };
    untyped && form.fields.is_empty()
}
