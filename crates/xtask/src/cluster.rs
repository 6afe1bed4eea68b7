//! A real kube-apiserver with etcd and the controller manager on loopback, built by Go as declared in `tests/cluster`.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context;

use crate::cargo::cargo;

/// The token of the administrator; it opens nothing but a server on loopback.
const TOKEN: &str = "loopback-admin";
const PROGRAMS: [(&str, &str); 3] = [
    ("etcd", "go.etcd.io/etcd/server/v3"),
    ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
    ("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"),
];

/// Whether the controller manager runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Controllers {
    /// It does.
    On,
    /// Only etcd and the API server run.
    Off,
}

fn folder() -> PathBuf {
    crate::root().join("target/cluster")
}

/// Builds the programs unless they are there, starts them and prints the kubeconfig's path.
pub(crate) fn up(controllers: Controllers) -> anyhow::Result<()> {
    let kubeconfig = start(controllers)?;
    println!("{}", kubeconfig.display());
    Ok(())
}

/// Starts the cluster to ask it for facts.
pub(crate) fn up_for_facts() -> anyhow::Result<crate::facts::Server> {
    let kubeconfig = fs::read_to_string(start(Controllers::On)?)?;
    let url = kubeconfig.split('"').nth(1).context("the kubeconfig names no server")?;
    Ok(crate::facts::Server { url: url.to_owned(), token: TOKEN.to_owned() })
}

/// Stops what `up` started.
pub(crate) fn down() -> anyhow::Result<()> {
    let pids = folder().join("pids");
    let Ok(text) = fs::read_to_string(&pids) else { return Ok(()) };
    for pid in text.split_whitespace().rev() {
        // One that ended already is what is wanted. None may tidy up: `up` makes the same folder anew at once, and an
        // etcd that is still closing would remove the new one's files.
        Command::new("kill").args(["-KILL", pid]).stderr(Stdio::null()).status().context("cannot run kill")?;
    }
    fs::remove_file(&pids)?;
    Ok(())
}

/// Runs the black-box suite on a cluster of its own.
pub(crate) fn test() -> anyhow::Result<()> {
    let kubeconfig = start(Controllers::On)?;
    let status = cargo("test").args(["--test", "blackbox"]).env("LOCKSTEP_TEST_CLUSTER", &kubeconfig).status();
    down()?;
    anyhow::ensure!(status?.success(), "the black-box suite fails on the real API server");
    Ok(())
}

fn start(controllers: Controllers) -> anyhow::Result<PathBuf> {
    down()?;
    let folder = folder();
    let programs = build(&folder)?;
    let data = folder.join("data");
    if data.exists() {
        fs::remove_dir_all(&data)?;
    }
    fs::create_dir_all(&data)?;
    let key = data.join("service-account.key");
    run(Command::new("openssl").args(["genrsa", "-out"]).arg(&key).arg("2048"))?;
    let tokens = data.join("tokens.csv");
    fs::write(&tokens, format!("{TOKEN},admin,admin,system:masters\n"))?;
    let [etcd_port, peer_port, api_port, manager_port] = free_ports()?;
    let mut pids = Pids { file: folder.join("pids"), text: String::new() };
    let etcd = format!("http://127.0.0.1:{etcd_port}");
    let mut command = Command::new(programs.join("etcd"));
    command.arg("--data-dir").arg(data.join("etcd")).args([
        format!("--listen-client-urls={etcd}"),
        format!("--advertise-client-urls={etcd}"),
        format!("--listen-peer-urls=http://127.0.0.1:{peer_port}"),
        // A throw-away cluster: what matters is what the API server does, not what the disk does.
        "--unsafe-no-fsync".to_owned(),
        "--log-level=warn".to_owned(),
    ]);
    pids.start(command, &data.join("etcd.log"))?;
    let server = format!("https://127.0.0.1:{api_port}");
    pids.start(api_server(&programs, &data, &key, &tokens, &etcd, api_port), &data.join("kube-apiserver.log"))?;
    let kubeconfig = folder.join("kubeconfig");
    fs::write(&kubeconfig, kubeconfig_text(&server))?;
    wait_until_ready(&kubeconfig).with_context(|| format!("see {}", data.join("kube-apiserver.log").display()))?;
    if controllers == Controllers::On {
        let command = controller_manager(&programs, &kubeconfig, &key, manager_port);
        pids.start(command, &data.join("kube-controller-manager.log"))?;
    }
    Ok(kubeconfig)
}

fn build(folder: &Path) -> anyhow::Result<PathBuf> {
    let programs = folder.join("bin");
    fs::create_dir_all(&programs)?;
    for (name, package) in PROGRAMS {
        let program = programs.join(name);
        if program.exists() {
            continue;
        }
        eprintln!("building {name} (some minutes the first time)");
        run(Command::new("go")
            .arg("build")
            .arg("-o")
            .arg(&program)
            .arg(package)
            .current_dir(crate::root().join("tests/cluster")))?;
    }
    Ok(programs)
}

fn api_server(programs: &Path, data: &Path, key: &Path, tokens: &Path, etcd: &str, port: u16) -> Command {
    let mut command = Command::new(programs.join("kube-apiserver"));
    command.arg("--cert-dir").arg(data.join("certificates")).arg("--token-auth-file").arg(tokens);
    command.arg("--service-account-key-file").arg(key).arg("--service-account-signing-key-file").arg(key).args([
        format!("--etcd-servers={etcd}"),
        format!("--secure-port={port}"),
        "--bind-address=127.0.0.1".to_owned(),
        "--authorization-mode=RBAC".to_owned(),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
        "--service-node-port-range=30000-32767".to_owned(),
        // Pods never run here, so their accounts need no tokens.
        "--disable-admission-plugins=ServiceAccount".to_owned(),
    ]);
    command
}

fn controller_manager(programs: &Path, kubeconfig: &Path, key: &Path, port: u16) -> Command {
    let mut command = Command::new(programs.join("kube-controller-manager"));
    command.arg("--kubeconfig").arg(kubeconfig).arg("--service-account-private-key-file").arg(key).args([
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={port}"),
        "--leader-elect=false".to_owned(),
        "--use-service-account-credentials=false".to_owned(),
        "--kube-api-qps=1000".to_owned(),
        "--kube-api-burst=2000".to_owned(),
        "--concurrent-deployment-syncs=20".to_owned(),
    ]);
    command
}

fn kubeconfig_text(server: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: test\nclusters:\n- name: test\n  cluster: {{server: \"{server}\", insecure-skip-tls-verify: true}}\n\
         users:\n- name: admin\n  user: {{token: {TOKEN}}}\ncontexts:\n- name: test\n  context: {{cluster: test, user: admin}}\n"
    )
}

fn wait_until_ready(kubeconfig: &Path) -> anyhow::Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(120) {
        let output =
            Command::new("kubectl").arg("--kubeconfig").arg(kubeconfig).args(["get", "--raw", "/readyz"]).output();
        if output.context("cannot run kubectl")?.status.success() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(300));
    }
    anyhow::bail!("the API server is not ready after two minutes")
}

/// What was started, written down at once so that `down` finds it.
struct Pids {
    file: PathBuf,
    text: String,
}

impl Pids {
    fn start(&mut self, mut command: Command, log: &Path) -> anyhow::Result<Child> {
        let log = fs::File::create(log)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        self.text.push_str(&format!("{}\n", child.id()));
        fs::write(&self.file, &self.text)?;
        Ok(child)
    }
}

fn free_ports() -> anyhow::Result<[u16; 4]> {
    let listeners: Vec<TcpListener> =
        (0..4).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>().context("no free port")?;
    let mut ports = [0; 4];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        *port = listener.local_addr()?.port();
    }
    Ok(ports)
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.stdout(Stdio::null()).stderr(Stdio::piped()).output();
    let output = status.with_context(|| format!("cannot run {command:?}"))?;
    anyhow::ensure!(output.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
