//! Charts as archives, and a Helm repository over HTTP that serves what a test puts into it.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http_body_util::Full;
use hyper::{Request, Response, StatusCode, header};
use sha2::{Digest, Sha256};

use crate::web::{Answer, Front, HttpOptions, plain};

/// Packs files below a folder, as `helm package` does.
///
/// # Panics
/// When a path cannot be one of an archive.
pub fn pack(folder: &str, files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, text) in files {
        let path = if folder.is_empty() { (*path).to_owned() } else { format!("{folder}/{path}") };
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, text.as_bytes()).expect("the path fits an archive");
    }
    let packed = builder.into_inner().and_then(GzEncoder::finish);
    packed.expect("memory can be written to")
}

/// Packs a chart of one ConfigMap, whose data tells the chart's version and the value `word`.
pub fn simple(name: &str, version: &str) -> Vec<u8> {
    let meta = format!("apiVersion: v2\nname: {name}\nversion: {version}\n");
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\ndata:\n  version: {{ .Chart.Version | quote }}\n  word: {{ .Values.word | quote }}\n";
    pack(name, &[("Chart.yaml", &meta), ("values.yaml", "word: default\n"), ("templates/map.yaml", template)])
}

/// Returns the hexadecimal SHA-256 of some bytes.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string can be written to");
        text
    })
}

/// A Helm repository. It stops when dropped.
pub struct ChartRepository {
    front: Front,
    files: Arc<Mutex<Files>>,
}

#[derive(Default)]
struct Files {
    archives: BTreeMap<String, Vec<u8>>,
    /// Chart to its entries in the index, newest first.
    entries: BTreeMap<String, Vec<String>>,
}

impl ChartRepository {
    /// Serves an empty repository on a free port.
    pub async fn start(options: HttpOptions) -> Self {
        let files: Arc<Mutex<Files>> = Arc::default();
        let served = files.clone();
        let backend = move |request: Request<Bytes>| {
            let response = served.lock().expect("no test panics while it holds the files").answer(&request);
            Box::pin(std::future::ready(response)) as Answer
        };
        Self { front: Front::start(options, Arc::new(backend)).await, files }
    }

    /// Publishes a version of a chart; a wrong `digest` may be told.
    ///
    /// # Panics
    /// When a test panicked while it held the files.
    pub fn publish(&self, name: &str, version: &str, archive: Vec<u8>, digest: Option<&str>) -> &Self {
        let digest = digest.map_or_else(|| sha256(&archive), str::to_owned);
        let file = format!("{name}-{version}.tgz");
        let entry = format!(
            "  - apiVersion: v2\n    digest: {digest}\n    name: {name}\n    urls:\n    - charts/{file}\n    version: {version}\n"
        );
        let mut files = self.files.lock().expect("no test panics while it holds the files");
        files.archives.insert(format!("/charts/{file}"), archive);
        files.entries.entry(name.to_owned()).or_default().insert(0, entry);
        self
    }

    /// Publishes a version of the chart that [`simple`] packs.
    pub fn publish_simple(&self, name: &str, version: &str) -> &Self {
        self.publish(name, version, simple(name, version), None)
    }

    /// Returns the repository's URL.
    pub fn url(&self) -> String {
        self.front.url("").trim_end_matches('/').to_owned()
    }

    /// Returns what is in front: its log, its failures, its authority.
    pub fn front(&self) -> &Front {
        &self.front
    }
}

impl Files {
    fn index(&self) -> String {
        let mut text = "apiVersion: v1\nentries:\n".to_owned();
        for (name, entries) in &self.entries {
            text.push_str(&format!("  {name}:\n{}", entries.concat()));
        }
        text
    }

    fn answer(&self, request: &Request<Bytes>) -> Response<Full<Bytes>> {
        let body = match request.uri().path() {
            "/index.yaml" => self.index().into_bytes(),
            path => match self.archives.get(path) {
                Some(archive) => archive.clone(),
                None => return plain(StatusCode::NOT_FOUND),
            },
        };
        let tag = format!("\"{}\"", sha256(&body));
        let known = request.headers().get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
        if known == Some(tag.as_str()) {
            return plain(StatusCode::NOT_MODIFIED);
        }
        let response = Response::builder().header(header::ETAG, tag).body(Full::new(body.into()));
        response.expect("the header is text")
    }
}
