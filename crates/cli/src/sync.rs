//! `lockstep sync`: applies a folder once and waits until it is healthy.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context;
use lockstep_api::APP_LABEL;
use lockstep_cluster::{Cluster, Watch, WatchEvent};
use lockstep_engine::{Desired, Live, prepare};
use lockstep_health::{Rules, Status};
use lockstep_object::{Gvk, ObjectKey};
use tokio::sync::mpsc;

use crate::{End, arguments, connect, diff, render};

pub(crate) async fn sync(arguments: arguments::Sync) -> anyhow::Result<End> {
    let objects = render::objects_of(&arguments.folder).await?;
    let cluster = connect::connect(&arguments.connection).await?;
    let app = diff::app_of(&arguments.namespace, &arguments.folder)?;
    let prepared = prepare(&app, &objects, &arguments.namespace, &*cluster.discovery());
    render::report(&prepared.diagnostics)?;
    connect::make_namespace(&cluster, &arguments.namespace).await?;
    let timeout = Duration::from_secs(arguments.timeout);
    let total = prepared.desired.len();
    let mut waiter = Waiter::new(cluster.clone(), app.label());
    let mut stages = prepared.desired.chunk_by(|a, b| a.stage == b.stage);
    let mut done = 0;
    let all = async {
        for stage in &mut stages {
            for one in stage {
                apply(&cluster, one, &mut waiter).await?;
                done += 1;
                eprintln!("applied {done}/{total}  {}", one.key);
            }
            waiter.until_healthy().await?;
        }
        anyhow::Ok(())
    };
    match tokio::time::timeout(timeout, all).await {
        Ok(result) => result?,
        Err(_) => anyhow::bail!("not healthy after {} s: {}", arguments.timeout, waiter.words()),
    }
    eprintln!("{total} objects are healthy");
    Ok(End::Done)
}

async fn apply(cluster: &Cluster, one: &Desired, waiter: &mut Waiter) -> anyhow::Result<()> {
    let applied = cluster.apply(&one.key, &one.version, &one.body).await;
    let applied = applied.with_context(|| format!("cannot apply {}", one.key))?;
    let live = Live::of(&applied.object, &waiter.rules, jiff::Timestamp::now());
    waiter.take(one, live).await
}

/// Waits by watches until the objects are healthy.
struct Waiter {
    cluster: Cluster,
    label: String,
    rules: Rules,
    waiting: BTreeMap<ObjectKey, (Status, String)>,
    watched: Vec<Gvk>,
    events: (mpsc::Sender<WatchEvent>, mpsc::Receiver<WatchEvent>),
}

impl Waiter {
    fn new(cluster: Cluster, label: String) -> Self {
        let events = mpsc::channel(256);
        Self { cluster, label, rules: Rules::builtin(), waiting: BTreeMap::new(), watched: Vec::new(), events }
    }

    async fn take(&mut self, one: &Desired, live: Live) -> anyhow::Result<()> {
        if live.status == Status::Healthy {
            return Ok(());
        }
        self.waiting.insert(one.key.clone(), (live.status, live.message.to_string()));
        let gvk = Gvk { group: one.key.group.clone(), version: one.version.clone(), kind: one.key.kind.clone() };
        if self.watched.contains(&gvk) {
            return Ok(());
        }
        let resource = self.cluster.resource(&gvk).await?;
        let selector = format!("{APP_LABEL}={}", self.label);
        let mut watch = Watch::new(self.cluster.clone(), resource, &selector);
        let sender = self.events.0.clone();
        tokio::spawn(async move { while sender.send(watch.next().await).await.is_ok() {} });
        self.watched.push(gvk);
        Ok(())
    }

    async fn until_healthy(&mut self) -> anyhow::Result<()> {
        while !self.waiting.is_empty() {
            let Some(event) = self.events.1.recv().await else { anyhow::bail!("the watch ended") };
            let WatchEvent::Live(object) = event else { continue };
            let live = Live::of(&object, &self.rules, jiff::Timestamp::now());
            if live.status == Status::Healthy {
                if self.waiting.remove(&object.key()).is_some() {
                    eprintln!("healthy  {}", object.key());
                }
            } else if let Some(known) = self.waiting.get_mut(&object.key()) {
                *known = (live.status, live.message.to_string());
            }
        }
        Ok(())
    }

    fn words(&self) -> String {
        let words = self.waiting.iter().map(|(key, (status, message))| format!("{key} is {status:?}: {message}"));
        words.collect::<Vec<_>>().join("; ")
    }
}
