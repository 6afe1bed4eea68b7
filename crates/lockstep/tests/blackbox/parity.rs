//! `lockstep render` prints the bytes that `helm template` printed, asked with the same flags.

use std::{
    io::Read,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// Charts of the conformance data, all of whose recorded runs that succeeded are asked again.
const CHARTS: &[&str] = &[
    "argo-workflows",
    "cert-manager",
    "cluster-autoscaler",
    "external-dns",
    "external-secrets",
    "falcosidekick",
    "grafana",
    "ingress-nginx",
    "keda",
    "kube-state-metrics",
    "podinfo",
    "redis",
];

/// A flag of a list of texts, and the name of the list in a case.
const LISTS: &[(&str, &str)] = &[
    ("--set", "set"),
    ("--set-string", "setString"),
    ("--set-json", "setJson"),
    ("--set-literal", "setLiteral"),
    ("--api-versions", "apiVersions"),
    ("--show-only", "showOnly"),
];

/// A flag without a value, and what says so in a case.
const SWITCHES: &[(&str, &str)] = &[
    ("--include-crds", "includeCrds"),
    ("--no-hooks", "noHooks"),
    ("--skip-tests", "skipTests"),
    ("--skip-schema-validation", "skipSchemaValidation"),
];

fn texts<'a>(case: &'a Value, list: &str) -> impl Iterator<Item = &'a str> {
    case[list].as_array().into_iter().flatten().map(|text| text.as_str().unwrap())
}

fn render(archives: &Path, folder: &Path, case: &Value) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockstep"));
    command.arg("render").arg(archives.join(case["chart"].as_str().unwrap()));
    command.args(["--name", case["release"]["name"].as_str().unwrap()]);
    command.args(["--namespace", case["release"]["namespace"].as_str().unwrap()]);
    if case["release"]["isInstall"] == false {
        command.arg("--is-upgrade");
    }
    if let Some(version) = case["kubeVersion"].as_str() {
        command.args(["--kube-version", version]);
    }
    for (place, text) in texts(case, "valuesFiles").enumerate() {
        let file = folder.join(format!("v{place}.yaml"));
        std::fs::write(&file, text).unwrap();
        command.arg("--values").arg(file);
    }
    for (flag, list) in LISTS {
        texts(case, list).for_each(|text| {
            command.args([flag, text]);
        });
    }
    command.args(SWITCHES.iter().filter(|(_, said)| case[said] == true).map(|(flag, _)| flag));
    command
}

/// Gives what the program printed; none where it failed.
fn expected(file: &Path, case: &Value) -> Option<String> {
    if let Some(text) = case["expected"].as_str() {
        return Some(text.to_owned());
    }
    let packed = std::fs::read(file.with_file_name(case["expectedFile"].as_str()?)).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut text).unwrap();
    Some(text)
}

fn cases(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let files = entries.map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect()
}

#[test]
fn render_prints_what_helm_template_printed() {
    let Some(folder) = std::env::var_os("LOCKSTEP_CONFORMANCE") else { return };
    let archives = Path::new(&folder).join("helm/charts");
    let mut compared = 0;
    for file in CHARTS.iter().flat_map(|chart| cases(&archives.join("cases").join(chart))) {
        let case: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let Some(expected) = expected(&file, &case) else { continue };
        let values = tempfile::TempDir::new().unwrap();
        let output = render(&archives, values.path(), &case).output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(printed, expected, "{}: {}", case["name"], String::from_utf8_lossy(&output.stderr));
        compared += 1;
    }
    assert!(compared >= CHARTS.len(), "only {compared} runs were found");
}
