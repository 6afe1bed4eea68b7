//! The sandbox against kube-apiserver and etcd: one client, the same requests, the CPU and memory of the servers' processes.
//!
//! No controllers run on either side, so that a request is all that a server has to do. The sandbox is a process of its
//! own: the bench starts itself as `lockstep-bench sandbox-server`.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Instant,
};

use anyhow::Context;
use clap::Args;
use http::Request;
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use lockstep_sandbox::{Options, Sandbox};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdin},
    task::JoinSet,
};
use tokio_stream::StreamExt;

use crate::process;

/// How many requests are in flight.
const CONNECTIONS: usize = 32;
const WATCHERS: usize = 100;
const CHANGES: usize = 100;
const LISTS: usize = 5;
const PATH: &str = "/apis/apps/v1/namespaces/default/deployments";

/// What the bench is told.
#[derive(Clone, Debug, Args)]
pub(crate) struct Arguments {
    /// How many Deployments.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    objects: u32,
    /// A kube-apiserver to compare with, without controllers; `pids` beside the file names its processes, as `cargo
    /// xtask cluster up --bare` writes it.
    #[arg(long)]
    kubeconfig: Option<PathBuf>,
}

/// Measures the sandbox and, if there is one, the other server; prints a table and returns all as JSON.
pub(crate) async fn sandbox(arguments: &Arguments) -> anyhow::Result<Value> {
    let objects = arguments.objects as usize;
    let mut own = OwnServer::start().await?;
    let ours = measure(&own.server, objects).await?;
    own.stop().await?;
    let theirs = match &arguments.kubeconfig {
        Some(file) => Some(measure(&other(file).await?, objects).await?),
        None => None,
    };
    print(&ours, theirs.as_deref());
    let json =
        |steps: &[Step]| Value::Object(steps.iter().map(|step| (step.what.replace(' ', "_"), step.json())).collect());
    Ok(
        json!({ "bench": "sandbox", "objects": objects, "sandbox": json(&ours), "real": theirs.map(|steps| json(&steps)) }),
    )
}

/// A server whose processes are known.
struct Server {
    client: Client,
    pids: Vec<u32>,
}

impl Server {
    async fn connect(kubeconfig: Kubeconfig, pids: Vec<u32>) -> anyhow::Result<Self> {
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        Ok(Self { client: Client::try_from(config)?, pids })
    }

    fn cpu_seconds(&self) -> f64 {
        self.pids.iter().map(|pid| process::cpu_seconds_of(*pid)).sum()
    }

    fn resident_mib(&self) -> f64 {
        self.pids.iter().map(|pid| process::resident_mib_of(*pid)).sum()
    }
}

/// The server that `cargo xtask cluster up --bare` started.
async fn other(kubeconfig: &Path) -> anyhow::Result<Server> {
    let file = kubeconfig.with_file_name("pids");
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let pids = text.split_whitespace().map(str::parse).collect::<Result<Vec<_>, _>>()?;
    let names = pids.iter().map(|pid| process::name_of(*pid));
    anyhow::ensure!(names.eq(["etcd", "kube-apiserver"]), "{} does not name etcd and kube-apiserver", file.display());
    Server::connect(Kubeconfig::read_from(kubeconfig)?, pids).await
}

/// A sandbox in a process of its own.
struct OwnServer {
    server: Server,
    child: Child,
    /// Its end is the sandbox's.
    input: Option<ChildStdin>,
}

impl OwnServer {
    async fn start() -> anyhow::Result<Self> {
        let mut child = tokio::process::Command::new(std::env::current_exe()?)
            .arg("sandbox-server")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the sandbox")?;
        let output = child.stdout.take().context("the sandbox has no standard output")?;
        let line = BufReader::new(output).lines().next_line().await?.context("the sandbox ended")?;
        let kubeconfig = Kubeconfig::from_yaml(&serde_json::from_str::<String>(&line)?)?;
        let pids = child.id().into_iter().collect();
        Ok(Self { server: Server::connect(kubeconfig, pids).await?, input: child.stdin.take(), child })
    }

    async fn stop(&mut self) -> anyhow::Result<()> {
        drop(self.input.take());
        let status = self.child.wait().await?;
        anyhow::ensure!(status.success(), "the sandbox ended with {status}");
        Ok(())
    }
}

/// Is the sandbox's process: prints the kubeconfig as a JSON text and serves until standard input ends.
pub(crate) async fn serve() -> anyhow::Result<()> {
    // The product's allocator counts nothing; two threads that count would wait for each other.
    crate::memory::count(false);
    let sandbox = Sandbox::new(Options { controllers: false, ..Options::default() })?;
    let served = sandbox.serve(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    println!("{}", serde_json::to_string(&sandbox.kubeconfig(served.addr))?);
    tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink())).await??;
    Ok(())
}

/// What one part of the bench took.
struct Step {
    what: &'static str,
    seconds: f64,
    /// Milliseconds of the servers' CPU for each request.
    cpu: f64,
    /// Resident memory afterwards, in MiB.
    memory: f64,
}

impl Step {
    /// Runs a part that makes `count` requests.
    async fn run(
        server: &Server,
        what: &'static str,
        count: usize,
        work: impl Future<Output = anyhow::Result<()>>,
    ) -> anyhow::Result<Self> {
        let (begun, before) = (Instant::now(), server.cpu_seconds());
        work.await.context(what)?;
        let cpu = (server.cpu_seconds() - before) * 1000.0 / count as f64;
        Ok(Self { what, seconds: begun.elapsed().as_secs_f64(), cpu, memory: server.resident_mib() })
    }

    fn json(&self) -> Value {
        json!({ "seconds": self.seconds, "cpu_ms": self.cpu, "mib": self.memory })
    }
}

async fn measure(server: &Server, objects: usize) -> anyhow::Result<Vec<Step>> {
    let apply = |number: usize| {
        let request = Request::patch(format!("{PATH}/d{number}?fieldManager=bench&force=true"));
        request.header("content-type", "application/apply-patch+yaml").body(deployment(number).to_string().into_bytes())
    };
    let get = |number: usize| Request::get(format!("{PATH}/d{number}")).body(Vec::new());
    let list = |_| Request::get(PATH).body(Vec::new());
    Ok(vec![
        Step::run(server, "first apply", objects, spread(server, objects, apply)).await?,
        Step::run(server, "apply without effect", objects, spread(server, objects, apply)).await?,
        Step::run(server, "get", objects, spread(server, objects, get)).await?,
        Step::run(server, "list of all", LISTS, spread(server, LISTS, list)).await?,
        Step::run(server, "change seen by 100", CHANGES, fan_out(server)).await?,
    ])
}

fn print(ours: &[Step], theirs: Option<&[Step]>) {
    println!(
        "{:<22} {:>8} {:>8}  {:>9} {:>9} {:>7}  {:>8} {:>8} {:>7}",
        "", "s", "real", "CPU ms", "real", "ratio", "MiB", "real", "ratio"
    );
    for (place, step) in ours.iter().enumerate() {
        let Step { what, seconds, cpu, memory } = step;
        match theirs.and_then(|steps| steps.get(place)) {
            Some(real) => println!(
                "{what:<22} {seconds:>8.2} {:>8.2}  {cpu:>9.3} {:>9.3} {:>7.1}  {memory:>8.0} {:>8.0} {:>7.1}",
                real.seconds,
                real.cpu,
                real.cpu / cpu,
                real.memory,
                real.memory / memory
            ),
            None => println!("{what:<22} {seconds:>8.2} {:>8}  {cpu:>9.3} {:>9} {:>7}  {memory:>8.0}", "", "", ""),
        }
    }
}

/// Sends requests `0..count`, so many at once.
async fn spread(
    server: &Server,
    count: usize,
    make: impl Fn(usize) -> http::Result<Request<Vec<u8>>>,
) -> anyhow::Result<()> {
    let mut running = JoinSet::new();
    for number in 0..count {
        if running.len() >= CONNECTIONS
            && let Some(done) = running.join_next().await
        {
            done??;
        }
        let (client, request) = (server.client.clone(), make(number)?);
        running.spawn(async move { client.request_text(request).await.map(|_| ()) });
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    Ok(())
}

/// Changes one object again and again, and waits until every watcher has seen each change.
async fn fan_out(server: &Server) -> anyhow::Result<()> {
    // The version of the list, for that of the object may be too old to watch from.
    let list = server.client.request::<Value>(Request::get(format!("{PATH}?limit=1")).body(Vec::new())?).await?;
    let version = list["metadata"]["resourceVersion"].as_str().unwrap_or_default();
    let mut watchers = JoinSet::new();
    for _ in 0..WATCHERS {
        let query = format!("watch=1&fieldSelector=metadata.name%3Dd0&resourceVersion={version}");
        let request = Request::get(format!("{PATH}?{query}")).body(Vec::new())?;
        let client = server.client.clone();
        watchers.spawn(async move {
            let events = client.request_events::<Value>(request).await?;
            let mut events = std::pin::pin!(events);
            for _ in 0..CHANGES {
                events.next().await.context("a watch ended early")??;
            }
            anyhow::Ok(())
        });
    }
    for number in 0..CHANGES {
        let patch = json!({ "metadata": { "labels": { "number": number.to_string() } } });
        let request = Request::patch(format!("{PATH}/d0")).header("content-type", "application/merge-patch+json");
        server.client.request_text(request.body(patch.to_string().into_bytes())?).await?;
    }
    while let Some(done) = watchers.join_next().await {
        done??;
    }
    Ok(())
}

/// A Deployment without replicas: no server has to do more than keep it.
fn deployment(number: usize) -> Value {
    let (name, labels) = (format!("d{number}"), json!({ "app": "bench" }));
    let container = json!({
        "name": "main", "image": "registry.test/main:1",
        "env": [{ "name": "A", "value": "1" }, { "name": "B", "value": "2" }],
        "ports": [{ "containerPort": 8080, "name": "http" }],
        "resources": { "requests": { "cpu": "100m", "memory": "128Mi" } },
    });
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": name, "labels": labels },
        "spec": {
            "replicas": 0, "selector": { "matchLabels": labels },
            "template": { "metadata": { "labels": labels }, "spec": { "containers": [container] } },
        },
    })
}
