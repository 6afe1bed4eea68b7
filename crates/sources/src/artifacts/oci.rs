//! OCI registries: tags, manifests and blobs of the distribution API, and its tokens.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use lockstep_files::FileTree;
use reqwest::{
    Method, StatusCode,
    blocking::{Client, Response},
    header,
};
use serde::Deserialize;

use crate::{
    Credentials, Error, ErrorKind, Result,
    artifacts::{
        ArtifactRevision, ArtifactSpec,
        blobs::{self, Blobs, check_digest},
        download, repository, version,
    },
    wire::{self, Clients, answers},
};

const MANIFESTS: &str =
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";
const CHART_LAYER: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
/// The specification's own limit on manifests; a page of tags is no larger.
const LARGEST_DOCUMENT: u64 = 4 << 20;
const LARGEST_LAYER: u64 = 64 << 20;
/// Pages of tags, of mostly 100 to 1,000 each.
const MOST_PAGES: usize = 200;

/// Where an artifact is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    host: String,
    path: String,
    plain: bool,
}

/// What registries told about how to ask them.
#[derive(Default)]
pub(crate) struct Registries {
    /// The `Authorization` header that last worked, by repository and identity.
    known: Mutex<HashMap<(String, Option<String>), String>>,
}

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
struct Layer {
    #[serde(rename = "mediaType")]
    media_type: String,
    digest: String,
    size: u64,
}

#[derive(Deserialize)]
struct Tags {
    tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl Location {
    /// Reads `oci://host/path`, to which a chart's name is added.
    pub(crate) fn of(spec: &ArtifactSpec) -> Result<Self> {
        let mut location = Self::parse(&spec.url, spec.insecure)?;
        if let Some(chart) = spec.chart.as_deref().filter(|chart| !chart.is_empty()) {
            location.path = format!("{}/{chart}", location.path).trim_start_matches('/').to_owned();
        }
        location.check()
    }

    fn parse(url: &str, plain: bool) -> Result<Self> {
        let rest = url.strip_prefix("oci://").unwrap_or(url).trim_end_matches('/');
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let host = if host == "docker.io" { "registry-1.docker.io" } else { host };
        Ok(Self { host: host.to_owned(), path: path.to_owned(), plain })
    }

    fn check(self) -> Result<Self> {
        let valid = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-' | b'/');
        let is_name = |name: &str| !name.is_empty() && !name.starts_with('.');
        let ok = !self.host.is_empty()
            && !self.host.contains('@')
            && self.path.bytes().all(valid)
            && self.path.split('/').all(is_name);
        let bad = || {
            Error::new(ErrorKind::BadUrl, "it is not an OCI repository")
                .hint("write oci://host/path in small letters, without user, tag and digest")
        };
        if ok { Ok(self) } else { Err(bad()) }
    }

    fn url(&self, end: &str) -> String {
        let scheme = if self.plain { "http" } else { "https" };
        format!("{scheme}://{}/v2/{}/{end}", self.host, self.path)
    }

    fn text(&self) -> String {
        format!("oci://{}/{}", self.host, self.path)
    }
}

/// Tells whether two URLs name the same host.
pub(crate) fn same_host(left: &str, right: &str) -> bool {
    let host = |url: &str| {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest).to_ascii_lowercase();
        rest.split('/').next().unwrap_or_default().to_owned()
    };
    host(left) == host(right)
}

/// One repository of a registry, as one identity sees it.
struct Session<'a> {
    registries: &'a Registries,
    client: Client,
    location: &'a Location,
    credentials: &'a Credentials,
}

impl Registries {
    /// Finds what the reference means now: a digest costs nothing, a tag one `HEAD`, a range the list of tags too.
    pub(crate) fn resolve(
        &self,
        clients: &Clients,
        spec: &ArtifactSpec,
        location: &Location,
    ) -> Result<ArtifactRevision> {
        let revision = |version: &str, digest: Option<String>| ArtifactRevision {
            version: version.to_owned(),
            digest,
            location: location.text(),
        };
        let wanted = spec.version.trim();
        if wanted.starts_with("sha256:") {
            return Ok(revision("", Some(wanted.to_owned())));
        }
        let session = self.session(clients, spec, location)?;
        let is_chart = spec.chart.is_some();
        let tag = match (wanted, is_chart) {
            ("", false) => Some("latest"),
            (tag, false) => Some(tag),
            // A whole version of a chart needs no list of the others.
            (version, true) => semver::Version::parse(version.trim_start_matches('v')).is_ok().then_some(version),
        };
        if let Some(tag) = tag {
            match session.digest_of(&tag.replace('+', "_")) {
                Ok(digest) => return Ok(revision(tag, Some(digest))),
                Err(error) if error.kind() == ErrorKind::NotFound && wanted.parse::<crate::Range>().is_ok() => {}
                Err(error) => return Err(session.missing(error, tag)),
            }
        }
        let tags = session.tags()?;
        // A tag cannot hold a plus; Helm writes an underscore for it.
        let versions: Vec<String> = tags.iter().map(|tag| tag.replace('_', "+")).collect();
        let versions: Vec<&str> = versions.iter().map(String::as_str).collect();
        let what = location.text();
        let place =
            version::choose(wanted, &versions)?.ok_or_else(|| version::nothing_fits(&what, wanted, &versions))?;
        let digest = session.digest_of(&tags[place])?;
        Ok(revision(versions[place], Some(digest)))
    }

    /// Fetches the manifest and its layer, and opens that.
    pub(crate) fn open(
        &self,
        clients: &Clients,
        blobs: &Blobs,
        spec: &ArtifactSpec,
        revision: &ArtifactRevision,
    ) -> Result<FileTree> {
        let (repository, tag) = split_tag(&revision.location);
        let location = Location::parse(repository, spec.insecure)?.check()?;
        let session = self.session(clients, spec, &location)?;
        let digest = match tag {
            // Named by the index of a Helm repository, whose digest is that of the archive.
            Some(tag) => session.digest_of(&tag.replace('+', "_")).map_err(|error| session.missing(error, tag))?,
            None => revision.digest.clone().unwrap_or_default(),
        };
        let response = session.ask(Method::GET, &format!("manifests/{digest}"), MANIFESTS)?;
        let text = download::read(response, LARGEST_DOCUMENT)?;
        check_digest(&text, &digest)?;
        let manifest: Manifest = serde_json::from_slice(&text)
            .map_err(|error| Error::new(ErrorKind::NotAnArtifact, format!("the manifest cannot be read: {error}")))?;
        let chart_wanted = spec.chart.is_some();
        let layer = layer_of(&manifest, chart_wanted)?;
        let is_chart = layer.media_type == CHART_LAYER;
        let tree = blobs.tree(&layer.digest, is_chart, || {
            let response = session.ask(Method::GET, &format!("blobs/{}", layer.digest), "*/*")?;
            download::read(response, LARGEST_LAYER.min(layer.size))
        })?;
        if is_chart {
            repository::check_chart(&tree)?;
        }
        Ok(tree)
    }

    fn session<'a>(&'a self, clients: &Clients, spec: &'a ArtifactSpec, location: &'a Location) -> Result<Session<'a>> {
        let client = clients.client(&spec.credentials)?;
        Ok(Session { registries: self, client, location, credentials: &spec.credentials })
    }
}

fn split_tag(location: &str) -> (&str, Option<&str>) {
    match location.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
        _ => (location, None),
    }
}

/// Chooses the layer: a chart's, else the first gzipped tar (Flux and ORAS write one).
fn layer_of(manifest: &Manifest, chart_wanted: bool) -> Result<&Layer> {
    let chart = manifest.layers.iter().find(|layer| layer.media_type == CHART_LAYER);
    let archive = |layer: &&Layer| layer.media_type.ends_with("tar+gzip") || layer.media_type.ends_with("tar.gzip");
    let layer = chart.or_else(|| manifest.layers.iter().find(archive).filter(|_| !chart_wanted));
    let kinds: Vec<&str> = manifest.layers.iter().map(|layer| layer.media_type.as_str()).collect();
    let what = if chart_wanted { "a chart" } else { "an artifact with files" };
    let none = || {
        let message = format!(
            "it is not {what}: its layers are {}",
            if kinds.is_empty() { "none".to_owned() } else { kinds.join(", ") }
        );
        Error::new(ErrorKind::NotAnArtifact, message)
    };
    let layer = layer.ok_or_else(none)?;
    if layer.size > LARGEST_LAYER { Err(answers::too_large(LARGEST_LAYER)) } else { Ok(layer) }
}

impl Session<'_> {
    fn digest_of(&self, tag: &str) -> Result<String> {
        let response = self.ask(Method::HEAD, &format!("manifests/{tag}"), MANIFESTS)?;
        if let Some(digest) = download::text_of(&response, header::HeaderName::from_static("docker-content-digest")) {
            return Ok(digest);
        }
        // The header is optional; the manifest itself is not.
        let response = self.ask(Method::GET, &format!("manifests/{tag}"), MANIFESTS)?;
        Ok(blobs::digest_of(&download::read(response, LARGEST_DOCUMENT)?))
    }

    fn tags(&self) -> Result<Vec<String>> {
        let mut all = Vec::new();
        let mut next = Some("tags/list?n=1000".to_owned());
        for _ in 0..MOST_PAGES {
            let Some(page) = next.take() else { break };
            let response = self.ask(Method::GET, &page, "application/json")?;
            next = download::text_of(&response, header::LINK).and_then(|link| next_page(&link));
            let text = download::read(response, LARGEST_DOCUMENT)?;
            let tags: Tags = serde_json::from_slice(&text)
                .map_err(|error| Error::protocol(format!("the list of tags cannot be read: {error}")))?;
            all.extend(tags.tags.unwrap_or_default());
        }
        Ok(all)
    }

    /// Sends a request; shows who we are when the registry asks for it.
    fn ask(&self, method: Method, end: &str, accept: &str) -> Result<Response> {
        let key = (self.location.text(), wire::authorization(self.credentials));
        let known = self.registries.known.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        let response = self.send(&method, end, accept, known.as_deref())?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return checked(response, known.is_some());
        }
        let challenge = download::text_of(&response, header::WWW_AUTHENTICATE).unwrap_or_default();
        let Some(authorization) = self.answer(&challenge)? else {
            return checked(response, false);
        };
        let response = checked(self.send(&method, end, accept, Some(&authorization))?, key.1.is_some())?;
        self.registries.known.lock().unwrap_or_else(PoisonError::into_inner).insert(key, authorization);
        Ok(response)
    }

    fn send(&self, method: &Method, end: &str, accept: &str, authorization: Option<&str>) -> Result<Response> {
        let mut request = self.client.request(method.clone(), self.location.url(end)).header(header::ACCEPT, accept);
        if let Some(authorization) = authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        download::send(request)
    }

    /// Answers a challenge: with the password itself, or with a token that is fetched for it.
    fn answer(&self, challenge: &str) -> Result<Option<String>> {
        let own = wire::authorization(self.credentials);
        let (scheme, parameters) = challenge.split_once(' ').unwrap_or((challenge, ""));
        if !scheme.eq_ignore_ascii_case("bearer") || self.credentials.bearer.is_some() {
            return Ok(own);
        }
        let parameters = parameters_of(parameters);
        let Some(realm) = parameters.get("realm") else { return Ok(own) };
        let mut url: reqwest::Url =
            realm.parse().map_err(|_| Error::protocol("the registry names no place to get a token"))?;
        if url.scheme() == "http" && !self.location.plain {
            return Err(Error::new(
                ErrorKind::Forbidden,
                "the registry sends the password over plain http; it is not sent",
            ));
        }
        if let Some(service) = parameters.get("service") {
            url.query_pairs_mut().append_pair("service", service);
        }
        url.query_pairs_mut().append_pair("scope", &format!("repository:{}:pull", self.location.path));
        let response = download::get(&self.client, &url, own.as_deref(), &[])?;
        let token: Token = serde_json::from_slice(&download::read(response, LARGEST_DOCUMENT)?)
            .map_err(|error| Error::protocol(format!("the registry's token cannot be read: {error}")))?;
        Ok(token.token.or(token.access_token).map(|token| format!("Bearer {token}")))
    }

    fn missing(&self, error: Error, tag: &str) -> Error {
        if error.kind() != ErrorKind::NotFound {
            return error;
        }
        Error::new(ErrorKind::ReferenceNotFound, format!("{} has no tag {tag}", self.location.text()))
            .hint("check name and tag; some registries say this, too, when the credentials may not see it")
    }
}

fn checked(response: Response, with_credentials: bool) -> Result<Response> {
    let status = response.status();
    if status.is_success() { Ok(response) } else { Err(answers::refused(status, with_credentials)) }
}

/// Reads `</v2/…/tags/list?last=x&n=1000>; rel="next"`; only the query counts, so that no other host is asked.
fn next_page(link: &str) -> Option<String> {
    let (target, rest) = link.trim().strip_prefix('<')?.split_once('>')?;
    let query = target.split_once('?')?.1;
    rest.contains("next").then(|| format!("tags/list?{query}"))
}

/// Reads `key="value",key=value`.
fn parameters_of(text: &str) -> HashMap<String, String> {
    let mut found = HashMap::new();
    let mut rest = text.trim();
    while let Some((key, after)) = rest.split_once('=') {
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => after.split_once(',').unwrap_or((after, "")),
        };
        found.insert(key.trim_matches([',', ' ']).to_ascii_lowercase(), value.to_owned());
        rest = after.trim_start_matches([',', ' ']);
    }
    found
}

/// Finds a registry's credentials in the JSON of a Docker configuration (`.dockerconfigjson`).
///
/// Of the keys of `auths` the one counts that names the URL's host, with the longest path that leads to the URL.
pub fn docker_credentials(config: &str, url: &str) -> Option<Credentials> {
    let config: serde_json::Value = serde_json::from_str(config).ok()?;
    let plain = |text: &str| {
        let text = text.split_once("://").map_or(text, |(_, rest)| rest).trim_end_matches('/');
        text.strip_prefix("index.docker.io/v1").map_or_else(|| text.to_owned(), |rest| format!("docker.io{rest}"))
    };
    let wanted = plain(url);
    let leads = |key: &str| wanted == key || wanted.strip_prefix(key).is_some_and(|rest| rest.starts_with('/'));
    let entries = config.get("auths")?.as_object()?.iter().map(|(key, value)| (plain(key), value));
    let (_, entry) = entries.filter(|(key, _)| leads(key)).max_by_key(|(key, _)| key.len())?;
    let text = |key: &str| entry.get(key).and_then(|value| value.as_str()).filter(|text| !text.is_empty());
    if let (Some(user), Some(password)) = (text("username"), text("password")) {
        return Some(Credentials::basic(user, password));
    }
    let pair = String::from_utf8(STANDARD.decode(text("auth")?).ok()?).ok()?;
    let (user, password) = pair.split_once(':')?;
    Some(Credentials::basic(user, password))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_and_pages_are_read() {
        let read = parameters_of(r#"realm="https://auth.example/token",service="registry", scope="a:b,c""#);
        assert_eq!((read["realm"].as_str(), read["service"].as_str()), ("https://auth.example/token", "registry"));
        assert_eq!(read["scope"], "a:b,c");
        assert!(parameters_of("").is_empty() && parameters_of("===").len() <= 1);
        let link = r#"</v2/a/tags/list?last=x&n=2>; rel="next""#;
        assert_eq!(next_page(link).as_deref(), Some("tags/list?last=x&n=2"));
        assert_eq!(next_page("nonsense"), None);
    }

    #[test]
    fn docker_configurations_name_hosts_and_paths() {
        let auth = STANDARD.encode("me:pass:word");
        let config = format!(
            r#"{{"auths":{{"ghcr.io":{{"auth":"{auth}"}},"ghcr.io/team":{{"username":"t","password":"p"}},"https://index.docker.io/v1/":{{"username":"d","password":"p"}}}}}}"#
        );
        let user = |url: &str| docker_credentials(&config, url).and_then(|found| found.username);
        assert_eq!(user("oci://ghcr.io/other/chart").as_deref(), Some("me"));
        assert_eq!(docker_credentials(&config, "oci://ghcr.io/x").unwrap().password.as_deref(), Some("pass:word"));
        assert_eq!(user("oci://ghcr.io/team/chart").as_deref(), Some("t"));
        assert_eq!(user("oci://docker.io/library/x").as_deref(), Some("d"));
        assert_eq!(user("oci://ghcr.io.evil/x"), None);
        assert_eq!(docker_credentials("no json", "oci://ghcr.io/x"), None);
    }

    #[test]
    fn repositories_are_named_in_small_letters_without_tags() {
        let spec = |url: &str, chart: Option<&str>| ArtifactSpec {
            url: url.into(),
            chart: chart.map(str::to_owned),
            version: String::new(),
            credentials: Credentials::default(),
            insecure: false,
        };
        let location = Location::of(&spec("oci://ghcr.io/charts/", Some("podinfo"))).unwrap();
        assert_eq!(location.url("tags/list"), "https://ghcr.io/v2/charts/podinfo/tags/list");
        for url in [
            "oci://ghcr.io",
            "oci:///x",
            "oci://ghcr.io/A",
            "oci://ghcr.io/a:1",
            "oci://u:p@ghcr.io/a",
            "oci://h/a/../b?",
        ] {
            assert_eq!(Location::of(&spec(url, None)).unwrap_err().kind(), ErrorKind::BadUrl, "{url}");
        }
        assert_eq!(split_tag("oci://h:5000/a"), ("oci://h:5000/a", None));
        assert_eq!(split_tag("oci://h:5000/a:1.0"), ("oci://h:5000/a", Some("1.0")));
    }
}
