//! Repositories behind a network: HTTP with credentials, ssh, webhooks, branches that vanish.

use base64::Engine;
use lockstep_testkit::git::{Auth, HttpOptions, HttpServer, Repo, SshServer};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    harness::config_map,
    server::{Run, Server, lockstep},
};

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}")))
}

/// A repository with one ConfigMap, and the bare copy that a server serves.
fn repository(server: &Server) -> (Repo, std::path::PathBuf) {
    let repo = Repo::new();
    repo.commit_file("shop/a.yaml", config_map("a", "one"));
    let bare = repo.bare_copy(server.folder.path().join("served/shop.git"));
    (repo, bare)
}

#[tokio::test(flavor = "multi_thread")]
async fn http_with_credentials_recovers_when_the_secret_is_mended_and_rolls_back_by_a_commit() {
    let server = Server::start("http").await;
    let (repo, bare) = repository(&server);
    let options = HttpOptions { auth: Auth::Header(basic("ada", "right")), tls: true };
    let git = HttpServer::start(&server.folder.path().join("served"), options).await;
    let run = Run::start(&server, None, &[]).await;
    let secret = |password: &str| {
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "git", "namespace": server.namespace},
            "stringData": {"username": "ada", "password": password, "ca.crt": git.ca().unwrap()}})
    };
    server.apply(secret("wrong")).await;
    let source = json!({"url": git.url("shop.git"), "ref": "main", "path": "shop", "secretRef": {"name": "git"}, "intervalSeconds": 1});
    server.make_app("shop", source).await;
    let app = run.until_message(&server, "shop", "credentials").await;
    assert!(!app.str_at(&["status", "message"]).contains("wrong"), "a secret is never shown");

    server.apply(secret("right")).await;
    run.until_ready(&server, "shop", &repo.head()).await;

    let two = repo.commit_file("shop/a.yaml", config_map("a", "two"));
    repo.push_all(&bare.display().to_string());
    run.until_ready(&server, "shop", &two).await;
    assert_eq!(server.config_map("a").await.unwrap().str_at(&["data", "key"]), "two");

    let log = server.folder.path().join("rollback.log");
    let mut rollback = lockstep(&log);
    rollback.args(["app", "rollback", "shop", "-n", &server.namespace, "--kubeconfig"]).arg(&server.kubeconfig);
    let status = rollback.status().unwrap();
    assert!(status.success(), "{}", std::fs::read_to_string(&log).unwrap());
    let reverted = lockstep_testkit::git::git(&bare, &["rev-parse", "main"]);
    assert_ne!(reverted, two, "the repository has one commit more");
    run.until_ready(&server, "shop", &reverted).await;
    assert_eq!(server.config_map("a").await.unwrap().str_at(&["data", "key"]), "one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_makes_it_look_at_once_if_it_knows_the_secret() {
    let server = Server::start("webhook").await;
    let (repo, bare) = repository(&server);
    let git = HttpServer::start(&server.folder.path().join("served"), HttpOptions::default()).await;
    let secret = server.folder.path().join("webhook-secret");
    std::fs::write(&secret, "s3cret\n").unwrap();
    let run = Run::start(&server, None, &["--webhook-secret-file", &secret.display().to_string()]).await;
    let url = git.url("shop.git");
    server.make_app("shop", json!({"url": url, "path": "shop", "intervalSeconds": 86400})).await;
    run.until_ready(&server, "shop", &repo.head()).await;

    let two = repo.commit_file("shop/a.yaml", config_map("a", "two"));
    repo.push_all(&bare.display().to_string());
    assert_eq!(push(&run, "wrong", &url, &two).await, "401");
    assert_eq!(push(&run, "s3cret", &url, &two).await, "200");
    run.until_ready(&server, "shop", &two).await;
}

/// Tells of a push as GitLab does; returns the status.
async fn push(run: &Run, token: &str, url: &str, commit: &str) -> String {
    let body = json!({"object_kind": "push", "ref": "refs/heads/main", "after": commit,
        "project": {"git_http_url": url, "git_ssh_url": "git@example.com:shop.git"}})
    .to_string();
    let head = format!(
        "POST /api/webhook HTTP/1.1\r\nHost: test\r\nConnection: close\r\nX-Gitlab-Event: Push Hook\r\n\
         X-Gitlab-Token: {token}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(run.http).await.unwrap();
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn ssh_checks_the_hosts_key_and_follows() {
    let server = Server::start("ssh").await;
    let (repo, bare) = repository(&server);
    let Some(ssh) = SshServer::start(false).await else {
        eprintln!("no sshd is installed here: nothing is tested over ssh");
        return;
    };
    let run = Run::start(&server, None, &[]).await;
    let secret = |known_hosts: String| {
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "git", "namespace": server.namespace},
            "stringData": {"identity": ssh.identity(), "known_hosts": known_hosts}})
    };
    server.apply(secret(ssh.wrong_known_hosts())).await;
    let source = json!({"url": ssh.url(&bare), "path": "shop", "secretRef": {"name": "git"}, "intervalSeconds": 1});
    server.make_app("shop", source).await;
    run.until_message(&server, "shop", "known_hosts").await;
    server.apply(secret(ssh.known_hosts())).await;
    run.until_ready(&server, "shop", &repo.head()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_that_vanishes_and_a_host_that_fails_leave_the_last_good_state() {
    let server = Server::start("vanish").await;
    let (repo, bare) = repository(&server);
    let git = HttpServer::start(&server.folder.path().join("served"), HttpOptions::default()).await;
    let run = Run::start(&server, None, &[]).await;
    let source = json!({"url": git.url("shop.git"), "ref": "main", "path": "shop", "intervalSeconds": 1});
    server.make_app("shop", source).await;
    let one = repo.head();
    run.until_ready(&server, "shop", &one).await;

    let bare_git = |arguments: &[&str]| lockstep_testkit::git::git(&bare, arguments);
    bare_git(&["update-ref", "refs/heads/kept", &one]);
    bare_git(&["update-ref", "-d", "refs/heads/main"]);
    run.until_message(&server, "shop", "main").await;
    assert!(server.config_map("a").await.is_some(), "nothing is deleted because a branch is gone");
    bare_git(&["update-ref", "refs/heads/main", &one]);
    run.until_ready(&server, "shop", &one).await;

    git.fail_with(503);
    run.until_message(&server, "shop", "503").await;
    assert!(server.config_map("a").await.is_some());
    git.fail_with(0);
    let two = repo.commit_file("shop/a.yaml", config_map("a", "two"));
    repo.push_all(&bare.display().to_string());
    run.until_ready(&server, "shop", &two).await;
}
