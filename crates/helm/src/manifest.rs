//! Rendered texts to manifests and hooks: splitting, reading the head, sorting.

use std::{cmp::Ordering, collections::BTreeMap};

use lockstep_object::Value;

use crate::{
    decode::{Decoder, Target, parse_head, sorted},
    error::{Error, ErrorKind},
};

const HOOK: &str = "helm.sh/hook";
const HOOK_WEIGHT: &str = "helm.sh/hook-weight";
const HOOK_DELETE: &str = "helm.sh/hook-delete-policy";
const HOOK_LOG: &str = "helm.sh/hook-output-log-policy";

/// One document of a rendered template.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// The template, beginning with the chart's name.
    pub source: String,
    /// Its place among the documents of the template, from 0.
    pub index: usize,
    /// The line of the rendered template at which the document begins, from 1.
    pub line: usize,
    /// The document as it was rendered.
    pub text: String,
    /// `apiVersion`, empty if there is none.
    pub api_version: String,
    /// `kind`, empty if there is none.
    pub kind: String,
    /// `metadata.name`, empty if there is none.
    pub name: String,
}

/// When a hook runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HookEvent {
    /// Before the first installation.
    PreInstall,
    /// After the first installation.
    PostInstall,
    /// Before the deletion.
    PreDelete,
    /// After the deletion.
    PostDelete,
    /// Before an upgrade.
    PreUpgrade,
    /// After an upgrade.
    PostUpgrade,
    /// Before a rollback.
    PreRollback,
    /// After a rollback.
    PostRollback,
    /// When the user asks for tests.
    Test,
}

const EVENTS: &[(&str, HookEvent)] = &[
    ("pre-install", HookEvent::PreInstall),
    ("post-install", HookEvent::PostInstall),
    ("pre-delete", HookEvent::PreDelete),
    ("post-delete", HookEvent::PostDelete),
    ("pre-upgrade", HookEvent::PreUpgrade),
    ("post-upgrade", HookEvent::PostUpgrade),
    ("pre-rollback", HookEvent::PreRollback),
    ("post-rollback", HookEvent::PostRollback),
    ("test", HookEvent::Test),
];

impl HookEvent {
    /// Gives the name that annotations use.
    pub fn name(self) -> &'static str {
        EVENTS.iter().find(|(_, event)| *event == self).map_or("", |(name, _)| name)
    }

    fn parse(name: &str) -> Option<Self> {
        let name = if name == "test-success" { "test" } else { name };
        EVENTS.iter().find(|(known, _)| *known == name).map(|(_, event)| *event)
    }
}

/// A manifest that runs at certain events instead of being a part of the release.
#[derive(Clone, Debug, PartialEq)]
pub struct Hook {
    /// The document.
    pub manifest: Manifest,
    /// When it runs.
    pub events: Vec<HookEvent>,
    /// Lower weights run first.
    pub weight: i64,
    /// When it is deleted: `before-hook-creation`, `hook-succeeded`, `hook-failed`, or what else was written.
    pub delete_policies: Vec<String>,
    /// When its logs are printed.
    pub output_log_policies: Vec<String>,
}

/// The order of kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// What others need comes first.
    #[default]
    Install,
    /// What others need comes last.
    Uninstall,
}

/// Manifests and hooks in order, and warnings.
#[derive(Clone, Debug, Default)]
pub struct Sorted {
    /// What is a part of the release.
    pub manifests: Vec<Manifest>,
    /// What runs at events.
    pub hooks: Vec<Hook>,
    /// Hooks that were left out because their event is unknown.
    pub warnings: Vec<String>,
}

/// Splits a text at lines that begin with `---`; each part comes with the line where it begins, from 1. Empty parts are left out.
pub fn split(text: &str) -> Vec<(usize, &str)> {
    let mut parts = Vec::new();
    let trimmed = text.trim_start();
    let mut start = text.len() - trimmed.len();
    let mut at = start;
    loop {
        let separator = find_separator(text, at);
        let end = separator.map_or(text.len(), |(begin, _)| begin);
        let part = text[start..end].trim_start();
        if !part.is_empty() {
            let offset = end - part.len();
            parts.push((offset, part));
        }
        match separator {
            None => break,
            Some((_, after)) => (start, at) = (after, after),
        }
    }
    with_lines(text, parts)
}

/// Finds the next `---` at the start of a line; gives its place and where the text goes on.
fn find_separator(text: &str, from: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let mut at = from;
    loop {
        let begin = at + text[at..].find("---")?;
        // Before a trimmed text there are only blanks: its start counts as the start of a line.
        let at_line_start = begin == 0 || bytes[begin - 1] == b'\n' || text[..begin].trim_start().is_empty();
        if at_line_start {
            let blanks = bytes[begin + 3..].iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
            return Some((begin, begin + 3 + blanks));
        }
        at = begin + 1;
    }
}

fn with_lines<'a>(text: &str, parts: Vec<(usize, &'a str)>) -> Vec<(usize, &'a str)> {
    let (mut line, mut from) = (1, 0);
    parts
        .into_iter()
        .map(|(offset, part)| {
            line += text[from..offset].bytes().filter(|b| *b == b'\n').count();
            from = offset;
            (line, part)
        })
        .collect()
}

/// Splits rendered files into manifests and hooks and sorts both by kind, as Helm's `SortManifests`.
///
/// # Errors
/// Of kind [`ErrorKind::Manifest`] with Helm's text when a document is not YAML, or not an object.
pub fn sort(files: &BTreeMap<String, String>, order: Order) -> Result<Sorted, Error> {
    let mut sorted = Sorted::default();
    for (path, text) in files {
        let base = path.rsplit('/').next().unwrap_or(path);
        if base.starts_with('_') || text.trim().is_empty() {
            continue;
        }
        for (index, (line, part)) in split(text).into_iter().enumerate() {
            let (manifest, annotations) = read(path, part, index, line)?;
            sort_one(&mut sorted, manifest, annotations);
        }
    }
    sorted.manifests.sort_by(|a, b| by_kind(&a.kind, &b.kind, order));
    sorted.hooks.sort_by(|a, b| by_kind(&a.manifest.kind, &b.manifest.kind, order));
    Ok(sorted)
}

type Annotations = Vec<(String, String)>;

fn sort_one(sorted: &mut Sorted, manifest: Manifest, annotations: Annotations) {
    let annotation = |wanted: &str| annotations.iter().find(|(key, _)| key == wanted).map(|(_, value)| value.as_str());
    let Some(types) = annotation(HOOK) else {
        sorted.manifests.push(manifest);
        return;
    };
    let events: Option<Vec<HookEvent>> =
        types.split(',').map(|name| HookEvent::parse(&name.trim().to_lowercase())).collect();
    let Some(events) = events else {
        sorted.warnings.push(format!("{}: skipping unknown hooks {types:?}", manifest.source));
        return;
    };
    let policies = |wanted: &str| {
        annotation(wanted).map_or_else(Vec::new, |list| list.split(',').map(|p| p.trim().to_lowercase()).collect())
    };
    let weight = annotation(HOOK_WEIGHT).and_then(|weight| weight.parse().ok()).unwrap_or(0);
    let (delete_policies, output_log_policies) = (policies(HOOK_DELETE), policies(HOOK_LOG));
    sorted.hooks.push(Hook { events, weight, delete_policies, output_log_policies, manifest });
}

fn read(path: &str, text: &str, index: usize, line: usize) -> Result<(Manifest, Annotations), Error> {
    let failed = |message: String| Error::new(ErrorKind::Manifest, format!("YAML parse error on {path}: {message}"));
    let value = parse_head(text, is_head).map_err(failed)?;
    let mut head = Head::default();
    head.decode(&value).map_err(failed)?;
    let Head { api_version, kind, name, annotations } = head;
    let text = text.to_owned();
    let manifest = Manifest { source: path.to_owned(), index, line, text, api_version, kind, name };
    Ok((manifest, annotations.unwrap_or_default()))
}

/// Tells whether a key of a manifest is looked at; Go does not mind its case.
fn is_head(key: &str) -> bool {
    ["apiVersion", "kind", "metadata"].iter().any(|known| key.eq_ignore_ascii_case(known))
}

#[derive(Default)]
struct Head {
    api_version: String,
    kind: String,
    name: String,
    annotations: Option<Annotations>,
}

impl Head {
    fn decode(&mut self, value: &Value) -> Result<(), String> {
        let mut decoder = Decoder::default();
        match value {
            Value::Null => {}
            Value::Map(map) => {
                for (key, value) in sorted(map) {
                    let at = |field: &'static str| Target { structure: "SimpleHead", field };
                    if key.eq_ignore_ascii_case("apiVersion") {
                        decoder.string(value, at("apiVersion"), &mut self.api_version);
                    } else if key.eq_ignore_ascii_case("kind") {
                        decoder.string(value, at("kind"), &mut self.kind);
                    } else if key.eq_ignore_ascii_case("metadata") {
                        self.metadata(&mut decoder, value, at("metadata"));
                    }
                }
            }
            _ => decoder.mismatch_root(value, "util.SimpleHead"),
        }
        decoder.finish()
    }

    fn metadata(&mut self, decoder: &mut Decoder, value: &Value, target: Target<'_>) {
        const TYPE: &str =
            r#"struct { Name string "json:\"name\""; Annotations map[string]string "json:\"annotations\"" }"#;
        let Value::Map(map) = value else {
            if !value.is_null() {
                decoder.mismatch(value, target, TYPE);
            }
            return;
        };
        for (key, value) in sorted(map) {
            let at = |field: &'static str| Target { structure: "", field };
            if key.eq_ignore_ascii_case("name") {
                decoder.string(value, at("metadata.name"), &mut self.name);
            } else if key.eq_ignore_ascii_case("annotations") {
                decoder.string_map(value, at("metadata.annotations"), &mut self.annotations);
            }
        }
    }
}

fn by_kind(a: &str, b: &str, order: Order) -> Ordering {
    match (rank(a, order), rank(b, order)) {
        (None, None) => a.cmp(b),
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(a), Some(b)) => a.cmp(&b),
    }
}

/// Ranks a kind. The order of removal is the reverse of that of installation, but services go right after ingresses.
fn rank(kind: &str, order: Order) -> Option<usize> {
    let place = INSTALL_ORDER.iter().position(|known| *known == kind)?;
    match order {
        Order::Install => Some(place * 2),
        Order::Uninstall if kind == "Service" => rank("IngressClass", order).map(|rank| rank + 1),
        Order::Uninstall => Some((INSTALL_ORDER.len() - place) * 2),
    }
}

/// Helm 4.3.1's order of installation.
const INSTALL_ORDER: &[&str] = &[
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn check_split(text: &str, expect: &[(usize, &str)]) {
        assert_eq!(split(text), expect);
    }

    #[test]
    fn documents_are_split_at_lines_that_begin_with_three_dashes() {
        check_split("kind: A\n---\nkind: B\n", &[(1, "kind: A\n"), (3, "kind: B\n")]);
        check_split("\n---\n\nkind: A\n--- \n\n---kind: B", &[(4, "kind: A\n"), (7, "kind: B")]);
        check_split("x: |\n  ---\n", &[(1, "x: |\n  ---\n")]);
        check_split("a\n----\nb", &[(1, "a\n"), (2, "-\nb")]);
        check_split("---\n\n", &[]);
    }

    #[test]
    fn unknown_kinds_come_last_by_name() {
        let mut kinds = ["Zebra", "Service", "Ant", "Namespace"];
        kinds.sort_by(|a, b| by_kind(a, b, Order::Install));
        assert_eq!(kinds, ["Namespace", "Service", "Ant", "Zebra"]);
    }
}
