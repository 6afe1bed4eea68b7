//! What is not about objects: discovery, OpenAPI, version, health.

use lockstep_object::{List, Map, Value};
use sha2::{Digest, Sha256};

use crate::{
    build::{map, text_at, texts},
    catalog::{Group, Resource},
    negotiate::clauses,
    openapi_v2,
    request::{Request, Target},
    server::{Reply, Server},
    status::{Failure, Outcome},
};

/// The media type of aggregated discovery.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// Paths that are answered, as `/` lists them.
const PATHS: &[&str] = &[
    "/healthz",
    "/healthz/ping",
    "/livez",
    "/livez/ping",
    "/metrics",
    "/openapi/v2",
    "/openapi/v3",
    "/openapi/v3/",
    "/openid/v1/jwks",
    "/readyz",
    "/readyz/ping",
    "/version",
];

impl Server {
    /// Answers a path that names no resource.
    pub(crate) fn document(&self, request: &Request, target: &Target) -> Outcome<Reply> {
        match target {
            Target::Version(group, version) => self.resource_list(request, group, version),
            Target::Group(name) => self.group_document(request, name),
            _ => self.other_document(request),
        }
    }

    fn other_document(&self, request: &Request) -> Outcome<Reply> {
        let path = request.path.as_str();
        let trimmed = if path.len() > 1 { path.strip_suffix('/').unwrap_or(path) } else { path };
        match trimmed {
            "/" => Ok(Reply::json(200, &Value::Map(map! { "paths" => self.paths() }))),
            "/api" => self.roots(request, true),
            "/apis" => self.roots(request, false),
            "/version" if request.method != "GET" => Err(Failure::method_not_allowed()),
            "/version" => Ok(Reply::json(200, &version())),
            "/healthz" | "/livez" | "/readyz" => Ok(Reply::text(200, "ok")),
            "/openapi/v3" => Ok(Reply::json(200, &self.openapi_index())),
            "/openapi/v2" if request.header("accept").is_some_and(openapi_v2::is_wanted) => {
                Ok(openapi_v2::reply(&self.catalog))
            }
            "/openapi/v2" => Ok(self.openapi_v2()),
            "/openid/v1/jwks" => Ok(Reply::json(200, &Value::Map(map! { "keys" => List::new() }))),
            "/metrics" => Ok(Reply::text(200, "")),
            other => match other.strip_prefix("/openapi/v3/") {
                Some(path) => self.openapi_document(path),
                None if other.starts_with("/healthz/")
                    || other.starts_with("/livez/")
                    || other.starts_with("/readyz/") =>
                {
                    Ok(Reply::text(200, "ok"))
                }
                None => Ok(Reply::text(404, "404 page not found\n")),
            },
        }
    }

    fn paths(&self) -> Value {
        let mut paths: Vec<String> = vec![
            "/.well-known/openid-configuration".into(),
            "/api".into(),
            "/api/v1".into(),
            "/apis".into(),
            "/apis/".into(),
        ];
        for group in self.catalog.groups().filter(|group| !group.name.is_empty()) {
            paths.push(format!("/apis/{}", group.name));
            paths.extend(group.versions.iter().map(|version| format!("/apis/{}/{}", group.name, version.version)));
        }
        paths.extend(PATHS.iter().map(|path| (*path).to_owned()));
        texts(paths.iter().map(String::as_str))
    }

    fn roots(&self, request: &Request, core: bool) -> Outcome<Reply> {
        let mut groups = self.catalog.groups().filter(|group| group.name.is_empty() == core);
        if wants_aggregated(request)? {
            let items: List = groups.map(aggregated_group).collect();
            let value = map! {
                "kind" => "APIGroupDiscoveryList", "apiVersion" => "apidiscovery.k8s.io/v2",
                "metadata" => Map::new(), "items" => items,
            };
            let mut reply = Reply::json(200, &Value::Map(value));
            reply.content_type = AGGREGATED;
            return Ok(reply);
        }
        let value = if core {
            let address = map! { "clientCIDR" => "0.0.0.0/0", "serverAddress" => "127.0.0.1:6443" };
            let versions =
                groups.next().map(|group| texts(group.versions.iter().map(|version| version.version.as_str())));
            map! {
                "kind" => "APIVersions", "versions" => versions.unwrap_or_default(),
                "serverAddressByClientCIDRs" => vec![Value::Map(address)],
            }
        } else {
            map! { "kind" => "APIGroupList", "apiVersion" => "v1", "groups" => groups.map(group_value).collect::<List>() }
        };
        Ok(Reply::json(200, &Value::Map(value)))
    }

    fn group_document(&self, _request: &Request, name: &str) -> Outcome<Reply> {
        let Some(group) = self.catalog.group(name) else { return Ok(crate::server::page_not_found()) };
        let Value::Map(group) = group_value(group) else { return Err(Failure::no_such_resource()) };
        let mut value = map! { "kind" => "APIGroup", "apiVersion" => "v1" };
        for (key, entry) in group.iter() {
            value.insert(key, entry.clone());
        }
        Ok(Reply::json(200, &Value::Map(value)))
    }

    fn resource_list(&self, request: &Request, group: &str, version: &str) -> Outcome<Reply> {
        let Some(found) = self.catalog.version(group, version) else { return Ok(crate::server::page_not_found()) };
        if request.method != "GET" {
            return Err(Failure::method_not_allowed());
        }
        let name = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
        let mut entries: Vec<Value> = Vec::new();
        for resource in &found.resources {
            entries.push(resource_entry(resource));
            entries.extend(resource.subresources.iter().map(|sub| subresource_entry(resource, sub)));
        }
        entries.sort_by(|a, b| text_at(a, &["name"]).cmp(text_at(b, &["name"])));
        if self.catalog.version(group, version).is_some_and(|v| v.resources.iter().any(|r| r.is_custom())) {
            entries.sort_by_key(|entry| text_at(entry, &["name"]).split('/').next().unwrap_or_default().to_owned());
        }
        let mut value = map! { "kind" => "APIResourceList" };
        if !group.is_empty() {
            value.insert("apiVersion", "v1");
        }
        value.insert("groupVersion", name);
        value.insert("resources", entries);
        Ok(Reply::json(200, &Value::Map(value)))
    }

    fn openapi_index(&self) -> Value {
        let mut paths = Map::new();
        let table = self.schema.table();
        for path in table.into_iter().flat_map(|table| table.openapi_paths()) {
            paths.insert(path, openapi_link(path, "1.36.3"));
        }
        for group in self.catalog.groups() {
            for version in group.versions.iter().filter(|version| version.resources.iter().any(|r| r.is_custom())) {
                let path = format!("apis/{}/{}", group.name, version.version);
                let state = format!("{path}{}", self.catalog_digest(&group.name, &version.version));
                paths.insert(path.as_str(), openapi_link(&path, &state));
            }
        }
        Value::Map(map! { "paths" => paths })
    }

    /// A text that changes when the schemas of a custom group-version change.
    fn catalog_digest(&self, group: &str, version: &str) -> String {
        let resources =
            self.catalog.version(group, version).map(|version| version.resources.as_slice()).unwrap_or_default();
        resources
            .iter()
            .filter_map(|resource| resource.custom.as_ref())
            .map(|custom| custom.definition_version.clone())
            .collect()
    }

    fn openapi_document(&self, path: &str) -> Outcome<Reply> {
        if let Some(text) = self.schema.table().and_then(|table| table.openapi(path)) {
            return Ok(Reply::bytes(200, "application/json", text.into_bytes()));
        }
        let mut parts = path.splitn(3, '/');
        if let (Some("apis"), Some(group), Some(version)) = (parts.next(), parts.next(), parts.next())
            && let Some(found) = self.catalog.version(group, version)
            && found.resources.iter().any(|resource| resource.is_custom())
        {
            return Ok(Reply::json(200, &crate::crd::openapi(group, version, &found.resources)));
        }
        Ok(Reply::empty(404))
    }

    /// The old document: clients that still ask for it find no schema there and go on without.
    fn openapi_v2(&self) -> Reply {
        let info = map! { "title" => "Kubernetes", "version" => "v1.36.3" };
        let value = map! { "swagger" => "2.0", "info" => info, "paths" => Map::new(), "definitions" => Map::new() };
        Reply::json(200, &Value::Map(value))
    }
}

fn openapi_link(path: &str, state: &str) -> Map {
    let digest = Sha256::digest(format!("{path} {state}"));
    let hash: String = digest.iter().map(|byte| format!("{byte:02X}")).collect();
    map! { "serverRelativeURL" => format!("/openapi/v3/{path}?hash={hash}") }
}

/// Tells whether the client wants aggregated discovery; refuses versions that no longer exist.
fn wants_aggregated(request: &Request) -> Outcome<bool> {
    let accept = request.header("accept").unwrap_or("*/*");
    let mut refused = false;
    for clause in clauses(accept) {
        match (clause.media, clause.parameter("as")) {
            ("application/json", Some("APIGroupDiscoveryList")) => {
                if clause.parameter("v") == Some("v2") && clause.parameter("g") == Some("apidiscovery.k8s.io") {
                    return Ok(true);
                }
                refused = true;
            }
            ("application/json" | "*/*", _) => return Ok(false),
            _ => refused = true,
        }
    }
    if refused {
        let text = "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf";
        return Err(Failure::new(406, "NotAcceptable", text));
    }
    Ok(false)
}

fn version() -> Value {
    Value::Map(map! {
        "major" => "1", "minor" => "36", "emulationMajor" => "1", "emulationMinor" => "36",
        "minCompatibilityMajor" => "1", "minCompatibilityMinor" => "35",
        "gitVersion" => "v1.36.3", "gitCommit" => "", "gitTreeState" => "clean",
        "buildDate" => "2026-07-15T00:00:00Z", "goVersion" => "go1.25.0", "compiler" => "gc", "platform" => "linux/amd64",
    })
}

fn group_value(group: &Group) -> Value {
    let version = |name: &str| map! { "groupVersion" => format!("{}/{name}", group.name), "version" => name };
    let versions: List = group.versions.iter().map(|one| version(&one.version)).collect();
    let preferred = group.versions.first().map(|one| version(&one.version)).unwrap_or_default();
    Value::Map(map! { "name" => group.name.as_str(), "versions" => versions, "preferredVersion" => preferred })
}

fn aggregated_group(group: &Group) -> Value {
    let mut metadata = Map::new();
    if !group.name.is_empty() {
        metadata.insert("name", group.name.as_str());
    }
    let versions: List = group
        .versions
        .iter()
        .map(|version| {
            let resources: List = version.resources.iter().map(|resource| aggregated_resource(resource)).collect();
            map! { "version" => version.version.as_str(), "resources" => resources, "freshness" => "Current" }
        })
        .collect();
    Value::Map(map! { "metadata" => metadata, "versions" => versions })
}

fn owned(list: &[String]) -> Value {
    texts(list.iter().map(String::as_str))
}

fn response_kind(resource: &Resource, group: &str, version: &str, kind: &str) -> Map {
    let (group, version) = if resource.is_custom() && version.is_empty() {
        (resource.group.as_str(), resource.version.as_str())
    } else {
        (group, version)
    };
    map! { "group" => group, "version" => version, "kind" => kind }
}

fn aggregated_resource(resource: &Resource) -> Value {
    let mut value = map! {
        "resource" => resource.plural.as_str(),
        "responseKind" => response_kind(resource, "", "", &resource.kind),
        "scope" => if resource.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource" => resource.singular.as_str(),
        "verbs" => owned(&resource.verbs),
    };
    if !resource.short_names.is_empty() {
        value.insert("shortNames", owned(&resource.short_names));
    }
    if !resource.categories.is_empty() {
        value.insert("categories", owned(&resource.categories));
    }
    if !resource.subresources.is_empty() {
        let subs: List = resource
            .subresources
            .iter()
            .map(|sub| {
                map! {
                    "subresource" => sub.name.as_str(),
                    "responseKind" => response_kind(resource, &sub.group, &sub.version, &sub.kind),
                    "verbs" => owned(&sub.verbs),
                }
            })
            .collect();
        value.insert("subresources", subs);
    }
    Value::Map(value)
}

fn resource_entry(resource: &Resource) -> Value {
    let mut value = map! {
        "name" => resource.plural.as_str(), "singularName" => resource.singular.as_str(),
        "namespaced" => resource.namespaced, "kind" => resource.kind.as_str(), "verbs" => owned(&resource.verbs),
    };
    if !resource.short_names.is_empty() {
        value.insert("shortNames", owned(&resource.short_names));
    }
    if !resource.categories.is_empty() {
        value.insert("categories", owned(&resource.categories));
    }
    if !resource.storage_version_hash.is_empty() {
        value.insert("storageVersionHash", resource.storage_version_hash.as_str());
    }
    Value::Map(value)
}

fn subresource_entry(resource: &Resource, sub: &crate::catalog::Subresource) -> Value {
    let mut value = map! {
        "name" => format!("{}/{}", resource.plural, sub.name), "singularName" => "", "namespaced" => resource.namespaced,
    };
    if !sub.version.is_empty() {
        if !sub.group.is_empty() {
            value.insert("group", sub.group.as_str());
        }
        value.insert("version", sub.version.as_str());
    }
    value.insert("kind", sub.kind.as_str());
    value.insert("verbs", owned(&sub.verbs));
    Value::Map(value)
}
