//! The area `kstatus`: the verdicts of Flux's status library, one file a case.

use std::path::Path;

use anyhow::Context;
use lockstep_health::{
    Timestamp,
    kstatus::{Error, Verdict, compute},
};
use lockstep_object::{Map, Object, Value, from_json, to_json};

use crate::report::{Report, files};

/// The time at which the cases are judged: theirs are long before or after it.
const NOW: i64 = 1_735_689_600;

/// Runs every case below `folder`.
pub fn run(folder: &Path, report: &mut Report) -> anyhow::Result<()> {
    let now = Timestamp::from_second(NOW).context("the fixed time is a time")?;
    for path in files(folder, "json")? {
        let text = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let case = from_json(&text).with_context(|| format!("cannot read {}", path.display()))?;
        let name = case.get("name").and_then(Value::as_str).unwrap_or_default();
        if report.wants(name) {
            report.record(name, check(&case, now));
        }
    }
    Ok(())
}

fn check(case: &Value, now: Timestamp) -> Result<(), String> {
    let object = case.get("object").cloned().ok_or("the case has no object")?;
    let object = Object::try_from(object).map_err(|error| error.to_string())?;
    let expected = case.get("expect").ok_or("the case expects nothing")?;
    let found = told(compute(&object, now));
    if found == *expected { Ok(()) } else { Err(format!("{} instead of {}", to_json(&found), to_json(expected))) }
}

/// Writes a verdict as the cases do.
fn told(result: Result<Verdict, Error>) -> Value {
    let mut map = Map::new();
    match result {
        Err(error) => {
            map.insert("error", error.to_string());
        }
        Ok(verdict) => {
            let conditions = verdict.conditions.iter().map(|condition| {
                let fields = [
                    ("type", condition.kind),
                    ("status", condition.status),
                    ("reason", &condition.reason),
                    ("message", &condition.message),
                ];
                // The library leaves empty fields out.
                Value::Map(fields.into_iter().filter(|(_, text)| !text.is_empty()).collect())
            });
            map.insert("status", verdict.status.as_str());
            map.insert("message", verdict.message);
            map.insert("conditions", conditions.collect::<Vec<Value>>());
        }
    }
    Value::Map(map)
}
