//! How fast drift is set back, and what rest costs.

use std::time::Instant;

use lockstep_cluster::{Watch, WatchEvent};
use lockstep_object::Gvk;
use serde_json::{Value, json};

use crate::{
    Settings,
    apps::{Bench, name},
    mttp::settle,
};

const CHANGES: usize = 200;

/// Changes a managed object 200 times and waits each time until it is set back.
pub(crate) async fn drift(settings: &Settings) -> anyhow::Result<Value> {
    let bench = Bench::new(settings).await?;
    let mut operator = bench.operator()?;
    bench.make_apps().await?;
    bench.follow().await?.until_ready(settings.apps(), None).await?;
    settle(&mut operator).await?;
    let resource = bench.cluster.resource(&Gvk::new("apps", "v1", "Deployment")).await?;
    let mut watch = Watch::new(bench.cluster.clone(), resource, "app");
    while !matches!(watch.next().await, WatchEvent::Synced { .. }) {}
    let mut millis = Vec::with_capacity(CHANGES);
    let mut seed: u64 = 7;
    for _ in 0..CHANGES {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let name = name(usize::try_from(seed >> 33).unwrap_or(0) % settings.apps());
        let path = format!("/apis/apps/v1/namespaces/{}/deployments/{name}", bench.namespace);
        let begun = Instant::now();
        bench.cluster.merge(&path, &json!({"metadata": {"labels": {"app": "drifted"}}})).await?;
        let mut drifted = false;
        loop {
            let WatchEvent::Live(object) = watch.next().await else { continue };
            if object.name() != name || object.namespace() != bench.namespace {
                continue;
            }
            let label = object.label("app");
            drifted |= label == Some("drifted");
            if drifted && label == Some(&name) {
                break;
            }
        }
        millis.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    operator.stop().await?;
    millis.sort_by(f64::total_cmp);
    let at = |part: f64| millis[((millis.len() - 1) as f64 * part) as usize];
    let (p50, p99, worst) = (at(0.5), at(0.99), at(1.0));
    println!("{} apps, {CHANGES} changes: p50 {p50:.1} ms, p99 {p99:.1} ms, worst {worst:.1} ms", settings.apps());
    Ok(json!({"bench": "drift", "apps": settings.apps(), "p50_ms": p50, "p99_ms": p99, "worst_ms": worst}))
}

/// Counts requests and CPU at rest.
pub(crate) async fn idle(settings: &Settings) -> anyhow::Result<Value> {
    let bench = Bench::new(settings).await?;
    let mut operator = bench.operator()?;
    bench.make_apps().await?;
    bench.follow().await?.until_ready(settings.apps(), None).await?;
    settle(&mut operator).await?;
    let before = operator.usage().await?;
    tokio::time::sleep(settings.rest()).await;
    let used = operator.usage().await?.since(&before);
    operator.stop().await?;
    let (seconds, requests, cpu) = (settings.rest().as_secs(), used.total(), used.cpu);
    println!(
        "{} apps at rest for {seconds} s: {requests} requests ({}), {cpu:.2} s of CPU",
        settings.apps(),
        used.words()
    );
    Ok(json!({"bench": "idle", "apps": settings.apps(), "seconds": seconds, "requests": requests, "cpu_s": cpu}))
}
