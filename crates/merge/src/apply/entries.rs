//! `metadata.managedFields` and back.

use std::collections::BTreeMap;

use lockstep_object::{Map, Text, Value, to_json_html_safe};

use super::{FieldSet, Managed, OwnedFields};

/// How a manager came to own fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// By server-side apply.
    Apply,
    /// By anything else.
    Update,
}

/// Who owns an entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The field manager.
    pub manager: Text,
    /// How it came to own the fields.
    pub operation: Operation,
    /// The `apiVersion` of the request; an applier is the same in every version.
    pub api_version: Text,
    /// The subresource of the request, empty for the object itself.
    pub subresource: Text,
}

/// One entry of `metadata.managedFields`.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Who.
    pub identity: Identity,
    /// When the fields changed last, as written; none if not recorded.
    pub time: Option<Text>,
    /// What.
    pub fields: FieldSet,
}

/// An entry is not what the API server accepts; the text is its own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EntryError(pub String);

impl Operation {
    /// Returns the word in an entry.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

impl Identity {
    /// Returns the key of the manager in [`Managed`]: an applier's has no version.
    pub fn key(&self) -> String {
        let version = if self.operation == Operation::Update { self.api_version.as_str() } else { "" };
        let texts = [
            ("manager", self.manager.as_str()),
            ("operation", self.operation.as_str()),
            ("apiVersion", version),
            ("subresource", &self.subresource),
        ];
        let texts = texts.into_iter().filter(|(_, text)| !text.is_empty());
        let entries = texts.map(|(name, text)| (name.into(), text.into())).collect();
        to_json_html_safe(&Value::Map(Map::from_unique(entries)))
    }

    /// Reads a key; none if it was not made by [`Identity::key`]. An applier's version is empty then.
    pub fn from_key(key: &str) -> Option<Self> {
        let value = lockstep_object::from_json(key.as_bytes()).ok()?;
        identity(&value).ok()
    }
}

impl Entry {
    /// Reads an entry.
    ///
    /// # Errors
    /// If the operation, version, type or fields are not valid; `place` is its position in the list.
    pub fn from_value(value: &Value, place: usize) -> Result<Self, EntryError> {
        let identity = identity(value)?;
        if identity.api_version.is_empty() {
            return Err(EntryError("apiVersion must not be empty".into()));
        }
        match text(value, "fieldsType").as_str() {
            "FieldsV1" => {}
            "" => return Err(EntryError(format!("missing fieldsType in managed fields entry {place}"))),
            other => return Err(EntryError(format!("invalid fieldsType \"{other}\" in managed fields entry {place}"))),
        }
        let fields = value.get("fieldsV1").filter(|fields| !fields.is_null());
        let fields = fields.map_or_else(|| Ok(FieldSet::new()), FieldSet::from_value);
        let fields = fields.map_err(|error| EntryError(error.to_string()))?;
        let time = value.get("time").and_then(Value::as_str).map(Text::from);
        Ok(Self { identity, time, fields })
    }

    /// What the API server sorts entries by.
    fn order(&self) -> (Operation, Option<&str>, &str, &str, &str) {
        let Identity { manager, operation, api_version, subresource } = &self.identity;
        (*operation, self.time.as_ref().map(Text::as_str), manager, api_version, subresource)
    }

    /// Prints an entry, with the keys in the API server's order.
    pub fn to_value(&self) -> Value {
        self.with_fields(self.fields.to_value())
    }

    fn with_fields(&self, fields: Value) -> Value {
        let mut fields = Some(fields);
        let Identity { manager, operation, api_version, subresource } = &self.identity;
        let texts = [
            ("manager", manager.as_str()),
            ("operation", operation.as_str()),
            ("apiVersion", api_version),
            ("time", self.time.as_ref().map_or("", Text::as_str)),
            ("fieldsType", "FieldsV1"),
            ("fieldsV1", ""),
            ("subresource", subresource),
        ];
        let entry = |(name, text): (&str, &str)| match name {
            "fieldsV1" => fields.take().map(|fields| (name.into(), fields)),
            _ => (!text.is_empty()).then(|| (name.into(), text.into())),
        };
        Value::Map(Map::from_unique(texts.into_iter().filter_map(entry).collect()))
    }
}

/// The times of the managers by key, as written in their entries.
pub type Times = BTreeMap<String, Text>;

impl Managed {
    /// Reads `metadata.managedFields`; anything but a list holds no entries.
    ///
    /// # Errors
    /// If an entry is not valid.
    pub fn from_entries(entries: &Value) -> Result<(Self, Times), EntryError> {
        let mut managed = Self::new();
        let mut times = Times::new();
        for (place, entry) in entries.as_list().iter().flat_map(|list| list.iter()).enumerate() {
            let entry = Entry::from_value(entry, place)?;
            let key = entry.identity.key();
            let applied = entry.identity.operation == Operation::Apply;
            let version = entry.identity.api_version.to_string();
            times.extend(entry.time.map(|time| (key.clone(), time)));
            managed.insert(key, OwnedFields { set: entry.fields, version, applied });
        }
        Ok((managed, times))
    }

    /// Returns the entries in the API server's order: by operation, time, manager, version and subresource.
    /// Managers whose key is no [`Identity::key`] are left out.
    pub fn entries(&self, times: &Times) -> Vec<Entry> {
        let read = |(key, fields): (&String, &OwnedFields)| {
            let mut identity = Identity::from_key(key)?;
            identity.api_version = fields.version.as_str().into();
            Some(Entry { identity, time: times.get(key).cloned(), fields: fields.set.clone() })
        };
        let mut entries: Vec<Entry> = self.iter().filter_map(read).collect();
        entries.sort_by(|a, b| a.order().cmp(&b.order()));
        entries
    }

    /// Returns `metadata.managedFields`.
    pub fn to_value(&self, times: &Times) -> Value {
        self.to_value_by(times, |entry| entry.fields.to_value())
    }

    /// Returns `metadata.managedFields` as [`Managed::to_value`] does; `print` returns what [`FieldSet::to_value`] would
    /// for the fields of an entry, so that equal ones can share their memory.
    pub fn to_value_by(&self, times: &Times, print: impl Fn(&Entry) -> Value) -> Value {
        let entries = self.entries(times);
        entries.iter().map(|entry| entry.with_fields(print(entry))).collect::<Vec<_>>().into()
    }
}

fn identity(value: &Value) -> Result<Identity, EntryError> {
    let operation = match text(value, "operation").as_str() {
        "Apply" => Operation::Apply,
        "Update" => Operation::Update,
        _ => return Err(EntryError("operation must be `Apply` or `Update`".into())),
    };
    let (manager, api_version) = (text(value, "manager"), text(value, "apiVersion"));
    Ok(Identity { manager, operation, api_version, subresource: text(value, "subresource") })
}

fn text(value: &Value, key: &str) -> Text {
    value.get(key).and_then(Value::as_str).unwrap_or_default().into()
}
