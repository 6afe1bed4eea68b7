//! Environment variables of containers, and what they are taken from.

use crate::names;

use super::field::{Causes, Field, config_key};

const ENV_TEXT: &str =
    "a valid environment variable name must consist only of printable ASCII characters other than '='";
/// What variables may take from their pod.
const ENV_FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
/// What files of a volume may take from their pod.
pub(crate) const VOLUME_FIELDS: [&str; 5] =
    ["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];
/// Fields of a pod that have a name in the API, whether or not they may be used at a place.
const KNOWN_FIELDS: [&str; 14] = [
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.serviceAccountName",
    "spec.schedulerName",
    "status.phase",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
const CONTAINER_RESOURCES: [&str; 6] = [
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];

/// Checks the variables of a container.
pub(crate) fn variables(list: &Field<'_>, out: &mut Causes) {
    for variable in list.items() {
        let name = variable.at("name");
        if name.text().is_empty() {
            out.push(name.required(""));
        } else {
            name.problems(relaxed_name(name.text()), out);
        }
        value_from(&variable, out);
    }
}

fn relaxed_name(name: &str) -> Vec<String> {
    let fine = !name.is_empty() && name.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'=');
    if fine { Vec::new() } else { vec![ENV_TEXT.to_owned()] }
}

fn value_from(variable: &Field<'_>, out: &mut Causes) {
    let from = variable.at("valueFrom");
    if !from.is_set() {
        return;
    }
    let kinds = ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"];
    let given: Vec<&str> = kinds.into_iter().filter(|kind| from.at(kind).is_set()).collect();
    for kind in &given {
        let source = from.at(kind);
        match *kind {
            "fieldRef" => object_field(&source, &ENV_FIELDS, out),
            "resourceFieldRef" => resource_field(&source, false, out),
            "fileKeyRef" => {}
            _ => key_selector(&source, out),
        }
    }
    let problem = if given.is_empty() {
        "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
    } else if !variable.at("value").text().is_empty() {
        "may not be specified when `value` is not empty"
    } else if given.len() > 1 {
        "may not have more than one field specified at a time"
    } else {
        return;
    };
    out.push(from.invalid_as("\"\"", problem));
}

fn key_selector(source: &Field<'_>, out: &mut Causes) {
    let (name, key) = (source.at("name"), source.at("key"));
    name.subdomain(out);
    if key.text().is_empty() {
        out.push(key.required(""));
    } else {
        key.problems(config_key(key.text()), out);
    }
}

/// Checks a reference to a field of the pod.
pub(crate) fn object_field(source: &Field<'_>, allowed: &[&str], out: &mut Causes) {
    let path = source.at("fieldPath");
    if path.text().is_empty() {
        out.push(path.required(""));
        return;
    }
    let converted = if path.text() == "spec.host" { "spec.nodeName" } else { path.text() };
    let subscript = converted.strip_suffix("']").and_then(|rest| rest.split_once("['"));
    if let Some((base, key)) = subscript {
        match base {
            "metadata.annotations" => key_problems(source, key, names::label_key(&key.to_lowercase()), out),
            "metadata.labels" => key_problems(source, key, names::label_key(key), out),
            _ => {
                let text = "error converting fieldPath: field label does not support subscript: ";
                out.push(path.invalid(&format!("{text}{converted}")));
            }
        }
    } else if !KNOWN_FIELDS.contains(&converted) {
        out.push(path.invalid(&format!("error converting fieldPath: field label not supported: {}", path.text())));
    } else if !allowed.contains(&converted) {
        out.push(path.unsupported(allowed));
    }
}

fn key_problems(source: &Field<'_>, key: &str, problems: Vec<String>, out: &mut Causes) {
    let shown = crate::status::go_quote(key);
    out.extend(problems.iter().map(|problem| source.invalid_as(&shown, problem)));
}

/// Checks a reference to the resources of a container.
pub(crate) fn resource_field(source: &Field<'_>, volume: bool, out: &mut Causes) {
    let (container, resource) = (source.at("containerName"), source.at("resource"));
    let huge = ["limits.hugepages-", "requests.hugepages-"].iter().any(|start| resource.text().starts_with(start));
    if volume && container.text().is_empty() {
        out.push(container.required(""));
    } else if resource.text().is_empty() {
        out.push(resource.required(""));
    } else if !CONTAINER_RESOURCES.contains(&resource.text()) && !huge {
        out.push(resource.unsupported(&CONTAINER_RESOURCES));
    }
    divisor(source, resource.text(), out);
}

fn divisor(source: &Field<'_>, resource: &str, out: &mut Causes) {
    let divisor = source.at("divisor");
    let (wanted, what): (&[&str], &str) = match resource.split_once('.').map(|(_, name)| name) {
        Some("cpu") => (&["1m", "1"], "1m and 1 are"),
        Some("memory" | "ephemeral-storage") => {
            (&["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"], "")
        }
        _ => return,
    };
    let text = divisor.text();
    if !text.is_empty() && text != "0" && !wanted.contains(&text) {
        let detail = if what.is_empty() {
            "only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the memory resource".to_owned()
        } else {
            format!("only divisor's values {what} supported with the cpu resource")
        };
        out.push(divisor.invalid(&detail));
    }
}

/// Checks what whole ConfigMaps and Secrets give.
pub(crate) fn sources(list: &Field<'_>, out: &mut Causes) {
    for item in list.items() {
        let prefix = item.at("prefix");
        if !prefix.text().is_empty() {
            prefix.problems(relaxed_name(prefix.text()), out);
        }
        let given: Vec<Field<'_>> =
            ["configMapRef", "secretRef"].into_iter().map(|kind| item.at(kind)).filter(Field::is_set).collect();
        for source in &given {
            let name = source.at("name");
            if name.text().is_empty() {
                out.push(name.required(""));
            } else {
                name.subdomain(out);
            }
        }
        match given.len() {
            0 => out.push(list.invalid_as("\"\"", "must specify one of: `configMapRef` or `secretRef`")),
            1 => {}
            _ => out.push(list.invalid_as("\"\"", "may not have more than one field specified at a time")),
        }
    }
}
