//! From OpenAPI schemas to types, as the API server does it for server-side apply (kube-openapi `schemaconv`).

use std::sync::Arc;

use lockstep_object::{Key, Value};

use crate::{Field, ListType, MapType, PatchRule, Relationship, Scalar, Type, TypeRef, UNTYPED_ATOMIC};

/// Schemas nested deeper accept anything below; Kubernetes' own are less than 30 deep.
const DEEPEST: usize = 200;

/// Quantities and raw extensions have schemas that say less than the API server knows.
const FREE_SCALARS: [&str; 2] =
    ["io.k8s.apimachinery.pkg.api.resource.Quantity", "io.k8s.apimachinery.pkg.runtime.RawExtension"];

/// Converts a named definition.
pub(crate) fn definition(name: &str, schema: &Value) -> Type {
    if FREE_SCALARS.contains(&name) {
        return Type { scalar: Some(Scalar::Untyped), ..Type::default() };
    }
    convert(schema, Frame { keep_unknown: false, depth: 0 })
}

#[derive(Clone, Copy)]
struct Frame {
    /// `x-kubernetes-preserve-unknown-fields` holds for everything below it.
    keep_unknown: bool,
    depth: usize,
}

fn convert(schema: &Value, frame: Frame) -> Type {
    let keep_unknown = frame.keep_unknown || flag(schema, "x-kubernetes-preserve-unknown-fields");
    let frame = Frame { keep_unknown, ..frame };
    match schema.get("type").and_then(Value::as_str).unwrap_or_default() {
        "" => Type { scalar: Some(Scalar::Untyped), list: Some(list(schema, frame)), map: Some(map(schema, frame)) },
        "object" => Type { map: Some(map(schema, frame)), ..Type::default() },
        "array" => Type { list: Some(list(schema, frame)), ..Type::default() },
        name => Type { scalar: Some(scalar(name, schema)), ..Type::default() },
    }
}

fn scalar(name: &str, schema: &Value) -> Scalar {
    let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
    match (name, format) {
        ("integer" | "number", _) => Scalar::Numeric,
        ("boolean", _) => Scalar::Boolean,
        ("string", "" | "byte") => Scalar::String,
        _ => Scalar::Untyped,
    }
}

fn reference(schema: &Value, frame: Frame) -> TypeRef {
    let only_part =
        schema.get("allOf").and_then(Value::as_list).filter(|parts| parts.len() == 1).map(|parts| &parts[0]);
    let target = schema.get("$ref").or_else(|| only_part.and_then(|part| part.get("$ref"))).and_then(Value::as_str);
    if let Some(name) = target.and_then(|path| path.rsplit('/').next()) {
        let relationship = schema.get("x-kubernetes-map-type").map(map_relationship);
        return TypeRef::Named(name.into(), relationship);
    }
    if frame.depth >= DEEPEST {
        return TypeRef::deduced();
    }
    TypeRef::Inline(Arc::new(convert(schema, Frame { depth: frame.depth + 1, ..frame })))
}

fn map(schema: &Value, frame: Frame) -> MapType {
    let properties = schema.get("properties").and_then(Value::as_map);
    let mut fields: Vec<Field> =
        properties.iter().flat_map(|map| map.iter()).map(|(name, of)| field(name, of, frame)).collect();
    fields.sort_by(|a, b| a.name.cmp(&b.name));
    let item = match schema.get("additionalProperties") {
        None if frame.keep_unknown || fields.is_empty() => Some(TypeRef::deduced()),
        Some(Value::Bool(true)) => Some(TypeRef::deduced()),
        None | Some(Value::Bool(false)) => None,
        Some(of) => Some(reference(of, frame)),
    };
    let relationship = schema.get("x-kubernetes-map-type").map_or(Relationship::Granular, map_relationship);
    MapType { fields: fields.into(), item, relationship }
}

fn field(name: &Key, schema: &Value, frame: Frame) -> Field {
    let strategies = schema.get("x-kubernetes-patch-strategy").and_then(Value::as_str).unwrap_or_default();
    let has = |wanted: &str| strategies.split(',').any(|known| known == wanted);
    let merge_key = schema.get("x-kubernetes-patch-merge-key").and_then(Value::as_str).map(Key::from);
    Field {
        name: name.clone(),
        of: reference(schema, frame),
        default: schema.get("default").cloned(),
        patch: PatchRule { merge: has("merge"), replace: has("replace"), retain_keys: has("retainKeys"), merge_key },
    }
}

fn list(schema: &Value, frame: Frame) -> ListType {
    let item = schema.get("items").map_or_else(|| TypeRef::named(UNTYPED_ATOMIC), |items| reference(items, frame));
    let text = |key| schema.get(key).and_then(Value::as_str);
    let (relationship, keys) = match (text("x-kubernetes-list-type"), text("x-kubernetes-patch-strategy")) {
        (Some("map"), _) => (Relationship::Granular, map_keys(schema)),
        (Some("set"), _) => (Relationship::Granular, Vec::new()),
        (None, Some("merge" | "merge,retainKeys")) => {
            (Relationship::Granular, text("x-kubernetes-patch-merge-key").into_iter().map(Key::from).collect())
        }
        _ => (Relationship::Atomic, Vec::new()),
    };
    ListType { item, relationship, keys: keys.into() }
}

fn map_keys(schema: &Value) -> Vec<Key> {
    let keys = schema.get("x-kubernetes-list-map-keys").and_then(Value::as_list);
    keys.iter().flat_map(|keys| keys.iter()).filter_map(Value::as_str).map(Key::from).collect()
}

fn map_relationship(kind: &Value) -> Relationship {
    if kind.as_str() == Some("atomic") { Relationship::Atomic } else { Relationship::Granular }
}

pub(crate) fn flag(schema: &Value, name: &str) -> bool {
    schema.get(name).and_then(Value::as_bool) == Some(true)
}
