//! Follows sources: one task for each key, however many Apps read it.

use std::{sync::Arc, time::Duration};

use base64::Engine;
use lockstep_api::Source;
use lockstep_cluster::{Cluster, Watch, WatchEvent};
use lockstep_engine::{Problem, ProblemKind, RevisionInfo};
use lockstep_files::FileTree;
use lockstep_object::{Gvk, Object};
use lockstep_sources::{ArtifactSpec, Artifacts, Git, GitSpec, Reference, WatchOptions, Worktree, WorktreeOptions};
use tokio::sync::mpsc;

use crate::{
    core::Message,
    credentials::credentials,
    source::{Listed, Snapshot, SourceKey, ValuesKind, sources_of},
};

/// What sources are fetched with.
#[derive(Clone)]
pub(crate) struct Fetchers {
    pub(crate) git: Git,
    pub(crate) artifacts: Artifacts,
    pub(crate) cluster: Cluster,
}

/// How long to wait after a Secret could not be read.
const SECRET_PAUSE: Duration = Duration::from_secs(10);

/// Follows a source until nobody listens.
pub(crate) async fn follow(key: SourceKey, fetchers: Fetchers, messages: mpsc::Sender<Message>) {
    match &key {
        SourceKey::Invalid(message) => {
            let problem = Problem::new(ProblemKind::SourceFailed, message.clone());
            tell(&messages, &key, Err(problem)).await;
        }
        SourceKey::Folder(root) => follow_folder(&key, root, &messages).await,
        SourceKey::Git { .. } => follow_git(&key, fetchers, &messages).await,
        SourceKey::Artifact { .. } => follow_artifact(&key, fetchers, &messages).await,
        SourceKey::Values { .. } => follow_values(&key, &fetchers.cluster, &messages).await,
    }
}

async fn tell(messages: &mpsc::Sender<Message>, key: &SourceKey, news: Result<Snapshot, Problem>) -> bool {
    messages.send(Message::Source(key.clone(), news.map(Arc::new))).await.is_ok()
}

fn problem_of(error: &lockstep_sources::Error) -> Problem {
    let mut message = error.to_string();
    if let Some(hint) = error.hint_text().filter(|hint| !message.contains(*hint)) {
        message.push_str("; ");
        message.push_str(hint);
    }
    Problem::new(ProblemKind::SourceFailed, message)
}

async fn follow_folder(key: &SourceKey, root: &str, messages: &mpsc::Sender<Message>) {
    let snapshot = |tree: FileTree| Snapshot {
        revision: RevisionInfo {
            id: tree.id().to_string(),
            message: "working tree".to_owned(),
            ..RevisionInfo::default()
        },
        time: 0,
        tree,
    };
    let mut worktree = loop {
        match Worktree::open(root, WorktreeOptions::default()).await {
            Ok(worktree) => break worktree,
            Err(error) => {
                if !tell(messages, key, Err(problem_of(&error))).await {
                    return;
                }
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
        }
    };
    let mut open = tell(messages, key, Ok(snapshot(worktree.tree()))).await;
    while open {
        let news = worktree.changed().await;
        open = tell(messages, key, news.map(snapshot).map_err(|error| problem_of(&error))).await;
    }
}

fn snapshot_of(snapshot: lockstep_sources::Snapshot) -> Snapshot {
    Snapshot {
        revision: RevisionInfo {
            id: snapshot.commit.id.to_string(),
            author: snapshot.commit.author.clone(),
            message: snapshot.commit.title().to_owned(),
            inputs: String::new(),
        },
        time: snapshot.commit.time,
        tree: snapshot.tree,
    }
}

/// Opens an older revision of a source; only one repository alone keeps its history.
pub(crate) async fn open(
    fetchers: &Fetchers,
    source: &Source,
    namespace: &str,
    revision: &RevisionInfo,
) -> Result<Arc<Snapshot>, Problem> {
    let sources = sources_of(source, namespace);
    let [Listed { key: SourceKey::Git { url, submodules, namespace, secret, .. }, .. }] = sources.as_slice() else {
        let message = format!("the source keeps no history, so {} cannot be had again", revision.id);
        return Err(Problem::new(ProblemKind::SourceFailed, message));
    };
    let credentials = credentials(&fetchers.cluster, namespace, url, secret.as_deref()).await?;
    let mut spec = GitSpec::new(url, Reference::Auto(revision.id.clone())).with_credentials(credentials);
    spec.submodules = *submodules;
    let resolved = fetchers.git.resolve(&spec).await.map_err(|error| problem_of(&error))?;
    let snapshot = fetchers.git.open(&spec, &resolved).await.map_err(|error| problem_of(&error))?;
    Ok(Arc::new(snapshot_of(snapshot)))
}

async fn follow_git(key: &SourceKey, fetchers: Fetchers, messages: &mpsc::Sender<Message>) {
    let SourceKey::Git { url, reference, submodules, interval, namespace, secret } = key else { return };
    let Fetchers { git, cluster, .. } = fetchers;
    let credentials = loop {
        match self::credentials(&cluster, namespace, url, secret.as_deref()).await {
            Ok(credentials) => break credentials,
            Err(problem) => {
                if !tell(messages, key, Err(problem)).await {
                    return;
                }
                tokio::time::sleep(SECRET_PAUSE).await;
            }
        }
    };
    let mut spec = GitSpec::new(url, Reference::Auto(reference.clone())).with_credentials(credentials);
    spec.submodules = *submodules;
    let options = WatchOptions { interval: Duration::from_secs(*interval), ..WatchOptions::default() };
    let mut watcher = git.watch(&spec, options);
    loop {
        let news = match watcher.next().await {
            Ok(revision) => git.open(watcher.spec(), &revision).await,
            Err(error) => Err(error),
        };
        let failed = news.is_err();
        let news = news.map_err(|error| problem_of(&error)).map(snapshot_of);
        if !tell(messages, key, news).await {
            return;
        }
        if failed {
            // The next answer counts even if it is the same, and the Secret may have been mended meanwhile.
            watcher.forget();
            if let Ok(credentials) = self::credentials(&cluster, namespace, url, secret.as_deref()).await {
                watcher.set_credentials(credentials);
            }
        }
    }
}

async fn follow_artifact(key: &SourceKey, fetchers: Fetchers, messages: &mpsc::Sender<Message>) {
    let SourceKey::Artifact { url, chart, version, insecure, interval, namespace, secret } = key else { return };
    let Fetchers { artifacts, cluster, .. } = fetchers;
    let options = WatchOptions { interval: Duration::from_secs(*interval), ..WatchOptions::default() };
    loop {
        let credentials = match credentials(&cluster, namespace, url, secret.as_deref()).await {
            Ok(credentials) => credentials,
            Err(problem) => {
                if !tell(messages, key, Err(problem)).await {
                    return;
                }
                tokio::time::sleep(SECRET_PAUSE).await;
                continue;
            }
        };
        let spec = ArtifactSpec {
            url: url.clone(),
            chart: chart.clone(),
            version: version.clone(),
            credentials,
            insecure: *insecure,
        };
        let mut watcher = artifacts.watch(&spec, options.clone());
        loop {
            let news = match watcher.next().await {
                Ok(revision) => artifacts.open(&spec, &revision).await.map(|tree| (revision, tree)),
                Err(error) => Err(error),
            };
            let failed = news.is_err();
            let name = chart.as_deref().unwrap_or(url);
            let news = news.map_err(|error| problem_of(&error)).map(|(revision, tree)| Snapshot {
                revision: RevisionInfo {
                    id: revision.to_string(),
                    message: format!("{name} {}", revision.version),
                    ..RevisionInfo::default()
                },
                time: 0,
                tree,
            });
            if !tell(messages, key, news).await {
                return;
            }
            if failed {
                // Begun anew at the usual time: with the Secret as it is then, and what failed is tried again.
                watcher.pause().await;
                break;
            }
        }
    }
}

/// Follows a ConfigMap or Secret by a watch.
async fn follow_values(key: &SourceKey, cluster: &Cluster, messages: &mpsc::Sender<Message>) {
    let SourceKey::Values { kind, namespace, name, optional } = key else { return };
    let resource = loop {
        match cluster.resource(&Gvk::new("", "v1", kind.name())).await {
            Ok(resource) => break resource,
            Err(error) => {
                if !tell(messages, key, Err(Problem::new(ProblemKind::SourceFailed, error.to_string()))).await {
                    return;
                }
                tokio::time::sleep(SECRET_PAUSE).await;
            }
        }
    };
    let missing = || match optional {
        true => files_of("none", Vec::new()),
        false => {
            let message = format!("the {} {namespace}/{name} with values does not exist", kind.name());
            Err(Problem::new(ProblemKind::SourceFailed, message))
        }
    };
    let mut watch = Watch::one(cluster.clone(), resource, namespace, name);
    let mut is_there = false;
    loop {
        let news = match watch.next().await {
            WatchEvent::Live(object) => {
                is_there = true;
                read_values(*kind, &object)
            }
            WatchEvent::Synced { uids, .. } if is_there && !uids.is_empty() => continue,
            WatchEvent::Gone(_) | WatchEvent::Synced { .. } => {
                is_there = false;
                missing()
            }
            // What was told last stands while the cluster cannot be asked.
            WatchEvent::Failed(error) => {
                tracing::debug!(%error, "the watch over values is interrupted");
                continue;
            }
        };
        if !tell(messages, key, news).await {
            return;
        }
    }
}

fn read_values(kind: ValuesKind, object: &Object) -> Result<Snapshot, Problem> {
    let data = object.at(&["data"]).and_then(|data| data.as_map().cloned()).unwrap_or_default();
    let bytes = |text: &str| match kind {
        ValuesKind::ConfigMap => Some(text.as_bytes().to_vec()),
        ValuesKind::Secret => base64::engine::general_purpose::STANDARD.decode(text).ok(),
    };
    let files = data.iter().filter_map(|(key, value)| Some((key.to_string(), bytes(value.as_str()?)?)));
    // Not a digest: that of a short Secret could be guessed from a status that many may read.
    files_of(object.str_at(&["metadata", "resourceVersion"]), files.collect())
}

fn files_of(id: &str, files: Vec<(String, Vec<u8>)>) -> Result<Snapshot, Problem> {
    let tree = FileTree::from_files(files);
    let tree = tree.map_err(|error| Problem::new(ProblemKind::SourceFailed, format!("values: {error}")))?;
    Ok(Snapshot { revision: RevisionInfo { id: id.to_owned(), ..RevisionInfo::default() }, time: 0, tree })
}
