//! What people are told.

use jiff::Timestamp;
use lockstep_cluster::Cluster;
use lockstep_engine::{AppId, Notice};
use serde_json::json;

/// One thing that people are told.
#[derive(Clone, Debug)]
pub struct Told {
    /// When.
    pub time: Timestamp,
    /// About which App.
    pub app: AppId,
    /// What.
    pub notice: Notice,
}

/// Writes a Kubernetes event about an App. Failing to do so is logged: an event is no state.
pub(crate) async fn write_event(cluster: Cluster, app: AppId, uid: String, notice: Notice, now: Timestamp) {
    let time = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    // The API server refuses messages over 1,024 bytes.
    let message: String = notice.message.chars().take(250).collect();
    let event = json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": {"generateName": format!("{}.", app.name), "namespace": app.namespace},
        "involvedObject": {
            "apiVersion": lockstep_api::API_VERSION, "kind": "App",
            "name": app.name, "namespace": app.namespace, "uid": uid,
        },
        "type": if notice.warning { "Warning" } else { "Normal" },
        "reason": notice.reason, "message": message,
        "firstTimestamp": time, "lastTimestamp": time, "count": 1,
        "source": {"component": lockstep_api::FIELD_MANAGER},
        "reportingComponent": lockstep_api::FIELD_MANAGER, "reportingInstance": "",
    });
    let collection = format!("/api/v1/namespaces/{}/events", app.namespace);
    if let Err(error) = cluster.create(&collection, &event).await {
        tracing::debug!(%app, %error, "an event could not be written");
    }
}
