//! The server on a port.

use std::net::SocketAddr;

use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, sync::watch};

use crate::sandbox::Sandbox;

/// Whether the port speaks TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// Plain HTTP.
    #[default]
    Off,
}

/// A server that listens. Dropping it stops it.
pub struct Served {
    /// The address that it listens on.
    pub addr: SocketAddr,
    stop: watch::Sender<bool>,
}

impl Served {
    /// Stops listening and ends the connections.
    pub fn shutdown(&self) {
        self.stop.send_replace(true);
    }
}

impl Sandbox {
    /// Listens on an address; port 0 chooses a free one. HTTP/1.1 and HTTP/2 are both spoken.
    ///
    /// # Errors
    /// If the address cannot be listened on.
    pub async fn serve(&self, addr: SocketAddr) -> std::io::Result<Served> {
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(accept(self.clone(), listener, stopped));
        Ok(Served { addr, stop })
    }

    /// Returns a kubeconfig for this server at `addr`, with the admin's token.
    pub fn kubeconfig(&self, addr: SocketAddr) -> String {
        let token = self.admin_token();
        format!(
            "apiVersion: v1\nkind: Config\nclusters:\n- name: sandbox\n  cluster:\n    server: http://{addr}\ncontexts:\n- name: sandbox\n  context:\n    cluster: sandbox\n    user: admin\ncurrent-context: sandbox\nusers:\n- name: admin\n  user:\n    token: {token}\n"
        )
    }
}

async fn accept(sandbox: Sandbox, listener: TcpListener, mut stopped: watch::Receiver<bool>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.wait_for(|stop| *stop) => return,
        };
        let Ok((stream, _)) = accepted else {
            // Too many open files, most likely: give others time to close theirs.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        if stream.set_nodelay(true).is_err() {
            continue;
        }
        let service = TowerToHyperService::new(sandbox.service_as(None));
        let mut stopped = stopped.clone();
        tokio::spawn(async move {
            let builder = Builder::new(TokioExecutor::new());
            let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
            tokio::pin!(connection);
            let result = tokio::select! {
                result = connection.as_mut() => result,
                _ = stopped.wait_for(|stop| *stop) => return,
            };
            if let Err(error) = result {
                tracing::debug!(error, "a connection ended");
            }
        });
    }
}
