//! Charts of repositories, as a person deploys them.

use std::io::Read;

use base64::{Engine, engine::general_purpose::STANDARD};
use lockstep_testkit::{
    charts::{ChartRepository, pack, simple},
    registry::{FLUX_LAYER, Login, Registry},
    web::HttpOptions,
};

use crate::harness::{Repository, Up};

/// Writes an App of the folder that `up` follows; its own namespace is that of the test's Apps.
fn app(test: &str, spec: &str) -> String {
    let indented = spec.replace('\n', "\n  ");
    format!(
        "apiVersion: lockstep.dev/v1alpha1\nkind: App\nmetadata: {{name: web, namespace: {test}-apps}}\nspec:\n  {indented}\n"
    )
}

async fn start(test: &str, repository: &Repository) -> Up {
    Up::start(test, &repository.path().join("shop"), &[]).await
}

async fn until_data(up: &Up, map: &str, key: &str, value: &str) {
    up.until(&format!("{map} has {key}: {value}"), async |up| {
        (up.object(&format!("v1/configmaps/{map}")).await?.str_at(&["data", key]) == value).then_some(())
    })
    .await;
}

/// Decodes a release record without any code of ours: base64 of base64 of gzip of JSON.
async fn record(up: &Up, revision: u32) -> Option<serde_json::Value> {
    let secret = up.object(&format!("v1/secrets/sh.helm.release.v1.web.v{revision}")).await?;
    let outer = STANDARD.decode(secret.str_at(&["data", "release"])).unwrap();
    let inner = STANDARD.decode(outer).unwrap();
    let mut json = String::new();
    flate2::read::GzDecoder::new(&inner[..]).read_to_string(&mut json).unwrap();
    let record: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(secret.label("status"), record["info"]["status"].as_str());
    assert_eq!((secret.label("owner"), secret.label("name")), (Some("helm"), Some("web")));
    Some(record)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chart_is_upgraded_within_its_range_and_keeps_helms_record() {
    let test = "chart";
    let charts = ChartRepository::start(HttpOptions::default()).await;
    charts.publish_simple("web", "1.0.0");
    let spec = format!(
        "sync: {{createNamespace: true}}\ndestination: {{namespace: {test}-objects}}\nsource:\n  chart: {{repo: '{}', name: web, version: 1.x, intervalSeconds: 1}}\n  helm: {{releaseRecord: true, values: 'word: mine'}}",
        charts.url()
    );
    let repository = Repository::new(&[("shop/app.yaml", &app(test, &spec))]);
    let up = start(test, &repository).await;
    let app = up.until_ready("web", None).await;
    assert!(app.str_at(&["status", "revision"]).starts_with("1.0.0@sha256:"));
    until_data(&up, "web", "word", "mine").await;

    charts.publish_simple("web", "1.1.0").publish_simple("web", "2.0.0");
    until_data(&up, "web", "version", "1.1.0").await;
    let second = up.until("the second revision is recorded", async |up| record(up, 2).await).await;
    assert_eq!(
        (&second["info"]["status"], &second["chart"]["metadata"]["version"]),
        (&"deployed".into(), &"1.1.0".into())
    );
    assert_eq!(second["config"], serde_json::json!({"word": "mine"}));
    assert!(second["manifest"].as_str().unwrap().contains("# Source: web/templates/map.yaml"));
    up.until("the first is superseded", async |up| {
        (record(up, 1).await?["info"]["status"] == "superseded").then_some(())
    })
    .await;

    charts.publish("web", "1.2.0", simple("web", "1.2.0"), Some(&"a".repeat(64)));
    up.until_message("web", "the digest is wrong").await;
    assert_eq!(up.object("v1/configmaps/web").await.unwrap().str_at(&["data", "version"]), "1.1.0");
    assert!(record(&up, 3).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn values_come_from_other_places_and_are_followed() {
    let test = "values";
    let charts = ChartRepository::start(HttpOptions::default()).await;
    let template =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: seen}\ndata:\n{{ toYaml .Values.seen | indent 2 }}\n";
    charts.publish(
        "web",
        "1.0.0",
        pack(
            "web",
            &[
                ("Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n"),
                ("values.yaml", "seen: {chart: chart, file: chart, map: chart, secret: chart}\n"),
                ("templates/a.yaml", template),
            ],
        ),
        None,
    );
    let spec = format!(
        "sync: {{createNamespace: true}}\ndestination: {{namespace: {test}-objects}}\nsource:\n  chart: {{repo: '{}', name: web}}\n  refs: [{{name: here, git: {{}}}}]\n  helm:\n    valueFiles: [$here/values/web.yaml]\n    valuesFrom:\n    - {{kind: ConfigMap, name: web-values}}\n    - {{kind: Secret, name: web-secret, valuesKey: word, targetPath: seen.secret}}\n    - {{kind: Secret, name: none, optional: true}}",
        charts.url()
    );
    let settings = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: web-values, namespace: {test}-apps}}\ndata: {{values.yaml: 'seen: {{map: one}}'}}\n---\napiVersion: v1\nkind: Secret\nmetadata: {{name: web-secret, namespace: {test}-apps}}\nstringData: {{word: hidden}}\n"
    );
    let file = "seen: {file: git, map: git, secret: git}\n";
    let repository = Repository::new(&[
        ("shop/app.yaml", &app(test, &spec)),
        ("shop/settings.yaml", &settings),
        ("values/web.yaml", file),
    ]);
    let up = start(test, &repository).await;
    up.until_ready("web", None).await;
    for (key, value) in [("chart", "chart"), ("file", "git"), ("map", "one"), ("secret", "hidden")] {
        until_data(&up, "seen", key, value).await;
    }
    repository.commit("another map", &[("shop/settings.yaml", &settings.replace("map: one", "map: two"))]);
    until_data(&up, "seen", "map", "two").await;
    repository.commit("another file", &[("values/web.yaml", &file.replace("file: git", "file: again"))]);
    until_data(&up, "seen", "file", "again").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_random_password_is_kept_by_lookup_and_the_cluster_is_known() {
    let test = "lookup";
    let secret = "{{- $old := lookup \"v1\" \"Secret\" .Release.Namespace \"password\" }}\napiVersion: v1\nkind: Secret\nmetadata: {name: password}\ndata:\n  {{- if $old }}\n  word: {{ $old.data.word }}\n  {{- else }}\n  word: {{ randAlphaNum 20 | b64enc }}\n  {{- end }}\n";
    let facts = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: facts}\ndata:\n  apps: {{ .Capabilities.APIVersions.Has \"lockstep.dev/v1alpha1/App\" | quote }}\n  none: {{ .Capabilities.APIVersions.Has \"none.example.com/v1\" | quote }}\n  kube: {{ .Capabilities.KubeVersion.Version | quote }}\n";
    let spec = format!(
        "sync: {{createNamespace: true}}\ndestination: {{namespace: {test}-objects}}\nsource: {{git: {{path: chart}}}}"
    );
    let repository = Repository::new(&[
        ("shop/app.yaml", &app(test, &spec)),
        ("chart/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n"),
        ("chart/templates/secret.yaml", secret),
        ("chart/templates/facts.yaml", facts),
    ]);
    let up = start(test, &repository).await;
    up.until_ready("web", None).await;
    let word = async |up: &Up| up.object("v1/secrets/password").await.unwrap().str_at(&["data", "word"]).to_owned();
    let first = word(&up).await;
    assert_eq!(STANDARD.decode(&first).unwrap().len(), 20);
    let known = up.object("v1/configmaps/facts").await.unwrap();
    assert_eq!((known.str_at(&["data", "apps"]), known.str_at(&["data", "none"])), ("true", "false"));
    let version = up.cluster.get("/version").await.unwrap();
    assert_eq!(known.str_at(&["data", "kube"]), version.str_at(&["gitVersion"]));

    let renamed = facts.replace("none:", "other:");
    repository.commit("another template", &[("chart/templates/facts.yaml", &renamed)]);
    until_data(&up, "facts", "other", "false").await;
    assert_eq!(word(&up).await, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_of_a_registry_is_followed_by_its_tag() {
    let test = "oci";
    let registry = Registry::start(Login::Basic).await;
    let layer = |word: &str| {
        let map = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: pushed}}\ndata: {{word: {word}}}\n");
        pack("", &[("deploy/map.yaml", &map), ("other/map.yaml", ":")])
    };
    registry.push("team/app", "stable", &layer("one"), FLUX_LAYER).await;
    let spec = format!(
        "sync: {{createNamespace: true}}\ndestination: {{namespace: {test}-objects}}\nsource:\n  oci: {{url: '{}', ref: stable, path: deploy, insecure: true, intervalSeconds: 1}}",
        registry.url("team/app")
    );
    let login = format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: login\n  namespace: {test}-apps\n  labels: {{lockstep.dev/credentials: oci}}\nstringData: {{url: '{}', username: ada, password: secret}}\n",
        registry.url("team")
    );
    let repository = Repository::new(&[("shop/app.yaml", &app(test, &spec)), ("shop/login.yaml", &login)]);
    let up = start(test, &repository).await;
    up.until_ready("web", None).await;
    until_data(&up, "pushed", "word", "one").await;
    registry.push("team/app", "stable", &layer("two"), FLUX_LAYER).await;
    until_data(&up, "pushed", "word", "two").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dependency_that_is_not_vendored_is_fetched_as_its_lock_says() {
    let test = "parts";
    let charts = ChartRepository::start(HttpOptions::default()).await;
    charts.publish_simple("web", "1.0.0").publish_simple("web", "1.5.0");
    let dependency = format!("dependencies:\n- name: web\n  version: {{}}\n  repository: {}\n", charts.url());
    let meta = format!("apiVersion: v2\nname: outer\nversion: 1.0.0\n{}", dependency.replace("{}", "1.x"));
    let lock = dependency.replace("{}", "1.0.0");
    let spec = format!(
        "sync: {{createNamespace: true}}\ndestination: {{namespace: {test}-objects}}\nsource: {{git: {{path: chart}}}}"
    );
    let repository = Repository::new(&[
        ("shop/app.yaml", &app(test, &spec)),
        ("chart/Chart.yaml", &meta),
        ("chart/Chart.lock", &lock),
        ("chart/values.yaml", "web: {word: outer}\n"),
    ]);
    let up = start(test, &repository).await;
    up.until_ready("web", None).await;
    until_data(&up, "web", "word", "outer").await;
    until_data(&up, "web", "version", "1.0.0").await;
    repository.commit("no lock", &[("chart/Chart.lock", "")]);
    until_data(&up, "web", "version", "1.5.0").await;
    repository.commit("no such chart", &[("chart/Chart.yaml", &meta.replace("name: web", "name: none"))]);
    up.until_message("web", "the dependency none of the chart").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chart_sees_the_time_of_the_commit() {
    let template =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: seen}\ndata: {now: {{ now | unixEpoch | quote }}}\n";
    let chart = "apiVersion: v2\nname: shop\nversion: 1.0.0\n";
    let repository = Repository::new(&[("shop/Chart.yaml", chart), ("shop/templates/a.yaml", template)]);
    let up = start("clock", &repository).await;
    up.until_ready("shop", None).await;
    // The App is older than this commit, and what the chart reads is as before.
    repository.commit("beside the chart", &[("README.md", "words")]);
    until_data(&up, "seen", "now", &repository.git(&["log", "-1", "--format=%ct"])).await;
}
