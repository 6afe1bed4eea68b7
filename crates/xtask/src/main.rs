//! Chores of the workspace: `cargo xtask tables|facts|conformance|clients|cluster|registry`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool")]

mod cargo;
mod clients;
mod cluster;
mod conformance;
mod facts;
mod registry;
mod tables;

#[cfg(test)]
mod arrows;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use cluster::Controllers;

const USAGE: &str = "usage:
  cargo xtask tables FOLDER         make the table of kinds from FOLDER/openapi and FOLDER/discovery
  cargo xtask facts                 ask a real server and Go for the sandbox's tables
  cargo xtask conformance FOLDER    run the recorded cases below FOLDER and hold what was reached
  cargo xtask clients               client-go's informers and Helm against the sandbox
  cargo xtask cluster up|down|test  a real kube-apiserver on loopback; `test` runs the black-box suite on it,
                                    `up --bare` leaves the controllers out
  cargo xtask registry test         the tests of OCI sources on the distribution registry";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["tables", folder] => write_tables(Path::new(folder)),
        ["facts"] => facts::write(),
        ["conformance", folder] => conformance::hold(Path::new(folder)),
        ["clients"] => clients::test(),
        ["cluster", "up"] => cluster::up(Controllers::On),
        ["cluster", "up", "--bare"] => cluster::up(Controllers::Off),
        ["cluster", "down"] => cluster::down(),
        ["cluster", "test"] => cluster::test(),
        ["registry", "test"] => registry::test(),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Returns the root of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new(".")).to_owned()
}

fn write_tables(folder: &Path) -> anyhow::Result<()> {
    let table = tables::generate(&folder.join("openapi"), &folder.join("discovery"))?;
    let file = root().join("crates/schema/data/kubernetes.bin");
    std::fs::write(&file, table).with_context(|| format!("cannot write {}", file.display()))?;
    println!("wrote {}", file.display());
    Ok(())
}
