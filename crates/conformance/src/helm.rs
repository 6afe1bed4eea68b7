//! The area `helm`: micro cases (`micro/*.jsonl`) and charts (`charts/cases/<chart>/<variant>.json`).

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::Path,
};

use anyhow::Context;
use lockstep_helm::{
    Chart, Error, ErrorKind, KubeVersion, Options, Order, Release, Rendered, UserValues, is_compatible_range, render,
    render_files, sort, split,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::report::{Report, files};

/// Runs every case below `folder`.
pub fn run(folder: &Path, report: &mut Report) -> anyhow::Result<()> {
    for path in files(&folder.join("micro"), "jsonl")? {
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        for line in text.lines() {
            let case: Micro = serde_json::from_str(line).with_context(|| path.display().to_string())?;
            if report.wants(&case.name) {
                report.record(&case.name, case.run());
            }
        }
    }
    let charts = folder.join("charts");
    let mut archives = Archives { folder: charts.clone(), loaded: HashMap::new() };
    for path in files(&charts.join("cases"), "json")? {
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let case: ChartCase = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
        if report.wants(&case.name) {
            report.record(&case.name, case.run(&mut archives, &path));
        }
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Micro {
    name: String,
    op: Option<String>,
    template: Option<String>,
    #[serde(default)]
    templates: BTreeMap<String, String>,
    #[serde(default)]
    files: BTreeMap<String, String>,
    values: Option<Box<serde_json::value::RawValue>>,
    values_yaml: Option<String>,
    user_values: Option<String>,
    #[serde(default)]
    set: Vec<String>,
    #[serde(default)]
    set_string: Vec<String>,
    #[serde(default)]
    set_json: Vec<String>,
    #[serde(default)]
    set_literal: Vec<String>,
    release: Option<MicroRelease>,
    kube_version: Option<String>,
    #[serde(default)]
    api_versions: Vec<String>,
    order: Option<String>,
    text: Option<String>,
    constraint: Option<String>,
    version: Option<String>,
    output: Option<String>,
    outputs: Option<BTreeMap<String, String>>,
    result: Option<Value>,
    error: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MicroRelease {
    name: String,
    namespace: String,
    revision: i64,
    is_upgrade: bool,
}

impl Micro {
    fn run(&self) -> Result<(), String> {
        match self.op.as_deref() {
            Some("sortManifests") => self.sort_manifests(),
            Some("splitManifests") => {
                let parts: Vec<&str> =
                    split(self.text.as_deref().unwrap_or_default()).into_iter().map(|(_, part)| part).collect();
                self.compare(Ok(json!(parts)))
            }
            Some("compat") => {
                let text = |text: &Option<String>| text.clone().unwrap_or_default();
                self.compare(Ok(json!(is_compatible_range(&text(&self.constraint), &text(&self.version)))))
            }
            Some("kubeVersion") => {
                let parsed = KubeVersion::parse(self.version.as_deref().unwrap_or_default());
                self.compare(parsed.map(|kube| {
                    json!({
                        "gitVersion": kube.version, "version": kube.version, "string": kube.normalized,
                        "major": kube.major, "minor": kube.minor,
                    })
                }))
            }
            _ => self.render(),
        }
    }

    fn compare(&self, actual: Result<Value, String>) -> Result<(), String> {
        let expected = match &self.error {
            Some(error) => Err(error.clone()),
            None => Ok(self.result.clone().unwrap_or_default()),
        };
        difference(&expected, &actual)
    }

    fn sort_manifests(&self) -> Result<(), String> {
        let order = if self.order.as_deref() == Some("uninstall") { Order::Uninstall } else { Order::Install };
        let sorted = sort(&self.files, order).map_err(|error| error.message().to_owned()).map(|sorted| {
            let manifests =
                sorted.manifests.iter().map(|m| json!({"path": m.source, "kind": m.kind, "content": m.text}));
            let hooks = sorted.hooks.iter().map(|hook| {
                json!({
                    "name": hook.manifest.name, "kind": hook.manifest.kind, "path": hook.manifest.source,
                    "manifest": hook.manifest.text, "weight": hook.weight,
                    "events": hook.events.iter().map(|event| event.name()).collect::<Vec<_>>(),
                    "deletePolicies": hook.delete_policies, "outputLogPolicies": hook.output_log_policies,
                })
            });
            json!({"hooks": hooks.collect::<Vec<_>>(), "manifests": manifests.collect::<Vec<_>>()})
        });
        self.compare(sorted)
    }

    fn render(&self) -> Result<(), String> {
        let expected = match (&self.error, &self.output, &self.outputs) {
            (Some(error), _, _) => Err(error.clone()),
            (None, Some(output), _) => Ok(json!(output)),
            (None, None, outputs) => Ok(json!(outputs.clone().unwrap_or_default())),
        };
        let actual = self.render_files().map_err(|error| error.message().to_owned()).map(|files| match &self.output {
            Some(_) => json!(files.get("t/templates/t.yaml").cloned().unwrap_or_default()),
            None => json!(files),
        });
        difference(&expected, &actual)
    }

    fn render_files(&self) -> Result<BTreeMap<String, String>, Error> {
        let mut files: Vec<(String, Vec<u8>)> = Vec::new();
        if !self.files.contains_key("Chart.yaml") {
            let metadata = "apiVersion: v2\nname: t\nversion: 0.1.0\nappVersion: 1.2.3\ndescription: micro case\n";
            files.push(("Chart.yaml".into(), metadata.into()));
        }
        let values = self.values_yaml.clone().or_else(|| self.values.as_ref().map(|values| ascii(values.get())));
        files.extend(values.map(|text| ("values.yaml".into(), text.into_bytes())));
        files.extend(self.template.iter().map(|text| ("templates/t.yaml".into(), text.clone().into_bytes())));
        let templates =
            self.templates.iter().map(|(name, text)| (format!("templates/{name}"), text.clone().into_bytes()));
        files.extend(templates);
        files.extend(self.files.iter().map(|(name, text)| (name.clone(), text.clone().into_bytes())));
        let chart = Chart::from_files(files)?;
        let release = self.release.as_ref().map_or_else(
            || Release { name: "rel".into(), namespace: "ns".into(), revision: 1, is_upgrade: false },
            |release| Release {
                name: release.name.clone(),
                namespace: release.namespace.clone(),
                revision: release.revision,
                is_upgrade: release.is_upgrade,
            },
        );
        let values = UserValues {
            files: self.user_values.iter().map(|text| ("user-values.yaml".to_owned(), text.clone())).collect(),
            set: self.set.clone(),
            set_string: self.set_string.clone(),
            set_json: self.set_json.clone(),
            set_literal: self.set_literal.clone(),
            ..UserValues::default()
        };
        let options = Options {
            values,
            kube_version: self.kube_version.clone(),
            api_versions: self.api_versions.clone(),
            now: now(),
            ..Options::default()
        };
        render_files(&chart, &release, &options)
    }
}

/// Gives the time, as the real tool would take it.
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or_default()
}

/// Escapes all but printable ASCII: the values files of the recordings were written so.
fn ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if (' '..='~').contains(&c) {
            out.push(c);
        } else {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        }
    }
    out
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChartCase {
    name: String,
    chart: Option<String>,
    chart_dir: Option<String>,
    #[serde(default)]
    files: BTreeMap<String, String>,
    release: ChartRelease,
    #[serde(default)]
    values_files: Vec<String>,
    #[serde(default)]
    set: Vec<String>,
    #[serde(default)]
    set_string: Vec<String>,
    #[serde(default)]
    set_json: Vec<String>,
    #[serde(default)]
    set_literal: Vec<String>,
    #[serde(default)]
    set_file: BTreeMap<String, String>,
    kube_version: Option<String>,
    #[serde(default)]
    api_versions: Vec<String>,
    #[serde(default)]
    include_crds: bool,
    #[serde(default)]
    no_hooks: bool,
    #[serde(default)]
    skip_tests: bool,
    #[serde(default)]
    skip_schema_validation: bool,
    #[serde(default)]
    show_only: Vec<String>,
    expected: Option<String>,
    expected_file: Option<String>,
    error: Option<String>,
    notes: Option<String>,
    hooks: Option<Vec<Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChartRelease {
    name: String,
    namespace: String,
    revision: i64,
    is_install: bool,
}

impl ChartCase {
    fn run(&self, archives: &mut Archives, path: &Path) -> Result<(), String> {
        let expected = match &self.error {
            Some(error) => Err(error.trim_end().to_owned()),
            None => Ok(Value::from(self.expected_output(path)?)),
        };
        let rendered = self.chart(archives).and_then(|chart| self.render(&chart));
        let actual = match &rendered {
            Ok(rendered) => Ok(Value::from(rendered.template_output())),
            Err(error) => Err(as_command(error)),
        };
        difference(&expected, &actual)?;
        let Ok(rendered) = rendered else { return Ok(()) };
        if let Some(notes) = &self.notes {
            difference(&Ok(Value::from(notes.as_str())), &Ok(Value::from(rendered.notes.as_str())))
                .map_err(|difference| format!("notes: {difference}"))?;
        }
        match &self.hooks {
            Some(hooks) => compare_hooks(hooks, &rendered),
            None => Ok(()),
        }
    }

    fn expected_output(&self, path: &Path) -> Result<String, String> {
        match (&self.expected, &self.expected_file) {
            (Some(text), _) => Ok(text.clone()),
            (None, Some(name)) => {
                let path = path.with_file_name(name);
                let packed = fs::read(&path).map_err(|error| error.to_string())?;
                let mut text = String::new();
                std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&packed[..]), &mut text)
                    .map_err(|error| error.to_string())?;
                Ok(text)
            }
            (None, None) => Ok(String::new()),
        }
    }

    fn chart(&self, archives: &mut Archives) -> Result<Chart, Error> {
        match (&self.chart, &self.chart_dir) {
            (Some(archive), _) => archives.chart(archive),
            (None, Some(folder)) => {
                let files =
                    self.files.iter().map(|(name, text)| (format!("{folder}/{name}"), text.as_bytes().to_vec()));
                let tree = lockstep_files::FileTree::from_files(files)
                    .map_err(|error| Error::new(ErrorKind::Chart, error.to_string()))?;
                Chart::from_folder(&tree.reader(), folder)
            }
            (None, None) => Err(Error::new(ErrorKind::Chart, "the case names no chart")),
        }
    }

    fn render(&self, chart: &Chart) -> Result<Rendered, Error> {
        let release = Release {
            name: self.release.name.clone(),
            namespace: self.release.namespace.clone(),
            revision: self.release.revision,
            is_upgrade: !self.release.is_install,
        };
        let values_files = self.values_files.iter().enumerate();
        let options = Options {
            values: UserValues {
                files: values_files.map(|(at, text)| (format!("_in/v{at}.yaml"), text.clone())).collect(),
                set: self.set.clone(),
                set_string: self.set_string.clone(),
                set_json: self.set_json.clone(),
                set_literal: self.set_literal.clone(),
                set_file: self.set_file.clone().into_iter().collect(),
            },
            kube_version: self.kube_version.clone(),
            api_versions: self.api_versions.clone(),
            include_crds: self.include_crds,
            no_hooks: self.no_hooks,
            skip_tests: self.skip_tests,
            skip_schema_validation: self.skip_schema_validation,
            show_only: self.show_only.clone(),
            now: now(),
            ..Options::default()
        };
        render(chart, &release, &options)
    }
}

/// Prints an error as `helm template` does after `Error: `: with a hint where there is a partial result.
fn as_command(error: &Error) -> String {
    let hint = match error.kind() {
        ErrorKind::Template | ErrorKind::Manifest => "\n\nUse --debug flag to render out invalid YAML",
        ErrorKind::KubeVersion if error.message().starts_with("chart requires") => {
            "\n\nUse --debug flag to render out invalid YAML"
        }
        _ => "",
    };
    format!("{error}{hint}").trim_end().to_owned()
}

fn compare_hooks(expected: &[Value], rendered: &Rendered) -> Result<(), String> {
    let actual: Vec<Value> = rendered
        .hooks
        .iter()
        .map(|hook| {
            json!({
                "name": hook.manifest.name, "kind": hook.manifest.kind, "path": hook.manifest.source,
                "weight": hook.weight, "manifest": hook.manifest.text,
                "events": hook.events.iter().map(|event| event.name()).collect::<Vec<_>>(),
                "deletePolicies": hook.delete_policies, "delete_policies": hook.delete_policies,
                "outputLogPolicies": hook.output_log_policies, "output_log_policies": hook.output_log_policies,
            })
        })
        .collect();
    if expected.len() != actual.len() {
        return Err(format!("{} hooks were expected, not {}", expected.len(), actual.len()));
    }
    for (expected, actual) in expected.iter().zip(&actual) {
        for (field, value) in expected.as_object().into_iter().flatten() {
            let known = actual.get(field);
            let is_empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty) || value == &json!(0);
            if known.is_some() && known != Some(value) && !(is_empty && known.is_none()) {
                return Err(format!("hook field {field}: expected {value}, got {}", known.unwrap_or(&Value::Null)));
            }
        }
    }
    Ok(())
}

/// Charts in archives, each read once.
struct Archives {
    folder: std::path::PathBuf,
    loaded: HashMap<String, Chart>,
}

impl Archives {
    fn chart(&mut self, name: &str) -> Result<Chart, Error> {
        if let Some(chart) = self.loaded.get(name) {
            return Ok(chart.clone());
        }
        let bytes =
            fs::read(self.folder.join(name)).map_err(|error| Error::new(ErrorKind::Chart, error.to_string()))?;
        let chart = Chart::from_archive(&bytes)?;
        self.loaded.insert(name.to_owned(), chart.clone());
        Ok(chart)
    }
}

type Outcome = Result<Value, String>;

/// Says where two outcomes begin to differ.
fn difference(expected: &Outcome, actual: &Outcome) -> Result<(), String> {
    if expected == actual {
        return Ok(());
    }
    let show = |outcome: &Outcome| match outcome {
        Ok(Value::String(text)) => text.clone(),
        Ok(value) => value.to_string(),
        Err(error) => format!("error: {error}"),
    };
    let (expected, actual) = (show(expected), show(actual));
    let same = expected.bytes().zip(actual.bytes()).take_while(|(a, b)| a == b).count();
    let line = expected.as_bytes()[..same].iter().filter(|b| **b == b'\n').count() + 1;
    let from = expected.as_bytes()[..same].iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    let cut = |text: &str| {
        let tail = String::from_utf8_lossy(&text.as_bytes()[from.min(text.len())..]).into_owned();
        tail.chars().take(160).collect::<String>()
    };
    Err(format!("line {line}:\n  expected {:?}\n  actual   {:?}", cut(&expected), cut(&actual)))
}
