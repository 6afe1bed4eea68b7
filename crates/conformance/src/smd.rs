//! The area `smd`: server-side apply as structured-merge-diff does it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use anyhow::Context;
use lockstep_merge::apply::{ApplyError, Convert, FieldSet, Managed, NotConverted, OwnedFields, Typed, Updater};
use lockstep_object::{Key, Map, Value, from_json, to_json, yaml};
use lockstep_schema::{DEDUCED, Field, ListType, MapType, PatchRule, Relationship, Scalar, Type, TypeRef, Types};

use crate::report::{Report, files};

/// Runs every case below `folder`.
pub fn run(folder: &Path, report: &mut Report) -> anyhow::Result<()> {
    for path in files(folder, "json")? {
        let case = from_json(&std::fs::read(&path)?).with_context(|| path.display().to_string())?;
        let name = text(&case, "name");
        if report.wants(name) {
            report.record(name, check(&case));
        }
    }
    Ok(())
}

fn check(case: &Value) -> Result<(), String> {
    let types = match case.get("schema").and_then(Value::as_str) {
        Some(schema) => types(&yaml::parse(schema).map_err(|error| error.to_string())?),
        None => Types::new([]),
    };
    let of = match text(case, "type") {
        DEDUCED | "__deduced__" => TypeRef::deduced(),
        name => TypeRef::named(name),
    };
    let steps = case.get("steps").and_then(Value::as_list).ok_or("no steps")?;
    let mut state = State { of, types, live: None, managed: Managed::new() };
    for (place, step) in steps.iter().enumerate() {
        let missing = if place + 1 == steps.len() { case.get("missing_versions") } else { None };
        let versions = Versions(missing.map(|list| strings(Some(list))).unwrap_or_default());
        let mut updater = Updater { converter: &versions, ..Updater::default() };
        updater.return_input_on_noop = case.get("return_input_on_noop").and_then(Value::as_bool) == Some(true);
        for (version, set) in case.get("ignored").and_then(Value::as_map).iter().flat_map(|map| map.iter()) {
            let set = FieldSet::from_value(set).map_err(|error| error.to_string())?;
            updater.ignored.insert(version.to_string(), set);
        }
        let done = state.perform(step, &updater);
        let expected = step.get("expect").ok_or("no expectation")?;
        compare(&state, &done, expected).map_err(|difference| format!("step {place}: {difference}"))?;
    }
    Ok(())
}

/// The versions that the converter does not know; all others are the same.
struct Versions(BTreeSet<String>);

impl Convert for Versions {
    fn convert(&self, object: &Typed, version: &str) -> Result<Typed, NotConverted> {
        if self.0.contains(version) { Err(NotConverted::MissingVersion) } else { Ok(object.clone()) }
    }
}

struct State {
    of: TypeRef,
    types: Types,
    live: Option<Typed>,
    managed: Managed,
}

/// What a step came to.
enum Done {
    Changed,
    Noop,
    Refused(String),
    Failed(ApplyError),
}

impl State {
    fn perform(&mut self, step: &Value, updater: &Updater<'_>) -> Done {
        let op = text(step, "op");
        let object = match yaml::parse(text(step, "object")) {
            Ok(object) => object,
            Err(error) => return Done::Refused(error.to_string()),
        };
        let object = match Typed::new(object, &self.of, &self.types, op == "update") {
            Ok(object) => object,
            Err(problems) => return Done::Refused(problems.to_string()),
        };
        self.change(op, step, object, updater).unwrap_or_else(Done::Failed)
    }

    fn change(&mut self, op: &str, step: &Value, mut object: Typed, updater: &Updater<'_>) -> Result<Done, ApplyError> {
        let (manager, version) = (text(step, "manager"), text(step, "apiVersion"));
        let failed = |problems: lockstep_merge::apply::Problems| ApplyError::Failed(problems.to_string());
        if op == "extractApply"
            && let Some(live) = &self.live
        {
            object = updater.extract(live, version, &self.managed, manager, false)?.merge(&object).map_err(failed)?;
        }
        let live = match &self.live {
            Some(live) => live.clone(),
            None => Typed::new(Value::Null, &self.of, &self.types, false).map_err(failed)?,
        };
        if op == "update" {
            self.managed = updater.update(&live, &object, version, &self.managed, manager)?;
            self.live = Some(object);
            return Ok(Done::Changed);
        }
        let outcome = updater.apply(&live, &object, version, &self.managed, manager, op != "apply")?;
        self.managed = outcome.managers;
        let noop = outcome.object.is_none();
        if let Some(new) = outcome.object {
            self.live = Some(Typed::new(new, &self.of, &self.types, true).map_err(failed)?);
        } else {
            self.live = Some(live);
        }
        Ok(if noop { Done::Noop } else { Done::Changed })
    }
}

fn compare(state: &State, done: &Done, expected: &Value) -> Result<(), String> {
    let conflicts = expected.get("conflicts").and_then(Value::as_list);
    match done {
        Done::Failed(ApplyError::Conflicts(found)) => {
            let pair = |manager: &str, path: &str| format!("{manager} {path}");
            let found: BTreeSet<_> = found.0.iter().map(|one| pair(&one.manager, &one.path.to_string())).collect();
            let wanted = conflicts.ok_or_else(|| format!("unexpected conflicts {found:?}"))?;
            let wanted: BTreeSet<_> = wanted.iter().map(|one| pair(text(one, "manager"), text(one, "path"))).collect();
            same("conflicts", &format!("{found:?}"), &format!("{wanted:?}"))?;
        }
        Done::Failed(ApplyError::Failed(message)) | Done::Refused(message) => {
            let wanted = expected.get("error").and_then(Value::as_str);
            let wanted = wanted.ok_or_else(|| format!("unexpected error {message}"))?;
            same("error", message, wanted)?;
        }
        Done::Changed | Done::Noop if conflicts.is_some() || expected.get("error").is_some() => {
            return Err(format!("it worked, expected {}", to_json(expected)));
        }
        Done::Changed | Done::Noop => {
            let noop = expected.get("noop").and_then(Value::as_bool) == Some(true);
            same("noop", &matches!(done, Done::Noop).to_string(), &noop.to_string())?;
        }
    }
    let live = state.live.as_ref().map_or(&Value::Null, Typed::value);
    same("live", &sorted(live), &sorted(expected.get("live").unwrap_or(&Value::Null)))?;
    same("managers", &sorted(&managers(&state.managed)), &sorted(expected.get("managers").unwrap_or(&Value::Null)))
}

fn same(what: &str, found: &str, wanted: &str) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("{what}\n  found  {found}\n  wanted {wanted}")) }
}

fn managers(managed: &Managed) -> Value {
    let one = |(name, owned): (&String, &OwnedFields)| {
        let mut map = Map::new();
        map.insert("apiVersion", owned.version.as_str());
        map.insert("fieldsV1", owned.set.to_value());
        map.insert("operation", if owned.applied { "Apply" } else { "Update" });
        (name.clone(), Value::Map(map))
    };
    Value::Map(managed.iter().map(one).collect())
}

fn sorted(value: &Value) -> String {
    fn sort(value: &Value) -> Value {
        match value {
            Value::List(items) => items.iter().map(sort).collect::<Vec<_>>().into(),
            Value::Map(map) => {
                let mut map: Map = map.iter().map(|(key, value)| (key.clone(), sort(value))).collect();
                map.sort_keys();
                map.into()
            }
            scalar => scalar.clone(),
        }
    }
    to_json(&sort(value))
}

/// Reads the library's own form of a schema.
fn types(schema: &Value) -> Types {
    let list = schema.get("types").and_then(Value::as_list);
    Types::new(list.iter().flat_map(|list| list.iter()).map(|one| (text(one, "name").into(), atom(one))))
}

fn atom(one: &Value) -> Type {
    let scalar = one.get("scalar").and_then(Value::as_str).map(|name| match name {
        "string" => Scalar::String,
        "numeric" => Scalar::Numeric,
        "boolean" => Scalar::Boolean,
        _ => Scalar::Untyped,
    });
    Type { scalar, list: one.get("list").map(list), map: one.get("map").map(map) }
}

fn list(one: &Value) -> ListType {
    let item = one.get("elementType").and_then(reference).unwrap_or_else(TypeRef::deduced);
    let keys = strings(one.get("keys")).into_iter().map(Key::from).collect();
    ListType { item, relationship: relationship(one), keys }
}

fn map(one: &Value) -> MapType {
    let fields = one.get("fields").and_then(Value::as_list);
    let field = |one: &Value| Field {
        name: text(one, "name").into(),
        of: one.get("type").and_then(reference).unwrap_or_else(TypeRef::deduced),
        default: one.get("default").cloned(),
        patch: PatchRule::default(),
    };
    let by_name: BTreeMap<Key, Field> =
        fields.iter().flat_map(|list| list.iter()).map(field).map(|field| (field.name.clone(), field)).collect();
    let item = one.get("elementType").and_then(reference);
    MapType { fields: by_name.into_values().collect(), item, relationship: relationship(one) }
}

fn reference(one: &Value) -> Option<TypeRef> {
    let change = one.get("elementRelationship").map(|_| relationship(one));
    if let Some(name) = one.get("namedType").and_then(Value::as_str) {
        return Some(TypeRef::Named(name.into(), change));
    }
    let inline = atom(one);
    Some(TypeRef::Inline(Arc::new(match change {
        Some(relationship) => inline.with(relationship),
        None => inline,
    })))
}

fn relationship(one: &Value) -> Relationship {
    if text(one, "elementRelationship") == "atomic" { Relationship::Atomic } else { Relationship::Granular }
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn strings(list: Option<&Value>) -> BTreeSet<String> {
    let list = list.and_then(Value::as_list);
    list.iter().flat_map(|list| list.iter()).filter_map(Value::as_str).map(str::to_owned).collect()
}
