//! Git repositories and servers for tests: a repository builder on the `git` program, `git http-backend` behind a
//! small HTTP front (with credentials and TLS on demand), and `sshd` where it is installed.
//!
//! Everything is on loopback, in temporary folders, and with an environment of its own.

mod http;
mod ssh;

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

pub use crate::web::{Auth, HttpOptions};
pub use http::HttpServer;
pub use ssh::SshServer;

/// A repository in a temporary folder.
pub struct Repo {
    folder: PathBuf,
    _temporary: Option<TempDir>,
}

/// Runs `git` in a folder and returns what it prints.
///
/// # Panics
/// When `git` fails.
pub fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = command(folder).args(arguments).output().expect("git is installed");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?} in {}: {words}", folder.display());
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// `git` that knows no user's and no system's configuration, and has a fixed author and time.
fn command(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command.current_dir(folder).env_clear();
    for name in ["PATH", "LD_LIBRARY_PATH"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command.envs([
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_AUTHOR_NAME", "Ada"),
        ("GIT_AUTHOR_EMAIL", "ada@example.com"),
        ("GIT_AUTHOR_DATE", "1700000000 +0000"),
        ("GIT_COMMITTER_NAME", "Ada"),
        ("GIT_COMMITTER_EMAIL", "ada@example.com"),
        ("GIT_COMMITTER_DATE", "1700000000 +0000"),
        ("LC_ALL", "C"),
    ]);
    command.args(["-c", "protocol.file.allow=always", "-c", "gc.auto=0"]);
    command
}

impl Repo {
    /// Makes an empty repository with a working tree in a temporary folder; its branch is `main`.
    pub fn new() -> Self {
        let temporary = tempfile::tempdir().expect("a temporary folder can be made");
        let repo = Self { folder: temporary.path().to_owned(), _temporary: Some(temporary) };
        repo.git(&["init", "--quiet", "--initial-branch=main", "."]);
        repo
    }

    /// Makes an empty repository with a working tree at a path; its branch is `main`.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        let repo = Self { folder: folder.into(), _temporary: None };
        fs::create_dir_all(&repo.folder).expect("the folder can be made");
        repo.git(&["init", "--quiet", "--initial-branch=main", "."]);
        repo
    }

    /// Returns the folder.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Returns the folder as text, which is a URL too.
    pub fn url(&self) -> String {
        self.folder.display().to_string()
    }

    /// Runs `git` in the working tree.
    pub fn git(&self, arguments: &[&str]) -> String {
        git(&self.folder, arguments)
    }

    /// Writes a file of the working tree, and the folders above it.
    pub fn write(&self, path: &str, contents: impl AsRef<[u8]>) -> &Self {
        let file = self.folder.join(path);
        fs::create_dir_all(file.parent().expect("a file has a folder")).expect("the folder can be made");
        fs::write(file, contents).expect("the file can be written");
        self
    }

    /// Makes a file of the working tree executable.
    pub fn make_executable(&self, path: &str) -> &Self {
        fs::set_permissions(self.folder.join(path), fs::Permissions::from_mode(0o755)).expect("the mode can be set");
        self
    }

    /// Makes a symbolic link in the working tree.
    pub fn link(&self, path: &str, target: &str) -> &Self {
        symlink(target, self.folder.join(path)).expect("the link can be made");
        self
    }

    /// Removes a file of the working tree.
    pub fn remove(&self, path: &str) -> &Self {
        fs::remove_file(self.folder.join(path)).expect("the file is there");
        self
    }

    /// Commits the working tree as it is; returns the commit's id.
    pub fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
        self.head()
    }

    /// Writes one file and commits; returns the commit's id.
    pub fn commit_file(&self, path: &str, contents: impl AsRef<[u8]>) -> String {
        self.write(path, contents).commit(&format!("write {path}"))
    }

    /// Returns the id of the commit that `HEAD` means.
    pub fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"])
    }

    /// Makes a bare copy at a path, to which can be pushed.
    pub fn bare_copy(&self, folder: impl AsRef<Path>) -> PathBuf {
        let folder = folder.as_ref().to_owned();
        let text = folder.display().to_string();
        self.git(&["clone", "--quiet", "--bare", ".", &text]);
        git(&folder, &["config", "http.receivepack", "true"]);
        folder
    }

    /// Pushes all branches and tags to a repository, by force.
    pub fn push_all(&self, url: &str) -> &Self {
        self.git(&["push", "--quiet", "--mirror", url]);
        self
    }
}

impl Default for Repo {
    fn default() -> Self {
        Self::new()
    }
}
