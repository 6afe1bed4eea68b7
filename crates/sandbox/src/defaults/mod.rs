//! Defaults that the server computes for built-in kinds.
//!
//! The order of calls is that of the kinds' `SetDefaults_*` functions; each rule fills only what is missing.

mod cluster;
mod network;
mod pods;
mod storage;
mod workloads;

use cluster::{admission, binding, definition, limit_range, namespace, node, priority_level};
use lockstep_object::{Map, Object, Value};
use network::{endpoint_slice, endpoints, ingress, ingress_class, network_policy, service};
use pods::{pod, template};
use storage::{claim, csi_driver, volume_defaults};
use workloads::{autoscaler, cron_job, daemon_set, deployment, job, replica_set, replication_controller, stateful_set};

use crate::catalog::Resource;

/// Fills in the defaults of a kind.
pub(crate) fn apply(resource: &Resource, object: &mut Object) {
    if resource.is_custom() {
        return;
    }
    if resource.is("", "secrets") {
        crate::kinds::string_data(object);
    }
    let root = object.root_mut();
    match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "pods") => pod(root),
        ("", "podtemplates") => template(root.map_entry("template")),
        ("", "services") => service(root),
        ("", "secrets") => put(root, "type", "Opaque"),
        ("", "namespaces") => namespace(root),
        ("", "persistentvolumeclaims") => claim(root),
        ("", "persistentvolumes") => volume_defaults(root),
        ("", "limitranges") => limit_range(root),
        ("", "endpoints") => endpoints(root),
        ("", "replicationcontrollers") => replication_controller(root),
        ("", "nodes") => node(root),
        ("apps", "deployments") => deployment(root.map_entry("spec")),
        ("apps", "replicasets") => replica_set(root),
        ("apps", "statefulsets") => stateful_set(root.map_entry("spec")),
        ("apps", "daemonsets") => daemon_set(root.map_entry("spec")),
        ("batch", "jobs") => job(root.map_entry("spec")),
        ("batch", "cronjobs") => cron_job(root.map_entry("spec")),
        ("autoscaling", _) => autoscaler(resource, root),
        ("networking.k8s.io", "networkpolicies") => network_policy(root.map_entry("spec")),
        ("networking.k8s.io", "ingresses") => ingress(root),
        ("networking.k8s.io", "ingressclasses") => ingress_class(root),
        ("storage.k8s.io", "storageclasses") => {
            put(root, "reclaimPolicy", "Delete");
            put(root, "volumeBindingMode", "Immediate");
        }
        ("storage.k8s.io", "csidrivers") => csi_driver(root.map_entry("spec")),
        ("rbac.authorization.k8s.io", "rolebindings" | "clusterrolebindings") => binding(root),
        ("scheduling.k8s.io", "priorityclasses") => put(root, "preemptionPolicy", "PreemptLowerPriority"),
        ("discovery.k8s.io", "endpointslices") => endpoint_slice(root),
        ("apiextensions.k8s.io", "customresourcedefinitions") => definition(root),
        ("admissionregistration.k8s.io", _) => admission(resource, root),
        ("certificates.k8s.io", "certificatesigningrequests") => {}
        ("apiregistration.k8s.io", "apiservices") => {
            if let Some(Value::Map(service)) = root.map_entry("spec").get_mut("service") {
                put(service, "port", 443);
            }
        }
        ("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations") => priority_level(root.map_entry("spec")),
        ("flowcontrol.apiserver.k8s.io", "flowschemas") => put(root.map_entry("spec"), "matchingPrecedence", 1000),
        ("policy", "poddisruptionbudgets") => {}
        _ => {}
    }
}

/// Sets a field that is missing.
fn put(map: &mut Map, key: &str, value: impl Into<Value>) {
    if !map.contains_key(key) {
        map.insert(key, value);
    }
}

fn each(map: &mut Map, key: &str, mut change: impl FnMut(&mut Map)) {
    if let Some(Value::List(items)) = map.get_mut(key) {
        for item in items.make_mut() {
            if let Value::Map(item) = item {
                change(item);
            }
        }
    }
}

fn inside(map: &mut Map, key: &str, change: impl FnOnce(&mut Map)) {
    if let Some(Value::Map(inner)) = map.get_mut(key) {
        change(inner);
    }
}

fn text<'a>(map: &'a Map, key: &str) -> &'a str {
    map.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn flag(map: &Map, key: &str) -> bool {
    map.get(key).and_then(Value::as_bool).unwrap_or_default()
}
