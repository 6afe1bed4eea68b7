//! What order costs: waves, dependencies between apps, and an app that never becomes healthy among others.
//!
//! Times are those of a watch over Deployments, the same for the product and for the bare loop, so both carry the
//! same delay of the watch.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use lockstep_cluster::{Watch, WatchEvent};
use lockstep_object::{Gvk, Object, ObjectKey, Value as Stored};
use serde_json::{Value, json};

use crate::{
    Settings,
    apps::{Bench, commit, is_true, name, objects, write_app, write_folder},
};

const WAVES: usize = 10;
const CHAIN: usize = 20;
/// Each measurement is taken as often; the median counts.
const ROUNDS: usize = 9;

/// Ten waves, healthy at once; and the commit that mends an app stuck in a wave.
pub(crate) async fn waves(settings: &Settings) -> anyhow::Result<Value> {
    let bench = Bench::without_apps(settings.kubeconfig.as_ref()).await?;
    let names: Vec<String> = (0..WAVES).map(|wave| format!("wave-{wave}")).collect();
    let write = |value: &str| {
        let wave = |(place, name): (usize, &String)| deployment(name, place, value, 0);
        let objects: Vec<Value> = names.iter().enumerate().map(wave).collect();
        write_folder(&bench.repository(), "waves", &objects)
    };
    let mut seen = Deployments::follow(&bench, &bench.namespace).await?;
    write("install")?;
    commit(&bench.repository(), "install")?;
    let operator = bench.operator()?;
    bench.make_app("waves", &json!({})).await?;
    seen.until_all(&names, "install").await;
    let (mut ours, mut from_commit) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let value = format!("round-{round}");
        write(&value)?;
        commit(&bench.repository(), &value)?;
        let begun = Instant::now();
        let times = seen.until_all(&names, &value).await;
        ours.push(span(&times));
        from_commit.push(begun.elapsed());
    }
    let stuck = mend_a_stuck_app(&bench, &mut seen).await?;
    operator.stop().await?;

    let bare = bare_rounds(&bench, &names).await?;
    let (ours, from_commit, bare, stuck) = (median(ours), median(from_commit), median(bare), median(stuck));
    println!("{:<44} {:>9} {:>6}", format!("{WAVES} waves, median of {ROUNDS}"), "ms", "ratio");
    println!("{:<44} {bare:>9.1} {:>6}", "bare loop: apply, wait by watch", "1.00");
    println!("{:<44} {ours:>9.1} {:>6.2}", "waves: first change to last healthy", ours / bare);
    println!("{:<44} {from_commit:>9.1}", "the same, from the commit");
    println!("{:<44} {stuck:>9.1}", "commit that mends a stuck wave, to its apply");
    Ok(json!({"bench": "waves", "waves": WAVES, "bare_ms": bare, "ours_ms": ours, "ratio": ours / bare,
        "from_commit_ms": from_commit, "mended_ms": stuck}))
}

/// An app whose first wave never becomes healthy is mended by a commit; returns how long until it is applied.
async fn mend_a_stuck_app(bench: &Bench, seen: &mut Deployments) -> anyhow::Result<Vec<Duration>> {
    let write = |value: &str, replicas: u32| {
        let objects = [deployment("stuck", 0, value, replicas), deployment("behind", 1, value, 0)];
        write_folder(&bench.repository(), "stuck", &objects)
    };
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        let (bad, good) = (format!("bad-{round}"), format!("good-{round}"));
        write(&bad, 1)?;
        commit(&bench.repository(), &bad)?;
        if round == 0 {
            bench.make_app("stuck", &json!({})).await?;
        }
        seen.until_applied("stuck", &bad).await;
        // Stuck means that it waits, not that it is just being applied.
        tokio::time::sleep(Duration::from_millis(500)).await;
        write(&good, 0)?;
        commit(&bench.repository(), &good)?;
        let begun = Instant::now();
        seen.until_applied("stuck", &good).await;
        times.push(begun.elapsed());
        seen.until_all(&["stuck".to_owned(), "behind".to_owned()], &good).await;
    }
    Ok(times)
}

/// Twenty apps, each of which depends on the one before.
pub(crate) async fn chain(settings: &Settings) -> anyhow::Result<Value> {
    let bench = Bench::without_apps(settings.kubeconfig.as_ref()).await?;
    let names: Vec<String> = (0..CHAIN).map(|place| format!("link-{place:02}")).collect();
    let write = |value: &str| {
        names.iter().try_for_each(|name| write_folder(&bench.repository(), name, &[deployment(name, 0, value, 0)]))
    };
    let mut seen = Deployments::follow(&bench, &bench.namespace).await?;
    write("install")?;
    commit(&bench.repository(), "install")?;
    let operator = bench.operator()?;
    for (place, name) in names.iter().enumerate() {
        let before = place.checked_sub(1).map(|place| json!([{"name": names[place]}]));
        bench.make_app(name, &json!({"dependsOn": before.unwrap_or_else(|| json!([]))})).await?;
    }
    seen.until_all(&names, "install").await;
    let (mut ours, mut starts) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let value = format!("round-{round}");
        write(&value)?;
        commit(&bench.repository(), &value)?;
        let times = seen.until_all(&names, &value).await;
        ours.push(span(&times));
        let order = names.iter().map(|name| &times[name]);
        let gaps = order.clone().zip(order.skip(1)).map(|(before, after)| after.applied - before.healthy);
        starts.extend(gaps.map(|gap| gap.as_secs_f64() * 1000.0));
    }
    operator.stop().await?;
    let bare = median(bare_rounds(&bench, &names).await?);
    let ours = median(ours);
    starts.sort_by(f64::total_cmp);
    let (p50, max) = (starts[starts.len() / 2], starts[starts.len() - 1]);
    println!("{:<44} {:>9} {:>6}", format!("a chain of {CHAIN} apps, median of {ROUNDS}"), "ms", "ratio");
    println!("{:<44} {bare:>9.1} {:>6}", "bare loop: apply, wait by watch", "1.00");
    println!("{:<44} {ours:>9.1} {:>6.2}", "chain: first change to last healthy", ours / bare);
    println!("{:<44} {p50:>9.1}", "dependency healthy to first apply, p50");
    println!("{:<44} {max:>9.1}", "the same, longest");
    Ok(json!({"bench": "chain", "apps": CHAIN, "bare_ms": bare, "ours_ms": ours, "ratio": ours / bare,
        "start_p50_ms": p50, "start_max_ms": max}))
}

/// A commit that changes all apps, and one that also breaks one of them.
pub(crate) async fn noisy_neighbour(settings: &Settings) -> anyhow::Result<Value> {
    let bench = Bench::new(settings).await?;
    let mut follower = bench.follow().await?;
    let operator = bench.operator()?;
    bench.make_apps().await?;
    follower.until_ready(settings.apps(), None).await?;
    let others = settings.apps().saturating_sub(1).max(1);
    let mut seconds = HashMap::from([(false, Vec::new()), (true, Vec::new())]);
    for round in 0..6 {
        let noisy = round % 2 == 1;
        let value = format!("round-{round}");
        for place in 0..settings.apps() {
            write_app(&bench.repository(), place, &value)?;
        }
        if noisy {
            let mut objects = objects(0, &value);
            objects[2]["spec"]["replicas"] = 1.into();
            objects[2]["spec"]["template"]["metadata"]["annotations"] = failing();
            write_folder(&bench.repository(), &name(0), &objects)?;
        }
        let revision = commit(&bench.repository(), &value)?;
        let begun = Instant::now();
        follower.until_ready(others, Some((&revision, others))).await?;
        seconds.entry(noisy).or_default().push(begun.elapsed());
        if !noisy {
            follower.until_ready(settings.apps(), Some((&revision, settings.apps()))).await?;
        }
    }
    operator.stop().await?;
    let mut of = |noisy: bool| median(seconds.remove(&noisy).unwrap_or_default()) / 1000.0;
    let (quiet, noisy) = (of(false), of(true));
    println!("{:<44} {:>9} {:>6}", format!("{} apps, a commit that changes all", settings.apps()), "s", "ratio");
    println!("{:<44} {quiet:>9.2} {:>6}", "all healthy", "1.00");
    println!("{:<44} {noisy:>9.2} {:>6.2}", "one never healthy, the others", noisy / quiet);
    Ok(json!({"bench": "noisy-neighbour", "apps": settings.apps(), "quiet_s": quiet, "noisy_s": noisy,
        "ratio": noisy / quiet}))
}

/// A pod that never becomes ready: in the sandbox by its annotation, elsewhere for want of a node.
fn failing() -> Value {
    json!({"sandbox.lockstep.dev/fail": "CrashLoopBackOff"})
}

fn deployment(name: &str, wave: usize, value: &str, replicas: u32) -> Value {
    let labels = json!({"app": name});
    let annotations = if replicas == 0 { json!({}) } else { failing() };
    json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "labels": labels, "annotations": {"lockstep.dev/wave": wave.to_string()}},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels, "annotations": annotations}, "spec": {"containers": [
                {"name": "web", "image": "example.com/web:1", "env": [{"name": "VALUE", "value": value}]}]}}}})
}

/// The same Deployments by a bare loop: each is applied when the watch shows the one before healthy.
async fn bare_rounds(bench: &Bench, names: &[String]) -> anyhow::Result<Vec<Duration>> {
    let namespace = format!("{}-bare", bench.namespace);
    let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
    bench.cluster.create("/api/v1/namespaces", &body).await?;
    let mut seen = Deployments::follow(bench, &namespace).await?;
    let mut spans = Vec::new();
    for round in 0..=ROUNDS {
        let value = format!("round-{round}");
        let mut times = HashMap::new();
        for name in names {
            let key = ObjectKey::new("apps", "Deployment", &namespace, name);
            bench.cluster.apply(&key, "v1", deployment(name, 0, &value, 0).to_string().as_bytes()).await?;
            times.extend(seen.until_all(std::slice::from_ref(name), &value).await);
        }
        // The first round makes them; the product is measured by changes.
        if round > 0 {
            spans.push(span(&times));
        }
    }
    Ok(spans)
}

/// When a Deployment was first seen as it shall be, and when it was healthy.
#[derive(Clone, Copy, Debug)]
struct Times {
    applied: Instant,
    healthy: Instant,
}

/// Returns the time from the first change to the last Deployment's health.
fn span(times: &HashMap<String, Times>) -> Duration {
    let first = times.values().map(|times| times.applied).min();
    let last = times.values().map(|times| times.healthy).max();
    first.zip(last).map(|(first, last)| last - first).unwrap_or_default()
}

/// Returns the median in milliseconds.
fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times.get(times.len() / 2).map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
}

/// A watch over the Deployments of a namespace.
struct Deployments {
    watch: Watch,
    namespace: String,
}

impl Deployments {
    async fn follow(bench: &Bench, namespace: &str) -> anyhow::Result<Self> {
        let resource = bench.cluster.resource(&Gvk::new("apps", "v1", "Deployment")).await?;
        let mut watch = Watch::new(bench.cluster.clone(), resource, "");
        while !matches!(watch.next().await, WatchEvent::Synced { .. }) {}
        Ok(Self { watch, namespace: namespace.to_owned() })
    }

    /// Waits until each is healthy with this value.
    async fn until_all(&mut self, names: &[String], value: &str) -> HashMap<String, Times> {
        let mut applied: HashMap<String, Instant> = HashMap::new();
        let mut times = HashMap::new();
        while times.len() < names.len() {
            let object = self.next().await;
            if !names.iter().any(|name| name == object.name()) || value_of(&object) != Some(value) {
                continue;
            }
            let now = Instant::now();
            let applied = *applied.entry(object.name().to_owned()).or_insert(now);
            if is_healthy(&object) {
                times.entry(object.name().to_owned()).or_insert(Times { applied, healthy: now });
            }
        }
        times
    }

    /// Waits until one has this value.
    async fn until_applied(&mut self, name: &str, value: &str) {
        loop {
            let object = self.next().await;
            if object.name() == name && value_of(&object) == Some(value) {
                return;
            }
        }
    }

    async fn next(&mut self) -> Object {
        loop {
            if let WatchEvent::Live(object) = self.watch.next().await
                && object.namespace() == self.namespace
            {
                return object;
            }
        }
    }
}

fn value_of(object: &Object) -> Option<&str> {
    let containers = object.at(&["spec", "template", "spec", "containers"])?.as_list()?;
    let variables = containers.iter().next()?.get("env")?.as_list()?;
    variables.iter().next()?.get("value")?.as_str()
}

/// Tells whether the controller has seen the object as it is, and finds it available.
fn is_healthy(object: &Object) -> bool {
    let number = |keys: &[&str]| object.at(keys).and_then(Stored::as_i64).unwrap_or_default();
    number(&["status", "observedGeneration"]) >= number(&["metadata", "generation"]) && is_true(object, "Available")
}
