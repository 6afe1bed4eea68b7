//! The schemas of definitions: what a structural schema must keep to.

use std::collections::BTreeSet;

use lockstep_object::Value;
use lockstep_schema::structural::Structural;

use crate::{expressions::Language, gofmt::bad_value, status::go_quote};

use super::field::{Causes, Field};

const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];
/// What OpenAPI has and a definition may not use.
const REFUSED: [&str; 6] = ["id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref"];
/// What may stand at the root of a schema when the status is a subresource.
const WITH_STATUS: [&str; 4] = ["Description", "Type", "Format", "Title"];
const REASONS: [&str; 4] = ["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"];
/// The deepest schema that is looked at.
const DEEPEST: usize = 100;

/// The schema of a version.
pub(crate) struct Rooted<'a> {
    /// The schema and its place.
    pub(crate) field: Field<'a>,
    /// The version has the subresource `status`.
    pub(crate) status: bool,
}

/// Checks a schema: first that it is one, then that it is structural, then its defaults.
pub(crate) fn check(root: &Rooted<'_>, out: &mut Causes) {
    if root.status {
        let fields = ["oneOf", "anyOf", "allOf", "not", "additionalProperties"];
        let wrong = fields.iter().any(|key| root.field.at(key).is_set() && *key != "additionalProperties");
        if wrong {
            let list = WITH_STATUS.join(" ");
            let text = format!(
                "only [{list}] fields are allowed at the root of the schema if the status subresource is enabled"
            );
            out.push(root.field.invalid(&text));
        }
    }
    let mut found = Vec::new();
    let mut rules = Vec::new();
    let language = Language::new();
    plain(&root.field, 0, &language, &mut found, &mut rules);
    let readable = found.iter().all(|cause| !cause.message.contains("is not supported"));
    found.append(&mut rules);
    out.append(&mut found);
    if !readable {
        return;
    }
    let mut invariants = Vec::new();
    structural(&root.field, Level::Root, 0, &mut invariants);
    invariants.sort_by_key(crate::status::Cause::text);
    if invariants.is_empty() {
        defaults(&root.field, 0, out);
    }
    out.append(&mut invariants);
}

fn below<'a>(schema: &Field<'a>) -> Vec<(Field<'a>, Level)> {
    let mut found: Vec<(Field<'a>, Level)> = Vec::new();
    let additional = schema.at("additionalProperties");
    if additional.value.as_map().is_some() {
        found.push((additional, Level::Field));
    }
    for (_, property) in schema.at("properties").entries() {
        found.push((property, Level::Field));
    }
    if schema.at("items").value.as_map().is_some() {
        found.push((schema.at("items"), Level::Item));
    }
    found
}

fn nested<'a>(schema: &Field<'a>) -> Vec<Field<'a>> {
    let mut found = Vec::new();
    if schema.at("not").is_set() {
        found.push(schema.at("not"));
    }
    for key in ["allOf", "oneOf", "anyOf"] {
        found.extend(schema.at(key).items());
    }
    found
}

/// What every schema must keep to, structural or not.
fn plain(schema: &Field<'_>, depth: usize, language: &Language, out: &mut Causes, rules: &mut Causes) {
    if depth > DEEPEST || schema.value.as_map().is_none() {
        return;
    }
    let kind = schema.at("type");
    if !kind.text().is_empty() && !TYPES.contains(&kind.text()) && kind.text() != "null" {
        out.push(kind.unsupported(&TYPES));
    }
    for key in REFUSED {
        let field = schema.at(key);
        if !field.is_empty() {
            out.push(field.forbidden(&format!("{key} is not supported")));
        }
    }
    if kind.text() == "null" {
        out.push(kind.forbidden("type cannot be set to null, use nullable as an alternative"));
    }
    if schema.at("items").value.as_list().is_some() {
        out.push(schema.at("items").forbidden("items must be a schema object and not an array"));
    }
    if schema.at("uniqueItems").is_true() {
        let text = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
        out.push(schema.at("uniqueItems").forbidden(text));
    }
    let additional = schema.at("additionalProperties");
    if !schema.at("properties").is_empty() && additional.is_set() && additional.value.as_bool() != Some(true) {
        out.push(additional.forbidden("additionalProperties and properties are mutual exclusive"));
    }
    for child in below(schema).into_iter().map(|(child, _)| child).chain(nested(schema)) {
        plain(&child, depth + 1, language, out, rules);
    }
    let keeps = schema.at("x-kubernetes-preserve-unknown-fields");
    if keeps.value.as_bool() == Some(false) {
        out.push(keeps.invalid("must be true or undefined"));
    }
    map_type(schema, out);
    list_type(schema, out);
    check_rules(schema, language, out, rules);
}

fn needs_type(schema: &Field<'_>, key: &str, wanted: &str, out: &mut Causes) -> bool {
    let kind = schema.at("type");
    let fits = kind.text() == wanted;
    let text = format!("must be {wanted} if {key} is specified");
    if schema.at(key).is_set() && kind.text().is_empty() {
        out.push(kind.required(&text));
    } else if schema.at(key).is_set() && !fits {
        out.push(kind.invalid(&text));
    }
    fits
}

fn map_type(schema: &Field<'_>, out: &mut Causes) {
    needs_type(schema, "x-kubernetes-map-type", "object", out);
    schema.at("x-kubernetes-map-type").one_of_if_set(&["atomic", "granular"], out);
}

fn list_type(schema: &Field<'_>, out: &mut Causes) {
    let (kind, keys, items) =
        (schema.at("x-kubernetes-list-type"), schema.at("x-kubernetes-list-map-keys"), schema.at("items"));
    let fits = needs_type(schema, "x-kubernetes-list-type", "array", out);
    if fits && kind.text() == "set" {
        let text = "must be atomic as item of a list with x-kubernetes-list-type=set";
        let (list, map) = (items.at("x-kubernetes-list-type"), items.at("x-kubernetes-map-type"));
        match items.at("type").text() {
            "array" if list.is_set() && list.text() != "atomic" => out.push(list.invalid(text)),
            "object" if map.text() != "atomic" => out.push(map.invalid_as(&bad_value(list.value), text)),
            _ => {}
        }
    }
    kind.one_of_if_set(&["atomic", "set", "map"], out);
    if !keys.is_empty() && !kind.is_set() {
        out.push(kind.required("must be map if x-kubernetes-list-map-keys is non-empty"));
    } else if !keys.is_empty() && kind.text() != "map" {
        out.push(kind.invalid("must be map if x-kubernetes-list-map-keys is non-empty"));
    }
    if kind.text() == "map" {
        map_list(&keys, &items, out);
    }
}

fn map_list(keys: &Field<'_>, items: &Field<'_>, out: &mut Causes) {
    if keys.is_empty() {
        out.push(keys.required("must not be empty if x-kubernetes-list-type is map"));
    }
    if !items.is_set() {
        out.push(items.required("must have a schema if x-kubernetes-list-type is map"));
        return;
    }
    let kind = items.at("type");
    if kind.text() != "object" {
        let shown = go_quote(kind.text());
        out.push(kind.invalid_as(&shown, "must be object if parent array's x-kubernetes-list-type is map"));
        return;
    }
    let (mut known, required) = (BTreeSet::new(), items.at("required").texts());
    for key in keys.texts() {
        let property = items.at("properties").key(key);
        if !property.is_set() {
            out.push(keys.invalid("entries must all be names of item properties"));
        } else if ["array", "object"].contains(&property.at("type").text()) {
            let text = "must be a scalar type if parent array's x-kubernetes-list-type is map";
            out.push(property.at("type").invalid_as("\"object\"", text));
        }
        if !known.insert(key) {
            out.push(keys.invalid("must not contain duplicate entries"));
        }
    }
    for key in known {
        let property = items.at("properties").key(key);
        if property.is_set() && !property.at("default").is_set() && !required.contains(&key) {
            let text =
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property";
            out.push(property.at("default").required(text));
        }
        if property.at("nullable").is_true() {
            let text = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable";
            out.push(property.at("nullable").forbidden(text));
        }
    }
}

fn check_rules(schema: &Field<'_>, language: &Language, out: &mut Causes, rules: &mut Causes) {
    let before = out.len();
    for rule in schema.at("x-kubernetes-validations").items() {
        let (text, message, made) = (rule.at("rule"), rule.at("message"), rule.at("messageExpression"));
        if text.text().trim().is_empty() {
            out.push(text.required("rule is not specified"));
        } else if message.is_set() && message.text().trim().is_empty() && !message.text().is_empty() {
            out.push(message.invalid("must be non-empty if specified"));
        } else if message.text().trim().contains('\n') {
            out.push(message.invalid("must not contain line breaks"));
        } else if text.text().trim().contains('\n') && message.text().trim().is_empty() {
            out.push(message.required("message must be specified if rule contains line breaks"));
        }
        if !made.text().is_empty() && made.text().trim().is_empty() {
            out.push(made.required("messageExpression must be non-empty if specified"));
        }
        rule.at("reason").one_of_if_set(&REASONS, out);
        let path = rule.at("fieldPath");
        if path.text().contains('\n') {
            out.push(path.invalid("must not contain line breaks"));
        } else if !path.text().is_empty() && !path_exists(schema.value, path.text()) {
            out.push(path.invalid("must be a valid path"));
        }
    }
    if out.len() > before {
        return;
    }
    for rule in schema.at("x-kubernetes-validations").items() {
        for key in ["rule", "messageExpression"] {
            let text = rule.at(key);
            if let Some(problem) =
                Some(text.text()).filter(|text| !text.is_empty()).and_then(|text| language.compile(text).err())
            {
                rules.push(text.invalid_as(&shown_rule(&rule), &problem));
            }
        }
        if rule.at("rule").text().contains("oldSelf") {
            continue;
        }
        let optional = rule.at("optionalOldSelf");
        if optional.is_set() {
            let text = "optionalOldSelf may not be set when oldSelf is not used in rule";
            rules.push(optional.invalid(text));
        }
    }
}

/// Shows a rule as the server's own struct prints as JSON.
fn shown_rule(rule: &Field<'_>) -> String {
    let text = |key: &str| go_json(rule.at(key).text());
    let any = |key: &str| bad_value(rule.at(key).value);
    format!(
        "{{\"Rule\":{},\"Message\":{},\"MessageExpression\":{},\"Reason\":{},\"FieldPath\":{},\"OptionalOldSelf\":{}}}",
        text("rule"),
        text("message"),
        text("messageExpression"),
        any("reason"),
        text("fieldPath"),
        any("optionalOldSelf")
    )
}

fn go_json(text: &str) -> String {
    lockstep_object::to_json_html_safe(&Value::from(text))
}

fn path_exists(schema: &Value, path: &str) -> bool {
    let keys = path.trim_start_matches('.').split('.').filter(|key| !key.is_empty());
    let mut at = schema;
    for key in keys {
        let key = key.split('[').next().unwrap_or(key);
        match at.get("properties").and_then(|properties| properties.get(key)).or_else(|| at.get("additionalProperties"))
        {
            Some(next) => at = next,
            None => return key.is_empty(),
        }
    }
    true
}

/// Where a schema stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Root,
    Field,
    Item,
}

fn structural(schema: &Field<'_>, level: Level, depth: usize, out: &mut Causes) {
    if depth > DEEPEST {
        return;
    }
    let (kind, embedded) = (schema.at("type"), schema.at("x-kubernetes-embedded-resource").is_true());
    if kind.text() == "array" && !schema.at("items").is_set() {
        out.push(schema.at("items").required("must be specified"));
    }
    for (child, level) in below(schema) {
        structural(&child, level, depth + 1, out);
    }
    let additional = schema.at("additionalProperties");
    if additional.is_set() && additional.value.as_bool() != Some(false) && level == Level::Root {
        out.push(additional.forbidden("must not be used at the root"));
    }
    extensions(schema, out);
    value_part(schema, int_or_string(schema), depth, out);
    own_type(schema, level, out);
    if embedded && additional.is_set() {
        out.push(additional.forbidden("must not be used if x-kubernetes-embedded-resource is set"));
    }
    if level == Level::Root && !kind.text().is_empty() && kind.text() != "object" {
        out.push(kind.invalid("must be object at the root"));
    }
    always(schema, level, embedded, out);
}

fn extensions(schema: &Field<'_>, out: &mut Causes) {
    if !schema.at("x-kubernetes-int-or-string").is_true() {
        return;
    }
    for key in ["x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"] {
        if schema.at(key).is_true() {
            out.push(schema.at(key).invalid("must be false if x-kubernetes-int-or-string is true"));
        }
    }
}

fn own_type(schema: &Field<'_>, level: Level, out: &mut Causes) {
    let kind = schema.at("type");
    let free = ["x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields"];
    if schema.at("x-kubernetes-embedded-resource").is_true() && kind.text() != "object" {
        let text = "must be object if x-kubernetes-embedded-resource is true";
        out.push(if kind.text().is_empty() { kind.required(text) } else { kind.invalid(text) });
    } else if kind.text().is_empty() && !free.iter().any(|key| schema.at(key).is_true()) {
        out.push(kind.required(match level {
            Level::Root => "must not be empty at the root",
            Level::Item => "must not be empty for specified array items",
            Level::Field => "must not be empty for specified object fields",
        }));
    }
}

/// What every object has must be described as it is.
fn always(schema: &Field<'_>, level: Level, embedded: bool, out: &mut Causes) {
    let properties = schema.at("properties");
    let checked = level == Level::Root || embedded;
    for name in ["kind", "apiVersion"] {
        let property = properties.key(name);
        if checked && property.is_set() && property.at("type").text() != "string" {
            out.push(property.at("type").invalid("must be string"));
        }
    }
    let metadata = properties.key("metadata");
    if metadata.is_set() {
        if checked && metadata.at("type").text() != "object" {
            out.push(metadata.at("type").invalid("must be object"));
        }
        let more = metadata
            .value
            .as_map()
            .is_some_and(|map| map.keys().any(|key| !["type", "properties", "description"].contains(&key.as_str())));
        let names =
            metadata.at("properties").entries().iter().any(|(name, _)| !["name", "generateName"].contains(name));
        if level == Level::Root && (more || names) {
            let text =
                "must not specify anything other than name and generateName, but metadata is implicitly specified";
            out.push(metadata.forbidden(text));
        }
    }
    if embedded && !schema.at("x-kubernetes-preserve-unknown-fields").is_true() && properties.is_empty() {
        let text =
            "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields";
        out.push(properties.required(text));
    }
}

/// Tells whether `anyOf` says integer or string, which is allowed beside `x-kubernetes-int-or-string`.
fn int_or_string(schema: &Field<'_>) -> bool {
    let kinds: Vec<&str> = schema.at("anyOf").items().iter().map(|one| one.at("type").text()).collect();
    schema.at("x-kubernetes-int-or-string").is_true() && kinds == ["integer", "string"]
}

fn value_part(schema: &Field<'_>, skip_any: bool, depth: usize, out: &mut Causes) {
    for child in nested(schema) {
        let any = child.path.starts_with(&format!("{}.anyOf[", schema.path));
        if !(skip_any && any) {
            nested_part(&child, depth + 1, out);
        }
    }
    let pattern = schema.at("pattern");
    if let Some(problem) = Some(pattern.text()).filter(|text| !text.is_empty()).and_then(pattern_problem) {
        out.push(pattern.invalid(&format!("must be a valid regular expression, but isn't: {problem}")));
    }
}

/// Inside of `anyOf` and its like, only values may be limited.
fn nested_part(schema: &Field<'_>, depth: usize, out: &mut Causes) {
    if depth > DEEPEST {
        return;
    }
    value_part(schema, false, depth, out);
    for (child, _) in below(schema) {
        if !child.path.ends_with(".additionalProperties") {
            nested_part(&child, depth + 1, out);
        }
    }
    for (key, words) in [
        ("type", "empty"),
        ("additionalProperties", "undefined"),
        ("default", "undefined"),
        ("title", "empty"),
        ("description", "empty"),
        ("nullable", "false"),
        ("x-kubernetes-preserve-unknown-fields", "false"),
        ("x-kubernetes-embedded-resource", "false"),
        ("x-kubernetes-int-or-string", "false"),
        ("x-kubernetes-list-map-keys", "empty"),
        ("x-kubernetes-list-type", "undefined"),
        ("x-kubernetes-map-type", "undefined"),
        ("x-kubernetes-validations", "empty"),
    ] {
        let field = schema.at(key);
        if !field.is_empty() && field.value.as_bool() != Some(false) {
            out.push(field.forbidden(&format!("must be {words} to be structural")));
        }
    }
    let metadata = schema.at("properties").key("metadata");
    if metadata.is_set() {
        out.push(metadata.forbidden("must not be specified in a nested context"));
    }
}

/// Says why a pattern is none, in the words of Go's `regexp`.
fn pattern_problem(pattern: &str) -> Option<String> {
    regex::Regex::new(pattern).err()?;
    let whole = format!("`{pattern}`");
    let open = pattern.rfind('[').filter(|place| !pattern[*place..].contains(']'));
    let words = if let Some(place) = open {
        format!("missing closing ]: `{}`", &pattern[place..])
    } else if pattern.matches('(').count() > pattern.matches(')').count() {
        format!("missing closing ): {whole}")
    } else if pattern.matches(')').count() > pattern.matches('(').count() {
        format!("unexpected ): {whole}")
    } else if let Some(sign) = pattern.chars().next().filter(|c| "*+?".contains(*c)) {
        format!("missing argument to repetition operator: `{sign}`")
    } else if pattern.ends_with('\\') {
        "trailing backslash at end of expression: ``".to_owned()
    } else {
        format!("invalid or unsupported Perl syntax: {whole}")
    };
    Some(format!("error parsing regexp: {words}"))
}

/// Defaults must be valid themselves.
fn defaults(schema: &Field<'_>, depth: usize, out: &mut Causes) {
    if depth > DEEPEST {
        return;
    }
    let default = schema.at("default");
    if default.is_set() {
        let of = Structural::of_object(schema.value);
        for error in of.validate(default.value) {
            let below = if error.field == "<nil>" { String::new() } else { format!(".{}", error.field) };
            out.push(crate::status::Cause::new(error.reason, format!("{}{below}", default.path), error.message));
        }
        let mut pruned = default.value.clone();
        if default.value.as_map().is_some() && !of.prune(&mut pruned).is_empty() {
            out.push(default.invalid("must not have unknown fields"));
        }
    }
    for (child, _) in below(schema) {
        defaults(&child, depth + 1, out);
    }
}
