//! Charts of Helm repositories and artifacts of OCI registries: resolved to a version, opened as a tree of files.
//!
//! Why our own client of the distribution API: it is four requests and a token, and what a person needs to know when
//! one fails (wrong password, unknown authority, no such tag) is worded here as for Git, over the same connections.

mod archive;
mod blobs;
mod download;
mod index;
mod oci;
mod repository;
mod version;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use lockstep_files::FileTree;

use crate::{
    CacheOptions, Credentials, Error, ErrorKind, Result, WatchOptions, redact,
    wire::{Clients, Limits},
};

pub use oci::docker_credentials;

use blobs::Blobs;
use oci::Registries;
use repository::Indexes;

/// A chart of a Helm repository, or an artifact of an OCI registry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ArtifactSpec {
    /// `https://…` or `http://…` of a Helm repository (the folder of its `index.yaml`), or `oci://host/path`.
    pub url: String,
    /// The chart's name. An OCI artifact without one is what stands at `url`, whatever it holds.
    pub chart: Option<String>,
    /// A version or a range of versions, as Helm reads them; of an OCI artifact also a tag or a digest (`sha256:…`).
    /// Empty is the newest release of a chart, and the tag `latest` of an artifact.
    pub version: String,
    /// Who we say we are.
    pub credentials: Credentials,
    /// Whether an OCI registry is spoken to without TLS.
    pub insecure: bool,
}

/// What an [`ArtifactSpec`] means at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ArtifactRevision {
    /// The version or tag; empty where a digest was asked for.
    pub version: String,
    /// `sha256:…` of the archive or the manifest; some old Helm repositories name none.
    pub digest: Option<String>,
    /// The URL of the archive, or `oci://…` without tag.
    pub(crate) location: String,
}

impl fmt::Display for ArtifactRevision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.digest, self.version.is_empty()) {
            (Some(digest), true) => f.write_str(digest),
            (Some(digest), false) => write!(f, "{}@{digest}", self.version),
            (None, _) => f.write_str(&self.version),
        }
    }
}

/// Fetches charts and artifacts. Clones share everything.
///
/// # Guarantees
/// What is opened has the digest that its repository names, when it names one, and unpacks to at most 100 MiB. Asking
/// again for what has not changed costs one conditional request, for a range of OCI tags two.
///
/// # Assumptions
/// Calls are made inside a tokio runtime; the work blocks and is done on its blocking threads.
///
/// # Errors
/// Each call tells the URL, a kind ([`crate::ErrorKind`]), a message, and mostly a hint.
#[derive(Clone)]
pub struct Artifacts(Arc<Inner>);

struct Inner {
    clients: Clients,
    blobs: Blobs,
    indexes: Indexes,
    registries: Registries,
}

impl Artifacts {
    /// Makes the handle; creates the cache's folder.
    pub fn new(options: &CacheOptions) -> Result<Self> {
        let clients = Clients::new(Limits { connect: options.connect_timeout, idle: options.idle_timeout });
        let blobs = Blobs::new(options.folder.join("artifacts"))?;
        let indexes = Indexes::new(options.folder.join("indexes"))?;
        Ok(Self(Arc::new(Inner { clients, blobs, indexes, registries: Registries::default() })))
    }

    /// Finds what the version means now.
    pub async fn resolve(&self, spec: &ArtifactSpec) -> Result<ArtifactRevision> {
        self.resolve_within(spec, Duration::ZERO).await
    }

    /// As [`Artifacts::resolve`], but takes an index that was asked for at most `age` ago for the newest: the charts of
    /// one repository then share one request.
    pub async fn resolve_within(&self, spec: &ArtifactSpec, age: Duration) -> Result<ArtifactRevision> {
        self.run(spec, move |inner, spec| match kind_of(spec)? {
            Place::Repository(chart) => repository::resolve(&inner.indexes, &inner.clients, spec, chart, age),
            Place::Registry(location) => inner.registries.resolve(&inner.clients, spec, &location),
        })
        .await
    }

    /// Opens what was resolved, fetching it if needed: the files of the chart's folder, or of the artifact.
    pub async fn open(&self, spec: &ArtifactSpec, revision: &ArtifactRevision) -> Result<FileTree> {
        let revision = revision.clone();
        self.run(spec, move |inner, spec| {
            if revision.location.starts_with("oci://") {
                // An index may name charts of a registry that our credentials are not for.
                let own = oci::same_host(&spec.url, &revision.location);
                let credentials = if own { spec.credentials.clone() } else { Credentials::default() };
                let spec = ArtifactSpec { credentials, ..spec.clone() };
                inner.registries.open(&inner.clients, &inner.blobs, &spec, &revision)
            } else {
                repository::open(&inner.clients, &inner.blobs, spec, &revision)
            }
        })
        .await
    }

    /// Watches by asking again and again.
    pub fn watch(&self, spec: &ArtifactSpec, options: WatchOptions) -> ArtifactWatcher {
        ArtifactWatcher { artifacts: self.clone(), spec: spec.clone(), options, told: None, due: Instant::now() }
    }

    async fn run<T: Send + 'static>(
        &self,
        spec: &ArtifactSpec,
        work: impl FnOnce(&Inner, &ArtifactSpec) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (inner, owned) = (Arc::clone(&self.0), spec.clone());
        let done = tokio::task::spawn_blocking(move || work(&inner, &owned)).await;
        let result = done.unwrap_or_else(|error| Err(Error::storage("the work on the source was broken off", error)));
        result.map_err(|error| error.at(&redact(&spec.url)))
    }
}

/// Tells when a version or tag means something else.
pub struct ArtifactWatcher {
    artifacts: Artifacts,
    spec: ArtifactSpec,
    options: WatchOptions,
    told: Option<std::result::Result<ArtifactRevision, (ErrorKind, String)>>,
    due: Instant,
}

impl ArtifactWatcher {
    /// Waits for the next news: at first what there is now, then each other revision, and each failure once (and the
    /// recovery from it). Cancel safe: nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Result<ArtifactRevision> {
        loop {
            if self.told.is_some() {
                tokio::time::sleep_until(self.due.into()).await;
            }
            let result = self.artifacts.resolve_within(&self.spec, self.options.interval / 2).await;
            self.due = Instant::now() + self.options.pause();
            let news = result.clone().map_err(|error| (error.kind(), error.message().to_owned()));
            if self.told.as_ref() != Some(&news) {
                self.told = Some(news);
                return result;
            }
        }
    }

    /// Makes the next call tell what there is, even if it was told: what was resolved could not be opened.
    pub fn forget(&mut self) {
        self.told = None;
    }

    /// Waits until it is time to ask again.
    pub async fn pause(&self) {
        tokio::time::sleep_until(self.due.into()).await;
    }
}

enum Place<'a> {
    /// A Helm repository and the chart's name.
    Repository(&'a str),
    Registry(oci::Location),
}

fn kind_of(spec: &ArtifactSpec) -> Result<Place<'_>> {
    let bad = |why: &str| Error::new(ErrorKind::BadUrl, why);
    let scheme = spec.url.split_once("://").map(|(scheme, _)| scheme);
    match (scheme, spec.chart.as_deref()) {
        (Some("oci"), _) => oci::Location::of(spec).map(Place::Registry),
        (Some("http" | "https"), Some(chart)) if !chart.is_empty() => Ok(Place::Repository(chart)),
        (Some("http" | "https"), _) => Err(bad("the chart's name is missing").hint("name the chart of the repository")),
        _ => Err(bad("it is neither https://, http:// nor oci://")
            .hint("give the URL of a Helm repository, or oci://host/path of a registry")),
    }
}
