//! Structural schemas of custom resources: validation, pruning and defaults.
//!
//! The rules and texts are those of apiextensions-apiserver 1.36, which validates with kube-openapi.

mod change;
mod errors;
mod formats;
mod validate;

use std::collections::BTreeMap;

use lockstep_object::{Key, Text, Value};
use regex::Regex;

use crate::openapi::flag;

pub use errors::FieldError;

/// A structural schema (the subset of OpenAPI v3 that definitions may use).
#[derive(Clone, Debug, Default)]
pub struct Structural {
    /// The types that are accepted; more than one for `x-kubernetes-int-or-string`, none if any is.
    types: Vec<Text>,
    format: String,
    nullable: bool,
    properties: BTreeMap<Key, Structural>,
    additional: Additional,
    items: Option<Box<Structural>>,
    required: Vec<Text>,
    keep_unknown: bool,
    embedded: bool,
    list_type: String,
    list_keys: Vec<Text>,
    default: Option<Value>,
    limits: Limits,
    all_of: Vec<Structural>,
    any_of: Vec<Structural>,
    one_of: Vec<Structural>,
    not: Option<Box<Structural>>,
}

/// What is said about the fields without a name.
#[derive(Clone, Debug, Default)]
enum Additional {
    /// Nothing: they are pruned.
    #[default]
    Unsaid,
    /// `additionalProperties: true`.
    Free,
    /// They have a schema.
    Of(Box<Structural>),
}

/// Limits of values.
#[derive(Clone, Debug, Default)]
struct Limits {
    choices: Vec<Value>,
    minimum: Option<f64>,
    above_minimum: bool,
    maximum: Option<f64>,
    below_maximum: bool,
    multiple_of: Option<f64>,
    min_length: Option<i64>,
    max_length: Option<i64>,
    pattern: Option<Pattern>,
    min_items: Option<i64>,
    max_items: Option<i64>,
    unique: bool,
    min_properties: Option<i64>,
    max_properties: Option<i64>,
}

#[derive(Clone, Debug)]
struct Pattern {
    text: Text,
    /// None if the pattern is not one; then nothing matches.
    regex: Option<Regex>,
}

/// Schemas nested deeper say nothing about what is below.
const DEEPEST: usize = 100;

impl Structural {
    /// Reads the schema of an object; whatever it says of `apiVersion`, `kind` and `metadata` is kept, and they are
    /// never pruned.
    pub fn of_object(schema: &Value) -> Self {
        let mut root = Self::read(schema, 0);
        root.embedded = false;
        root
    }

    fn read(schema: &Value, depth: usize) -> Self {
        if depth > DEEPEST {
            return Self { keep_unknown: true, ..Self::default() };
        }
        let one = |schema: &Value| Self::read(schema, depth + 1);
        let all = |key: &str| list(schema, key).iter().map(one).collect::<Vec<_>>();
        let properties = schema.get("properties").and_then(Value::as_map);
        let properties =
            properties.iter().flat_map(|map| map.iter()).map(|(name, of)| (name.clone(), one(of))).collect();
        let additional = match schema.get("additionalProperties") {
            None | Some(Value::Bool(false)) => Additional::Unsaid,
            Some(Value::Bool(true)) => Additional::Free,
            Some(of) => Additional::Of(Box::new(one(of))),
        };
        let types = match text(schema, "type") {
            _ if flag(schema, "x-kubernetes-int-or-string") => vec!["integer".into(), "string".into()],
            none if none.is_empty() => Vec::new(),
            name => vec![name.into()],
        };
        Self {
            types,
            format: text(schema, "format"),
            nullable: flag(schema, "nullable"),
            properties,
            additional,
            items: schema.get("items").map(|items| Box::new(one(items))),
            required: texts(schema, "required"),
            keep_unknown: flag(schema, "x-kubernetes-preserve-unknown-fields"),
            embedded: flag(schema, "x-kubernetes-embedded-resource"),
            list_type: text(schema, "x-kubernetes-list-type"),
            list_keys: texts(schema, "x-kubernetes-list-map-keys"),
            default: schema.get("default").cloned(),
            limits: Limits::read(schema),
            all_of: all("allOf"),
            any_of: all("anyOf"),
            one_of: all("oneOf"),
            not: schema.get("not").map(|not| Box::new(one(not))),
        }
    }

    /// Checks a new object. An empty list means that it is valid; the order is that of the fields.
    pub fn validate(&self, value: &Value) -> Vec<FieldError> {
        validate::check(self, value, None)
    }

    /// Checks a change. What an update leaves as it was is not complained about (ratcheting); items of lists
    /// are the same if their list has keys and these are equal.
    pub fn validate_update(&self, value: &Value, old: &Value) -> Vec<FieldError> {
        validate::check(self, value, Some(old))
    }

    /// Removes fields that the schema does not know. Returns their paths, as `spec.foo`, sorted; those inside the
    /// metadata of embedded objects come last.
    pub fn prune(&self, value: &mut Value) -> Vec<String> {
        change::prune(self, value)
    }

    /// Fills in the defaults, where the parent is present. Nulls that may not be null are removed or replaced.
    pub fn fill_defaults(&self, value: &mut Value) {
        change::fill_defaults(self, value);
    }

    /// Lists the embedded objects with their paths, so that their metadata can be checked.
    pub fn embedded<'v>(&self, value: &'v Value) -> Vec<(String, &'v Value)> {
        let mut found = Vec::new();
        change::embedded(self, value, "", &mut found);
        found
    }

    /// Returns the schema of a field, named or not.
    fn of_field(&self, name: &str) -> Option<&Self> {
        match (self.properties.get(name), &self.additional) {
            (Some(of), _) => Some(of),
            (None, Additional::Of(of)) => Some(of),
            _ => None,
        }
    }
}

impl Limits {
    fn read(schema: &Value) -> Self {
        let float = |key: &str| schema.get(key).and_then(Value::as_f64);
        let whole = |key: &str| schema.get(key).and_then(Value::as_i64);
        let pattern = schema.get("pattern").and_then(Value::as_str);
        Self {
            choices: list(schema, "enum").to_vec(),
            minimum: float("minimum"),
            above_minimum: flag(schema, "exclusiveMinimum"),
            maximum: float("maximum"),
            below_maximum: flag(schema, "exclusiveMaximum"),
            multiple_of: float("multipleOf"),
            min_length: whole("minLength"),
            max_length: whole("maxLength"),
            pattern: pattern.map(|text| Pattern { text: text.into(), regex: Regex::new(text).ok() }),
            min_items: whole("minItems"),
            max_items: whole("maxItems"),
            unique: flag(schema, "uniqueItems"),
            min_properties: whole("minProperties"),
            max_properties: whole("maxProperties"),
        }
    }
}

fn list<'v>(schema: &'v Value, key: &str) -> &'v [Value] {
    schema.get(key).and_then(Value::as_list).map_or(&[], |list| list)
}

fn text(schema: &Value, key: &str) -> String {
    schema.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn texts(schema: &Value, key: &str) -> Vec<Text> {
    list(schema, key).iter().filter_map(Value::as_str).map(Text::from).collect()
}

#[cfg(test)]
mod tests;
