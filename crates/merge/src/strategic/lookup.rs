//! How fields are merged, looked up in the types.

use std::sync::Arc;

use lockstep_object::Key;
use lockstep_schema::{PatchRule, Type, TypeRef};

use crate::{PatchError, words::quoted};

use super::Schema;

/// Patches nested deeper are refused.
const DEEPEST: usize = 500;

/// A type on the way down.
pub(super) struct Node<'a> {
    schema: Schema<'a>,
    of: TypeRef,
    resolved: Option<Arc<Type>>,
    depth: usize,
}

impl<'a> Node<'a> {
    pub fn root(schema: Schema<'a>) -> Self {
        Self { schema, of: schema.root.clone(), resolved: schema.types.resolve(schema.root), depth: 0 }
    }

    /// Finds a field whose value is a map.
    pub fn map_field(&self, name: &str) -> Result<(Self, PatchRule), PatchError> {
        if self.depth > DEEPEST {
            return Err(PatchError::new("the patch is nested too deep"));
        }
        let map = self.resolved.as_ref().and_then(|resolved| resolved.map.as_ref());
        let Some(map) = map.filter(|map| !map.fields.is_empty()) else {
            return Err(PatchError::new("merging an object in json but data type is not struct, instead is: map"));
        };
        let unknown = || {
            let name = quoted(name);
            PatchError::new(format!("unable to find api field in struct {} for the json field {name}", self.name()))
        };
        let field = map.field(name).ok_or_else(unknown)?;
        Ok((self.below(field.of.clone()), field.patch.clone()))
    }

    /// Finds a field whose value is a list. Returns the type of its items.
    pub fn list_field(&self, name: &str) -> Result<(Self, PatchRule), PatchError> {
        let (list, rule) = self.map_field(name)?;
        match list.resolved.as_ref().and_then(|resolved| resolved.list.as_ref()) {
            Some(of) => Ok((self.below(of.item.clone()), rule)),
            None => Err(PatchError::new("expected slice or array type, but got: struct")),
        }
    }

    fn below(&self, of: TypeRef) -> Self {
        Self { schema: self.schema, resolved: self.schema.types.resolve(&of), of, depth: self.depth + 1 }
    }

    /// Returns the name of the Go struct.
    fn name(&self) -> &str {
        match &self.of {
            TypeRef::Named(name, _) => name.rsplit('.').next().unwrap_or_default(),
            TypeRef::Inline(_) => "",
        }
    }
}

/// Returns the merge key of a list of maps, empty for lists of scalars.
pub(super) fn merge_key(rule: &PatchRule) -> &str {
    rule.merge_key.as_ref().map_or("", Key::as_str)
}
