//! kubectl against `lockstep sandbox`, as people type it.
//!
//! The commands are data (`kubectl/commands.txt`): a line `$ command` is run by a shell in which `kubectl` reaches the
//! sandbox, `$! command` has to fail. The lines below it have to be in the output, in their order; `*` stands for
//! anything. Lines that begin with `#` are comments.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::harness::wait_for_file;

const COMMANDS: &str = include_str!("kubectl/commands.txt");

struct Sandbox {
    child: Child,
    folder: TempDir,
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.child.kill().expect("the sandbox is a child of ours");
        self.child.wait().expect("the sandbox is a child of ours");
    }
}

async fn sandbox() -> Sandbox {
    let folder = TempDir::new().unwrap();
    let (kubeconfig, log) = (folder.path().join("kubeconfig"), folder.path().join("log"));
    let output = std::fs::File::create(&log).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockstep"));
    command.args(["sandbox", "--fake-kubelet-delay", "50", "--write-kubeconfig"]).arg(&kubeconfig);
    let child = command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output).spawn().unwrap();
    let sandbox = Sandbox { child, folder };
    wait_for_file(&kubeconfig, &log).await;
    sandbox
}

fn run(folder: &Path, command: &str) -> (bool, String) {
    let output = Command::new("sh")
        .args(["-c", &format!("{command} 2>&1")])
        .current_dir(folder)
        .env("KUBECONFIG", folder.join("kubeconfig"))
        .env("HOME", folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Tells whether a line fits a pattern with `*`; how wide a column is after one depends on what stands there.
fn fits(line: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else { return false };
    let mut last = None;
    for part in parts {
        let part = if part.starts_with("  ") { &part[part.len() - part.trim_start().len() - 1..] } else { part };
        let Some(place) = rest.find(part) else { return false };
        rest = &rest[place + part.len()..];
        last = Some(part);
    }
    // The last part has to stand at the end, if there is one.
    match last {
        None => rest.is_empty(),
        Some(part) => part.is_empty() || line.ends_with(part),
    }
}

fn check(folder: &Path, command: &str, fails: bool, expect: &[&str]) {
    let (succeeded, output) = run(folder, command);
    assert_eq!(succeeded, !fails, "$ {command}\n{output}");
    let mut lines = output.lines().map(str::trim_end);
    for pattern in expect {
        assert!(lines.any(|line| fits(line, pattern)), "$ {command}\nhas no line {pattern:?} there:\n{output}");
    }
}

#[test]
fn patterns_fit_whole_lines() {
    for (line, pattern, expect) in [
        ("a b c", "a*c", true),
        ("a b c", "a*b", false),
        ("abc", "abc", true),
        ("abcd", "abc", false),
        ("xay", "*a*", true),
        ("a 10s b", "a *    b", true),
    ] {
        assert_eq!(fits(line, pattern), expect, "{line} {pattern}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_works_as_people_use_it() {
    let there = Command::new("kubectl").arg("version").arg("--client").stdout(Stdio::null()).status();
    if !there.is_ok_and(|status| status.success()) {
        eprintln!("skipped: there is no kubectl on the PATH");
        return;
    }
    let sandbox = sandbox().await;
    let mut blocks: Vec<(&str, bool, Vec<&str>)> = Vec::new();
    for line in COMMANDS.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        if let Some(command) = line.strip_prefix("$! ") {
            blocks.push((command, true, Vec::new()));
        } else if let Some(command) = line.strip_prefix("$ ") {
            blocks.push((command, false, Vec::new()));
        } else {
            blocks.last_mut().expect("the file begins with a command").2.push(line);
        }
    }
    for (command, fails, expect) in blocks {
        check(sandbox.folder.path(), command, fails, &expect);
    }
}
