//! Performs effects and answers with events.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use lockstep_api::{API_VERSION, AppStatus, FIELD_MANAGER, FINALIZER, HOOK_RUN, NamespaceMetadata};
use lockstep_cluster::{Applied, Cluster, Error, WatchEvent};
use lockstep_engine::{AppId, ApplyOptions, Event, Live, ProblemKind};
use lockstep_health::Rules;
use lockstep_object::{Object, ObjectKey, Text, from_json, to_json};
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
    pub(crate) options: Arc<ApplyOptions>,
    /// The server's version that we know, to tell whether the apply changed anything.
    pub(crate) known: Option<u64>,
}

/// How long a deleted object may take to be gone before it is made anew.
const GONE_WITHIN: Duration = Duration::from_secs(60);

/// Applies an object; makes its namespace first if it is missing and that is wanted.
pub(crate) async fn apply(cluster: Cluster, rules: Arc<Rules>, apply: Apply) -> Event {
    let mut result = match &apply.options.afresh {
        Some(mark) => apply_afresh(&cluster, &apply, mark).await,
        None => apply_once(&cluster, &apply).await,
    };
    if let (Err(error), Some(metadata)) = (&result, &apply.options.create_namespace)
        && error.problem().kind == ProblemKind::NamespaceMissing
    {
        result = match create_namespace(&cluster, &apply.key.namespace, metadata).await {
            Ok(()) => apply_once(&cluster, &apply).await,
            Err(error) => Err(error),
        };
    }
    if apply.options.recreate && result.as_ref().is_err_and(Error::is_immutable_field) {
        result = recreate(&cluster, &apply).await;
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

async fn apply_once(cluster: &Cluster, apply: &Apply) -> Result<Applied, Error> {
    let Apply { key, version, options, .. } = apply;
    let body = respectful_body(cluster, apply).await?;
    match options.replace {
        true => cluster.replace(key, version, &body).await,
        false => cluster.apply(key, version, &body).await,
    }
}

/// Returns what is sent: what the rules leave out is as the live object has it.
async fn respectful_body(cluster: &Cluster, apply: &Apply) -> Result<Arc<[u8]>, Error> {
    let Apply { key, version, options, body, .. } = apply;
    if options.respect.0.is_empty() {
        return Ok(Arc::clone(body));
    }
    let desired = from_json(body).ok().and_then(|value| Object::try_from(value).ok());
    let (Some(desired), Some(live)) = (desired, cluster.live(key, version).await?) else { return Ok(Arc::clone(body)) };
    let sent = lockstep_diff::respected(&desired, &live, FIELD_MANAGER, &options.respect.0);
    Ok(to_json(&sent.to_value()).into_bytes().into())
}

/// Applies a hook; what an unanswered request for another run left goes first.
async fn apply_afresh(cluster: &Cluster, apply: &Apply, mark: &Text) -> Result<Applied, Error> {
    let Apply { key, version, .. } = apply;
    match cluster.live(key, version).await? {
        Some(live) if live.annotation(HOOK_RUN) != Some(mark.as_str()) => recreate(cluster, apply).await,
        _ => apply_once(cluster, apply).await,
    }
}

/// Deletes an object and makes it anew once it is gone.
async fn recreate(cluster: &Cluster, apply: &Apply) -> Result<Applied, Error> {
    let Apply { key, version, .. } = apply;
    if let Some(live) = cluster.live(key, version).await? {
        cluster.delete(key, version, live.str_at(&["metadata", "uid"])).await?;
    }
    let gone = async {
        let mut pause = Duration::from_millis(20);
        while cluster.live(key, version).await?.is_some() {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(2));
        }
        Ok(())
    };
    match tokio::time::timeout(GONE_WITHIN, gone).await {
        Ok(Ok(())) => apply_once(cluster, apply).await,
        Ok(Err(error)) => Err(error),
        Err(_) => Err(Error::Unreachable(format!("{key} is deleted to be made anew and not gone after a minute"))),
    }
}

/// Has the server check an object.
pub(crate) async fn validate(
    cluster: Cluster,
    key: ObjectKey,
    version: Text,
    body: Arc<[u8]>,
    options: Arc<ApplyOptions>,
) -> Event {
    let result = match cluster.validate(&key, &version, &body).await {
        // What is deleted and made anew, or put in place as a whole, is not a change of the live object.
        Err(error) if error.is_immutable_field() && (options.recreate || options.replace) => Ok(()),
        result => result.map_err(|error| error.problem()),
    };
    Event::Validated { key, result }
}

async fn create_namespace(cluster: &Cluster, name: &str, metadata: &NamespaceMetadata) -> Result<(), Error> {
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": name, "labels": metadata.labels, "annotations": metadata.annotations},
    });
    match cluster.create("/api/v1/namespaces", &namespace).await {
        Ok(_) => Ok(()),
        // Another object was faster.
        Err(error) if error.code() == Some(409) => Ok(()),
        Err(error) => Err(error),
    }
}

/// An object to delete, as the engine asks for it.
pub(crate) struct Delete {
    pub(crate) key: ObjectKey,
    pub(crate) version: Text,
    pub(crate) uid: Text,
    /// The version in which it was last seen.
    pub(crate) seen: u64,
    /// The App's label.
    pub(crate) label: String,
}

/// Deletes an object, if it still is the App's.
pub(crate) async fn delete(cluster: Cluster, delete: Delete) -> Event {
    let result = delete_ours(&cluster, &delete).await.map_err(|error| error.problem());
    Event::Deleted { key: delete.key, result }
}

/// How often an object that changes all the time is looked at before its deletion is tried again later.
const LOOKS: usize = 5;

/// Between the decision and its arrival another App may have taken the object over: what changed is looked at again.
async fn delete_ours(cluster: &Cluster, delete: &Delete) -> Result<(), Error> {
    let Delete { key, version, uid, label, .. } = delete;
    let mut seen = delete.seen.to_string();
    for _ in 0..LOOKS {
        if cluster.delete_as_seen(key, version, uid, &seen).await? {
            return Ok(());
        }
        let Some(live) = cluster.live(key, version).await? else { return Ok(()) };
        let same = live.str_at(&["metadata", "uid"]) == uid.as_str();
        if !same || live.label(lockstep_api::APP_LABEL) != Some(label) {
            return Ok(());
        }
        seen = live.str_at(&["metadata", "resourceVersion"]).to_owned();
    }
    Err(Error::Unreachable(format!("{key} changes faster than it can be deleted")))
}

fn app_path(app: &AppId) -> String {
    format!("/apis/{API_VERSION}/namespaces/{}/apps/{}", app.namespace, app.name)
}

/// The fields of a status that are left out when they are empty.
const OPTIONAL: [&str; 12] = [
    "message",
    "revision",
    "attemptedRevision",
    "digest",
    "lastRefresh",
    "runs",
    "heldRevision",
    "deletionHooks",
    "asks",
    "inventory",
    "history",
    "drift",
];

/// Writes the status; fields that are no longer there are removed. Returns the version of the App that has it, or
/// nothing if it must be tried again.
pub(crate) async fn write_status(cluster: Cluster, app: AppId, status: Box<AppStatus>) -> Option<u64> {
    let mut value = serde_json::to_value(&status).unwrap_or_default();
    if let serde_json::Value::Object(fields) = &mut value {
        for name in OPTIONAL {
            fields.entry(name).or_insert(serde_json::Value::Null);
        }
    }
    let path = format!("{}/status", app_path(&app));
    match cluster.merge(&path, &json!({"status": value})).await {
        Ok(object) => Some(Live::version_of(&object)),
        Err(error) if error.is_not_found() => Some(0),
        Err(error) => {
            tracing::warn!(%app, %error, "the status could not be written");
            None
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_that_an_empty_status_leaves_out_is_removed() {
        let empty = serde_json::to_value(AppStatus::default()).unwrap();
        let all = lockstep_api::crds()[0]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
            ["properties"]
            .clone();
        let left_out: Vec<&String> = all.as_object().unwrap().keys().filter(|key| empty.get(key).is_none()).collect();
        let mut known = OPTIONAL.to_vec();
        known.sort_unstable();
        assert_eq!(left_out, known);
    }
}
