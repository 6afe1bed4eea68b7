//! Helm's own records of releases, kept beside what we apply: `helm list`, `history` and `get` then show it.

use base64::{Engine, engine::general_purpose::STANDARD};
use lockstep_api::Outcome;
use lockstep_cluster::{Cluster, Error};
use lockstep_object::{Object, ObjectKey};
use lockstep_render::{ReleaseRecord, ReleaseStatus, decode_record};
use serde_json::json;

/// How many revisions are kept, as Helm does by default.
const HISTORY: i64 = 10;

/// What Helm's records say about a release.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReleaseState {
    /// The last revision; 0 if there is none.
    pub(crate) revision: i64,
    /// Whether one of them got into the cluster.
    pub(crate) installed: bool,
}

/// Reads how far a release is.
pub(crate) async fn state_of(cluster: &Cluster, namespace: &str, release: &str) -> Result<ReleaseState, Error> {
    let secrets = secrets_of(cluster, namespace, release).await?;
    let installed = |secret: &Object| matches!(secret.label("status"), Some("deployed" | "superseded"));
    Ok(ReleaseState {
        revision: secrets.iter().map(revision_of).max().unwrap_or_default(),
        installed: secrets.iter().any(installed),
    })
}

/// Writes the record of a sync that ended, marks the revisions before it as superseded and drops the oldest.
pub(crate) async fn write(
    cluster: &Cluster,
    mut record: ReleaseRecord,
    outcome: Outcome,
    reason: &str,
    now: &str,
) -> Result<(), String> {
    let secrets = secrets_of(cluster, &record.namespace, &record.name).await.map_err(|error| error.to_string())?;
    let first = secrets.iter().filter_map(decoded).map(|known| known.first_deployed).find(|time| !time.is_empty());
    record.first_deployed = first.unwrap_or_else(|| now.to_owned());
    record.last_deployed = now.to_owned();
    let is_first = record.revision == 1;
    (record.status, record.description) = match outcome {
        Outcome::Succeeded if is_first => (ReleaseStatus::Deployed, "Install complete".to_owned()),
        Outcome::Succeeded => (ReleaseStatus::Deployed, "Upgrade complete".to_owned()),
        _ => (ReleaseStatus::Failed, reason.lines().next().unwrap_or_default().to_owned()),
    };
    apply(cluster, &record).await?;
    for secret in &secrets {
        let revision = revision_of(secret);
        if revision <= record.revision - HISTORY {
            delete(cluster, secret).await?;
        } else if outcome == Outcome::Succeeded
            && revision != record.revision
            && secret.label("status") == Some("deployed")
        {
            let Some(mut before) = decoded(secret) else { continue };
            before.status = ReleaseStatus::Superseded;
            apply(cluster, &before).await?;
        }
    }
    Ok(())
}

/// Removes all records of a release, as `helm uninstall` does.
pub(crate) async fn remove(cluster: &Cluster, namespace: &str, release: &str) -> Result<(), String> {
    for secret in secrets_of(cluster, namespace, release).await.map_err(|error| error.to_string())? {
        delete(cluster, &secret).await?;
    }
    Ok(())
}

async fn secrets_of(cluster: &Cluster, namespace: &str, release: &str) -> Result<Vec<Object>, Error> {
    let path = format!("/api/v1/namespaces/{namespace}/secrets?labelSelector=owner%3Dhelm%2Cname%3D{release}");
    let list = match cluster.get(&path).await {
        Ok(list) => list,
        Err(error) if error.is_not_found() => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let items = list.at(&["items"]).and_then(|items| items.as_list().cloned()).unwrap_or_default();
    Ok(items.into_iter().filter_map(|item| Object::try_from(item).ok()).collect())
}

async fn apply(cluster: &Cluster, record: &ReleaseRecord) -> Result<(), String> {
    let secret = record.secret().map_err(|error| error.to_string())?;
    let key = ObjectKey::new("", "Secret", &record.namespace, &record.secret_name());
    let body = json!(secret).to_string();
    cluster.apply(&key, "v1", body.as_bytes()).await.map(drop).map_err(|error| error.to_string())
}

async fn delete(cluster: &Cluster, secret: &Object) -> Result<(), String> {
    let key = ObjectKey::new("", "Secret", secret.namespace(), secret.name());
    let uid = secret.str_at(&["metadata", "uid"]);
    cluster.delete(&key, "v1", uid).await.map_err(|error| error.to_string())
}

fn revision_of(secret: &Object) -> i64 {
    secret.label("version").and_then(|version| version.parse().ok()).unwrap_or_default()
}

fn decoded(secret: &Object) -> Option<ReleaseRecord> {
    let text = STANDARD.decode(secret.at(&["data", "release"])?.as_str()?).ok()?;
    decode_record(std::str::from_utf8(&text).ok()?).ok()
}
