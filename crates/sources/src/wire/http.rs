//! The smart HTTP transport.

use std::{
    collections::HashMap,
    io::Read,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::{
    Certificate, StatusCode,
    blocking::{Client, RequestBuilder, Response},
    header, redirect,
};

use crate::{
    Credentials, Error, ErrorKind, Result,
    wire::{Channel, Service, answers},
};

/// Who asks: some hosts answer Git's own program only.
const AGENT: &str = concat!("git/lockstep-", env!("CARGO_PKG_VERSION"));

/// How long to wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub connect: Duration,
    pub idle: Duration,
}

/// HTTP clients, one per set of believed certificates: polling keeps its connections open.
pub(crate) struct Clients {
    limits: Limits,
    by_ca: Mutex<HashMap<Option<String>, Client>>,
}

impl Clients {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, by_ca: Mutex::default() }
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    pub(crate) fn client(&self, credentials: &Credentials) -> Result<Client> {
        let mut clients = self.by_ca.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&credentials.ca_bundle) {
            return Ok(client.clone());
        }
        let mut builder = Client::builder()
            .connect_timeout(self.limits.connect)
            // Of each wait for bytes, not of the whole answer.
            .timeout(self.limits.idle)
            .redirect(redirect::Policy::custom(|attempt| {
                let downgrade =
                    |previous: &reqwest::Url| previous.scheme() == "https" && attempt.url().scheme() != "https";
                match attempt.previous().len() > 5 || attempt.previous().iter().any(downgrade) {
                    true => attempt.stop(),
                    false => attempt.follow(),
                }
            }));
        if let Some(pem) = &credentials.ca_bundle {
            let bad = |why: String| {
                Error::new(ErrorKind::UnknownAuthority, format!("the given CA certificates cannot be read: {why}"))
                    .hint("they must be in PEM form")
            };
            let certificates = Certificate::from_pem_bundle(pem.as_bytes()).map_err(|error| bad(error.to_string()))?;
            if certificates.is_empty() {
                return Err(bad("there is none".into()));
            }
            builder = builder.tls_certs_merge(certificates);
        }
        let client =
            builder.build().map_err(|error| Error::storage("the HTTP client could not be made", chain(&error)))?;
        clients.insert(credentials.ca_bundle.clone(), client.clone());
        Ok(client)
    }
}

/// A conversation over HTTP.
pub(crate) struct HttpChannel {
    client: Client,
    /// Where the server redirected us to.
    base: String,
    authorization: Option<String>,
    service: Service,
}

impl HttpChannel {
    pub(crate) fn new(client: Client, url: &str, credentials: &Credentials, service: Service) -> Self {
        Self { client, base: url.to_owned(), authorization: authorization(credentials), service }
    }

    fn send(&self, request: RequestBuilder) -> Result<Response> {
        let mut request = request.header(header::USER_AGENT, AGENT);
        if self.service == Service::UploadPack {
            request = request.header("Git-Protocol", "version=2");
        }
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let response = request.send().map_err(|error| failure(&error))?;
        match response.status() {
            status if status.is_success() => Ok(response),
            status => Err(refused(status, self.authorization.is_some(), self.service)),
        }
    }
}

pub(crate) fn authorization(credentials: &Credentials) -> Option<String> {
    match (&credentials.bearer, &credentials.username, &credentials.password) {
        (Some(token), ..) => Some(format!("Bearer {token}")),
        (None, None, None) => None,
        (None, user, password) => {
            let pair = format!("{}:{}", user.as_deref().unwrap_or(""), password.as_deref().unwrap_or(""));
            Some(format!("Basic {}", STANDARD.encode(pair)))
        }
    }
}

impl Channel for HttpChannel {
    fn greet(&mut self) -> Result<Box<dyn Read + '_>> {
        let suffix = format!("/info/refs?service={}", self.service.name());
        let response = self.send(self.client.get(format!("{}{suffix}", self.base)))?;
        let smart = format!("application/x-{}-advertisement", self.service.name());
        let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
        if kind != smart {
            return Err(Error::new(ErrorKind::NotARepository, "there is a web server, but no Git repository")
                .hint("use the URL that `git clone` takes"));
        }
        let asked: Option<reqwest::Url> = self.base.parse().ok();
        if let Some(base) = response.url().as_str().strip_suffix(&suffix).filter(|base| *base != self.base) {
            // Our credentials are for the host that they were given for.
            if asked.is_none_or(|asked| asked.host_str() != response.url().host_str()) {
                self.authorization = None;
            }
            self.base = base.to_owned();
        }
        Ok(Box::new(response))
    }

    fn ask(&mut self, request: Vec<u8>) -> Result<Box<dyn Read + '_>> {
        let name = self.service.name();
        let post = self.client.post(format!("{}/{name}", self.base));
        let post = post.header(header::CONTENT_TYPE, format!("application/x-{name}-request"));
        let post = post.header(header::ACCEPT, format!("application/x-{name}-result")).body(request);
        Ok(Box::new(self.send(post)?))
    }
}

/// Fetches one file of a web server.
pub(crate) fn fetch_file(clients: &Clients, url: &str, credentials: &Credentials, limit: u64) -> Result<Vec<u8>> {
    let mut request = clients.client(credentials)?.get(url).header(header::USER_AGENT, AGENT);
    if let Some(authorization) = authorization(credentials) {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    let response = request.send().map_err(|error| failure(&error))?;
    let status = response.status();
    if !status.is_success() {
        return Err(answers::refused(status, authorization(credentials).is_some()));
    }
    let mut bytes = Vec::new();
    response.take(limit + 1).read_to_end(&mut bytes).map_err(answers::broken_off)?;
    if bytes.len() as u64 > limit {
        return Err(answers::too_large(limit));
    }
    Ok(bytes)
}

/// Words what a Git server refuses.
fn refused(status: StatusCode, with_credentials: bool, service: Service) -> Error {
    match status {
        StatusCode::FORBIDDEN => Error::new(ErrorKind::Forbidden, "the server forbids it (403)").hint(match service {
            Service::UploadPack => "the credentials may not read this repository",
            Service::ReceivePack => "the credentials may not write to this repository",
        }),
        StatusCode::NOT_FOUND | StatusCode::GONE => {
            Error::new(ErrorKind::NotARepository, format!("there is no repository ({})", status.as_u16()))
                .hint("check the URL; some hosts say this, too, when the credentials may not see it")
        }
        status => answers::refused(status, with_credentials),
    }
}

/// Tells why a request did not get an answer.
pub(crate) fn failure(error: &reqwest::Error) -> Error {
    if let Some(tls) = secure_layer(error) {
        return untrusted(tls);
    }
    if error.is_timeout() {
        let what =
            if error.is_connect() { "the host did not answer in time" } else { "the server was silent for too long" };
        return Error::new(ErrorKind::Timeout, what);
    }
    let reason = chain(error);
    let hint =
        if reason.contains("dns") { "the host's name cannot be found" } else { "is the host up, and the port right?" };
    Error::new(ErrorKind::Unreachable, format!("the host cannot be reached: {reason}")).hint(hint)
}

/// Finds the error of the secure layer. An `io::Error` does not name the error in it as its source.
fn secure_layer<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(found) = error.downcast_ref() {
        return Some(found);
    }
    let within = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    let within = within.map(|inner| inner as &(dyn std::error::Error + 'static));
    within.or_else(|| error.source()).and_then(secure_layer)
}

fn untrusted(error: &rustls::Error) -> Error {
    let (message, hint) = match error {
        rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer) => (
            "the server's certificate is signed by an authority that is not known".to_owned(),
            "give the authority's certificate as CA bundle",
        ),
        other => (format!("no secure connection: {other}"), "check the server's certificate, its names and dates"),
    };
    Error::new(ErrorKind::UnknownAuthority, message).hint(hint)
}

/// Joins the innermost reasons; the outer ones repeat the URL.
fn chain(error: &dyn std::error::Error) -> String {
    let mut last = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        last = cause.to_string();
        source = cause.source();
    }
    last
}
