//! Counts what passed and prints what failed.

use std::path::{Path, PathBuf};

use anyhow::Context;

/// The result of a run so far.
pub struct Report {
    filter: Option<String>,
    topics: Option<Vec<String>>,
    /// Cases whose answer was the recorded one.
    pub passed: usize,
    /// Cases whose answer differed.
    pub failed: usize,
}

#[allow(dead_code, reason = "an area built alone uses a part of this")]
impl Report {
    /// Starts a report over the cases whose name contains `filter` and, in areas with topics, of these topics.
    pub fn new(filter: Option<String>, topics: Option<Vec<String>>) -> Self {
        Self { filter, topics, passed: 0, failed: 0 }
    }

    /// Tells whether the cases of this topic are wanted.
    pub fn wants_topic(&self, topic: &str) -> bool {
        self.topics.as_ref().is_none_or(|topics| topics.iter().any(|wanted| wanted == topic))
    }

    /// Tells whether the case of this name is wanted.
    pub fn wants(&self, name: &str) -> bool {
        self.filter.as_deref().is_none_or(|filter| name.contains(filter))
    }

    /// Records one case: `Ok` passed, `Err` says how it differs.
    pub fn record(&mut self, name: &str, outcome: Result<(), String>) {
        match outcome {
            Ok(()) => self.passed += 1,
            Err(difference) => {
                self.failed += 1;
                println!("FAIL {name}: {difference}");
            }
        }
    }
}

/// Lists the files below `folder` with this extension, sorted by path.
#[allow(dead_code, reason = "an area built alone uses a part of this")]
pub fn files(folder: &Path, extension: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        let entries = std::fs::read_dir(&next).with_context(|| format!("cannot list {}", next.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
