//! A small HTTP front for tests: TLS with an authority of its own, credentials, a log, and failures on demand.

use std::{
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering},
    },
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, StatusCode, body::Incoming, header, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

/// Who may come in.
#[derive(Clone, Debug, Default)]
pub enum Auth {
    /// Everybody.
    #[default]
    Anybody,
    /// Who gives this value of the `Authorization` header, such as `Basic dXNlcjpwYXNz`.
    Header(String),
}

/// What kind of server.
#[derive(Clone, Debug, Default)]
pub struct HttpOptions {
    /// Who may come in.
    pub auth: Auth,
    /// Whether to speak TLS, with a certificate of an authority of its own.
    pub tls: bool,
}

/// What is behind the front: answers a request whose body has come whole.
pub type Backend = Arc<dyn Fn(Request<Bytes>) -> Answer + Send + Sync>;
/// The answer of a [`Backend`], once it is there.
pub type Answer = Pin<Box<dyn Future<Output = Response<Full<Bytes>>> + Send>>;

/// A running server. It stops when dropped.
pub struct Front {
    address: SocketAddr,
    ca: Option<String>,
    state: Arc<State>,
    task: JoinHandle<()>,
}

struct State {
    backend: Backend,
    auth: Auth,
    log: Mutex<Vec<String>>,
    /// A status to answer with instead; 0 for none.
    failing: AtomicU16,
}

impl Front {
    /// Serves on a free port.
    ///
    /// # Panics
    /// When no port can be opened.
    pub async fn start(options: HttpOptions, backend: Backend) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let (ca, acceptor) = if options.tls { Some(certificates()).unzip() } else { (None, None) };
        let state = Arc::new(State { backend, auth: options.auth, log: Mutex::default(), failing: AtomicU16::new(0) });
        let task = tokio::spawn(accept(listener, acceptor, state.clone()));
        Self { address, ca, state, task }
    }

    /// Returns the URL of a path below the root.
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.ca.is_some() { "https" } else { "http" };
        format!("{scheme}://{}/{path}", self.address)
    }

    /// Returns `127.0.0.1:port`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Returns the certificate of the server's authority.
    pub fn ca(&self) -> Option<&str> {
        self.ca.as_deref()
    }

    /// Returns the requests so far, as `METHOD path status`.
    pub fn log(&self) -> Vec<String> {
        self.state.log.lock().expect("no test panics while it holds the log").clone()
    }

    /// Answers everything with this status from now on; 0 to work again.
    pub fn fail_with(&self, status: u16) {
        self.state.failing.store(status, Ordering::SeqCst);
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn certificates() -> (String, TlsAcceptor) {
    let build = || -> Result<(String, TlsAcceptor), Box<dyn std::error::Error>> {
        let ca_key = rcgen::KeyPair::generate()?;
        let mut ca = rcgen::CertificateParams::new(Vec::new())?;
        ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca_certificate = ca.self_signed(&ca_key)?;
        let issuer = rcgen::Issuer::new(ca, ca_key);
        let key = rcgen::KeyPair::generate()?;
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let certificate = rcgen::CertificateParams::new(names)?.signed_by(&key, &issuer)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.serialize_der().try_into()?)?;
        Ok((ca_certificate.pem(), TlsAcceptor::from(Arc::new(config))))
    };
    build().expect("certificates can be made")
}

async fn accept(listener: TcpListener, acceptor: Option<TlsAcceptor>, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, state) = (acceptor.clone(), state.clone());
        tokio::spawn(async move {
            match acceptor {
                // A client that does not trust us goes away; that is its business.
                Some(acceptor) => {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        serve(stream, state).await;
                    }
                }
                None => serve::<TcpStream>(stream, state).await,
            }
        });
    }
}

async fn serve<S>(stream: S, state: Arc<State>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let service = service_fn(move |request| {
        let state = state.clone();
        async move { Ok::<_, Infallible>(answer(request, &state).await) }
    });
    let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
    // Connections are cut at the end of a test.
    drop(builder.serve_connection(TokioIo::new(stream), service).await);
}

/// Returns an empty answer.
pub fn plain(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

async fn answer(request: Request<Incoming>, state: &State) -> Response<Full<Bytes>> {
    let line = format!("{} {}", request.method(), request.uri().path());
    let response = answer_or_refuse(request, state).await;
    let line = format!("{line} {}", response.status().as_u16());
    state.log.lock().expect("no test panics while it holds the log").push(line);
    response
}

async fn answer_or_refuse(request: Request<Incoming>, state: &State) -> Response<Full<Bytes>> {
    if let Ok(status) = StatusCode::from_u16(state.failing.load(Ordering::SeqCst)) {
        return plain(status);
    }
    if let Auth::Header(wanted) = &state.auth {
        let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        if given != Some(wanted) {
            return plain(StatusCode::UNAUTHORIZED);
        }
    }
    let (parts, body) = request.into_parts();
    match body.collect().await {
        Ok(body) => (state.backend)(Request::from_parts(parts, body.to_bytes())).await,
        Err(_) => plain(StatusCode::BAD_REQUEST),
    }
}
