//! How long it takes until N apps are there, against a bare loop of the same requests.

use std::time::{Duration, Instant};

use anyhow::Context;
use lockstep_cluster::{Cluster, Watch, WatchEvent};
use lockstep_object::{Gvk, ObjectKey};
use serde_json::{Value, json};

use crate::{
    Settings,
    apps::{Bench, commit, is_true, name, objects, write_app},
    operator::{Running, Usage},
};

/// Install, a commit that changes all, and one that changes one; with the floor of the same run.
pub(crate) async fn mttp(settings: &Settings) -> anyhow::Result<Value> {
    let bench = Bench::new(settings).await?;
    let floor = floor(&bench, settings).await?.as_secs_f64();
    let mut follower = bench.follow().await?;
    let mut operator = bench.operator()?;
    let phase = Phase::begin(&mut operator).await?;
    bench.make_apps().await?;
    follower.until_ready(settings.apps(), None).await?;
    let install = phase.end(&mut operator).await?;

    let mut changed = Vec::new();
    for (count, value) in [(settings.apps(), "two"), (1, "three")] {
        for place in 0..count {
            write_app(&bench.repository(), place, value)?;
        }
        let phase = Phase::begin(&mut operator).await?;
        let revision = commit(&bench.repository(), value)?;
        follower.until_ready(settings.apps(), Some((&revision, count))).await?;
        changed.push(phase.end(&mut operator).await?);
    }
    let end = operator.usage().await?;
    operator.stop().await?;

    println!(
        "{:<26} {:>8} {:>6} {:>9} {:>8}  requests",
        format!("{} apps", settings.apps()),
        "seconds",
        "ratio",
        "per app",
        "CPU ms"
    );
    println!("{:<26} {floor:>8.2} {:>6} {:>9.2}", "bare loop", "1.00", 4.0);
    install.print("install", floor, settings.apps());
    changed[0].print("a commit that changes all", floor, settings.apps());
    changed[1].print("a commit that changes one", floor, settings.apps());
    println!(
        "memory of the operator: peak {:.1} MiB, of which {:.1} MiB are allocated at rest",
        end.peak_mib, end.heap_mib
    );
    Ok(json!({
        "bench": "mttp", "apps": settings.apps(), "floor_s": floor, "peak_mib": end.peak_mib, "heap_mib": end.heap_mib,
        "install": install.json(floor, settings.apps()),
        "upgrade": changed[0].json(floor, settings.apps()),
        "one": changed[1].json(floor, settings.apps()),
    }))
}

/// A commit that changes one app of many.
pub(crate) async fn monorepo(settings: &Settings) -> anyhow::Result<Value> {
    let bench = Bench::new(settings).await?;
    let mut follower = bench.follow().await?;
    let mut operator = bench.operator()?;
    bench.make_apps().await?;
    follower.until_ready(settings.apps(), None).await?;
    settle(&mut operator).await?;
    let mut millis = Vec::new();
    let before = operator.usage().await?;
    for round in 0..10 {
        write_app(&bench.repository(), round % settings.apps(), &format!("round-{round}"))?;
        let begun = Instant::now();
        let revision = commit(&bench.repository(), "one")?;
        follower.until_ready(settings.apps(), Some((&revision, 1))).await?;
        millis.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    settle(&mut operator).await?;
    let used = operator.usage().await?.since(&before);
    operator.stop().await?;
    millis.sort_by(f64::total_cmp);
    let (median, requests, cpu) = (millis[5], used.total() as f64 / 10.0, used.cpu * 100.0);
    println!("{} apps, a commit that changes one: median {median:.0} ms from `git commit` to Ready", settings.apps());
    println!("a commit: {requests:.1} requests, {cpu:.1} ms of CPU ({} in all)", used.words());
    Ok(json!({
        "bench": "monorepo", "apps": settings.apps(), "median_ms": median, "requests_per_commit": requests,
        "cpu_ms_per_commit": cpu,
    }))
}

/// What one phase took.
struct Phase {
    begun: Instant,
    before: Usage,
}

struct Taken {
    seconds: f64,
    used: Usage,
}

impl Phase {
    async fn begin(operator: &mut Running) -> anyhow::Result<Self> {
        Ok(Self { before: operator.usage().await?, begun: Instant::now() })
    }

    /// Ends the time now; what is used is counted until nothing is asked any more.
    async fn end(self, operator: &mut Running) -> anyhow::Result<Taken> {
        let seconds = self.begun.elapsed().as_secs_f64();
        settle(operator).await?;
        Ok(Taken { seconds, used: operator.usage().await?.since(&self.before) })
    }
}

impl Taken {
    fn print(&self, name: &str, floor: f64, apps: usize) {
        let (ratio, apps) = (self.seconds / floor, apps as f64);
        let (requests, cpu) = (self.used.total() as f64 / apps, self.used.cpu * 1000.0 / apps);
        println!("{name:<26} {:>8.2} {ratio:>6.2} {requests:>9.2} {cpu:>8.2}  {}", self.seconds, self.used.words());
    }

    fn json(&self, floor: f64, apps: usize) -> Value {
        let apps = apps as f64;
        json!({
            "seconds": self.seconds, "ratio": self.seconds / floor,
            "requests_per_app": self.used.total() as f64 / apps, "cpu_ms_per_app": self.used.cpu * 1000.0 / apps,
        })
    }
}

/// Waits until nothing has been asked of the API server for three seconds.
pub(crate) async fn settle(operator: &mut Running) -> anyhow::Result<()> {
    let mut last = operator.usage().await?.total();
    loop {
        tokio::time::sleep(Duration::from_secs(3)).await;
        let now = operator.usage().await?.total();
        if now == last {
            return Ok(());
        }
        last = now;
    }
}

/// The same objects by a bare loop over 32 connections, until every Deployment is available.
async fn floor(bench: &Bench, settings: &Settings) -> anyhow::Result<Duration> {
    let namespace = format!("{}-floor", bench.namespace);
    let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
    bench.cluster.create("/api/v1/namespaces", &body).await?;
    let begun = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for place in 0..settings.apps() {
        let (cluster, namespace) = (bench.cluster.clone(), namespace.clone());
        tasks.spawn(async move { apply_all(&cluster, &namespace, place).await });
        if tasks.len() >= 32 {
            tasks.join_next().await.context("a task was spawned")???;
        }
    }
    while let Some(result) = tasks.join_next().await {
        result??;
    }
    until_available(bench, settings, &namespace).await?;
    let taken = begun.elapsed();
    remove(bench, &namespace).await?;
    Ok(taken)
}

/// Removes what the bare loop made: to allocate an address a kube-apiserver walks those of all Services, so the second
/// thousand of them would cost more than the first.
async fn remove(bench: &Bench, namespace: &str) -> anyhow::Result<()> {
    let key = ObjectKey::new("", "Namespace", "", namespace);
    let made = bench.cluster.live(&key, "v1").await?.context("the namespace of the bare loop is there")?;
    bench.cluster.delete(&key, "v1", made.str_at(&["metadata", "uid"])).await?;
    let gvk = Gvk::new("", "v1", "Namespace");
    let mut watch = Watch::one(bench.cluster.clone(), bench.cluster.resource(&gvk).await?, "", namespace);
    while bench.cluster.live(&key, "v1").await?.is_some() {
        watch.next().await;
    }
    Ok(())
}

async fn apply_all(cluster: &Cluster, namespace: &str, place: usize) -> anyhow::Result<()> {
    for object in objects(place, "one") {
        let text = |keys: &str| object[keys].as_str().unwrap_or_default().to_owned();
        let gvk = Gvk::from_api_version(&text("apiVersion"), &text("kind"));
        let key = ObjectKey::new(&gvk.group, &gvk.kind, namespace, &name(place));
        cluster.apply(&key, &gvk.version, object.to_string().as_bytes()).await?;
    }
    Ok(())
}

async fn until_available(bench: &Bench, settings: &Settings, namespace: &str) -> anyhow::Result<()> {
    let resource = bench.cluster.resource(&Gvk::new("apps", "v1", "Deployment")).await?;
    let mut watch = Watch::new(bench.cluster.clone(), resource, "app");
    let mut available = std::collections::HashSet::new();
    while available.len() < settings.apps() {
        if let WatchEvent::Live(object) = watch.next().await
            && object.namespace() == namespace
            && is_true(&object, "Available")
        {
            available.insert(object.name().to_owned());
        }
    }
    Ok(())
}
