//! Custom resource definitions: from stored definitions to served resources, and decoding by their schemas.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use lockstep_object::{Map, Object, Value};
use lockstep_schema::{Definition, Version};
use sha2::{Digest, Sha256};

use crate::{
    build::{list_at, map, set_at, text_at},
    catalog::{Group, GroupVersion, Resource, Subresource, store_name},
    decode::{Decoded, Types},
    document::Document,
    moment::Moment,
    server::Server,
    status::{Failure, Outcome},
};

/// The store of definitions.
pub(crate) const STORE: &str = "apiextensions.k8s.io/customresourcedefinitions";
/// Holds a definition until its objects are gone.
const FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";
/// The verbs of custom resources, in the order that their discovery has.
const VERBS: [&str; 8] = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];

/// What a definition says about one version.
#[derive(Debug)]
pub(crate) struct Custom {
    pub(crate) version: Arc<Version>,
    /// The `apiVersion` in which objects are stored.
    pub(crate) stored_api_version: String,
    pub(crate) status: bool,
    /// Changes with the definition; for digests.
    pub(crate) definition_version: String,
    pub(crate) rules: crate::rules::Rules,
}

impl Custom {
    /// Returns the warning of a deprecated version.
    pub(crate) fn deprecation_warning(&self, _resource: &Resource) -> Option<String> {
        self.version.deprecation.as_ref().map(ToString::to_string)
    }
}

/// Compares versions as `version.CompareKubeAwareVersionStrings` does: GA before beta before alpha, newest first.
fn version_rank(version: &str) -> (u8, i64, i64, std::cmp::Reverse<String>) {
    let parsed = version.strip_prefix('v').and_then(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let major: i64 = rest[..end].parse().ok()?;
        let (class, minor) = match &rest[end..] {
            "" => (3, 0),
            tail if tail.starts_with("beta") => (2, tail[4..].parse().ok()?),
            tail if tail.starts_with("alpha") => (1, tail[5..].parse().ok()?),
            _ => return None,
        };
        Some((class, major, minor))
    });
    let (class, major, minor) = parsed.unwrap_or((0, 0, 0));
    (class, major, minor, std::cmp::Reverse(version.to_owned()))
}

impl Server {
    /// Serves what the stored definitions say.
    pub(crate) fn rebuild_custom(&mut self) {
        let definitions: Vec<Object> = self
            .store
            .bucket(STORE)
            .into_iter()
            .flat_map(|bucket| bucket.range(None))
            .map(|(_, stored)| stored.object.clone())
            .filter(is_established)
            .collect();
        let mut groups: BTreeMap<String, Group> = BTreeMap::new();
        let mut schema = self.built_in_schema.clone();
        for definition in &definitions {
            let value = definition.to_value();
            if let Ok(more) = schema.with_definition(&value) {
                schema = more;
            }
            for resource in resources_of(&value) {
                self.store.open(&resource.store, true);
                let group = groups
                    .entry(resource.group.clone())
                    .or_insert_with(|| Group { name: resource.group.clone(), versions: Vec::new() });
                match group.versions.iter_mut().find(|version| version.version == resource.version) {
                    Some(version) => version.resources.push(Arc::new(resource)),
                    None => {
                        let version = resource.version.clone();
                        group.versions.push(GroupVersion { version, resources: vec![Arc::new(resource)] });
                    }
                }
            }
        }
        for group in groups.values_mut() {
            group.versions.sort_by_key(|one| std::cmp::Reverse(version_rank(&one.version)));
        }
        self.schema = schema;
        self.catalog.set_custom(groups);
    }

    /// Accepts a definition's names and serves it, as the API server's own controllers do a moment after a write.
    pub(crate) fn establish(&mut self, name: &str, moment: &mut Moment) {
        let Some(stored) = self.store.get(STORE, "", name).cloned() else { return };
        let mut object = stored.object.clone();
        if object.at(&["metadata", "deletionTimestamp"]).is_some() {
            return;
        }
        let accepted = self.accept_names(&object);
        let time = moment.seconds();
        let status = established_status(&object, &accepted, &time);
        object.root_mut().insert("status", status);
        if object != stored.object {
            crate::managed::record_status(self, &stored.object, &mut object, "kube-apiserver", &time);
            self.store.put(&STORE.into(), object);
        }
        self.rebuild_custom();
    }

    /// Says which of the names conflict with those of other definitions of the group.
    fn accept_names(&self, object: &Object) -> Names {
        let value = object.to_value();
        let (group, name) = (text_at(&value, &["spec", "group"]), object.name());
        let others = self.store.bucket(STORE).into_iter().flat_map(|bucket| bucket.range(None));
        let others: Vec<Value> = others
            .filter(|(_, other)| other.object.name() != name && other.object.str_at(&["spec", "group"]) == group)
            .map(|(_, other)| other.object.to_value())
            .collect();
        let taken = |key: &str, wanted: &str| {
            others.iter().any(|other| {
                let names = other.at(&["status", "acceptedNames"]).cloned().unwrap_or_default();
                let short = list_at(&names, &["shortNames"]).iter().any(|one| one.as_str() == Some(wanted));
                match key {
                    "kind" | "listKind" => {
                        text_at(&names, &["kind"]) == wanted || text_at(&names, &["listKind"]) == wanted
                    }
                    _ => text_at(&names, &["plural"]) == wanted || text_at(&names, &["singular"]) == wanted || short,
                }
            })
        };
        let mut names = Names { accepted: Map::new(), conflict: None };
        let before = value.at(&["status", "acceptedNames"]).cloned().unwrap_or_default();
        for (key, reason) in [
            ("plural", "PluralConflict"),
            ("singular", "SingularConflict"),
            ("shortNames", "ShortNamesConflict"),
            ("kind", "KindConflict"),
            ("listKind", "ListKindConflict"),
        ] {
            let wanted: Vec<String> = match key {
                "shortNames" => list_at(&value, &["spec", "names", key])
                    .iter()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect(),
                _ => vec![text_at(&value, &["spec", "names", key]).to_owned()],
            };
            // Each name is accepted for itself; of several conflicts the last is told.
            let from = match wanted.iter().find(|wanted| !wanted.is_empty() && taken(key, wanted)) {
                Some(bad) => {
                    let text = format!("{} is already in use", crate::status::go_quote(bad));
                    names.conflict = Some((reason.to_owned(), text));
                    before.get(key)
                }
                None => value.at(&["spec", "names", key]),
            };
            if let Some(name) = from.filter(|name| name.as_str() != Some("")) {
                names.accepted.insert(key, name.clone());
            }
        }
        if let Some(categories) = value.at(&["spec", "names", "categories"]) {
            names.accepted.insert("categories", categories.clone());
        }
        for key in ["plural", "kind"] {
            names.accepted.entry(key, || "".into());
        }
        names
    }

    /// Deletes what a deleted definition defined, then the definition.
    pub(crate) fn finish_definition(&mut self, name: &str, moment: &mut Moment) {
        let Some(stored) = self.store.get(STORE, "", name).cloned() else { return };
        let value = stored.object.to_value();
        let store = store_name(text_at(&value, &["spec", "group"]), text_at(&value, &["spec", "names", "plural"]));
        let resource = resources_of(&value).into_iter().next();
        let names: Vec<_> =
            self.store.bucket(&store).into_iter().flat_map(|b| b.range(None)).map(|(name, _)| name.clone()).collect();
        if let Some(resource) = resource {
            for name in names {
                let options = crate::options::DeleteOptions::default();
                if let Err(failure) = self.delete_object(&resource, &name.namespace, &name.name, &options, moment) {
                    tracing::debug!(message = failure.message(), "a custom resource outlives its definition");
                }
            }
        }
        if self.store.bucket(&store).is_some_and(|bucket| bucket.len() > 0) {
            return;
        }
        let mut object = stored.object.clone();
        let rest: Vec<String> = list_at(&value, &["metadata", "finalizers"])
            .iter()
            .filter_map(Value::as_str)
            .filter(|one| *one != FINALIZER)
            .map(str::to_owned)
            .collect();
        crate::deleting::set_finalizers(&mut object, &rest);
        if rest.is_empty() {
            self.store.remove(&STORE.into(), "", name);
            self.store.close(&store);
        } else if object != stored.object {
            self.store.put(&STORE.into(), object);
        }
        self.rebuild_custom();
    }
}

/// Which names of a definition are its own.
struct Names {
    accepted: Map,
    /// Reason and message of the last conflict.
    conflict: Option<(String, String)>,
}

fn is_established(definition: &Object) -> bool {
    let value = definition.to_value();
    list_at(&value, &["status", "conditions"])
        .iter()
        .any(|condition| text_at(condition, &["type"]) == "Established" && text_at(condition, &["status"]) == "True")
}

fn condition(kind: &str, truth: bool, reason: &str, message: &str, time: &str) -> Value {
    Value::Map(map! {
        "type" => kind, "status" => if truth { "True" } else { "False" },
        "lastTransitionTime" => time, "reason" => reason, "message" => message,
    })
}

fn established_status(object: &Object, names: &Names, time: &str) -> Map {
    let old = object.root().get("status").cloned().unwrap_or_default();
    let known = |kind: &str| list_at(&old, &["conditions"]).iter().find(|one| text_at(one, &["type"]) == kind).cloned();
    let keep = |kind: &str, truth: bool, made: Value| match known(kind) {
        Some(old) if (text_at(&old, &["status"]) == "True") == truth => old,
        _ => made,
    };
    let mut status = old.as_map().cloned().unwrap_or_default();
    let mut conditions: Vec<Value> = Vec::new();
    status.insert("acceptedNames", names.accepted.clone());
    match &names.conflict {
        None => {
            conditions.push(keep(
                "NamesAccepted",
                true,
                condition("NamesAccepted", true, "NoConflicts", "no conflicts found", time),
            ));
            let text = "the initial names have been accepted";
            conditions.push(keep(
                "Established",
                true,
                condition("Established", true, "InitialNamesAccepted", text, time),
            ));
        }
        Some((reason, message)) => {
            conditions.push(condition("NamesAccepted", false, reason, message, time));
            let established = known("Established");
            conditions.push(
                established.unwrap_or_else(|| {
                    condition("Established", false, "NotAccepted", "not all names are accepted", time)
                }),
            );
        }
    }
    for other in list_at(&old, &["conditions"]) {
        if !["NamesAccepted", "Established"].contains(&text_at(other, &["type"])) {
            conditions.push(other.clone());
        }
    }
    status.insert("conditions", conditions);
    status
}

/// Marks a definition as going.
pub(crate) fn mark_terminating(object: &mut Object, time: &str) {
    let text = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon";
    let mut conditions: Vec<Value> = list_at(&object.to_value(), &["status", "conditions"]).to_vec();
    conditions.retain(|one| text_at(one, &["type"]) != "Terminating");
    conditions.push(condition("Terminating", true, "InstanceDeletionPending", text, time));
    set_at(object.root_mut(), &["status", "conditions"], conditions);
}

/// Returns the resources of a definition, one for each served version.
fn resources_of(definition: &Value) -> Vec<Resource> {
    let Ok(parsed) = Definition::parse(definition) else { return Vec::new() };
    let spec = definition.get("spec").cloned().unwrap_or_default();
    let group = text_at(&spec, &["group"]);
    let versions = list_at(&spec, &["versions"]);
    let storage = versions.iter().find(|version| version.get("storage").and_then(Value::as_bool) == Some(true));
    let stored_api_version =
        format!("{group}/{}", storage.map(|version| text_at(version, &["name"])).unwrap_or_default());
    let names = definition.at(&["status", "acceptedNames"]).cloned().unwrap_or_default();
    let digest = text_at(definition, &["metadata", "resourceVersion"]).to_owned();
    let resources = parsed.resources().filter_map(|resource| {
        let version = resource.custom.clone()?;
        let entry = versions.iter().find(|entry| text_at(entry, &["name"]) == version.name.as_str())?;
        let status = entry.at(&["subresources", "status"]).is_some();
        let list = |key: &str| list_at(&names, &[key]).iter().filter_map(Value::as_str).map(str::to_owned).collect();
        let kind = resource.gvk.kind.to_string();
        let plural = resource.plural.to_string();
        let rules = crate::rules::Rules::of_schema(&version.source);
        Some(Resource {
            group: group.to_owned(),
            version: version.name.to_string(),
            singular: text_at(&spec, &["names", "singular"]).to_owned(),
            list_kind: text_at(&spec, &["names", "listKind"]).to_owned(),
            namespaced: text_at(&spec, &["scope"]) == "Namespaced",
            verbs: VERBS.iter().map(|verb| (*verb).to_owned()).collect(),
            short_names: list("shortNames"),
            categories: list("categories"),
            subresources: subresources(&kind, group, &version, status),
            store: store_name(group, &plural),
            storage_version_hash: storage_hash(&stored_api_version, &kind),
            custom: Some(Arc::new(Custom {
                version,
                stored_api_version: stored_api_version.clone(),
                status,
                definition_version: digest.clone(),
                rules,
            })),
            empty: OnceLock::new(),
            kind,
            plural,
        })
    });
    resources.collect()
}

fn subresources(kind: &str, group: &str, version: &Version, status: bool) -> Vec<Subresource> {
    let verbs = || ["get", "patch", "update"].iter().map(|verb| (*verb).to_owned()).collect();
    let mut found = Vec::new();
    if status {
        let (group, version) = (String::new(), String::new());
        found.push(Subresource { name: "status".into(), group, version, kind: kind.into(), verbs: verbs() });
    }
    if version.scale.is_some() {
        let (group_name, version) = ("autoscaling".to_owned(), "v1".to_owned());
        found.push(Subresource {
            name: "scale".into(),
            group: group_name,
            version,
            kind: "Scale".into(),
            verbs: verbs(),
        });
    }
    let _ = group;
    found
}

/// Hashes group, version and kind as `discovery.StorageVersionHash` does.
fn storage_hash(api_version: &str, kind: &str) -> String {
    let digest = Sha256::digest(format!("{api_version}/{kind}"));
    STANDARD.encode(&digest[..8])
}

/// Decodes a custom resource: prunes what the schema does not know and sets defaults.
pub(crate) fn decode(types: &Types, resource: &Resource, custom: &Custom, document: Document) -> Outcome<Decoded> {
    let mut complaints: Vec<String> = document.yaml_error.into_iter().collect();
    for one in &document.duplicates {
        let path = if one.parent.is_empty() { one.key.clone() } else { format!("{}.{}", one.parent, one.key) };
        complaints.push(format!("duplicate field {}", crate::status::go_quote(&path)));
    }
    let Value::Map(mut map) = document.value else { return Ok(Decoded::default()) };
    let metadata = decode_metadata(types, resource, map.remove("metadata"), &mut complaints)?;
    let mut value = Value::Map(map);
    let pruned = custom.version.schema.prune(&mut value);
    complaints.extend(pruned.iter().map(|path| format!("unknown field {}", crate::status::go_quote(path))));
    custom.version.schema.fill_defaults(&mut value);
    let Value::Map(map) = value else { return Ok(Decoded::default()) };
    let mut entries = Map::new();
    for key in ["apiVersion", "kind"] {
        if let Some(value) = map.get(key) {
            entries.insert(key, value.clone());
        }
    }
    entries.insert("metadata", metadata);
    for (key, value) in map.iter().filter(|(key, _)| *key != "apiVersion" && *key != "kind" && *key != "metadata") {
        entries.insert(key, value.clone());
    }
    Ok(Decoded { object: Object::new(entries), complaints })
}

fn decode_metadata(
    types: &Types,
    resource: &Resource,
    metadata: Option<Value>,
    complaints: &mut Vec<String>,
) -> Outcome<Value> {
    let metadata = metadata.filter(|value| !value.is_null()).unwrap_or_else(|| Value::Map(Map::new()));
    let root: Arc<str> = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta".into();
    if metadata.as_map().is_none() {
        let what = match &metadata {
            Value::Text(_) => "string",
            Value::List(_) => "array",
            Value::Bool(_) => "bool",
            _ => "number",
        };
        let kind = &resource.kind;
        return Err(Failure::bad_request(format!(
            "{kind} in version \"{}\" cannot be handled as a {kind}: json: cannot unmarshal {what} into Go value of type v1.ObjectMeta",
            resource.version
        )));
    }
    let decoded = crate::decode::normalize(types, &root, metadata).map_err(|error| {
        let kind = &resource.kind;
        Failure::bad_request(format!(
            "{kind} in version \"{}\" cannot be handled as a {kind}: {error}",
            resource.version
        ))
    })?;
    complaints.extend(
        decoded.complaints.iter().map(|text| text.replacen("unknown field \"", "unknown field \"metadata.", 1)),
    );
    Ok(decoded.object.into_value())
}

/// Makes the OpenAPI v3 document of a custom group-version.
pub(crate) fn openapi(group: &str, version: &str, resources: &[Arc<Resource>]) -> Value {
    let reversed: Vec<&str> = group.split('.').rev().collect();
    let mut schemas = Map::new();
    let mut paths = Map::new();
    for resource in resources {
        let Some(custom) = &resource.custom else { continue };
        let name = format!("{}.{version}.{}", reversed.join("."), resource.kind);
        let mut schema = custom.version.source.as_map().cloned().unwrap_or_default();
        let gvk = map! { "group" => group, "version" => version, "kind" => resource.kind.as_str() };
        schema.insert("x-kubernetes-group-version-kind", vec![Value::Map(gvk.clone())]);
        schemas.insert(name.as_str(), schema);
        let place = if resource.namespaced { "namespaces/{namespace}/" } else { "" };
        let action = |verb: &str| {
            map! {
                "operationId" => format!("{verb}{}", resource.kind), "x-kubernetes-action" => verb,
                "x-kubernetes-group-version-kind" => gvk.clone(), "responses" => Map::new(),
            }
        };
        let base = format!("/apis/{group}/{version}/{place}{}", resource.plural);
        paths.insert(
            format!("{base}/{{name}}"),
            map! { "get" => action("get"), "put" => action("put"), "patch" => action("patch") },
        );
        paths.insert(base, map! { "get" => action("list"), "post" => action("post") });
    }
    let info = map! { "title" => "Kubernetes CRD Swagger", "version" => "v0.1.0" };
    let components = map! { "schemas" => schemas };
    Value::Map(map! { "openapi" => "3.0.0", "info" => info, "paths" => paths, "components" => components })
}
