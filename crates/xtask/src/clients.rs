//! Clients that nobody here wrote, against `lockstep sandbox`: client-go's informers and Helm.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context;

const HELM: &str = "helm.sh/helm/v4/cmd/helm@v4.3.1";
const CHARTS: [&str; 3] = ["web", "batch", "fleet"];

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
    for chart in CHARTS {
        release(&helm, &sources.join("charts").join(chart), chart, &sandbox.kubeconfig)?;
        println!("helm: {chart} was installed, upgraded, rolled back and uninstalled");
    }
    Ok(())
}

/// Takes a chart through a release's life; its ConfigMap tells which values hold.
fn release(helm: &Path, chart: &Path, name: &str, kubeconfig: &Path) -> anyhow::Result<()> {
    let with = |program: &Path, words: &[&str]| {
        let mut command = Command::new(program);
        command.args(words).args(["--namespace", name]).env("KUBECONFIG", kubeconfig);
        command
    };
    let chart = chart.to_str().context("the folder's name is no text")?;
    let wait = ["--wait", "--timeout", "60s"];
    let color = |expect: &str| {
        let path = ["get", "configmap", name, "-o", "jsonpath={.data.color}"];
        let output = with(Path::new("kubectl"), &path).output().context("cannot run kubectl")?;
        let found = String::from_utf8_lossy(&output.stdout).into_owned();
        anyhow::ensure!(found == expect, "{name}: the color is {found:?} and not {expect:?}");
        Ok(())
    };
    run(with(helm, &["install", name, chart, "--create-namespace"]).args(wait))?;
    color("blue")?;
    run(with(helm, &["upgrade", name, chart, "--set", "color=red"]).args(wait))?;
    color("red")?;
    run(with(helm, &["rollback", name, "1"]).args(wait))?;
    color("blue")?;
    run(with(helm, &["uninstall", name]).args(wait))?;
    let left = with(Path::new("kubectl"), &["get", "all,configmaps", "-o", "name"]).output()?;
    let left = String::from_utf8_lossy(&left.stdout).replace("configmap/kube-root-ca.crt\n", "");
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
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let build = ["build", "--locked", "-q", "-p", "gitops-lockstep"];
        run(Command::new(&cargo).args(build).current_dir(crate::root()))?;
        // Cargo says where it put the program by running it.
        let mut command = Command::new(cargo);
        command.args(["run", "--locked", "-q", "-p", "gitops-lockstep", "--", "sandbox", "--write-kubeconfig"]);
        let child = command.arg(&kubeconfig).current_dir(crate::root()).stdin(Stdio::null()).spawn()?;
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

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {command:?}"))?;
    let said = || [output.stdout.clone(), output.stderr.clone()].concat();
    anyhow::ensure!(output.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&said()));
    Ok(())
}
