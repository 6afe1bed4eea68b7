//! The area `patch`: JSON patch, merge patch, strategic merge patch and kubectl apply's three-way patches.

use std::path::Path;

use anyhow::Context;
use lockstep_merge::{PatchError, json_patch, merge_patch, strategic};
use lockstep_object::{Map, Value, from_json, to_json};
use lockstep_schema::SchemaSet;

use crate::report::{Report, files};

/// Runs every case below `folder`.
pub fn run(folder: &Path, report: &mut Report) -> anyhow::Result<()> {
    let known = SchemaSet::built_in();
    for path in files(folder, "json")? {
        let case = from_json(&std::fs::read(&path)?).with_context(|| path.display().to_string())?;
        let name = case.get("name").and_then(Value::as_str).unwrap_or_default();
        if report.wants(name) {
            report.record(name, check(&case, &known));
        }
    }
    Ok(())
}

/// A made patch, if the operation makes one, and the result of applying it.
type Outcome = Result<(Option<Value>, Value), PatchError>;

fn check(case: &Value, known: &SchemaSet) -> Result<(), String> {
    let outcome = perform(case, known)?;
    match (outcome, case.get("expect_error").and_then(Value::as_str)) {
        (Err(error), Some(wanted)) => same("error", first_words(&error.0), first_words(wanted)),
        (Err(error), None) => Err(format!("unexpected error: {error}")),
        (Ok((_, result)), Some(wanted)) => Err(format!("no error, expected {wanted}; result {}", to_json(&result))),
        (Ok((patch, result)), None) => {
            let wanted = |key: &str| case.get(key).map(sorted).unwrap_or_default();
            if let Some(patch) = patch {
                same("patch", &sorted(&patch), &wanted("expect_patch"))?;
            }
            same("result", &sorted(&result), &wanted("expect_result"))
        }
    }
}

fn perform(case: &Value, known: &SchemaSet) -> Result<Outcome, String> {
    let input = |key: &str| case.get(key).cloned().unwrap_or_default();
    let (original, patch, modified, current) = (input("original"), input("patch"), input("modified"), input("current"));
    let kind = case.get("kind").and_then(Value::as_str).unwrap_or_default();
    let root = known.resources().find(|resource| resource.gvk.kind.as_str() == kind).map(|r| known.root_type(&r.gvk));
    let root = root.unwrap_or_else(lockstep_schema::TypeRef::deduced);
    let schema = strategic::Schema { types: known.types(), root: &root };
    let made = |patch: Result<Value, PatchError>,
                onto: &Value,
                apply: &dyn Fn(&Value, &Value) -> Result<Value, PatchError>| {
        let patch = patch?;
        let result = apply(onto, &patch)?;
        Ok((Some(patch), result))
    };
    let strategic_apply = |onto: &Value, patch: &Value| strategic::apply(onto, patch, schema);
    let merge_apply = merge_patch::apply_document;
    let overwrite = case.get("overwrite").and_then(Value::as_bool) == Some(true);
    Ok(match case.get("op").and_then(Value::as_str).unwrap_or_default() {
        "strategic" => strategic::apply(&original, &patch, schema).map(|result| (None, result)),
        "strategic_diff" => made(strategic::diff(&original, &modified, schema), &original, &strategic_apply),
        "three_way" => {
            made(strategic::three_way(&original, &modified, &current, schema, overwrite), &current, &strategic_apply)
        }
        "json_merge" => merge_patch::apply_document(&original, &patch).map(|result| (None, result)),
        "json_merge_diff" => made(merge_patch::diff(&original, &modified), &original, &merge_apply),
        "json_three_way" => made(merge_patch::three_way(&original, &modified, &current), &current, &merge_apply),
        "json6902" => json_patch::apply(&original, &patch).map(|result| (None, result)),
        other => return Err(format!("unknown operation {other}")),
    })
}

/// The first line: conflicts go on with both patches as YAML.
fn first_words(error: &str) -> &str {
    error.lines().next().unwrap_or_default()
}

fn same(what: &str, found: &str, wanted: &str) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("{what}\n  found  {found}\n  wanted {wanted}")) }
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
