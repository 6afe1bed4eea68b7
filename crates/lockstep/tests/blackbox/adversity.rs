//! What goes wrong: each has a clear condition, loses nothing, and is over without a person once its cause is.

use std::io::Write;

use lockstep_testkit::git::Repo;
use serde_json::{Value, json};

use crate::{
    harness::config_map,
    server::{Run, Server},
};

fn repository() -> Repo {
    let repo = Repo::new();
    repo.commit_file("shop/a.yaml", config_map("a", "one"));
    repo
}

async fn shop(test: &str) -> (Server, Repo, Run) {
    let server = Server::start(test).await;
    let repo = repository();
    let run = Run::start(&server, None, &[]).await;
    server.make_app("shop", json!({"url": repo.url(), "path": "shop"})).await;
    run.until_ready(&server, "shop", &repo.head()).await;
    (server, repo, run)
}

/// Aliases of aliases: a few hundred bytes that mean gigabytes.
fn yaml_bomb() -> String {
    let mut text =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bomb}\nx0: &x0 [a, a, a, a, a, a, a, a, a, a]\n".to_owned();
    for level in 1..12 {
        let before = format!("*x{}", level - 1);
        text.push_str(&format!("x{level}: &x{level} [{}]\n", [before.as_str(); 10].join(", ")));
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_files_are_refused_with_their_name_and_change_nothing() {
    let (server, repo, run) = shop("hostile").await;
    let first = repo.head();
    let huge = format!("{}  big: {}\n", config_map("huge", "one"), "x".repeat(10 << 20));
    for (name, contents) in [("bomb.yaml", yaml_bomb()), ("huge.yaml", huge)] {
        repo.write("shop/a.yaml", config_map("a", "changed"));
        repo.commit_file(&format!("shop/{name}"), contents);
        run.until_message(&server, "shop", name).await;
        assert_eq!(server.config_map("a").await.unwrap().str_at(&["data", "key"]), "one", "{name}");
        repo.remove(&format!("shop/{name}")).write("shop/a.yaml", config_map("a", "one"));
        repo.commit("mended");
        // The objects are those of the first commit again, and it stays the one that made them.
        run.until_ready(&server, "shop", &first).await;
    }
    repo.link("shop/secret.yaml", "../../../../../../etc/hostname");
    repo.commit("a link out of the repository");
    run.until_message(&server, "shop", "secret.yaml").await;
    assert!(server.config_map("a").await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_files_beside_the_manifests_are_no_burden() {
    let (server, repo, run) = shop("many").await;
    let mut stream =
        "blob\nmark :1\ndata 2\nx\n\ncommit refs/heads/main\ncommitter Ada <ada@example.com> 1700000001 +0000\n\
                      data 4\nmany\nfrom refs/heads/main^0\n"
            .to_owned();
    (0..100_000).for_each(|n| stream.push_str(&format!("M 644 :1 shop/assets/{}/{n}.txt\n", n % 100)));
    stream.push_str(&format!("M 644 inline shop/a.yaml\ndata <<END\n{}END\n\n", config_map("a", "two")));
    let mut import = std::process::Command::new("git")
        .args(["fast-import", "--quiet"])
        .current_dir(repo.path())
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    import.stdin.take().unwrap().write_all(stream.as_bytes()).unwrap();
    assert!(import.wait().unwrap().success());
    run.until_ready(&server, "shop", &repo.head()).await;
    assert_eq!(server.config_map("a").await.unwrap().str_at(&["data", "key"]), "two");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_app_that_claims_an_object_is_refused_and_goes_on_when_the_first_is_gone() {
    let (server, repo, run) = shop("claim").await;
    server.make_app("copy", json!({"url": repo.url(), "path": "shop"})).await;
    run.until_message(&server, "copy", "shop").await;
    let first = server.app("shop").await.unwrap();
    assert!(crate::harness::is_ready(&first), "the first goes on");
    let path = format!("/apis/lockstep.dev/v1alpha1/namespaces/{}/apps/shop", server.namespace);
    server.cluster.merge(&path, &json!({"spec": {"sync": {"deletion": "Orphan"}}})).await.unwrap();
    let app = server.app("shop").await.unwrap();
    let key = lockstep_object::ObjectKey::new("lockstep.dev", "App", &server.namespace, "shop");
    server.cluster.delete(&key, "v1alpha1", app.str_at(&["metadata", "uid"])).await.unwrap();
    run.until_ready(&server, "copy", &repo.head()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_that_comes_later_is_waited_for() {
    let (server, repo, run) = shop("kind").await;
    let group = "later.example.com";
    let widget = format!("apiVersion: {group}/v1\nkind: Widget\nmetadata: {{name: w}}\nspec: {{size: 3}}\n");
    let commit = repo.commit_file("shop/widget.yaml", widget);
    run.until_message(&server, "shop", "Widget").await;
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    server
        .apply(json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("widgets.{group}")},
            "spec": {"group": group, "scope": "Namespaced", "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}]}}))
        .await;
    run.until_ready(&server, "shop", &commit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_namespace_is_told_and_waited_for_or_made_if_wanted() {
    let (server, repo, run) = shop("namespace").await;
    let (later, made) = (format!("{}-later", server.namespace), format!("{}-made", server.namespace));
    let source = json!({"git": {"url": repo.url(), "path": "shop"}});
    server.make_app_of("later", json!({"source": source, "destination": {"namespace": later}})).await;
    server
        .make_app_of(
            "made",
            json!({"source": source, "destination": {"namespace": made}, "sync": {"createNamespace": true}}),
        )
        .await;
    run.until_ready(&server, "made", &repo.head()).await;
    run.until_message(&server, "later", &later).await;
    server.make_namespace(&later).await;
    run.until_ready(&server, "later", &repo.head()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rbac_forbids_is_told_and_done_once_it_is_allowed() {
    let server = Server::start("rbac").await;
    // The definitions are there before an operator that may not make them comes.
    drop(Run::start(&server, None, &[]).await);
    let account = json!({"name": "operator", "namespace": server.namespace});
    server.apply(json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})).await;
    let role = |name: &str, rules: Value| json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules});
    let (first, second) = (format!("{}-first", server.namespace), format!("{}-second", server.namespace));
    let read = json!({"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]});
    let apps = json!({"apiGroups": ["lockstep.dev"], "resources": ["*"], "verbs": ["*"]});
    let events = json!({"apiGroups": [""], "resources": ["events"], "verbs": ["create", "patch"]});
    server.apply(role(&first, json!([read, apps, events]))).await;
    server.apply(role(&second, json!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"]}]))).await;
    let bind = async |name: &str| {
        let subject = json!({"kind": "ServiceAccount", "name": "operator", "namespace": server.namespace});
        server.apply(json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}, "subjects": [subject]})).await;
    };
    bind(&first).await;
    let path = format!("/api/v1/namespaces/{}/serviceaccounts/operator/token", server.namespace);
    let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
    let token = server.cluster.create(&path, &request).await.unwrap();
    let run = Run::start(&server, Some(token.str_at(&["status", "token"])), &[]).await;
    let repo = repository();
    server.make_app("shop", json!({"url": repo.url(), "path": "shop"})).await;
    run.until_message(&server, "shop", "configmaps").await;
    assert!(server.config_map("a").await.is_none());
    bind(&second).await;
    run.until_ready(&server, "shop", &repo.head()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_is_gone_for_a_while_is_waited_for() {
    let (server, repo, run) = shop("gone").await;
    run.line.cut();
    let commit = repo.commit_file("shop/a.yaml", config_map("a", "two"));
    run.until("the operator tried again and again", async || (run.line.refused() >= 3).then_some(())).await;
    let theirs = json!({"data": {"key": "theirs"}});
    let path = format!("/api/v1/namespaces/{}/configmaps/a", server.namespace);
    server.cluster.merge(&path, &theirs).await.unwrap();
    run.line.mend();
    run.until_ready(&server, "shop", &commit).await;
    run.until("the commit won", async || {
        (server.config_map("a").await?.str_at(&["data", "key"]) == "two").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_allows_only_what_it_says() {
    let (server, repo, run) = shop("project").await;
    let metadata = json!({"name": "team", "namespace": server.namespace});
    let project = |kinds: Value| {
        json!({"apiVersion": "lockstep.dev/v1alpha1", "kind": "Project", "metadata": metadata,
            "spec": {"sources": [format!("{}*", repo.url())], "destinations": [{"namespace": server.namespace}], "kinds": kinds}})
    };
    repo.commit_file("team/b.yaml", config_map("b", "one"));
    let spec = json!({"project": "team", "source": {"git": {"url": repo.url(), "path": "team"}}, "destination": {"namespace": server.namespace}});
    server.make_app_of("team", spec).await;
    run.until_message(&server, "team", "team").await;
    server.apply(project(json!([{"group": "apps", "kind": "*"}]))).await;
    run.until_message(&server, "team", "ConfigMap").await;
    assert!(server.config_map("b").await.is_none());
    server.apply(project(json!([{"group": "", "kind": "ConfigMap"}]))).await;
    run.until_ready(&server, "team", &repo.head()).await;
}
