//! An OCI registry: by default a small one in this process; `LOCKSTEP_TEST_REGISTRY=<program>` names the `distribution`
//! registry, which is then started instead. Tests push with HTTP requests of their own and cannot tell which it is,
//! but by what only the small one offers: tokens.

use std::{
    collections::BTreeMap,
    fs,
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, Response, StatusCode, header};
use tempfile::TempDir;

use crate::{
    charts::sha256,
    web::{Answer, Front, HttpOptions, plain},
};

/// The media type of the layer of a chart.
pub const CHART_LAYER: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
/// The media type of the layer of an artifact that Flux pushes.
pub const FLUX_LAYER: &str = "application/vnd.cncf.flux.content.v1.tar+gzip";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// How a registry wants to know who asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Login {
    /// Not at all.
    #[default]
    None,
    /// User `ada` and password `secret` with each request.
    Basic,
    /// A token that the same user gets for the password; only the small registry does that.
    Token,
}

/// A running registry. It stops when dropped.
pub struct Registry {
    host: String,
    login: Login,
    inside: Inside,
}

enum Inside {
    Small { front: Front, content: Arc<Mutex<Content>> },
    Real { child: Child, _folder: TempDir },
}

#[derive(Default)]
struct Content {
    /// Path below `/v2/` to media type and bytes.
    files: BTreeMap<String, (String, Vec<u8>)>,
    tags: BTreeMap<String, Vec<String>>,
}

const USER: &str = "ada:secret";
const TOKEN: &str = "t0ken";

impl Registry {
    /// Starts a registry.
    ///
    /// # Panics
    /// When no port is free, or the named program does not serve.
    pub async fn start(login: Login) -> Self {
        match std::env::var_os("LOCKSTEP_TEST_REGISTRY").filter(|_| login != Login::Token) {
            Some(program) => Self::start_real(&program, login).await,
            None => Self::start_small(login).await,
        }
    }

    async fn start_small(login: Login) -> Self {
        let content: Arc<Mutex<Content>> = Arc::default();
        let served = content.clone();
        let backend = move |request: Request<Bytes>| {
            let content = served.lock().expect("no test panics while it holds the content");
            Box::pin(std::future::ready(content.answer(&request, login))) as Answer
        };
        let front = Front::start(HttpOptions::default(), Arc::new(backend)).await;
        Self { host: front.host(), login, inside: Inside::Small { front, content } }
    }

    async fn start_real(program: &std::ffi::OsStr, login: Login) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        // The port is free again at once; nothing else on this machine asks for that very one.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let host = port.expect("a port is free").to_string();
        let auth = match login {
            Login::Basic => {
                // bcrypt of `secret`, as `htpasswd -B` writes it.
                let line = "ada:$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";
                fs::write(folder.path().join("users"), line).expect("the folder can be written to");
                format!("auth:\n  htpasswd: {{realm: test, path: {}}}\n", folder.path().join("users").display())
            }
            Login::None | Login::Token => String::new(),
        };
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage:\n  filesystem: {{rootdirectory: {}}}\nhttp: {{addr: {host}, secret: test}}\n{auth}",
            folder.path().join("data").display()
        );
        let file = folder.path().join("config.yaml");
        fs::write(&file, config).expect("the folder can be written to");
        let mut command = Command::new(program);
        command.arg("serve").arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("the registry starts");
        let begun = Instant::now();
        while tokio::net::TcpStream::connect(&host).await.is_err() {
            assert!(begun.elapsed() < Duration::from_secs(30), "the registry does not serve");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Self { host, login, inside: Inside::Real { child, _folder: folder } }
    }

    /// Returns `oci://host/path` of a repository.
    pub fn url(&self, repository: &str) -> String {
        format!("oci://{}/{repository}", self.host)
    }

    /// Returns the requests so far as `METHOD path status`; nothing of a program's.
    pub fn log(&self) -> Option<Vec<String>> {
        match &self.inside {
            Inside::Small { front, .. } => Some(front.log()),
            Inside::Real { .. } => None,
        }
    }

    /// Pushes an artifact of one layer under a tag; returns the manifest's digest.
    ///
    /// # Panics
    /// When the registry does not take it.
    pub async fn push(&self, repository: &str, tag: &str, layer: &[u8], media_type: &str) -> String {
        let config = b"{}";
        let describe = |kind: &str, bytes: &[u8]| serde_json::json!({"mediaType": kind, "digest": format!("sha256:{}", sha256(bytes)), "size": bytes.len()});
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": describe("application/vnd.cncf.helm.config.v1+json", config),
            "layers": [describe(media_type, layer)],
        });
        let manifest = manifest.to_string().into_bytes();
        let digest = format!("sha256:{}", sha256(&manifest));
        match &self.inside {
            Inside::Small { content, .. } => {
                let mut content = content.lock().expect("no test panics while it holds the content");
                for bytes in [config.as_slice(), layer] {
                    let path = format!("{repository}/blobs/sha256:{}", sha256(bytes));
                    content.files.insert(path, ("application/octet-stream".to_owned(), bytes.to_vec()));
                }
                for name in [tag, digest.as_str()] {
                    content
                        .files
                        .insert(format!("{repository}/manifests/{name}"), (MANIFEST.to_owned(), manifest.clone()));
                }
                let tags = content.tags.entry(repository.to_owned()).or_default();
                if !tags.iter().any(|known| known == tag) {
                    tags.push(tag.to_owned());
                    tags.sort();
                }
            }
            Inside::Real { .. } => {
                for bytes in [config.as_slice(), layer] {
                    self.push_blob(repository, bytes).await;
                }
                let path = format!("http://{}/v2/{repository}/manifests/{tag}", self.host);
                self.send("PUT", &path, MANIFEST, &manifest).await;
            }
        }
        digest
    }

    /// Spoils a layer of the small registry: other bytes come than the manifest promises.
    ///
    /// # Panics
    /// When the layer is not there.
    pub fn spoil(&self, repository: &str, layer: &[u8]) -> bool {
        let Inside::Small { content, .. } = &self.inside else { return false };
        let mut content = content.lock().expect("no test panics while it holds the content");
        let path = format!("{repository}/blobs/sha256:{}", sha256(layer));
        let blob = content.files.get_mut(&path).expect("the layer was pushed");
        blob.1.iter_mut().rev().take(1).for_each(|byte| *byte ^= 1);
        true
    }

    async fn push_blob(&self, repository: &str, bytes: &[u8]) {
        let begin = format!("http://{}/v2/{repository}/blobs/uploads/", self.host);
        let place = self.send("POST", &begin, "application/octet-stream", b"").await;
        let joint = if place.contains('?') { '&' } else { '?' };
        let place = format!("{place}{joint}digest=sha256:{}", sha256(bytes));
        self.send("PUT", &place, "application/octet-stream", bytes).await;
    }

    /// Sends a request with `curl`-like plainness; returns the `Location` of the answer.
    async fn send(&self, method: &str, url: &str, media_type: &str, body: &[u8]) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let path = url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
        let login = match self.login {
            Login::Basic => format!("Authorization: Basic {}\r\n", STANDARD.encode(USER)),
            Login::None | Login::Token => String::new(),
        };
        let head = format!(
            "{method} /{path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{login}Content-Type: {media_type}\r\nContent-Length: {}\r\n\r\n",
            self.host,
            body.len()
        );
        let mut stream = tokio::net::TcpStream::connect(&self.host).await.expect("the registry serves");
        stream.write_all(&[head.as_bytes(), body].concat()).await.expect("the registry takes it");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("the registry answers");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.starts_with("HTTP/1.1 2"), "{method} {url}: {answer}");
        let location = answer.lines().find_map(|line| line.strip_prefix("Location: "));
        location.unwrap_or_default().trim().to_owned()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        if let Inside::Real { child, .. } = &mut self.inside
            && child.kill().is_ok()
        {
            // It has ended; nothing is learnt from how.
            child.wait().ok();
        }
    }
}

impl Content {
    fn answer(&self, request: &Request<Bytes>, login: Login) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let basic = format!("Basic {}", STANDARD.encode(USER));
        if path == "/token" {
            let scoped = request.uri().query().is_some_and(|query| query.contains("scope=repository%3A"));
            let known = given == Some(&basic) && scoped;
            return if known { text(format!("{{\"token\":\"{TOKEN}\"}}")) } else { plain(StatusCode::UNAUTHORIZED) };
        }
        let wanted = match login {
            Login::None => None,
            Login::Basic => Some(("Basic realm=\"test\"".to_owned(), basic)),
            Login::Token => {
                let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
                let challenge = format!("Bearer realm=\"http://{host}/token\",service=\"test\"");
                Some((challenge, format!("Bearer {TOKEN}")))
            }
        };
        if let Some((challenge, _)) = wanted.filter(|(_, wanted)| given != Some(wanted)) {
            let mut response = plain(StatusCode::UNAUTHORIZED);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge.parse().expect("it is text"));
            return response;
        }
        self.content(path.trim_start_matches("/v2/"), request)
    }

    fn content(&self, path: &str, request: &Request<Bytes>) -> Response<Full<Bytes>> {
        if let Some(tags) = path.strip_suffix("/tags/list").and_then(|repository| self.tags.get(repository)) {
            return page(path, tags, request.uri().query().unwrap_or_default());
        }
        let Some((media_type, bytes)) = self.files.get(path) else { return plain(StatusCode::NOT_FOUND) };
        let body = if request.method() == Method::HEAD { Vec::new() } else { bytes.clone() };
        let response = Response::builder()
            .header(header::CONTENT_TYPE, media_type)
            .header("docker-content-digest", format!("sha256:{}", sha256(bytes)));
        response.body(Full::new(body.into())).expect("the headers are text")
    }
}

/// Answers two tags at a time, so that pages are followed.
fn page(path: &str, tags: &[String], query: &str) -> Response<Full<Bytes>> {
    let last = query.split('&').find_map(|part| part.strip_prefix("last="));
    let rest: Vec<&String> = tags.iter().filter(|tag| last.is_none_or(|last| tag.as_str() > last)).collect();
    let shown = &rest[..rest.len().min(2)];
    let mut response = text(serde_json::json!({"name": path, "tags": shown}).to_string());
    if let Some(last) = shown.last().filter(|_| rest.len() > shown.len()) {
        let link = format!("</v2/{path}?last={last}&n=2>; rel=\"next\"");
        response.headers_mut().insert(header::LINK, link.parse().expect("it is text"));
    }
    response
}

fn text(body: String) -> Response<Full<Bytes>> {
    Response::new(Full::new(body.into()))
}
