//! The product as a person meets it: the binary, a repository, a cluster.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, clippy::print_stderr)]

mod adversity;
mod apps;
mod charts;
mod docs;
mod harness;
mod healthy;
mod hooks;
mod keeping;
mod kubectl;
mod kustomize;
mod parity;
mod safety;
mod server;
mod sources;
mod watchers;

use harness::{Repository, Up, config_map};
use lockstep_object::ObjectKey;

/// The App that `up` makes is named after the folder, which is a temporary one: tests put theirs below it.
const FOLDER: &str = "shop";

fn file(name: &str) -> String {
    format!("{FOLDER}/{name}")
}

async fn start(test: &str, repository: &Repository) -> Up {
    Up::start(test, &repository.path().join(FOLDER), &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_becomes_a_cluster_and_follows_commits_deletions_and_reverts() {
    let repository =
        Repository::new(&[(&file("a.yaml"), &config_map("a", "one")), (&file("b.yaml"), &config_map("b", "one"))]);
    let up = start("follow", &repository).await;
    up.until_ready("shop", None).await;
    assert_eq!(up.object("v1/configmaps/a").await.unwrap().str_at(&["data", "key"]), "one");

    let second = repository.commit("two", &[(&file("a.yaml"), &config_map("a", "two")), (&file("b.yaml"), "")]);
    let app = up.until_ready("shop", Some(&second)).await;
    assert_eq!(up.object("v1/configmaps/a").await.unwrap().str_at(&["data", "key"]), "two");
    assert!(up.object("v1/configmaps/b").await.is_none(), "b left the repository");
    let last = app.at(&["status", "history"]).unwrap().as_list().unwrap()[0].clone();
    assert_eq!(last.get("author").unwrap().as_str(), Some("Ada"));
    assert_eq!(last.get("message").unwrap().as_str(), Some("two"));

    repository.git(&["revert", "--no-edit", "HEAD"]);
    let reverted = repository.git(&["rev-parse", "HEAD"]);
    up.until_ready("shop", Some(&reverted)).await;
    assert_eq!(up.object("v1/configmaps/a").await.unwrap().str_at(&["data", "key"]), "one");
    assert!(up.object("v1/configmaps/b").await.is_some());
    up.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_is_told_with_its_line_and_the_cluster_stays() {
    let repository = Repository::new(&[(&file("a.yaml"), &config_map("a", "one"))]);
    let up = start("broken", &repository).await;
    up.until_ready("shop", None).await;
    repository.commit(
        "broken",
        &[(&file("b.yaml"), "apiVersion: v1\nkind: [\n"), (&file("a.yaml"), &config_map("a", "two"))],
    );
    up.until_message("shop", "shop/b.yaml:").await;
    assert_eq!(up.object("v1/configmaps/a").await.unwrap().str_at(&["data", "key"]), "one");
    let mended = repository.commit("mended", &[(&file("b.yaml"), "")]);
    up.until_ready("shop", Some(&mended)).await;
    assert_eq!(up.object("v1/configmaps/a").await.unwrap().str_at(&["data", "key"]), "two");
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_is_healed_and_its_author_told() {
    let repository = Repository::new(&[(&file("a.yaml"), &config_map("a", "one"))]);
    let up = start("drift", &repository).await;
    up.until_ready("shop", None).await;
    let theirs = format!(
        r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"a","namespace":"{}"}},"data":{{"key":"theirs"}}}}"#,
        up.namespace
    );
    let patch = serde_json_value(&theirs);
    up.cluster.merge(&up.object_path("configmaps/a"), &patch).await.unwrap();
    up.until("the value is set back", async |up| {
        (up.object("v1/configmaps/a").await?.str_at(&["data", "key"]) == "one").then_some(())
    })
    .await;
    let key = ObjectKey::new("", "ConfigMap", &up.namespace, "a");
    let uid = up.object("v1/configmaps/a").await.unwrap().str_at(&["metadata", "uid"]).to_owned();
    up.cluster.delete(&key, "v1", &uid).await.unwrap();
    up.until("the object is made again", async |up| {
        let object = up.object("v1/configmaps/a").await?;
        (object.str_at(&["metadata", "uid"]) != uid).then_some(())
    })
    .await;
    up.until("the drift is told", async |up| {
        let app = up.app("shop").await?;
        let drift = app.at(&["status", "drift"])?.as_list()?.len();
        (drift >= 2).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_force_push_is_followed() {
    let repository = Repository::new(&[(&file("a.yaml"), &config_map("a", "one"))]);
    let up = start("force", &repository).await;
    up.until_ready("shop", None).await;
    repository.write(&[(&file("a.yaml"), &config_map("a", "rewritten"))]);
    repository.git(&["commit", "-q", "-a", "--amend", "-m", "rewritten"]);
    let rewritten = repository.git(&["rev-parse", "HEAD"]);
    up.until_ready("shop", Some(&rewritten)).await;
    assert_eq!(up.object("v1/configmaps/a").await.unwrap().str_at(&["data", "key"]), "rewritten");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_source_and_duplicates_are_refused() {
    let repository = Repository::new(&[(&file("a.yaml"), &config_map("a", "one")), ("README.md", "x")]);
    let up = start("refused", &repository).await;
    up.until_ready("shop", None).await;
    repository.commit("duplicate", &[(&file("b.yaml"), &config_map("a", "two"))]);
    up.until_message("shop", "a second time").await;
    repository.commit("empty", &[(&file("a.yaml"), ""), (&file("b.yaml"), ""), (&file("README.md"), "empty")]);
    up.until_message("shop", "would be deleted").await;
    assert_eq!(up.object("v1/configmaps/a").await.unwrap().str_at(&["data", "key"]), "one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worktree_is_deployed_as_it_is_saved() {
    let repository = Repository::new(&[(&file("a.yaml"), &config_map("a", "one"))]);
    let up = Up::start("worktree", &repository.path().join(FOLDER), &["--worktree"]).await;
    up.until_ready("shop", None).await;
    repository.write(&[(&file("a.yaml"), &config_map("a", "saved"))]);
    up.until("what was saved is deployed", async |up| {
        (up.object("v1/configmaps/a").await?.str_at(&["data", "key"]) == "saved").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workloads_become_healthy_and_the_process_ends_when_asked() {
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 0\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec:\n      containers: [{name: web, image: example.com/web}]\n";
    let repository = Repository::new(&[(&file("web.yaml"), deployment)]);
    let up = start("workload", &repository).await;
    let app = up.until_ready("shop", None).await;
    assert_eq!(app.str_at(&["status", "health"]), "Healthy");
    up.cluster.merge(&up.app_path("shop"), &serde_json_value(r#"{"spec":{"suspend":true}}"#)).await.unwrap();
    up.until("it is suspended", async |up| {
        (up.app("shop").await?.str_at(&["status", "phase"]) == "Suspended").then_some(())
    })
    .await;
    up.stop();
}

fn serde_json_value(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}
