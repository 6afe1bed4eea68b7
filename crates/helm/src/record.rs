//! Helm's record of a release: the Secret `sh.helm.release.v1.NAME.vN`, readable by `helm list`, `history` and `get`.

use std::io::{Read, Write};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    archive::File,
    chart::{Chart, Parts},
    error::{Error, ErrorKind},
    manifest::Hook,
    metadata::{Dependency, Metadata},
    render::{Release, Rendered},
    values::UserValues,
};

/// A record unpacks to no more than this: a Secret holds 1 MiB, and text packs hundred to one at best.
const MAX_UNPACKED: u64 = 256 * 1024 * 1024;

/// The state of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Nobody knows.
    Unknown,
    /// It is in the cluster.
    Deployed,
    /// It was removed; the record is kept.
    Uninstalled,
    /// A later revision took its place.
    Superseded,
    /// It did not get into the cluster.
    Failed,
    /// It is being removed.
    Uninstalling,
    /// It is being installed.
    PendingInstall,
    /// It is being changed.
    PendingUpgrade,
    /// It is being set back.
    PendingRollback,
}

const STATUSES: &[(Status, &str)] = &[
    (Status::Unknown, "unknown"),
    (Status::Deployed, "deployed"),
    (Status::Uninstalled, "uninstalled"),
    (Status::Superseded, "superseded"),
    (Status::Failed, "failed"),
    (Status::Uninstalling, "uninstalling"),
    (Status::PendingInstall, "pending-install"),
    (Status::PendingUpgrade, "pending-upgrade"),
    (Status::PendingRollback, "pending-rollback"),
];

impl Status {
    /// Gives the name that records and labels use.
    pub fn name(self) -> &'static str {
        STATUSES.iter().find(|(status, _)| *status == self).map_or("unknown", |(_, name)| name)
    }

    /// Reads a name; anything else is unknown.
    pub fn parse(name: &str) -> Self {
        STATUSES.iter().find(|(_, known)| *known == name).map_or(Self::Unknown, |(status, _)| *status)
    }
}

/// A release as Helm keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The release's name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its revision, from 1.
    pub revision: i64,
    /// Its state.
    pub status: Status,
    /// One sentence about the state: `Install complete`.
    pub description: String,
    /// When revision 1 was installed, RFC 3339.
    pub first_deployed: String,
    /// When this revision was, RFC 3339.
    pub last_deployed: String,
    /// The notes.
    pub notes: String,
    /// The manifest without hooks.
    pub manifest: String,
    /// The hooks, as Helm writes them.
    pub hooks: Vec<Value>,
    /// The chart, as Helm writes it.
    pub chart: Value,
    /// What the user gave over the chart's values.
    pub config: Value,
    /// `ssa` or `csa`; empty means `csa`.
    pub apply_method: String,
}

impl Record {
    /// Makes the record of a rendered release; `now` is RFC 3339.
    ///
    /// # Errors
    /// When the user's values cannot be joined, which rendering would have refused too.
    pub fn new(
        chart: &Chart,
        release: &Release,
        values: &UserValues,
        rendered: &Rendered,
        now: &str,
    ) -> Result<Self, Error> {
        let config = lockstep_gotmpl::Value::Map(values.merge()?);
        let config = lockstep_object::to_json(&crate::schema::to_object(&config));
        Ok(Self {
            name: release.name.clone(),
            namespace: release.namespace.clone(),
            revision: release.revision,
            status: if release.is_upgrade { Status::PendingUpgrade } else { Status::PendingInstall },
            description: if release.is_upgrade { "Preparing upgrade" } else { "Initial install underway" }.to_owned(),
            first_deployed: now.to_owned(),
            last_deployed: now.to_owned(),
            notes: rendered.notes.clone(),
            manifest: rendered.manifest(),
            hooks: rendered.hooks.iter().map(hook_json).collect(),
            chart: chart_json(&chart.parts),
            config: serde_json::from_str(&config).unwrap_or_default(),
            apply_method: "ssa".to_owned(),
        })
    }

    /// Names the Secret.
    pub fn secret_name(&self) -> String {
        format!("sh.helm.release.v1.{}.v{}", self.name, self.revision)
    }

    /// Makes the Secret, as JSON.
    ///
    /// # Errors
    /// Never in practice: packing in memory does not fail.
    pub fn secret(&self) -> Result<Value, Error> {
        Ok(json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": self.secret_name(),
                "namespace": self.namespace,
                "labels": {
                    "name": self.name,
                    "owner": "helm",
                    "status": self.status.name(),
                    "version": self.revision.to_string(),
                },
            },
            "type": "helm.sh/release.v1",
            "data": {"release": STANDARD.encode(encode_record(self)?)},
        }))
    }
}

/// Encodes a record as it stands in the Secret's `release` (JSON, gzip, base64), before the API's own base64.
///
/// # Errors
/// Never in practice: packing in memory does not fail.
pub fn encode_record(record: &Record) -> Result<String, Error> {
    let json = json!({
        "name": record.name,
        "info": {
            "first_deployed": record.first_deployed,
            "last_deployed": record.last_deployed,
            "description": record.description,
            "status": record.status.name(),
            "notes": record.notes,
        },
        "chart": record.chart,
        "config": record.config,
        "manifest": record.manifest,
        "hooks": record.hooks,
        "version": record.revision,
        "namespace": record.namespace,
        "apply_method": record.apply_method,
    });
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let packed = encoder.write_all(json.to_string().as_bytes()).and_then(|()| encoder.finish());
    Ok(STANDARD.encode(packed.map_err(|error| broken(error.to_string()))?))
}

/// Decodes what [`encode_record`] or Helm encoded; also records that are not packed, as early versions wrote.
///
/// # Errors
/// When it is not base64, gzip or JSON, or unpacks to more than 256 MiB.
pub fn decode_record(text: &str) -> Result<Record, Error> {
    let mut bytes = STANDARD.decode(text.trim()).map_err(|error| broken(error.to_string()))?;
    if bytes.starts_with(&[0x1f, 0x8b, 0x08]) {
        let mut unpacked = Vec::new();
        let reader = flate2::read::GzDecoder::new(&bytes[..]);
        reader.take(MAX_UNPACKED + 1).read_to_end(&mut unpacked).map_err(|error| broken(error.to_string()))?;
        if unpacked.len() as u64 > MAX_UNPACKED {
            return Err(Error::new(ErrorKind::Limit, "the release record is too large"));
        }
        bytes = unpacked;
    }
    let json: Value = serde_json::from_slice(&bytes).map_err(|error| broken(error.to_string()))?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let info = &json["info"];
    Ok(Record {
        name: text(&json["name"]),
        namespace: text(&json["namespace"]),
        revision: json["version"].as_i64().unwrap_or_default(),
        status: Status::parse(info["status"].as_str().unwrap_or_default()),
        description: text(&info["description"]),
        first_deployed: text(&info["first_deployed"]),
        last_deployed: text(&info["last_deployed"]),
        notes: text(&info["notes"]),
        manifest: text(&json["manifest"]),
        hooks: json["hooks"].as_array().cloned().unwrap_or_default(),
        chart: json["chart"].clone(),
        config: json["config"].clone(),
        apply_method: text(&json["apply_method"]),
    })
}

fn broken(message: String) -> Error {
    Error::new(ErrorKind::Chart, format!("the release record cannot be read: {message}"))
}

fn hook_json(hook: &Hook) -> Value {
    json!({
        "name": hook.manifest.name,
        "kind": hook.manifest.kind,
        "path": hook.manifest.source,
        "manifest": hook.manifest.text,
        "events": hook.events.iter().map(|event| event.name()).collect::<Vec<_>>(),
        "last_run": {"phase": ""},
        "weight": hook.weight,
        "delete_policies": hook.delete_policies,
        "output_log_policies": hook.output_log_policies,
    })
}

/// Makes the chart as Helm writes it: without subcharts, whose templates are not needed again.
fn chart_json(parts: &Parts) -> Value {
    let file = |file: &File| json!({"name": file.name, "data": STANDARD.encode(&file.data)});
    let lock = parts.lock.as_ref().map(lockstep_object::to_json);
    json!({
        "metadata": metadata_json(&parts.metadata),
        "lock": lock.and_then(|lock| serde_json::from_str::<Value>(&lock).ok()),
        "templates": parts.templates.iter().map(file).collect::<Vec<_>>(),
        "values": parts.values.to_json(),
        "schema": parts.schema.as_ref().map(|schema| STANDARD.encode(&schema.text)),
        "files": parts.files.iter().map(file).collect::<Vec<_>>(),
    })
}

fn metadata_json(metadata: &Metadata) -> Value {
    let annotations = metadata.annotations.as_ref().map(|annotations| {
        annotations
            .iter()
            .map(|(key, value)| (key.clone(), Value::from(value.as_str())))
            .collect::<serde_json::Map<_, _>>()
    });
    let maintainers =
        metadata.maintainers.iter().map(|m| without_empty(json!({"name": m.name, "email": m.email, "url": m.url})));
    without_empty(json!({
        "name": metadata.name,
        "home": metadata.home,
        "sources": metadata.sources,
        "version": metadata.version,
        "description": metadata.description,
        "keywords": metadata.keywords,
        "maintainers": maintainers.collect::<Vec<_>>(),
        "icon": metadata.icon,
        "apiVersion": metadata.api_version,
        "condition": metadata.condition,
        "tags": metadata.tags,
        "appVersion": metadata.app_version,
        "deprecated": metadata.deprecated,
        "annotations": annotations,
        "kubeVersion": metadata.kube_version,
        "dependencies": metadata.dependencies.iter().map(dependency_json).collect::<Vec<_>>(),
        "type": metadata.kind,
    }))
}

fn dependency_json(dependency: &Dependency) -> Value {
    let mut json = without_empty(json!({
        "name": dependency.name,
        "version": dependency.version,
        "condition": dependency.condition,
        "tags": dependency.tags,
        "enabled": dependency.enabled,
        "import-values": dependency.import_values.iter().map(crate::plain::Plain::to_json).collect::<Vec<_>>(),
        "alias": dependency.alias,
    }));
    json["repository"] = Value::from(dependency.repository.as_str());
    json
}

/// Leaves out what Go's `omitempty` leaves out.
fn without_empty(mut json: Value) -> Value {
    if let Value::Object(map) = &mut json {
        map.retain(|_, value| match value {
            Value::Null | Value::Bool(false) => false,
            Value::String(text) => !text.is_empty(),
            Value::Array(items) => !items.is_empty(),
            _ => true,
        });
    }
    json
}
