//! Sources: one task for each repository and reference, however many Apps read it.

use std::{sync::Arc, time::Duration};

use base64::Engine;
use lockstep_api::{GitSource, Source};
use lockstep_cluster::Cluster;
use lockstep_engine::{Problem, ProblemKind, RevisionInfo};
use lockstep_files::FileTree;
use lockstep_object::Object;
use lockstep_sources::{Credentials, Git, GitSpec, Reference, WatchOptions, Worktree, WorktreeOptions};
use tokio::sync::mpsc;

use crate::core::Message;

/// What is watched: Apps with an equal key share one task.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum SourceKey {
    Git {
        url: String,
        reference: String,
        submodules: bool,
        interval: u64,
        namespace: String,
        secret: Option<String>,
    },
    Folder(String),
    /// The spec names no source, or two.
    Invalid(String),
}

/// A revision with its files.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) revision: RevisionInfo,
    pub(crate) tree: FileTree,
}

impl SourceKey {
    /// Returns the key of a source, for an App in this namespace.
    pub(crate) fn of(source: &Source, namespace: &str) -> Self {
        match (&source.git, &source.folder) {
            (Some(git), None) => Self::of_git(git, namespace),
            (None, Some(folder)) => Self::Folder(folder.root.clone()),
            (None, None) => Self::Invalid("spec.source names neither git nor folder".to_owned()),
            (Some(_), Some(_)) => Self::Invalid("spec.source names both git and folder; keep one".to_owned()),
        }
    }

    fn of_git(git: &GitSource, namespace: &str) -> Self {
        let secret = git.secret_ref.as_ref().map(|secret| secret.name.clone());
        Self::Git {
            url: git.url.clone(),
            reference: git.reference.clone().unwrap_or_default(),
            submodules: git.submodules,
            interval: git.interval_seconds.unwrap_or(30).max(1),
            namespace: namespace.to_owned(),
            secret,
        }
    }
}

/// Follows a source until nobody listens.
pub(crate) async fn follow(key: SourceKey, git: Git, cluster: Cluster, messages: mpsc::Sender<Message>) {
    match &key {
        SourceKey::Invalid(message) => {
            let problem = Problem::new(ProblemKind::SourceFailed, message.clone());
            tell(&messages, &key, Err(problem)).await;
        }
        SourceKey::Folder(root) => follow_folder(&key, root, &messages).await,
        SourceKey::Git { .. } => follow_git(&key, git, cluster, &messages).await,
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
        revision: RevisionInfo { id: tree.id().to_string(), author: String::new(), message: "working tree".to_owned() },
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

async fn follow_git(key: &SourceKey, git: Git, cluster: Cluster, messages: &mpsc::Sender<Message>) {
    let SourceKey::Git { url, reference, submodules, interval, namespace, secret } = key else { return };
    let credentials = loop {
        match self::credentials(&cluster, namespace, url, secret.as_deref()).await {
            Ok(credentials) => break credentials,
            Err(problem) => {
                if !tell(messages, key, Err(problem)).await {
                    return;
                }
                tokio::time::sleep(Duration::from_secs(10)).await;
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
        let news = news.map_err(|error| problem_of(&error)).map(|snapshot| Snapshot {
            revision: RevisionInfo {
                id: snapshot.commit.id.to_string(),
                author: snapshot.commit.author.clone(),
                message: snapshot.commit.title().to_owned(),
            },
            tree: snapshot.tree,
        });
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

/// The label of Secrets with credentials for every source below their `url`.
const CREDENTIALS_LABEL: &str = "lockstep.dev/credentials=git";

/// Finds the credentials of a repository: those of the named Secret, else those whose `url` is the longest prefix.
///
/// # Errors
/// The Secret is missing or may not be read.
pub async fn credentials(
    cluster: &Cluster,
    namespace: &str,
    url: &str,
    secret: Option<&str>,
) -> Result<Credentials, Problem> {
    let failed = |message: String| Problem::new(ProblemKind::SourceFailed, message);
    if let Some(name) = secret {
        let path = format!("/api/v1/namespaces/{namespace}/secrets/{name}");
        let secret = cluster.get(&path).await;
        return match secret {
            Ok(secret) => Ok(credentials_of(&secret)),
            Err(error) => Err(failed(format!("the Secret {namespace}/{name} with the credentials: {error}"))),
        };
    }
    if !url.contains("://") && !url.contains('@') || url.starts_with("file://") {
        return Ok(Credentials::default());
    }
    let path = format!("/api/v1/namespaces/{namespace}/secrets?labelSelector={CREDENTIALS_LABEL}");
    let list = cluster.get(&path).await.map_err(|error| failed(format!("Secrets with credentials: {error}")))?;
    let items = list.at(&["items"]).and_then(|items| items.as_list().cloned()).unwrap_or_default();
    let secrets = items.into_iter().filter_map(|item| Object::try_from(item).ok());
    let best = secrets.filter(|secret| url.starts_with(&text_of(secret, "url").unwrap_or_else(|| "\0".into())));
    let best = best.max_by_key(|secret| text_of(secret, "url").map(|url| url.len()));
    Ok(best.map(|secret| credentials_of(&secret)).unwrap_or_default())
}

/// Reads the keys that Argo CD's and Flux's Secrets use.
fn credentials_of(secret: &Object) -> Credentials {
    let first = |keys: &[&str]| keys.iter().find_map(|key| text_of(secret, key));
    Credentials {
        username: first(&["username"]),
        password: first(&["password"]),
        bearer: first(&["bearerToken", "token"]),
        identity: first(&["identity", "sshPrivateKey", "ssh-privatekey"]),
        known_hosts: first(&["known_hosts", "knownHosts"]),
        ca_bundle: first(&["ca.crt", "caFile"]),
    }
}

fn text_of(secret: &Object, key: &str) -> Option<String> {
    let encoded = secret.at(&["data", key])?.as_str()?;
    let bytes = base64::engine::general_purpose::STANDARD.decode(encoded).ok()?;
    String::from_utf8(bytes).ok()
}
