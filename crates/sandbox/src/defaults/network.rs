//! Services, endpoints and what leads to them.

use lockstep_object::{Map, Value};

use super::{each, inside, put, text};

pub(super) fn service(root: &mut Map) {
    let spec = root.map_entry("spec");
    put(spec, "sessionAffinity", "None");
    match text(spec, "sessionAffinity") {
        "None" => {
            spec.remove("sessionAffinityConfig");
        }
        "ClientIP" => {
            put(spec.map_entry("sessionAffinityConfig").map_entry("clientIP"), "timeoutSeconds", 10_800);
        }
        _ => {}
    }
    put(spec, "type", "ClusterIP");
    each(spec, "ports", |port| {
        put(port, "protocol", "TCP");
        let unset = match port.get("targetPort") {
            None | Some(Value::Int(0)) => true,
            Some(value) => value.as_str() == Some(""),
        };
        if unset && let Some(number) = port.get("port").cloned() {
            port.insert("targetPort", number);
        }
    });
    let kind = text(spec, "type").to_owned();
    if matches!(kind.as_str(), "NodePort" | "LoadBalancer") {
        put(spec, "externalTrafficPolicy", "Cluster");
    }
    if kind != "ExternalName" {
        put(spec, "internalTrafficPolicy", "Cluster");
    }
    if kind == "LoadBalancer" {
        put(spec, "allocateLoadBalancerNodePorts", true);
        if let Some(Value::Map(status)) = root.get_mut("status") {
            inside(status, "loadBalancer", |balancer| {
                each(balancer, "ingress", |one| {
                    if !text(one, "ip").is_empty() {
                        put(one, "ipMode", "VIP");
                    }
                });
            });
        }
    }
}

pub(super) fn endpoints(root: &mut Map) {
    each(root, "subsets", |subset| each(subset, "ports", |port| put(port, "protocol", "TCP")));
}

pub(super) fn endpoint_slice(root: &mut Map) {
    each(root, "ports", |port| {
        put(port, "name", "");
        put(port, "protocol", "TCP");
    });
}

pub(super) fn network_policy(spec: &mut Map) {
    let rules = |spec: &mut Map, key: &str| {
        each(spec, key, |rule| each(rule, "ports", |port| put(port, "protocol", "TCP")));
    };
    rules(spec, "ingress");
    rules(spec, "egress");
    if !spec.contains_key("policyTypes") {
        let egress = spec.get("egress").and_then(Value::as_list).is_some_and(|list| !list.is_empty());
        let types: &[&str] = if egress { &["Ingress", "Egress"] } else { &["Ingress"] };
        spec.insert("policyTypes", crate::build::texts(types.iter().copied()));
    }
}

pub(super) fn ingress(root: &mut Map) {
    each(root.map_entry("spec"), "rules", |rule| {
        inside(rule, "http", |http| each(http, "paths", |path| put(path, "pathType", "ImplementationSpecific")));
    });
}

pub(super) fn ingress_class(root: &mut Map) {
    inside(root.map_entry("spec"), "parameters", |parameters| put(parameters, "scope", "Cluster"));
}
