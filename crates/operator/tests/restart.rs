//! What a restart costs: nothing.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use lockstep_cluster::{Cluster, Verb};
use lockstep_object::ObjectKey;
use lockstep_operator::{Handle, Operator, Settings};
use lockstep_sandbox::{Options, Sandbox};
use serde_json::json;

const APPS: usize = 5;

fn git(folder: &Path, arguments: &[&str]) {
    let identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"];
    let output = Command::new("git").args(identity).args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn repository(folder: &Path) {
    git(folder, &["init", "-q", "-b", "main"]);
    for place in 0..APPS {
        let app = folder.join(format!("app-{place}"));
        std::fs::create_dir_all(&app).unwrap();
        let text = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a{place}}}\ndata: {{key: one}}\n");
        std::fs::write(app.join("a.yaml"), text).unwrap();
    }
    git(folder, &["add", "-A"]);
    git(folder, &["commit", "-q", "-m", "first"]);
}

async fn until_ready(operator: &Handle) {
    let begun = Instant::now();
    loop {
        let apps = operator.apps().await.unwrap();
        let ready = |app: &&lockstep_operator::AppView| {
            app.status.conditions.iter().any(|condition| condition.kind == "Ready" && condition.status == "True")
        };
        if apps.iter().filter(ready).count() == APPS {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "not ready: {apps:#?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A cluster with Apps, of which each has a folder of one repository.
struct World {
    folder: tempfile::TempDir,
    kubeconfig: std::path::PathBuf,
    cluster: Cluster,
    collection: String,
    _served: lockstep_sandbox::Served,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("repository");
        std::fs::create_dir_all(&source).unwrap();
        repository(&source);
        let sandbox = Sandbox::new(Options { controllers: true, ..Options::default() }).unwrap();
        let served = sandbox.serve(([127, 0, 0, 1], 0).into()).await.unwrap();
        let kubeconfig = folder.path().join("kubeconfig");
        std::fs::write(&kubeconfig, sandbox.kubeconfig(served.addr)).unwrap();
        let cluster = Cluster::connect(Some(&kubeconfig), None).await.unwrap();
        cluster.refresh_discovery(0).await.unwrap();
        for crd in lockstep_api::crds() {
            let name = crd["metadata"]["name"].as_str().unwrap().to_owned();
            let key = ObjectKey::new("apiextensions.k8s.io", "CustomResourceDefinition", "", &name);
            cluster.apply(&key, "v1", crd.to_string().as_bytes()).await.unwrap();
        }
        let collection = format!("/apis/{}/namespaces/default/apps", lockstep_api::API_VERSION);
        until("the definitions are served", async || cluster.get(&collection).await.is_ok()).await;
        for place in 0..APPS {
            let app = json!({
                "apiVersion": lockstep_api::API_VERSION, "kind": "App",
                "metadata": {"name": format!("app-{place}"), "namespace": "default"},
                "spec": {"source": {"git": {"url": source, "path": format!("app-{place}")}}},
            });
            cluster.create(&collection, &app).await.unwrap();
        }
        Self { folder, kubeconfig, cluster, collection, _served: served }
    }

    /// Starts an operator and waits until all Apps are ready.
    async fn start(&self) -> Handle {
        let settings = Settings { cache: self.folder.path().join("cache"), ..Settings::default() };
        let cluster = Cluster::connect(Some(&self.kubeconfig), None).await.unwrap();
        let operator = Operator::start(cluster, settings).await.unwrap();
        until_ready(&operator).await;
        operator
    }
}

async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < Duration::from_secs(30), "not within 30 s: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_operator_writes_nothing_when_nothing_changed() {
    let world = World::new().await;
    world.start().await.stop().await;

    let second = world.start().await;
    // Stopping writes whatever was still to be written: nothing.
    second.stop().await;
    for verb in [Verb::Apply, Verb::Patch, Verb::Status, Verb::Create, Verb::Delete] {
        assert_eq!(second.cluster().counts().get(verb), 0, "{}", verb.as_str());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_operator_left_is_set_right() {
    let world = World::new().await;
    world.start().await.stop().await;
    // It applied an object of a kind that no status names, and was killed before it recorded it.
    let key = ObjectKey::new("", "Secret", "default", "left");
    let left = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "left", "namespace": "default", "labels": {lockstep_api::APP_LABEL: "default.app-0"}},
    });
    world.cluster.apply(&key, "v1", left.to_string().as_bytes()).await.unwrap();

    let second = world.start().await;
    until("the object goes", async || world.cluster.live(&key, "v1").await.unwrap().is_none()).await;
    // Its last status came after that of the operator that followed it.
    let path = format!("{}/app-1/status", world.collection);
    world.cluster.merge(&path, &json!({"status": {"phase": "Failed", "message": "late"}})).await.unwrap();
    let phase = async || world.cluster.get(&path).await.unwrap().str_at(&["status", "phase"]) == "Synced";
    until("the status is written again", phase).await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_applied_in_a_version_that_is_gone_is_found_and_deleted() {
    let world = World::new().await;
    let key = ObjectKey::new("apps", "Deployment", "default", "old");
    let old = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "old", "namespace": "default"},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": {
            "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "a", "image": "a"}]}}},
    });
    world.cluster.apply(&key, "v1", old.to_string().as_bytes()).await.unwrap();
    let live = world.cluster.live(&key, "v1beta1").await.unwrap().unwrap();
    world.cluster.delete(&key, "v1beta1", live.str_at(&["metadata", "uid"])).await.unwrap();
    assert!(world.cluster.live(&key, "v1").await.unwrap().is_none());
}
