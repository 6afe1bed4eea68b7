//! Wires sources, engine and clusters into the running system.
//!
//! What: [`Operator::start`] watches the Apps of a cluster and keeps them; one task owns all state and decides
//! ([`lockstep_engine`]), small tasks perform the effects and answer with events. [`Handle`] is the read model and
//! the way to stop.
//!
//! What not: nothing here decides about an App, and it knows nothing of the sandbox.
//!
//! Why: with one owner there are no locks and no races between decisions; nobody waits, so one task is enough
//! for thousands of Apps.

mod core;
mod credentials;
mod dependencies;
mod explain;
mod follow;
mod health_rules;
mod http;
mod listening;
mod lookups;
mod metrics;
mod notices;
mod perform;
mod records;
mod remotes;
mod rendering;
mod rules;
mod source;
mod specs;
mod watches;

use std::{path::PathBuf, sync::Arc};

use jiff::Timestamp;
use lockstep_api::{AppSpec, AppStatus};
use lockstep_cluster::Cluster;
use lockstep_engine::AppId;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

pub use credentials::credentials;
pub use http::serve;
pub use notices::Told;
pub use remotes::{MOST_REMOTES, fetch_remote};

use crate::core::{Core, Message};

/// What the operator needs to be told.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Where copies of remote repositories are kept.
    pub cache: PathBuf,
    /// Only Apps of this namespace are looked at; by default all.
    pub namespace: Option<String>,
    /// Health rules for all Apps; those of a Project and of an App win over them.
    pub health_rules: Vec<lockstep_api::HealthRule>,
}

/// Why the operator cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The cluster refused or could not be reached.
    #[error(transparent)]
    Cluster(#[from] lockstep_cluster::Error),
    /// The cache of repositories cannot be used.
    #[error("the cache of repositories cannot be used: {0}")]
    Cache(lockstep_sources::Error),
    /// The operator has stopped.
    #[error("the operator has stopped")]
    Stopped,
}

/// An App as a reader sees it.
#[derive(Clone, Debug)]
pub struct AppView {
    /// What names it.
    pub id: AppId,
    /// What is wanted.
    pub spec: Arc<AppSpec>,
    /// What is.
    pub status: AppStatus,
    /// The number of objects that it owns.
    pub objects: usize,
}

/// The running system.
pub struct Operator;

/// The handle of a running operator. Dropping it does not stop the operator.
#[derive(Clone)]
pub struct Handle {
    messages: mpsc::Sender<Message>,
    told: broadcast::Sender<Told>,
    done: watch::Receiver<bool>,
    git: lockstep_sources::Git,
    artifacts: lockstep_sources::Artifacts,
    cluster: Cluster,
    metrics: metrics::Metrics,
}

/// Messages wait here when the core is busy; watches then read no further, which is the back-pressure wanted.
/// A message is at most an object's facts; 4,096 of them are a few megabytes.
const MESSAGES: usize = 4096;
/// A reader that lags further behind loses lines, never the operator its pace.
const TOLD: usize = 1024;

impl Operator {
    /// Starts the operator on a cluster whose CRDs are installed.
    ///
    /// # Errors
    /// The cluster must be reachable at the start; afterwards it may come and go.
    pub async fn start(cluster: Cluster, settings: Settings) -> Result<Handle, Error> {
        cluster.refresh_discovery(cluster.discovered()).await?;
        let options = lockstep_sources::CacheOptions::new(settings.cache.clone());
        let artifacts = lockstep_sources::Artifacts::new(&options).map_err(Error::Cache)?;
        let git = lockstep_sources::Git::new(options).map_err(Error::Cache)?;
        let (messages, inbox) = mpsc::channel(MESSAGES);
        let (told, _) = broadcast::channel(TOLD);
        let (done_sender, done) = watch::channel(false);
        let metrics = metrics::Metrics::default();
        let handle = Handle { messages, told, done, git, artifacts, cluster, metrics };
        let core = Core::new(&handle, settings);
        tokio::spawn(async move {
            core.run(inbox).await;
            // Nobody may be listening any more.
            done_sender.send_replace(true);
        });
        Ok(handle)
    }
}

impl Handle {
    /// Returns all Apps, sorted.
    pub async fn apps(&self) -> Result<Vec<AppView>, Error> {
        let (sender, receiver) = oneshot::channel();
        self.messages.send(Message::Apps(sender)).await.map_err(|_| Error::Stopped)?;
        receiver.await.map_err(|_| Error::Stopped)
    }

    /// Follows what there is to tell, from now on.
    pub fn told(&self) -> broadcast::Receiver<Told> {
        self.told.subscribe()
    }

    /// Returns the sources, for webhooks and rollbacks.
    pub fn git(&self) -> &lockstep_sources::Git {
        &self.git
    }

    /// Returns the cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Stops: what is in flight is finished and recorded, nothing new is begun.
    pub async fn stop(&self) {
        // A full channel or a core that stopped already both end in the wait below.
        if self.messages.send(Message::Stop).await.is_err() {
            return;
        }
        let mut done = self.done.clone();
        if done.wait_for(|done| *done).await.is_err() {
            tracing::warn!("the operator ended without a word");
        }
    }
}

/// Returns the time now; the only clock of the operator.
fn now() -> Timestamp {
    Timestamp::now()
}
