//! Where single kinds have logic of their own.

use base64::{Engine, engine::general_purpose::STANDARD};
use lockstep_object::{Map, Object, Value};

use crate::{
    build::{list_at, map, set_at, text_at, texts},
    catalog::Resource,
    server::Server,
    status::{Cause, Failure, Outcome},
    writing::Write,
};

/// A node that has not said that it is ready gets no pods (admission plugin `TaintNodesByCondition`).
fn taint_new_node(node: &mut Object) {
    const NOT_READY: &str = "node.kubernetes.io/not-ready";
    let mut taints = list_at(&node.to_value(), &["spec", "taints"]).to_vec();
    let there = |taint: &Value| text_at(taint, &["key"]) == NOT_READY && text_at(taint, &["effect"]) == "NoSchedule";
    if !taints.iter().any(there) {
        taints.push(Value::Map(map! { "key" => NOT_READY, "effect" => "NoSchedule" }));
        set_at(node.root_mut(), &["spec", "taints"], taints);
    }
}

impl Server {
    /// Prepares a new object of kinds with logic of their own.
    pub(crate) fn prepare_kind_create(&mut self, write: &mut Write<'_>, object: &mut Object) -> Outcome<()> {
        let resource = write.resource.clone();
        match (resource.group.as_str(), resource.plural.as_str()) {
            ("", "namespaces") => {
                object.root_mut().insert("status", map! { "phase" => "Active" });
                let name = object.name().to_owned();
                object.set_label("kubernetes.io/metadata.name", &name);
                let finalizers = list_at(&object.to_value(), &["spec", "finalizers"]).to_vec();
                if !finalizers.iter().any(|one| one.as_str() == Some("kubernetes")) {
                    let mut all = finalizers;
                    all.push("kubernetes".into());
                    set_at(object.root_mut(), &["spec", "finalizers"], all);
                }
            }
            ("", "nodes") => taint_new_node(object),
            ("", "pods") => prepare_pod(object),
            ("", "persistentvolumeclaims") => set_at(object.root_mut(), &["status", "phase"], "Pending"),
            ("", "persistentvolumes") => {
                let status = map! { "phase" => "Pending", "lastPhaseTransitionTime" => write.moment.seconds() };
                object.root_mut().insert("status", status);
            }
            ("", "services") => return self.allocate_service(write, None, object),
            ("batch", "jobs") => prepare_job(object),
            ("apiextensions.k8s.io", "customresourcedefinitions") => prepare_definition(object),
            _ => {}
        }
        fill_status(self, &resource, object);
        Ok(())
    }

    /// Prepares a changed object of kinds with logic of their own.
    pub(crate) fn prepare_kind_update(&mut self, write: &mut Write<'_>, old: &Object, new: &mut Object) -> Outcome<()> {
        let resource = write.resource.clone();
        let status = write.subresource.as_deref() == Some("status");
        match (resource.group.as_str(), resource.plural.as_str()) {
            ("", "services") if !status => return self.allocate_service(write, Some(old), new),
            ("", "namespaces") if write.subresource.as_deref() != Some("finalize") => {
                if let Some(spec) = old.root().get("spec") {
                    new.root_mut().insert("spec", spec.clone());
                }
            }
            ("batch", "jobs") if !status => {}
            ("apiextensions.k8s.io", "customresourcedefinitions") => stored_versions(new),
            _ => {}
        }
        Ok(())
    }

    /// Validates a new object.
    pub(crate) fn validate_create(&self, write: &Write<'_>, object: &Object) -> Vec<Cause> {
        if let Some(custom) = &write.resource.custom {
            return crate::custom::validate(custom, object, None);
        }
        crate::validation::create(&write.resource, object)
    }

    /// Validates a changed object.
    pub(crate) fn validate_update(&self, write: &Write<'_>, old: &Object, new: &Object) -> Vec<Cause> {
        if let Some(custom) = &write.resource.custom {
            return crate::custom::validate(custom, new, Some(old));
        }
        crate::validation::update(&write.resource, write.subresource.as_deref().unwrap_or_default(), old, new)
    }

    /// Admission of a new object before it is validated.
    pub(crate) fn admit_create(&mut self, write: &mut Write<'_>, object: &mut Object) -> Outcome<()> {
        self.check_namespace(write, object)?;
        let resource = write.resource.clone();
        match (resource.group.as_str(), resource.plural.as_str()) {
            ("", "pods") => self.admit_pod(write, object),
            ("", "persistentvolumeclaims") => {
                add_finalizer(object, "kubernetes.io/pvc-protection");
                self.default_storage_class(object);
                Ok(())
            }
            ("", "persistentvolumes") => {
                add_finalizer(object, "kubernetes.io/pv-protection");
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Admission of a changed object before it is validated.
    pub(crate) fn admit_update(&mut self, _write: &mut Write<'_>, _old: &Object, _new: &mut Object) -> Outcome<()> {
        Ok(())
    }

    /// Admission after validation.
    pub(crate) fn admit_validated(&mut self, write: &mut Write<'_>, old: Option<&Object>, new: &Object) -> Outcome<()> {
        let resource = write.resource.clone();
        self.judge(write, old, new)?;
        if old.is_none() && resource.is("", "pods") {
            crate::quota::check_pod(self, &write.namespace, new)?;
        }
        Ok(())
    }

    /// Admission of a deletion.
    pub(crate) fn admit_delete(&self, resource: &Resource, object: &Object) -> Outcome<()> {
        if resource.is("", "namespaces") && ["default", "kube-system", "kube-public"].contains(&object.name()) {
            let why = "this namespace may not be deleted";
            return Err(Failure::forbidden("", "namespaces", object.name(), why));
        }
        Ok(())
    }

    fn admit_pod(&mut self, write: &mut Write<'_>, object: &mut Object) -> Outcome<()> {
        crate::quota::limit_defaults(self, &write.namespace, object)?;
        self.priority(object)?;
        tolerations(object);
        if !self.settings.bare {
            self.service_account(write, object)?;
        }
        Ok(())
    }

    /// Sets the priority of the class that the pod names.
    fn priority(&self, object: &mut Object) -> Outcome<()> {
        let class = object.str_at(&["spec", "priorityClassName"]).to_owned();
        let (value, policy) = match class.as_str() {
            "" => match self.default_priority() {
                Some((name, value, policy)) => {
                    set_at(object.root_mut(), &["spec", "priorityClassName"], name);
                    (value, policy)
                }
                None => (0, "PreemptLowerPriority".to_owned()),
            },
            "system-node-critical" => (2_000_001_000, "PreemptLowerPriority".to_owned()),
            "system-cluster-critical" => (2_000_000_000, "PreemptLowerPriority".to_owned()),
            name => {
                let found = self.store.get("scheduling.k8s.io/priorityclasses", "", name);
                let found = found.ok_or_else(|| {
                    Failure::forbidden(
                        "",
                        "pods",
                        object.name(),
                        &format!("no PriorityClass with name {name} was found"),
                    )
                })?;
                let value = found.object.root().get("value").and_then(Value::as_i64).unwrap_or_default();
                (value, found.object.str_at(&["preemptionPolicy"]).to_owned())
            }
        };
        let spec = object.root_mut().map_entry("spec");
        spec.insert("priority", value);
        spec.entry("preemptionPolicy", || policy.into());
        Ok(())
    }

    fn default_priority(&self) -> Option<(String, i64, String)> {
        let bucket = self.store.bucket("scheduling.k8s.io/priorityclasses")?;
        let mut found = bucket
            .range(None)
            .filter(|(_, one)| one.object.root().get("globalDefault").and_then(Value::as_bool) == Some(true));
        let (name, one) = found.next()?;
        let value = one.object.root().get("value").and_then(Value::as_i64).unwrap_or_default();
        Some((name.name.to_string(), value, one.object.str_at(&["preemptionPolicy"]).to_owned()))
    }

    fn default_storage_class(&self, object: &mut Object) {
        if object.at(&["spec", "storageClassName"]).is_some()
            || object.annotation("volume.beta.kubernetes.io/storage-class").is_some()
        {
            return;
        }
        let Some(bucket) = self.store.bucket("storage.k8s.io/storageclasses") else { return };
        let default = bucket
            .range(None)
            .find(|(_, class)| class.object.annotation("storageclass.kubernetes.io/is-default-class") == Some("true"));
        if let Some((name, _)) = default {
            set_at(object.root_mut(), &["spec", "storageClassName"], &*name.name);
        }
    }

    /// Gives a pod its account and the volume with its token.
    fn service_account(&self, write: &mut Write<'_>, object: &mut Object) -> Outcome<()> {
        let mut name = object.str_at(&["spec", "serviceAccountName"]).to_owned();
        if name.is_empty() {
            name = "default".to_owned();
            set_at(object.root_mut(), &["spec", "serviceAccountName"], "default");
            set_at(object.root_mut(), &["spec", "serviceAccount"], "default");
        }
        let account = self.store.get("/serviceaccounts", &write.namespace, &name).ok_or_else(|| {
            let text = format!(
                "error looking up service account {}/{name}: serviceaccount \"{name}\" not found",
                write.namespace
            );
            Failure::forbidden("", "pods", object.name(), &text)
        })?;
        let wanted = object.at(&["spec", "automountServiceAccountToken"]).and_then(Value::as_bool);
        let wanted =
            wanted.or_else(|| account.object.root().get("automountServiceAccountToken").and_then(Value::as_bool));
        if wanted == Some(false) {
            return Ok(());
        }
        mount_token(object, &format!("kube-api-access-{}", write.moment.suffix()));
        Ok(())
    }
}

fn mount_token(object: &mut Object, volume: &str) {
    let path = "/var/run/secrets/kubernetes.io/serviceaccount";
    let mut mounted = false;
    for key in ["initContainers", "containers"] {
        let Some(Value::List(containers)) = object.root_mut().map_entry("spec").get_mut(key) else { continue };
        for container in containers.make_mut() {
            let Value::Map(container) = container else { continue };
            let mut mounts =
                container.get("volumeMounts").and_then(Value::as_list).map(|list| list.to_vec()).unwrap_or_default();
            if mounts.iter().any(|mount| text_at(mount, &["mountPath"]) == path) {
                continue;
            }
            mounts.push(Value::Map(map! { "name" => volume, "readOnly" => true, "mountPath" => path }));
            container.insert("volumeMounts", mounts);
            mounted = true;
        }
    }
    if !mounted {
        return;
    }
    let token = map! { "serviceAccountToken" => map! { "expirationSeconds" => 3607, "path" => "token" } };
    let item = map! { "key" => "ca.crt", "path" => "ca.crt" };
    let config = map! { "configMap" => map! { "name" => "kube-root-ca.crt", "items" => vec![Value::Map(item)] } };
    let field = map! { "apiVersion" => "v1", "fieldPath" => "metadata.namespace" };
    let place = map! { "path" => "namespace", "fieldRef" => field };
    let api = map! { "downwardAPI" => map! { "items" => vec![Value::Map(place)] } };
    let sources = vec![Value::Map(token), Value::Map(config), Value::Map(api)];
    let projected = map! { "sources" => sources, "defaultMode" => 420 };
    let mut volumes = list_at(&object.to_value(), &["spec", "volumes"]).to_vec();
    volumes.push(Value::Map(map! { "name" => volume, "projected" => projected }));
    set_at(object.root_mut(), &["spec", "volumes"], volumes);
}

fn add_finalizer(object: &mut Object, name: &str) {
    let mut names = list_at(&object.to_value(), &["metadata", "finalizers"]).to_vec();
    if !names.iter().any(|known| known.as_str() == Some(name)) {
        names.push(name.into());
        object.metadata_mut().insert("finalizers", names);
    }
}

/// Pods wait five minutes on a node that is lost.
fn tolerations(object: &mut Object) {
    let mut all = list_at(&object.to_value(), &["spec", "tolerations"]).to_vec();
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let known = all.iter().any(|one| {
            let (own, effect) = (text_at(one, &["key"]), text_at(one, &["effect"]));
            (own == key || own.is_empty()) && (effect == "NoExecute" || effect.is_empty())
        });
        if !known {
            all.push(Value::Map(map! {
                "key" => key, "operator" => "Exists", "effect" => "NoExecute", "tolerationSeconds" => 300,
            }));
        }
    }
    set_at(object.root_mut(), &["spec", "tolerations"], all);
}

fn prepare_pod(object: &mut Object) {
    let class = quality(object);
    object.root_mut().insert("status", map! { "phase" => "Pending", "qosClass" => class });
}

/// The quality-of-service class of a pod.
pub(crate) fn quality(object: &Object) -> &'static str {
    let value = object.to_value();
    let containers =
        list_at(&value, &["spec", "initContainers"]).iter().chain(list_at(&value, &["spec", "containers"]));
    let (mut any, mut guaranteed) = (false, true);
    for container in containers {
        let amount = |kind: &str, name: &str| {
            container
                .at(&["resources", kind, name])
                .and_then(Value::as_str)
                .map(crate::quantity::nanos)
                .filter(|n| *n != 0)
        };
        for name in ["cpu", "memory"] {
            let (limit, request) = (amount("limits", name), amount("requests", name));
            any |= limit.is_some() || request.is_some();
            guaranteed &= limit.is_some() && (request.is_none() || request == limit);
        }
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

/// `stringData` is written, never read.
pub(crate) fn string_data(object: &mut Object) {
    let Some(Value::Map(plain)) = object.root_mut().remove("stringData") else { return };
    let data = object.root_mut().map_entry("data");
    for (key, value) in plain.iter() {
        data.insert(key, STANDARD.encode(value.as_str().unwrap_or_default()));
    }
}

/// A Job selects its pods by its own uid.
fn prepare_job(object: &mut Object) {
    if object.at(&["spec", "manualSelector"]).and_then(Value::as_bool) == Some(true) {
        return;
    }
    let uid = crate::strategy::uid_of(object).to_owned();
    let name = object.name().to_owned();
    let labels = object.root_mut().map_entry("spec").map_entry("template").map_entry("metadata").map_entry("labels");
    for (key, value) in [
        ("batch.kubernetes.io/controller-uid", &uid),
        ("batch.kubernetes.io/job-name", &name),
        ("controller-uid", &uid),
        ("job-name", &name),
    ] {
        labels.insert(key, value.as_str());
    }
    let selector = object.root_mut().map_entry("spec").map_entry("selector").map_entry("matchLabels");
    selector.insert("batch.kubernetes.io/controller-uid", uid);
    // A Job without labels shares those of its template, the generated ones included.
    let labels = labels_at(&object.to_value(), &["spec", "template", "metadata", "labels"]);
    if labels_at(&object.to_value(), &["metadata", "labels"]).is_empty() {
        object.metadata_mut().insert("labels", labels);
    }
}

fn prepare_definition(object: &mut Object) {
    let names = map! { "plural" => "", "kind" => "" };
    object.root_mut().insert(
        "status",
        map! { "conditions" => Value::Null, "acceptedNames" => names, "storedVersions" => Value::Null },
    );
    stored_versions(object);
}

/// The version that objects are stored in is remembered.
fn stored_versions(object: &mut Object) {
    let value = object.to_value();
    let storage = list_at(&value, &["spec", "versions"])
        .iter()
        .filter(|one| one.get("storage").and_then(Value::as_bool) == Some(true));
    let mut known: Vec<String> =
        list_at(&value, &["status", "storedVersions"]).iter().filter_map(Value::as_str).map(str::to_owned).collect();
    for version in storage {
        let name = text_at(version, &["name"]).to_owned();
        if !known.contains(&name) {
            known.push(name);
        }
    }
    if !known.is_empty() {
        set_at(object.root_mut(), &["status", "storedVersions"], texts(known.iter().map(String::as_str)));
    }
}

/// A new object has the empty status of its kind.
fn fill_status(server: &Server, resource: &Resource, object: &mut Object) {
    if resource.is_custom() || object.root().contains_key("status") || resource.subresource("status").is_none() {
        return;
    }
    if let Some(status) =
        crate::managed::empty(server, resource).ok().and_then(|empty| empty.value().get("status").cloned())
    {
        object.root_mut().insert("status", status);
    }
}

/// Returns the labels of a map.
pub(crate) fn labels_at(value: &Value, keys: &[&str]) -> Map {
    value.at(keys).and_then(Value::as_map).cloned().unwrap_or_default()
}
