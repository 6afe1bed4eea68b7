//! How fast drift is set back, and what rest costs.

use std::time::Instant;

use anyhow::Context;
use serde_json::json;

use crate::{
    Settings,
    apps::{Bench, name, requests, until_ready, writes_between},
    mttp::settle,
    process,
};

const CHANGES: usize = 200;

/// Changes a managed object 200 times and waits each time until it is set back.
pub(crate) async fn drift(settings: &Settings) -> anyhow::Result<serde_json::Value> {
    let bench = Bench::new(settings).await?;
    let operator = bench.operator(settings).await?;
    bench.make_apps(settings).await?;
    until_ready(&operator, settings, None, settings.apps).await?;
    settle(&operator).await;
    let mut millis = Vec::with_capacity(CHANGES);
    let mut seed: u64 = 7;
    for _ in 0..CHANGES {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let place = usize::try_from(seed >> 33).unwrap_or(0) % settings.apps;
        let path = format!("/apis/apps/v1/namespaces/{}/deployments/{}", bench.namespace, name(place));
        let begun = Instant::now();
        bench.cluster.merge(&path, &json!({"metadata": {"labels": {"app": "drifted"}}})).await?;
        loop {
            let object = bench.cluster.get(&path).await?;
            if object.label("app") == Some(&name(place)) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        millis.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    operator.stop().await;
    millis.sort_by(f64::total_cmp);
    let at = |part: f64| millis[((millis.len() - 1) as f64 * part) as usize];
    println!(
        "{} apps, {CHANGES} changes: p50 {:.0} ms, p99 {:.0} ms, worst {:.0} ms",
        settings.apps,
        at(0.5),
        at(0.99),
        at(1.0)
    );
    Ok(json!({"bench": "drift", "apps": settings.apps, "p50_ms": at(0.5), "p99_ms": at(0.99), "worst_ms": at(1.0)}))
}

/// Counts requests and CPU at rest.
pub(crate) async fn idle(settings: &Settings) -> anyhow::Result<serde_json::Value> {
    let bench = Bench::new(settings).await?;
    let operator = bench.operator(settings).await?;
    bench.make_apps(settings).await?;
    until_ready(&operator, settings, None, settings.apps).await?;
    settle(&operator).await;
    let (before, cpu) = (requests(&operator), process::cpu_seconds());
    tokio::time::sleep(settings.rest).await;
    let requests = writes_between(&before, &requests(&operator));
    let cpu = process::cpu_seconds() - cpu;
    operator.stop().await;
    let seconds = u32::try_from(settings.rest.as_secs()).context("too long a rest")?;
    println!("{} apps at rest for {seconds} s: {requests} requests, {cpu:.2} s of CPU", settings.apps);
    Ok(json!({"bench": "idle", "apps": settings.apps, "seconds": seconds, "requests": requests, "cpu_s": cpu}))
}
