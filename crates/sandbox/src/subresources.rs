//! Status, scale and what else is below an object.

use lockstep_object::{Map, Object, Value};

use crate::{
    build::{int_at, list_at, map, set_at, text_at},
    options::{DeleteOptions, WriteKind, WriteOptions},
    server::{Call, Reply, Server},
    status::{Cause, Failure, Outcome},
    strategy,
};

/// What `kubectl logs` of a pod that never ran shows.
const SIMULATED_LOG: &str = "This pod is simulated: no container runs, so there are no logs.\n";

impl Server {
    pub(crate) fn subresource(&mut self, verb: &str, call: &mut Call<'_>) -> Outcome<Reply> {
        let name = call.path.subresource.clone().unwrap_or_default();
        match (name.as_str(), verb) {
            ("status" | "finalize" | "approval" | "ephemeralcontainers" | "resize", "get") => self.get(call),
            ("status" | "finalize" | "approval" | "ephemeralcontainers" | "resize", "update") => self.update(call),
            ("status" | "finalize" | "approval" | "ephemeralcontainers" | "resize", "patch") => self.patch(call),
            ("scale", "get") => self.get_scale(call),
            ("scale", "update") => self.update_scale(call),
            ("scale", "patch") => self.patch_scale(call),
            ("log", _) => self.log(call),
            ("eviction", "create") => self.evict(call),
            ("binding", "create") => {
                let options = WriteOptions::parse(call.query, WriteKind::Create, call.agent())?;
                let binding = self.decode_body(call, options.validation)?;
                self.bind(call, binding)
            }
            ("token", "create") => self.token_request(call),
            ("exec" | "attach" | "portforward", _) => {
                self.find(call)?;
                Err(Failure::bad_request(format!(
                    "{name} is not possible: the pods of this server are simulated, no container runs"
                )))
            }
            ("proxy", _) => self.proxy(call),
            _ => Err(Failure::no_such_resource()),
        }
    }

    fn proxy(&self, call: &Call<'_>) -> Outcome<Reply> {
        self.find(call)?;
        Err(Failure::new(503, "ServiceUnavailable", "no endpoints available: the pods of this server are simulated"))
    }

    fn log(&self, call: &Call<'_>) -> Outcome<Reply> {
        let found = self.find(call)?;
        let node = found.object.str_at(&["spec", "nodeName"]);
        if node.is_empty() {
            return Ok(Reply::empty(204));
        }
        if self.store.get("/nodes", "", node).is_none() {
            return Err(Failure::not_found("", "nodes", node));
        }
        Ok(Reply::bytes(200, "text/plain", SIMULATED_LOG.as_bytes().to_vec()))
    }

    /// Binds a pod to a node, as a scheduler does.
    pub(crate) fn bind(&mut self, call: &mut Call<'_>, binding: Object) -> Outcome<Reply> {
        let name = if call.name().is_empty() { binding.name().to_owned() } else { call.name().to_owned() };
        let namespace = call.namespace().to_owned();
        let pods = self.catalog.resource("", "v1", "pods").cloned().ok_or_else(Failure::no_such_resource)?;
        let found = self.store.get(&pods.store, &namespace, &name).cloned();
        let found = found.ok_or_else(|| Failure::not_found("", "pods", &name))?;
        let current = found.object.str_at(&["spec", "nodeName"]).to_owned();
        if !current.is_empty() {
            let why = format!("pod {name} is already assigned to node \"{current}\"");
            return Err(Failure::conflict("", "pods/binding", &name, &why));
        }
        let mut pod = found.object.clone();
        set_at(pod.root_mut(), &["spec", "nodeName"], binding.str_at(&["target", "name"]).to_owned());
        let time = call.moment.seconds();
        set_condition(&mut pod, "PodScheduled", "True", &time);
        self.store.put(&pods.store, pod);
        let status = map! {
            "kind" => "Status", "apiVersion" => "v1", "metadata" => Map::new(), "status" => "Success", "code" => 201,
        };
        Ok(Reply::value(201, call.accepted, &Value::Map(status)))
    }

    fn evict(&mut self, call: &mut Call<'_>) -> Outcome<Reply> {
        let options = WriteOptions::parse(call.query, WriteKind::Create, call.agent())?;
        let eviction = self.decode_body(call, options.validation)?;
        if eviction.name() != call.name() && !eviction.name().is_empty() {
            return Err(Failure::bad_request("name in URL does not match name in Eviction object"));
        }
        let pod = self.find(call)?;
        let value = eviction.root().get("deleteOptions").cloned();
        let mut delete = DeleteOptions::parse(value.as_ref().or(Some(&Value::Map(Map::new()))), call.query)?;
        delete.dry_run |= options.dry_run;
        let namespace = call.namespace().to_owned();
        self.spend_budget(&namespace, &pod.object, delete.dry_run, call.moment)?;
        let (resource, namespace, name) = (call.resource.clone(), call.namespace().to_owned(), call.name().to_owned());
        self.delete_object(&resource, &namespace, &name, &delete, call.moment)?;
        let status = map! {
            "kind" => "Status", "apiVersion" => "v1", "metadata" => Map::new(), "status" => "Success", "code" => 201,
        };
        Ok(Reply::value(201, call.accepted, &Value::Map(status)))
    }

    fn token_request(&mut self, call: &mut Call<'_>) -> Outcome<Reply> {
        let options = WriteOptions::parse(call.query, WriteKind::Create, call.agent())?;
        let mut request = self.decode_body(call, options.validation)?;
        let account = self.find(call)?;
        let spec = request.root().get("spec").cloned().unwrap_or_default();
        let seconds = int_at(&spec, &["expirationSeconds"]).unwrap_or(3600);
        if seconds < 600 {
            let cause = Cause::invalid(
                "spec.expirationSeconds",
                &seconds.to_string(),
                "may not specify a duration less than 10 minutes",
            );
            return Err(Failure::invalid("authentication.k8s.io", "TokenRequest", call.name(), &[cause]));
        }
        let mut audiences = crate::tokens::audiences(&spec);
        if audiences.is_empty() {
            audiences.push("https://kubernetes.default.svc".to_owned());
        }
        let (namespace, name) = (call.namespace().to_owned(), call.name().to_owned());
        let uid = strategy::uid_of(&account.object).to_owned();
        let token = self.account_token(&namespace, &name, &uid, &audiences, seconds, call.moment);
        let metadata = request.metadata_mut();
        metadata.insert("name", name);
        metadata.insert("namespace", namespace);
        metadata.insert("creationTimestamp", call.moment.seconds());
        let root = request.root_mut();
        let spec = root.map_entry("spec");
        spec.insert("audiences", crate::build::texts(audiences.iter().map(String::as_str)));
        spec.insert("expirationSeconds", seconds);
        spec.entry("boundObjectRef", || Value::Null);
        root.insert("status", map! { "token" => token, "expirationTimestamp" => call.moment.after(seconds) });
        Ok(Reply::value(201, call.accepted, &request.to_value()))
    }
}

/// Prints a selector as `kubectl` takes it.
pub(crate) fn selector_text(selector: Option<&Value>) -> String {
    let Some(selector) = selector else { return String::new() };
    let plain = selector.get("matchLabels").is_none() && selector.get("matchExpressions").is_none();
    let labels = if plain { selector.as_map() } else { selector.get("matchLabels").and_then(Value::as_map) };
    let mut words: Vec<String> = labels
        .into_iter()
        .flat_map(Map::iter)
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    for expression in list_at(selector, &["matchExpressions"]) {
        let key = text_at(expression, &["key"]);
        let mut values: Vec<&str> = list_at(expression, &["values"]).iter().filter_map(Value::as_str).collect();
        values.sort_unstable();
        words.push(match text_at(expression, &["operator"]) {
            "In" => format!("{key} in ({})", values.join(",")),
            "NotIn" => format!("{key} notin ({})", values.join(",")),
            "Exists" => key.to_owned(),
            _ => format!("!{key}"),
        });
    }
    words.sort();
    words.join(",")
}

/// Sets a condition of a pod.
pub(crate) fn set_condition(pod: &mut Object, kind: &str, truth: &str, time: &str) {
    let mut conditions = list_at(&pod.to_value(), &["status", "conditions"]).to_vec();
    let known = conditions.iter_mut().find(|one| text_at(one, &["type"]) == kind);
    let made = Value::Map(
        map! { "type" => kind, "status" => truth, "lastProbeTime" => Value::Null, "lastTransitionTime" => time },
    );
    match known {
        Some(known) if text_at(known, &["status"]) == truth => return,
        Some(known) => *known = made,
        None => conditions.push(made),
    }
    set_at(pod.root_mut(), &["status", "conditions"], conditions);
}
