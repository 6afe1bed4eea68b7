//! `lockstep run`: the operator in a cluster.

use std::path::Path;

use anyhow::Context;
use lockstep_api::HealthRule;
use lockstep_object::yaml;
use lockstep_operator::{Operator, Settings};

use crate::{End, arguments, connect, sandbox::wait_for_signal};

pub(crate) async fn run(arguments: arguments::Run) -> anyhow::Result<End> {
    let cluster = connect::connect(&arguments.connection).await?;
    if arguments.install_crds {
        connect::install_crds(&cluster).await?;
    }
    let health_rules = arguments.health_rules.as_deref().map(read_health_rules).transpose()?.unwrap_or_default();
    let settings = Settings { cache: arguments.cache, namespace: arguments.namespace, health_rules };
    let operator = Operator::start(cluster, settings).await?;
    let secret = arguments.webhook_secret_file.as_deref().map(read_secret).transpose()?;
    let server = lockstep_operator::serve(operator.clone(), arguments.listen, secret).await?;
    tracing::info!(listen = %arguments.listen, "the operator runs");
    wait_for_signal().await?;
    tracing::info!("stopping: what is in flight is finished");
    operator.stop().await;
    server.abort();
    Ok(End::Done)
}

/// Reads a secret from a file, as Kubernetes mounts it; editors put a line end at the end.
fn read_secret(file: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let secret = text.trim_end_matches(['\n', '\r']).to_owned();
    anyhow::ensure!(!secret.is_empty(), "{} is empty; a webhook's secret needs at least a letter", file.display());
    Ok(secret)
}

/// Reads a file with a list of health rules.
fn read_health_rules(file: &Path) -> anyhow::Result<Vec<HealthRule>> {
    let about = || format!("the health rules in {}", file.display());
    let text = std::fs::read_to_string(file).with_context(about)?;
    let value = yaml::parse(&text).map_err(|problem| anyhow::anyhow!("{problem}")).with_context(about)?;
    let rules = serde_json::to_value(&value).and_then(serde_json::from_value);
    rules.with_context(about)
}
