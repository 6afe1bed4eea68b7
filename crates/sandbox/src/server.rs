//! The server as a value: a request and a moment go in, a reply comes out.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use lockstep_object::{Map, Value, to_json, to_json_pretty, write_json, yaml};
use lockstep_schema::SchemaSet;

use crate::{
    access::{Access, User},
    catalog::{Catalog, Resource},
    listing::Pieces,
    moment::Moment,
    negotiate::{Accepted, Encoding, accepted},
    request::{Query, Request, ResourcePath, Target},
    status::{Failure, Outcome},
    store::Store,
    watching::Watch,
};

/// The largest body that is read: what etcd takes.
pub(crate) const BODY_LIMIT: usize = 3 * 1024 * 1024;

/// What the JSON of most objects takes.
const USUAL: usize = 4096;

/// What the server is told when it starts.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) bare: bool,
    pub(crate) controllers: bool,
    pub(crate) kubelet_delay: Duration,
    /// Pods are given to nodes, load balancers get addresses.
    pub(crate) scheduler: bool,
    /// The nodes that pretend to run pods.
    pub(crate) nodes: Vec<String>,
}

/// The whole state of the server.
pub(crate) struct Server {
    pub(crate) settings: Settings,
    pub(crate) catalog: Catalog,
    pub(crate) store: Store,
    pub(crate) schema: SchemaSet,
    /// The schemas without those of definitions.
    pub(crate) built_in_schema: SchemaSet,
    pub(crate) access: Access,
    pub(crate) types: crate::decode::Types,
    pub(crate) controllers: crate::controllers::Memory,
    pub(crate) printed: crate::managed::Printed,
}

/// An answer.
pub(crate) struct Reply {
    pub(crate) code: u16,
    pub(crate) content_type: &'static str,
    pub(crate) warnings: Vec<String>,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: ReplyBody,
}

/// The body of an answer.
pub(crate) enum ReplyBody {
    /// All of it.
    Bytes(Bytes),
    /// A long list, encoded while it is sent.
    List(Pieces),
    /// A stream of events.
    Watch(Box<Watch>),
}

/// A request for a resource that is known, by a user who may.
pub(crate) struct Call<'a> {
    pub(crate) request: &'a Request,
    pub(crate) query: &'a Query,
    pub(crate) path: &'a ResourcePath,
    pub(crate) resource: Arc<Resource>,
    pub(crate) user: User,
    pub(crate) accepted: Accepted,
    pub(crate) moment: &'a mut Moment,
    pub(crate) warnings: Vec<String>,
}

impl Call<'_> {
    /// Returns the namespace of the path, empty for cluster-scoped resources.
    pub(crate) fn namespace(&self) -> &str {
        self.path.namespace.as_deref().unwrap_or_default()
    }

    /// Returns the name of the path.
    pub(crate) fn name(&self) -> &str {
        self.path.name.as_deref().unwrap_or_default()
    }

    /// How a table that answers this request looks.
    pub(crate) fn look(&self) -> crate::table::Look<'_> {
        crate::table::Look {
            include: self.query.get("includeObject").unwrap_or_default(),
            version: self.accepted.meta.version(),
            header: true,
            now: self.moment.now(),
        }
    }

    pub(crate) fn agent(&self) -> &str {
        self.request.header("user-agent").unwrap_or_default()
    }

    pub(crate) fn not_found(&self) -> Failure {
        Failure::not_found(&self.resource.group, &self.resource.plural, self.name())
    }
}

impl Reply {
    pub(crate) fn json(code: u16, value: &Value) -> Self {
        Self::bytes(code, "application/json", to_json(value).into_bytes())
    }

    pub(crate) fn text(code: u16, text: &str) -> Self {
        Self::bytes(code, "text/plain; charset=utf-8", text.as_bytes().to_vec())
    }

    pub(crate) fn bytes(code: u16, content_type: &'static str, body: Vec<u8>) -> Self {
        let body = ReplyBody::Bytes(Bytes::from(body));
        Self { code, content_type, warnings: Vec::new(), headers: Vec::new(), body }
    }

    /// An answer without body and type.
    pub(crate) fn empty(code: u16) -> Self {
        Self::bytes(code, "", Vec::new())
    }

    /// Encodes a value as the client accepts it.
    pub(crate) fn value(code: u16, accepted: Accepted, value: &Value) -> Self {
        let body = match accepted.encoding {
            Encoding::Json => {
                let mut text = String::with_capacity(USUAL);
                write_json(&mut text, value);
                text
            }
            Encoding::Pretty => to_json_pretty(value, "  "),
            Encoding::Yaml => yaml::print(value),
        };
        Self::bytes(code, accepted.content_type(), body.into_bytes())
    }

    pub(crate) fn failure(failure: &Failure) -> Self {
        let mut reply = Self::json(failure.code(), &failure.to_value());
        reply.warnings = failure.warnings().to_vec();
        reply
    }
}

impl Server {
    pub(crate) fn new(settings: Settings, access: Access, keep_journal: bool) -> Self {
        let schema = SchemaSet::built_in();
        let catalog = Catalog::new(&schema);
        let mut store = Store::new(keep_journal, settings.controllers);
        for resource in catalog.stored() {
            store.open(&resource.store, false);
        }
        let types = crate::decode::Types::new(&schema);
        let built_in_schema = schema.clone();
        Self {
            settings,
            catalog,
            store,
            schema,
            built_in_schema,
            access,
            types,
            controllers: crate::controllers::Memory::default(),
            printed: crate::managed::Printed::default(),
        }
    }

    /// Answers a request.
    pub(crate) fn handle(&mut self, request: &Request, moment: &mut Moment) -> Reply {
        let mut reply = self.route(request, moment).unwrap_or_else(|failure| Reply::failure(&failure));
        if request.method == "HEAD" && !matches!(reply.body, ReplyBody::Watch(_)) {
            reply.body = ReplyBody::Bytes(Bytes::new());
        }
        reply
    }

    fn route(&mut self, request: &Request, moment: &mut Moment) -> Outcome<Reply> {
        let user = self.authenticate(request, moment)?;
        let query = request.query();
        let Target::Resource(path) = request.target() else {
            self.authorize_path(&user, request)?;
            return self.document(request, request.target());
        };
        self.authorize_resource(&user, request, query, path)?;
        let resource = self.catalog.resource(&path.group, &path.version, &path.resource).cloned();
        let Some(resource) = resource else {
            let known = self
                .catalog
                .group(&path.group)
                .is_some_and(|group| group.versions.iter().all(|v| v.resources.iter().all(|r| !r.is_custom())));
            return if known { Err(Failure::no_such_resource()) } else { Ok(page_not_found()) };
        };
        if let Err(failure) = check_shape(&resource, path) {
            // Custom resources are served by another handler, which has no Status for unknown paths.
            return if resource.is_custom() && failure.code() == 404 { Ok(page_not_found()) } else { Err(failure) };
        }
        let verb = verb_of(request, path, query);
        check_verb(&resource, path, verb)?;
        let pretty = query.flag("pretty");
        let accepted = accepted(request.header("accept"), pretty)?;
        let warnings = self.resource_warnings(&resource);
        let mut call = Call { request, query, path, resource, user, accepted, moment, warnings };
        let result = self.perform(verb, &mut call);
        let warnings = std::mem::take(&mut call.warnings);
        match result {
            Ok(mut reply) => {
                reply.warnings.extend(warnings);
                Ok(reply)
            }
            Err(failure) => Err(failure.with_warnings(warnings)),
        }
    }

    fn resource_warnings(&self, resource: &Resource) -> Vec<String> {
        if resource.is("", "endpoints") {
            return vec!["v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice".to_owned()];
        }
        if resource.is("", "componentstatuses") {
            return vec!["v1 ComponentStatus is deprecated in v1.19+".to_owned()];
        }
        resource.custom.as_ref().and_then(|custom| custom.deprecation_warning(resource)).into_iter().collect()
    }

    fn perform(&mut self, verb: &str, call: &mut Call<'_>) -> Outcome<Reply> {
        if call.path.subresource.is_some() {
            return self.subresource(verb, call);
        }
        match verb {
            "get" => self.get(call),
            "list" => self.list(call),
            "watch" => self.watch(call),
            "create" => self.create(call),
            "update" => self.update(call),
            "patch" => self.patch(call),
            "delete" => self.delete(call),
            "deletecollection" => self.delete_collection(call),
            _ => Err(Failure::method_not_allowed()),
        }
    }
}

/// What a path that nobody serves is answered with.
pub(crate) fn page_not_found() -> Reply {
    Reply::text(404, "404 page not found\n")
}

/// Names the verb of a request as RBAC does.
pub(crate) fn verb_of(request: &Request, path: &ResourcePath, query: &Query) -> &'static str {
    let named = path.name.is_some();
    let watch = path.watch || query.flag("watch");
    match request.method.as_str() {
        "GET" if path.watch => "watch",
        "GET" if named && path.subresource.is_none() && watch && query.get("fieldSelector").is_some() => "watch",
        "GET" if named => "get",
        "GET" if watch => "watch",
        "GET" => "list",
        "POST" => "create",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" if named => "delete",
        "DELETE" => "deletecollection",
        _ => "",
    }
}

/// Checks that the path fits the resource's scope and has no unknown tail.
fn check_shape(resource: &Resource, path: &ResourcePath) -> Outcome<()> {
    if let Some(namespace) = &path.namespace {
        if !resource.namespaced {
            return Err(Failure::no_such_resource());
        }
        if namespace.is_empty() {
            return Err(Failure::bad_request("Namespace parameter required."));
        }
    } else if resource.namespaced && path.name.is_some() && !path.watch {
        return Err(Failure::no_such_resource());
    }
    if let Some(sub) = &path.subresource {
        let known = resource.subresource(sub).is_some();
        let tail = path.rest.is_empty() || sub == "proxy";
        if !known || !tail || path.watch {
            return Err(Failure::no_such_resource());
        }
    }
    Ok(())
}

fn check_verb(resource: &Resource, path: &ResourcePath, verb: &str) -> Outcome<()> {
    let refused = Failure::method_not_allowed;
    if let Some(sub) = path.subresource.as_deref().and_then(|sub| resource.subresource(sub)) {
        let known = sub.verbs.iter().any(|known| known == verb) || sub.name == "proxy";
        return if known { Ok(()) } else { Err(refused()) };
    }
    let shape_fits = match verb {
        "create" => path.name.is_none() && (path.namespace.is_some() || !resource.namespaced),
        "update" | "patch" => path.name.is_some(),
        "deletecollection" => path.namespace.is_some() || !resource.namespaced,
        _ => true,
    };
    if shape_fits && resource.has_verb(verb) { Ok(()) } else { Err(refused()) }
}

/// Returns a `Status` of success with these details.
pub(crate) fn success(details: Map) -> Value {
    Value::Map(crate::build::map! {
        "kind" => "Status", "apiVersion" => "v1", "metadata" => Map::new(), "status" => "Success", "details" => details,
    })
}
