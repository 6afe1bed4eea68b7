//! Charts deploy on the sandbox until everything in them is healthy.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Charts of `corpus/helm` whose kinds every cluster knows.
const OWN: &[&str] = &["config", "lifecycle", "umbrella", "web"];
/// Well-known charts of the conformance data: webhooks, hooks that are Jobs, definitions, StatefulSets, random passwords.
const LARGE: &[&str] = &["argo-cd", "cert-manager", "external-secrets", "ingress-nginx", "redis"];

/// Runs `lockstep up` on a chart; it ends by itself once every App is healthy.
fn check_deploys(chart: &Path) {
    // What is shown is shown on the sandbox, where Pods run without images.
    if std::env::var_os("LOCKSTEP_TEST_CLUSTER").is_some() {
        return;
    }
    let test = chart.file_name().unwrap().to_str().unwrap();
    let mut up = Command::new(env!("CARGO_BIN_EXE_lockstep"));
    up.arg("up").arg(chart).args(["--worktree", "--exit-when-healthy", "--namespace", test]);
    // A chart that never gets healthy is ended by the time that this command is given.
    let timed =
        Command::new("timeout").arg("60").arg(up.get_program()).args(up.get_args()).stdin(Stdio::null()).output();
    let timed = timed.unwrap();
    assert!(timed.status.success(), "{test}: {}", String::from_utf8_lossy(&timed.stdout));
}

#[test]
fn charts_of_the_corpus_get_healthy() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus/helm");
    OWN.iter().for_each(|name| check_deploys(&corpus.join(name)));
}

#[test]
fn five_large_charts_get_healthy() {
    let Some(folder) = std::env::var_os("LOCKSTEP_CONFORMANCE") else { return };
    let archives = Path::new(&folder).join("helm/charts");
    let unpacked = tempfile::TempDir::new().unwrap();
    for name in LARGE {
        let bytes = std::fs::read(archive(&archives, name)).unwrap();
        tar::Archive::new(flate2::read::GzDecoder::new(&bytes[..])).unpack(unpacked.path()).unwrap();
        check_deploys(&unpacked.path().join(name));
    }
}

/// Finds the archive of a chart in any version.
fn archive(folder: &Path, name: &str) -> PathBuf {
    let is_version = |rest: &str| rest.trim_start_matches('v').starts_with(|first: char| first.is_ascii_digit());
    let archives = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_wanted = |path: &PathBuf| {
        let rest = path.file_name().and_then(|file| file.to_str()?.strip_prefix(name)?.strip_prefix('-'));
        rest.is_some_and(is_version)
    };
    archives
        .into_iter()
        .find(is_wanted)
        .unwrap_or_else(|| panic!("there is no archive of {name} in {}", folder.display()))
}
