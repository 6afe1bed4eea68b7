//! The command line of Lockstep: arguments to settings to commands; words and exit codes.
//!
//! Data goes to stdout, words to stderr. Exit codes: 0 done, 1 failed, 2 usage, 3 differences found (`diff`).
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the one crate that speaks to a terminal")]

mod app;
mod arguments;
mod chart;
mod connect;
mod diff;
mod install;
mod render;
mod run;
mod sandbox;
mod sync;
mod table;
mod up;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::arguments::{Arguments, Command};

/// A command's end that is not an error.
pub(crate) enum End {
    /// Done.
    Done,
    /// Differences were found.
    Differences,
}

/// Runs the command line and returns its exit code.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    start_logging(&arguments);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    match runtime.block_on(dispatch(arguments.command)) {
        Ok(End::Done) => ExitCode::SUCCESS,
        Ok(End::Differences) => ExitCode::from(3),
        Err(error) => fail(&error),
    }
}

fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}

async fn dispatch(command: Command) -> anyhow::Result<End> {
    match command {
        Command::Up(arguments) => up::up(arguments).await,
        Command::Run(arguments) => run::run(arguments).await,
        Command::Install(arguments) => install::install(arguments).await,
        Command::Render(arguments) => render::render(&arguments).await,
        Command::Diff(arguments) => diff::diff(arguments).await,
        Command::Sync(arguments) => sync::sync(arguments).await,
        Command::App(arguments) => app::app(arguments).await,
        Command::Sandbox(arguments) => sandbox::sandbox(arguments).await,
        Command::Completion { shell } => {
            clap_complete::generate(shell, &mut Arguments::command(), "lockstep", &mut std::io::stdout());
            Ok(End::Done)
        }
        Command::Version => {
            println!("lockstep {} (Kubernetes 1.36)", env!("CARGO_PKG_VERSION"));
            Ok(End::Done)
        }
    }
}

/// Logs to stderr: JSON lines for `run`, plain lines else; `RUST_LOG` chooses, warnings by default.
fn start_logging(arguments: &Arguments) {
    let fallback = if matches!(arguments.command, Command::Run(_)) { "info" } else { "error" };
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| fallback.into());
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if matches!(arguments.command, Command::Run(_)) { builder.json().init() } else { builder.init() }
}
