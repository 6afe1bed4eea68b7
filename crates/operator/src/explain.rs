//! Finds out why an object is not well: its pods, its events, and the end of a failed hook's logs.

use lockstep_cluster::Cluster;
use lockstep_engine::Event;
use lockstep_object::{Object, ObjectKey, Text, Value};

/// The log of a failed hook is cut to its last lines.
const LINES: u32 = 20;
const BYTES: usize = 2048;
/// The most recent events are among these unless a namespace is very loud.
const EVENTS: u32 = 500;

/// Explains an object. What cannot be read is left out: the run fails all the same, with less to say.
pub(crate) async fn explain(cluster: Cluster, key: ObjectKey, version: Text, log: bool) -> Event {
    let Ok(Some(object)) = cluster.live(&key, &version).await else {
        return Event::Explained { key, reason: None, log: None };
    };
    let pods = pods_of(&cluster, &object).await;
    let path = format!("/api/v1/namespaces/{}/events?limit={EVENTS}", key.namespace);
    let events = if key.namespace.is_empty() { Vec::new() } else { list(&cluster, &path).await };
    let children: Vec<&Object> = pods.iter().collect();
    let events: Vec<&Object> = events.iter().collect();
    let reason = lockstep_health::reason(&object, &children, &events);
    let log = if log { log_of(&cluster, &pods).await } else { None };
    Event::Explained { key, reason, log }
}

/// Reads the pods that a workload selects.
async fn pods_of(cluster: &Cluster, object: &Object) -> Vec<Object> {
    if object.kind() == "Pod" {
        return vec![object.clone()];
    }
    let labels = object.at(&["spec", "selector", "matchLabels"]).and_then(Value::as_map);
    let Some(labels) = labels.filter(|labels| !labels.is_empty()) else { return Vec::new() };
    let pairs = labels.iter().filter_map(|(key, value)| Some(format!("{key}%3D{}", value.as_str()?)));
    let selector = pairs.collect::<Vec<_>>().join(",").replace('/', "%2F");
    list(cluster, &format!("/api/v1/namespaces/{}/pods?labelSelector={selector}", object.namespace())).await
}

async fn list(cluster: &Cluster, path: &str) -> Vec<Object> {
    let list = match cluster.get(path).await {
        Ok(list) => list,
        Err(error) => {
            tracing::debug!(path, %error, "cannot be read for an explanation");
            return Vec::new();
        }
    };
    let kind = list.kind().strip_suffix("List").unwrap_or_default().to_owned();
    let items = list.at(&["items"]).and_then(Value::as_list).cloned().unwrap_or_default();
    // Items of typed lists carry no kind.
    let object = |mut item: Value| {
        let map = item.as_map_mut()?;
        if map.get("kind").is_none() {
            map.insert("kind", kind.as_str());
            map.insert("apiVersion", list.api_version());
        }
        Object::try_from(item).ok()
    };
    items.into_iter().filter_map(object).collect()
}

/// Reads the end of the logs of the pod that ended last and not well, or of the only one.
async fn log_of(cluster: &Cluster, pods: &[Object]) -> Option<String> {
    let failed = pods.iter().filter(|pod| pod.str_at(&["status", "phase"]) == "Failed");
    let latest = |pod: &&Object| pod.str_at(&["metadata", "creationTimestamp"]).to_owned();
    let pod = failed.max_by_key(latest).or_else(|| pods.iter().max_by_key(latest))?;
    let path = format!("/api/v1/namespaces/{}/pods/{}/log?tailLines={LINES}", pod.namespace(), pod.name());
    let text = match cluster.text(&path).await {
        Ok(text) => text,
        Err(error) => {
            tracing::debug!(pod = pod.name(), %error, "the log cannot be read");
            return None;
        }
    };
    let start = (text.len().saturating_sub(BYTES)..=text.len()).find(|start| text.is_char_boundary(*start))?;
    let tail = text[start..].trim_end();
    (!tail.is_empty()).then(|| tail.to_owned())
}
