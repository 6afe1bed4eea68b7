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

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_operator_writes_nothing_when_nothing_changed() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("repository");
    std::fs::create_dir_all(&source).unwrap();
    repository(&source);
    let sandbox = Sandbox::new(Options { controllers: true, ..Options::default() }).unwrap();
    let served = sandbox.serve(([127, 0, 0, 1], 0).into()).await.unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    std::fs::write(&kubeconfig, sandbox.kubeconfig(served.addr)).unwrap();
    let connect = async || Cluster::connect(Some(&kubeconfig), None).await.unwrap();
    let cluster = connect().await;
    cluster.refresh_discovery(0).await.unwrap();
    for crd in lockstep_api::crds() {
        let name = crd["metadata"]["name"].as_str().unwrap().to_owned();
        let key = ObjectKey::new("apiextensions.k8s.io", "CustomResourceDefinition", "", &name);
        cluster.apply(&key, "v1", crd.to_string().as_bytes()).await.unwrap();
    }
    let collection = format!("/apis/{}/namespaces/default/apps", lockstep_api::API_VERSION);
    let begun = Instant::now();
    while cluster.get(&collection).await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(30), "the definitions are not served");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for place in 0..APPS {
        let app = json!({
            "apiVersion": lockstep_api::API_VERSION, "kind": "App",
            "metadata": {"name": format!("app-{place}"), "namespace": "default"},
            "spec": {"source": {"git": {"url": source, "path": format!("app-{place}")}}},
        });
        cluster.create(&collection, &app).await.unwrap();
    }
    let settings = || Settings { cache: folder.path().join("cache"), ..Settings::default() };

    let first = Operator::start(cluster, settings()).await.unwrap();
    until_ready(&first).await;
    first.stop().await;

    let second = Operator::start(connect().await, settings()).await.unwrap();
    until_ready(&second).await;
    // Stopping writes whatever was still to be written: nothing.
    second.stop().await;
    for verb in [Verb::Apply, Verb::Patch, Verb::Status, Verb::Create, Verb::Delete] {
        assert_eq!(second.cluster().counts().get(verb), 0, "{}", verb.as_str());
    }
}
