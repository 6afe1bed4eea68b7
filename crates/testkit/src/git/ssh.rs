//! `sshd` on loopback, one process a connection.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
};

use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};

const SSHD: &str = "/usr/sbin/sshd";

/// A running server. It stops when dropped.
pub struct SshServer {
    address: SocketAddr,
    folder: TempDir,
    user: String,
    task: JoinHandle<()>,
}

impl SshServer {
    /// Starts a server on a free port; `None` where `sshd` is not installed. With `protocol_2`, clients may ask for
    /// Git's protocol 2, which stock servers do not let through.
    ///
    /// # Panics
    /// When keys cannot be made or no port can be opened.
    pub async fn start(protocol_2: bool) -> Option<Self> {
        if !Path::new(SSHD).exists() {
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let user = run("id", &["-un"]);
        for name in ["host", "client", "stranger"] {
            let file = folder.path().join(name).display().to_string();
            run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", &file]);
        }
        if user == "root" {
            // Where the server that runs as root goes to be nobody; the system's service makes it when it starts.
            fs::create_dir_all("/run/sshd").expect("root can make it");
        }
        let at = |name: &str| folder.path().join(name).display().to_string();
        let accept = if protocol_2 { "AcceptEnv GIT_PROTOCOL\n" } else { "" };
        let config = format!(
            "HostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n{accept}",
            at("host"),
            at("client.pub")
        );
        fs::write(folder.path().join("config"), config).expect("the file can be written");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let task = tokio::spawn(accept_all(listener, at("config")));
        Some(Self { address, folder, user, task })
    }

    /// Returns the URL of a repository by its absolute path.
    pub fn url(&self, repository: &Path) -> String {
        format!("ssh://{}@127.0.0.1:{}{}", self.user, self.address.port(), repository.display())
    }

    /// Returns the private key that may come in.
    pub fn identity(&self) -> String {
        self.read("client")
    }

    /// Returns a private key that may not.
    pub fn strange_identity(&self) -> String {
        self.read("stranger")
    }

    /// Returns the line for `known_hosts`.
    pub fn known_hosts(&self) -> String {
        format!("[127.0.0.1]:{} {}", self.address.port(), self.read("host.pub"))
    }

    /// Returns a line for `known_hosts` with another key.
    pub fn wrong_known_hosts(&self) -> String {
        format!("[127.0.0.1]:{} {}", self.address.port(), self.read("stranger.pub"))
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).expect("the file was made at the start")
    }
}

impl Drop for SshServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().expect("the program is installed");
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

async fn accept_all(listener: TcpListener, config: String) {
    while let Ok((stream, _)) = listener.accept().await {
        let Ok(stream) = stream.into_std() else { continue };
        let Ok(()) = stream.set_nonblocking(false) else { continue };
        let Ok(copy) = stream.try_clone() else { continue };
        let (input, output): (std::os::fd::OwnedFd, std::os::fd::OwnedFd) = (stream.into(), copy.into());
        let mut command = tokio::process::Command::new(SSHD);
        command.args(["-i", "-f", &config]);
        command.stdin(Stdio::from(input)).stdout(Stdio::from(output)).stderr(Stdio::null());
        if let Ok(mut child) = command.spawn() {
            tokio::spawn(async move { child.wait().await });
        }
    }
}
