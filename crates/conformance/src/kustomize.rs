//! The areas `kustomize`, `kustomize-edge` and `kustomize-real`: folders with kustomizations and what kustomize
//! 5.8.1 printed for them, or the text of its error.

use std::{collections::BTreeMap, io::Read as _, path::Path, sync::Arc};

use anyhow::Context as _;
use base64::Engine as _;
use lockstep_files::{FileTree, Kind, Reader};
use lockstep_kustomize::{Chart, ChartRenderer, LoadRestrictor, Options, Reorder, build};
use serde::Deserialize;

use crate::report::{Report, files};

#[derive(Deserialize)]
struct Case {
    name: String,
    root: String,
    #[serde(default)]
    options: CaseOptions,
    #[serde(default)]
    files: BTreeMap<String, String>,
    #[serde(default)]
    files_b64: BTreeMap<String, String>,
    archive: Option<String>,
    expected: Option<String>,
    error: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CaseOptions {
    reorder: String,
    load_restrictor: String,
    add_managedby_label: bool,
    enable_helm: bool,
}

type Entry = (String, Kind, Arc<[u8]>);

/// Runs every case below `folder`.
pub fn run(folder: &Path, report: &mut Report) -> anyhow::Result<()> {
    for path in files(folder, "json")? {
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let case: Case = serde_json::from_str(&text).with_context(|| format!("cannot parse {}", path.display()))?;
        if !report.wants(&case.name) {
            continue;
        }
        let (entries, expected) = inputs(&case, path.parent().unwrap_or(folder))?;
        let outcome = check(&case, entries, expected.as_deref());
        report.record(&case.name, outcome);
    }
    Ok(())
}

/// Returns the files of a case and the output that it expects.
fn inputs(case: &Case, folder: &Path) -> anyhow::Result<(Vec<Entry>, Option<String>)> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut expected = case.expected.clone();
    for (path, text) in &case.files {
        entries.push((tidy(path), Kind::File, text.as_bytes().into()));
    }
    for (path, text) in &case.files_b64 {
        let bytes = base64::engine::general_purpose::STANDARD.decode(text)?;
        entries.push((tidy(path), Kind::File, bytes.into()));
    }
    let Some(archive) = &case.archive else { return Ok((entries, expected)) };
    let file = std::fs::File::open(folder.join(archive)).with_context(|| format!("cannot open {archive}"))?;
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.to_string_lossy().into_owned();
        let path = tidy(&path);
        if path == "expected.yaml" {
            let mut text = String::new();
            entry.read_to_string(&mut text)?;
            expected = Some(text);
        } else if let Some(path) = path.strip_prefix("in/") {
            if entry.header().entry_type().is_symlink() {
                let target = entry.link_name()?.context("a link without a target")?;
                let target = target.to_string_lossy().into_owned();
                entries.push((path.to_owned(), Kind::Link, target.as_bytes().into()));
            } else if entry.header().entry_type().is_file() {
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes)?;
                entries.push((path.to_owned(), Kind::File, bytes.into()));
            }
        }
    }
    Ok((entries, expected))
}

fn tidy(path: &str) -> String {
    path.trim_start_matches("./").trim_start_matches('/').to_owned()
}

fn check(case: &Case, entries: Vec<Entry>, expected: Option<&str>) -> Result<(), String> {
    let tree = FileTree::from_entries(entries).map_err(|error| format!("the files make no tree: {error}"))?;
    let options = Options {
        load_restrictor: match case.options.load_restrictor.as_str() {
            "none" => LoadRestrictor::None,
            _ => LoadRestrictor::RootOnly,
        },
        reorder: if case.options.reorder == "legacy" { Reorder::Legacy } else { Reorder::None },
        add_managed_by_label: case.options.add_managedby_label,
        enable_helm: case.options.enable_helm,
        charts: Some(&Helm),
        ..Options::default()
    };
    let root = case.root.trim_matches('/');
    match (build(&tree.reader(), root, &options), expected, &case.error) {
        (Ok(built), Some(expected), _) => {
            // A build from sources, without a release, calls itself so.
            let expected = expected.replace("kustomize-(devel)", "kustomize-v5.8.1");
            difference(&built.text(), &expected)
        }
        (Ok(_), None, error) => Err(format!("expected the error {}", error.as_deref().unwrap_or_default())),
        (Err(error), Some(_), _) => Err(format!("unexpected error: {error}")),
        (Err(_), None, Some(expected)) if expected.starts_with("PANIC") => Ok(()),
        (Err(error), None, expected) => same_error(error.message(), expected.as_deref().unwrap_or_default()),
    }
}

/// Renders the charts of a case.
struct Helm;

impl ChartRenderer for Helm {
    fn render(&self, reader: &Reader, chart: &Chart) -> Result<String, String> {
        let read = lockstep_helm::Chart::from_folder(reader, &chart.path).map_err(|error| error.to_string())?;
        let or = |text: &str, default: &str| if text.is_empty() { default.to_owned() } else { text.to_owned() };
        let release = lockstep_helm::Release {
            name: or(&chart.release_name, "release-name"),
            namespace: or(&chart.namespace, "default"),
            revision: 1,
            is_upgrade: false,
        };
        let files = chart.values.iter().enumerate().map(|(place, text)| (format!("values-{place}.yaml"), text.clone()));
        let options = lockstep_helm::Options {
            values: lockstep_helm::UserValues { files: files.collect(), ..lockstep_helm::UserValues::default() },
            api_versions: chart.api_versions.clone(),
            include_crds: chart.include_crds,
            no_hooks: chart.skip_hooks,
            skip_tests: chart.skip_tests,
            ..lockstep_helm::Options::default()
        };
        let rendered = lockstep_helm::render(&read, &release, &options).map_err(|error| error.to_string())?;
        Ok(rendered.template_output())
    }
}

fn difference(found: &str, expected: &str) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    let line = found.lines().zip(expected.lines()).position(|(found, expected)| found != expected);
    let line = line.unwrap_or_else(|| found.lines().count().min(expected.lines().count()));
    let shown = |text: &str| text.lines().skip(line.saturating_sub(2)).take(5).collect::<Vec<_>>().join("\n    ");
    Err(format!("line {}:\n  expected\n    {}\n  found\n    {}", line + 1, shown(expected), shown(found)))
}

/// Compares the stable part of error texts: addresses differ, and cases recorded in memory word missing files differently.
fn same_error(found: &str, expected: &str) -> Result<(), String> {
    let (found, expected) = (without_addresses(found), without_addresses(expected));
    if found.trim_end() == expected.trim_end() || in_memory(&found).trim_end() == expected.trim_end() {
        return Ok(());
    }
    Err(format!("\n  expected {expected}\n  found    {found}"))
}

fn without_addresses(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("0x") {
        out.push_str(&rest[..at]);
        let tail = &rest[at + 2..];
        let end = tail.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(tail.len());
        if end >= 6 {
            out.push_str("0xADDR");
            rest = &tail[end..];
        } else {
            out.push_str("0x");
            rest = tail;
        }
    }
    out + rest
}

fn in_memory(text: &str) -> String {
    const FAILURE: &str = "evalsymlink failure on ";
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(FAILURE) {
        out.push_str(&rest[..at]);
        let tail = &rest[at + FAILURE.len()..];
        let path = tail.split(" : ").next().unwrap_or(tail);
        out.push_str(&format!("{path} doesn't exist"));
        const END: &str = "no such file or directory";
        rest = tail.find(END).map_or("", |end| &tail[end + END.len()..]);
    }
    out.push_str(rest);
    out.replace("''", "'/'")
}
