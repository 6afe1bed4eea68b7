//! Custom resource definitions (`apiextensions.k8s.io/v1`).

use std::sync::{Arc, OnceLock};

use lockstep_object::{Gvk, Map, Text, Value};

use crate::{
    Field, MapType, PatchRule, Relationship, Resource, Scope, Subresource, Type, TypeRef, openapi,
    structural::Structural,
};

/// The value is not a custom resource definition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a CustomResourceDefinition: {0}")]
pub struct DefinitionError(pub String);

/// A custom resource definition: one resource for each version that is served.
#[derive(Clone, Debug)]
pub struct Definition {
    group: Text,
    plural: Text,
    resources: Vec<Arc<Resource>>,
}

/// What a definition says about one version.
#[derive(Debug)]
pub struct Version {
    /// The version's name.
    pub name: Text,
    /// Whether objects are stored in this version.
    pub storage: bool,
    /// The structural schema, with `apiVersion`, `kind` and `metadata` as every object has them.
    pub schema: Arc<Structural>,
    /// The schema as the definition states it (`openAPIV3Schema`).
    pub source: Value,
    /// The printer columns; the columns for name and age are not part of them.
    pub columns: Vec<Column>,
    /// `.spec.replicas`, `.status.replicas` and `.status.selector` of the scale subresource, if there is one.
    pub scale: Option<Scale>,
    /// The warning for clients of a deprecated version.
    pub deprecation: Option<Text>,
    /// The fields that `kubectl get --field-selector` may name, as JSON paths.
    pub selectable: Vec<Text>,
    root: OnceLock<Arc<Type>>,
    group_kind: Gvk,
}

/// Where the scale subresource finds its parts: JSON paths with a leading dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scale {
    /// The wanted number.
    pub spec_replicas: Text,
    /// The present number.
    pub status_replicas: Text,
    /// The selector as text; empty if the definition names none.
    pub selector: Text,
}

/// A column that `kubectl get` shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The heading.
    pub name: Text,
    /// `integer`, `number`, `string`, `boolean` or `date`.
    pub kind: Text,
    /// The format of the OpenAPI type; often empty.
    pub format: Text,
    /// What it means.
    pub description: Text,
    /// Columns above 0 are shown by `-o wide` only.
    pub priority: i64,
    /// The JSON path.
    pub path: Text,
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.group_kind == other.group_kind && self.source == other.source && self.columns == other.columns
    }
}

impl Version {
    /// Returns the type of its objects.
    pub fn root_type(&self) -> TypeRef {
        TypeRef::Inline(self.root.get_or_init(|| Arc::new(root_type(&self.source))).clone())
    }
}

/// An object has `apiVersion`, `kind` and `metadata` whatever its schema says.
fn root_type(schema: &Value) -> Type {
    let mut root = openapi::definition("", schema);
    let known = root.map.get_or_insert_with(|| MapType {
        fields: Arc::default(),
        item: Some(TypeRef::deduced()),
        relationship: Relationship::Granular,
    });
    let string = || TypeRef::Inline(Arc::new(Type { scalar: Some(crate::Scalar::String), ..Type::default() }));
    let metadata = TypeRef::named("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta");
    let always = [("apiVersion", string()), ("kind", string()), ("metadata", metadata)];
    let mut fields: Vec<Field> =
        known.fields.iter().filter(|f| always.iter().all(|(name, _)| f.name != *name)).cloned().collect();
    fields.extend(always.into_iter().map(|(name, of)| Field {
        name: name.into(),
        of,
        default: None,
        patch: PatchRule::default(),
    }));
    fields.sort_by(|a, b| a.name.cmp(&b.name));
    known.fields = fields.into();
    root.list = None;
    root.scalar = None;
    root
}

impl Definition {
    /// Reads a definition; versions that are not served are left out.
    ///
    /// # Errors
    /// If group, plural name or kind are missing.
    pub fn parse(definition: &Value) -> Result<Self, DefinitionError> {
        let spec = definition.get("spec").ok_or_else(|| DefinitionError("it has no spec".into()))?;
        let names = spec.get("names").ok_or_else(|| DefinitionError("it has no spec.names".into()))?;
        let needed = |from: &Value, key: &str| match text(from, key) {
            found if found.is_empty() => Err(DefinitionError(format!("it has no {key}"))),
            found => Ok(found),
        };
        let (group, plural, kind) = (needed(spec, "group")?, needed(names, "plural")?, needed(names, "kind")?);
        let versions = spec.get("versions").and_then(Value::as_list);
        let served = versions.iter().flat_map(|list| list.iter()).filter(|version| openapi::flag(version, "served"));
        let keep_unknown = openapi::flag(spec, "preserveUnknownFields");
        let resources = served.map(|version| {
            let gvk = Gvk::new(&group, &text(version, "name"), &kind);
            Arc::new(resource(spec, names, gvk, version, keep_unknown))
        });
        Ok(Self { resources: resources.collect(), group, plural })
    }

    /// Returns the resources, in the definition's order of versions.
    pub fn resources(&self) -> impl Iterator<Item = Arc<Resource>> {
        self.resources.iter().cloned()
    }

    /// Tells whether this resource comes from a definition of this name.
    pub(crate) fn owns(&self, resource: &Resource) -> bool {
        resource.custom.is_some() && resource.gvk.group == self.group && resource.plural == self.plural
    }
}

const VERBS: [&str; 8] = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];

fn resource(spec: &Value, names: &Value, gvk: Gvk, version: &Value, keep_unknown: bool) -> Resource {
    let kind = gvk.kind.to_string();
    let or = |key: &str, default: String| match text(names, key) {
        found if found.is_empty() => Text::from(default),
        found => found,
    };
    let subresources = version.get("subresources");
    let verbs = || ["get", "patch", "update"].map(Text::from).to_vec();
    let mut found = Vec::new();
    if subresources.and_then(|all| all.get("status")).is_some() {
        found.push(Subresource { name: "status".into(), gvk: gvk.clone(), verbs: verbs() });
    }
    if subresources.and_then(|all| all.get("scale")).is_some() {
        found.push(Subresource { name: "scale".into(), gvk: Gvk::new("autoscaling", "v1", "Scale"), verbs: verbs() });
    }
    Resource {
        list_kind: or("listKind", format!("{kind}List")),
        singular: or("singular", kind.to_lowercase()),
        plural: text(names, "plural"),
        scope: if text(spec, "scope").as_str() == "Cluster" { Scope::Cluster } else { Scope::Namespaced },
        verbs: VERBS.map(Text::from).to_vec(),
        short_names: texts(names.get("shortNames")),
        categories: texts(names.get("categories")),
        subresources: found,
        storage_version_hash: Text::from(""),
        custom: Some(Arc::new(parse_version(gvk.clone(), version, keep_unknown))),
        gvk,
    }
}

fn parse_version(gvk: Gvk, version: &Value, keep_unknown: bool) -> Version {
    let source = version.at(&["schema", "openAPIV3Schema"]).cloned();
    // Without a schema nothing is known, so nothing is pruned; that is what the old switch says as well.
    let free = || {
        Value::Map(Map::from_iter([
            ("type", Value::from("object")),
            ("x-kubernetes-preserve-unknown-fields", true.into()),
        ]))
    };
    let mut source = source.unwrap_or_else(free);
    if keep_unknown && let Some(root) = source.as_map_mut() {
        root.insert("x-kubernetes-preserve-unknown-fields", true);
    }
    let scale = version.at(&["subresources", "scale"]).map(|scale| Scale {
        spec_replicas: text(scale, "specReplicasPath"),
        status_replicas: text(scale, "statusReplicasPath"),
        selector: text(scale, "labelSelectorPath"),
    });
    let deprecation = openapi::flag(version, "deprecated").then(|| deprecation(&gvk, version));
    let columns = version.get("additionalPrinterColumns").and_then(Value::as_list);
    let selectable = version.get("selectableFields").and_then(Value::as_list);
    Version {
        name: gvk.version.clone(),
        storage: openapi::flag(version, "storage"),
        schema: Arc::new(Structural::of_object(&source)),
        columns: columns.iter().flat_map(|list| list.iter()).map(column).collect(),
        scale,
        deprecation,
        selectable: selectable.iter().flat_map(|list| list.iter()).map(|field| text(field, "jsonPath")).collect(),
        source,
        root: OnceLock::new(),
        group_kind: gvk,
    }
}

fn deprecation(gvk: &Gvk, version: &Value) -> Text {
    match version.get("deprecationWarning").and_then(Value::as_str) {
        Some(warning) => warning.into(),
        None => format!("{} {} is deprecated", gvk.api_version(), gvk.kind).into(),
    }
}

fn column(column: &Value) -> Column {
    Column {
        name: text(column, "name"),
        kind: text(column, "type"),
        format: text(column, "format"),
        description: text(column, "description"),
        priority: column.get("priority").and_then(Value::as_i64).unwrap_or_default(),
        path: text(column, "jsonPath"),
    }
}

fn text(from: &Value, key: &str) -> Text {
    from.get(key).and_then(Value::as_str).unwrap_or_default().into()
}

fn texts(list: Option<&Value>) -> Vec<Text> {
    let items = list.and_then(Value::as_list);
    items.iter().flat_map(|items| items.iter()).filter_map(Value::as_str).map(Text::from).collect()
}
