//! `lockstep run`: the operator in a cluster.

use std::path::Path;

use anyhow::Context;
use lockstep_operator::{Operator, Settings};

use crate::{End, arguments, connect, sandbox::wait_for_signal};

pub(crate) async fn run(arguments: arguments::Run) -> anyhow::Result<End> {
    let cluster = connect::connect(&arguments.connection).await?;
    if arguments.install_crds {
        connect::install_crds(&cluster).await?;
    }
    let settings = Settings { cache: arguments.cache, namespace: arguments.namespace };
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
