//! Values files and the values that the user gives.

use lockstep_gotmpl::{Map, Value};
use lockstep_object as object;

use crate::{
    decode::parse_yaml,
    error::{Error, ErrorKind},
    plain::Plain,
    strvals::{self, Mode},
};

/// What the user gives besides the chart; applied in the order of Helm: files, JSON, `set`, strings, files, literals.
#[derive(Clone, Debug, Default)]
pub struct UserValues {
    /// Values files: a name for messages, and the text.
    pub files: Vec<(String, String)>,
    /// `--set-json` expressions.
    pub set_json: Vec<String>,
    /// `--set` expressions.
    pub set: Vec<String>,
    /// `--set-string` expressions.
    pub set_string: Vec<String>,
    /// `--set-file`: the key, and the content of the file.
    pub set_file: Vec<(String, String)>,
    /// `--set-literal` expressions.
    pub set_literal: Vec<String>,
}

impl UserValues {
    /// Merges all into one map.
    pub(crate) fn merge(&self) -> Result<Map, Error> {
        let mut base = Plain::Map(Vec::new());
        for (name, text) in &self.files {
            let values =
                load(text).map_err(|e| Error::new(ErrorKind::Values, format!("failed to parse {name}: {e}")))?;
            base.merge(values);
        }
        let mut values = base.to_map();
        for text in &self.set_json {
            values = apply_json(text, values)?;
        }
        let apply = |flag: &str, text: &str, mode: &Mode| {
            strvals::apply(text, mode, &values)
                .map_err(|error| Error::new(ErrorKind::Values, format!("failed parsing {flag} data: {error}")))
        };
        self.set.iter().try_for_each(|text| apply("--set", text, &Mode::Typed))?;
        self.set_string.iter().try_for_each(|text| apply("--set-string", text, &Mode::Text))?;
        for (key, content) in &self.set_file {
            apply("--set-file", &format!("{key}=file"), &Mode::File(content.as_str().into()))?;
        }
        self.set_literal.iter().try_for_each(|text| apply("--set-literal", text, &Mode::Literal))?;
        Ok(values)
    }
}

pub(crate) fn apply_json(text: &str, values: Map) -> Result<Map, Error> {
    let trimmed = text.trim();
    if !trimmed.starts_with('{') {
        return match strvals::apply(text, &Mode::Json, &values) {
            Ok(()) => Ok(values),
            Err(_) => Err(Error::new(ErrorKind::Values, format!("failed parsing --set-json data {text}"))),
        };
    }
    let Ok(json) = serde_json::from_str::<serde_json::Value>(trimmed) else {
        return Err(Error::new(ErrorKind::Values, format!("failed parsing --set-json data JSON: {text}")));
    };
    merge_maps(&values, &Plain::from_json(&json).to_map());
    Ok(values)
}

/// Adds `over` to `base`, maps merged.
fn merge_maps(base: &Map, over: &Map) {
    for (key, value) in over.entries() {
        match (base.get(&key), &value) {
            (Some(Value::Map(known)), Value::Map(over)) => merge_maps(&known, over),
            _ => {
                base.insert(key, value);
            }
        }
    }
}

/// Reads a values file: all its documents, merged. The error is Helm's text.
pub(crate) fn load(text: &str) -> Result<Plain, String> {
    let mut values = Plain::Map(Vec::new());
    for document in documents(text)? {
        let value = parse_map(&document).map_err(|error| format!("cannot unmarshal yaml document: {error}"))?;
        values.merge(value);
    }
    Ok(values)
}

fn parse_map(text: &str) -> Result<Plain, String> {
    let value = parse_yaml(text)?;
    let kind = match &value {
        object::Value::Null => return Ok(Plain::Map(Vec::new())),
        object::Value::Map(_) => return Ok(Plain::from_object(&value)),
        object::Value::Bool(_) => "bool",
        object::Value::Text(_) => "string",
        object::Value::List(_) => "array",
        _ => "number",
    };
    Err(format!(
        "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"
    ))
}

/// Splits at lines that begin with `---`, as apimachinery's `YAMLReader`; line ends become `\n`.
fn documents(text: &str) -> Result<Vec<String>, String> {
    let mut documents = Vec::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("---") {
            let rest = rest.trim();
            if !rest.is_empty() && !rest.starts_with('#') {
                return Err(format!("error reading yaml document: invalid Yaml document separator: {rest}"));
            }
            if !current.is_empty() {
                documents.push(std::mem::take(&mut current));
                continue;
            }
        }
        current.push_str(line);
        current.push('\n');
    }
    if !current.is_empty() {
        documents.push(current);
    }
    Ok(documents)
}

/// Follows a path of map keys to a map, as Helm's `Values.Table`.
pub(crate) fn table<'a>(values: &Map, path: impl IntoIterator<Item = &'a str>) -> Option<Map> {
    path.into_iter().try_fold(values.clone(), |map, key| match map.get(key) {
        Some(Value::Map(inner)) => Some(inner),
        _ => None,
    })
}

/// Follows a dotted path to a value that is not a map, as Helm's `Values.PathValue`.
pub(crate) fn path_value(values: &Map, path: &str) -> Option<Value> {
    let (tables, key) = path.rsplit_once('.').map_or((None, path), |(tables, key)| (Some(tables), key));
    let map = match tables {
        Some(tables) => table(values, tables.split('.'))?,
        None => values.clone(),
    };
    map.get(key).filter(|value| !matches!(value, Value::Map(_)))
}
