//! Pods and their templates.

use lockstep_object::{Map, Value};

use super::{cluster::pair, each, flag, inside, put, storage::volume, text};
use crate::build::map;

pub(super) fn pod(root: &mut Map) {
    let spec = root.map_entry("spec");
    pod_spec(spec);
    // Only a pod itself, not a template, takes its requests from its limits.
    for key in ["containers", "initContainers"] {
        each(spec, key, requests_from_limits);
    }
    put(spec, "enableServiceLinks", true);
    if let Some(Value::Map(status)) = root.get_mut("status") {
        pair(status, "podIP", "podIPs", |ip| Value::Map(map! { "ip" => ip }));
    }
}

fn requests_from_limits(container: &mut Map) {
    inside(container, "resources", |resources| {
        let Some(Value::Map(limits)) = resources.get("limits").cloned() else { return };
        let requests = resources.map_entry("requests");
        for (key, limit) in limits.iter() {
            put(requests, key, limit.clone());
        }
    });
}

pub(super) fn template(template: &mut Map) {
    pod_spec(template.map_entry("spec"));
}

fn pod_spec(spec: &mut Map) {
    each(spec, "volumes", volume);
    let host_network = flag(spec, "hostNetwork");
    for key in ["containers", "initContainers", "ephemeralContainers"] {
        each(spec, key, |one| container(one, host_network, key == "ephemeralContainers"));
    }
    put(spec, "restartPolicy", "Always");
    put(spec, "terminationGracePeriodSeconds", 30);
    if spec.get("terminationGracePeriodSeconds").and_then(Value::as_i64).is_some_and(|seconds| seconds < 0) {
        spec.insert("terminationGracePeriodSeconds", 1);
    }
    put(spec, "dnsPolicy", "ClusterFirst");
    if !text(spec, "serviceAccountName").is_empty() {
        let name = text(spec, "serviceAccountName").to_owned();
        spec.insert("serviceAccount", name);
    } else if !text(spec, "serviceAccount").is_empty() {
        let name = text(spec, "serviceAccount").to_owned();
        spec.insert("serviceAccountName", name);
    }
    put(spec, "securityContext", Map::new());
    put(spec, "schedulerName", "default-scheduler");
    each(spec, "topologySpreadConstraints", |_| {});
}

fn container(container: &mut Map, host_network: bool, ephemeral: bool) {
    each(container, "ports", |port| {
        put(port, "protocol", "TCP");
        if host_network && let Some(number) = port.get("containerPort").cloned() {
            put(port, "hostPort", number);
        }
    });
    each(container, "env", |variable| {
        inside(variable, "valueFrom", |from| {
            inside(from, "fieldRef", |field| put(field, "apiVersion", "v1"));
            inside(from, "resourceFieldRef", |field| put(field, "divisor", "0"));
            inside(from, "fileKeyRef", |field| put(field, "optional", false));
        });
    });
    let policy = if pulls_always(text(container, "image")) { "Always" } else { "IfNotPresent" };
    put(container, "terminationMessagePath", "/dev/termination-log");
    put(container, "terminationMessagePolicy", "File");
    put(container, "imagePullPolicy", policy);
    if !ephemeral {
        put(container, "resources", Map::new());
    }
    for key in ["livenessProbe", "readinessProbe", "startupProbe"] {
        inside(container, key, probe);
    }
    inside(container, "lifecycle", |lifecycle| {
        for key in ["postStart", "preStop"] {
            inside(lifecycle, key, |handler| inside(handler, "httpGet", http_get));
        }
    });
    inside(container, "securityContext", |context| {
        if context.get("procMount").is_some_and(Value::is_null) {
            context.insert("procMount", "Default");
        }
    });
}

/// An image without a tag, or with `latest`, is pulled always.
fn pulls_always(image: &str) -> bool {
    // What is no image reference has no tag that could be the latest.
    let part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-/:".contains(&byte);
    if image.contains('@') || !image.split(':').next().unwrap_or(image).bytes().all(part) {
        return false;
    }
    let last = image.rsplit('/').next().unwrap_or(image);
    last.rsplit_once(':').is_none_or(|(_, tag)| tag == "latest")
}

fn http_get(action: &mut Map) {
    put(action, "path", "/");
    put(action, "scheme", "HTTP");
}

fn probe(probe: &mut Map) {
    inside(probe, "httpGet", http_get);
    inside(probe, "grpc", |grpc| put(grpc, "service", ""));
    put(probe, "timeoutSeconds", 1);
    put(probe, "periodSeconds", 10);
    put(probe, "successThreshold", 1);
    put(probe, "failureThreshold", 3);
}
