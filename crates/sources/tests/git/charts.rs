//! Charts of Helm repositories.

use std::time::Duration;

use lockstep_sources::{ArtifactSpec, Artifacts, CacheOptions, Credentials, Error, ErrorKind, WatchOptions};
use lockstep_testkit::{
    charts::{ChartRepository, pack, sha256, simple},
    web::{Auth, HttpOptions},
};
use tempfile::TempDir;

use crate::soon;

/// A handle with its own cache.
pub fn artifacts() -> (Artifacts, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let options = CacheOptions {
        connect_timeout: Duration::from_secs(5),
        idle_timeout: Duration::from_secs(20),
        ..CacheOptions::new(folder.path())
    };
    (Artifacts::new(&options).unwrap(), folder)
}

fn spec(repository: &ChartRepository, version: &str) -> ArtifactSpec {
    ArtifactSpec {
        url: repository.url(),
        chart: Some("web".into()),
        version: version.into(),
        credentials: Credentials::default(),
        insecure: false,
    }
}

async fn chart_yaml(artifacts: &Artifacts, spec: &ArtifactSpec) -> String {
    let revision = artifacts.resolve(spec).await.unwrap();
    artifacts.open(spec, &revision).await.unwrap().reader().read_text("Chart.yaml").unwrap()
}

async fn fails(artifacts: &Artifacts, spec: &ArtifactSpec) -> Error {
    match artifacts.resolve(spec).await {
        Ok(revision) => artifacts.open(spec, &revision).await.unwrap_err(),
        Err(error) => error,
    }
}

#[tokio::test]
async fn the_highest_version_of_a_range_is_opened_and_kept() {
    let repository = ChartRepository::start(HttpOptions::default()).await;
    repository.publish_simple("web", "1.2.0").publish_simple("web", "1.10.0").publish_simple("web", "2.0.0-rc.1");
    repository.publish_simple("other", "9.0.0");
    let (artifacts, _folder) = artifacts();
    let spec = spec(&repository, "1.x");
    assert!(chart_yaml(&artifacts, &spec).await.contains("version: 1.10.0"));
    let revision = artifacts.resolve(&spec).await.unwrap();
    assert_eq!(revision.to_string(), format!("1.10.0@sha256:{}", sha256(&simple("web", "1.10.0"))));
    let before = repository.front().log().len();
    assert!(chart_yaml(&artifacts, &spec).await.contains("version: 1.10.0"));
    // Asked whether the index changed, and nothing else.
    assert_eq!(repository.front().log()[before..], ["GET /index.yaml 304"]);
}

#[tokio::test]
async fn charts_of_one_repository_share_a_request() {
    let repository = ChartRepository::start(HttpOptions::default()).await;
    repository.publish_simple("web", "1.0.0").publish_simple("other", "1.0.0");
    let (artifacts, _folder) = artifacts();
    let age = Duration::from_secs(60);
    let first = spec(&repository, "");
    artifacts.resolve_within(&first, age).await.unwrap();
    artifacts.resolve_within(&ArtifactSpec { chart: Some("other".into()), ..first }, age).await.unwrap();
    assert_eq!(repository.front().log(), ["GET /index.yaml 200"]);
}

#[tokio::test]
async fn a_restart_asks_only_whether_something_changed() {
    let repository = ChartRepository::start(HttpOptions::default()).await;
    repository.publish_simple("web", "1.0.0");
    let (first, folder) = artifacts();
    chart_yaml(&first, &spec(&repository, "")).await;
    let before = repository.front().log().len();
    let second = Artifacts::new(&CacheOptions::new(folder.path())).unwrap();
    chart_yaml(&second, &spec(&repository, "")).await;
    assert_eq!(repository.front().log()[before..], ["GET /index.yaml 304"]);
}

#[tokio::test]
async fn a_new_version_is_told_and_a_failure_once() {
    let repository = ChartRepository::start(HttpOptions::default()).await;
    repository.publish_simple("web", "1.0.0");
    let (artifacts, _folder) = artifacts();
    let options = WatchOptions { interval: Duration::from_millis(20), jitter: 0.0 };
    let mut watcher = artifacts.watch(&spec(&repository, "*"), options);
    assert!(soon(watcher.next()).await.unwrap().to_string().starts_with("1.0.0@"));
    repository.publish_simple("web", "1.1.0");
    assert!(soon(watcher.next()).await.unwrap().to_string().starts_with("1.1.0@"));
    repository.front().fail_with(503);
    assert_eq!(soon(watcher.next()).await.unwrap_err().kind(), ErrorKind::Server);
    repository.front().fail_with(0);
    assert!(soon(watcher.next()).await.unwrap().to_string().starts_with("1.1.0@"));
}

#[tokio::test]
async fn credentials_and_authorities_are_shown_and_missed() {
    let auth = Auth::Header("Basic YWRhOnNlY3JldA==".into());
    let repository = ChartRepository::start(HttpOptions { auth, tls: true }).await;
    repository.publish_simple("web", "1.0.0");
    let (artifacts, _folder) = artifacts();
    let ca = repository.front().ca().unwrap();
    let with = |credentials: Credentials| ArtifactSpec { credentials, ..spec(&repository, "") };
    let good = with(Credentials::basic("ada", "secret").with_ca(ca));
    assert!(chart_yaml(&artifacts, &good).await.contains("name: web"));
    let cases = [
        (Credentials::basic("ada", "secret"), ErrorKind::UnknownAuthority, "authority"),
        (Credentials::default().with_ca(ca), ErrorKind::Unauthenticated, "none are given"),
        (Credentials::basic("ada", "wrong").with_ca(ca), ErrorKind::Unauthenticated, "does not accept"),
    ];
    for (credentials, kind, words) in cases {
        let error = fails(&artifacts, &with(credentials)).await;
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(words) && !error.to_string().contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn what_is_wrong_is_told() {
    let repository = ChartRepository::start(HttpOptions::default()).await;
    repository.publish("web", "1.0.0", simple("web", "1.0.0"), Some(&"a".repeat(64)));
    repository.publish("web", "2.0.0", b"<html>".to_vec(), None);
    repository.publish("web", "3.0.0", pack("web", &[("README.md", "x")]), None);
    let (artifacts, _folder) = artifacts();
    let nowhere = ArtifactSpec { url: "http://127.0.0.1:1".into(), ..spec(&repository, "") };
    let missing = ArtifactSpec { chart: Some("none".into()), ..spec(&repository, "") };
    let elsewhere = ArtifactSpec { url: format!("{}/below", repository.url()), ..spec(&repository, "") };
    let cases = [
        (spec(&repository, "1.0.0"), ErrorKind::WrongDigest, "the digest is wrong"),
        (spec(&repository, "2.0.0"), ErrorKind::NotAnArtifact, "not gzipped"),
        (spec(&repository, "3.0.0"), ErrorKind::NotAnArtifact, "no Chart.yaml"),
        (spec(&repository, "^4"), ErrorKind::ReferenceNotFound, "no version of the chart web matches ^4"),
        (spec(&repository, "what"), ErrorKind::BadReference, "not a range"),
        (missing, ErrorKind::ReferenceNotFound, "no chart none"),
        (nowhere, ErrorKind::Unreachable, "cannot be reached"),
        (elsewhere, ErrorKind::NotFound, "there is no Helm repository"),
    ];
    for (spec, kind, words) in cases {
        let error = fails(&artifacts, &spec).await;
        assert_eq!((error.kind(), error.to_string().contains(words)), (kind, true), "{error}");
    }
}
