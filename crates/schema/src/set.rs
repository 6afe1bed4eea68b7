//! The set of known kinds.

use std::sync::Arc;

use lockstep_object::{Gk, Gvk, Value};

use crate::{DefinitionError, Resource, Scope, TypeRef, Types, table::Table};

/// What is known of every kind of one API server; a cheap clone.
#[derive(Clone, Debug)]
pub struct SchemaSet(Arc<Known>);

#[derive(Debug)]
struct Known {
    table: Option<Arc<Table>>,
    types: Types,
    resources: Vec<Arc<Resource>>,
}

impl SchemaSet {
    /// Returns the kinds of Kubernetes 1.36. Costs the opening of the table: keep it and clone it.
    pub fn built_in() -> Self {
        let table = Arc::new(Table::built_in());
        let types = Types::of_table(table.clone());
        Self(Arc::new(Known { resources: table.resources(), table: Some(table), types }))
    }

    /// Returns a set that knows no kind.
    pub fn empty() -> Self {
        Self(Arc::new(Known { table: None, types: Types::new([]), resources: Vec::new() }))
    }

    /// Returns the set with a `CustomResourceDefinition` (`apiextensions.k8s.io/v1`) added; one of the same name is replaced.
    ///
    /// # Errors
    /// If the value is not a definition; problems inside a schema do not fail, they only make it accept less.
    pub fn with_definition(&self, definition: &Value) -> Result<Self, DefinitionError> {
        let added = crate::Definition::parse(definition)?;
        let mut resources = self.0.resources.clone();
        resources.retain(|known| !added.owns(known));
        resources.extend(added.resources());
        Ok(Self(Arc::new(Known { table: self.0.table.clone(), types: self.0.types.clone(), resources })))
    }

    /// Returns the set without the custom resources `plural` of `group`.
    #[must_use]
    pub fn without_definition(&self, group: &str, plural: &str) -> Self {
        let mut resources = self.0.resources.clone();
        resources.retain(|known| {
            known.custom.is_none() || known.gvk.group.as_str() != group || known.plural.as_str() != plural
        });
        Self(Arc::new(Known { table: self.0.table.clone(), types: self.0.types.clone(), resources }))
    }

    /// Walks every kind: built-in ones in the order of discovery, then custom ones as they were added.
    pub fn resources(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.0.resources.iter()
    }

    /// Finds a kind.
    pub fn resource(&self, gvk: &Gvk) -> Option<&Arc<Resource>> {
        self.resources().find(|known| known.gvk == *gvk)
    }

    /// Finds a kind by its plural name.
    pub fn resource_named(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Resource>> {
        self.resources().find(|known| {
            known.plural.as_str() == plural
                && known.gvk.group.as_str() == group
                && known.gvk.version.as_str() == version
        })
    }

    /// Finds the first version of a kind.
    pub fn resource_of_group(&self, gk: &Gk) -> Option<&Arc<Resource>> {
        self.resources().find(|known| known.gvk.group == gk.group && known.gvk.kind == gk.kind)
    }

    /// Returns where objects of this kind live; another version of the same kind answers too.
    pub fn scope(&self, gvk: &Gvk) -> Option<Scope> {
        self.resource(gvk).or_else(|| self.resource_of_group(&gvk.gk())).map(|known| known.scope)
    }

    /// Returns the table of named types.
    pub fn types(&self) -> &Types {
        &self.0.types
    }

    /// Returns the type of an object of this kind; kinds without a schema have the deduced type.
    pub fn root_type(&self, gvk: &Gvk) -> TypeRef {
        if let Some(custom) = self.resource(gvk).and_then(|known| known.custom.as_ref()) {
            return custom.root_type();
        }
        let name = self.0.table.as_ref().and_then(|table| table.root_name(gvk));
        name.map_or_else(TypeRef::deduced, |name| TypeRef::named(&name))
    }

    /// Returns the table of API facts: the OpenAPI and discovery documents of the built-in kinds.
    pub fn table(&self) -> Option<&Table> {
        self.0.table.as_deref()
    }
}
