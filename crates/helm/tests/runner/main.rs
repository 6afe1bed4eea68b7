//! Behaviour of the crate from outside.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod archives;
mod corpus;
mod explain;
mod hostile;
mod mutation;
mod records;
mod rendering;

use std::collections::BTreeMap;

use lockstep_helm::{Chart, Error, Options, Release, render_files};

const CHART: &str = "apiVersion: v2\nname: t\nversion: 0.1.0\n";

/// Makes a chart of files; `Chart.yaml` is there if it is not among them.
fn chart(files: &[(&str, &str)]) -> Result<Chart, Error> {
    let has_metadata = files.iter().any(|(name, _)| *name == "Chart.yaml");
    let metadata = (!has_metadata).then_some(("Chart.yaml", CHART));
    let all = metadata.iter().chain(files);
    Chart::from_files(all.map(|(name, text)| (*name, text.as_bytes().to_vec())))
}

fn release() -> Release {
    Release { name: "rel".into(), namespace: "ns".into(), revision: 1, is_upgrade: false }
}

fn texts(files: &[(&str, &str)], options: &Options) -> Result<BTreeMap<String, String>, Error> {
    render_files(&chart(files)?, &release(), options)
}

/// Renders one template.
fn text(template: &str) -> Result<String, Error> {
    let files = texts(&[("templates/t.yaml", template)], &Options::default())?;
    Ok(files["t/templates/t.yaml"].clone())
}
