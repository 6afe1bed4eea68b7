//! Calls of Cargo that compile nothing twice.
//!
//! Every call names the whole workspace and picks a target: with one package named, Cargo would give the dependencies
//! the features of that package alone and compile most of them again.

use std::{path::PathBuf, process::Command};

use anyhow::Context;

/// Returns a call of Cargo in the workspace's root.
pub(crate) fn cargo(command: &str) -> Command {
    let mut cargo = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    cargo.args([command, "--workspace", "--locked"]).current_dir(crate::root());
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    cargo
}

/// Builds a program of the workspace in this program's profile and returns where it is.
pub(crate) fn program(name: &str) -> anyhow::Result<PathBuf> {
    let status = cargo("build").args(["-q", "--bin", name]).status().context("cannot run cargo")?;
    anyhow::ensure!(status.success(), "{name} cannot be built");
    Ok(std::env::current_exe()?.with_file_name(name))
}
