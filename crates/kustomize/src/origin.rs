//! Where a resource comes from and what changed it: the annotations of `buildMetadata`.

use crate::{node::Node, print::to_text};

/// A place that made or changed a resource.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Origin {
    pub(crate) path: String,
    pub(crate) repo: String,
    pub(crate) reference: String,
    pub(crate) configured_in: String,
    /// `apiVersion`, `kind`, `name` and `namespace` of the plugin's configuration.
    pub(crate) configured_by: [String; 4],
}

impl Origin {
    /// Returns the origin of a path below this one.
    pub(crate) fn append(&self, path: &str) -> Self {
        Self { path: join(&self.path, path), ..self.clone() }
    }

    /// Returns the origin of what a built-in generator or transformer of a kustomization does.
    pub(crate) fn of_builtin(&self, file: &str, kind: &str) -> Self {
        Self {
            path: String::new(),
            configured_in: self.append(file).path,
            configured_by: ["builtin".to_owned(), kind.to_owned(), String::new(), String::new()],
            ..self.clone()
        }
    }

    fn entries(&self) -> Vec<(&'static str, &str)> {
        let all = [
            ("path", &self.path),
            ("repo", &self.repo),
            ("ref", &self.reference),
            ("configuredIn", &self.configured_in),
        ];
        all.into_iter().filter(|(_, value)| !value.is_empty()).map(|(key, value)| (key, value.as_str())).collect()
    }

    /// Prints it in the order of kustomize's fields.
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        for (key, value) in self.entries() {
            out.push_str(&format!("{key}: {}", scalar(value)));
        }
        let by: Vec<(&str, &str)> = ["apiVersion", "kind", "name", "namespace"]
            .into_iter()
            .zip(self.configured_by.iter().map(String::as_str))
            .filter(|(_, value)| !value.is_empty())
            .collect();
        if !by.is_empty() {
            out.push_str("configuredBy:\n");
            for (key, value) in by {
                out.push_str(&format!("  {key}: {}", scalar(value)));
            }
        }
        if out.is_empty() { "{}\n".to_owned() } else { out }
    }

    /// Prints a list of them.
    pub(crate) fn list_text(all: &[Self]) -> String {
        let mut out = String::new();
        for origin in all {
            for (place, line) in origin.text().lines().enumerate() {
                out.push_str(if place == 0 { "- " } else { "  " });
                out.push_str(line);
                out.push('\n');
            }
        }
        out
    }
}

/// Joins relative paths; what leads above the start keeps its `..`.
fn join(base: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in base.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn scalar(value: &str) -> String {
    to_text(&Node::string(value))
}
