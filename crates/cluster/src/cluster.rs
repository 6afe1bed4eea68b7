//! A connection to one cluster.

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use http::{Method, Request};
use http_body_util::BodyExt;
use kube::client::Body;
use lockstep_api::FIELD_MANAGER;
use lockstep_object::{Gvk, Object, ObjectKey, Value, from_json};
use tokio::sync::Semaphore;

use crate::{Counts, Discovery, Error, Resource, Verb, pace::Pace};

/// The number of writes under way at once. It is what the floor of the benchmarks uses; beyond it a kube-apiserver
/// on two cores gets slower, not faster.
const WRITES: usize = 32;
/// From so many writes a second on the API server has enough to do: what only says that something goes on can wait.
const BUSY: u32 = 10;
/// How often a passing error (429, 503) is tried again inside one effect; the engine retries later.
const TRIES: u32 = 4;
/// An answer takes longer only from a server that is not well.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A connection to one cluster. Clones share it.
#[derive(Clone)]
pub struct Cluster {
    client: kube::Client,
    shared: Arc<Shared>,
}

struct Shared {
    counts: Counts,
    writes: Semaphore,
    pace: Pace,
    discovery: RwLock<Arc<Discovery>>,
    discovered: AtomicU64,
    refreshing: tokio::sync::Mutex<()>,
}

/// An object as the server stored it.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The object.
    pub object: Object,
    /// Whether it was made by this request.
    pub created: bool,
}

impl Cluster {
    /// Tells whether the API server has enough to do: as many writes are under way as may be, or there were many in
    /// the last seconds.
    pub fn is_saturated(&self) -> bool {
        self.shared.writes.available_permits() == 0 || self.shared.pace.a_second(Instant::now()) >= BUSY
    }

    /// Returns a connection over a client: a socket's, or a server in the same process.
    pub fn new(client: kube::Client) -> Self {
        let shared = Shared {
            counts: Counts::default(),
            writes: Semaphore::new(WRITES),
            pace: Pace::default(),
            discovery: RwLock::default(),
            discovered: AtomicU64::new(0),
            refreshing: tokio::sync::Mutex::new(()),
        };
        Self { client, shared: Arc::new(shared) }
    }

    /// Connects as a kubeconfig file (or, without one, the environment) says.
    pub async fn connect(kubeconfig: Option<&std::path::Path>, context: Option<&str>) -> Result<Self, Error> {
        let settings = |error: &dyn std::fmt::Display| Error::Settings(error.to_string());
        let mut config = match kubeconfig {
            Some(path) => {
                let file = kube::config::Kubeconfig::read_from(path).map_err(|e| settings(&e))?;
                let options =
                    kube::config::KubeConfigOptions { context: context.map(Into::into), ..Default::default() };
                kube::Config::from_custom_kubeconfig(file, &options).await.map_err(|e| settings(&e))?
            }
            None => kube::Config::infer().await.map_err(|e| settings(&e))?,
        };
        // kube's own retry repeats any verb for minutes; ours is bounded and the engine decides.
        config.default_retry = false;
        // Watches are quiet for long; requests have a timeout of their own below.
        config.read_timeout = None;
        let client = kube::Client::try_from(config).map_err(|e| settings(&e))?;
        Ok(Self::new(client))
    }

    /// Returns the number of requests so far.
    pub fn counts(&self) -> &Counts {
        &self.shared.counts
    }

    pub(crate) fn client(&self) -> &kube::Client {
        &self.client
    }

    /// Returns what the cluster last told of its kinds.
    pub fn discovery(&self) -> Arc<Discovery> {
        Arc::clone(&self.shared.discovery.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks the cluster for its kinds again, unless that has been done since `seen` (see [`Cluster::discovered`]).
    pub async fn refresh_discovery(&self, seen: u64) -> Result<(), Error> {
        let _one = self.shared.refreshing.lock().await;
        if self.discovered() > seen {
            return Ok(());
        }
        let mut discovery = Discovery::default();
        for path in ["/api", "/apis"] {
            let request = Request::get(path)
                .header("accept", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
            let (_, body) = self.send(Verb::Get, request, Vec::new()).await?;
            let document = from_json(&body).map_err(|error| Error::Unreachable(error.to_string()))?;
            discovery.add_aggregated(&document);
        }
        discovery.version =
            self.get_value("/version").await?.get("gitVersion").and_then(Value::as_str).unwrap_or("").into();
        *self.shared.discovery.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(discovery);
        self.shared.discovered.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    /// Returns how often the kinds were asked for.
    pub fn discovered(&self) -> u64 {
        self.shared.discovered.load(Ordering::SeqCst)
    }

    /// Returns the resource of a kind; asks the cluster again once if it is not known.
    pub async fn resource(&self, gvk: &Gvk) -> Result<Resource, Error> {
        let seen = self.discovered();
        if let Some(resource) = self.discovery().resource(gvk) {
            return Ok(resource.clone());
        }
        self.refresh_discovery(seen).await?;
        self.discovery().resource(gvk).cloned().ok_or_else(|| Error::UnknownKind(gvk.to_string()))
    }

    /// Returns the resource of a kind in this version or, where that is not served, in the one that the server prefers:
    /// an object that was applied in a version of yesterday is the same object in the versions of today.
    ///
    /// # Errors
    /// The server must answer and know the kind.
    pub async fn served(&self, gvk: &Gvk) -> Result<Resource, Error> {
        match self.resource(gvk).await {
            Err(Error::UnknownKind(kind)) => {
                self.discovery().preferred(&gvk.group, &gvk.kind).cloned().ok_or(Error::UnknownKind(kind))
            }
            known => known,
        }
    }

    /// Applies an object (server-side apply, forced) and returns it as stored. Takes over the fields of tools that
    /// applied it before, so that what leaves Git leaves the cluster.
    pub async fn apply(&self, key: &ObjectKey, version: &str, body: &[u8]) -> Result<Applied, Error> {
        let resource = self.resource(&Gvk::new(&key.group, version, &key.kind)).await?;
        let path = resource.path(&key.namespace, &key.name);
        let applied = self.apply_at(&path, body).await?;
        let Some(fields) = taken_over(&applied.object) else { return Ok(applied) };
        let version = applied.object.str_at(&["metadata", "resourceVersion"]).to_owned();
        let patch = serde_json::json!([
            {"op": "test", "path": "/metadata/resourceVersion", "value": version},
            {"op": "replace", "path": "/metadata/managedFields", "value": fields},
        ]);
        let request = Request::patch(&path).header("content-type", "application/json-patch+json");
        self.send(Verb::Patch, request, patch.to_string().into_bytes()).await?;
        self.apply_at(&path, body).await
    }

    /// Has the server check an object as it would be applied, without storing it.
    pub async fn validate(&self, key: &ObjectKey, version: &str, body: &[u8]) -> Result<(), Error> {
        let resource = self.resource(&Gvk::new(&key.group, version, &key.kind)).await?;
        let path = resource.path(&key.namespace, &key.name);
        self.apply_with(&path, body, "&dryRun=All").await.map(|_| ())
    }

    /// Puts an object in place of the live one as a whole; makes it if there is none.
    pub async fn replace(&self, key: &ObjectKey, version: &str, body: &[u8]) -> Result<Applied, Error> {
        let Some(live) = self.live(key, version).await? else { return self.apply(key, version, body).await };
        let resource = self.resource(&Gvk::new(&key.group, version, &key.kind)).await?;
        let mut object = object_of(body)?;
        object.metadata_mut().insert("resourceVersion", live.str_at(&["metadata", "resourceVersion"]));
        let uri = format!("{}?fieldManager={FIELD_MANAGER}", resource.path(&key.namespace, &key.name));
        let request = Request::put(uri).header("content-type", "application/json");
        let body = lockstep_object::to_json(&object.to_value()).into_bytes();
        let (_, body) = self.send(Verb::Apply, request, body).await?;
        Ok(Applied { object: object_of(&body)?, created: false })
    }

    /// Reads an object; nothing if it is not there.
    pub async fn live(&self, key: &ObjectKey, version: &str) -> Result<Option<Object>, Error> {
        let resource = self.served(&Gvk::new(&key.group, version, &key.kind)).await?;
        match self.get(&resource.path(&key.namespace, &key.name)).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads something that is plain text, as a log.
    pub async fn text(&self, path: &str) -> Result<String, Error> {
        let (_, body) = self.send(Verb::Get, Request::get(path), Vec::new()).await?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    async fn apply_at(&self, path: &str, body: &[u8]) -> Result<Applied, Error> {
        self.apply_with(path, body, "").await
    }

    async fn apply_with(&self, path: &str, body: &[u8], more: &str) -> Result<Applied, Error> {
        let uri = format!("{path}?fieldManager={FIELD_MANAGER}&force=true{more}");
        let request = Request::patch(uri).header("content-type", "application/apply-patch+yaml");
        let (code, body) = self.send(Verb::Apply, request, body.to_vec()).await?;
        Ok(Applied { object: object_of(&body)?, created: code == 201 })
    }

    /// Deletes an object in the background if it still has this uid; one that is not there is deleted.
    pub async fn delete(&self, key: &ObjectKey, version: &str, uid: &str) -> Result<(), Error> {
        // Without a version a conflict means that another object has the name by now.
        self.delete_if(key, version, serde_json::json!({"uid": uid})).await.map(|_| ())
    }

    /// Deletes an object in the background if it still has this uid and this resource version; one that is not there
    /// is deleted. Tells whether it went: what changed meanwhile is still there.
    pub async fn delete_as_seen(&self, key: &ObjectKey, version: &str, uid: &str, seen: &str) -> Result<bool, Error> {
        self.delete_if(key, version, serde_json::json!({"uid": uid, "resourceVersion": seen})).await
    }

    async fn delete_if(&self, key: &ObjectKey, version: &str, preconditions: serde_json::Value) -> Result<bool, Error> {
        let resource = self.served(&Gvk::new(&key.group, version, &key.kind)).await?;
        let options = serde_json::json!({
            "apiVersion": "v1", "kind": "DeleteOptions",
            "propagationPolicy": "Background", "preconditions": preconditions,
        });
        let request =
            Request::delete(resource.path(&key.namespace, &key.name)).header("content-type", "application/json");
        match self.send(Verb::Delete, request, options.to_string().into_bytes()).await {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some(404) => Ok(true),
            Err(error) if error.code() == Some(409) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads one thing.
    pub async fn get(&self, path: &str) -> Result<Object, Error> {
        let (_, body) = self.send(Verb::Get, Request::get(path), Vec::new()).await?;
        object_of(&body)
    }

    /// Tells whether there is an object of a kind that carries this label, with whatever value. What cannot be read
    /// or listed has none that can be followed.
    ///
    /// # Errors
    /// The server must answer.
    pub async fn has_labelled(&self, resource: &Resource, label: &str) -> Result<bool, Error> {
        let path = format!("{}?limit=1&labelSelector={}", resource.collection(""), label.replace('/', "%2F"));
        match self.get_value(&path).await {
            Ok(list) => Ok(list.get("items").and_then(Value::as_list).is_some_and(|items| !items.is_empty())),
            Err(error) if error.code().is_some_and(|code| code < 500 && code != 429) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads something that need not be an object.
    async fn get_value(&self, path: &str) -> Result<Value, Error> {
        let (_, body) = self.send(Verb::Get, Request::get(path), Vec::new()).await?;
        from_json(&body).map_err(|error| Error::Unreachable(format!("an answer that is no JSON: {error}")))
    }

    /// Makes an object.
    pub async fn create(&self, collection: &str, object: &serde_json::Value) -> Result<Object, Error> {
        let request = Request::post(collection).header("content-type", "application/json");
        let (_, body) = self.send(Verb::Create, request, object.to_string().into_bytes()).await?;
        object_of(&body)
    }

    /// Merges a patch into an object or, with `/status` at the end of the path, into its status.
    pub async fn merge(&self, path: &str, patch: &serde_json::Value) -> Result<Object, Error> {
        let verb = if path.ends_with("/status") { Verb::Status } else { Verb::Patch };
        let uri = format!("{path}?fieldManager={FIELD_MANAGER}");
        let request = Request::patch(uri).header("content-type", "application/merge-patch+json");
        let (_, body) = self.send(verb, request, patch.to_string().into_bytes()).await?;
        object_of(&body)
    }

    /// Sends a request; tries again while the server says that it is busy.
    async fn send(&self, verb: Verb, request: http::request::Builder, body: Vec<u8>) -> Result<(u16, Vec<u8>), Error> {
        let (parts, ()) = request.body(()).map_err(|error| Error::Settings(error.to_string()))?.into_parts();
        let mut pause = Duration::from_millis(100);
        for attempt in 1.. {
            let permit = match parts.method {
                Method::GET => None,
                _ => {
                    self.shared.pace.count(Instant::now());
                    self.shared.writes.acquire().await.ok()
                }
            };
            let answer = tokio::time::timeout(TIMEOUT, self.send_once(verb, parts.clone(), body.clone())).await;
            drop(permit);
            match answer {
                Err(_) => return Err(Error::Unreachable(format!("no answer within {} s", TIMEOUT.as_secs()))),
                Ok(Err(error)) if error.is_passing() && attempt < TRIES => {
                    tracing::debug!(%error, attempt, "the API server is busy");
                    tokio::time::sleep(pause).await;
                    pause *= 4;
                }
                Ok(answer) => return answer,
            }
        }
        unreachable!("the loop returns on its last attempt")
    }

    async fn send_once(&self, verb: Verb, parts: http::request::Parts, body: Vec<u8>) -> Result<(u16, Vec<u8>), Error> {
        self.shared.counts.add(verb);
        let response = self.client.send(Request::from_parts(parts, Body::from(body))).await?;
        let code = response.status().as_u16();
        let collected = response.into_body().collect().await?;
        let bytes = collected.to_bytes().to_vec();
        if (200..300).contains(&code) { Ok((code, bytes)) } else { Err(Error::from_answer(code, &bytes)) }
    }
}

fn object_of(body: &[u8]) -> Result<Object, Error> {
    let value = from_json(body).map_err(|error| Error::Unreachable(format!("an answer that is no JSON: {error}")))?;
    Object::try_from(value).map_err(|error| Error::Unreachable(error.to_string()))
}

/// Managers of tools that apply whole objects; what they set is ours from now on.
fn is_applier(manager: &str, operation: &str) -> bool {
    let before =
        matches!(manager, "kubectl-client-side-apply" | "before-first-apply" | "kubectl-create" | "argocd-controller");
    let apply =
        matches!(manager, "kubectl" | "kustomize-controller" | "helm-controller" | "helm" | "argocd-controller");
    (operation == "Update" && (before || manager == "helm")) || (operation == "Apply" && apply)
}

/// Returns the managed fields without those of other appliers, if there are any.
///
/// Dropping their entries is enough: what we apply we own by the apply itself, and what only they owned is
/// owned by nobody, so the apply that follows must first see it as ours. Hence their sets are moved to us.
fn taken_over(object: &Object) -> Option<serde_json::Value> {
    let fields = object.at(&["metadata", "managedFields"])?.as_list()?;
    let text = |entry: &Value, key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let theirs = |entry: &Value| {
        entry.get("subresource").is_none() && is_applier(&text(entry, "manager"), &text(entry, "operation"))
    };
    if !fields.iter().any(theirs) {
        return None;
    }
    let ours = |entry: &Value| text(entry, "manager") == FIELD_MANAGER && text(entry, "operation") == "Apply";
    let mut union = serde_json::Map::new();
    for entry in fields.iter().filter(|entry| ours(entry) || theirs(entry)) {
        let set = entry.get("fieldsV1").and_then(|set| serde_json::to_value(set).ok());
        if let Some(serde_json::Value::Object(set)) = set {
            unite(&mut union, set);
        }
    }
    let kept = fields.iter().filter(|entry| !theirs(entry)).filter_map(|entry| {
        let mut entry_json = serde_json::to_value(entry).ok()?;
        if ours(entry) {
            entry_json["fieldsV1"] = serde_json::Value::Object(union.clone());
        }
        Some(entry_json)
    });
    Some(kept.collect())
}

fn unite(into: &mut serde_json::Map<String, serde_json::Value>, from: serde_json::Map<String, serde_json::Value>) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(serde_json::Value::Object(known)), serde_json::Value::Object(value)) => unite(known, value),
            (Some(_), _) => {}
            (None, value) => {
                into.insert(key, value);
            }
        }
    }
}
