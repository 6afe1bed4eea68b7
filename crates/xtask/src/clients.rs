//! Clients that nobody here wrote, against `lockstep sandbox`: client-go's informers and Helm.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context;

use crate::cargo::program;

const HELM: &str = "helm.sh/helm/v4/cmd/helm@v4.3.1";

/// A chart and a value that changes what kubectl prints of it.
struct Chart {
    /// The folder or archive.
    path: PathBuf,
    release: &'static str,
    set: &'static str,
    /// What to ask kubectl for; the release's namespace is added.
    shown: [&'static str; 3],
    /// What it prints without and with the value.
    expect: [&'static str; 2],
}

/// Charts of our own.
const OWN: [(&str, [&str; 3]); 3] = [
    ("web", ["configmap", "web", "-ojsonpath={.data.color}"]),
    ("batch", ["configmap", "batch", "-ojsonpath={.data.color}"]),
    ("fleet", ["configmap", "fleet", "-ojsonpath={.data.color}"]),
];
/// Charts that people use, of the recorded cases below `LOCKSTEP_CONFORMANCE`.
const PUBLIC: [(&str, &str, &str); 3] = [
    ("podinfo", "podinfo-6.14.1.tgz", "replicaCount=2"),
    ("nginx", "nginx-22.1.1.tgz", "replicaCount=2"),
    ("ingress-nginx", "ingress-nginx-4.15.1.tgz", "controller.replicaCount=2"),
];

fn charts(sources: &Path) -> Vec<Chart> {
    let Some(recorded) = std::env::var_os("LOCKSTEP_CONFORMANCE").map(PathBuf::from) else {
        let own = OWN.map(|(release, shown)| {
            let path = sources.join("charts").join(release);
            Chart { path, release, set: "color=red", shown, expect: ["blue", "red"] }
        });
        return own.into();
    };
    let public = PUBLIC.map(|(release, file, set)| {
        let path = recorded.join("helm/charts").join(file);
        let shown = ["deployments", "-ojsonpath={.items[*].spec.replicas}", "--ignore-not-found"];
        Chart { path, release, set, shown, expect: ["1", "2"] }
    });
    public.into()
}

/// Runs all of them.
pub(crate) fn test() -> anyhow::Result<()> {
    let folder = crate::root().join("target/clients");
    std::fs::create_dir_all(&folder)?;
    let sources = crate::root().join("tests/clients");
    run(Command::new("go").arg("build").arg("-o").arg(folder.join("clients")).arg(".").current_dir(&sources))?;
    let helm = folder.join("helm");
    if !helm.exists() {
        eprintln!("building helm (some minutes the first time)");
        run(Command::new("go").args(["install", HELM]).env("GOBIN", &folder))?;
    }
    let sandbox = Sandbox::start(&folder)?;
    run(Command::new(folder.join("clients")).arg(&sandbox.kubeconfig).arg("1000"))?;
    println!("client-go: both informers are equal to the server after 1000 changes");
    for chart in charts(&sources) {
        release(&helm, &chart, &sandbox.kubeconfig)?;
        println!("helm: {} was installed, upgraded, rolled back and uninstalled", chart.release);
    }
    Ok(())
}

/// Takes a chart through a release's life; after each step the server has what Helm says that it wrote.
fn release(helm: &Path, chart: &Chart, kubeconfig: &Path) -> anyhow::Result<()> {
    let name = chart.release;
    let with = |program: &Path, words: &[&str]| {
        let mut command = Command::new(program);
        command.args(words).args(["--namespace", name]).env("KUBECONFIG", kubeconfig);
        command
    };
    let kubectl = Path::new("kubectl");
    let path = chart.path.to_str().context("the path of the chart is no text")?;
    let wait = ["--wait", "--timeout", "60s"];
    let holds = |expect: &str| {
        let found = run(with(kubectl, &["get"]).args(chart.shown))?;
        anyhow::ensure!(found == expect, "{name}: {:?} prints {found:?} and not {expect:?}", chart.shown);
        let manifest = kubeconfig.with_file_name("manifest.yaml");
        std::fs::write(&manifest, run(&mut with(helm, &["get", "manifest", name]))?)?;
        // It fails if the server has anything else.
        run(with(kubectl, &["diff", "--server-side", "--force-conflicts"]).arg("-f").arg(&manifest)).map(|_| ())
    };
    let [before, after] = chart.expect;
    run(with(helm, &["install", name, path, "--create-namespace"]).args(wait))?;
    holds(before)?;
    run(with(helm, &["upgrade", name, path, "--set", chart.set]).args(wait))?;
    holds(after)?;
    run(with(helm, &["rollback", name, "1"]).args(wait))?;
    holds(before)?;
    run(with(helm, &["uninstall", name]).args(wait))?;
    let left = run(&mut with(kubectl, &["get", "all,configmaps,secrets", "-o", "name"]))?;
    let left = left.replace("configmap/kube-root-ca.crt\n", "");
    anyhow::ensure!(left.is_empty(), "{name} left behind {left}");
    Ok(())
}

/// A running `lockstep sandbox`.
struct Sandbox {
    child: Child,
    kubeconfig: PathBuf,
}

impl Sandbox {
    fn start(folder: &Path) -> anyhow::Result<Self> {
        let kubeconfig = folder.join("kubeconfig");
        if kubeconfig.exists() {
            std::fs::remove_file(&kubeconfig)?;
        }
        let mut command = Command::new(program("lockstep")?);
        let child = command.args(["sandbox", "--write-kubeconfig"]).arg(&kubeconfig).stdin(Stdio::null()).spawn()?;
        let sandbox = Self { child, kubeconfig };
        let begun = Instant::now();
        while !sandbox.kubeconfig.exists() {
            anyhow::ensure!(begun.elapsed() < Duration::from_secs(60), "the sandbox did not start within a minute");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(sandbox)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            eprintln!("the sandbox cannot be stopped: {error}");
        }
    }
}

/// Runs a program and returns what it printed.
fn run(command: &mut Command) -> anyhow::Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {command:?}"))?;
    let said = || [output.stdout.clone(), output.stderr.clone()].concat();
    anyhow::ensure!(output.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&said()));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
