//! The cells of built-in kinds, in the order of the recorded columns.
//!
//! A kind is a list of [`Cell`]s; most read a field. What the server works out is a function. The rules
//! are those of `pkg/printers/internalversion` in Kubernetes 1.36.

mod network;
mod objects;
mod pods;
mod storage;
mod workloads;

use jiff::Timestamp;
use lockstep_object::Value;

use crate::{
    build::text_at,
    moment::{age, human},
    subresources::selector_text,
};

/// How one cell is made. Paths are field names joined by dots.
pub(crate) enum Cell {
    /// The object's name.
    Name,
    /// The time since its creation.
    Age,
    /// When it was created.
    Created,
    /// A text, empty without one.
    Text(&'static str),
    /// A text, and what stands in its place.
    TextOr(&'static str, &'static str),
    /// A number, 0 without one.
    Number(&'static str),
    /// A truth value, and what it is if it is missing.
    Flag(&'static str, bool),
    /// How many entries a list or map has.
    Count(&'static str),
    /// `ready/wanted`.
    Ratio(&'static str, &'static str),
    /// Labels.
    Labels(&'static str),
    /// A label selector, or `<none>`.
    Selector(&'static str),
    /// The names of containers.
    Containers(&'static str),
    /// The images of containers.
    Images(&'static str),
    /// What is worked out.
    With(fn(&Row<'_>) -> Value),
}

use Cell::{Age, Count, Created, Flag, Name, Number, Text, TextOr, With};

/// An object that becomes a row.
pub(crate) struct Row<'a> {
    /// The object in its stored form.
    pub(crate) item: &'a Value,
    /// What ages are counted from.
    pub(crate) now: Timestamp,
}

impl<'a> Row<'a> {
    fn at(&self, path: &str) -> Option<&'a Value> {
        path.split('.').try_fold(self.item, |value, key| value.get(key)).filter(|value| !value.is_null())
    }

    fn text(&self, path: &str) -> &'a str {
        self.at(path).and_then(Value::as_str).unwrap_or_default()
    }

    fn number(&self, path: &str) -> i64 {
        self.at(path).and_then(Value::as_i64).unwrap_or_default()
    }

    fn list(&self, path: &str) -> &'a [Value] {
        self.at(path).and_then(Value::as_list).map(|list| &**list).unwrap_or_default()
    }

    pub(crate) fn name(&self) -> Value {
        self.text("metadata.name").into()
    }

    fn is_deleted(&self) -> bool {
        self.at("metadata.deletionTimestamp").is_some()
    }

    fn annotation(&self, key: &str) -> Option<&'a str> {
        self.item.at(&["metadata", "annotations", key]).and_then(Value::as_str)
    }

    /// The time since an instant, `<unknown>` without one.
    fn since(&self, path: &str) -> String {
        age(self.text(path), self.now)
    }

    /// The words of a field of each entry of a list.
    fn words(&self, path: &str, field: &str) -> String {
        self.list(path).iter().map(|entry| text_at(entry, &[field])).collect::<Vec<_>>().join(",")
    }

    /// Tells whether the first condition of that type holds.
    fn holds(&self, kind: &str) -> bool {
        let found = self.list("status.conditions").iter().find(|one| text_at(one, &["type"]) == kind);
        found.is_some_and(|one| text_at(one, &["status"]) == "True")
    }
}

impl Cell {
    /// Makes the cell.
    pub(crate) fn value(&self, row: &Row<'_>) -> Value {
        match self {
            Name => row.name(),
            Age => row.since("metadata.creationTimestamp").into(),
            Created => row.text("metadata.creationTimestamp").into(),
            Text(path) => row.text(path).into(),
            TextOr(path, other) => or(row.text(path), other),
            Number(path) => row.number(path).into(),
            Flag(path, other) => row.at(path).and_then(Value::as_bool).unwrap_or(*other).into(),
            Count(path) => count(row.at(path)).into(),
            Self::Ratio(ready, wanted) => format!("{}/{}", row.number(ready), row.number(wanted)).into(),
            Self::Labels(path) | Self::Selector(path) => or(&selector_text(row.at(path)), "<none>"),
            Self::Containers(path) => row.words(path, "name").into(),
            Self::Images(path) => row.words(path, "image").into(),
            With(make) => make(row),
        }
    }
}

/// What kinds without columns of their own show.
pub(crate) const DEFAULT: &[Cell] = &[Name, Created];

/// The cells of each kind, by group and plural.
type Kinds = &'static [(&'static str, &'static str, &'static [Cell])];

/// Walks the kinds that have cells.
pub(crate) fn kinds() -> impl Iterator<Item = &'static (&'static str, &'static str, &'static [Cell])> {
    [workloads::KINDS, network::KINDS, storage::KINDS, objects::KINDS].into_iter().flatten()
}

/// Returns the cells of a kind.
pub(crate) fn cells(group: &str, plural: &str) -> Option<&'static [Cell]> {
    kinds().find(|(g, p, _)| *g == group && *p == plural).map(|(_, _, cells)| *cells)
}

fn or(text: &str, other: &str) -> Value {
    if text.is_empty() { other.into() } else { text.into() }
}

fn count(value: Option<&Value>) -> i64 {
    let entries = match value {
        Some(Value::List(items)) => items.len(),
        Some(Value::Map(map)) => map.len(),
        _ => 0,
    };
    i64::try_from(entries).unwrap_or_default()
}

/// Prints a number or text (`IntOrString`), a quantity too.
pub(crate) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| lockstep_object::to_json(value), str::to_owned)
}

/// Joins words and says how many more there are behind the first three.
fn with_more(words: &[String]) -> String {
    const MOST: usize = 3;
    let text = words.iter().take(MOST).cloned().collect::<Vec<_>>().join(",");
    if words.len() > MOST { format!("{text} + {} more...", words.len() - MOST) } else { text }
}

/// Prints the time between two instants.
fn between(start: &str, end: &str) -> Option<String> {
    let (start, end) = (start.parse::<Timestamp>().ok()?, end.parse::<Timestamp>().ok()?);
    Some(human(end.as_second() - start.as_second()))
}
