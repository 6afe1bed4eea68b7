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

#[cfg(test)]
mod tests {
    use super::*;
    use lockstep_object::from_json;

    #[test]
    fn built_in_kinds_are_known_with_scope_and_names() {
        let known = SchemaSet::built_in();
        let deployment = known.resource(&Gvk::new("apps", "v1", "Deployment")).unwrap();
        assert_eq!(deployment.plural.as_str(), "deployments");
        assert!(deployment.namespaced() && deployment.has_verb("patch"));
        assert_eq!(deployment.subresource("scale").unwrap().gvk, Gvk::new("autoscaling", "v1", "Scale"));
        assert_eq!(known.scope(&Gvk::new("", "v1", "Namespace")), Some(Scope::Cluster));
        assert!(known.resources().count() > 50);
    }

    #[test]
    fn a_service_has_ports_by_port_and_protocol() {
        let known = SchemaSet::built_in();
        let types = known.types();
        let service = types.resolve(&known.root_type(&Gvk::new("", "v1", "Service"))).unwrap();
        let spec = types.resolve(&service.field("spec").unwrap().of).unwrap();
        let ports = types.resolve(&spec.field("ports").unwrap().of).unwrap();
        let list = ports.list.as_ref().unwrap();
        assert_eq!(list.keys.iter().map(|key| key.as_str()).collect::<Vec<_>>(), ["port", "protocol"]);
        let port = types.resolve(&list.item).unwrap();
        assert_eq!(port.field("protocol").unwrap().default, Some(Value::from("TCP")));
    }

    #[test]
    fn every_definition_of_the_table_has_a_type() {
        let known = SchemaSet::built_in();
        for resource in known.resources() {
            let root = known.root_type(&resource.gvk);
            assert!(known.types().resolve(&root).is_some(), "{:?}", resource.gvk);
        }
    }

    #[test]
    fn documents_come_out_of_the_table_as_json() {
        let known = SchemaSet::built_in();
        let table = known.table().unwrap();
        let paths: Vec<&str> = table.openapi_paths().collect();
        assert!(paths.contains(&"apis/apps/v1"));
        let document = from_json(table.openapi("apis/apps/v1").unwrap().as_bytes()).unwrap();
        assert!(document.at(&["components", "schemas", "io.k8s.api.apps.v1.Deployment"]).is_some());
        assert!(document.at(&["components", "securitySchemes"]).is_some());
        assert!(table.discovery("apps/v1").unwrap().starts_with(r#"{"kind":"APIResourceList""#));
    }

    #[test]
    fn a_definition_adds_its_kinds_and_goes_away_again() {
        let definition = from_json(
            br#"{"spec":{"group":"example.com","scope":"Cluster","names":{"plural":"gadgets","kind":"Gadget"},
                "versions":[{"name":"v1","served":true,"storage":true,"subresources":{"status":{}},
                "schema":{"openAPIV3Schema":{"type":"object","properties":{"spec":{"type":"object",
                    "properties":{"list":{"type":"array","x-kubernetes-list-type":"set","items":{"type":"string"}}}}}}}},
                {"name":"v0","served":false,"storage":false}]}}"#,
        );
        let known = SchemaSet::built_in().with_definition(&definition.unwrap()).unwrap();
        let gvk = Gvk::new("example.com", "v1", "Gadget");
        let gadget = known.resource(&gvk).unwrap();
        assert_eq!((gadget.list_kind.as_str(), gadget.singular.as_str()), ("GadgetList", "gadget"));
        assert!(gadget.subresource("status").is_some() && !gadget.namespaced());
        assert!(known.resource(&Gvk::new("example.com", "v0", "Gadget")).is_none());
        let root = known.types().resolve(&known.root_type(&gvk)).unwrap();
        assert!(root.field("metadata").is_some() && root.field("spec").is_some());
        assert!(known.without_definition("example.com", "gadgets").resource(&gvk).is_none());
    }
}
