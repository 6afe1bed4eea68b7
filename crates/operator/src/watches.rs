//! Watches over the kinds that Apps own: one a kind, for as long as the operator runs.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use futures::future::join_all;
use lockstep_api::APP_LABEL;
use lockstep_cluster::{Cluster, Watch, WatchEvent};
use lockstep_object::{Gk, Gvk};
use tokio::sync::{OnceCell, mpsc, watch};

use crate::core::Message;

/// The kinds that are watched.
pub(crate) struct Watches {
    messages: mpsc::Sender<Message>,
    kinds: Mutex<HashMap<Gk, watch::Sender<bool>>>,
    found: OnceCell<Found>,
}

/// What the first look at all kinds of the cluster found.
#[derive(Default)]
struct Found {
    /// Kinds of which there are objects with our label.
    holding: Vec<Gvk>,
    /// Kinds for which the server had no answer, as when what serves an aggregated API is gone.
    unknown: Vec<Gvk>,
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
        let found = self.found.get_or_init(|| found(cluster)).await;
        let mut waits = Vec::new();
        for gvk in kinds.iter().chain(&found.holding) {
            waits.extend(self.watch(gvk, cluster).await);
        }
        for gvk in &found.unknown {
            // An API that is gone must not keep everything else from going on: what its watch finds comes late.
            self.watch(gvk, cluster).await;
        }
        for mut wait in waits {
            if wait.wait_for(|synced| *synced).await.is_err() {
                tracing::debug!("a watch ended while the operator stops");
            }
        }
    }

    /// Watches a kind, unless that is done already or the cluster does not know it; returns what tells that all that is
    /// there has been taken in.
    async fn watch(&self, gvk: &Gvk, cluster: &Cluster) -> Option<watch::Receiver<bool>> {
        if let Some(wait) = self.known(&gvk.gk()) {
            return Some(wait);
        }
        let resource = cluster.served(gvk).await.ok()?;
        let (wait, begins) = self.add(&gvk.gk());
        if begins {
            let watch = Watch::new(cluster.clone(), resource, APP_LABEL);
            tokio::spawn(follow(gvk.gk(), watch, self.messages.clone()));
        }
        Some(wait)
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
async fn found(cluster: &Cluster) -> Found {
    let discovery = cluster.discovery();
    let mut found = Found::default();
    for some in discovery.kinds().chunks(ASKED_AT_ONCE) {
        let asked = some.iter().map(|resource| cluster.has_labelled(resource, APP_LABEL));
        for (resource, answer) in some.iter().zip(join_all(asked).await) {
            match answer {
                Ok(true) => found.holding.push(resource.gvk.clone()),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(kind = %resource.gvk.gk(), %error, "it is not known whether there are objects of ours");
                    found.unknown.push(resource.gvk.clone());
                }
            }
        }
    }
    found
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
