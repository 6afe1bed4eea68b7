//! Tables, as `kubectl get` asks for, and partial metadata.

use jiff::Timestamp;
use lockstep_object::{List, Map, Value};

use crate::{
    build::map,
    catalog::Resource,
    columns::{self, Column},
    status::{Failure, Outcome},
};

/// Turns an object into `PartialObjectMetadata`.
pub(crate) fn metadata_of(value: &Value) -> Value {
    let metadata = value.get("metadata").cloned().unwrap_or_else(|| Value::Map(Map::new()));
    Value::Map(map! { "kind" => "PartialObjectMetadata", "apiVersion" => "meta.k8s.io/v1", "metadata" => metadata })
}

/// Makes a table of objects; `include` is the query's `includeObject`.
pub(crate) fn table(
    resource: &Resource,
    items: &[Value],
    metadata: Map,
    include: &str,
    now: Timestamp,
    header: bool,
) -> Outcome<Value> {
    if !matches!(include, "" | "None" | "Object" | "Metadata") {
        return Err(Failure::bad_request(format!(
            "unrecognized includeObject value: {}",
            crate::status::go_quote(include)
        )));
    }
    let columns = columns::of(resource);
    let rows: List = items.iter().map(|item| row(&columns, item, include, now)).collect();
    let mut table = map! { "kind" => "Table", "apiVersion" => "meta.k8s.io/v1", "metadata" => metadata };
    let definitions = if header { columns.iter().map(definition).collect::<List>().into() } else { Value::Null };
    table.insert("columnDefinitions", definitions);
    table.insert("rows", rows);
    Ok(Value::Map(table))
}

fn definition(column: &Column) -> Value {
    Value::Map(map! {
        "name" => column.name.as_str(), "type" => column.kind.as_str(), "format" => column.format.as_str(),
        "description" => column.description.as_str(), "priority" => column.priority,
    })
}

fn row(columns: &[Column], item: &Value, include: &str, now: Timestamp) -> Value {
    let cells: List = columns.iter().map(|column| column.cell(item, now)).collect();
    let mut row = map! { "cells" => cells };
    let conditions = columns::row_conditions(item);
    if !conditions.is_empty() {
        row.insert("conditions", conditions);
    }
    match include {
        "None" => {}
        "Object" => {
            row.insert("object", item.clone());
        }
        _ => {
            row.insert("object", metadata_of(item));
        }
    }
    Value::Map(row)
}
