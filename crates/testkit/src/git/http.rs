//! `git http-backend` behind a small HTTP front.

use std::{
    convert::Infallible,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
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
    io::AsyncWriteExt,
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

/// A running server. It stops when dropped.
pub struct HttpServer {
    address: SocketAddr,
    ca: Option<String>,
    state: Arc<State>,
    task: JoinHandle<()>,
}

struct State {
    root: PathBuf,
    auth: Auth,
    log: Mutex<Vec<String>>,
    /// A status to answer with instead; 0 for none.
    failing: AtomicU16,
}

impl HttpServer {
    /// Serves the repositories below `root` on a free port.
    ///
    /// # Panics
    /// When no port can be opened.
    pub async fn start(root: &Path, options: HttpOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let (ca, acceptor) = if options.tls { Some(certificates()).unzip() } else { (None, None) };
        let state = Arc::new(State {
            root: root.to_owned(),
            auth: options.auth,
            log: Mutex::default(),
            failing: AtomicU16::new(0),
        });
        let task = tokio::spawn(accept(listener, acceptor, state.clone()));
        Self { address, ca, state, task }
    }

    /// Returns the URL of a repository below the root.
    pub fn url(&self, repository: &str) -> String {
        let scheme = if self.ca.is_some() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}/{repository}", self.address.port())
    }

    /// Returns the certificate of the server's authority.
    pub fn ca(&self) -> Option<&str> {
        self.ca.as_deref()
    }

    /// Returns the requests so far, as `METHOD path`.
    pub fn requests(&self) -> Vec<String> {
        self.state.log.lock().expect("no test panics while it holds the log").clone()
    }

    /// Answers everything with this status from now on; 0 to work again.
    pub fn fail_with(&self, status: u16) {
        self.state.failing.store(status, Ordering::SeqCst);
    }
}

impl Drop for HttpServer {
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

fn plain(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

async fn answer(request: Request<Incoming>, state: &State) -> Response<Full<Bytes>> {
    let line = format!("{} {}", request.method(), request.uri().path());
    state.log.lock().expect("no test panics while it holds the log").push(line);
    if let Ok(status) = StatusCode::from_u16(state.failing.load(Ordering::SeqCst)) {
        return plain(status);
    }
    if let Auth::Header(wanted) = &state.auth {
        let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        if given != Some(wanted) {
            return plain(StatusCode::UNAUTHORIZED);
        }
    }
    backend(request, state).await.unwrap_or_else(|_| plain(StatusCode::INTERNAL_SERVER_ERROR))
}

/// Calls `git http-backend` as a web server calls a CGI program.
async fn backend(
    request: Request<Incoming>,
    state: &State,
) -> Result<Response<Full<Bytes>>, Box<dyn std::error::Error>> {
    let (parts, body) = request.into_parts();
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("").to_owned();
    let mut command = tokio::process::Command::from(super::command(&state.root));
    command.arg("http-backend").envs([
        ("GIT_PROJECT_ROOT", state.root.display().to_string()),
        ("GIT_HTTP_EXPORT_ALL", "1".into()),
        ("REQUEST_METHOD", parts.method.to_string()),
        ("PATH_INFO", parts.uri.path().to_owned()),
        ("QUERY_STRING", parts.uri.query().unwrap_or("").to_owned()),
        ("CONTENT_TYPE", header("content-type")),
        ("HTTP_CONTENT_ENCODING", header("content-encoding")),
        ("GIT_PROTOCOL", header("git-protocol")),
        ("REMOTE_USER", "tester".into()),
        ("REMOTE_ADDR", "127.0.0.1".into()),
        // The repositories belong to who runs the tests.
        ("GIT_CONFIG_COUNT", "1".into()),
        ("GIT_CONFIG_KEY_0", "safe.directory".into()),
        ("GIT_CONFIG_VALUE_0", "*".into()),
    ]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut child = command.spawn()?;
    let mut stdin = child.stdin.take().ok_or("no pipe")?;
    let body = body.collect().await?.to_bytes();
    let writing = tokio::spawn(async move { stdin.write_all(&body).await });
    let output = child.wait_with_output().await?.stdout;
    // A program that needs no more input closes the pipe.
    drop(writing.await?);
    let end = output.windows(4).position(|window| window == b"\r\n\r\n").ok_or("no headers")?;
    let mut response = Response::builder();
    for line in std::str::from_utf8(&output[..end])?.lines() {
        let (name, value) = line.split_once(": ").ok_or("a malformed header")?;
        response = match name {
            "Status" => response.status(value.split(' ').next().unwrap_or("500").parse::<u16>()?),
            _ => response.header(name, value),
        };
    }
    Ok(response.body(Full::new(Bytes::copy_from_slice(&output[end + 4..])))?)
}
