//! Status, scale and what else is below an object.

use lockstep_object::{Map, Object, Value};

use crate::{
    build::{int_at, list_at, map, set_at, text_at},
    catalog::Resource,
    jsonpath,
    options::{DeleteOptions, WriteKind, WriteOptions},
    patching::PatchKind,
    server::{Call, Reply, Server},
    status::{Cause, Failure, Outcome},
    strategy,
    writing::Write,
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
            ("scale", "get") => {
                let found = self.find(call)?;
                Ok(Reply::value(200, call.accepted, &scale_of(&call.resource, &found.object)))
            }
            ("scale", "update" | "patch") => self.write_scale(verb, call),
            ("log", _) => self.log(call),
            ("eviction", "create") => self.evict(call),
            ("binding", "create") => {
                let options = WriteOptions::parse(&call.query, WriteKind::Create, call.agent())?;
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
        let options = WriteOptions::parse(&call.query, WriteKind::Create, call.agent())?;
        let eviction = self.decode_body(call, options.validation)?;
        if eviction.name() != call.name() && !eviction.name().is_empty() {
            return Err(Failure::bad_request("name in URL does not match name in Eviction object"));
        }
        let pod = self.find(call)?;
        if !eviction.name().is_empty() && eviction.name() != call.name() {
            return Err(Failure::bad_request("name in URL does not match name in Eviction object"));
        }
        let value = eviction.root().get("deleteOptions").cloned();
        let mut delete = DeleteOptions::parse(value.as_ref().or(Some(&Value::Map(Map::new()))), &call.query)?;
        delete.dry_run |= options.dry_run;
        self.check_budgets(call.namespace(), &pod.object)?;
        let (resource, namespace, name) = (call.resource.clone(), call.namespace().to_owned(), call.name().to_owned());
        self.delete_object(&resource, &namespace, &name, &delete, call.moment)?;
        let status = map! {
            "kind" => "Status", "apiVersion" => "v1", "metadata" => Map::new(), "status" => "Success", "code" => 201,
        };
        Ok(Reply::value(201, call.accepted, &Value::Map(status)))
    }

    /// Refuses an eviction that a budget does not allow.
    fn check_budgets(&self, namespace: &str, pod: &Object) -> Outcome<()> {
        let phase = pod.str_at(&["status", "phase"]);
        if matches!(phase, "Pending" | "Succeeded" | "Failed") || pod.at(&["metadata", "deletionTimestamp"]).is_some() {
            return Ok(());
        }
        let Some(bucket) = self.store.bucket("policy/poddisruptionbudgets") else { return Ok(()) };
        for (name, budget) in bucket.range(Some(namespace)) {
            let value = budget.object.to_value();
            let selects = value.at(&["spec", "selector"]).and_then(crate::select::Labels::of_selector);
            if !selects.is_some_and(|labels| labels.matches(pod)) {
                continue;
            }
            if int_at(&value, &["status", "disruptionsAllowed"]).unwrap_or_default() > 0 {
                continue;
            }
            let cause = map! {
                "reason" => "DisruptionBudget",
                "message" => format!(
                    "The disruption budget {} needs {} healthy pods and has {} currently",
                    name.name,
                    int_at(&value, &["status", "desiredHealthy"]).unwrap_or_default(),
                    int_at(&value, &["status", "currentHealthy"]).unwrap_or_default(),
                ),
            };
            let details = map! { "causes" => vec![Value::Map(cause)] };
            let text = "Cannot evict pod as it would violate the pod's disruption budget.";
            return Err(Failure::new(429, "TooManyRequests", text).with_details(details));
        }
        Ok(())
    }

    fn token_request(&mut self, call: &mut Call<'_>) -> Outcome<Reply> {
        let options = WriteOptions::parse(&call.query, WriteKind::Create, call.agent())?;
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

    fn write_scale(&mut self, verb: &str, call: &mut Call<'_>) -> Outcome<Reply> {
        let kind = if verb == "update" { WriteKind::Update } else { WriteKind::Patch };
        let found;
        let (options, scale) = if verb == "update" {
            let options = WriteOptions::parse(&call.query, kind, call.agent())?;
            let scale = self.decode_body(call, options.validation)?;
            found = self.find(call)?;
            (options, scale)
        } else {
            found = self.find(call)?;
            self.patched_scale(call, &found.object)?
        };
        check_scale(call, &scale)?;
        let replicas = scale.at(&["spec", "replicas"]).and_then(Value::as_i64).unwrap_or_default();
        let mut object = found.object.clone();
        set_replicas(&call.resource, &mut object, replicas);
        let version = scale.str_at(&["metadata", "resourceVersion"]).to_owned();
        object.metadata_mut().insert("resourceVersion", version);
        let uid = scale.str_at(&["metadata", "uid"]).to_owned();
        if !uid.is_empty() {
            object.metadata_mut().insert("uid", uid);
        }
        let mut write = Write::of(call, options);
        let result = self.replace(&mut write, &found.object, object);
        let warnings = std::mem::take(&mut write.warnings);
        call.warnings.extend(warnings);
        let stored = result?;
        Ok(Reply::value(200, call.accepted, &scale_of(&call.resource, &stored)))
    }

    fn patched_scale(&mut self, call: &mut Call<'_>, object: &Object) -> Outcome<(WriteOptions, Object)> {
        let kind = PatchKind::of(call)?;
        let shown = scale_of(&call.resource, object);
        let target = self.body_kind(call);
        if kind == PatchKind::Apply {
            let mut options = WriteOptions::parse(&call.query, WriteKind::Apply, call.agent())?;
            let value = crate::patching::read_apply(call, options.validation)?;
            let merged = lockstep_merge::merge_patch::apply(&shown, &value);
            options.force = None;
            return Ok((options, Object::try_from(merged).unwrap_or_default()));
        }
        let options = WriteOptions::parse(&call.query, WriteKind::Patch, call.agent())?;
        let decoded = self.patched(call, kind, &shown, &target, options.validation)?;
        Ok((options, decoded.object))
    }
}

fn check_scale(call: &Call<'_>, scale: &Object) -> Outcome<()> {
    if !scale.name().is_empty() && scale.name() != call.name() {
        let text =
            format!("the name of the object ({}) does not match the name on the URL ({})", scale.name(), call.name());
        return Err(Failure::bad_request(text));
    }
    let replicas = scale.at(&["spec", "replicas"]).and_then(Value::as_i64).unwrap_or_default();
    if replicas < 0 {
        let cause = Cause::invalid("spec.replicas", &replicas.to_string(), "must be greater than or equal to 0");
        return Err(Failure::invalid("autoscaling", "Scale", call.name(), &[cause]));
    }
    Ok(())
}

/// Shows the scale of an object.
fn scale_of(resource: &Resource, object: &Object) -> Value {
    let value = object.to_value();
    let mut metadata = Map::new();
    for key in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(entry) = value.at(&["metadata", key]) {
            metadata.insert(key, entry.clone());
        }
    }
    let (wanted, present, selector) = match resource.custom.as_ref().and_then(|custom| custom.version.scale.as_ref()) {
        Some(scale) => (
            jsonpath::integer(object, &scale.spec_replicas).unwrap_or_default(),
            jsonpath::integer(object, &scale.status_replicas).unwrap_or_default(),
            if scale.selector.is_empty() { String::new() } else { jsonpath::text(object, &scale.selector) },
        ),
        None => (
            int_at(&value, &["spec", "replicas"]).unwrap_or_default(),
            int_at(&value, &["status", "replicas"]).unwrap_or_default(),
            selector_text(value.at(&["spec", "selector"])),
        ),
    };
    let mut spec = Map::new();
    if wanted != 0 {
        spec.insert("replicas", wanted);
    }
    let mut status = map! { "replicas" => present };
    if !selector.is_empty() {
        status.insert("selector", selector);
    }
    Value::Map(map! {
        "kind" => "Scale", "apiVersion" => "autoscaling/v1", "metadata" => metadata, "spec" => spec, "status" => status,
    })
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

fn set_replicas(resource: &Resource, object: &mut Object, replicas: i64) {
    let path = resource
        .custom
        .as_ref()
        .and_then(|custom| custom.version.scale.as_ref())
        .map(|scale| scale.spec_replicas.to_string());
    let path = path.unwrap_or_else(|| ".spec.replicas".to_owned());
    let keys: Vec<&str> = path.split('.').filter(|key| !key.is_empty()).collect();
    set_at(object.root_mut(), &keys, replicas);
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
