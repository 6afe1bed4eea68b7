//! Checking a value against a schema, keyword by keyword in the order of santhosh-tekuri/jsonschema v6.

use std::collections::BTreeSet;

use lockstep_object::{List, Map, Value};

use super::{
    failure::{Failure, Kind, quote},
    numbers::{count, display, equal, grouped},
    schemas::Schemas,
};

/// Deeper references are cycles.
const MAX_DEPTH: usize = 200;

/// Checks values and counts the steps.
pub(super) struct Checker<'s> {
    schemas: &'s Schemas<'s>,
    steps: u64,
    depth: usize,
    /// Counts the parts entered: schemas that are active at the same part are cycles.
    part: usize,
    active: Vec<(&'s Value, usize)>,
    place: Vec<String>,
}

/// What no keyword has looked at yet; `None` if nobody asks.
#[derive(Default)]
struct Unevaluated {
    properties: Option<BTreeSet<String>>,
    items: Option<BTreeSet<usize>>,
}

impl Unevaluated {
    fn is_wanted(&self) -> bool {
        self.properties.is_some() || self.items.is_some()
    }

    /// Keeps what the other has not looked at either.
    fn merge(&mut self, other: Self) {
        if let (Some(mine), Some(others)) = (&mut self.properties, other.properties) {
            mine.retain(|name| others.contains(name));
        }
        if let (Some(mine), Some(others)) = (&mut self.items, other.items) {
            mine.retain(|at| others.contains(at));
        }
    }
}

/// One schema that is being applied to one value.
struct Visit<'s, 'v> {
    schema: &'s Map,
    value: &'v Value,
    failures: Vec<Failure>,
    unevaluated: Unevaluated,
}

impl<'s> Checker<'s> {
    pub(super) fn new(schemas: &'s Schemas<'s>, steps: u64) -> Self {
        Self { schemas, steps, depth: 0, part: 0, active: Vec::new(), place: Vec::new() }
    }

    pub(super) fn is_exhausted(&self) -> bool {
        self.steps == 0
    }

    /// Checks a document against the root.
    pub(super) fn check_root(&mut self, value: &Value) -> Result<(), Vec<Failure>> {
        match self.check(self.schemas.root, value, false) {
            Ok(_) => Ok(()),
            Err(failure) if failure.kind == Kind::Group => Err(failure.causes),
            Err(failure) => Err(vec![failure]),
        }
    }

    fn check(&mut self, schema: &'s Value, value: &Value, asks: bool) -> Result<Unevaluated, Failure> {
        self.steps = self.steps.saturating_sub(1);
        let here = self.active.iter().rev().take_while(|(_, part)| *part == self.part);
        let is_cycle = here.into_iter().any(|(other, _)| std::ptr::eq(*other, schema));
        if self.steps == 0 || self.depth > MAX_DEPTH || is_cycle {
            return Err(self.failure("reference cycle"));
        }
        self.active.push((schema, self.part));
        self.depth += 1;
        let result = match schema {
            Value::Bool(true) => Ok(unevaluated(None, value, asks)),
            Value::Bool(false) => Err(self.failure("false schema")),
            Value::Map(map) => self.check_map(map, value, asks),
            _ => Ok(Unevaluated::default()),
        };
        self.depth -= 1;
        self.active.pop();
        result
    }

    fn check_map(&mut self, schema: &'s Map, value: &Value, asks: bool) -> Result<Unevaluated, Failure> {
        let unevaluated = unevaluated(Some(schema), value, asks);
        let mut visit = Visit { schema, value, failures: Vec::new(), unevaluated };
        if self.schemas.draft < 2019
            && let Some(Value::Text(reference)) = schema.get("$ref")
        {
            self.reference(&mut visit, reference);
            return self.finish(visit);
        }
        self.check_exact(schema, value)?;
        if let Some(Value::Text(reference)) = schema.get("$ref") {
            self.reference(&mut visit, reference);
        }
        match value {
            Value::Map(map) => self.object(&mut visit, map),
            Value::List(items) => self.array(&mut visit, items),
            Value::Text(text) => self.string(&mut visit, text),
            Value::Int(_) | Value::UInt(_) | Value::Float(_) => self.number(&mut visit),
            Value::Null | Value::Bool(_) => {}
        }
        if let Some(Value::Text(reference)) = schema.get("$dynamicRef").or_else(|| schema.get("$recursiveRef")) {
            self.reference(&mut visit, reference);
        }
        self.conditions(&mut visit);
        if self.schemas.draft >= 2019 {
            self.check_unevaluated(&mut visit);
        }
        self.finish(visit)
    }

    fn finish(&self, visit: Visit<'_, '_>) -> Result<Unevaluated, Failure> {
        let mut failures = visit.failures;
        match failures.len() {
            0 => Ok(visit.unevaluated),
            1 => Err(failures.remove(0)),
            _ => {
                let mut group = self.failure("validation failed");
                (group.kind, group.causes) = (Kind::Group, failures);
                Err(group)
            }
        }
    }

    fn failure(&self, message: impl Into<String>) -> Failure {
        let pointer = self.place.iter().map(|token| format!("/{}", token.replace('~', "~0").replace('/', "~1")));
        Failure::new(pointer.collect(), message)
    }

    /// Checks type, constant and enumeration; a value that does not fit is not looked at further.
    fn check_exact(&self, schema: &Map, value: &Value) -> Result<(), Failure> {
        if let Some(types) = schema.get("type") {
            let wanted: Vec<&str> = match types {
                Value::Text(name) => vec![name],
                Value::List(names) => names.iter().filter_map(Value::as_str).collect(),
                _ => Vec::new(),
            };
            if !wanted.is_empty() && !wanted.iter().any(|name| has_type(value, name)) {
                // The validator keeps types as a set; they come out in this order.
                const ORDER: &[&str] = &["null", "boolean", "number", "integer", "string", "array", "object"];
                let wanted: Vec<&str> = ORDER.iter().copied().filter(|name| wanted.contains(name)).collect();
                return Err(self.failure(format!("got {}, want {}", type_name(value), wanted.join(" or "))));
            }
        }
        if let Some(wanted) = schema.get("const").filter(|_| self.schemas.draft >= 6)
            && !equal(value, wanted)
        {
            let is_container = matches!(wanted, Value::List(_) | Value::Map(_));
            let message =
                if is_container { "'const' failed".into() } else { format!("value must be {}", display(wanted)) };
            return Err(self.failure(message));
        }
        if let Some(Value::List(items)) = schema.get("enum")
            && !items.iter().any(|item| equal(value, item))
        {
            let is_plain = !items.iter().any(|item| matches!(item, Value::List(_) | Value::Map(_)));
            let shown: Vec<String> = items.iter().map(display).collect();
            return Err(self.failure(match (is_plain, &shown[..]) {
                (false, _) => "'enum' failed".into(),
                (true, [one]) => format!("value must be {one}"),
                (true, many) => format!("value must be one of {}", many.join(", ")),
            }));
        }
        Ok(())
    }

    fn reference(&mut self, visit: &mut Visit<'s, '_>, reference: &str) {
        let Ok(target) = self.schemas.resolve(reference) else { return };
        match self.check(target, visit.value, visit.unevaluated.is_wanted()) {
            Ok(unevaluated) => visit.unevaluated.merge(unevaluated),
            Err(failure) => {
                let mut outer = self.failure("validation failed");
                outer.kind = Kind::Reference;
                outer.causes = if failure.kind == Kind::Group { failure.causes } else { vec![failure] };
                visit.failures.push(outer);
            }
        }
    }

    /// Applies a schema to the same value.
    fn same(&mut self, visit: &mut Visit<'s, '_>, schema: &'s Value) -> Result<(), Failure> {
        let unevaluated = self.check(schema, visit.value, visit.unevaluated.is_wanted())?;
        visit.unevaluated.merge(unevaluated);
        Ok(())
    }

    /// Applies a schema to a part of the value.
    fn part(&mut self, schema: &'s Value, value: &Value, token: &str) -> Result<(), Failure> {
        self.place.push(token.to_owned());
        let outer = self.part;
        self.part = self.active.len() + 1;
        let result = self.check(schema, value, false);
        self.part = outer;
        self.place.pop();
        result.map(|_| ())
    }

    fn object(&mut self, visit: &mut Visit<'s, '_>, map: &Map) {
        let schema = visit.schema;
        if let Some(least) = limit(schema, "minProperties").filter(|least| map.len() < *least) {
            let message = format!("minProperties: got {}, want {}", count(map.len()), count(least));
            visit.failures.push(self.failure(message));
        }
        if let Some(most) = limit(schema, "maxProperties").filter(|most| map.len() > *most) {
            let message = format!("maxProperties: got {}, want {}", count(map.len()), count(most));
            visit.failures.push(self.failure(message));
        }
        let missing = schema.get("required").map(|names| missing(map, names)).unwrap_or_default();
        match &missing[..] {
            [] => {}
            [one] => visit.failures.push(self.failure(format!("missing property {one}"))),
            many => visit.failures.push(self.failure(format!("missing properties {}", many.join(", ")))),
        }
        self.dependencies(visit, map, "dependencies");
        self.properties(visit, map);
        if let Some(names) = schema.get("propertyNames").filter(|_| self.schemas.draft > 4) {
            self.property_names(visit, map, names);
        }
        if self.schemas.draft >= 2019 {
            self.dependencies(visit, map, "dependentSchemas");
            self.dependencies(visit, map, "dependentRequired");
        }
    }

    fn dependencies(&mut self, visit: &mut Visit<'s, '_>, map: &Map, keyword: &str) {
        let Some(Value::Map(dependencies)) = visit.schema.get(keyword) else { return };
        for (name, dependency) in dependencies.iter().filter(|(name, _)| map.contains_key(name)) {
            if let Value::List(_) = dependency {
                let missing = missing(map, dependency);
                if !missing.is_empty() {
                    let message = format!("properties {} required, if {} exists", missing.join(", "), quote(name));
                    visit.failures.push(self.failure(message));
                }
            } else if let Err(failure) = self.same(visit, dependency) {
                visit.failures.push(failure);
            }
        }
    }

    fn properties(&mut self, visit: &mut Visit<'s, '_>, map: &Map) {
        let schema = visit.schema;
        let properties = schema.get("properties").and_then(Value::as_map);
        let patterns = schema.get("patternProperties").and_then(Value::as_map);
        let additional = schema.get("additionalProperties");
        let mut refused = Vec::new();
        for (name, value) in crate::decode::sorted(map) {
            let mut wanted: Vec<&'s Value> = properties.and_then(|p| p.get(name)).into_iter().collect();
            for (pattern, schema) in patterns.into_iter().flat_map(Map::iter) {
                if self.schemas.pattern(pattern).is_some_and(|regex| regex.is_match(name)) {
                    wanted.push(schema);
                }
            }
            match additional {
                Some(Value::Bool(false)) if wanted.is_empty() => {
                    refused.push(quote(name));
                    continue;
                }
                Some(schema) if wanted.is_empty() => wanted.push(schema),
                _ => {}
            }
            for schema in &wanted {
                if let Err(failure) = self.part(schema, value, name) {
                    visit.failures.push(failure);
                }
            }
            if let (Some(left), false) = (&mut visit.unevaluated.properties, wanted.is_empty()) {
                left.remove(name);
            }
        }
        if !refused.is_empty() {
            let message = format!("additional properties {} not allowed", refused.join(", "));
            visit.failures.push(self.failure(message));
        }
    }

    fn property_names(&mut self, visit: &mut Visit<'s, '_>, map: &Map, schema: &'s Value) {
        for (name, _) in crate::decode::sorted(map) {
            let outer = (std::mem::take(&mut self.place), self.part);
            self.part = self.active.len() + 1;
            let result = self.check(schema, &Value::from(name), false);
            (self.place, self.part) = outer;
            if let Err(cause) = result {
                let mut failure = self.failure(format!("invalid propertyName {}", quote(name)));
                failure.causes = if cause.kind == Kind::Group { cause.causes } else { vec![cause] };
                visit.failures.push(failure);
            }
        }
    }

    fn array(&mut self, visit: &mut Visit<'s, '_>, items: &List) {
        let schema = visit.schema;
        if let Some(least) = limit(schema, "minItems").filter(|least| items.len() < *least) {
            let message = format!("minItems: got {}, want {}", count(items.len()), count(least));
            visit.failures.push(self.failure(message));
        }
        if let Some(most) = limit(schema, "maxItems").filter(|most| items.len() > *most) {
            let message = format!("maxItems: got {}, want {}", count(items.len()), count(most));
            visit.failures.push(self.failure(message));
        }
        if schema.get("uniqueItems") == Some(&Value::Bool(true)) {
            self.unique(visit, items);
        }
        self.items(visit, items);
        if let Some(contained) = schema.get("contains").filter(|_| self.schemas.draft > 4) {
            self.contains(visit, items, contained);
        }
    }

    fn unique(&mut self, visit: &mut Visit<'s, '_>, items: &List) {
        for (j, item) in items.iter().enumerate() {
            self.steps = self.steps.saturating_sub(j as u64 / 16);
            if self.steps == 0 {
                return;
            }
            if let Some(i) = items[..j].iter().position(|other| equal(item, other)) {
                let message = format!("items at {} and {} are equal", count(i), count(j));
                visit.failures.push(self.failure(message));
                return;
            }
        }
    }

    fn items(&mut self, visit: &mut Visit<'s, '_>, items: &List) {
        let schema = visit.schema;
        let (first, rest) = if self.schemas.draft < 2020 {
            match schema.get("items") {
                Some(Value::List(first)) => (Some(first), schema.get("additionalItems")),
                rest => (None, rest),
            }
        } else {
            (schema.get("prefixItems").and_then(Value::as_list), schema.get("items"))
        };
        let first: &[Value] = first.map_or(&[], |first| &first[..]);
        let rest_from = first.len().min(items.len());
        let refuses_rest = self.schemas.draft < 2020 && rest == Some(&Value::Bool(false)) && !first.is_empty();
        if refuses_rest && rest_from < items.len() {
            let message = format!("last {} additionalItem(s) not allowed", count(items.len() - rest_from));
            visit.failures.push(self.failure(message));
        }
        for (at, item) in items.iter().enumerate() {
            let Some(schema) = first.get(at).or(rest) else { continue };
            if refuses_rest && at >= rest_from {
                continue;
            }
            if let Err(failure) = self.part(schema, item, &at.to_string()) {
                visit.failures.push(failure);
            }
            if let Some(left) = &mut visit.unevaluated.items {
                left.remove(&at);
            }
        }
    }

    fn contains(&mut self, visit: &mut Visit<'s, '_>, items: &List, schema: &'s Value) {
        let mut failures = Vec::new();
        let mut matched: Vec<String> = Vec::new();
        for (at, item) in items.iter().enumerate() {
            match self.part(schema, item, &at.to_string()) {
                Err(failure) => failures.push(failure),
                Ok(()) => {
                    matched.push(at.to_string());
                    if let Some(left) = visit.unevaluated.items.as_mut().filter(|_| self.schemas.draft >= 2020) {
                        left.remove(&at);
                    }
                }
            }
        }
        let bounds = |keyword| limit(visit.schema, keyword).filter(|_| self.schemas.draft >= 2019);
        let places = format!("matched {} items at {}", count(matched.len()), matched.join(" "));
        let least = match bounds("minContains") {
            Some(least) if matched.len() < least && matched.is_empty() => {
                Some(format!("min {} items required to match contains schema, but none matched", count(least)))
            }
            Some(least) if matched.len() < least => {
                Some(format!("min {} items required to match contains schema, but {places}", count(least)))
            }
            None if matched.is_empty() => Some("no items match contains schema".to_owned()),
            _ => None,
        };
        let most = bounds("maxContains").filter(|most| matched.len() > *most);
        if let Some(message) = least {
            let mut failure = self.failure(message);
            failure.causes = failures;
            visit.failures.push(failure);
        }
        if let Some(most) = most {
            let message = format!("max {} items required to match contains schema, but {places}", count(most));
            visit.failures.push(self.failure(message));
        }
    }

    fn string(&mut self, visit: &mut Visit<'s, '_>, text: &str) {
        let schema = visit.schema;
        let length = || text.chars().count();
        if let Some(least) = limit(schema, "minLength").filter(|least| length() < *least) {
            visit.failures.push(self.failure(format!("minLength: got {}, want {}", count(length()), count(least))));
        }
        if let Some(most) = limit(schema, "maxLength").filter(|most| length() > *most) {
            visit.failures.push(self.failure(format!("maxLength: got {}, want {}", count(length()), count(most))));
        }
        if let Some(Value::Text(pattern)) = schema.get("pattern")
            && self.schemas.pattern(pattern).is_some_and(|regex| !regex.is_match(text))
        {
            let message = format!("{} does not match pattern {}", quote(text), quote(pattern));
            visit.failures.push(self.failure(message));
        }
    }

    fn number(&mut self, visit: &mut Visit<'s, '_>) {
        let got = visit.value.as_f64().unwrap_or_default();
        let bound = |keyword: &str| visit.schema.get(keyword).and_then(Value::as_f64);
        let is_true = |keyword: &str| visit.schema.get(keyword) == Some(&Value::Bool(true));
        // In draft 4 the exclusive bounds are booleans that change the others.
        let (minimum, above) = if is_true("exclusiveMinimum") {
            (None, bound("minimum"))
        } else {
            (bound("minimum"), bound("exclusiveMinimum"))
        };
        let (maximum, below) = if is_true("exclusiveMaximum") {
            (None, bound("maximum"))
        } else {
            (bound("maximum"), bound("exclusiveMaximum"))
        };
        let checks = [
            ("minimum", minimum.filter(|bound| got < *bound)),
            ("maximum", maximum.filter(|bound| got > *bound)),
            ("exclusiveMinimum", above.filter(|bound| got <= *bound)),
            ("exclusiveMaximum", below.filter(|bound| got >= *bound)),
            ("multipleOf", bound("multipleOf").filter(|step| *step > 0.0 && !is_multiple(got, *step))),
        ];
        for (keyword, bound) in checks {
            if let Some(bound) = bound {
                let message = format!("{keyword}: got {}, want {}", grouped(got), grouped(bound));
                visit.failures.push(self.failure(message));
            }
        }
    }

    fn conditions(&mut self, visit: &mut Visit<'s, '_>) {
        let schema = visit.schema;
        if let Some(inner) = schema.get("not")
            && self.same(visit, inner).is_ok()
        {
            visit.failures.push(self.failure("'not' failed"));
        }
        let schemas = |keyword: &str| schema.get(keyword).and_then(Value::as_list).filter(|list| !list.is_empty());
        if let Some(all) = schemas("allOf") {
            let failures: Vec<Failure> = all.iter().filter_map(|inner| self.same(visit, inner).err()).collect();
            if !failures.is_empty() {
                self.with_causes(visit, "'allOf' failed", failures);
            }
        }
        if let Some(any) = schemas("anyOf") {
            let failures: Vec<Failure> = any.iter().filter_map(|inner| self.same(visit, inner).err()).collect();
            if failures.len() == any.len() {
                self.with_causes(visit, "'anyOf' failed", failures);
            }
        }
        if let Some(one) = schemas("oneOf") {
            self.one_of(visit, one);
        }
        if let Some(test) = schema.get("if").filter(|_| self.schemas.draft >= 7) {
            let branch = if self.same(visit, test).is_ok() { "then" } else { "else" };
            if let Some(Err(failure)) = schema.get(branch).map(|inner| self.same(visit, inner)) {
                visit.failures.push(failure);
            }
        }
    }

    fn one_of(&mut self, visit: &mut Visit<'s, '_>, schemas: &'s List) {
        let mut matched = None;
        let mut failures = Vec::new();
        for (at, inner) in schemas.iter().enumerate() {
            match (self.same(visit, inner), matched) {
                (Err(failure), _) => failures.push(failure),
                (Ok(()), None) => matched = Some(at),
                (Ok(()), Some(first)) => {
                    let message = format!("'oneOf' failed, subschemas {}, {} matched", count(first), count(at));
                    visit.failures.push(self.failure(message));
                    break;
                }
            }
        }
        if matched.is_none() {
            self.with_causes(visit, "'oneOf' failed, none matched", failures);
        }
    }

    fn with_causes(&self, visit: &mut Visit<'_, '_>, message: &str, causes: Vec<Failure>) {
        let mut failure = self.failure(message);
        failure.causes = causes;
        visit.failures.push(failure);
    }

    fn check_unevaluated(&mut self, visit: &mut Visit<'s, '_>) {
        if let (Some(schema), Value::Map(map)) = (visit.schema.get("unevaluatedProperties"), visit.value) {
            for name in visit.unevaluated.properties.take().into_iter().flatten() {
                if let Some(Err(failure)) = map.get(&name).map(|value| self.part(schema, value, &name)) {
                    visit.failures.push(failure);
                }
            }
            visit.unevaluated.properties = Some(BTreeSet::new());
        }
        if let (Some(schema), Value::List(items)) = (visit.schema.get("unevaluatedItems"), visit.value) {
            for at in visit.unevaluated.items.take().into_iter().flatten() {
                if let Some(Err(failure)) = items.get(at).map(|value| self.part(schema, value, &at.to_string())) {
                    visit.failures.push(failure);
                }
            }
            visit.unevaluated.items = Some(BTreeSet::new());
        }
    }
}

fn unevaluated(schema: Option<&Map>, value: &Value, asks: bool) -> Unevaluated {
    let wants = |keyword: &str| asks || schema.is_some_and(|schema| schema.contains_key(keyword));
    match value {
        Value::Map(map) if wants("unevaluatedProperties") => {
            Unevaluated { properties: Some(map.keys().map(|key| key.to_string()).collect()), items: None }
        }
        Value::List(items) if wants("unevaluatedItems") => {
            Unevaluated { properties: None, items: Some((0..items.len()).collect()) }
        }
        _ => Unevaluated::default(),
    }
}

fn limit(schema: &Map, keyword: &str) -> Option<usize> {
    schema.get(keyword).and_then(Value::as_f64).map(|number| number as usize)
}

fn missing(map: &Map, names: &Value) -> Vec<String> {
    let names = names.as_list().into_iter().flat_map(|names| names.iter()).filter_map(Value::as_str);
    names.filter(|name| !map.contains_key(name)).map(quote).collect()
}

fn has_type(value: &Value, name: &str) -> bool {
    match value {
        Value::Float(number) => name == "number" || (name == "integer" && number.fract() == 0.0),
        Value::Int(_) | Value::UInt(_) => matches!(name, "number" | "integer"),
        other => other.type_name() == name,
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Int(_) | Value::UInt(_) => "number",
        other => other.type_name(),
    }
}

fn is_multiple(number: f64, step: f64) -> bool {
    let times = number / step;
    (times - times.round()).abs() < 1e-9
}
