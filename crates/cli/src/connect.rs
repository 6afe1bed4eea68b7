//! Ways to a cluster.

use std::path::Path;

use anyhow::Context;
use lockstep_cluster::Cluster;
use lockstep_object::{ObjectKey, from_json};

use crate::arguments::Connection;

/// Connects to the cluster that the arguments name.
pub(crate) async fn connect(connection: &Connection) -> anyhow::Result<Cluster> {
    // An empty KUBECONFIG is none.
    let file = connection.kubeconfig.as_deref().filter(|path| !path.as_os_str().is_empty());
    connect_file(file, connection.context.as_deref()).await
}

pub(crate) async fn connect_file(file: Option<&Path>, context: Option<&str>) -> anyhow::Result<Cluster> {
    let cluster = Cluster::connect(file, context).await.context("cannot connect to the cluster")?;
    cluster.refresh_discovery(0).await.context("the cluster does not answer")?;
    Ok(cluster)
}

/// Installs the custom resource definitions and waits until they are served.
pub(crate) async fn install_crds(cluster: &Cluster) -> anyhow::Result<()> {
    for crd in lockstep_api::crds() {
        let name = crd["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let key = ObjectKey::new("apiextensions.k8s.io", "CustomResourceDefinition", "", &name);
        cluster
            .apply(&key, "v1", crd.to_string().as_bytes())
            .await
            .with_context(|| format!("cannot install {name}"))?;
        wait_until_served(cluster, &name).await?;
    }
    cluster.refresh_discovery(cluster.discovered()).await?;
    Ok(())
}

async fn wait_until_served(cluster: &Cluster, name: &str) -> anyhow::Result<()> {
    let plural = name.split('.').next().unwrap_or_default();
    let path = format!("/apis/{}/{plural}?limit=1", lockstep_api::API_VERSION);
    for _ in 0..200 {
        if cluster.get(&path).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    anyhow::bail!("the definition {name} is not served after 10 s")
}

/// Applies an App.
pub(crate) async fn apply_app(
    cluster: &Cluster,
    namespace: &str,
    name: &str,
    spec: &lockstep_api::AppSpec,
) -> anyhow::Result<()> {
    let app = serde_json::json!({
        "apiVersion": lockstep_api::API_VERSION, "kind": "App",
        "metadata": {"name": name, "namespace": namespace, "finalizers": [lockstep_api::FINALIZER]},
        "spec": spec,
    });
    // Read once more as our own value, so that what is sent is what a manifest would be.
    from_json(app.to_string().as_bytes()).context("the App cannot be written as JSON")?;
    let key = ObjectKey::new(lockstep_api::GROUP, "App", namespace, name);
    cluster.apply(&key, lockstep_api::VERSION, app.to_string().as_bytes()).await?;
    Ok(())
}

/// Makes a namespace unless it is there.
pub(crate) async fn make_namespace(cluster: &Cluster, name: &str) -> anyhow::Result<()> {
    let namespace = serde_json::json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    match cluster.create("/api/v1/namespaces", &namespace).await {
        Ok(_) => Ok(()),
        // There already, or not ours to make: applying tells.
        Err(error) if matches!(error.code(), Some(403 | 409)) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot make the namespace {name}")),
    }
}
