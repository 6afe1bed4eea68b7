//! The area `yaml`: odd texts as `YAMLToJSON`, `YAMLToJSONStrict` and `Marshal` of sigs.k8s.io/yaml treat them.

use std::path::Path;

use anyhow::Context;
use lockstep_object::{
    Value, to_json_html_safe,
    yaml::{self, Options},
};
use serde::Deserialize;

use crate::report::{Report, files};

#[derive(Deserialize)]
struct Case {
    yaml: String,
    json: Expected,
    strict: Expected,
    remarshal: Expected,
}

#[derive(Deserialize, PartialEq, Debug)]
#[serde(rename_all = "lowercase")]
enum Expected {
    Result(String),
    Error(String),
    /// The library depends on the order of a map here; any of these is right.
    Nondeterministic(Vec<Expected>),
}

/// Runs every case below `folder`.
pub fn run(folder: &Path, report: &mut Report) -> anyhow::Result<()> {
    for path in files(folder, "json")? {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if report.wants(&name) {
            let text = std::fs::read(&path)?;
            let case: Case = serde_json::from_slice(&text).with_context(|| name.clone())?;
            report.record(&name, check(&case));
        }
    }
    Ok(())
}

fn check(case: &Case) -> Result<(), String> {
    let read = |strict| yaml::parse_with(&case.yaml, Options { strict }).map_err(|error| error.message);
    compare("json", &case.json, &read(false).map(|value| to_json_html_safe(&value)), same_json)?;
    compare("strict", &case.strict, &read(true).map(|value| to_json_html_safe(&value)), same_json)?;
    let printed = read(false).map(|value| yaml::print(&as_go_reads_json(value)));
    let printed = printed.map_err(|error| format!("error converting YAML to JSON: {error}"));
    compare("remarshal", &case.remarshal, &printed, |one, two| one == two)
}

/// Go decodes every JSON number into a 64-bit float unless it is told otherwise.
fn as_go_reads_json(value: Value) -> Value {
    match value {
        Value::Int(number) => Value::Float(number as f64),
        Value::UInt(number) => Value::Float(number as f64),
        Value::List(items) => items.into_iter().map(as_go_reads_json).collect::<Vec<_>>().into(),
        Value::Map(map) => Value::Map(map.into_iter().map(|(key, value)| (key, as_go_reads_json(value))).collect()),
        other => other,
    }
}

fn compare(
    what: &str,
    expected: &Expected,
    got: &Result<String, String>,
    same: impl Fn(&str, &str) -> bool + Copy,
) -> Result<(), String> {
    let fits = match (expected, got) {
        (Expected::Result(expected), Ok(got)) => same(expected, got),
        (Expected::Error(expected), Err(got)) => expected == got,
        (Expected::Nondeterministic(all), got) => all.iter().any(|one| compare(what, one, got, same).is_ok()),
        _ => false,
    };
    if fits { Ok(()) } else { Err(format!("{what}: expected {expected:?}, got {got:?}")) }
}

/// Compares JSON as values; serde_json keeps integers exact and apart from floats.
fn same_json(one: &str, two: &str) -> bool {
    match (serde_json::from_str::<serde_json::Value>(one), serde_json::from_str::<serde_json::Value>(two)) {
        (Ok(one), Ok(two)) => one == two,
        _ => false,
    }
}
