//! Values as they stand in a chart: shared between releases and threads, turned into template values for each release.

use lockstep_gotmpl as gotmpl;
use lockstep_object as object;

use gotmpl::Str;

/// A value of a values file. Every number is a float, as Helm's JSON decoder makes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Plain {
    #[default]
    Null,
    Bool(bool),
    Float(f64),
    Text(Str),
    List(Vec<Plain>),
    /// Sorted by key.
    Map(Vec<(Str, Plain)>),
}

impl Plain {
    /// Takes what YAML or JSON gave.
    pub(crate) fn from_object(value: &object::Value) -> Self {
        match value {
            object::Value::Null => Self::Null,
            object::Value::Bool(truth) => Self::Bool(*truth),
            object::Value::Int(number) => Self::Float(*number as f64),
            object::Value::UInt(number) => Self::Float(*number as f64),
            object::Value::Float(number) => Self::Float(*number),
            object::Value::Text(text) => Self::Text(text.as_str().into()),
            object::Value::List(items) => Self::List(items.iter().map(Self::from_object).collect()),
            object::Value::Map(map) => {
                let mut entries: Vec<(Str, Self)> =
                    map.iter().map(|(key, value)| (key.as_str().into(), Self::from_object(value))).collect();
                entries.sort_by(|(a, _), (b, _)| a.cmp(b));
                Self::Map(entries)
            }
        }
    }

    /// Takes what JSON gave.
    pub(crate) fn from_json(value: &serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(truth) => Self::Bool(*truth),
            serde_json::Value::Number(number) => Self::Float(number.as_f64().unwrap_or_default()),
            serde_json::Value::String(text) => Self::Text(text.as_str().into()),
            serde_json::Value::Array(items) => Self::List(items.iter().map(Self::from_json).collect()),
            serde_json::Value::Object(map) => {
                let mut entries: Vec<(Str, Self)> =
                    map.iter().map(|(key, value)| (key.as_str().into(), Self::from_json(value))).collect();
                entries.sort_by(|(a, _), (b, _)| a.cmp(b));
                Self::Map(entries)
            }
        }
    }

    /// Makes JSON; a float without fraction becomes an integer, as Go prints it.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(truth) => (*truth).into(),
            Self::Float(number) if number.fract() == 0.0 && number.abs() < 9e15 => (*number as i64).into(),
            Self::Float(number) => (*number).into(),
            Self::Text(text) => text.to_text().into(),
            Self::List(items) => items.iter().map(Self::to_json).collect(),
            Self::Map(entries) => {
                entries.iter().map(|(key, value)| (key.to_text().into_owned(), value.to_json())).collect()
            }
        }
    }

    /// Makes a fresh value that a template may change.
    pub(crate) fn to_value(&self) -> gotmpl::Value {
        match self {
            Self::Null => gotmpl::Value::Nil,
            Self::Bool(truth) => gotmpl::Value::Bool(*truth),
            Self::Float(number) => gotmpl::Value::Float(*number),
            Self::Text(text) => gotmpl::Value::Str(text.clone()),
            Self::List(items) => gotmpl::Value::list(items.iter().map(Self::to_value).collect()),
            Self::Map(entries) => {
                gotmpl::Value::Map(entries.iter().map(|(key, value)| (key.clone(), value.to_value())).collect())
            }
        }
    }

    /// Makes a fresh map; of anything but a map, an empty one.
    pub(crate) fn to_map(&self) -> gotmpl::Map {
        match self {
            Self::Map(entries) => entries.iter().map(|(key, value)| (key.clone(), value.to_value())).collect(),
            _ => gotmpl::Map::new(),
        }
    }

    /// Adds `over` to this map; maps are merged, everything else (also null) is replaced, as Helm's `MergeMaps`.
    pub(crate) fn merge(&mut self, over: Self) {
        match (self, over) {
            (Self::Map(entries), Self::Map(over)) => {
                for (key, value) in over {
                    match entries.binary_search_by(|(known, _)| known.cmp(&key)) {
                        Ok(at) => entries[at].1.merge(value),
                        Err(at) => entries.insert(at, (key, value)),
                    }
                }
            }
            (slot, over) => *slot = over,
        }
    }
}

/// Copies a template value deeply, as Helm's copystructure does.
pub(crate) fn deep_copy(value: &gotmpl::Value) -> gotmpl::Value {
    match value {
        gotmpl::Value::Map(map) => gotmpl::Value::Map(deep_copy_map(map)),
        gotmpl::Value::List(list) => {
            gotmpl::Value::List(gotmpl::List::new(list.element(), list.items().iter().map(deep_copy).collect()))
        }
        other => other.clone(),
    }
}

/// Copies a map deeply.
pub(crate) fn deep_copy_map(map: &gotmpl::Map) -> gotmpl::Map {
    map.entries().into_iter().map(|(key, value)| (key, deep_copy(&value))).collect()
}
