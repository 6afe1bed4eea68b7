//! Commits and reverts, to folders and servers.

use lockstep_sources::{CommitId, Edit, ErrorKind, Git, GitSpec, Reference};
use lockstep_testkit::git::{HttpOptions, HttpServer, Repo, SshServer, git as run_git};

use crate::{author, branch, handle, open, text};

fn write(path: &str, contents: &str) -> Edit {
    Edit::Write { path: path.into(), contents: contents.into(), executable: None }
}

fn id(text: &str) -> CommitId {
    text.parse().unwrap()
}

/// Pushes a commit, a second on the old parent (refused), and a revert.
async fn check(git: &Git, spec: &GitSpec) {
    let before = open(git, spec).await;
    let edits =
        vec![write("apps/new/a.yaml", "new"), write("run.sh", "changed"), Edit::Delete { path: "old/b".into() }];
    let made = git.push_commit(spec, before.commit.id, edits, "three edits", &author()).await.unwrap();
    let after = open(git, spec).await;
    assert_eq!(after.commit.id, made);
    assert_eq!((after.commit.author.as_str(), after.commit.message.as_str()), ("Lock Step", "three edits\n"));
    assert_eq!(after.commit.parents, [before.commit.id]);
    assert_eq!(after.tree.reader().walk("").unwrap(), ["apps/new/a.yaml", "keep/a", "run.sh"]);
    assert_eq!(after.tree.find("run.sh").unwrap().unwrap().kind, lockstep_files::Kind::Executable);

    let late = git.push_commit(spec, before.commit.id, vec![write("x", "y")], "late", &author()).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Conflict, "{late}");

    let reverted = git.revert_commit(spec, made, &author()).await.unwrap();
    let restored = open(git, spec).await;
    assert_eq!((restored.commit.id, restored.tree.id()), (reverted, before.tree.id()));
    assert_eq!(restored.commit.message, format!("Revert \"three edits\"\n\nThis reverts commit {made}.\n"));
}

fn repo() -> Repo {
    let repo = Repo::new();
    repo.write("keep/a", "a").write("old/b", "b").write("run.sh", "run").make_executable("run.sh");
    repo.commit("first");
    repo
}

#[tokio::test]
async fn a_bare_repository_takes_commits() {
    let cache = tempfile::tempdir().unwrap();
    let bare = repo().bare_copy(cache.path().join("bare.git"));
    check(&handle(&cache.path().join("cache")), &branch(bare.display().to_string())).await;
    run_git(&bare, &["fsck", "--strict"]);
}

#[tokio::test]
async fn a_checked_out_branch_takes_commits_with_its_files_if_it_is_clean() {
    let (repo, cache) = (repo(), tempfile::tempdir().unwrap());
    let (git, spec) = (handle(cache.path()), GitSpec::new(repo.url(), Reference::Head));
    check(&git, &spec).await;
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
    assert_eq!(std::fs::read_to_string(repo.path().join("old/b")).unwrap(), "b");

    repo.write("keep/a", "changed by hand");
    let tip = git.resolve(&spec).await.unwrap().commit;
    let refused = git.push_commit(&spec, tip, vec![write("x", "y")], "x", &author()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Dirty, "{refused}");
    assert_eq!(repo.head(), tip.to_string());
}

#[tokio::test]
async fn an_http_server_takes_commits() {
    let folder = tempfile::tempdir().unwrap();
    let bare = repo().bare_copy(folder.path().join("repo.git"));
    let server = HttpServer::start(folder.path(), HttpOptions::default()).await;
    let (git, spec) = (handle(&folder.path().join("cache")), branch(server.url("repo.git")));
    check(&git, &spec).await;
    run_git(&bare, &["fsck", "--strict"]);

    let hook = bare.join("hooks/update");
    std::fs::write(&hook, "#!/bin/sh\necho no entry >&2\nexit 1\n").unwrap();
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let tip = git.resolve(&spec).await.unwrap().commit;
    let refused = git.push_commit(&spec, tip, vec![write("x", "y")], "x", &author()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Rejected, "{refused}");
    assert!(refused.hint_text().unwrap().contains("no entry"), "{refused:?}");
}

#[tokio::test]
async fn an_ssh_server_takes_commits() {
    let Some(server) = SshServer::start(false).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let bare = repo().bare_copy(folder.path().join("repo.git"));
    let credentials = lockstep_sources::Credentials::ssh(server.identity(), server.known_hosts());
    let spec = branch(server.url(&bare)).with_credentials(credentials);
    check(&handle(&folder.path().join("cache")), &spec).await;
}

#[tokio::test]
async fn a_revert_does_not_undo_what_came_later() {
    let (repo, cache) = (repo(), tempfile::tempdir().unwrap());
    let changed = repo.commit_file("keep/a", "second");
    let other = repo.commit_file("other", "x");
    repo.commit_file("keep/a", "third");
    let (git, spec) = (handle(cache.path()), branch(repo.url()));
    let error = git.revert_commit(&spec, id(&changed), &author()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.message().contains("keep/a"), "{error}");
    git.revert_commit(&spec, id(&other), &author()).await.unwrap();
    let now = open(&git, &spec).await;
    assert_eq!(text(&now, "keep/a"), "third");
    assert!(now.tree.find("other").unwrap().is_none());
    let again = git.revert_commit(&spec, id(&other), &author()).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::BadEdit, "{again}");
}

#[tokio::test]
async fn nonsense_is_not_committed() {
    let (repo, cache) = (repo(), tempfile::tempdir().unwrap());
    let (git, spec) = (handle(cache.path()), branch(repo.url()));
    let tip = id(&repo.head());
    let cases = [
        vec![Edit::Delete { path: "missing".into() }],
        vec![write("../x", "y")],
        vec![write("/x", "y")],
        vec![write("a/.git/config", "y")],
        vec![write("keep/a", "a")],
        vec![],
    ];
    for edits in cases {
        let error = git.push_commit(&spec, tip, edits.clone(), "x", &author()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadEdit, "{edits:?}: {error}");
    }
    let tag = GitSpec::new(repo.url(), Reference::Tag("v1".into()));
    assert_eq!(
        git.push_commit(&tag, tip, vec![write("x", "y")], "x", &author()).await.unwrap_err().kind(),
        ErrorKind::BadReference
    );
}
