//! The area `envsubst`: Flux's variable substitution on texts and documents.

use std::path::Path;

use anyhow::Context;
use lockstep_object::to_json_html_safe;
use lockstep_render::envsubst::{Error, Mode, Variables, substitute, substitute_document};
use serde::Deserialize;

use crate::report::{Report, files};

#[derive(Deserialize)]
struct Case {
    input: String,
    vars: Variables,
    #[serde(default)]
    document: bool,
    lax: Expected,
    strict: Expected,
    document_lax: Option<serde_json::Value>,
    document_strict: Option<serde_json::Value>,
}

#[derive(Deserialize, Debug)]
#[serde(rename_all = "lowercase")]
enum Expected {
    Result(String),
    Error(String),
}

/// Runs every case below `folder`.
pub fn run(folder: &Path, report: &mut Report) -> anyhow::Result<()> {
    for path in files(folder, "json")? {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if report.wants(&name) {
            let text = std::fs::read(&path)?;
            let case: Case = serde_json::from_slice(&text).with_context(|| name.clone())?;
            let lax = check(&case, &case.lax, case.document_lax.as_ref(), Mode::Lax);
            report.record(
                &name,
                lax.and_then(|()| check(&case, &case.strict, case.document_strict.as_ref(), Mode::Strict)),
            );
        }
    }
    Ok(())
}

fn check(case: &Case, expected: &Expected, document: Option<&serde_json::Value>, mode: Mode) -> Result<(), String> {
    let mut got = substitute(&case.input, &case.vars, mode);
    if case.document {
        let read = substitute_document(&case.input, &case.vars, mode);
        match (read, document) {
            (Ok(value), Some(expected)) => same_json(&to_json_html_safe(&value), expected)?,
            (Ok(_), None) => return Err(format!("{mode:?}: expected no document")),
            // The recording has one error for the text and its document.
            (Err(error), _) => got = Err(error),
        }
    }
    let fits = match (expected, &got) {
        (Expected::Result(expected), Ok(got)) => expected == got,
        // Where the library crashes, an error is the right answer.
        (Expected::Error(expected), Err(got)) => *expected == got.to_string() || expected.starts_with("PANIC:"),
        _ => false,
    };
    if fits { Ok(()) } else { Err(difference(mode, expected, &got)) }
}

fn difference(mode: Mode, expected: &Expected, got: &Result<String, Error>) -> String {
    format!("{mode:?}: expected {expected:?}, got {got:?}")
}

fn same_json(got: &str, expected: &serde_json::Value) -> Result<(), String> {
    let same = serde_json::from_str::<serde_json::Value>(got).ok().as_ref() == Some(expected);
    if same { Ok(()) } else { Err(format!("document: expected {expected}, got {got}")) }
}
