//! A plain folder as a source.

use std::path::PathBuf;

use lockstep_files::FileTree;

use crate::{Error, ErrorKind, Result};

/// What of a folder is read.
#[derive(Clone, Debug)]
pub struct WorktreeOptions {
    /// More files are an error.
    pub max_files: usize,
    /// More bytes in all are an error.
    pub max_bytes: u64,
    /// How long the folder must be quiet before a change is told.
    pub quiet: std::time::Duration,
}

impl Default for WorktreeOptions {
    fn default() -> Self {
        Self { max_files: 500_000, max_bytes: 1 << 30, quiet: std::time::Duration::from_millis(20) }
    }
}

/// A folder that is scanned into a tree and watched.
pub struct Worktree {
    folder: PathBuf,
}

impl Worktree {
    /// Scans the folder.
    pub async fn open(folder: impl Into<PathBuf>, _options: WorktreeOptions) -> Result<Self> {
        Ok(Self { folder: folder.into() })
    }

    /// Returns the files as of the last scan.
    pub fn tree(&self) -> FileTree {
        FileTree::from_files::<&str, Vec<u8>>([]).unwrap_or_else(|_| unreachable!())
    }

    /// Waits until the files differ from the last scan and returns them. Cancel safe. An error (a link out of the folder, too large) is told once; the last tree stays.
    pub async fn changed(&mut self) -> Result<FileTree> {
        Err(Error::new(ErrorKind::Unsupported, format!("{}: not there yet", self.folder.display())))
    }
}
