//! Repositories behind HTTP.

use lockstep_sources::{Credentials, Error, ErrorKind, Git, GitSpec, Reference, Revision, WatchOptions};
use lockstep_testkit::git::{Auth, HttpOptions, HttpServer, Repo};
use tempfile::TempDir;

use crate::{branch, handle, open, soon, text};

/// A server with one repository of three commits, and a handle.
struct Fixture {
    repo: Repo,
    server: HttpServer,
    folder: TempDir,
    git: Git,
    ids: Vec<String>,
}

impl Fixture {
    async fn start(options: HttpOptions) -> Self {
        let (repo, folder) = (Repo::new(), tempfile::tempdir().unwrap());
        let ids =
            (1..=3).map(|number| repo.write("same", "same").commit_file("apps/a.yaml", number.to_string())).collect();
        repo.bare_copy(folder.path().join("repo.git"));
        let server = HttpServer::start(folder.path(), options).await;
        let git = handle(&folder.path().join("cache"));
        Self { repo, server, folder, git, ids }
    }

    fn spec(&self) -> GitSpec {
        branch(self.server.url("repo.git"))
    }

    /// Pushes what the repository has to the server's.
    fn publish(&self) {
        self.repo.push_all(&self.folder.path().join("repo.git").display().to_string());
    }

    async fn fails(&self, spec: &GitSpec) -> Error {
        self.git.resolve(spec).await.unwrap_err()
    }
}

#[tokio::test]
async fn a_repository_is_fetched_and_only_asked_for_references_when_nothing_changed() {
    let fixture = Fixture::start(HttpOptions::default()).await;
    let spec = fixture.spec();
    let snapshot = open(&fixture.git, &spec).await;
    assert_eq!((snapshot.commit.id.to_string(), text(&snapshot, "apps/a.yaml")), (fixture.ids[2].clone(), "3".into()));
    assert_eq!(snapshot.tree.id().to_string(), fixture.repo.git(&["rev-parse", "HEAD^{tree}"]));
    let before = fixture.server.requests().len();
    open(&fixture.git, &spec).await;
    // The greeting and the list of references; no third request, which would be a fetch.
    assert_eq!(fixture.server.requests().len() - before, 2);

    let id = fixture.repo.commit_file("apps/b.yaml", "new");
    fixture.publish();
    let next = open(&fixture.git, &spec).await;
    assert_eq!(
        (next.commit.id.to_string(), text(&next, "apps/b.yaml"), text(&next, "same")),
        (id, "new".into(), "same".into())
    );
    assert_eq!(text(&snapshot, "apps/a.yaml"), "3");
}

#[tokio::test]
async fn commits_tags_and_history_are_fetched() {
    let fixture = Fixture::start(HttpOptions::default()).await;
    fixture.repo.git(&["tag", "--annotate", "--message", "one", "v1.0.0", &fixture.ids[0]]);
    fixture.publish();
    let tagged = GitSpec { reference: Reference::Auto("^1".into()), ..fixture.spec() };
    assert_eq!(text(&open(&fixture.git, &tagged).await, "apps/a.yaml"), "1");
    let by_id = GitSpec { reference: Reference::Commit(fixture.ids[1].clone()), ..fixture.spec() };
    assert_eq!(text(&open(&fixture.git, &by_id).await, "apps/a.yaml"), "2");
    let (first, last) = (fixture.ids[0].parse().unwrap(), fixture.ids[2].parse().unwrap());
    let log = fixture.git.log(&fixture.spec(), None, last, 10).await.unwrap();
    assert_eq!(log.iter().map(|commit| commit.id.to_string()).rev().collect::<Vec<_>>(), fixture.ids);
    assert_eq!(fixture.git.descends(&fixture.spec(), first, last).await.unwrap(), Some(true));
}

#[tokio::test]
async fn a_force_push_is_followed_and_told() {
    let fixture = Fixture::start(HttpOptions::default()).await;
    let old = open(&fixture.git, &fixture.spec()).await;
    fixture.repo.git(&["reset", "--quiet", "--hard", &fixture.ids[0]]);
    fixture.repo.commit_file("apps/a.yaml", "forced");
    fixture.publish();
    let new = open(&fixture.git, &fixture.spec()).await;
    assert_eq!(text(&new, "apps/a.yaml"), "forced");
    assert_eq!(fixture.git.descends(&fixture.spec(), old.commit.id, new.commit.id).await.unwrap(), Some(false));
    assert_eq!(text(&old, "apps/a.yaml"), "3");
}

#[tokio::test]
async fn what_a_server_refuses_is_told_apart() {
    let fixture = Fixture::start(HttpOptions::default()).await;
    Repo::new().bare_copy(fixture.folder.path().join("empty.git"));
    let gone = GitSpec { reference: Reference::Branch("gone".into()), ..fixture.spec() };
    assert_eq!(fixture.fails(&gone).await.kind(), ErrorKind::ReferenceNotFound);
    assert_eq!(fixture.fails(&branch(fixture.server.url("none.git"))).await.kind(), ErrorKind::NotARepository);
    assert_eq!(fixture.fails(&branch(fixture.server.url("empty.git"))).await.kind(), ErrorKind::EmptyRepository);
    let nowhere = Revision::commit("1".repeat(40).parse().unwrap());
    assert_eq!(fixture.git.open(&fixture.spec(), &nowhere).await.unwrap_err().kind(), ErrorKind::CommitNotFound);
    for (status, kind) in [(403, ErrorKind::Forbidden), (500, ErrorKind::Server), (429, ErrorKind::Server)] {
        fixture.server.fail_with(status);
        assert_eq!(fixture.fails(&fixture.spec()).await.kind(), kind, "{status}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told() {
    let fixture = Fixture::start(HttpOptions::default()).await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = fixture.fails(&branch(format!("http://127.0.0.1:{port}/r"))).await;
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error:?}");
    let error = fixture.fails(&branch("http://name.invalid/r")).await;
    assert!(matches!(error.kind(), ErrorKind::Unreachable | ErrorKind::Server | ErrorKind::Forbidden), "{error:?}");
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let options = lockstep_sources::CacheOptions {
        idle_timeout: std::time::Duration::from_millis(200),
        ..lockstep_sources::CacheOptions::new(folder.path())
    };
    let git = Git::new(options).unwrap();
    let url = format!("http://127.0.0.1:{}/r", listener.local_addr().unwrap().port());
    let error = soon(git.resolve(&branch(url))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
}

#[tokio::test]
async fn credentials_are_checked() {
    for (header, right) in
        [("Basic bWU6cEBzcw==", Credentials::basic("me", "p@ss")), ("Bearer t0ken", Credentials::bearer("t0ken"))]
    {
        let fixture = Fixture::start(HttpOptions { auth: Auth::Header(header.into()), tls: false }).await;
        assert_eq!(fixture.fails(&fixture.spec()).await.kind(), ErrorKind::Unauthenticated);
        let wrong = fixture.spec().with_credentials(Credentials::basic("me", "wrong"));
        let error = fixture.fails(&wrong).await;
        assert_eq!(error.kind(), ErrorKind::Unauthenticated);
        assert!(!format!("{error:?}").contains("wrong"), "{error:?}");
        let spec = fixture.spec().with_credentials(right);
        assert_eq!(text(&open(&fixture.git, &spec).await, "apps/a.yaml"), "3");
    }
}

#[tokio::test]
async fn credentials_in_the_url_work_and_are_not_told() {
    let fixture = Fixture::start(HttpOptions { auth: Auth::Header("Basic bWU6cEBzcw==".into()), tls: false }).await;
    let with = |user: &str| branch(fixture.server.url("repo.git").replace("http://", &format!("http://{user}@")));
    open(&fixture.git, &with("me:p%40ss")).await;
    let error = fixture.fails(&with("me:secret")).await;
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
}

#[tokio::test]
async fn an_own_authority_must_be_given() {
    let fixture = Fixture::start(HttpOptions { auth: Auth::Anybody, tls: true }).await;
    let error = fixture.fails(&fixture.spec()).await;
    assert_eq!(error.kind(), ErrorKind::UnknownAuthority, "{error:?}");
    let spec = fixture.spec().with_credentials(Credentials::default().with_ca(fixture.server.ca().unwrap()));
    assert_eq!(text(&open(&fixture.git, &spec).await, "apps/a.yaml"), "3");
}

#[tokio::test]
async fn a_poke_makes_a_watcher_ask_at_once() {
    let fixture = Fixture::start(HttpOptions::default()).await;
    let options = WatchOptions { interval: std::time::Duration::from_secs(3600), jitter: 0.1 };
    let mut watcher = fixture.git.watch(&fixture.spec(), options);
    assert_eq!(soon(watcher.next()).await.unwrap().commit.to_string(), fixture.ids[2]);
    let id = fixture.repo.commit_file("apps/a.yaml", "4");
    fixture.publish();
    assert_eq!(fixture.git.poke(&fixture.server.url("repo")), 1);
    assert_eq!(soon(watcher.next()).await.unwrap().commit.to_string(), id);
    fixture.server.fail_with(503);
    fixture.git.poke(&fixture.server.url("repo.git"));
    assert_eq!(soon(watcher.next()).await.unwrap_err().kind(), ErrorKind::Server);
    fixture.server.fail_with(0);
    fixture.git.poke(&fixture.server.url("repo.git"));
    assert_eq!(soon(watcher.next()).await.unwrap().commit.to_string(), id);
    assert_eq!(fixture.git.poke("https://elsewhere/repo"), 0);
}

#[tokio::test]
async fn a_watcher_asks_again_by_itself() {
    let fixture = Fixture::start(HttpOptions::default()).await;
    let options = WatchOptions { interval: std::time::Duration::from_millis(20), jitter: 0.1 };
    let mut watcher = fixture.git.watch(&fixture.spec(), options);
    soon(watcher.next()).await.unwrap();
    let id = fixture.repo.commit_file("apps/a.yaml", "4");
    fixture.publish();
    assert_eq!(soon(watcher.next()).await.unwrap().commit.to_string(), id);
}

#[tokio::test]
async fn a_copy_that_grew_too_large_is_started_anew_and_readers_do_not_notice() {
    let fixture = Fixture::start(HttpOptions::default()).await;
    let options = lockstep_sources::CacheOptions {
        max_repository_bytes: 1,
        ..lockstep_sources::CacheOptions::new(fixture.folder.path().join("small"))
    };
    let git = Git::new(options.clone()).unwrap();
    let first = open(&git, &fixture.spec()).await;
    for number in 4..8 {
        fixture.repo.commit_file("apps/a.yaml", number.to_string());
        fixture.publish();
        assert_eq!(text(&open(&git, &fixture.spec()).await, "apps/a.yaml"), number.to_string());
    }
    assert_eq!(text(&first, "apps/a.yaml"), "3");
    // Another process (here: another handle) finds the copy and fetches nothing.
    let other = Git::new(options).unwrap();
    let before = fixture.server.requests().len();
    open(&other, &fixture.spec()).await;
    assert_eq!(fixture.server.requests().len() - before, 2);
}

#[tokio::test]
async fn many_fetch_at_the_same_time() {
    let fixture = Fixture::start(HttpOptions::default()).await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..8 {
        let git = if number % 2 == 0 { fixture.git.clone() } else { handle(&fixture.folder.path().join("cache")) };
        let spec = fixture.spec();
        tasks.spawn(async move { text(&open(&git, &spec).await, "apps/a.yaml") });
    }
    assert_eq!(tasks.join_all().await, vec!["3".to_owned(); 8]);
    let fetches = fixture.server.requests().iter().filter(|request| request.starts_with("POST")).count();
    assert_eq!(fetches, 8 + 1, "eight lists, one fetch");
}

#[tokio::test]
async fn a_repository_of_many_large_files_is_fetched() {
    let fixture = Fixture::start(HttpOptions::default()).await;
    // Bytes that do not compress.
    let mut state = 7_u64;
    for number in 0..20 {
        let bytes: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .take(1 << 20)
        .collect();
        fixture.repo.write(&format!("large/{number}"), bytes);
    }
    fixture.repo.commit("large");
    fixture.publish();
    let snapshot = open(&fixture.git, &fixture.spec()).await;
    assert_eq!(snapshot.tree.reader().read("large/19").unwrap().len(), 1 << 20);
    assert_eq!(snapshot.tree.reader().walk("large").unwrap().len(), 20);
}
