//! The simulation of the engine over many seeds.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use serde_json::{Value, json};

/// Stories of more failures than these nobody reads.
const STORIES: usize = 3;

/// Which worlds are lived through.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How many seeds, from 0.
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// Only this seed.
    #[arg(long)]
    seed: Option<u64>,
}

/// Lives through the worlds on all cores.
///
/// # Errors
/// If a promise was broken.
pub(crate) fn simulate(arguments: &Arguments) -> anyhow::Result<Value> {
    let (first, end) = match arguments.seed {
        Some(seed) => (seed, seed.saturating_add(1)),
        None => (0, arguments.seeds),
    };
    let begun = Instant::now();
    let next = AtomicU64::new(first);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let live = || {
        let mut failures = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end {
                return failures;
            }
            failures.extend(lockstep_simulation::simulate(seed).err());
        }
    };
    let mut failures: Vec<_> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(live)).collect();
        running.into_iter().filter_map(|thread| thread.join().ok()).flatten().collect()
    });
    failures.sort_by_key(|failure| failure.seed);
    for failure in failures.iter().take(STORIES) {
        println!("{failure}");
    }
    for failure in failures.iter().skip(STORIES) {
        println!("seed {}: {}", failure.seed, failure.broken);
    }
    let (seeds, seconds) = (end - first, begun.elapsed().as_secs_f64());
    let speed = seeds as f64 / seconds;
    println!("{seeds} seeds, {} of them broke a promise; {speed:.0} a second on {threads} cores", failures.len());
    anyhow::ensure!(failures.is_empty(), "{} seeds broke a promise", failures.len());
    Ok(json!({"bench": "simulate", "seeds": seeds, "failed": 0, "seeds_per_second": speed, "cores": threads}))
}
