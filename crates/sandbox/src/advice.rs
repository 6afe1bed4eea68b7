//! Warnings about objects that are valid and still not what people want, in the words of `pkg/api/pod/warnings.go`.

use lockstep_object::Object;

use crate::{
    catalog::Resource,
    names,
    status::go_quote,
    validation::{Field, Subject, Template},
};

/// Volumes that are going away.
const OLD_VOLUMES: [(&str, &str, &str); 8] = [
    ("photonPersistentDisk", "photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
    ("gitRepo", "gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"),
    ("scaleIO", "scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    ("flocker", "flocker", "deprecated in v1.22, non-functional in v1.25+"),
    ("storageos", "storageOS", "deprecated in v1.22, non-functional in v1.25+"),
    ("quobyte", "quobyte", "deprecated in v1.22, non-functional in v1.25+"),
    ("glusterfs", "glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    ("cephfs", "cephfs", "deprecated in v1.28, non-functional in v1.31+"),
];
/// Labels of nodes that have newer names.
const OLD_LABELS: [(&str, &str); 5] = [
    ("beta.kubernetes.io/arch", "deprecated since v1.14; use \"kubernetes.io/arch\" instead"),
    ("beta.kubernetes.io/os", "deprecated since v1.14; use \"kubernetes.io/os\" instead"),
    (
        "failure-domain.beta.kubernetes.io/region",
        "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead",
    ),
    ("failure-domain.beta.kubernetes.io/zone", "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead"),
    ("beta.kubernetes.io/instance-type", "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead"),
];
const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";

/// Warns about a new object.
pub(crate) fn on_create(resource: &Resource, object: &Object, warnings: &mut Vec<String>) {
    let words = match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "pods") => "this is used in the Pod's hostname",
        ("apps", "deployments" | "replicasets") | ("batch", "jobs" | "cronjobs") => {
            "this is used in Pod names and hostnames"
        }
        _ => "",
    };
    let problems = names::label(object.name());
    if !words.is_empty() && !problems.is_empty() {
        warnings.push(format!(
            "metadata.name: {words}, which can result in surprising behavior; a DNS label is recommended: [{}]",
            problems.join(" ")
        ));
    }
    let class = "kubernetes.io/ingress.class";
    if resource.is("networking.k8s.io", "ingresses") && object.annotation(class).is_some() {
        let text =
            "annotation \"kubernetes.io/ingress.class\" is deprecated, please use 'spec.ingressClassName' instead";
        warnings.push(text.to_owned());
    }
    on_service(resource, object, warnings);
    on_pods(resource, object, warnings);
}

fn on_service(resource: &Resource, object: &Object, warnings: &mut Vec<String>) {
    if !resource.is("", "services") {
        return;
    }
    let spec = Field::of(&Subject::without_paths(object), "spec");
    if !spec.at("externalIPs").is_empty() {
        warnings.push("spec.externalIPs is deprecated and may no longer be implemented in some clusters".to_owned());
    }
    if !spec.at("externalName").text().is_empty() && spec.at("type").text() != "ExternalName" {
        warnings.push("spec.externalName is ignored when spec.type is not \"ExternalName\"".to_owned());
    }
}

/// Warns about a changed object.
pub(crate) fn on_update(resource: &Resource, old: &Object, object: &Object, warnings: &mut Vec<String>) {
    on_service(resource, object, warnings);
    // Of what makes pods, only a changed spec is looked at.
    if resource.is("", "pods") || old.root().get("spec") != object.root().get("spec") {
        on_pods(resource, object, warnings);
    }
}

fn on_pods(resource: &Resource, object: &Object, warnings: &mut Vec<String>) {
    let mut found = Vec::new();
    on_template(resource, &Subject::without_paths(object), &mut found);
    if !found.is_empty() {
        on_template(resource, &Subject::with_paths(object), warnings);
    }
}

fn on_template(resource: &Resource, object: &Subject<'_>, warnings: &mut Vec<String>) {
    let Some(Template { metadata, spec }) = crate::validation::template_of(resource, object) else { return };
    let node_selector = spec.at("nodeSelector");
    for (key, words) in OLD_LABELS.iter().filter(|_| node_selector.is_set()) {
        let label = node_selector.key(key);
        if label.is_set() {
            warnings.push(format!("{}: {words}", label.path));
        }
    }
    for constraint in spec.at("topologySpreadConstraints").items() {
        let selector = constraint.at("labelSelector");
        if !selector.is_set() {
            warnings.push(format!("{}: a null labelSelector results in matching no pod", selector.path));
        }
    }
    for volume in spec.at("volumes").items() {
        for (key, name, words) in OLD_VOLUMES {
            if volume.at(key).is_set() {
                warnings.push(format!("{}.{name}: {words}", volume.path));
            }
        }
    }
    doubles(&spec, warnings);
    for (key, _) in metadata.at("annotations").entries() {
        if key.starts_with(APP_ARMOR) {
            let place = metadata.at("annotations").key(key).path;
            warnings.push(format!("{place}: deprecated since v1.30; use the \"appArmorProfile\" field instead"));
        }
    }
    for container in spec.at("initContainers").items().iter().chain(&spec.at("containers").items()) {
        environment(container, warnings);
    }
    ports(&spec, warnings);
    let grace = spec.at("terminationGracePeriodSeconds");
    if grace.number() < 0 {
        warnings.push(format!("{}: must be >= 0; negative values are invalid and will be treated as 1", grace.path));
    }
}

fn doubles(spec: &Field<'_>, warnings: &mut Vec<String>) {
    let mut known: Vec<&str> = Vec::new();
    for ip in spec.at("hostAliases").items().iter().map(|alias| alias.at("ip")) {
        if known.contains(&ip.text()) {
            warnings.push(format!("{}: duplicate ip {}", ip.path, go_quote(ip.text())));
        }
        known.push(ip.text());
    }
    let mut known: Vec<&str> = Vec::new();
    for name in spec.at("imagePullSecrets").items().iter().map(|secret| secret.at("name")) {
        if name.text().is_empty() {
            warnings.push(format!("{}: invalid empty name \"\"", name.path));
        } else if known.contains(&name.text()) {
            warnings.push(format!("{}: duplicate name {}", name.path, go_quote(name.text())));
        }
        known.push(name.text());
    }
}

fn environment(container: &Field<'_>, warnings: &mut Vec<String>) {
    let all = container.at("env").items();
    let names: Vec<&str> = all.iter().map(|variable| variable.at("name").text()).collect();
    for (place, (variable, &name)) in all.iter().zip(&names).enumerate() {
        // A value that uses the earlier one is meant.
        let uses = || variable.at("value").text().contains(&format!("$({name})"));
        if names[..place].contains(&name) && !uses() {
            warnings.push(format!(
                "{}: hides previous definition of {}, which may be dropped when using apply",
                variable.path,
                go_quote(name)
            ));
        }
    }
    for kind in ["limits", "requests"] {
        for name in ["memory", "ephemeral-storage"] {
            let amount = container.down(&["resources", kind]).key(name);
            if amount.text().ends_with('m') {
                let shown = go_quote(amount.text());
                warnings.push(format!("{}: fractional byte value {shown} is invalid, must be an integer", amount.path));
            }
        }
    }
}

fn ports(spec: &Field<'_>, warnings: &mut Vec<String>) {
    let mut known: Vec<(i64, &str, &str, i64, Field<'_>)> = Vec::new();
    for port in spec.at("containers").items().iter().flat_map(|container| container.at("ports").items()) {
        let part = |key: &str| port.at(key);
        let (number, protocol) = (part("containerPort").number(), part("protocol").text());
        let (ip, host) = (part("hostIP").text(), part("hostPort").number());
        let other = known.iter().find(|other| other.0 == number && other.1 == protocol);
        if let Some((_, _, other_ip, other_host, first)) = other {
            let word = if (ip, host) == (*other_ip, *other_host) { "duplicate" } else { "overlapping" };
            if host == 0 || *other_host == 0 || word == "duplicate" {
                warnings.push(format!("{}: {word} port definition with {}", port.path, first.path));
            }
        }
        known.push((number, protocol, ip, host, port));
    }
}
