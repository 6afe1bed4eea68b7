//! The area `apiserver`: how an API server answers HTTP requests.
//!
//! The sandbox is served on loopback and the recordings' own `replay.py` does the requests and the
//! comparing, so that the normalisation is the recordings', not ours. The program stands beside the
//! recordings, above them, or in the folder that `LOCKSTEP_CONFORMANCE` names.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::Context;
use lockstep_sandbox::{Options, Sandbox};

use crate::report::Report;

const TOKEN: &str = "admin-token";
/// The topic that was recorded with controllers and nodes.
const CONTROLLERS: &str = "controllers";

/// Runs every case below `folder`.
pub fn run(folder: &Path, report: &mut Report) -> anyhow::Result<()> {
    let program = find_program(folder)?;
    let bare = Options { bare: true, admin_token: Some(TOKEN.to_owned()), ..Options::default() };
    replay(&program, folder, bare, &["--not-topic", CONTROLLERS, "--jobs", "4"], report)?;
    let nodes = (0..3).map(|number| format!("kwok-{number}")).collect();
    let living = Options {
        controllers: true,
        no_scheduler: true,
        nodes,
        kubelet_delay: Duration::ZERO,
        admin_token: Some(TOKEN.to_owned()),
        ..Options::default()
    };
    replay(&program, folder, living, &["--topic", CONTROLLERS, "--jobs", "4"], report)
}

fn find_program(folder: &Path) -> anyhow::Result<PathBuf> {
    let named = std::env::var_os("LOCKSTEP_CONFORMANCE").map(|root| Path::new(&root).join("apiserver"));
    let places = folder.ancestors().map(Path::to_path_buf).chain(named);
    let mut programs = places.map(|place| place.join("replay.py"));
    programs.find(|program| program.is_file()).context("replay.py is neither beside the recordings nor above them")
}

fn replay(
    program: &Path,
    folder: &Path,
    options: Options,
    selection: &[&str],
    report: &mut Report,
) -> anyhow::Result<()> {
    let sandbox = Sandbox::new(options)?;
    let served = sandbox.serve_in_background(([127, 0, 0, 1], 0).into())?;
    let output = Command::new("python3")
        .arg(program)
        .args(["replay", "--verbose", "--max-diffs", "2", "--token", TOKEN, "--base"])
        .arg(format!("http://{}", served.addr))
        .args(selection)
        .arg(folder)
        .output()
        .context("python3 runs the recordings' program")?;
    let text = String::from_utf8_lossy(&output.stdout);
    anyhow::ensure!(!text.is_empty(), "the program failed: {}", String::from_utf8_lossy(&output.stderr));
    record(&text, report);
    Ok(())
}

/// Reads the program's report: `ok   topic/name`, or `FAIL topic/name (…)` with its differences indented.
fn record(text: &str, report: &mut Report) {
    let mut failed: Option<(String, String)> = None;
    for line in text.lines() {
        let passed = line.strip_prefix("ok   ");
        let refused = line.strip_prefix("FAIL ").and_then(|rest| rest.split(' ').next());
        if (passed.is_some() || refused.is_some())
            && let Some((name, differences)) = failed.take()
        {
            report.record(&name, Err(differences));
        }
        match (passed, refused) {
            (Some(name), _) if report.wants(name) => report.record(name.trim(), Ok(())),
            (_, Some(name)) if report.wants(name) => failed = Some((name.to_owned(), String::new())),
            (None, None) if line.starts_with(' ') => {
                if let Some((_, differences)) = &mut failed {
                    differences.push_str(line);
                    differences.push('\n');
                }
            }
            _ => {}
        }
    }
    if let Some((name, differences)) = failed {
        report.record(&name, Err(differences));
    }
}
