//! Fetches what a rendering needs from outside of its source.

use lockstep_cluster::Cluster;
use lockstep_files::FileTree;
use lockstep_render::{FILE, Fetched, Need};
use lockstep_sources::{Credentials, Git, GitSpec, Reference};

use crate::credentials::credentials;

/// More remote bases in one rendering are refused: each costs a round over the network.
pub const MOST_REMOTES: usize = 50;

/// Fetches a remote base.
///
/// A repository's branch is looked up now; a message tells why it failed. Folders of this machine are refused: who may
/// write an App must not read what its operator can.
pub async fn fetch_remote(git: &Git, need: &Need, credentials: Credentials) -> Fetched {
    match need {
        Need::File(url) => {
            let bytes = git.fetch_file(url, &credentials).await.map_err(|error| error.to_string())?;
            FileTree::from_files([(FILE, bytes)]).map_err(|error| error.to_string())
        }
        Need::Repository { url, .. } if url.starts_with("file://") => {
            Err(format!("{url} is a folder of this machine; only http, https and ssh are fetched"))
        }
        Need::Repository { url, reference, submodules } => {
            let reference = Reference::Auto(reference.clone());
            let mut spec = GitSpec::new(url, reference).with_credentials(credentials);
            spec.submodules = *submodules;
            let snapshot = async { git.open(&spec, &git.resolve(&spec).await?).await }.await;
            snapshot.map(|snapshot| snapshot.tree).map_err(|error| error.to_string())
        }
    }
}

/// Fetches a remote base with the credentials that the App's namespace has for its URL.
pub(crate) async fn fetch_for_app(git: &Git, cluster: &Cluster, namespace: &str, need: &Need) -> Fetched {
    let url = match need {
        Need::File(url) => url,
        Need::Repository { url, .. } => url,
    };
    let credentials = credentials(cluster, namespace, url, None).await.map_err(|problem| problem.message)?;
    fetch_remote(git, need, credentials).await
}
