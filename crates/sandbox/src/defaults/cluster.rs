//! What a cluster is set up with: nodes, namespaces, bindings, definitions and admission.

use lockstep_object::{Map, Value};

use super::{each, inside, put, text};
use crate::{
    build::{map, text_at},
    catalog::Resource,
};

/// What a node has can be allotted unless it says otherwise, and its range of addresses stands in two fields.
pub(super) fn node(root: &mut Map) {
    if let Some(Value::Map(spec)) = root.get_mut("spec") {
        pair(spec, "podCIDR", "podCIDRs", Value::from);
    }
    let Some(Value::Map(status)) = root.get_mut("status") else { return };
    if let Some(capacity) = status.get("capacity").cloned() {
        status.entry("allocatable", || capacity);
    }
}

/// Makes a field that holds one of a list agree with the list: the single one wins, as it does where the server converts
/// old clients' objects.
pub(super) fn pair(map: &mut Map, one: &str, many: &str, entry: fn(String) -> Value) {
    let single = map.get(one).and_then(Value::as_str).unwrap_or_default().to_owned();
    let listed = map.get(many).and_then(Value::as_list).and_then(|all| all.first());
    let first = listed.and_then(|first| first.get("ip").unwrap_or(first).as_str()).unwrap_or_default().to_owned();
    if single.is_empty() && !first.is_empty() {
        map.insert(one, first);
    } else if single != first {
        map.insert(many, vec![entry(single)]);
    }
}

pub(super) fn namespace(root: &mut Map) {
    let name = text_at(&root.get("metadata").cloned().unwrap_or_default(), &["name"]).to_owned();
    if !name.is_empty() {
        root.map_entry("metadata").map_entry("labels").insert("kubernetes.io/metadata.name", name);
    }
    put(root.map_entry("status"), "phase", "Active");
}

pub(super) fn limit_range(root: &mut Map) {
    each(root.map_entry("spec"), "limits", |limit| {
        if text(limit, "type") != "Container" {
            return;
        }
        let fill = |limit: &mut Map, from: &str, into: &str| {
            let Some(Value::Map(source)) = limit.get(from).cloned() else { return };
            let target = limit.map_entry(into);
            for (key, value) in source.iter() {
                put(target, key, value.clone());
            }
        };
        fill(limit, "max", "default");
        fill(limit, "default", "defaultRequest");
        fill(limit, "min", "defaultRequest");
    });
}

pub(super) fn binding(root: &mut Map) {
    inside(root, "roleRef", |role| {
        if text(role, "apiGroup").is_empty() {
            role.insert("apiGroup", "rbac.authorization.k8s.io");
        }
    });
    each(root, "subjects", |subject| {
        if matches!(text(subject, "kind"), "User" | "Group") && text(subject, "apiGroup").is_empty() {
            subject.insert("apiGroup", "rbac.authorization.k8s.io");
        }
    });
}

pub(super) fn definition(root: &mut Map) {
    let spec = root.map_entry("spec");
    let kind = text_at(&spec.get("names").cloned().unwrap_or_default(), &["kind"]).to_owned();
    let names = spec.map_entry("names");
    if !kind.is_empty() {
        if text(names, "singular").is_empty() {
            names.insert("singular", kind.to_lowercase());
        }
        if text(names, "listKind").is_empty() {
            names.insert("listKind", format!("{kind}List"));
        }
    }
    put(spec, "conversion", map! { "strategy" => "None" });
    inside(spec, "conversion", |conversion| {
        inside(conversion, "webhook", |webhook| {
            inside(webhook, "clientConfig", |config| inside(config, "service", |service| put(service, "port", 443)));
        });
    });
}

pub(super) fn admission(resource: &Resource, root: &mut Map) {
    match resource.plural.as_str() {
        "validatingwebhookconfigurations" | "mutatingwebhookconfigurations" => {
            let mutating = resource.plural.starts_with("mutating");
            each(root, "webhooks", |webhook| {
                put(webhook, "failurePolicy", "Fail");
                put(webhook, "matchPolicy", "Equivalent");
                put(webhook, "namespaceSelector", Map::new());
                put(webhook, "objectSelector", Map::new());
                put(webhook, "timeoutSeconds", 10);
                if mutating {
                    put(webhook, "reinvocationPolicy", "Never");
                }
                inside(webhook, "clientConfig", |config| {
                    inside(config, "service", |service| put(service, "port", 443))
                });
                each(webhook, "rules", |rule| put(rule, "scope", "*"));
            });
        }
        "validatingadmissionpolicies" | "mutatingadmissionpolicies" => {
            let spec = root.map_entry("spec");
            put(spec, "failurePolicy", "Fail");
            inside(spec, "matchConstraints", match_resources);
        }
        _ => inside(root.map_entry("spec"), "matchResources", match_resources),
    }
}

fn match_resources(resources: &mut Map) {
    put(resources, "matchPolicy", "Equivalent");
    put(resources, "namespaceSelector", Map::new());
    put(resources, "objectSelector", Map::new());
    for key in ["resourceRules", "excludeResourceRules"] {
        each(resources, key, |rule| put(rule, "scope", "*"));
    }
}

pub(super) fn priority_level(spec: &mut Map) {
    inside(spec, "limited", |limited| {
        put(limited, "nominalConcurrencyShares", 30);
        put(limited, "lendablePercent", 0);
        inside(limited, "limitResponse", |response| {
            inside(response, "queuing", |queuing| {
                put(queuing, "queues", 64);
                put(queuing, "handSize", 8);
                put(queuing, "queueLengthLimit", 50);
            });
        });
    });
}
