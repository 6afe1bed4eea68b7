//! Measures Lockstep: `lockstep-bench NAME …` prints a table and, last, one line of JSON.
//!
//! Ratios count, taken in one run; seconds depend on the machine.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool")]

mod apps;
mod drift;
mod memory;
mod mttp;
mod process;

use std::{path::PathBuf, process::ExitCode, time::Duration};

/// As the product does.
#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting::new();

const USAGE: &str = "usage: lockstep-bench NAME [--apps N] [--seconds S] [--kubeconfig FILE]
  mttp      N apps of four objects: install, a commit that changes all, one that changes one; and a bare loop
  drift     a managed object is changed 200 times: milliseconds until it is set back
  idle      requests and CPU at rest
  monorepo  a commit that changes one of N apps in one repository
  object    bytes and microseconds an object, against other representations";

/// What was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) apps: usize,
    pub(crate) rest: Duration,
    pub(crate) kubeconfig: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let option = |name: &str| {
        let place = arguments.iter().position(|argument| argument == name)?;
        arguments.get(place + 1).cloned()
    };
    let number = |name: &str, default: u64| option(name).and_then(|text| text.parse().ok()).unwrap_or(default);
    let settings = Settings {
        apps: usize::try_from(number("--apps", 100)).unwrap_or(100).max(1),
        rest: Duration::from_secs(number("--seconds", 60)),
        kubeconfig: option("--kubeconfig").map(PathBuf::from),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = match arguments.first().map(String::as_str) {
        Some("mttp") => runtime.block_on(mttp::mttp(&settings)),
        Some("monorepo") => runtime.block_on(mttp::monorepo(&settings)),
        Some("drift") => runtime.block_on(drift::drift(&settings)),
        Some("idle") => runtime.block_on(drift::idle(&settings)),
        Some("object") => memory::object(),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
