//! The server on a port.

use std::{net::SocketAddr, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_rustls::TlsAcceptor;

use crate::{access::User, sandbox::Sandbox};

/// How long a client may take to say its first word; loopback clients need milliseconds.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How many bytes are kept for a client that does not read, beside the piece that goes beyond.
const UNSENT: usize = 64 << 10;

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

impl Drop for Served {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl Sandbox {
    /// Listens on an address; port 0 chooses a free one. One port speaks HTTP/1.1 and HTTP/2, with and
    /// without TLS: the client's first byte tells.
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

    /// Listens as [`Sandbox::serve`] does, on threads of its own: for callers without an async runtime.
    ///
    /// # Errors
    /// If the address cannot be listened on, or no thread can be had.
    pub fn serve_in_background(&self, addr: SocketAddr) -> std::io::Result<Served> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let served = runtime.block_on(self.serve(addr))?;
        let mut stopped = served.stop.subscribe();
        std::thread::Builder::new().name("sandbox-server".to_owned()).spawn(move || {
            // The runtime lives as long as the server is wanted.
            let ended = runtime.block_on(stopped.wait_for(|stop| *stop)).is_ok();
            tracing::debug!(ended, "the server in the background stops");
        })?;
        Ok(served)
    }

    /// Returns a kubeconfig for this server at `addr`, with the admin's token and the server's authority.
    pub fn kubeconfig(&self, addr: SocketAddr) -> String {
        let token = self.admin_token();
        let authority = STANDARD.encode(self.authority());
        format!(
            "apiVersion: v1\nkind: Config\nclusters:\n- name: sandbox\n  cluster:\n    server: https://{addr}\n    certificate-authority-data: {authority}\ncontexts:\n- name: sandbox\n  context:\n    cluster: sandbox\n    user: admin\ncurrent-context: sandbox\nusers:\n- name: admin\n  user:\n    token: {token}\n"
        )
    }
}

async fn accept(sandbox: Sandbox, listener: TcpListener, mut stopped: watch::Receiver<bool>) {
    let acceptor = TlsAcceptor::from(sandbox.inner.tls.config.clone());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.wait_for(|stop| *stop) => return,
        };
        let Ok((stream, _)) = accepted else {
            // Too many open files, most likely: give others time to close theirs.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        tokio::spawn(greet(sandbox.clone(), stream, acceptor.clone(), stopped.clone()));
    }
}

/// Finds out whether the client speaks TLS and serves it.
async fn greet(sandbox: Sandbox, stream: TcpStream, acceptor: TlsAcceptor, stopped: watch::Receiver<bool>) {
    /// The first byte of a TLS handshake.
    const TLS: u8 = 0x16;
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection keeps its delay");
    }
    let mut first = [0];
    let peeked = tokio::time::timeout(HANDSHAKE, stream.peek(&mut first)).await;
    match peeked {
        Ok(Ok(1)) if first[0] == TLS => match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => {
                let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
                let user = certificate.and_then(crate::tls::user_of);
                converse(sandbox, stream, user, stopped).await;
            }
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => {}
        },
        Ok(Ok(_)) => converse(sandbox, stream, None, stopped).await,
        _ => {}
    }
}

async fn converse(
    sandbox: Sandbox,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    user: Option<User>,
    mut stopped: watch::Receiver<bool>,
) {
    let service = TowerToHyperService::new(sandbox.service_as(user));
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().max_buf_size(UNSENT);
    builder.http2().max_send_buf_size(UNSENT);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        _ = stopped.wait_for(|stop| *stop) => return,
    };
    if let Err(error) = result {
        tracing::debug!(error, "a connection ended");
    }
}
