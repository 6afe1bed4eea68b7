//! The columns that `kubectl get` shows of each kind: their definitions, and which cells stand below them.

use std::{collections::BTreeMap, sync::LazyLock};

use jiff::Timestamp;
use lockstep_object::{List, Map, Value, from_json};

use crate::{
    build::{list_at, map, text_at},
    catalog::Resource,
    crd::Custom,
    printers::{self, Cell, Row},
};

/// The definitions of the built-in kinds as kube-apiserver 1.36 answers them; made by `cargo xtask facts`.
/// A column is `[name, type, format, index of its description, priority]`.
const RECORDED: &[u8] = include_bytes!("../data/columns.json");

static BUILT_IN: LazyLock<Recorded> = LazyLock::new(|| Recorded::read().unwrap_or_default());

/// The recorded definitions, by `group/plural`.
#[derive(Default)]
struct Recorded {
    kinds: BTreeMap<String, List>,
    default: List,
    /// The description of the column `Age`.
    age: String,
    /// The definition of the column `Name`.
    name: Value,
}

impl Recorded {
    fn read() -> Option<Self> {
        let recorded = from_json(RECORDED).ok()?;
        let texts = list_at(&recorded, &["texts"]);
        let definitions = |columns: &Value| -> List {
            columns.as_list().into_iter().flat_map(|list| list.iter()).map(|column| definition(column, texts)).collect()
        };
        let kinds = recorded.get("kinds").and_then(Value::as_map)?;
        let default = definitions(recorded.get("default")?);
        Some(Self {
            kinds: kinds.iter().map(|(kind, columns)| (kind.to_string(), definitions(columns))).collect(),
            age: text_at(default.last()?, &["description"]).to_owned(),
            name: default.first()?.clone(),
            default,
        })
    }
}

fn definition(column: &Value, texts: &[Value]) -> Value {
    let field = |place: usize| column.as_list().and_then(|fields| fields.get(place)).cloned().unwrap_or_default();
    let text = field(3).as_i64().and_then(|place| usize::try_from(place).ok()).and_then(|place| texts.get(place));
    column_definition(field(0), field(1), field(2), text.cloned().unwrap_or_default(), field(4))
}

fn column_definition(name: Value, kind: Value, format: Value, description: Value, priority: Value) -> Value {
    Value::Map(map! {
        "name" => name, "type" => kind, "format" => format, "description" => description, "priority" => priority,
    })
}

/// The columns of one kind.
pub(crate) struct Columns {
    /// As `columnDefinitions` has them.
    pub(crate) definitions: List,
    cells: Cells,
}

enum Cells {
    BuiltIn(&'static [Cell]),
    /// JSONPath and type of each column behind the name.
    Custom(Vec<(String, String)>),
}

impl Columns {
    /// Returns the columns of a resource.
    pub(crate) fn of(resource: &Resource) -> Self {
        if let Some(custom) = &resource.custom {
            return Self::of_custom(custom);
        }
        let kind = format!("{}/{}", resource.group, resource.plural);
        let recorded = BUILT_IN.kinds.get(&kind).zip(printers::cells(&resource.group, &resource.plural));
        let (definitions, cells) = recorded.unwrap_or((&BUILT_IN.default, printers::DEFAULT));
        Self { definitions: definitions.clone(), cells: Cells::BuiltIn(cells) }
    }

    fn of_custom(custom: &Custom) -> Self {
        let mut definitions = vec![BUILT_IN.name.clone()];
        let mut cells = Vec::new();
        for column in &custom.version.columns {
            let description = match column.description.as_str() {
                "" => format!("Custom resource definition column (in JSONPath format): {}", column.path),
                text => text.to_owned(),
            };
            let (name, kind) = (column.name.to_string(), column.kind.to_string());
            let format = column.format.to_string();
            definitions.push(column_definition(
                name.into(),
                kind.as_str().into(),
                format.into(),
                description.into(),
                column.priority.into(),
            ));
            cells.push((column.path.to_string(), kind));
        }
        if cells.is_empty() {
            let age = BUILT_IN.age.as_str();
            definitions.push(column_definition("Age".into(), "date".into(), "".into(), age.into(), 0.into()));
            cells.push((".metadata.creationTimestamp".to_owned(), "date".to_owned()));
        }
        Self { definitions: definitions.into_iter().collect(), cells: Cells::Custom(cells) }
    }

    /// Returns the row of an object in its stored form.
    pub(crate) fn row(&self, item: &Value, now: Timestamp) -> Map {
        let row = Row { item, now };
        let cells: List = match &self.cells {
            Cells::BuiltIn(cells) => cells.iter().map(|cell| cell.value(&row)).collect(),
            Cells::Custom(cells) => std::iter::once(row.name())
                .chain(cells.iter().map(|(path, kind)| crate::jsonpath::cell(item, path, kind, now)))
                .collect(),
        };
        let mut made = map! { "cells" => cells };
        if let Cells::BuiltIn(_) = &self.cells
            && let Some(condition) = finished_pod(item)
        {
            made.insert("conditions", vec![condition]);
        }
        made
    }
}

/// Finished pods are marked, so that clients can tell them.
fn finished_pod(item: &Value) -> Option<Value> {
    if text_at(item, &["kind"]) != "Pod" {
        return None;
    }
    let phase = text_at(item, &["status", "phase"]);
    let message = match phase {
        "Succeeded" => "The pod has completed successfully.",
        "Failed" => "The pod failed.",
        _ => return None,
    };
    Some(Value::Map(map! { "type" => "Completed", "status" => "True", "reason" => phase, "message" => message }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recorded_kind_has_its_cells_and_the_other_way_round() {
        let recorded = Recorded::read().unwrap();
        for (kind, definitions) in &recorded.kinds {
            let (group, plural) = kind.split_once('/').unwrap();
            let cells = printers::cells(group, plural).unwrap_or_else(|| panic!("{kind} has no cells"));
            // The server itself has one cell more than columns here.
            let more = usize::from(kind == "networking.k8s.io/ipaddresses");
            assert_eq!(cells.len(), definitions.len() + more, "{kind}");
        }
        assert_eq!(printers::kinds().count(), recorded.kinds.len());
    }
}
