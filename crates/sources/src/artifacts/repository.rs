//! Helm repositories: an index over HTTP and archives beside it.

use std::{
    collections::HashMap,
    fs,
    io::{BufReader, Read},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use lockstep_files::FileTree;
use reqwest::{StatusCode, Url, blocking::Response, header};

use crate::{
    Credentials, Error, ErrorKind, Result,
    artifacts::{
        ArtifactRevision, ArtifactSpec,
        blobs::{self, Blobs},
        download::{self, text_of},
        index::{self, Release},
        version,
    },
    wire::{
        self, Clients,
        answers::{broken_off, too_large},
    },
};

/// The largest index that is taken.
const LARGEST_INDEX: u64 = 512 << 20;
/// The largest archive that is taken, packed.
const LARGEST_ARCHIVE: u64 = 64 << 20;

/// The indexes on disk.
pub(crate) struct Indexes {
    folder: PathBuf,
    open: Mutex<HashMap<String, Arc<Mutex<Index>>>>,
}

/// One index, as one set of credentials sees it.
#[derive(Default)]
struct Index {
    /// When it was last asked for.
    asked: Option<Instant>,
    /// What was cut out of it.
    charts: HashMap<String, Option<Arc<[Release]>>>,
}

impl Indexes {
    pub(crate) fn new(folder: PathBuf) -> Result<Self> {
        blobs::make_folder(&folder)?;
        Ok(Self { folder, open: Mutex::default() })
    }

    /// Returns the versions of a chart; the index is asked for unless that was done at most `age` ago.
    fn releases(
        &self,
        clients: &Clients,
        spec: &ArtifactSpec,
        chart: &str,
        age: Duration,
    ) -> Result<Option<Arc<[Release]>>> {
        let credentials = &spec.credentials;
        let secret = wire::authorization(credentials).unwrap_or_default();
        let name = index::file_name(&[&spec.url, &secret, credentials.ca_bundle.as_deref().unwrap_or("")]);
        let shared =
            Arc::clone(self.open.lock().unwrap_or_else(PoisonError::into_inner).entry(name.clone()).or_default());
        let mut index = shared.lock().unwrap_or_else(PoisonError::into_inner);
        let file = self.folder.join(&name);
        if index.asked.is_none_or(|asked| asked.elapsed() > age) {
            let refreshed = refresh(clients, spec, &file)?;
            index.asked = Some(Instant::now());
            if refreshed {
                index.charts.clear();
            }
        }
        if let Some(known) = index.charts.get(chart) {
            return Ok(known.clone());
        }
        let open = || Ok(BufReader::with_capacity(1 << 16, fs::File::open(&file)?));
        let found: Option<Arc<[Release]>> = index::releases(open, chart)?.map(Into::into);
        index.charts.insert(chart.to_owned(), found.clone());
        Ok(found)
    }
}

/// Brings the file up to date; tells whether it changed.
fn refresh(clients: &Clients, spec: &ArtifactSpec, file: &std::path::Path) -> Result<bool> {
    let client = clients.client(&spec.credentials)?;
    let url = join(&base(&spec.url)?, "index.yaml")?;
    let tags = file.with_extension("tags");
    // Conditional only while there is a file to fall back to.
    let known = if file.exists() { fs::read_to_string(&tags).unwrap_or_default() } else { String::new() };
    let mut lines = known.lines();
    let mut headers = vec![(header::ACCEPT_ENCODING, "gzip")];
    for name in [header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE] {
        if let Some(value) = lines.next().filter(|value| !value.is_empty()) {
            headers.push((name, value));
        }
    }
    let response = download::get(&client, &url, wire::authorization(&spec.credentials).as_deref(), &headers)
        .map_err(|error| no_index(error, &url))?;
    if response.status() == StatusCode::NOT_MODIFIED {
        return Ok(false);
    }
    let tag = |name| text_of(&response, name).unwrap_or_default();
    let validators = format!("{}\n{}\n", tag(header::ETAG), tag(header::LAST_MODIFIED));
    save(response, file)?;
    blobs::write(&tags, validators.as_bytes())?;
    Ok(true)
}

fn no_index(error: Error, url: &Url) -> Error {
    match error.kind() {
        ErrorKind::NotFound => {
            Error::new(ErrorKind::NotFound, format!("there is no Helm repository: {}", error.message()))
                .hint(format!("{} must be there", crate::redact(url.as_str())))
        }
        _ => error,
    }
}

/// Writes the body to the file, unpacked, without holding it.
fn save(response: Response, file: &std::path::Path) -> Result<()> {
    let failed = |error: std::io::Error| Error::storage("the index cannot be kept", error);
    let packed = text_of(&response, header::CONTENT_ENCODING).is_some_and(|encoding| encoding == "gzip");
    let mut body: Box<dyn Read> = Box::new(response);
    if packed {
        body = Box::new(flate2::read::MultiGzDecoder::new(body));
    }
    let folder = file.parent().unwrap_or(std::path::Path::new("."));
    let mut temporary = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    let size = std::io::copy(&mut body.take(LARGEST_INDEX + 1), &mut temporary).map_err(broken_off)?;
    if size > LARGEST_INDEX {
        return Err(too_large(LARGEST_INDEX));
    }
    temporary.persist(file).map_err(|error| failed(error.error))?;
    Ok(())
}

/// Finds the version of a chart.
pub(crate) fn resolve(
    indexes: &Indexes,
    clients: &Clients,
    spec: &ArtifactSpec,
    chart: &str,
    age: Duration,
) -> Result<ArtifactRevision> {
    let missing = || {
        Error::new(ErrorKind::ReferenceNotFound, format!("the repository has no chart {chart}"))
            .hint("check the chart's name")
    };
    let releases = indexes.releases(clients, spec, chart, age)?.ok_or_else(missing)?;
    let versions: Vec<&str> = releases.iter().map(|release| release.version.as_str()).collect();
    let place = version::choose(&spec.version, &versions)?
        .ok_or_else(|| version::nothing_fits(&format!("the chart {chart}"), &spec.version, &versions))?;
    let release = &releases[place];
    let location = if release.url.starts_with("oci://") {
        format!("{}:{}", release.url.trim_end_matches(&format!(":{}", release.version)), release.version)
    } else {
        let base = base(&spec.url)?;
        let mut url = join(&base, &release.url)?;
        if url.query().is_none() && same_origin(&url, &base) {
            // Signed repositories carry their key in the query, as Helm passes it on.
            url.set_query(base.query());
        }
        url.to_string()
    };
    Ok(ArtifactRevision { version: release.version.clone(), digest: release.digest.clone(), location })
}

/// Fetches the archive and opens it.
pub(crate) fn open(
    clients: &Clients,
    blobs: &Blobs,
    spec: &ArtifactSpec,
    revision: &ArtifactRevision,
) -> Result<FileTree> {
    let fetch = || fetch(clients, spec, &revision.location);
    let tree = match &revision.digest {
        Some(digest) => blobs.tree(digest, true, fetch)?,
        None => {
            let bytes = fetch()?;
            blobs.tree(&blobs::digest_of(&bytes), true, || Ok(bytes))?
        }
    };
    check_chart(&tree)?;
    Ok(tree)
}

/// Makes sure that an archive is a chart.
pub(crate) fn check_chart(tree: &FileTree) -> Result<()> {
    let found = tree.find("Chart.yaml").map_err(|error| Error::storage("the archive cannot be read", error))?;
    let missing = || Error::new(ErrorKind::NotAnArtifact, "it is not a chart: there is no Chart.yaml in it");
    found.map(drop).ok_or_else(missing)
}

fn fetch(clients: &Clients, spec: &ArtifactSpec, location: &str) -> Result<Vec<u8>> {
    let url = parse(location)?;
    // Our credentials are for the host that they were given for.
    let own = same_origin(&url, &base(&spec.url)?);
    let credentials = if own { &spec.credentials } else { &Credentials::default() };
    let client = clients.client(&spec.credentials)?;
    let place = |error: Error| {
        let message = format!("the archive {}: {}", crate::redact(location), error.message());
        let hint = error.hint_text().map(str::to_owned);
        let error = Error::new(error.kind(), message);
        hint.into_iter().fold(error, Error::hint)
    };
    let response = download::get(&client, &url, wire::authorization(credentials).as_deref(), &[]).map_err(place)?;
    download::read(response, LARGEST_ARCHIVE).map_err(place)
}

fn parse(url: &str) -> Result<Url> {
    url.parse()
        .map_err(|error| Error::new(ErrorKind::BadUrl, format!("{:?} is not a URL: {error}", crate::redact(url))))
}

/// Returns the repository's URL as a folder, without credentials in it.
fn base(url: &str) -> Result<Url> {
    let mut url = parse(url)?;
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

fn join(base: &Url, relative: &str) -> Result<Url> {
    let joined =
        base.join(relative).map_err(|error| Error::new(ErrorKind::BadUrl, format!("{relative:?}: {error}")))?;
    if !matches!(joined.scheme(), "http" | "https") {
        let message = format!("the index names an archive at {:?}, which is not fetched", crate::redact(relative));
        return Err(Error::new(ErrorKind::BadUrl, message));
    }
    if base.scheme() == "https" && joined.scheme() == "http" && joined.host_str() == base.host_str() {
        return Err(Error::new(ErrorKind::BadUrl, "the index names an archive over plain http on its own host"));
    }
    let mut joined = joined;
    if relative == "index.yaml" {
        joined.set_query(base.query());
    }
    Ok(joined)
}

fn same_origin(left: &Url, right: &Url) -> bool {
    left.scheme() == right.scheme()
        && left.host_str() == right.host_str()
        && left.port_or_known_default() == right.port_or_known_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_are_found_from_the_repository() {
        let check =
            |repository: &str, relative: &str| join(&base(repository).unwrap(), relative).map(|url| url.to_string());
        assert_eq!(check("https://h/charts", "index.yaml").unwrap(), "https://h/charts/index.yaml");
        assert_eq!(check("https://h/charts?key=1", "index.yaml").unwrap(), "https://h/charts/index.yaml?key=1");
        assert_eq!(check("https://h/charts/", "a-1.tgz").unwrap(), "https://h/charts/a-1.tgz");
        assert_eq!(check("https://h/charts", "/x/a-1.tgz").unwrap(), "https://h/x/a-1.tgz");
        assert_eq!(check("https://h/charts", "https://other/a.tgz").unwrap(), "https://other/a.tgz");
        for bad in ["file:///etc/passwd", "http://h/a.tgz"] {
            assert_eq!(check("https://h/charts", bad).unwrap_err().kind(), ErrorKind::BadUrl, "{bad}");
        }
    }
}
