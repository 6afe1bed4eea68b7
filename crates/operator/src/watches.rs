//! Watches over the kinds that Apps own: one a kind, for as long as the operator runs.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use lockstep_api::APP_LABEL;
use lockstep_cluster::{Cluster, Resource, Watch, WatchEvent};
use lockstep_object::{Gk, Gvk};
use tokio::sync::{OnceCell, mpsc, watch};

use crate::core::Message;

/// The kinds that are watched.
pub(crate) struct Watches {
    messages: mpsc::Sender<Message>,
    kinds: Mutex<HashMap<Gk, watch::Sender<bool>>>,
    found: OnceCell<Vec<Gvk>>,
}

/// So many kinds are asked for at a time.
const ASKED_AT_ONCE: usize = 8;

impl Watches {
    pub(crate) fn new(messages: mpsc::Sender<Message>) -> Self {
        Self { messages, kinds: Mutex::default(), found: OnceCell::new() }
    }

    /// Sees to it that the kinds are watched, and those of which an operator before this one left objects; waits until
    /// what is there has reached the core. A kind that the cluster does not know is left out; its objects cannot be
    /// there either.
    pub(crate) async fn ensure(self: &Arc<Self>, kinds: Vec<Gvk>, cluster: &Cluster) {
        let mut waits = Vec::new();
        let found = self.found.get_or_init(|| found(cluster)).await;
        for gvk in kinds.into_iter().chain(found.iter().cloned()) {
            if let Some(wait) = self.known(&gvk.gk()) {
                waits.push(wait);
                continue;
            }
            let Ok(resource) = cluster.resource(&gvk).await else { continue };
            let (wait, begins) = self.add(&gvk.gk());
            if begins {
                let watch = Watch::new(cluster.clone(), resource, APP_LABEL);
                tokio::spawn(follow(gvk.gk(), watch, self.messages.clone()));
            }
            waits.push(wait);
        }
        for mut wait in waits {
            if wait.wait_for(|synced| *synced).await.is_err() {
                tracing::debug!("a watch ended while the operator stops");
            }
        }
    }

    /// Tells those who wait that what is there has been taken in.
    pub(crate) fn synced(&self, gk: &Gk) {
        if let Some(sender) = self.lock().get(gk) {
            sender.send_replace(true);
        }
    }

    fn known(&self, gk: &Gk) -> Option<watch::Receiver<bool>> {
        self.lock().get(gk).map(watch::Sender::subscribe)
    }

    fn add(&self, gk: &Gk) -> (watch::Receiver<bool>, bool) {
        let mut kinds = self.lock();
        if let Some(sender) = kinds.get(gk) {
            return (sender.subscribe(), false);
        }
        let (sender, receiver) = watch::channel(false);
        kinds.insert(gk.clone(), sender);
        (receiver, true)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Gk, watch::Sender<bool>>> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Finds the kinds of which there are objects with our label. A process that was killed may have applied what no
/// status names; without a watch over its kind nobody would ever prune it.
async fn found(cluster: &Cluster) -> Vec<Gvk> {
    let discovery = cluster.discovery();
    let mut found = Vec::new();
    for some in discovery.kinds().chunks(ASKED_AT_ONCE) {
        let asked: Vec<_> = some.iter().map(|resource| ask(cluster.clone(), (*resource).clone())).collect();
        let asked: Vec<_> = asked.into_iter().map(tokio::spawn).collect();
        for answer in asked {
            found.extend(answer.await.ok().flatten());
        }
    }
    found
}

/// Returns the kind if it must be watched: an answer that does not come leaves it open, so then it is.
async fn ask(cluster: Cluster, resource: Resource) -> Option<Gvk> {
    cluster.has_labelled(&resource, APP_LABEL).await.unwrap_or(true).then_some(resource.gvk)
}

async fn follow(gk: Gk, mut watch: Watch, messages: mpsc::Sender<Message>) {
    loop {
        let event = watch.next().await;
        if let WatchEvent::Failed(error) = &event {
            tracing::warn!(kind = %gk, %error, "a watch is interrupted");
            continue;
        }
        if messages.send(Message::Watched(gk.clone(), event)).await.is_err() {
            return;
        }
    }
}
