//! Sources against real repositories and servers.
#![allow(clippy::unwrap_used, clippy::panic)]

mod charts;
mod local;
mod push;
mod registry;
mod remote;
mod ssh;
mod worktree;

use std::{path::Path, time::Duration};

use lockstep_sources::{Author, CacheOptions, Git, GitSpec, Reference, Snapshot};

/// A handle with its own cache and short patience.
fn handle(cache: &Path) -> Git {
    let options = CacheOptions {
        connect_timeout: Duration::from_secs(5),
        idle_timeout: Duration::from_secs(60),
        ..CacheOptions::new(cache)
    };
    Git::new(options).unwrap()
}

fn branch(url: impl Into<String>) -> GitSpec {
    GitSpec::new(url, Reference::Branch("main".into()))
}

fn author() -> Author {
    Author { name: "Lock Step".into(), email: "lockstep@example.com".into(), time: 1_700_000_100 }
}

async fn open(git: &Git, spec: &GitSpec) -> Snapshot {
    let revision = git.resolve(spec).await.unwrap();
    git.open(spec, &revision).await.unwrap()
}

fn text(snapshot: &Snapshot, path: &str) -> String {
    snapshot.tree.reader().read_text(path).unwrap()
}

/// Waits for something that must come, and fails when it does not: the time is a limit, not a pause.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("it comes in time")
}

#[test]
fn every_file_of_tests_is_in_the_binary() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/git");
    let main = std::fs::read_to_string(folder.join("main.rs")).unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let name = name.trim_end_matches(".rs");
        assert!(name == "main" || main.contains(&format!("mod {name};")), "{name} is forgotten");
    }
}
