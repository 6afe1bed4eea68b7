//! Performs effects and answers with events.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use lockstep_api::{API_VERSION, AppStatus, FINALIZER};
use lockstep_cluster::{Cluster, Error, WatchEvent};
use lockstep_engine::{AppId, Event, Live, ProblemKind};
use lockstep_health::Rules;
use lockstep_object::{Object, ObjectKey, Text};
use serde_json::json;
use tokio::sync::mpsc;

use crate::core::Message;

/// The first and the longest pause before an App is looked at again.
const FIRST_LOOK: Duration = Duration::from_millis(100);
const LAST_LOOK: Duration = Duration::from_secs(30);

/// An object to apply.
pub(crate) struct Apply {
    pub(crate) key: ObjectKey,
    pub(crate) version: Text,
    pub(crate) body: Arc<[u8]>,
    pub(crate) digest: u64,
    pub(crate) create_namespace: bool,
    /// The server's version that we know, to tell whether the apply changed anything.
    pub(crate) known: Option<u64>,
}

/// Applies an object; makes its namespace first if it is missing and that is wanted.
pub(crate) async fn apply(cluster: Cluster, rules: Arc<Rules>, apply: Apply) -> Event {
    let mut result = cluster.apply(&apply.key, &apply.version, &apply.body).await;
    if let Err(error) = &result
        && error.problem().kind == ProblemKind::NamespaceMissing
        && apply.create_namespace
    {
        result = match create_namespace(&cluster, &apply.key.namespace).await {
            Ok(()) => cluster.apply(&apply.key, &apply.version, &apply.body).await,
            Err(error) => Err(error),
        };
    }
    let result = result.map(|applied| Live::of(&applied.object, &rules, crate::now()));
    let changed = result.as_ref().is_ok_and(|live| apply.known != Some(live.version));
    Event::Applied {
        key: apply.key,
        version: apply.version,
        digest: apply.digest,
        result: result.map_err(|error| error.problem()),
        changed,
    }
}

async fn create_namespace(cluster: &Cluster, name: &str) -> Result<(), Error> {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    match cluster.create("/api/v1/namespaces", &namespace).await {
        Ok(_) => Ok(()),
        // Another object was faster.
        Err(error) if error.code() == Some(409) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Deletes an object.
pub(crate) async fn delete(cluster: Cluster, key: ObjectKey, version: Text, uid: Text) -> Event {
    let result = cluster.delete(&key, &version, &uid).await.map_err(|error| error.problem());
    Event::Deleted { key, result }
}

fn app_path(app: &AppId) -> String {
    format!("/apis/{API_VERSION}/namespaces/{}/apps/{}", app.namespace, app.name)
}

/// Writes the status; fields that are no longer there are removed. Tells whether it must be tried again.
pub(crate) async fn write_status(cluster: Cluster, app: AppId, status: Box<AppStatus>) -> bool {
    let mut value = serde_json::to_value(&status).unwrap_or_default();
    if let serde_json::Value::Object(fields) = &mut value {
        for name in
            ["message", "revision", "attemptedRevision", "digest", "lastRefresh", "inventory", "history", "drift"]
        {
            fields.entry(name).or_insert(serde_json::Value::Null);
        }
    }
    let path = format!("{}/status", app_path(&app));
    match cluster.merge(&path, &json!({"status": value})).await {
        Ok(_) => false,
        Err(error) if error.is_not_found() => false,
        Err(error) => {
            tracing::warn!(%app, %error, "the status could not be written");
            true
        }
    }
}

/// Puts our finalizer on an App or takes it away, if the App is as it was seen. Tells whether it is done with.
pub(crate) async fn set_finalizer(
    cluster: Cluster,
    app: AppId,
    version: String,
    finalizers: Vec<String>,
    ours: bool,
) -> bool {
    let mut wanted: Vec<String> = finalizers.into_iter().filter(|name| name != FINALIZER).collect();
    if ours {
        wanted.push(FINALIZER.to_owned());
    }
    let patch = json!({"metadata": {"resourceVersion": version, "finalizers": wanted}});
    match cluster.merge(&app_path(&app), &patch).await {
        Ok(_) => true,
        Err(error) if error.is_not_found() => true,
        // The App changed meanwhile, if only by a status that we wrote ourselves.
        Err(error) if error.code() == Some(409) => false,
        Err(error) => {
            tracing::warn!(%app, %error, "the finalizer could not be written");
            false
        }
    }
}

/// Looks at an App until it can be seen, and tells the core as the watch would.
pub(crate) async fn look_again(cluster: Cluster, app: AppId, messages: mpsc::Sender<Message>) {
    let mut pause = FIRST_LOOK;
    while !messages.is_closed() {
        tokio::time::sleep(pause).await;
        pause = (2 * pause).min(LAST_LOOK);
        match cluster.get(&app_path(&app)).await {
            // When the core is gone, there is nobody to tell.
            Ok(object) => return messages.send(Message::App(WatchEvent::Live(object))).await.unwrap_or_default(),
            // The watch tells that it is gone.
            Err(error) if error.is_not_found() => return,
            Err(error) => tracing::debug!(%app, %error, "the App cannot be looked at"),
        }
    }
}

/// Reads what of an App matters.
pub(crate) fn app_of(object: &Object) -> Result<lockstep_api::App, String> {
    let annotations: BTreeMap<&str, &str> = object
        .at(&["metadata", "annotations"])
        .and_then(|map| map.as_map())
        .into_iter()
        .flat_map(|map| map.iter())
        .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
        .collect();
    let mut value = serde_json::to_value(object).map_err(|error| error.to_string())?;
    value["metadata"]["annotations"] = json!(annotations);
    serde_json::from_value(value).map_err(|error| error.to_string())
}
