//! Charts: this renderer, Helm's engine in its own process, and the program `helm template`, side by side.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, ensure};
use clap::Args;
use lockstep_files::FileTree;
use lockstep_helm::{Chart, Options, Release, render};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::process::{children_cpu_seconds, thread_cpu_seconds};

/// What is rendered.
#[derive(Clone, Debug, Args)]
pub(crate) struct Arguments {
    /// A folder of charts: folders or archives.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../corpus/helm"))]
    charts: PathBuf,
    /// How long each chart is rendered by each side, in seconds.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Where the Go programs are built; what is there is built again only if it changed.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/bench-helm"))]
    programs: PathBuf,
}

/// What the Go program prints for a chart: milliseconds of CPU a rendering.
#[derive(Debug, Deserialize)]
struct Engine {
    load: f64,
    values: f64,
    templates: f64,
    sort: f64,
}

/// Milliseconds of CPU a rendering, of this renderer.
#[derive(Debug)]
struct Ours {
    /// A chart that nobody has read before: reading, parsing, rendering, forgetting.
    first: f64,
    /// A release of a chart that is known.
    shared: f64,
}

/// How many releases of one chart are rendered at the end.
const RELEASES: usize = 1000;

/// Compares all charts of a folder.
pub(crate) fn render_helm(arguments: &Arguments) -> anyhow::Result<Value> {
    build(&arguments.programs)?;
    let charts = charts(&arguments.charts)?;
    println!(
        "milliseconds of CPU a rendering; 'first' reads and parses the chart, 'shared' has it parsed (Helm parses each time)"
    );
    println!(
        "{:<36} {:>13} {:>10} {:>9} {:>7} {:>10} {:>9} {:>7} {:>6}",
        "chart", "helm template", "Go first", "first", "ratio", "Go shared", "shared", "ratio", "bytes"
    );
    let mut lines = Vec::new();
    for path in &charts {
        lines.push(compare(path, arguments)?);
    }
    let smallest = charts.first().context("there are no charts")?;
    let thousand = thousand(smallest)?;
    println!("{RELEASES} releases of {}: {thousand:.0} ms of CPU", name(smallest));
    Ok(json!({"bench": "render-helm", "charts": lines, "thousand_releases_ms": thousand}))
}

fn compare(path: &Path, arguments: &Arguments) -> anyhow::Result<Value> {
    let (process, printed) = helm_template(path, arguments)?;
    let go = engine(path, arguments)?;
    let ours = ours(path, arguments.seconds)?;
    let bytes = compare_bytes(&load(path)?, &printed)?;
    let go_shared = go.values + go.templates + go.sort;
    let go_first = go_shared + go.load;
    println!(
        "{:<36} {process:>13.1} {go_first:>10.2} {:>9.3} {:>7.1} {go_shared:>10.2} {:>9.3} {:>7.1} {:>6}",
        name(path),
        ours.first,
        go_first / ours.first,
        ours.shared,
        go_shared / ours.shared,
        bytes,
    );
    Ok(json!({
        "chart": name(path), "bytes": bytes, "process_ms": process,
        "go_first_ms": go_first, "first_ms": ours.first, "go_shared_ms": go_shared, "shared_ms": ours.shared,
        "go_templates_ms": go.templates,
    }))
}

/// Tells whether the program printed our bytes: `same`, `random` if it did but for lines that another seed changes, `differ`.
fn compare_bytes(chart: &Chart, printed: &str) -> anyhow::Result<&'static str> {
    let ours = |seed: u64| -> anyhow::Result<String> {
        Ok(render(chart, &release("bench"), &Options { seed, ..Options::default() })?.template_output())
    };
    let (one, other) = (ours(1)?, ours(2)?);
    if one == printed {
        return Ok("same");
    }
    let lines = |text: &str| text.lines().count();
    let same_lines = lines(&one) == lines(printed) && lines(&one) == lines(&other);
    let mut triples = one.lines().zip(other.lines()).zip(printed.lines());
    let same = same_lines && triples.all(|((one, other), printed)| one == printed || one != other);
    Ok(if same { "random" } else { "differ" })
}

/// Builds the Go programs: Helm's packages in a loop, and Helm itself from the same module.
fn build(programs: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(programs)?;
    let module = concat!(env!("CARGO_MANIFEST_DIR"), "/go/helm");
    for (program, package) in [("engine", "."), ("helm", "helm.sh/helm/v4/cmd/helm")] {
        let mut go = Command::new("go");
        go.args(["build", "-o"]).arg(fs::canonicalize(programs)?.join(program)).arg(package).current_dir(module);
        ensure!(go.status().context("cannot run go")?.success(), "{program} cannot be built");
    }
    Ok(())
}

/// Lists the charts of a folder by name.
fn charts(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut charts = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot open {}", folder.display()))? {
        let path = entry?.path();
        if path.join("Chart.yaml").is_file() || path.extension().is_some_and(|extension| extension == "tgz") {
            charts.push(path);
        }
    }
    charts.sort();
    Ok(charts)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn release(name: &str) -> Release {
    Release { name: name.to_owned(), namespace: "default".to_owned(), revision: 1, is_upgrade: false }
}

/// Runs the program three times; milliseconds of CPU a run, and what it printed.
fn helm_template(path: &Path, arguments: &Arguments) -> anyhow::Result<(f64, String)> {
    const RUNS: usize = 3;
    let before = children_cpu_seconds();
    let mut printed = String::new();
    for _ in 0..RUNS {
        let mut helm = Command::new(arguments.programs.join("helm"));
        let output = helm.args(["template", "bench"]).arg(path).args(["--namespace", "default"]).output()?;
        ensure!(
            output.status.success(),
            "helm template {}: {}",
            path.display(),
            String::from_utf8_lossy(&output.stderr)
        );
        printed = String::from_utf8(output.stdout)?;
    }
    Ok(((children_cpu_seconds() - before) * 1e3 / RUNS as f64, printed))
}

fn engine(path: &Path, arguments: &Arguments) -> anyhow::Result<Engine> {
    let mut engine = Command::new(arguments.programs.join("engine"));
    let output = engine.arg(arguments.seconds.to_string()).arg(path).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn ours(path: &Path, seconds: f64) -> anyhow::Result<Ours> {
    let options = Options::default();
    let first = repeat(seconds, || {
        render(&load(path)?, &release("bench"), &options)?;
        Ok(())
    })?;
    let chart = load(path)?;
    let shared = repeat(seconds, || {
        render(&chart, &release("bench"), &options)?;
        Ok(())
    })?;
    Ok(Ours { first, shared })
}

/// Repeats until the CPU time is used up, at least three times after one that is not counted; milliseconds a run.
fn repeat(seconds: f64, mut run: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    run()?;
    let begun = thread_cpu_seconds();
    let mut runs = 0_u32;
    while runs < 3 || thread_cpu_seconds() - begun < seconds {
        run()?;
        runs += 1;
    }
    Ok((thread_cpu_seconds() - begun) * 1e3 / f64::from(runs))
}

/// Renders many releases of one chart.
fn thousand(path: &Path) -> anyhow::Result<f64> {
    let chart = load(path)?;
    let begun = thread_cpu_seconds();
    for number in 0..RELEASES {
        render(&chart, &release(&format!("release-{number}")), &Options::default())?;
    }
    Ok((thread_cpu_seconds() - begun) * 1e3)
}

fn load(path: &Path) -> anyhow::Result<Chart> {
    if path.is_file() {
        return Ok(Chart::from_archive(&fs::read(path)?)?);
    }
    let mut files = Vec::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let below = entry?.path();
            if below.is_dir() {
                folders.push(below);
            } else {
                let inside = below.strip_prefix(path)?.to_string_lossy().into_owned();
                files.push((inside, fs::read(&below)?));
            }
        }
    }
    Ok(Chart::from_folder(&FileTree::from_files(files)?.reader(), "")?)
}
