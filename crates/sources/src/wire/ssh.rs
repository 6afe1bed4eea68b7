//! The ssh transport: the system's `ssh` program with its own identity and known hosts.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio},
    thread::JoinHandle,
};

use tempfile::NamedTempFile;

use crate::{
    Credentials, Error, ErrorKind, Result,
    wire::{Channel, Service, http::Limits, pkt::FLUSH},
};

/// Whom to call.
pub(crate) struct Target<'a> {
    pub user: Option<&'a str>,
    pub host: &'a str,
    pub port: Option<u16>,
    pub path: &'a str,
}

/// A running `ssh`.
pub(crate) struct SshChannel {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    /// Collects what `ssh` says when it fails.
    words: Option<JoinHandle<String>>,
    /// Removed when the conversation is over.
    _files: Vec<NamedTempFile>,
}

impl SshChannel {
    pub(crate) fn spawn(
        target: &Target<'_>,
        credentials: &Credentials,
        service: Service,
        limits: Limits,
    ) -> Result<Self> {
        let mut files = Vec::new();
        let mut command = Command::new("ssh");
        let seconds = limits.connect.as_secs().max(1);
        let alive = (limits.idle.as_secs() / 4).max(1);
        let mut options = vec![
            "BatchMode=yes".to_owned(),
            "StrictHostKeyChecking=yes".to_owned(),
            format!("ConnectTimeout={seconds}"),
            format!("ServerAliveInterval={alive}"),
            "ServerAliveCountMax=4".to_owned(),
            "SendEnv=GIT_PROTOCOL".to_owned(),
            "LogLevel=ERROR".to_owned(),
        ];
        if let Some(key) = &credentials.identity {
            let file = private_file(&format!("{}\n", key.trim_end()))?;
            options.push(format!("IdentityFile={}", file.path().display()));
            options.push("IdentitiesOnly=yes".to_owned());
            options.push("IdentityAgent=none".to_owned());
            files.push(file);
        }
        if let Some(hosts) = &credentials.known_hosts {
            let file = private_file(&format!("{}\n", hosts.trim_end()))?;
            options.push(format!("UserKnownHostsFile={}", file.path().display()));
            options.push("GlobalKnownHostsFile=/dev/null".to_owned());
            files.push(file);
        }
        command.args(options.iter().flat_map(|option| ["-o", option]));
        command.args(target.port.iter().flat_map(|port| ["-p".to_owned(), port.to_string()]));
        command.args(target.user.iter().flat_map(|user| ["-l", user]));
        command.args(["--", target.host, &format!("{} {}", service.name(), quote(target.path))]);
        command.env("LC_ALL", "C").env_remove("GIT_PROTOCOL");
        if service == Service::UploadPack {
            command.env("GIT_PROTOCOL", "version=2");
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::new(ErrorKind::MissingProgram, "the `ssh` program is not installed")
                .hint("install openssh-client, or use https"),
            _ => Error::storage("`ssh` could not be started", error),
        })?;
        let missing = || Error::storage("`ssh` could not be started", "it has no pipes");
        let stdin = child.stdin.take().ok_or_else(missing)?;
        let stdout = child.stdout.take().ok_or_else(missing)?;
        let stderr = child.stderr.take().ok_or_else(missing)?;
        let words = std::thread::spawn(move || collect(stderr));
        Ok(Self { child, stdin: Some(stdin), stdout, words: Some(words), _files: files })
    }
}

/// A file that only we may read (the default mode of temporary files is 0600).
fn private_file(text: &str) -> Result<NamedTempFile> {
    let write = || -> std::io::Result<NamedTempFile> {
        let mut file = NamedTempFile::new()?;
        file.write_all(text.as_bytes())?;
        file.flush()?;
        Ok(file)
    };
    write().map_err(|error| Error::storage("the ssh key could not be written to a temporary file", error))
}

fn quote(path: &str) -> String {
    // `~user` must stay outside the quotes, the far shell expands it.
    let (home, path) = match path.strip_prefix('~') {
        Some(_) => path.split_at(path.find('/').unwrap_or(path.len())),
        None => ("", path),
    };
    let plain = home.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"~._-".contains(&byte));
    let (home, path) = if plain { (home, path.to_owned()) } else { ("", format!("{home}{path}")) };
    format!("{home}'{}'", path.replace('\'', r"'\''"))
}

fn collect(stderr: ChildStderr) -> String {
    let lines = BufReader::new(stderr).lines().map_while(std::result::Result::ok).take(50);
    lines
        .map(|line| line.chars().take(500).collect::<String>())
        .filter(|line| !line.trim().is_empty())
        .collect::<Vec<_>>()
        .join("; ")
}

impl Channel for SshChannel {
    fn greet(&mut self) -> Result<Box<dyn Read + '_>> {
        Ok(Box::new(&mut self.stdout))
    }

    fn ask(&mut self, request: Vec<u8>) -> Result<Box<dyn Read + '_>> {
        let broken = |error| Error::new(ErrorKind::Unreachable, format!("the connection broke: {error}"));
        if let Some(stdin) = &mut self.stdin {
            stdin.write_all(&request).and_then(|()| stdin.flush()).map_err(broken)?;
        }
        Ok(Box::new(&mut self.stdout))
    }

    fn close(&mut self) {
        // A server that waits for more is told that there is none; one that has gone already does not mind.
        if let Some(mut stdin) = self.stdin.take()
            && let Err(error) = stdin.write_all(FLUSH)
        {
            tracing::trace!(%error, "ssh had closed already");
        }
    }

    fn explain(&mut self, error: Error) -> Error {
        self.stdin = None;
        if !matches!(error.kind(), ErrorKind::Unreachable | ErrorKind::Protocol) {
            return error;
        }
        // After the end of its output it ends by itself, and its last words come before that.
        match error.kind() {
            ErrorKind::Unreachable => drop(self.child.wait()),
            _ => kill(&mut self.child),
        }
        let words = self.words.take().and_then(|words| words.join().ok()).unwrap_or_default();
        if words.is_empty() { error } else { reason(&words) }
    }
}

fn kill(child: &mut Child) {
    // The process may be gone already; then there is nothing to end, only to collect.
    if let Err(error) = child.kill().and_then(|()| child.wait().map(drop)) {
        tracing::debug!(%error, "ssh could not be ended");
    }
}

impl Drop for SshChannel {
    fn drop(&mut self) {
        kill(&mut self.child);
    }
}

/// Reads what OpenSSH and the usual Git hosts print.
fn reason(words: &str) -> Error {
    let says = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
    if says(&["Host key verification failed", "host key is known for", "REMOTE HOST IDENTIFICATION HAS CHANGED"]) {
        return Error::new(ErrorKind::UnknownHostKey, "the server's host key is not among the known ones")
            .hint("add the line that `ssh-keyscan HOST` prints to known_hosts, after comparing it with what the host publishes");
    }
    if says(&["invalid format", "error in libcrypto", "incorrect passphrase", "Load key"]) {
        return Error::new(ErrorKind::Unauthenticated, "the ssh key cannot be read")
            .hint("it must be in OpenSSH or PEM form, without a passphrase");
    }
    if says(&["Permission denied", "Too many authentication failures", "no mutual signature"]) {
        return Error::new(ErrorKind::Unauthenticated, "the server does not accept the ssh key (publickey)")
            .hint("is the public key added to the repository or user on the server?");
    }
    if says(&["timed out"]) {
        return Error::new(ErrorKind::Timeout, "the host did not answer in time");
    }
    if says(&["not appear to be a git repository", "not found", "does not exist", "No such file"]) {
        return Error::new(ErrorKind::NotARepository, "there is no repository")
            .hint("check the path; some hosts say this, too, when the key may not see it");
    }
    if says(&[
        "Could not resolve hostname",
        "Connection refused",
        "No route to host",
        "Network is unreachable",
        "Connection closed",
        "Connection reset",
    ]) {
        return Error::new(ErrorKind::Unreachable, format!("the host cannot be reached: {words}"));
    }
    Error::new(ErrorKind::Server, format!("ssh failed: {words}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_for_the_far_shell() {
        assert_eq!(quote("/srv/a b.git"), "'/srv/a b.git'");
        assert_eq!(quote("/it's"), r"'/it'\''s'");
        assert_eq!(quote("~me/a.git"), "~me'/a.git'");
        assert_eq!(quote("~$(x)/a"), "'~$(x)/a'");
    }
}
