//! The operator in a process of its own, so that its CPU and memory are its own.
//!
//! The bench starts itself as `lockstep-bench operator`; a line on standard input asks for [`Usage`], a closed one
//! for the end.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::Context;
use lockstep_cluster::{Cluster, Verb};
use lockstep_operator::{Handle, Operator, Settings};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout},
};

use crate::{memory, process};

/// What the operator has used so far.
#[derive(Clone, Debug)]
pub(crate) struct Usage {
    /// Requests to the API server by verb, watches aside.
    pub(crate) requests: Vec<(String, u64)>,
    /// CPU seconds, all threads.
    pub(crate) cpu: f64,
    /// The largest resident memory, in MiB.
    pub(crate) peak_mib: f64,
    /// What is allocated now, in MiB.
    pub(crate) heap_mib: f64,
}

impl Usage {
    /// Returns the number of all requests.
    pub(crate) fn total(&self) -> u64 {
        self.requests.iter().map(|(_, count)| count).sum()
    }

    /// Returns what was used since an earlier time; the peak stays the peak.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let requests = self.requests.iter().zip(&before.requests);
        Self {
            requests: requests.map(|((verb, now), (_, then))| (verb.clone(), now - then)).collect(),
            cpu: self.cpu - before.cpu,
            peak_mib: self.peak_mib,
            heap_mib: self.heap_mib,
        }
    }

    /// Returns the requests as words: `4000 apply, 1000 status`.
    pub(crate) fn words(&self) -> String {
        let used = self.requests.iter().filter(|(_, count)| *count > 0);
        let words: Vec<String> = used.map(|(verb, count)| format!("{count} {verb}")).collect();
        if words.is_empty() { "none".to_owned() } else { words.join(", ") }
    }

    fn of(line: &str) -> anyhow::Result<Self> {
        let value: Value = serde_json::from_str(line)?;
        let requests = value["requests"].as_object().context("no requests")?;
        Ok(Self {
            requests: requests.iter().map(|(verb, count)| (verb.clone(), count.as_u64().unwrap_or(0))).collect(),
            cpu: value["cpu"].as_f64().unwrap_or_default(),
            peak_mib: value["peak_mib"].as_f64().unwrap_or_default(),
            heap_mib: value["heap_mib"].as_f64().unwrap_or_default(),
        })
    }
}

/// A running operator process.
pub(crate) struct Running {
    child: Child,
    questions: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Running {
    /// Starts an operator that only looks at Apps of one namespace.
    pub(crate) fn start(kubeconfig: &Path, cache: &Path, namespace: &str) -> anyhow::Result<Self> {
        let mut child = tokio::process::Command::new(std::env::current_exe()?)
            .arg("operator")
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .arg("--cache")
            .arg(cache)
            .args(["--namespace", namespace])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the operator")?;
        let questions = child.stdin.take().context("the operator has no standard input")?;
        let answers = child.stdout.take().context("the operator has no standard output")?;
        Ok(Self { child, questions, answers: BufReader::new(answers).lines() })
    }

    /// Asks what it has used.
    pub(crate) async fn usage(&mut self) -> anyhow::Result<Usage> {
        self.questions.write_all(b"usage\n").await?;
        Usage::of(&self.answers.next_line().await?.context("the operator ended")?)
    }

    /// Lets it finish what is in flight.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        drop(self.questions);
        let status = self.child.wait().await?;
        anyhow::ensure!(status.success(), "the operator ended with {status}");
        Ok(())
    }
}

/// How that process is called.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[arg(long)]
    kubeconfig: PathBuf,
    #[arg(long)]
    cache: PathBuf,
    #[arg(long)]
    namespace: String,
}

/// Is that process.
pub(crate) async fn serve(arguments: Arguments) -> anyhow::Result<()> {
    let cluster = Cluster::connect(Some(&arguments.kubeconfig), None).await?;
    let settings = Settings { cache: arguments.cache, namespace: Some(arguments.namespace), ..Settings::default() };
    let operator = Operator::start(cluster, settings).await?;
    let asked = operator.clone();
    tokio::task::spawn_blocking(move || {
        for question in std::io::stdin().lines() {
            question?;
            println!("{}", usage(&asked));
        }
        anyhow::Ok(())
    })
    .await??;
    operator.stop().await;
    Ok(())
}

fn usage(operator: &Handle) -> Value {
    let counts = operator.cluster().counts();
    let counted = Verb::ALL.iter().filter(|verb| **verb != Verb::Watch);
    let requests: serde_json::Map<String, Value> =
        counted.map(|verb| (verb.as_str().to_owned(), json!(counts.get(*verb)))).collect();
    json!({"requests": requests, "cpu": process::cpu_seconds(), "peak_mib": process::peak_mib(), "heap_mib": memory::live_mib()})
}
