//! The `distribution` registry, built by Go as declared in `tests/registry`, under the tests of OCI sources.
//!
//! Ordinary tests use the small registry of `testkit`: building this one takes minutes, and the tests cannot tell.

use std::{fs, path::PathBuf, process::Command};

use anyhow::Context;

use crate::cargo::cargo;

const PACKAGE: &str = "github.com/distribution/distribution/v3/cmd/registry";

/// Builds the registry unless it is there and runs the tests of OCI sources on it.
pub(crate) fn test() -> anyhow::Result<()> {
    let program = build()?;
    for (suite, filter) in [("git", "registry::"), ("blackbox", "charts::")] {
        let mut tests = cargo("test");
        tests.args(["--test", suite, filter]).env("LOCKSTEP_TEST_REGISTRY", &program);
        let status = tests.status().context("cannot run cargo")?;
        anyhow::ensure!(status.success(), "the tests `{suite}` fail on the distribution registry");
    }
    Ok(())
}

fn build() -> anyhow::Result<PathBuf> {
    let program = crate::root().join("target/registry/registry");
    if program.exists() {
        return Ok(program);
    }
    fs::create_dir_all(program.parent().unwrap_or(&program))?;
    eprintln!("building the registry (some minutes the first time)");
    let folder = crate::root().join("tests/registry");
    let status = Command::new("go").args(["build", "-o"]).arg(&program).arg(PACKAGE).current_dir(folder).status();
    anyhow::ensure!(status.context("Go is not installed")?.success(), "the registry cannot be built");
    Ok(program)
}
