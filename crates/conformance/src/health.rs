//! The area `health`: Argo CD's verdicts, one file a kind.

use std::{collections::BTreeMap, path::Path};

use anyhow::Context;
use lockstep_health::{Rules, Timestamp};
use lockstep_object::{Object, Value, from_json};

use crate::report::{Report, files};

/// The time at which the cases are judged; no recorded verdict depends on it.
const NOW: i64 = 1_735_689_600;

/// Runs every case below `folder`.
pub fn run(folder: &Path, report: &mut Report) -> anyhow::Result<()> {
    let rules = Rules::builtin();
    let now = Timestamp::from_second(NOW).context("the fixed time is a time")?;
    let mut statuses = BTreeMap::new();
    for path in files(folder, "json")? {
        let text = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let cases = from_json(&text).with_context(|| format!("cannot read {}", path.display()))?;
        for case in cases.as_list().context("a file is a list of cases")?.iter() {
            let name = case.get("name").and_then(Value::as_str).unwrap_or_default();
            if report.wants(name) {
                let outcome = check(&rules, now, case);
                *statuses.entry(outcome.as_ref().err().is_none_or(|text| text.starts_with("message"))).or_insert(0) +=
                    1;
                report.record(name, outcome);
            }
        }
    }
    let right = statuses.get(&true).copied().unwrap_or(0);
    let wrong = statuses.get(&false).copied().unwrap_or(0);
    println!("statuses: {right} right, {wrong} wrong");
    Ok(())
}

fn check(rules: &Rules, now: Timestamp, case: &Value) -> Result<(), String> {
    let object = case.get("object").cloned().ok_or("the case has no object")?;
    let object = Object::try_from(object).map_err(|error| error.to_string())?;
    let expected = case.get("expect").ok_or("the case expects nothing")?;
    let health = rules.judge(&object, now);
    let status = health.as_ref().map_or("none", |health| health.status.as_str());
    let wanted = expected.get("status").and_then(Value::as_str).unwrap_or("none");
    let message = health.as_ref().map_or("", |health| &health.message);
    if status != wanted {
        return Err(format!("status {status} ({message:?}) instead of {wanted} ({:?})", expected.get("message")));
    }
    match expected.get("message").and_then(Value::as_str) {
        Some(wanted) if wanted != message => Err(format!("message {message:?} instead of {wanted:?}")),
        _ => Ok(()),
    }
}
