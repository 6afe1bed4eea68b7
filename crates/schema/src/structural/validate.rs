//! Validation.

use std::collections::BTreeSet;

use lockstep_object::{List, Map, Value, to_json};

use super::{Additional, FieldError, Structural, errors::float, formats};

/// Checks a value, against its old form if it is an update.
pub(super) fn check(schema: &Structural, value: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut found = Vec::new();
    node(schema, value, old, "", &mut found);
    duplicates(schema, value, old, "", &mut found);
    embedded_objects(schema, value, old, &mut found);
    found
}

type Errors = Vec<FieldError>;

fn node(schema: &Structural, value: &Value, old: Option<&Value>, path: &str, found: &mut Errors) {
    // What did not change is not complained about.
    if old == Some(value) {
        return;
    }
    if value.is_null() {
        if !schema.types.is_empty() && !schema.nullable {
            found.push(FieldError::wrong_type(path, &type_words(schema), "null"));
        }
        if !schema.nullable {
            choices(schema, value, path, found);
        }
        return;
    }
    type_and_format(schema, value, path, found);
    combinations(schema, value, old, path, found);
    match value {
        Value::Text(text) => string(schema, text, path, found),
        Value::Int(_) | Value::UInt(_) | Value::Float(_) => number(schema, value, path, found),
        Value::List(items) => list(schema, items, old, path, found),
        _ => {}
    }
    choices(schema, value, path, found);
    if let Value::Map(map) = value {
        object(schema, map, old, path, found);
    }
}

fn type_words(schema: &Structural) -> String {
    schema.types.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(",")
}

fn type_and_format(schema: &Structural, value: &Value, path: &str, found: &mut Errors) {
    let has = |name: &str| schema.types.iter().any(|known| known.as_str() == name);
    let name = value.type_name();
    let whole_float = value.as_f64().is_some_and(|number| name == "number" && number.fract() == 0.0);
    let fits = has(name) || (whole_float && has("integer")) || (name == "integer" && has("number"));
    if !schema.types.is_empty() && !fits {
        found.push(FieldError::wrong_type(path, &type_words(schema), name));
    } else if let Value::Text(text) = value
        && formats::is_wrong(&schema.format, text)
    {
        found.push(FieldError::wrong_type(path, &schema.format, text));
    }
}

fn choices(schema: &Structural, value: &Value, path: &str, found: &mut Errors) {
    let choices = &schema.limits.choices;
    let same = |choice: &Value| choice == value || (choice.as_f64().is_some() && choice.as_f64() == value.as_f64());
    if !choices.is_empty() && !choices.iter().any(same) {
        found.push(FieldError::unsupported(path, value, choices));
    }
}

fn string(schema: &Structural, text: &str, path: &str, found: &mut Errors) {
    let limits = &schema.limits;
    let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    let value = Value::from(text);
    if let Some(most) = limits.max_length.filter(|most| length > *most) {
        found.push(FieldError::too_long(path, most));
    } else if let Some(least) = limits.min_length.filter(|least| length < *least) {
        let detail = format!("{path} in body should be at least {least} chars long");
        found.push(FieldError::invalid(path, &value, &detail));
    } else if let Some(pattern) = &limits.pattern {
        match &pattern.regex {
            Some(regex) if regex.is_match(text) => {}
            Some(_) => {
                let detail = format!("{path} in body should match '{}'", pattern.text);
                found.push(FieldError::invalid(path, &value, &detail));
            }
            None => {
                let detail = format!("{path} in body should match '{}', but pattern is invalid", pattern.text);
                found.push(FieldError::invalid(path, &value, &detail));
            }
        }
    }
}

fn number(schema: &Structural, value: &Value, path: &str, found: &mut Errors) {
    let Some(number) = value.as_f64() else { return };
    if let [only] = schema.types.as_slice()
        && out_of_range(only, &schema.format, value, number)
    {
        let format =
            if schema.format.is_empty() { "(default format)".into() } else { format!("with format {}", schema.format) };
        found.push(FieldError::of_schema(format!("Checked value must be of type {only} {format} in {path}")));
    }
    let limits = &schema.limits;
    let mut fail = |words: &str, limit: f64| {
        let detail = format!("{path} in body should be {words} {}", float(limit));
        found.push(FieldError::invalid(path, value, &detail));
    };
    if let Some(factor) = limits.multiple_of
        && (number / factor).fract() != 0.0
    {
        fail("a multiple of", factor);
    }
    if let Some(most) = limits.maximum {
        if limits.below_maximum && number >= most {
            fail("less than", most);
        } else if number > most {
            fail("less than or equal to", most);
        }
    }
    if let Some(least) = limits.minimum {
        if limits.above_minimum && number <= least {
            fail("greater than", least);
        } else if number < least {
            fail("greater than or equal to", least);
        }
    }
}

/// Tells whether a number does not fit into the Go type of its format.
fn out_of_range(name: &str, format: &str, value: &Value, number: f64) -> bool {
    let whole = number.fract() == 0.0;
    match (name, format) {
        ("integer", "int32") => !whole || i32::try_from(value.as_i64().unwrap_or(i64::MAX)).is_err(),
        ("integer", "uint32") => !whole || u32::try_from(value.as_i64().unwrap_or(i64::MAX)).is_err(),
        ("integer", "uint64") => !whole || number < 0.0,
        ("integer", _) => !whole || matches!(value, Value::UInt(_)) || number.abs() > 9.3e18,
        ("number", "float" | "float32") => number.abs() > f64::from(f32::MAX),
        _ => false,
    }
}

fn list(schema: &Structural, items: &List, old: Option<&Value>, path: &str, found: &mut Errors) {
    if let Some(of) = &schema.items {
        for (place, item) in items.iter().enumerate() {
            let old = old.and_then(|old| old_item(schema, old, item));
            node(of, item, old, &format!("{path}[{place}]"), found);
        }
    }
    let count = i64::try_from(items.len()).unwrap_or(i64::MAX);
    if let Some(least) = schema.limits.min_items.filter(|least| count < *least) {
        let detail = format!("{path} in body should have at least {least} items");
        found.push(FieldError::invalid(path, &count.into(), &detail));
    }
    if let Some(most) = schema.limits.max_items.filter(|most| count > *most) {
        found.push(FieldError::too_many(path, count, most));
    }
    if schema.limits.unique && items.iter().enumerate().any(|(place, item)| items[..place].contains(item)) {
        let detail = format!("{path} in body shouldn't contain duplicates");
        found.push(FieldError::invalid(path, &Value::List(items.clone()), &detail));
    }
}

/// Finds the old form of an item: only lists with keys say which one that is.
fn old_item<'v>(schema: &Structural, old: &'v Value, item: &Value) -> Option<&'v Value> {
    if schema.list_type.as_str() != "map" {
        return None;
    }
    let same = |old: &&Value| schema.list_keys.iter().all(|key| old.get(key) == item.get(key));
    old.as_list()?.iter().find(same)
}

fn object(schema: &Structural, map: &Map, old: Option<&Value>, path: &str, found: &mut Errors) {
    let count = i64::try_from(map.len()).unwrap_or(i64::MAX);
    if let Some(least) = schema.limits.min_properties.filter(|least| count < *least) {
        let detail = format!("{path} in body should have at least {least} properties");
        found.push(FieldError::invalid(path, &count.into(), &detail));
    }
    if let Some(most) = schema.limits.max_properties.filter(|most| count > *most) {
        found.push(FieldError::too_many(path, count, most));
    }
    for name in schema.required.iter().filter(|name| !map.contains_key(name)) {
        found.push(FieldError::required(&below(path, name)));
    }
    for (name, value) in map.iter() {
        if let Some(of) = schema.of_field(name) {
            node(of, value, old.and_then(|old| old.get(name)), &below(path, name), found);
        }
    }
}

pub(super) fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// `anyOf`, `oneOf`, `allOf` and `not`.
fn combinations(schema: &Structural, value: &Value, old: Option<&Value>, path: &str, found: &mut Errors) {
    let try_all = |schemas: &[Structural]| -> Vec<Errors> {
        let one = |schema: &Structural| {
            let mut errors = Vec::new();
            node(schema, value, old, path, &mut errors);
            errors
        };
        schemas.iter().map(one).collect()
    };
    let any = try_all(&schema.any_of);
    if !any.is_empty() && !any.iter().any(Vec::is_empty) {
        found.push(FieldError::of_schema(format!("\"{path}\" must validate at least one schema (anyOf)")));
        found.extend(any.into_iter().min_by_key(Vec::len).unwrap_or_default());
    }
    let one = try_all(&schema.one_of);
    let valid = one.iter().filter(|errors| errors.is_empty()).count();
    if !one.is_empty() && valid != 1 {
        let reason = if valid == 0 { "Found none valid".into() } else { format!("Found {valid} valid alternatives") };
        found
            .push(FieldError::of_schema(format!("\"{path}\" must validate one and only one schema (oneOf). {reason}")));
        if valid == 0 {
            found.extend(one.into_iter().min_by_key(Vec::len).unwrap_or_default());
        }
    }
    let all = try_all(&schema.all_of);
    if all.iter().any(|errors| !errors.is_empty()) {
        let none = all.iter().all(|errors| !errors.is_empty());
        let reason = if none { ". None validated" } else { "" };
        found.push(FieldError::of_schema(format!("\"{path}\" must validate all the schemas (allOf){reason}")));
        found.extend(all.into_iter().flatten());
    }
    if let Some(not) = &schema.not
        && try_all(std::slice::from_ref(not)).iter().all(Vec::is_empty)
    {
        found.push(FieldError::of_schema(format!("\"{path}\" must not validate the schema (not)")));
    }
}

/// Items of lists with keys, and of sets, must differ.
fn duplicates(schema: &Structural, value: &Value, old: Option<&Value>, path: &str, found: &mut Errors) {
    if old == Some(value) {
        return;
    }
    match value {
        Value::Map(map) => {
            for (name, value) in map.iter() {
                if let Some(of) = schema.of_field(name) {
                    duplicates(of, value, old.and_then(|old| old.get(name)), &below(path, name), found);
                }
            }
        }
        Value::List(items) => {
            let mut known = BTreeSet::new();
            for (place, item) in items.iter().enumerate() {
                let path = format!("{path}[{place}]");
                if let Some(identity) = identity(schema, item)
                    && !known.insert(sorted_json(&identity))
                {
                    found.push(FieldError::duplicate(&path, &identity));
                }
                if let Some(of) = &schema.items {
                    duplicates(of, item, old.and_then(|old| old_item(schema, old, item)), &path, found);
                }
            }
        }
        _ => {}
    }
}

fn identity(schema: &Structural, item: &Value) -> Option<Value> {
    match schema.list_type.as_str() {
        "set" => Some(item.clone()),
        "map" => {
            let map = item.as_map()?;
            let keys = schema.list_keys.iter().filter_map(|key| Some((key.as_str(), map.get(key)?.clone())));
            let mut keys: Map = keys.collect();
            keys.sort_keys();
            Some(keys.into())
        }
        _ => None,
    }
}

fn sorted_json(value: &Value) -> String {
    match value {
        Value::Map(map) => {
            let mut map = map.clone();
            map.sort_keys();
            to_json(&Value::Map(map))
        }
        other => to_json(other),
    }
}

/// Embedded objects must say what they are.
fn embedded_objects(schema: &Structural, value: &Value, old: Option<&Value>, found: &mut Errors) {
    if old == Some(value) {
        return;
    }
    for (path, object) in schema.embedded(value) {
        for name in ["apiVersion", "kind"] {
            let missing = object.get(name).and_then(Value::as_str).is_none_or(str::is_empty);
            let said = schema_requires(found, &below(&path, name));
            if missing && !said {
                found.push(FieldError::required(&below(&path, name)));
            }
        }
    }
}

fn schema_requires(found: &Errors, path: &str) -> bool {
    found.iter().any(|error| error.field == path && error.reason == "FieldValueRequired")
}

impl Additional {
    /// Tells whether fields without a name are kept.
    pub(super) fn keeps(&self) -> bool {
        !matches!(self, Self::Unsaid)
    }
}
