//! Who may know whom: the crate table of `docs/architecture.md`, held.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

/// Each crate and the crates of ours that it may know. Arrows point down only.
const ARROWS: &[(&str, &[&str])] = &[
    ("files", &[]),
    ("object", &[]),
    ("schema", &["object"]),
    ("merge", &["object", "schema"]),
    ("gotmpl", &[]),
    ("helm", &["files", "object", "gotmpl"]),
    ("kustomize", &["files", "object", "schema", "merge"]),
    ("render", &["files", "object", "helm", "kustomize", "schema"]),
    ("health", &["object"]),
    ("diff", &["object", "schema", "merge"]),
    ("api", &["object"]),
    ("engine", &["files", "object", "api", "render", "diff", "health"]),
    ("sources", &["files", "object", "api"]),
    ("cluster", &["object", "api", "engine"]),
    ("sandbox", &["object", "schema", "merge"]),
    ("operator", &["files", "object", "api", "render", "diff", "health", "engine", "sources", "cluster"]),
    ("simulation", &["object", "api", "health", "engine", "sandbox"]),
    (
        "cli",
        // Everything: it words what each of them found.
        &[
            "files", "object", "api", "helm", "render", "diff", "health", "engine", "sources", "cluster", "sandbox",
            "operator",
        ],
    ),
];

/// Crates that decide, and therefore touch neither the world nor its clock.
const PURE: &[&str] =
    &["files", "object", "schema", "merge", "gotmpl", "helm", "kustomize", "render", "health", "diff", "api", "engine"];

/// Packages that have no business in a pure crate.
const IMPURE: &[&str] = &["tokio", "kube", "hyper", "reqwest", "gix", "notify", "axum", "rand"];

fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(crate::root())
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let name = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    packages
        .iter()
        .map(|package| {
            let all = package["dependencies"].as_array().unwrap();
            // Development dependencies are for tests; `null` is an ordinary one.
            let normal = all.iter().filter(|dependency| dependency["kind"].is_null());
            (name(&package["name"]), normal.map(|dependency| name(&dependency["name"])).collect())
        })
        .collect()
}

#[test]
fn arrows_point_down_only() {
    let dependencies = dependencies();
    for (crate_name, allowed) in ARROWS {
        let package = format!("lockstep-{crate_name}");
        let known = dependencies[&package].iter().filter_map(|name| name.strip_prefix("lockstep-"));
        for name in known {
            assert!(allowed.contains(&name), "{package} must not know lockstep-{name}");
        }
    }
    let main: Vec<_> = dependencies["gitops-lockstep"].iter().filter(|name| name.starts_with("lockstep-")).collect();
    assert_eq!(main, ["lockstep-cli"]);
}

#[test]
fn pure_crates_do_not_touch_the_world() {
    let dependencies = dependencies();
    for crate_name in PURE {
        for name in &dependencies[&format!("lockstep-{crate_name}")] {
            assert!(!IMPURE.contains(&name.as_str()), "lockstep-{crate_name} must not know {name}");
        }
    }
}

#[test]
fn pure_crates_do_not_read_clocks_files_or_the_environment() {
    for crate_name in PURE {
        let folder = crate::root().join("crates").join(crate_name).join("src");
        let mut folders = vec![folder];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                if path.extension().is_none_or(|extension| extension != "rs") {
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap_or_default();
                for word in [
                    "std::fs",
                    "TcpStream",
                    "UdpSocket",
                    "std::env::",
                    "std::process",
                    "SystemTime::now",
                    "Instant::now",
                    "Timestamp::now",
                    "thread::sleep",
                ] {
                    assert!(!code.contains(word), "{} uses {word}", path.display());
                }
            }
        }
    }
}
