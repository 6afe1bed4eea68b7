//! Measures Lockstep: `lockstep-bench NAME …` prints a table and, last, one line of JSON.
//!
//! Ratios count, taken in one run; seconds depend on the machine.
#![expect(clippy::print_stdout, reason = "a command-line tool")]

mod apps;
mod drift;
mod kustomize;
mod memory;
mod mttp;
mod operator;
mod order;
mod process;
mod render_helm;
mod sandbox;
mod simulate;

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser};

/// As the product does.
#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting::new();

/// Measures Lockstep; prints a table and, last, one line of JSON.
#[derive(Debug, Parser)]
enum Bench {
    /// N apps of four objects: install, a commit that changes all, one that changes one; and a bare loop.
    Mttp(Settings),
    /// A managed object is changed 200 times: milliseconds until it is set back.
    Drift(Settings),
    /// Requests and CPU at rest.
    Idle(Settings),
    /// A commit that changes one of N apps in one repository.
    Monorepo(Settings),
    /// Ten waves that are healthy at once, against a bare loop; and a commit that mends an app stuck in a wave.
    Waves(Settings),
    /// Twenty apps that depend on each other: milliseconds from a ready dependency to the next app's first apply.
    Chain(Settings),
    /// A commit that changes all of N apps, with and without one that never becomes healthy.
    NoisyNeighbour(Settings),
    /// Lives through made-up worlds of the engine; prints the story of the first seeds that break a promise.
    Simulate(simulate::Arguments),
    /// Bytes and microseconds an object, against other representations.
    Object,
    /// Kustomizations, against the Go library in process and the Go program.
    RenderKustomize(kustomize::Arguments),
    /// Charts, against Helm's engine in its process and the program `helm template`.
    RenderHelm(render_helm::Arguments),
    /// The same requests to the sandbox and to a kube-apiserver: CPU for each request, memory.
    Sandbox(sandbox::Arguments),
    /// The sandbox that `sandbox` measures.
    #[command(hide = true)]
    SandboxServer,
    /// The operator that the others measure.
    #[command(hide = true)]
    Operator(operator::Arguments),
}

/// What the benches of the whole system have in common.
#[derive(Clone, Debug, Args)]
pub(crate) struct Settings {
    /// How many apps.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    apps: u32,
    /// How long to rest, in seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// The cluster; by default a sandbox in the bench's process.
    #[arg(long)]
    pub(crate) kubeconfig: Option<PathBuf>,
}

impl Settings {
    /// Returns the number of apps.
    pub(crate) fn apps(&self) -> usize {
        self.apps as usize
    }

    /// Returns how long to rest.
    pub(crate) fn rest(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let line = match Bench::parse() {
        Bench::Mttp(settings) => mttp::mttp(&settings).await?,
        Bench::Drift(settings) => drift::drift(&settings).await?,
        Bench::Idle(settings) => drift::idle(&settings).await?,
        Bench::Monorepo(settings) => mttp::monorepo(&settings).await?,
        Bench::Waves(settings) => order::waves(&settings).await?,
        Bench::Chain(settings) => order::chain(&settings).await?,
        Bench::NoisyNeighbour(settings) => order::noisy_neighbour(&settings).await?,
        Bench::Simulate(arguments) => simulate::simulate(&arguments)?,
        Bench::Object => memory::object()?,
        Bench::RenderKustomize(arguments) => kustomize::render_kustomize(&arguments)?,
        Bench::RenderHelm(arguments) => render_helm::render_helm(&arguments)?,
        Bench::Sandbox(arguments) => sandbox::sandbox(&arguments).await?,
        Bench::SandboxServer => return sandbox::serve().await,
        Bench::Operator(arguments) => return operator::serve(arguments).await,
    };
    println!("{line}");
    Ok(())
}
