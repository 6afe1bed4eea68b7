//! Repositories that are folders.

use lockstep_files::Kind;
use lockstep_sources::{ErrorKind, GitSpec, Reference, WatchOptions};
use lockstep_testkit::git::Repo;

use crate::{branch, handle, open, soon, text};

#[tokio::test]
async fn files_are_read_from_a_working_repository_and_from_a_bare_one() {
    let (repo, cache) = (Repo::new(), tempfile::tempdir().unwrap());
    repo.write("run.sh", "#!/bin/sh").make_executable("run.sh").link("link", "apps/a.yaml");
    let id = repo.commit_file("apps/a.yaml", "kind: A");
    repo.write("apps/a.yaml", "not committed");
    let bare = repo.bare_copy(cache.path().join("bare.git"));
    let git = handle(&cache.path().join("cache"));
    for url in [repo.url(), bare.display().to_string(), format!("file://{}", bare.display())] {
        let snapshot = open(&git, &branch(&url)).await;
        assert_eq!(text(&snapshot, "apps/a.yaml"), "kind: A", "{url}");
        assert_eq!(text(&snapshot, "link"), "kind: A");
        assert_eq!(snapshot.tree.find("run.sh").unwrap().unwrap().kind, Kind::Executable);
        assert_eq!(snapshot.tree.id().to_string(), repo.git(&["rev-parse", "HEAD^{tree}"]));
        let commit = snapshot.commit;
        assert_eq!(
            (commit.id.to_string(), commit.author.as_str(), commit.email.as_str()),
            (id.clone(), "Ada", "ada@example.com")
        );
        assert_eq!((commit.time, commit.title()), (1_700_000_000, "write apps/a.yaml"));
    }
}

#[tokio::test]
async fn every_kind_of_reference_is_found() {
    let (repo, cache) = (Repo::new(), tempfile::tempdir().unwrap());
    let first = repo.commit_file("a", "1");
    repo.git(&["tag", "v1.9.0"]);
    let second = repo.commit_file("a", "2");
    repo.git(&["tag", "--annotate", "--message", "ten", "v1.10.0"]);
    repo.git(&["tag", "--annotate", "--message", "of a tag", "nested", "v1.10.0"]);
    let third = repo.commit_file("a", "3");
    repo.git(&["branch", "feature/x", &first]);
    let git = handle(cache.path());
    let auto = |text: &str| Reference::Auto(text.into());
    let cases = [
        (Reference::Head, &third, "main"),
        (Reference::Branch("feature/x".into()), &first, "feature/x"),
        (Reference::Tag("v1.10.0".into()), &second, "v1.10.0"),
        (Reference::Tag("nested".into()), &second, "nested"),
        (Reference::Semver("^1".parse().unwrap()), &second, "v1.10.0"),
        (Reference::Commit(first.clone()), &first, &first),
        (Reference::Commit(first[..9].into()), &first, &first),
        (Reference::Name("refs/heads/feature/x".into()), &first, "feature/x"),
        (auto("feature/x"), &first, "feature/x"),
        (auto("v1.10.0"), &second, "v1.10.0"),
        (auto("1.*"), &second, "v1.10.0"),
        (auto(&second), &second, &second),
    ];
    for (reference, commit, name) in cases {
        let revision = git.resolve(&GitSpec::new(repo.url(), reference.clone())).await.unwrap();
        assert_eq!((revision.commit.to_string(), revision.name()), (commit.clone(), name.to_owned()), "{reference}");
    }
    // Packed references are found as well.
    repo.git(&["pack-refs", "--all"]);
    assert_eq!(git.resolve(&branch(repo.url())).await.unwrap().commit.to_string(), third);
}

#[tokio::test]
async fn what_is_wrong_with_a_folder_is_told() {
    let (empty, plain, cache) = (Repo::new(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let repo = Repo::new();
    repo.commit_file("a", "1");
    let git = handle(cache.path());
    let missing = plain.path().join("missing").display().to_string();
    let cases = [
        (branch(missing), ErrorKind::NotARepository),
        (branch(plain.path().display().to_string()), ErrorKind::NotARepository),
        (branch(empty.url()), ErrorKind::EmptyRepository),
        (GitSpec::new(empty.url(), Reference::Head), ErrorKind::EmptyRepository),
        (GitSpec::new(repo.url(), Reference::Branch("gone".into())), ErrorKind::ReferenceNotFound),
        (GitSpec::new(repo.url(), Reference::Semver("^1".parse().unwrap())), ErrorKind::ReferenceNotFound),
    ];
    for (spec, kind) in cases {
        let error = git.resolve(&spec).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.hint_text().is_some() || error.message().contains("no such folder"), "{error:?}");
        assert!(error.to_string().starts_with(&spec.url), "{error}");
    }
    let nowhere = "1".repeat(40).parse().unwrap();
    let revision = lockstep_sources::Revision::commit(nowhere);
    assert_eq!(git.open(&branch(repo.url()), &revision).await.unwrap_err().kind(), ErrorKind::CommitNotFound);
}

#[tokio::test]
async fn a_watched_repository_tells_commits_and_failures_and_recovery() {
    let (repo, cache) = (Repo::new(), tempfile::tempdir().unwrap());
    let first = repo.commit_file("a", "1");
    let git = handle(cache.path());
    // Nothing but events can be the reason within the test's patience.
    let options = WatchOptions { interval: std::time::Duration::from_secs(3600), jitter: 0.0 };
    let mut watcher = git.watch(&branch(repo.url()), options);
    assert_eq!(soon(watcher.next()).await.unwrap().commit.to_string(), first);
    let second = repo.commit_file("a", "2");
    assert_eq!(soon(watcher.next()).await.unwrap().commit.to_string(), second);
    repo.git(&["reset", "--quiet", "--hard", &first]);
    assert_eq!(soon(watcher.next()).await.unwrap().commit.to_string(), first);
    repo.git(&["checkout", "--quiet", "-b", "other"]);
    repo.git(&["branch", "--quiet", "-D", "main"]);
    assert_eq!(soon(watcher.next()).await.unwrap_err().kind(), ErrorKind::ReferenceNotFound);
    repo.git(&["branch", "main", &second]);
    assert_eq!(soon(watcher.next()).await.unwrap().commit.to_string(), second);
}

#[tokio::test]
async fn history_and_descent_are_told() {
    let (repo, cache) = (Repo::new(), tempfile::tempdir().unwrap());
    let ids: Vec<String> = (0..4).map(|number| repo.commit_file("a", number.to_string())).collect();
    repo.git(&["checkout", "--quiet", "-b", "side", &ids[1]]);
    let side = repo.commit_file("b", "side");
    let git = handle(cache.path());
    let spec = branch(repo.url());
    let id = |text: &str| text.parse().unwrap();
    let log = git.log(&spec, Some(id(&ids[0])), id(&ids[3]), 10).await.unwrap();
    assert_eq!(log.iter().map(|commit| commit.id.to_string()).collect::<Vec<_>>(), [&*ids[3], &*ids[2], &*ids[1]]);
    assert_eq!(git.log(&spec, None, id(&ids[3]), 2).await.unwrap().len(), 2);
    assert_eq!(git.descends(&spec, id(&ids[0]), id(&ids[3])).await.unwrap(), Some(true));
    assert_eq!(git.descends(&spec, id(&ids[3]), id(&side)).await.unwrap(), Some(false));
}

#[tokio::test]
async fn submodules_are_mounted_on_demand_only() {
    let (inner, repo, cache) = (Repo::new(), Repo::new(), tempfile::tempdir().unwrap());
    inner.commit_file("lib/a.yaml", "kind: A");
    repo.git(&["submodule", "--quiet", "add", &inner.url(), "vendor/inner"]);
    repo.commit("submodule");
    let git = handle(cache.path());
    let mut spec = branch(repo.url());
    let without = open(&git, &spec).await;
    assert_eq!(without.tree.find("vendor/inner").unwrap().unwrap().kind, Kind::Submodule);
    spec.submodules = true;
    let with = open(&git, &spec).await;
    assert_eq!(text(&with, "vendor/inner/lib/a.yaml"), "kind: A");
    assert_eq!(with.commit, without.commit);
}
