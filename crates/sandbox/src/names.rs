//! Rules for names, labels and annotations, in the words of apimachinery 1.36.

use lockstep_object::{Map, Object, Value};

use crate::status::{Cause, go_quote};

const LABEL_TEXT: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN_TEXT: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const QUALIFIED_TEXT: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const VALUE_TEXT: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

/// The most that all annotations of an object may take.
const ANNOTATIONS_LIMIT: usize = 256 * 1024;

fn is_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    bytes.first().is_some_and(alphanumeric)
        && bytes.last().is_some_and(alphanumeric)
        && bytes.iter().all(|byte| alphanumeric(byte) || *byte == b'-')
}

/// Says what is wrong with an RFC 1123 label.
pub(crate) fn label(text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if text.len() > 63 {
        problems.push("must be no more than 63 characters".to_owned());
    }
    if !is_label(text) {
        let dotted = is_subdomain(text) && text.contains('.');
        problems.push(if dotted { "must not contain dots" } else { LABEL_TEXT }.to_owned());
    }
    problems
}

fn is_subdomain(text: &str) -> bool {
    !text.is_empty() && text.split('.').all(is_label)
}

/// Says what is wrong with an RFC 1123 subdomain.
pub(crate) fn subdomain(text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if text.len() > 253 {
        problems.push("must be no more than 253 characters".to_owned());
    }
    if !is_subdomain(text) {
        problems.push(SUBDOMAIN_TEXT.to_owned());
    }
    problems
}

/// Says what is wrong with a name that only must be a path segment, as those of RBAC.
pub(crate) fn path_segment(text: &str) -> Vec<String> {
    if text == "." || text == ".." {
        return vec![format!("may not be '{text}'")];
    }
    ["/", "%"].iter().filter(|bad| text.contains(**bad)).map(|bad| format!("may not contain '{bad}'")).collect()
}

fn is_qualified(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

/// Says what is wrong with the key of a label or annotation.
pub(crate) fn label_key(key: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let parts: Vec<&str> = key.split('/').collect();
    let name = match parts.as_slice() {
        [name] => *name,
        [prefix, name] => {
            if prefix.is_empty() {
                problems.push("prefix part must be non-empty".to_owned());
            } else {
                problems.extend(subdomain(prefix).into_iter().map(|problem| format!("prefix part {problem}")));
            }
            *name
        }
        _ => {
            let text = QUALIFIED_TEXT;
            return vec![format!(
                "a valid label key {text} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )];
        }
    };
    if name.is_empty() {
        problems.push("name part must be non-empty".to_owned());
    } else if name.len() > 63 {
        problems.push("name part must be no more than 63 bytes".to_owned());
    }
    if !is_qualified(name) {
        problems.push(format!("name part {QUALIFIED_TEXT}"));
    }
    problems
}

/// Says what is wrong with the value of a label.
pub(crate) fn label_value(value: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if value.len() > 63 {
        problems.push("must be no more than 63 bytes".to_owned());
    }
    if !value.is_empty() && !is_qualified(value) {
        problems.push(VALUE_TEXT.to_owned());
    }
    problems
}

/// Checks a map of labels at `field`.
pub(crate) fn check_labels(labels: &Map, field: &str, causes: &mut Vec<Cause>) {
    for (key, value) in labels.iter() {
        for problem in label_key(key) {
            causes.push(Cause::invalid_text(field, key, &problem));
        }
        let value = value.as_str().unwrap_or_default();
        for problem in label_value(value) {
            causes.push(Cause::invalid_text(field, value, &problem));
        }
    }
}

/// Checks a map of annotations at `field`.
pub(crate) fn check_annotations(annotations: &Map, field: &str, causes: &mut Vec<Cause>) {
    let mut size = 0;
    for (key, value) in annotations.iter() {
        for problem in label_key(&key.to_lowercase()) {
            causes.push(Cause::invalid_text(field, key, &problem));
        }
        size += key.len() + value.as_str().unwrap_or_default().len();
    }
    if size > ANNOTATIONS_LIMIT {
        let text = format!("Too long: may not be more than {ANNOTATIONS_LIMIT} bytes");
        causes.push(Cause::new("FieldValueTooLong", field, text));
    }
}

/// How the names of a kind are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameRule {
    Subdomain,
    Label,
    PathSegment,
}

/// Checks what every object's metadata must keep to.
pub(crate) fn check_metadata(object: &Object, namespaced: bool, rule: NameRule) -> Vec<Cause> {
    let mut causes = Vec::new();
    check_generate_name(object, rule, &mut causes);
    let name = object.name();
    if name.is_empty() {
        causes.push(Cause::required("metadata.name", "name or generateName is required"));
    } else {
        for problem in name_problems(name, rule) {
            causes.push(Cause::invalid_text("metadata.name", name, &problem));
        }
    }
    if namespaced {
        let namespace = object.namespace();
        if namespace.is_empty() {
            causes.push(Cause::required("metadata.namespace", ""));
        } else {
            for problem in label(namespace) {
                causes.push(Cause::invalid_text("metadata.namespace", namespace, &problem));
            }
        }
    }
    check_mutable_metadata(object, &mut causes);
    causes
}

pub(crate) fn name_problems(name: &str, rule: NameRule) -> Vec<String> {
    match rule {
        NameRule::Subdomain => subdomain(name),
        NameRule::Label => label(name),
        NameRule::PathSegment => path_segment(name),
    }
}

fn check_generate_name(object: &Object, rule: NameRule, causes: &mut Vec<Cause>) {
    let prefix = object.str_at(&["metadata", "generateName"]);
    if prefix.is_empty() {
        return;
    }
    // The rules hold for the prefix as if a letter followed it.
    let masked = match prefix.strip_suffix('-') {
        Some(rest) if !rest.is_empty() => format!("{rest}a"),
        _ => prefix.to_owned(),
    };
    for problem in name_problems(&masked, rule) {
        causes.push(Cause::invalid_text("metadata.generateName", prefix, &problem));
    }
}

/// Checks labels, annotations, owners and finalizers.
pub(crate) fn check_mutable_metadata(object: &Object, causes: &mut Vec<Cause>) {
    if let Some(labels) = object.at(&["metadata", "labels"]).and_then(Value::as_map) {
        check_labels(labels, "metadata.labels", causes);
    }
    if let Some(annotations) = object.at(&["metadata", "annotations"]).and_then(Value::as_map) {
        check_annotations(annotations, "metadata.annotations", causes);
    }
    check_owners(object, causes);
    check_finalizers(object, causes);
}

fn check_owners(object: &Object, causes: &mut Vec<Cause>) {
    let Some(owners) = object.at(&["metadata", "ownerReferences"]).and_then(Value::as_list) else { return };
    let mut controllers: Vec<String> = Vec::new();
    for (place, owner) in owners.iter().enumerate() {
        let field = |leaf: &str| format!("metadata.ownerReferences[{place}].{leaf}");
        let text = |key: &str| owner.get(key).and_then(Value::as_str).unwrap_or_default();
        let api_version = text("apiVersion");
        if api_version.is_empty() || api_version.starts_with('/') {
            causes.push(Cause::invalid_text(field("apiVersion"), api_version, "version must not be empty"));
        }
        for (key, word) in [("kind", "must not be empty"), ("name", "must not be empty"), ("uid", "must not be empty")]
        {
            if text(key).is_empty() {
                causes.push(Cause::invalid_text(field(key), "", word));
            }
        }
        if api_version == "v1" && text("kind") == "Event" {
            causes.push(Cause::invalid_text(
                format!("metadata.ownerReferences[{place}]"),
                "/v1, Kind=Event",
                "/v1, Kind=Event is disallowed from being an owner",
            ));
        }
        if owner.get("controller").and_then(Value::as_bool) == Some(true) {
            controllers.push(text("name").to_owned());
        }
    }
    if let [first, second, ..] = controllers.as_slice() {
        let text = format!(
            "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {second}"
        );
        causes.push(Cause::invalid("metadata.ownerReferences", &crate::gofmt::owner_references(owners), &text));
    }
}

fn check_finalizers(object: &Object, causes: &mut Vec<Cause>) {
    let Some(finalizers) = object.at(&["metadata", "finalizers"]).and_then(Value::as_list) else { return };
    let names: Vec<&str> = finalizers.iter().filter_map(Value::as_str).collect();
    for name in &names {
        for problem in label_key(name) {
            causes.push(Cause::invalid_text("metadata.finalizers", name, &problem));
        }
        if !name.contains('/')
            && label_key(name).is_empty()
            && !["orphan", "foregroundDeletion", "kubernetes"].contains(name)
        {
            let text = "name is neither a standard finalizer name nor is it fully qualified";
            causes.push(Cause::invalid_text("metadata.finalizers", name, text));
        }
    }
    if names.contains(&"orphan") && names.contains(&"foregroundDeletion") {
        let words: Vec<String> = names.iter().map(|name| go_quote(name)).collect();
        let list = format!("[{}]", words.join(","));
        causes.push(Cause::invalid(
            "metadata.finalizers",
            &list,
            "finalizer orphan and foregroundDeletion cannot be both set",
        ));
    }
}
