//! CEL rules of custom resources (`x-kubernetes-validations`).

use std::collections::BTreeMap;

use cel::{Program, Value as CelValue};
use lockstep_object::{Map, Object, Value};

use crate::{
    build::{list_at, text_at},
    expressions::{Language, convert_typed, optional},
    gofmt::bad_value,
    status::Cause,
};

/// The deepest schema whose rules are looked for.
const DEEPEST: usize = 100;

/// The rules of a schema, compiled.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    /// The schema, if it has any rule.
    schema: Option<Value>,
    language: Option<Language>,
    programs: BTreeMap<String, Program>,
}

impl Rules {
    /// Collects the rules of a schema.
    pub(crate) fn of_schema(schema: &Value) -> Self {
        let mut texts = Vec::new();
        collect(schema, 0, &mut texts);
        if texts.is_empty() {
            return Self::default();
        }
        let language = Language::new();
        let mut programs = BTreeMap::new();
        for text in texts {
            // A definition whose rules do not compile is refused when it is written.
            if let Ok(program) = language.compile(&text) {
                programs.insert(text, program);
            }
        }
        Self { schema: Some(schema.clone()), language: Some(language), programs }
    }

    /// Tells whether there is no rule.
    pub(crate) fn is_empty(&self) -> bool {
        self.schema.is_none()
    }

    /// Checks an object against the rules, and against those that compare with the old form.
    pub(crate) fn check(&self, new: &Object, old: Option<&Object>) -> Vec<Cause> {
        let mut causes = Vec::new();
        if let (Some(schema), Some(language)) = (&self.schema, &self.language) {
            let walk = Walk { rules: self, language };
            let (new, old) = (root(new), old.map(root));
            walk.node(&with_metadata(schema), &new, old.as_ref(), "", 0, &mut causes);
        }
        causes
    }
}

fn collect(schema: &Value, depth: usize, texts: &mut Vec<String>) {
    if depth > DEEPEST {
        return;
    }
    for rule in list_at(schema, &["x-kubernetes-validations"]) {
        for key in ["rule", "messageExpression"] {
            let text = text_at(rule, &[key]);
            if !text.is_empty() {
                texts.push(text.to_owned());
            }
        }
    }
    let properties = schema.get("properties").and_then(Value::as_map);
    properties.into_iter().flat_map(Map::values).for_each(|of| collect(of, depth + 1, texts));
    for key in ["items", "additionalProperties"] {
        if let Some(of @ Value::Map(_)) = schema.get(key) {
            collect(of, depth + 1, texts);
        }
    }
}

/// What rules see of an object: of its metadata only the names.
fn root(object: &Object) -> Value {
    let mut map = object.root().clone();
    let mut metadata = Map::new();
    for key in ["name", "generateName"] {
        if let Some(value) = object.at(&["metadata", key]) {
            metadata.insert(key, value.clone());
        }
    }
    map.insert("metadata", metadata);
    Value::Map(map)
}

/// Every object has these fields, whatever its schema says.
fn with_metadata(schema: &Value) -> Value {
    let text = || Value::Map(Map::from_iter([("type", Value::from("string"))]));
    let names = Map::from_iter([("name", text()), ("generateName", text())]);
    let metadata = Map::from_iter([("type", Value::from("object")), ("properties", Value::Map(names))]);
    let mut schema = schema.as_map().cloned().unwrap_or_default();
    let properties = schema.map_entry("properties");
    properties.insert("metadata", metadata);
    properties.insert("apiVersion", text());
    properties.insert("kind", text());
    Value::Map(schema)
}

struct Walk<'a> {
    rules: &'a Rules,
    language: &'a Language,
}

impl Walk<'_> {
    fn node(&self, schema: &Value, value: &Value, old: Option<&Value>, path: &str, depth: usize, out: &mut Vec<Cause>) {
        if depth > DEEPEST {
            return;
        }
        for rule in list_at(schema, &["x-kubernetes-validations"]) {
            self.rule(rule, schema, value, old, path, out);
        }
        match value {
            Value::Map(map) => {
                for (name, value) in map.iter() {
                    let named = schema.get("properties").and_then(|properties| properties.get(name));
                    let free = schema.get("additionalProperties").filter(|of| of.as_map().is_some());
                    let below = if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
                    let below = if named.is_none() && free.is_some() { format!("{path}[{name}]") } else { below };
                    if let Some(of) = named.or(free) {
                        self.node(of, value, old.and_then(|old| old.get(name)), &below, depth + 1, out);
                    }
                }
            }
            Value::List(items) => {
                let Some(of) = schema.get("items") else { return };
                for (place, item) in items.iter().enumerate() {
                    let before = old.and_then(|old| old_item(schema, old, item));
                    self.node(of, item, before, &format!("{path}[{place}]"), depth + 1, out);
                }
            }
            _ => {}
        }
    }

    fn rule(&self, rule: &Value, schema: &Value, value: &Value, old: Option<&Value>, path: &str, out: &mut Vec<Cause>) {
        let text = text_at(rule, &["rule"]);
        let Some(program) = self.rules.programs.get(text) else { return };
        let compares = text.contains("oldSelf");
        let may_lack = rule.get("optionalOldSelf").and_then(Value::as_bool) == Some(true);
        if compares && old.is_none() && !may_lack || value.is_null() {
            return;
        }
        let mut variables = vec![("self", convert_typed(value, schema))];
        if compares {
            let before = old.map(|old| convert_typed(old, schema));
            variables.push(("oldSelf", if may_lack { optional(before) } else { before.unwrap_or(CelValue::Null) }));
        }
        let problem = match self.language.run(program, &variables) {
            Ok(CelValue::Bool(true)) => return,
            Ok(_) => self.message(rule, &variables),
            Err(error) => format!("{error} evaluating rule: {}", fixed_message(rule)),
        };
        // What did not change is not complained about, unless the rule is about the change.
        if compares || old != Some(value) {
            out.push(cause(rule, value, path, &problem));
        }
    }

    fn message(&self, rule: &Value, variables: &[(&str, CelValue)]) -> String {
        let made = self.rules.programs.get(text_at(rule, &["messageExpression"]));
        made.and_then(|program| self.language.text(program, variables)).unwrap_or_else(|| fixed_message(rule))
    }
}

fn fixed_message(rule: &Value) -> String {
    match text_at(rule, &["message"]).trim() {
        "" => format!("failed rule: {}", text_at(rule, &["rule"]).trim()),
        message => message.to_owned(),
    }
}

/// Finds the old form of an item: only lists with keys say which one that is.
fn old_item<'v>(schema: &Value, old: &'v Value, item: &Value) -> Option<&'v Value> {
    if text_at(schema, &["x-kubernetes-list-type"]) != "map" {
        return None;
    }
    let keys = list_at(schema, &["x-kubernetes-list-map-keys"]);
    let same = |old: &&Value| keys.iter().filter_map(Value::as_str).all(|key| old.get(key) == item.get(key));
    old.as_list()?.iter().find(same)
}

/// Words a broken rule. Maps and lists are not shown.
fn cause(rule: &Value, value: &Value, path: &str, message: &str) -> Cause {
    let field = format!("{path}{}", text_at(rule, &["fieldPath"]));
    let field = if path.is_empty() { field.trim_start_matches('.').to_owned() } else { field };
    let field = if field.is_empty() { "<nil>".to_owned() } else { field };
    let shown = match value {
        Value::Map(_) | Value::List(_) => String::new(),
        scalar => format!("{}: ", bad_value(scalar)),
    };
    match text_at(rule, &["reason"]) {
        "FieldValueForbidden" => Cause::forbidden(field, message),
        "FieldValueRequired" => Cause::required(field, message),
        "FieldValueDuplicate" => {
            Cause::new("FieldValueDuplicate", field, format!("Duplicate value: {}", shown.trim_end_matches(": ")))
        }
        _ => Cause::new("FieldValueInvalid", field, format!("Invalid value: {shown}{message}")),
    }
}
