//! `git http-backend` behind a small HTTP front.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, StatusCode};
use tokio::io::AsyncWriteExt;

use crate::web::{Front, HttpOptions, plain};

/// A running server. It stops when dropped.
pub struct HttpServer(Front);

impl HttpServer {
    /// Serves the repositories below `root` on a free port.
    ///
    /// # Panics
    /// When no port can be opened.
    pub async fn start(root: &Path, options: HttpOptions) -> Self {
        let root: PathBuf = root.to_owned();
        let backend = move |request| {
            let root = root.clone();
            let answer = async move {
                backend(request, &root).await.unwrap_or_else(|_| plain(StatusCode::INTERNAL_SERVER_ERROR))
            };
            Box::pin(answer) as crate::web::Answer
        };
        Self(Front::start(options, Arc::new(backend)).await)
    }

    /// Returns the URL of a repository below the root.
    pub fn url(&self, repository: &str) -> String {
        self.0.url(repository)
    }

    /// Returns the certificate of the server's authority.
    pub fn ca(&self) -> Option<&str> {
        self.0.ca()
    }

    /// Returns the requests so far, as `METHOD path`.
    pub fn requests(&self) -> Vec<String> {
        self.0.log().iter().filter_map(|line| line.rsplit_once(' ')).map(|(line, _)| line.to_owned()).collect()
    }

    /// Answers everything with this status from now on; 0 to work again.
    pub fn fail_with(&self, status: u16) {
        self.0.fail_with(status);
    }
}

/// Calls `git http-backend` as a web server calls a CGI program.
async fn backend(
    request: Request<Bytes>,
    root: &Path,
) -> Result<Response<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
    let (parts, body) = request.into_parts();
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("").to_owned();
    let mut command = tokio::process::Command::from(super::command(root));
    command.arg("http-backend").envs([
        ("GIT_PROJECT_ROOT", root.display().to_string()),
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
