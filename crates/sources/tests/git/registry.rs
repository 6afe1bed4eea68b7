//! Charts and other artifacts of OCI registries.

use std::time::Duration;

use lockstep_sources::{ArtifactSpec, Artifacts, Credentials, Error, ErrorKind, WatchOptions};
use lockstep_testkit::{
    charts::{pack, simple},
    registry::{CHART_LAYER, FLUX_LAYER, Login, Registry},
};

use crate::{charts::artifacts, soon};

fn chart(registry: &Registry, version: &str) -> ArtifactSpec {
    ArtifactSpec {
        url: registry.url("charts"),
        chart: Some("web".into()),
        version: version.into(),
        credentials: Credentials::default(),
        insecure: true,
    }
}

fn artifact(registry: &Registry, reference: &str) -> ArtifactSpec {
    ArtifactSpec { url: registry.url("team/app"), chart: None, ..chart(registry, reference) }
}

async fn push_charts(registry: &Registry) {
    for (version, tag) in
        [("1.0.0", "1.0.0"), ("1.2.0", "1.2.0"), ("1.3.0+b1", "1.3.0_b1"), ("2.0.0-rc.1", "2.0.0-rc.1")]
    {
        registry.push("charts/web", tag, &simple("web", version), CHART_LAYER).await;
    }
}

async fn read(artifacts: &Artifacts, spec: &ArtifactSpec, path: &str) -> String {
    let revision = artifacts.resolve(spec).await.unwrap();
    artifacts.open(spec, &revision).await.unwrap().reader().read_text(path).unwrap()
}

async fn fails(artifacts: &Artifacts, spec: &ArtifactSpec) -> Error {
    match artifacts.resolve(spec).await {
        Ok(revision) => artifacts.open(spec, &revision).await.unwrap_err(),
        Err(error) => error,
    }
}

#[tokio::test]
async fn charts_are_found_by_range_and_version() {
    let registry = Registry::start(Login::None).await;
    push_charts(&registry).await;
    let (artifacts, _folder) = artifacts();
    for (wanted, found) in [
        ("", "1.3.0+b1"),
        ("1.2.x", "1.2.0"),
        ("1.0.0", "1.0.0"),
        (">=1.0.0-0", "2.0.0-rc.1"),
        ("1.3.0+b1", "1.3.0+b1"),
    ] {
        let text = read(&artifacts, &chart(&registry, wanted), "Chart.yaml").await;
        assert!(text.contains(&format!("version: {found}\n")), "{wanted}: {text}");
    }
}

#[tokio::test]
async fn artifacts_are_found_by_tag_digest_and_range() {
    let registry = Registry::start(Login::None).await;
    let layer = |word: &str| pack("", &[("deploy/a.yaml", word)]);
    let first = registry.push("team/app", "v1.0.0", &layer("one"), FLUX_LAYER).await;
    registry.push("team/app", "latest", &layer("newest"), FLUX_LAYER).await;
    registry.push("team/app", "v1.5.0", &layer("five"), FLUX_LAYER).await;
    let (artifacts, _folder) = artifacts();
    for (reference, word) in [("", "newest"), ("v1.0.0", "one"), (first.as_str(), "one"), ("^1.0", "five")] {
        assert_eq!(read(&artifacts, &artifact(&registry, reference), "deploy/a.yaml").await, word, "{reference}");
    }
    let revision = artifacts.resolve(&artifact(&registry, "v1.0.0")).await.unwrap();
    assert_eq!(revision.to_string(), format!("v1.0.0@{first}"));
}

#[tokio::test]
async fn a_tag_that_moves_is_told_and_costs_one_request_while_it_does_not() {
    let registry = Registry::start(Login::None).await;
    let layer = |word: &str| pack("", &[("a.yaml", word)]);
    registry.push("team/app", "latest", &layer("one"), FLUX_LAYER).await;
    let (artifacts, _folder) = artifacts();
    let spec = artifact(&registry, "");
    assert_eq!(read(&artifacts, &spec, "a.yaml").await, "one");
    if let Some(before) = registry.log() {
        artifacts.resolve(&spec).await.unwrap();
        assert_eq!(registry.log().unwrap()[before.len()..], ["HEAD /v2/team/app/manifests/latest 200"]);
    }
    let options = WatchOptions { interval: Duration::from_millis(20), jitter: 0.0 };
    let mut watcher = artifacts.watch(&spec, options);
    soon(watcher.next()).await.unwrap();
    let moved = registry.push("team/app", "latest", &layer("two"), FLUX_LAYER).await;
    assert_eq!(soon(watcher.next()).await.unwrap().to_string(), format!("latest@{moved}"));
    assert_eq!(read(&artifacts, &spec, "a.yaml").await, "two");
}

#[tokio::test]
async fn passwords_and_tokens_open_a_registry() {
    for login in [Login::Basic, Login::Token] {
        let registry = Registry::start(login).await;
        push_charts(&registry).await;
        let (artifacts, _folder) = artifacts();
        let with = |credentials: Credentials| ArtifactSpec { credentials, ..chart(&registry, "1.2.0") };
        let good = with(Credentials::basic("ada", "secret"));
        assert!(read(&artifacts, &good, "Chart.yaml").await.contains("1.2.0"));
        if let Some(before) = registry.log() {
            // What opened it once is shown at once.
            artifacts.resolve(&good).await.unwrap();
            assert_eq!(registry.log().unwrap().len() - before.len(), 1);
        }
        for bad in [Credentials::default(), Credentials::basic("ada", "wrong")] {
            let error = fails(&artifacts, &with(bad)).await;
            assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{login:?}: {error}");
        }
    }
}

#[tokio::test]
async fn what_is_wrong_is_told() {
    let registry = Registry::start(Login::None).await;
    push_charts(&registry).await;
    registry.push("team/app", "image", b"layer", "application/vnd.oci.image.layer.v1.tar").await;
    registry.push("charts/web", "9.0.0", &pack("web", &[("README.md", "x")]), CHART_LAYER).await;
    registry.push("charts/web", "8.0.0", &pack("", &[("a.yaml", "x")]), FLUX_LAYER).await;
    let (artifacts, _folder) = artifacts();
    let nowhere = ArtifactSpec { url: "oci://127.0.0.1:1/x".into(), ..chart(&registry, "1.0.0") };
    let mut cases = vec![
        (artifact(&registry, "none"), ErrorKind::ReferenceNotFound, "has no tag none"),
        (artifact(&registry, "image"), ErrorKind::NotAnArtifact, "its layers are application/vnd.oci.image"),
        (chart(&registry, "9.0.0"), ErrorKind::NotAnArtifact, "no Chart.yaml"),
        (chart(&registry, "8.0.0"), ErrorKind::NotAnArtifact, "not a chart"),
        (chart(&registry, "^5"), ErrorKind::ReferenceNotFound, "matches ^5"),
        (nowhere, ErrorKind::Unreachable, "cannot be reached"),
    ];
    if registry.spoil("charts/web", &simple("web", "1.0.0")) {
        cases.push((chart(&registry, "1.0.0"), ErrorKind::WrongDigest, "the digest is wrong"));
    }
    for (spec, kind, words) in cases {
        let error = fails(&artifacts, &spec).await;
        assert_eq!((error.kind(), error.to_string().contains(words)), (kind, true), "{error}");
    }
}
