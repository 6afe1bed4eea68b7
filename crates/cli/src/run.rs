//! `lockstep run`: the operator in a cluster.

use lockstep_operator::{Operator, Settings};

use crate::{End, arguments, connect, sandbox::wait_for_signal};

pub(crate) async fn run(arguments: arguments::Run) -> anyhow::Result<End> {
    let cluster = connect::connect(&arguments.connection).await?;
    if arguments.install_crds {
        connect::install_crds(&cluster).await?;
    }
    let settings = Settings { cache: arguments.cache, namespace: arguments.namespace };
    let operator = Operator::start(cluster, settings).await?;
    let server = lockstep_operator::serve(operator.clone(), arguments.listen).await?;
    tracing::info!(listen = %arguments.listen, "the operator runs");
    wait_for_signal().await?;
    tracing::info!("stopping: what is in flight is finished");
    operator.stop().await;
    server.abort();
    Ok(End::Done)
}
