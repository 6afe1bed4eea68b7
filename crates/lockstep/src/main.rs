//! The binary of Lockstep.

use std::process::ExitCode;

/// Returns memory to the system, which matters for a process that runs for months.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    lockstep_cli::main()
}
