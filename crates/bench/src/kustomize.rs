//! Building kustomizations: ours, the Go library in process and the Go program, over the same five overlays.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use anyhow::Context;
use clap::Args;
use lockstep_files::FileTree;
use lockstep_kustomize::{Options, Reorder, build};
use serde_json::{Value, json};

use crate::{
    memory,
    process::{children_cpu_seconds, cpu_seconds},
};

/// What to build, and how long.
#[derive(Clone, Debug, Args)]
pub(crate) struct Arguments {
    /// How long each measurement runs, in seconds.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// How many threads the parallel measurement uses; by default one a core.
    #[arg(long)]
    threads: Option<usize>,
    /// The folder of the Go programs.
    #[arg(long, default_value = "crates/bench/go/kustomize")]
    go: PathBuf,
}

/// The overlays: a name and the number of apps, each of four resources.
const OVERLAYS: [(&str, usize); 5] = [("tiny", 1), ("small", 5), ("medium", 25), ("large", 100), ("huge", 250)];
/// Where the overlay lies in its tree.
const ROOT: &str = "overlay";

/// Seconds and bytes of one build.
#[derive(Clone, Copy)]
struct Cost {
    wall: f64,
    cpu: f64,
    allocated: f64,
}

/// Measures all overlays; returns the line of JSON.
pub(crate) fn render_kustomize(arguments: &Arguments) -> anyhow::Result<Value> {
    let threads = arguments.threads.or_else(|| std::thread::available_parallelism().ok().map(usize::from)).unwrap_or(1);
    let programs = tempfile::tempdir().context("cannot make a temporary folder")?;
    build_go(&arguments.go, programs.path())?;
    println!("milliseconds of CPU a build; the last columns are for {threads} threads at once");
    println!(
        "{:<7} {:>9} {:>7} | {:>9} {:>9} {:>7} | {:>9} {:>7} | {:>9} {:>9} | {:>9} {:>7}",
        "overlay",
        "resources",
        "KB",
        "ours",
        "library",
        "ratio",
        "program",
        "ratio",
        "ours, KB",
        "library",
        "ours",
        "faster"
    );
    let mut rows = Vec::new();
    for (name, apps) in OVERLAYS {
        let files = overlay(apps);
        let folder = programs.path().join(name);
        write_files(&folder, &files)?;
        let tree = FileTree::from_files(files.iter().map(|(path, text)| (path.as_str(), text.as_bytes())))?;
        let text = build_once(&tree)?;
        let program = run_program(programs.path(), &folder, &text)?;
        let ours = measure(&tree, 1, arguments.seconds)?;
        let parallel = measure(&tree, threads, arguments.seconds)?;
        let library = run_library(programs.path(), &folder, 1, arguments.seconds)?;
        let library_parallel = run_library(programs.path(), &folder, threads, arguments.seconds)?;
        println!(
            "{name:<7} {:>9} {:>7.1} | {:>9.3} {:>9.3} {:>6.1}x | {:>9.1} {:>6.0}x | {:>9.0} {:>9.0} | {:>9.3} {:>6.2}x",
            apps * 4,
            text.len() as f64 / 1e3,
            ours.cpu * 1e3,
            library.cpu * 1e3,
            library.cpu / ours.cpu,
            program * 1e3,
            program / ours.cpu,
            ours.allocated / 1e3,
            library.allocated / 1e3,
            parallel.cpu * 1e3,
            ours.wall / parallel.wall,
        );
        rows.push(json!({
            "overlay": name, "resources": apps * 4, "bytes": text.len(), "threads": threads,
            "ours": shown(ours), "ours_parallel": shown(parallel),
            "library": shown(library), "library_parallel": shown(library_parallel), "program_cpu": program,
            "ratio_wall": library.wall / ours.wall, "ratio_cpu": library.cpu / ours.cpu,
        }));
    }
    Ok(json!({"bench": "render-kustomize", "rows": rows}))
}

fn shown(cost: Cost) -> Value {
    json!({"wall": cost.wall, "cpu": cost.cpu, "allocated": cost.allocated})
}

fn build_once(tree: &FileTree) -> anyhow::Result<String> {
    let options = Options { reorder: Reorder::Legacy, ..Options::default() };
    Ok(build(&tree.reader(), ROOT, &options)?.text())
}

fn measure(tree: &FileTree, threads: usize, seconds: f64) -> anyhow::Result<Cost> {
    let before = memory::allocated();
    build_once(tree)?;
    let allocated = (memory::allocated() - before) as f64;
    // Counting is an atomic that all threads would wait for.
    memory::count(false);
    let builds = AtomicUsize::new(0);
    let (begun, cpu) = (Instant::now(), cpu_seconds());
    let ends = std::thread::scope(|scope| {
        let work = || -> anyhow::Result<()> {
            while begun.elapsed().as_secs_f64() < seconds {
                build_once(tree)?;
                builds.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        };
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        handles.into_iter().map(|handle| handle.join()).collect::<Vec<_>>()
    });
    let (wall, cpu) = (begun.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    memory::count(true);
    for end in ends {
        end.map_err(|_| anyhow::anyhow!("a build panicked"))??;
    }
    let done = builds.load(Ordering::Relaxed).max(1) as f64;
    Ok(Cost { wall: wall / done, cpu: cpu / done, allocated })
}

fn build_go(folder: &Path, into: &Path) -> anyhow::Result<()> {
    let status = Command::new("go")
        .args(["build", "-o"])
        .arg(format!("{}/", into.display()))
        .args([".", "sigs.k8s.io/kustomize/kustomize/v5"])
        .current_dir(folder)
        .status()
        .context("the Go programs need the Go toolchain")?;
    anyhow::ensure!(status.success(), "the Go programs cannot be built");
    Ok(())
}

/// Runs `kustomize build`; returns the CPU seconds of the best of three. Its bytes must be ours.
fn run_program(programs: &Path, folder: &Path, ours: &str) -> anyhow::Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        let before = children_cpu_seconds();
        let output = Command::new(programs.join("kustomize")).arg("build").arg(folder.join(ROOT)).output()?;
        best = best.min(children_cpu_seconds() - before);
        anyhow::ensure!(output.status.success(), "kustomize: {}", String::from_utf8_lossy(&output.stderr));
        anyhow::ensure!(output.stdout == ours.as_bytes(), "kustomize prints other bytes for {}", folder.display());
    }
    Ok(best)
}

fn run_library(programs: &Path, folder: &Path, threads: usize, seconds: f64) -> anyhow::Result<Cost> {
    let output = Command::new(programs.join("kustomize-bench"))
        .arg("bench")
        .args([threads.to_string(), seconds.to_string()])
        .arg(folder)
        .stderr(std::process::Stdio::null())
        .output()?;
    let line: Value = serde_json::from_slice(&output.stdout).context("the Go program printed no JSON")?;
    let number = |name: &str| line[name].as_f64().unwrap_or_default();
    Ok(Cost { wall: number("wall"), cpu: number("cpu"), allocated: number("allocated") })
}

fn write_files(folder: &Path, files: &[(String, String)]) -> anyhow::Result<()> {
    for (path, text) in files {
        let file = folder.join(path);
        std::fs::create_dir_all(file.parent().unwrap_or(folder))?;
        std::fs::write(file, text)?;
    }
    Ok(())
}

/// Makes a base of `apps` apps and an overlay that changes them as overlays do.
fn overlay(apps: usize) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let (mut resources, mut generators) = (String::new(), String::new());
    for app in 0..apps {
        let _ = writeln!(resources, "- app-{app}.yaml");
        let _ = writeln!(generators, "- name: settings-{app}\n  literals: [mode=plain, level=\"{app}\"]");
        files.push((format!("base/app-{app}.yaml"), manifests(app)));
    }
    let base = format!("resources:\n{resources}configMapGenerator:\n{generators}");
    files.push(("base/kustomization.yaml".to_owned(), base));
    let overlay = "resources: [../base]\nnamePrefix: prod-\nnamespace: shop\n\
        labels:\n- pairs: {tier: front}\n  includeSelectors: true\ncommonAnnotations: {owner: team}\n\
        images:\n- {name: registry.example.com/app, newTag: v2}\nreplicas:\n- {name: app-0, count: 3}\n\
        patches:\n- path: patch.yaml\n- target: {kind: Service}\n  patch: |\n    - {op: add, path: /spec/type, value: ClusterIP}\n";
    files.push(("overlay/kustomization.yaml".to_owned(), overlay.to_owned()));
    let patch = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app-0}\nspec:\n  template:\n    spec:\n      \
        containers:\n      - name: app\n        resources: {limits: {memory: 512Mi}}\n";
    files.push(("overlay/patch.yaml".to_owned(), patch.to_owned()));
    files
}

/// The Deployment, Service and Ingress of one app; the fourth resource is its generated ConfigMap.
fn manifests(app: usize) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: app-{app}\n  labels: {{app: app-{app}}}\nspec:\n  \
         replicas: 2\n  selector:\n    matchLabels: {{app: app-{app}}}\n  template:\n    metadata:\n      labels: \
         {{app: app-{app}}}\n    spec:\n      containers:\n      - name: app\n        image: \
         registry.example.com/app:v1\n        args: [\"--port=8080\", \"--name\", \"app-{app}\"]\n        ports:\n        \
         - containerPort: 8080\n          name: http\n        env:\n        - name: MODE\n          valueFrom:\n            \
         configMapKeyRef: {{name: settings-{app}, key: mode}}\n        - name: POD\n          valueFrom:\n            \
         fieldRef: {{fieldPath: metadata.name}}\n        resources:\n          requests: {{cpu: 100m, memory: 128Mi}}\n          \
         limits: {{memory: 256Mi}}\n        readinessProbe:\n          httpGet: {{path: /ready, port: http}}\n          \
         periodSeconds: 10\n        volumeMounts:\n        - name: settings\n          mountPath: /etc/settings\n      \
         volumes:\n      - name: settings\n        configMap: {{name: settings-{app}}}\n---\napiVersion: v1\nkind: \
         Service\nmetadata:\n  name: app-{app}\nspec:\n  selector: {{app: app-{app}}}\n  ports:\n  - name: http\n    port: \
         80\n    targetPort: http\n---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: \
         app-{app}\nspec:\n  rules:\n  - host: app-{app}.example.com\n    http:\n      paths:\n      - path: /\n        \
         pathType: Prefix\n        backend:\n          service:\n            name: app-{app}\n            port: {{name: \
         http}}\n"
    )
}
