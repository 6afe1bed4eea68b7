//! Decoding into Go's structs with the error texts of `encoding/json` (Go 1.26) behind `sigs.k8s.io/yaml`.

use lockstep_object::{Map, Value, yaml};

/// Reads the first document of a YAML text, with the error text of `sigs.k8s.io/yaml`.
pub(crate) fn parse_yaml(text: &str) -> Result<Value, String> {
    yaml::parse(text).map_err(|diagnostic| format!("error converting YAML to JSON: {}", diagnostic.message))
}

/// Reads the first document of a YAML text as [`parse_yaml`], of a map only the keys that are kept.
pub(crate) fn parse_head(text: &str, keep: impl Fn(&str) -> bool) -> Result<Value, String> {
    yaml::parse_head(text, keep).map_err(|diagnostic| format!("error converting YAML to JSON: {}", diagnostic.message))
}

/// Collects the first mismatch, as Go's decoder does: it goes on and reports the first.
#[derive(Default)]
pub(crate) struct Decoder {
    error: Option<String>,
}

/// A Go struct that is being filled: its name in error texts and the path of fields that leads to it.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) structure: &'a str,
    pub(crate) field: &'a str,
}

impl Decoder {
    /// Gives the error in sigs.k8s.io/yaml's words.
    pub(crate) fn finish(self) -> Result<(), String> {
        self.error.map_or(Ok(()), |error| Err(format!("error unmarshaling JSON: while decoding JSON: {error}")))
    }

    /// Records that a value has the wrong type for a field.
    pub(crate) fn mismatch(&mut self, value: &Value, target: Target<'_>, wanted: &str) {
        let got = json_kind(value);
        self.error.get_or_insert_with(|| {
            let Target { structure, field } = target;
            format!("json: cannot unmarshal {got} into Go struct field {structure}.{field} of type {wanted}")
        });
    }

    /// Records that the whole document has the wrong type.
    pub(crate) fn mismatch_root(&mut self, value: &Value, wanted: &str) {
        let got = json_kind(value);
        self.error.get_or_insert_with(|| format!("json: cannot unmarshal {got} into Go value of type {wanted}"));
    }

    /// Reads a string; numbers and booleans become their text, as the YAML library does for string fields.
    pub(crate) fn string(&mut self, value: &Value, target: Target<'_>, into: &mut String) {
        match value {
            Value::Null => {}
            Value::Text(text) => text.as_str().clone_into(into),
            Value::Bool(truth) => *into = truth.to_string(),
            Value::Int(number) => *into = number.to_string(),
            Value::UInt(number) => *into = number.to_string(),
            Value::Float(number) => *into = short_float(*number),
            Value::List(_) | Value::Map(_) => self.mismatch(value, target, "string"),
        }
    }

    /// Reads a boolean.
    pub(crate) fn boolean(&mut self, value: &Value, target: Target<'_>, into: &mut bool) {
        match value {
            Value::Null => {}
            Value::Bool(truth) => *into = *truth,
            _ => self.mismatch(value, target, "bool"),
        }
    }

    /// Reads a list of strings.
    pub(crate) fn strings(&mut self, value: &Value, target: Target<'_>, into: &mut Vec<String>) {
        self.list(value, target, "[]string", into, |decoder, item| {
            let mut text = String::new();
            decoder.string(item, target, &mut text);
            text
        });
    }

    /// Reads a list of anything.
    pub(crate) fn list<T>(
        &mut self,
        value: &Value,
        target: Target<'_>,
        wanted: &str,
        into: &mut Vec<T>,
        mut item: impl FnMut(&mut Self, &Value) -> T,
    ) {
        match value {
            Value::Null => {}
            Value::List(items) => *into = items.iter().map(|value| item(self, value)).collect(),
            _ => self.mismatch(value, target, wanted),
        }
    }

    /// Reads a map of strings.
    pub(crate) fn string_map(&mut self, value: &Value, target: Target<'_>, into: &mut Option<Vec<(String, String)>>) {
        match value {
            Value::Null => {}
            Value::Map(map) => {
                let entries = sorted(map).into_iter().map(|(key, value)| {
                    let mut text = String::new();
                    self.string(value, target, &mut text);
                    (key.to_owned(), text)
                });
                *into = Some(entries.collect());
            }
            _ => self.mismatch(value, target, "map[string]string"),
        }
    }
}

/// Lists entries in the order of their keys: that of the JSON which Go's decoder sees.
pub(crate) fn sorted(map: &Map) -> Vec<(&str, &Value)> {
    let mut entries: Vec<(&str, &Value)> = map.iter().map(|(key, value)| (key.as_str(), value)).collect();
    entries.sort_unstable_by_key(|(key, _)| *key);
    entries
}

fn json_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Int(_) | Value::UInt(_) | Value::Float(_) => "number",
        Value::Text(_) => "string",
        Value::List(_) => "array",
        Value::Map(_) => "object",
    }
}

/// Prints a float as `strconv.FormatFloat(f, 'g', -1, 32)`: the YAML library keeps only 32 bits.
fn short_float(number: f64) -> String {
    let number = number as f32;
    if number == 0.0 || (1e-4..1e21).contains(&f64::from(number.abs())) && number.abs() < 1e21 {
        return format!("{number}");
    }
    let text = format!("{number:e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => {
            let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
            format!("{mantissa}e{sign}{digits:0>2}")
        }
        None => text,
    }
}
