//! What an App does when a sync goes wrong, or would destroy what a person wants to be asked about.

use serde_json::json;

use crate::{
    file,
    harness::{Nodes, Repository, Up, config_map},
    start,
};

/// A Deployment that becomes available at once, or never.
fn workload(name: &str, fails: bool) -> String {
    let (replicas, annotations) = if fails { (1, "{sandbox.lockstep.dev/fail: CrashLoopBackOff}") } else { (0, "{}") };
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  replicas: {replicas}\n  \
         selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    metadata:\n      labels: {{app: {name}}}\n      \
         annotations: {annotations}\n    spec:\n      containers: [{{name: main, image: example.com/main}}]\n"
    )
}

async fn change(up: &Up, patch: serde_json::Value) {
    up.cluster.merge(&up.app_path("shop"), &patch).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_atomic_app_goes_back_and_holds_until_git_is_mended() {
    let all = file("all.yaml");
    let repository = Repository::new(&[(&all, &workload("web", false)), (&file("a.yaml"), &config_map("a", "one"))]);
    let up = start("atomic", &repository).await;
    let _nodes = Nodes::pretend(&up);
    let good = up.until_ready("shop", None).await.str_at(&["status", "revision"]).to_owned();
    change(&up, json!({"spec": {"sync": {"atomic": true, "timeoutSeconds": 2}}})).await;

    let bad = [(all.as_str(), &*workload("web", true)), (&file("a.yaml"), &config_map("a", "two"))];
    let bad = repository.commit("bad", &bad);
    let app = up.until_message("shop", "went back to").await;
    let message = app.str_at(&["status", "message"]);
    assert!(message.contains(&format!("revert {}", &bad[..12])) && message.contains("Deployment/web"), "{message}");
    assert_eq!(app.str_at(&["status", "revision"]), good);
    assert_eq!(up.object("v1/configmaps/a").await.unwrap().str_at(&["data", "key"]), "one");

    let mended = repository.commit("mended", &[(&all, &workload("web", false))]);
    up.until_ready("shop", Some(&mended)).await;
    assert_eq!(up.object("v1/configmaps/a").await.unwrap().str_at(&["data", "key"]), "two");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_deleted_after_a_persons_word_where_an_object_asks_for_it() {
    let precious = config_map("precious", "one")
        .replace("  name:", "  annotations: {argocd.argoproj.io/sync-options: Delete=confirm}\n  name:");
    let repository =
        Repository::new(&[(&file("precious.yaml"), &precious), (&file("a.yaml"), &config_map("a", "one"))]);
    let up = start("asking", &repository).await;
    up.until_ready("shop", None).await;
    let uid = up.app("shop").await.unwrap().str_at(&["metadata", "uid"]).to_owned();
    let key = lockstep_object::ObjectKey::new("lockstep.dev", "App", &up.apps, "shop");
    up.cluster.delete(&key, "v1alpha1", &uid).await.unwrap();
    let app = up.until_message("shop", "until you agree").await;
    assert!(up.object("v1/configmaps/precious").await.is_some() && up.object("v1/configmaps/a").await.is_some());
    let word = app.str_at(&["status", "asks"]);
    change(&up, json!({"metadata": {"annotations": {"lockstep.dev/confirm-prune": word}}})).await;
    up.until("the App and its objects are gone", async |up| {
        let left = up.app("shop").await.is_some() || up.object("v1/configmaps/precious").await.is_some();
        (!left).then_some(())
    })
    .await;
    assert!(up.object("v1/configmaps/a").await.is_none());
}
