//! Holds what was reached on the recorded cases: fewer passes are a failure.

use std::{path::Path, process::Command};

use anyhow::Context;

use crate::cargo::program;

/// The areas, and how many cases may fail; each such case has its reason in `docs/compatibility.md`.
const AREAS: &[(&str, usize)] = &[
    ("yaml", 0),
    ("envsubst", 0),
    ("smd", 0),
    ("patch", 0),
    ("kstatus", 0),
    ("health", 0),
    ("kustomize", 0),
    ("kustomize-edge", 0),
    ("kustomize-real", 0),
    ("helm", 1),
    ("apiserver", 0),
];

/// Runs every area whose folder is there.
pub(crate) fn hold(folder: &Path) -> anyhow::Result<()> {
    let runner = program("lockstep-conformance")?;
    for (area, may_fail) in AREAS {
        let cases = folder.join(area);
        if !cases.is_dir() {
            continue;
        }
        let failed = failures(&runner, area, &cases)?;
        println!("{area}: {failed} failed, {may_fail} may");
        anyhow::ensure!(failed <= *may_fail, "{area}: {failed} cases fail, {may_fail} may");
    }
    Ok(())
}

fn failures(runner: &Path, area: &str, cases: &Path) -> anyhow::Result<usize> {
    let output = Command::new(runner).arg(area).arg(cases).output().context("cannot run the recorded cases")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    let failed = last.strip_suffix(" failed").and_then(|rest| rest.rsplit(' ').next()).and_then(|n| n.parse().ok());
    failed.with_context(|| format!("{area}: no count in {last:?}: {}", String::from_utf8_lossy(&output.stderr)))
}
