//! The columns that `kubectl get` shows of each kind.

use jiff::Timestamp;
use lockstep_object::Value;

use crate::{build::text_at, catalog::Resource, moment::age};

/// Says what a name is, in the words of the API's documentation.
const NAME: &str = "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names";
const AGE: &str = "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";

/// How a cell is made.
#[derive(Clone)]
pub(crate) enum Source {
    Name,
    Age,
    Path(String),
    With(fn(&Value, Timestamp) -> Value),
}

/// A column.
#[derive(Clone)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) format: String,
    pub(crate) description: String,
    pub(crate) priority: i64,
    pub(crate) source: Source,
}

impl Column {
    pub(crate) fn cell(&self, item: &Value, now: Timestamp) -> Value {
        match &self.source {
            Source::Name => text_at(item, &["metadata", "name"]).into(),
            Source::Age => age(text_at(item, &["metadata", "creationTimestamp"]), now).into(),
            Source::Path(path) => crate::jsonpath::cell(item, path, &self.kind, now),
            Source::With(make) => make(item, now),
        }
    }

    pub(crate) fn new(name: &str, kind: &str, priority: i64, description: &str, source: Source) -> Self {
        Self {
            name: name.to_owned(),
            kind: kind.to_owned(),
            format: String::new(),
            description: description.to_owned(),
            priority,
            source,
        }
    }
}

pub(crate) fn name_column() -> Column {
    Column { format: "name".to_owned(), ..Column::new("Name", "string", 0, NAME, Source::Name) }
}

pub(crate) fn age_column() -> Column {
    Column::new("Age", "string", 0, AGE, Source::Age)
}

/// Returns the columns of a kind.
pub(crate) fn of(resource: &Resource) -> Vec<Column> {
    if let Some(custom) = &resource.custom {
        let mut columns = vec![name_column()];
        if custom.version.columns.is_empty() {
            let source = Source::Path(".metadata.creationTimestamp".to_owned());
            columns.push(Column::new("Age", "date", 0, AGE, source));
        }
        columns.extend(custom.version.columns.iter().map(|column| Column {
            name: column.name.to_string(),
            kind: column.kind.to_string(),
            format: column.format.to_string(),
            description: match column.description.as_str() {
                "" => format!("Custom resource definition column (in JSONPath format): {}", column.path),
                text => text.to_owned(),
            },
            priority: column.priority,
            source: Source::Path(column.path.to_string()),
        }));
        return columns;
    }
    crate::printers::of(resource).unwrap_or_else(|| {
        let created = Source::With(|item, _| text_at(item, &["metadata", "creationTimestamp"]).into());
        vec![name_column(), Column::new("Created At", "date", 0, AGE, created)]
    })
}

/// Finished pods are marked, so that clients can tell them.
pub(crate) fn row_conditions(item: &Value) -> Vec<Value> {
    if text_at(item, &["kind"]) != "Pod" {
        return Vec::new();
    }
    let phase = text_at(item, &["status", "phase"]);
    let message = match phase {
        "Succeeded" => "The pod has completed successfully.",
        "Failed" => "The pod failed.",
        _ => return Vec::new(),
    };
    vec![Value::Map(
        crate::build::map! { "type" => "Completed", "status" => "True", "reason" => phase, "message" => message },
    )]
}
