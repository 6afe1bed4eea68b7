//! The area `apiserver`: how an API server answers HTTP requests.
//!
//! A fresh sandbox is started in process and each recorded scenario is sent to it as it was sent to the
//! real server. What a server is free to choose is replaced on our side as it was when recording
//! ([`normal`]); the format is the one that the README of the recordings describes.

mod client;
mod compare;
mod normal;
mod run;
mod scenario;

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use lockstep_sandbox::{Options, Sandbox};
use tokio::{sync::Semaphore, task::JoinSet};

use crate::report::{Report, files};
use client::Client;
use normal::Patterns;
use scenario::Scenario;

const TOKEN: &str = "admin-token";
/// The topic that was recorded with controllers and nodes.
const CONTROLLERS: &str = "controllers";
/// How many scenarios run at once. They wait more than they compute: on watches, and on controllers.
const JOBS: usize = 32;
/// How many differences of a failed scenario are shown.
const SHOWN: usize = 4;

/// Runs every scenario below `folder`.
pub fn run(folder: &Path, report: &mut Report) -> anyhow::Result<()> {
    let (mut living, mut bare) = (Vec::new(), Vec::new());
    for path in files(folder, "json")? {
        let Some(scenario) = Scenario::read(&path)? else { continue };
        if report.wants(&scenario.name) && report.wants_topic(&scenario.topic) {
            if scenario.topic == CONTROLLERS { living.push(scenario) } else { bare.push(scenario) }
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("a runtime starts")?;
    let mut results = runtime.block_on(play(bare, bare_options()))?;
    results.extend(runtime.block_on(play(living, living_options()))?);
    tell(results, report);
    Ok(())
}

/// The set-up of all topics but one: no controllers, no ServiceAccount admission.
fn bare_options() -> Options {
    Options { bare: true, admin_token: Some(TOKEN.to_owned()), ..Options::default() }
}

/// The set-up of the topic `controllers`: default admission, controllers, three nodes with a fake kubelet.
fn living_options() -> Options {
    Options {
        controllers: true,
        no_scheduler: true,
        nodes: (0..3).map(|number| format!("kwok-{number}")).collect(),
        kubelet_delay: Duration::ZERO,
        admin_token: Some(TOKEN.to_owned()),
        ..Options::default()
    }
}

/// A scenario's topic, its name and how the answers differed.
type Outcome = (String, String, Vec<String>);

/// Plays the scenarios against one fresh server.
async fn play(scenarios: Vec<Scenario>, options: Options) -> anyhow::Result<Vec<Outcome>> {
    if scenarios.is_empty() {
        return Ok(Vec::new());
    }
    let client = Client::new(Sandbox::new(options)?.service_as(None), TOKEN);
    let patterns = Arc::new(Patterns::new()?);
    let places = Arc::new(Semaphore::new(JOBS));
    let mut tasks = JoinSet::new();
    for scenario in scenarios {
        let (client, patterns, places) = (client.clone(), patterns.clone(), places.clone());
        tasks.spawn(async move {
            let _place = places.acquire_owned().await;
            let differences = run::run(&client, &scenario, patterns).await;
            (scenario.topic, scenario.name, differences)
        });
    }
    Ok(tasks.join_all().await)
}

/// Records the outcomes and prints a line for each topic.
fn tell(mut outcomes: Vec<Outcome>, report: &mut Report) {
    outcomes.sort();
    let mut topics: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (topic, name, differences) in outcomes {
        let (passed, failed) = topics.entry(topic.clone()).or_default();
        *(if differences.is_empty() { passed } else { failed }) += 1;
        let outcome = if differences.is_empty() {
            Ok(())
        } else {
            let shown = differences.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join("\n");
            Err(format!("{} differences\n{shown}", differences.len()))
        };
        report.record(&format!("{topic}/{name}"), outcome);
    }
    for (topic, (passed, failed)) in topics {
        println!("{topic:<16} {passed} passed, {failed} failed");
    }
}
