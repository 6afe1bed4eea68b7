//! Runs the recorded cases of the real tools: `lockstep-conformance AREA FOLDER [--filter TEXT] [--topic A,B]`.
//!
//! Each area reads the format that the README of its folder describes, prints what failed, and last
//! a line `N passed, M failed`. The exit code is 1 if a case failed and 2 if the folder is not readable.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line report")]

mod report;

#[cfg(feature = "apiserver")]
mod apiserver;
#[cfg(feature = "envsubst")]
mod envsubst;
#[cfg(feature = "health")]
mod health;
#[cfg(feature = "helm")]
mod helm;
#[cfg(feature = "kstatus")]
mod kstatus;
#[cfg(feature = "kustomize")]
mod kustomize;
#[cfg(feature = "patch")]
mod patch;
#[cfg(feature = "smd")]
mod smd;
#[cfg(feature = "yaml")]
mod yaml;

use std::{path::Path, process::ExitCode};

use report::Report;

type Runner = fn(&Path, &mut Report) -> anyhow::Result<()>;

/// The areas by name; the kustomize areas share one format.
const AREAS: &[(&str, Runner)] = &[
    #[cfg(feature = "yaml")]
    ("yaml", yaml::run),
    #[cfg(feature = "envsubst")]
    ("envsubst", envsubst::run),
    #[cfg(feature = "smd")]
    ("smd", smd::run),
    #[cfg(feature = "patch")]
    ("patch", patch::run),
    #[cfg(feature = "apiserver")]
    ("apiserver", apiserver::run),
    #[cfg(feature = "kustomize")]
    ("kustomize", kustomize::run),
    #[cfg(feature = "kustomize")]
    ("kustomize-edge", kustomize::run),
    #[cfg(feature = "kustomize")]
    ("kustomize-real", kustomize::run),
    #[cfg(feature = "helm")]
    ("helm", helm::run),
    #[cfg(feature = "health")]
    ("health", health::run),
    #[cfg(feature = "kstatus")]
    ("kstatus", kstatus::run),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (Some(area), Some(folder)) = (arguments.first(), arguments.get(1)) else {
        eprintln!("usage: lockstep-conformance AREA FOLDER [--filter TEXT] [--topic A,B]");
        return ExitCode::from(2);
    };
    let Some((_, runner)) = AREAS.iter().find(|(name, _)| name == area) else {
        let names: Vec<&str> = AREAS.iter().map(|(name, _)| *name).collect();
        eprintln!("no area {area}; there are: {}", names.join(", "));
        return ExitCode::from(2);
    };
    let option = |name: &str| arguments.iter().position(|a| a == name).and_then(|i| arguments.get(i + 1));
    let topics = option("--topic").map(|topics| topics.split(',').map(str::to_owned).collect());
    let mut report = Report::new(option("--filter").cloned(), topics);
    if let Err(error) = runner(Path::new(folder), &mut report) {
        eprintln!("{area}: {error:#}");
        return ExitCode::from(2);
    }
    println!("{} passed, {} failed", report.passed, report.failed);
    if report.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
