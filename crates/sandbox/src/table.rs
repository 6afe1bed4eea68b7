//! Tables, as `kubectl get` asks for, and partial metadata.

use jiff::Timestamp;
use lockstep_object::{List, Map, Object, Value};

use crate::{
    build::map,
    catalog::Resource,
    columns::Columns,
    status::{Failure, Outcome},
};

/// Turns an object into `PartialObjectMetadata` of a version of `meta.k8s.io`.
pub(crate) fn metadata_of(value: &Value, version: &str) -> Value {
    let metadata = value.get("metadata").cloned().unwrap_or_else(|| Value::Map(Map::new()));
    let api_version = format!("meta.k8s.io/{version}");
    Value::Map(map! { "kind" => "PartialObjectMetadata", "apiVersion" => api_version, "metadata" => metadata })
}

/// How a table is to look.
#[derive(Clone, Copy)]
pub(crate) struct Look<'a> {
    /// The query's `includeObject`.
    pub(crate) include: &'a str,
    /// The version of `meta.k8s.io`.
    pub(crate) version: &'a str,
    /// The columns are defined, as in all but the first event of a watch.
    pub(crate) header: bool,
    /// What ages are counted from.
    pub(crate) now: Timestamp,
}

/// Refuses what `includeObject` may not be.
pub(crate) fn check_include(include: &str) -> Outcome<()> {
    if matches!(include, "" | "None" | "Object" | "Metadata") {
        return Ok(());
    }
    let value = crate::status::go_quote(include);
    Err(Failure::bad_request(format!(
        "Unable to convert to Table as requested: includeObject: Invalid value: {value}: must be 'Metadata', 'Object', 'None', or empty"
    )))
}

/// Makes a table of objects as the resource's version shows them.
pub(crate) fn table(resource: &Resource, items: &[Value], metadata: Map, look: Look<'_>) -> Outcome<Value> {
    check_include(look.include)?;
    let columns = Columns::of(resource);
    let rows: List = items.iter().map(|item| row(resource, &columns, item, look)).collect();
    let definitions = if look.header { Value::List(columns.definitions) } else { Value::Null };
    let api_version = format!("meta.k8s.io/{}", look.version);
    Ok(Value::Map(map! {
        "kind" => "Table", "apiVersion" => api_version, "metadata" => metadata, "columnDefinitions" => definitions,
        "rows" => rows,
    }))
}

fn row(resource: &Resource, columns: &Columns, item: &Value, look: Look<'_>) -> Value {
    let mut row = if resource.is_custom() {
        columns.row(item, look.now)
    } else {
        let stored = item.as_map().map(|map| crate::versions::store_form(resource, Object::new(map.clone())));
        columns.row(&stored.map(Object::into_value).unwrap_or_default(), look.now)
    };
    let object = match look.include {
        "None" => Value::Null,
        "Object" => item.clone(),
        _ => metadata_of(item, look.version),
    };
    row.insert("object", object);
    Value::Map(row)
}
