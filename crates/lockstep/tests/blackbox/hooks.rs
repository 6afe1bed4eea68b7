//! Waves and hooks of the three dialects, as the example repositories of the field use them.

use std::collections::BTreeMap;

use lockstep_object::{Object, ObjectKey, Value};

use crate::{
    file,
    harness::{Nodes, Repository, Up},
    start,
};

fn list_at<'o>(object: &'o Object, keys: &[&str]) -> &'o [Value] {
    object.at(keys).and_then(Value::as_list).map_or(&[], |list| list)
}

/// Returns what the newest entry of the history says of the hooks: `PreSync schema- Succeeded`.
fn hooks_of(app: &Object) -> Vec<String> {
    let entry = &list_at(app, &["status", "history"])[0];
    let text = |hook: &Value, key: &str| hook.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let hooks = entry.get("hooks").and_then(Value::as_list);
    let word = |hook: &Value| {
        let name = text(hook, "object");
        let name = name.rsplit('/').next().unwrap_or_default();
        // The rest of a generated name is a digest.
        let name = name.strip_prefix("schema-").map_or(name, |_| "schema-");
        format!("{} {name} {}", text(hook, "phase"), text(hook, "outcome"))
    };
    hooks.into_iter().flatten().map(word).collect()
}

/// Tells when each object of a kind was made, by name.
async fn created(up: &Up, plural: &str) -> BTreeMap<String, String> {
    let path = format!("/apis/{plural}").replace("NS", &format!("namespaces/{}", up.namespace));
    let list = up.cluster.get(&path).await.unwrap();
    let text =
        |item: &Value, key: &str| item.at(&["metadata", key]).and_then(Value::as_str).unwrap_or_default().to_owned();
    list_at(&list, &["items"]).iter().map(|item| (text(item, "name"), text(item, "creationTimestamp"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn waves_and_hooks_run_in_their_order_and_again_only_for_a_change() {
    let manifests = include_str!("manifests/waves.yaml");
    let repository = Repository::new(&[(&file("all.yaml"), manifests)]);
    let up = start("waves", &repository).await;
    let _nodes = Nodes::pretend(&up);
    let app = up.until_ready("shop", None).await;
    assert_eq!(hooks_of(&app), ["PreSync schema- Succeeded", "Sync page-up Succeeded", "Sync page-down Succeeded"]);
    let sets = created(&up, "apps/v1/NS/replicasets").await;
    let jobs = created(&up, "batch/v1/NS/jobs").await;
    let schema = jobs.iter().find(|(name, _)| name.starts_with("schema-")).unwrap().1;
    let order = [schema, &sets["backend"], &jobs["page-up"], &sets["frontend"], &jobs["page-down"]];
    assert!(order.windows(2).all(|pair| pair[0] <= pair[1]), "{order:?}");

    let uid = |job: &Object| job.str_at(&["metadata", "uid"]).to_owned();
    let first = uid(&up.object("batch/v1/jobs/page-up").await.unwrap());
    let backend = uid(&up.object("apps/v1/replicasets/backend").await.unwrap());
    let key = ObjectKey::new("apps", "ReplicaSet", &up.namespace, "backend");
    up.cluster.delete(&key, "v1", &backend).await.unwrap();
    up.until("the backend is made again", async |up| {
        (uid(&up.object("apps/v1/replicasets/backend").await?) != backend).then_some(())
    })
    .await;
    up.until_ready("shop", None).await;
    assert_eq!(uid(&up.object("batch/v1/jobs/page-up").await.unwrap()), first, "a repair runs no hook");
    let changed = repository.commit("backend", &[(&file("all.yaml"), &manifests.replace("com/backend", "com/new"))]);
    up.until_ready("shop", Some(&changed)).await;
    assert_ne!(uid(&up.object("batch/v1/jobs/page-up").await.unwrap()), first, "it was made anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_around_a_sync_go_when_they_succeeded() {
    let repository = Repository::new(&[(&file("all.yaml"), include_str!("manifests/around.yaml"))]);
    let up = start("around", &repository).await;
    let _nodes = Nodes::pretend(&up);
    let app = up.until_ready("shop", None).await;
    assert_eq!(hooks_of(&app), ["PreSync before Succeeded", "PostSync after Succeeded"]);
    up.until("both hooks are gone", async |up| {
        let (before, after) = (up.object("batch/v1/jobs/before").await, up.object("batch/v1/jobs/after").await);
        (before.is_none() && after.is_none()).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn helms_annotations_are_hooks_in_the_order_of_their_weights() {
    let repository = Repository::new(&[(&file("all.yaml"), include_str!("manifests/helm.yaml"))]);
    let up = start("helmhooks", &repository).await;
    let _nodes = Nodes::pretend(&up);
    let app = up.until_ready("shop", None).await;
    assert_eq!(
        hooks_of(&app),
        ["PreSync schema- Succeeded", "PreSync page-up Succeeded", "PostSync page-down Succeeded"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_hook_stops_the_sync_and_is_told_with_its_reason() {
    let repository = Repository::new(&[(&file("all.yaml"), include_str!("manifests/failing.yaml"))]);
    let up = start("failing", &repository).await;
    let _nodes = Nodes::pretend(&up);
    let app = up.until_message("shop", "the PreSync hook").await;
    assert!(app.str_at(&["status", "message"]).contains("longer than specified deadline"), "{app:?}");
    assert_eq!(hooks_of(&app), ["PreSync doomed Failed", "SyncFail sorry Succeeded"]);
    assert!(up.object("v1/configmaps/a").await.is_none(), "nothing after it was applied");
    let mended = repository.commit("mended", &[(&file("all.yaml"), include_str!("manifests/around.yaml"))]);
    up.until_ready("shop", Some(&mended)).await;
}
