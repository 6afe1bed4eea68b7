//! Defaults that the server computes for built-in kinds.
//!
//! The order of calls is that of the kinds' `SetDefaults_*` functions; each rule fills only what is missing.

use lockstep_object::{Map, Object, Value};

use crate::{
    build::{map, text_at},
    catalog::Resource,
};

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
        ("apps", "replicasets") => {
            let labels = template_labels(root);
            default_selector(root, labels);
            let spec = root.map_entry("spec");
            put(spec, "replicas", 1);
            template(spec.map_entry("template"));
        }
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

fn pod(root: &mut Map) {
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

fn template(template: &mut Map) {
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

fn volume(volume: &mut Map) {
    for (key, mode) in [
        ("secret", "defaultMode"),
        ("configMap", "defaultMode"),
        ("downwardAPI", "defaultMode"),
        ("projected", "defaultMode"),
    ] {
        inside(volume, key, |source| put(source, mode, 420));
    }
    inside(volume, "downwardAPI", |source| {
        each(source, "items", |item| inside(item, "fieldRef", |field| put(field, "apiVersion", "v1")))
    });
    inside(volume, "projected", |source| {
        each(source, "sources", |one| {
            inside(one, "downwardAPI", |api| {
                each(api, "items", |item| inside(item, "fieldRef", |field| put(field, "apiVersion", "v1")))
            });
            inside(one, "serviceAccountToken", |token| put(token, "expirationSeconds", 3600));
        });
    });
    inside(volume, "hostPath", |source| put(source, "type", ""));
    inside(volume, "iscsi", |source| put(source, "iscsiInterface", "default"));
    inside(volume, "rbd", |source| {
        put(source, "pool", "rbd");
        put(source, "user", "admin");
        put(source, "keyring", "/etc/ceph/keyring");
    });
    inside(volume, "azureDisk", |source| {
        put(source, "cachingMode", "ReadWrite");
        put(source, "kind", "Shared");
        put(source, "fsType", "ext4");
        put(source, "readOnly", false);
    });
    inside(volume, "scaleIO", |source| {
        put(source, "storageMode", "ThinProvisioned");
        put(source, "fsType", "xfs");
    });
    inside(volume, "ephemeral", |source| {
        inside(source, "volumeClaimTemplate", |claim| {
            let spec = claim.map_entry("spec");
            put(spec, "volumeMode", "Filesystem");
        })
    });
    let named = volume.keys().any(|key| key != "name");
    if !named {
        volume.insert("emptyDir", Map::new());
    }
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

fn deployment(spec: &mut Map) {
    put(spec, "replicas", 1);
    let strategy = spec.map_entry("strategy");
    put(strategy, "type", "RollingUpdate");
    if text(strategy, "type") == "RollingUpdate" {
        let rolling = strategy.map_entry("rollingUpdate");
        put(rolling, "maxUnavailable", "25%");
        put(rolling, "maxSurge", "25%");
    }
    put(spec, "revisionHistoryLimit", 10);
    put(spec, "progressDeadlineSeconds", 600);
    template(spec.map_entry("template"));
}

fn stateful_set(spec: &mut Map) {
    put(spec, "serviceName", "");
    put(spec, "podManagementPolicy", "OrderedReady");
    let strategy = spec.map_entry("updateStrategy");
    put(strategy, "type", "RollingUpdate");
    if text(strategy, "type") == "RollingUpdate" {
        put(strategy.map_entry("rollingUpdate"), "partition", 0);
    }
    let retention = spec.map_entry("persistentVolumeClaimRetentionPolicy");
    put(retention, "whenDeleted", "Retain");
    put(retention, "whenScaled", "Retain");
    put(spec, "replicas", 1);
    put(spec, "revisionHistoryLimit", 10);
    template(spec.map_entry("template"));
    each(spec, "volumeClaimTemplates", |claim_template| {
        put(claim_template, "apiVersion", "v1");
        put(claim_template, "kind", "PersistentVolumeClaim");
        claim(claim_template);
    });
}

fn daemon_set(spec: &mut Map) {
    let strategy = spec.map_entry("updateStrategy");
    put(strategy, "type", "RollingUpdate");
    if text(strategy, "type") == "RollingUpdate" {
        let rolling = strategy.map_entry("rollingUpdate");
        put(rolling, "maxUnavailable", 1);
        put(rolling, "maxSurge", 0);
    }
    put(spec, "revisionHistoryLimit", 10);
    template(spec.map_entry("template"));
}

fn job(spec: &mut Map) {
    if !spec.contains_key("completions") && !spec.contains_key("parallelism") {
        spec.insert("completions", 1);
        spec.insert("parallelism", 1);
    }
    put(spec, "parallelism", 1);
    if !spec.contains_key("backoffLimit") {
        spec.insert("backoffLimit", if spec.contains_key("backoffLimitPerIndex") { 2_147_483_647 } else { 6 });
    }
    put(spec, "completionMode", "NonIndexed");
    put(spec, "suspend", false);
    put(spec, "manualSelector", false);
    let replacement = if spec.contains_key("podFailurePolicy") { "Failed" } else { "TerminatingOrFailed" };
    put(spec, "podReplacementPolicy", replacement);
    inside(spec, "podFailurePolicy", |policy| {
        each(policy, "rules", |rule| each(rule, "onPodConditions", |condition| put(condition, "status", "True")));
    });
    template(spec.map_entry("template"));
}

fn cron_job(spec: &mut Map) {
    put(spec, "concurrencyPolicy", "Allow");
    put(spec, "suspend", false);
    put(spec, "successfulJobsHistoryLimit", 3);
    put(spec, "failedJobsHistoryLimit", 1);
    let job_template = spec.map_entry("jobTemplate").map_entry("spec");
    template(job_template.map_entry("template"));
}

fn template_labels(root: &mut Map) -> Option<Map> {
    let labels = root.get("spec")?.at(&["template", "metadata", "labels"])?.as_map()?;
    Some(labels.clone())
}

/// A ReplicaSet without labels takes those of its template.
fn default_selector(root: &mut Map, labels: Option<Map>) {
    let Some(labels) = labels else { return };
    let metadata = root.map_entry("metadata");
    if metadata.get("labels").and_then(Value::as_map).is_none_or(Map::is_empty) {
        metadata.insert("labels", labels);
    }
}

fn replication_controller(root: &mut Map) {
    let labels = template_labels(root);
    default_selector(root, labels.clone());
    let spec = root.map_entry("spec");
    if let Some(labels) = labels
        && spec.get("selector").and_then(Value::as_map).is_none_or(Map::is_empty)
    {
        spec.insert("selector", labels);
    }
    put(spec, "replicas", 1);
    inside(spec, "template", template);
}

fn service(root: &mut Map) {
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

/// What a node has can be allotted unless it says otherwise, and its range of addresses stands in two fields.
fn node(root: &mut Map) {
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
fn pair(map: &mut Map, one: &str, many: &str, entry: fn(String) -> Value) {
    let single = map.get(one).and_then(Value::as_str).unwrap_or_default().to_owned();
    let listed = map.get(many).and_then(Value::as_list).and_then(|all| all.first());
    let first = listed.and_then(|first| first.get("ip").unwrap_or(first).as_str()).unwrap_or_default().to_owned();
    if single.is_empty() && !first.is_empty() {
        map.insert(one, first);
    } else if single != first {
        map.insert(many, vec![entry(single)]);
    }
}

fn namespace(root: &mut Map) {
    let name = text_at(&root.get("metadata").cloned().unwrap_or_default(), &["name"]).to_owned();
    if !name.is_empty() {
        root.map_entry("metadata").map_entry("labels").insert("kubernetes.io/metadata.name", name);
    }
    put(root.map_entry("status"), "phase", "Active");
}

fn claim(root: &mut Map) {
    put(root.map_entry("status"), "phase", "Pending");
    let spec = root.map_entry("spec");
    put(spec, "volumeMode", "Filesystem");
    data_source(spec);
}

/// The two references of a claim to its data are one.
fn data_source(spec: &mut Map) {
    let named = |map: &Map, key: &str| map.get(key).filter(|source| source.as_map().is_some()).cloned();
    if let (Some(mut source), None) = (named(spec, "dataSource"), named(spec, "dataSourceRef")) {
        if let Some(source) = source.as_map_mut() {
            source.entry("apiGroup", || Value::Null);
        }
        spec.insert("dataSource", source.clone());
        spec.insert("dataSourceRef", source);
    }
}

fn volume_defaults(root: &mut Map) {
    put(root.map_entry("status"), "phase", "Pending");
    let spec = root.map_entry("spec");
    put(spec, "persistentVolumeReclaimPolicy", "Retain");
    put(spec, "volumeMode", "Filesystem");
    inside(spec, "hostPath", |source| put(source, "type", ""));
    inside(spec, "iscsi", |source| put(source, "iscsiInterface", "default"));
    inside(spec, "rbd", |source| {
        put(source, "pool", "rbd");
        put(source, "user", "admin");
        put(source, "keyring", "/etc/ceph/keyring");
    });
    inside(spec, "azureDisk", |source| {
        put(source, "cachingMode", "ReadWrite");
        put(source, "kind", "Shared");
        put(source, "fsType", "ext4");
        put(source, "readOnly", false);
    });
    inside(spec, "scaleIO", |source| {
        put(source, "storageMode", "ThinProvisioned");
        put(source, "fsType", "xfs");
    });
}

fn limit_range(root: &mut Map) {
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

fn endpoints(root: &mut Map) {
    each(root, "subsets", |subset| each(subset, "ports", |port| put(port, "protocol", "TCP")));
}

fn autoscaler(resource: &Resource, root: &mut Map) {
    let spec = root.map_entry("spec");
    put(spec, "minReplicas", 1);
    if resource.version == "v1" {
        put(spec, "targetCPUUtilizationPercentage", 80);
        return;
    }
    if spec.get("metrics").and_then(Value::as_list).is_none_or(|list| list.is_empty()) {
        let target = map! { "type" => "Utilization", "averageUtilization" => 80 };
        let metric = map! { "type" => "Resource", "resource" => map! { "name" => "cpu", "target" => target } };
        spec.insert("metrics", vec![Value::Map(metric)]);
    }
    inside(spec, "behavior", |behavior| {
        scaling_rules(behavior.map_entry("scaleUp"), true);
        scaling_rules(behavior.map_entry("scaleDown"), false);
    });
}

fn scaling_rules(rules: &mut Map, up: bool) {
    put(rules, "selectPolicy", "Max");
    if up {
        put(rules, "stabilizationWindowSeconds", 0);
    }
    if rules.get("policies").and_then(Value::as_list).is_none_or(|list| list.is_empty()) {
        let policy =
            |kind: &str, value: i64| Value::Map(map! { "type" => kind, "value" => value, "periodSeconds" => 15 });
        let policies = if up { vec![policy("Pods", 4), policy("Percent", 100)] } else { vec![policy("Percent", 100)] };
        rules.insert("policies", policies);
    }
}

fn network_policy(spec: &mut Map) {
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

fn ingress(root: &mut Map) {
    each(root.map_entry("spec"), "rules", |rule| {
        inside(rule, "http", |http| each(http, "paths", |path| put(path, "pathType", "ImplementationSpecific")));
    });
}

fn ingress_class(root: &mut Map) {
    inside(root.map_entry("spec"), "parameters", |parameters| put(parameters, "scope", "Cluster"));
}

fn csi_driver(spec: &mut Map) {
    put(spec, "attachRequired", true);
    put(spec, "podInfoOnMount", false);
    put(spec, "fsGroupPolicy", "ReadWriteOnceWithFSType");
    put(spec, "storageCapacity", false);
    put(spec, "volumeLifecycleModes", crate::build::texts(["Persistent"]));
    put(spec, "requiresRepublish", false);
    put(spec, "seLinuxMount", false);
}

fn binding(root: &mut Map) {
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

fn endpoint_slice(root: &mut Map) {
    each(root, "ports", |port| {
        put(port, "name", "");
        put(port, "protocol", "TCP");
    });
}

fn definition(root: &mut Map) {
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

fn admission(resource: &Resource, root: &mut Map) {
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

fn priority_level(spec: &mut Map) {
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
