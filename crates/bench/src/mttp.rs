//! How long it takes until N apps are there, against a bare loop of the same requests.

use std::time::{Duration, Instant};

use anyhow::Context;
use lockstep_cluster::{Cluster, Watch, WatchEvent};
use lockstep_object::{Gvk, Object, ObjectKey, Value};
use serde_json::json;

use crate::{
    Settings,
    apps::{Bench, commit, name, objects, requests, until_ready, write_app, writes_between},
    process,
};

/// Install, a commit that changes all, and one that changes one; with the floor of the same run.
pub(crate) async fn mttp(settings: &Settings) -> anyhow::Result<serde_json::Value> {
    let bench = Bench::new(settings).await?;
    let floor = floor(&bench, settings).await?;
    let operator = bench.operator(settings).await?;
    let (cpu, begun, before) = (process::cpu_seconds(), Instant::now(), requests(&operator));
    bench.make_apps(settings).await?;
    until_ready(&operator, settings, None, settings.apps).await?;
    let install = Phase::end(begun, cpu, &before, &operator);
    settle(&operator).await;

    for place in 0..settings.apps {
        write_app(&bench.repository(), place, "two")?;
    }
    let (cpu, before) = (process::cpu_seconds(), requests(&operator));
    let revision = commit(&bench.repository(), "all")?;
    let begun = Instant::now();
    until_ready(&operator, settings, Some(&revision), settings.apps).await?;
    let upgrade = Phase::end(begun, cpu, &before, &operator);
    settle(&operator).await;

    write_app(&bench.repository(), 0, "three")?;
    let (cpu, before) = (process::cpu_seconds(), requests(&operator));
    let revision = commit(&bench.repository(), "one")?;
    let begun = Instant::now();
    until_ready(&operator, settings, Some(&revision), 1).await?;
    let one = Phase::end(begun, cpu, &before, &operator);
    operator.stop().await;

    let apps = settings.apps as f64;
    println!(
        "{:<28} {:>9} {:>9} {:>12} {:>10}",
        format!("{} apps", settings.apps),
        "seconds",
        "ratio",
        "requests/app",
        "CPU ms/app"
    );
    println!("{:<28} {:>9.2} {:>9} {:>12.1}", "bare loop", floor.as_secs_f64(), "1.00", 4.0);
    for (name, phase) in
        [("install", &install), ("a commit that changes all", &upgrade), ("a commit that changes one", &one)]
    {
        println!(
            "{name:<28} {:>9.2} {:>9.2} {:>12.2} {:>10.2}",
            phase.seconds,
            phase.seconds / floor.as_secs_f64(),
            phase.requests as f64 / apps,
            phase.cpu * 1000.0 / apps
        );
    }
    println!(
        "peak memory {:.1} MiB{}",
        process::peak_mib(),
        if settings.kubeconfig.is_none() { ", the sandbox included" } else { "" }
    );
    Ok(json!({
        "bench": "mttp", "apps": settings.apps, "floor_s": floor.as_secs_f64(),
        "install_s": install.seconds, "install_ratio": install.seconds / floor.as_secs_f64(),
        "install_requests_per_app": install.requests as f64 / apps, "install_cpu_ms_per_app": install.cpu * 1000.0 / apps,
        "upgrade_s": upgrade.seconds, "upgrade_requests_per_app": upgrade.requests as f64 / apps,
        "one_s": one.seconds, "one_requests": one.requests, "peak_mib": process::peak_mib(),
    }))
}

/// A commit that changes one app of many.
pub(crate) async fn monorepo(settings: &Settings) -> anyhow::Result<serde_json::Value> {
    let bench = Bench::new(settings).await?;
    let operator = bench.operator(settings).await?;
    bench.make_apps(settings).await?;
    until_ready(&operator, settings, None, settings.apps).await?;
    settle(&operator).await;
    let mut millis = Vec::new();
    let before = requests(&operator);
    for round in 0..10 {
        write_app(&bench.repository(), round % settings.apps, &format!("round-{round}"))?;
        let revision = commit(&bench.repository(), "one")?;
        let begun = Instant::now();
        until_ready(&operator, settings, Some(&revision), 1).await?;
        millis.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    settle(&operator).await;
    let requests = writes_between(&before, &requests(&operator));
    operator.stop().await;
    millis.sort_by(f64::total_cmp);
    println!(
        "{} apps, a commit that changes one: median {:.0} ms, {:.1} requests",
        settings.apps,
        millis[5],
        requests as f64 / 10.0
    );
    Ok(
        json!({"bench": "monorepo", "apps": settings.apps, "median_ms": millis[5], "requests_per_commit": requests as f64 / 10.0}),
    )
}

struct Phase {
    seconds: f64,
    cpu: f64,
    requests: u64,
}

impl Phase {
    fn end(
        begun: Instant,
        cpu: f64,
        before: &[(lockstep_cluster::Verb, u64)],
        operator: &lockstep_operator::Handle,
    ) -> Self {
        let seconds = begun.elapsed().as_secs_f64();
        Self { seconds, cpu: process::cpu_seconds() - cpu, requests: writes_between(before, &requests(operator)) }
    }
}

/// Waits until nothing is asked of the API server any more.
pub(crate) async fn settle(operator: &lockstep_operator::Handle) {
    let mut last = requests(operator);
    loop {
        tokio::time::sleep(Duration::from_secs(3)).await;
        let now = requests(operator);
        if now == last {
            return;
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
    for place in 0..settings.apps {
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
    Ok(begun.elapsed())
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
    while available.len() < settings.apps {
        if let WatchEvent::Live(object) = watch.next().await
            && object.namespace() == namespace
            && is_available(&object)
        {
            available.insert(object.name().to_owned());
        }
    }
    Ok(())
}

fn is_available(object: &Object) -> bool {
    let conditions = object.at(&["status", "conditions"]).and_then(Value::as_list);
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    conditions.into_iter().flatten().any(|one| text(one, "type") == "Available" && text(one, "status") == "True")
}
