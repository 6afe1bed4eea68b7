//! Repositories behind ssh; where no `sshd` is installed there is nothing to test.

use lockstep_sources::{Credentials, ErrorKind, GitSpec, Reference};
use lockstep_testkit::git::{Repo, SshServer};

use crate::{branch, handle, open, text};

#[tokio::test]
async fn repositories_are_fetched_by_both_versions_of_the_protocol() {
    for protocol_2 in [false, true] {
        let Some(server) = SshServer::start(protocol_2).await else { return };
        let (repo, folder) = (Repo::new(), tempfile::tempdir().unwrap());
        let first = repo.commit_file("a", "1");
        repo.commit_file("a", "2");
        let git = handle(folder.path());
        let credentials = Credentials::ssh(server.identity(), server.known_hosts());
        let spec = branch(server.url(repo.path())).with_credentials(credentials);
        assert_eq!(text(&open(&git, &spec).await, "a"), "2", "{protocol_2}");
        repo.commit_file("a", "3");
        assert_eq!(text(&open(&git, &spec).await, "a"), "3");
        // Version 0 gives no commit that is not a tip; all the history brings it.
        let old = GitSpec { reference: Reference::Commit(first), ..spec.clone() };
        assert_eq!(text(&open(&git, &old).await, "a"), "1");
    }
}

#[tokio::test]
async fn wrong_keys_hosts_and_paths_are_told_apart() {
    let Some(server) = SshServer::start(false).await else { return };
    let (repo, folder) = (Repo::new(), tempfile::tempdir().unwrap());
    repo.commit_file("a", "1");
    let git = handle(folder.path());
    let fails = async |url: String, credentials: Credentials| {
        git.resolve(&branch(url).with_credentials(credentials)).await.unwrap_err()
    };
    let url = server.url(repo.path());
    let cases = [
        (url.clone(), Credentials::ssh(server.strange_identity(), server.known_hosts()), ErrorKind::Unauthenticated),
        (url.clone(), Credentials::ssh("no key", server.known_hosts()), ErrorKind::Unauthenticated),
        (url.clone(), Credentials::ssh(server.identity(), server.wrong_known_hosts()), ErrorKind::UnknownHostKey),
        (url.clone(), Credentials::ssh(server.identity(), ""), ErrorKind::UnknownHostKey),
        (format!("{url}/none"), Credentials::ssh(server.identity(), server.known_hosts()), ErrorKind::NotARepository),
        (
            "ssh://127.0.0.1:1/r".into(),
            Credentials::ssh(server.identity(), server.known_hosts()),
            ErrorKind::Unreachable,
        ),
    ];
    for (url, credentials, kind) in cases {
        let error = fails(url.clone(), credentials).await;
        assert_eq!(error.kind(), kind, "{url}: {error:?}");
    }
}
