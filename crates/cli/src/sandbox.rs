//! `lockstep sandbox`: only the API server.

use std::{net::SocketAddr, path::Path, time::Duration};

use anyhow::Context;
use lockstep_sandbox::{Options, Sandbox};

use crate::{End, arguments};

pub(crate) async fn sandbox(arguments: arguments::Sandbox) -> anyhow::Result<End> {
    let sandbox = Sandbox::new(Options {
        controllers: !arguments.bare,
        bare: arguments.bare,
        kubelet_delay: Duration::from_millis(arguments.fake_kubelet_delay),
        data: data_file(arguments.data.as_deref())?,
        snapshot: arguments.snapshot.as_deref().map(read_snapshot).transpose()?.flatten(),
        admin_token: arguments.token,
        ..Options::default()
    })?;
    let served = sandbox.serve(SocketAddr::from(([127, 0, 0, 1], arguments.port))).await?;
    if let Some(file) = &arguments.write_kubeconfig {
        write_kubeconfig(file, &sandbox.kubeconfig(served.addr))?;
    }
    eprintln!("lockstep {} · sandbox Kubernetes 1.36 on {}", env!("CARGO_PKG_VERSION"), served.addr);
    eprintln!("it simulates workloads and is not for production; stop it with Ctrl-C");
    if arguments.write_kubeconfig.is_none() {
        print!("{}", sandbox.kubeconfig(served.addr));
    }
    wait_for_signal().await?;
    if let Some(file) = &arguments.snapshot {
        write_private(file, &sandbox.snapshot())?;
    }
    Ok(End::Done)
}

/// Reads a snapshot; a file that is not there yet is none.
fn read_snapshot(file: &Path) -> anyhow::Result<Option<String>> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
    }
}

/// Returns the file of the data in a folder, which is made.
pub(crate) fn data_file(folder: Option<&Path>) -> anyhow::Result<Option<std::path::PathBuf>> {
    let Some(folder) = folder else { return Ok(None) };
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(Some(folder.join("sandbox.redb")))
}

/// Writes a kubeconfig: it holds a token.
pub(crate) fn write_kubeconfig(file: &Path, text: &str) -> anyhow::Result<()> {
    write_private(file, text)
}

/// Writes a file at once, whole or not at all, readable by its owner only.
fn write_private(file: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    let folder = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut written =
        tempfile::NamedTempFile::new_in(folder).with_context(|| format!("cannot write into {}", folder.display()))?;
    written.write_all(text.as_bytes())?;
    written.persist(file).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(())
}

/// Waits for Ctrl-C or a request to end.
pub(crate) async fn wait_for_signal() -> anyhow::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result?,
        _ = terminate.recv() => {}
    }
    Ok(())
}
