//! From a chart, values and a release to manifests.

use std::{collections::BTreeMap, sync::Arc};

use lockstep_gotmpl::{self as gotmpl, Value};
use lockstep_object as object;

use crate::{
    archive::File,
    capabilities::{Capabilities, KubeVersion},
    chart::Chart,
    coalesce::{Nulls, coalesce},
    dependencies::{self, Node},
    error::{Error, ErrorKind},
    explain::Trace,
    functions::State,
    glob::path_match,
    manifest::{self, Hook, HookEvent, Manifest, Order},
    schema,
    semver::is_compatible,
    templates::{self, Input, is_notes},
    values::UserValues,
};

/// Answers `lookup`: what is in the cluster now.
pub trait Lookup: Send + Sync {
    /// Finds an object; with an empty name, a list of all. `None` if there is none.
    ///
    /// # Errors
    /// A text that fails the template.
    fn lookup(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<Option<object::Value>, String>;
}

/// Changes rendered texts before they are split and sorted.
pub trait PostRender: Send + Sync {
    /// Takes and gives texts by the template they came from.
    ///
    /// # Errors
    /// A text that fails the rendering.
    fn run(&self, files: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, String>;
}

/// What a chart is rendered for: `.Release`.
#[derive(Clone, Debug)]
pub struct Release {
    /// The name.
    pub name: String,
    /// The namespace.
    pub namespace: String,
    /// The revision, from 1.
    pub revision: i64,
    /// Whether an installed release is changed; otherwise it is installed.
    pub is_upgrade: bool,
}

/// How to render.
#[derive(Clone, Default)]
pub struct Options {
    /// Values files and the `--set` family.
    pub values: UserValues,
    /// The Kubernetes version; Helm's default if there is none.
    pub kube_version: Option<String>,
    /// API versions besides Helm's default ones.
    pub api_versions: Vec<String>,
    /// Leaves Helm's default API versions out: [`Options::api_versions`] is what the cluster knows.
    pub without_default_api_versions: bool,
    /// Puts `crds/` before the manifests.
    pub include_crds: bool,
    /// Leaves hooks out of [`Rendered::template_output`].
    pub no_hooks: bool,
    /// Leaves tests out of [`Rendered::template_output`].
    pub skip_tests: bool,
    /// Does not look at `values.schema.json`.
    pub skip_schema_validation: bool,
    /// Shows only templates at these paths (patterns, from the chart's folder).
    pub show_only: Vec<String>,
    /// Also takes the notes of subcharts.
    pub sub_notes: bool,
    /// Answers `lookup`; without it every look-up finds nothing.
    pub lookup: Option<Arc<dyn Lookup>>,
    /// Changes what was rendered.
    pub post_render: Option<Arc<dyn PostRender>>,
    /// The seed of `randAlphaNum`, `genCA` and the like.
    pub seed: u64,
    /// The time of `now`, in seconds since 1970.
    pub now: i64,
    /// Records what [`Rendered::explain`] needs.
    pub trace: bool,
    /// The limits on work and size.
    pub limits: gotmpl::Limits,
}

/// A custom resource definition of `crds/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crd {
    /// The file, beginning with the chart's name.
    pub source: String,
    /// Its text.
    pub text: String,
}

/// A rendered chart.
#[derive(Clone, Debug, Default)]
pub struct Rendered {
    /// The release's manifests in the order of installation.
    pub manifests: Vec<Manifest>,
    /// The hooks in the order of their kinds.
    pub hooks: Vec<Hook>,
    /// What is in `crds/`, of subcharts too, if [`Options::include_crds`] asks for it.
    pub crds: Vec<Crd>,
    /// The text for the user.
    pub notes: String,
    /// What Helm would warn about, and uses of functions whose results change from run to run.
    pub warnings: Vec<String>,
    /// Whether a template asked for the time: with another [`Options::now`] the result may be another.
    pub asked_now: bool,
    pub(crate) trace: Option<Arc<Trace>>,
    without_hooks: bool,
    without_tests: bool,
    show_only: Vec<String>,
}

/// Renders a chart for a release.
///
/// The same arguments give the same result: there is no clock, randomness or network but what `options` brings.
///
/// # Errors
/// Helm's texts; see [`ErrorKind`]. Of kind [`ErrorKind::Limit`] with a place when a template works or writes too much.
pub fn render(chart: &Chart, release: &Release, options: &Options) -> Result<Rendered, Error> {
    let kube = kube_version(options)?;
    let user = options.values.merge()?;
    let mut node = Node::new(&chart.parts);
    check_chart(&node)?;
    check_name(&release.name)?;
    let mut warnings = chart.warnings().to_vec();
    let values = join_values(&mut node, &user, options, &mut warnings)?;
    check_kube(&node, &kube)?;
    let mut trace = None;
    let output = run_templates((chart, &node), values, kube, release, options, &mut trace)?;
    let mut rendered = assemble(&node, output.files, options)?;
    rendered.asked_now = output.asked_now;
    warnings.extend(output.warnings.iter().map(warning_of));
    rendered.trace = trace.map(Arc::new);
    warnings.append(&mut rendered.warnings);
    rendered.warnings = warnings;
    Ok(rendered)
}

/// Renders the templates alone, as Helm's engine does: texts by path, notes too, neither split nor sorted nor checked.
///
/// # Errors
/// As [`render`], but for what only an installation needs.
pub fn render_files(chart: &Chart, release: &Release, options: &Options) -> Result<BTreeMap<String, String>, Error> {
    let kube = kube_version(options)?;
    let user = options.values.merge()?;
    let mut node = Node::new(&chart.parts);
    let mut warnings = Vec::new();
    let values = join_values(&mut node, &user, options, &mut warnings)?;
    Ok(run_templates((chart, &node), values, kube, release, options, &mut None)?.files)
}

fn warning_of(warning: &gotmpl::Warning) -> String {
    let place = &warning.place;
    format!("{}:{}:{}: {} gives another result each time", place.file, place.line, place.column, warning.function)
}

fn join_values(
    node: &mut Node,
    user: &gotmpl::Map,
    options: &Options,
    warnings: &mut Vec<String>,
) -> Result<gotmpl::Map, Error> {
    dependencies::process(node, user, warnings)?;
    let values = coalesce(node, user, Nulls::Remove, warnings)?;
    if !options.skip_schema_validation {
        schema::validate_chart(node, &values)?;
    }
    Ok(values)
}

fn run_templates(
    (chart, node): (&Chart, &Node),
    values: gotmpl::Map,
    kube: KubeVersion,
    release: &Release,
    options: &Options,
    trace: &mut Option<Trace>,
) -> Result<templates::Output, Error> {
    *trace = options.trace.then(|| Trace::new(node, &options.values, &values));
    let input = Input {
        values,
        release: release_value(release),
        capabilities: Value::native(Capabilities::new(
            kube,
            &options.api_versions,
            !options.without_default_api_versions,
        )),
        state: State::new(options.lookup.clone()),
        options: gotmpl::Options { limits: options.limits, seed: options.seed, now: options.now },
    };
    templates::render(node, &chart.parsed, input, trace.as_mut())
}

fn check_kube(chart: &Node, kube: &KubeVersion) -> Result<(), Error> {
    let constraint = &chart.metadata.kube_version;
    if constraint.is_empty() || is_compatible(constraint, &kube.normalized) {
        return Ok(());
    }
    let message =
        format!("chart requires kubeVersion: {constraint} which is incompatible with Kubernetes {}", kube.version);
    Err(Error::new(ErrorKind::KubeVersion, message))
}

fn kube_version(options: &Options) -> Result<KubeVersion, Error> {
    let Some(text) = &options.kube_version else { return Ok(KubeVersion::default()) };
    KubeVersion::parse(text)
        .map_err(|error| Error::new(ErrorKind::KubeVersion, error).context(format!("invalid kube version '{text}': ")))
}

fn check_chart(chart: &Node) -> Result<(), Error> {
    let kind = &chart.metadata.kind;
    if !matches!(kind.as_str(), "" | "application") {
        return Err(Error::new(ErrorKind::NotInstallable, format!("{kind} charts are not installable")));
    }
    let is_there = |name: &str| chart.dependencies().iter().any(|child| child.name() == name);
    let missing: Vec<&str> =
        chart.metadata.dependencies.iter().map(|d| d.name.as_str()).filter(|name| !is_there(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!(
        "an error occurred while checking for chart dependencies. You may need to run 'helm dependency build' to fetch \
         missing dependencies: found in Chart.yaml, but missing in charts/ directory: {}",
        missing.join(", ")
    );
    Err(Error::new(ErrorKind::MissingDependency, message))
}

fn check_name(name: &str) -> Result<(), Error> {
    const PATTERN: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
    let problem = if name.is_empty() {
        "no name provided".to_owned()
    } else if name.len() > 53 || !name.split('.').all(is_label) {
        format!("invalid release name, must match regex {PATTERN} and the length must not be longer than 53")
    } else {
        return Ok(());
    };
    let message = format!("release name {}: {problem}", crate::metadata::quote(name));
    Err(Error::new(ErrorKind::ReleaseName, message).context("release name check failed: "))
}

fn is_label(text: &str) -> bool {
    let is_edge = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    bytes.first().is_some_and(is_edge)
        && bytes.last().is_some_and(is_edge)
        && bytes.iter().all(|b| is_edge(b) || *b == b'-')
}

fn release_value(release: &Release) -> Value {
    templates::release_value([
        ("Name", Value::from(release.name.as_str())),
        ("Namespace", Value::from(release.namespace.as_str())),
        ("IsUpgrade", Value::Bool(release.is_upgrade)),
        ("IsInstall", Value::Bool(!release.is_upgrade)),
        ("Revision", Value::Int(release.revision)),
        ("Service", Value::from("Helm")),
    ])
}

fn assemble(chart: &Node, mut files: BTreeMap<String, String>, options: &Options) -> Result<Rendered, Error> {
    let own_notes = format!("{}/templates/NOTES.txt", chart.name());
    let mut notes = String::new();
    for (path, text) in files.extract_if(.., |path, _| is_notes(path)) {
        if options.sub_notes || path == own_notes {
            if !notes.is_empty() {
                notes.push('\n');
            }
            notes.push_str(&text);
        }
    }
    if let Some(post_render) = &options.post_render {
        let failed =
            |error| Error::new(ErrorKind::Manifest, format!("error while running post render on files: {error}"));
        files = post_render.run(files).map_err(failed)?;
    }
    let sorted = manifest::sort(&files, Order::Install)?;
    let mut crds = Vec::new();
    if options.include_crds {
        collect_crds(chart, chart.name(), &mut crds);
    }
    let rendered = Rendered {
        manifests: sorted.manifests,
        hooks: sorted.hooks,
        crds,
        notes,
        warnings: sorted.warnings,
        asked_now: false,
        trace: None,
        without_hooks: options.no_hooks,
        without_tests: options.skip_tests,
        show_only: options.show_only.clone(),
    };
    rendered.check_show_only()?;
    Ok(rendered)
}

fn collect_crds(chart: &Node, path: &str, crds: &mut Vec<Crd>) {
    let is_manifest = |file: &&File| {
        let extension = file.name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
        file.name.starts_with("crds/") && matches!(extension.as_str(), "yaml" | "yml" | "json")
    };
    for file in chart.parts.files.iter().filter(is_manifest) {
        crds.push(Crd { source: format!("{path}/{}", file.name), text: file.text().into_owned() });
    }
    for child in chart.dependencies() {
        collect_crds(child, &format!("{path}/charts/{}", child.name()), crds);
    }
}

impl Rendered {
    /// Gives the manifest of the release: what Helm keeps in its record and prints, without hooks.
    pub fn manifest(&self) -> String {
        let mut out = String::new();
        for crd in &self.crds {
            document(&mut out, &crd.source, &crd.text);
        }
        for manifest in &self.manifests {
            document(&mut out, &manifest.source, &manifest.text);
        }
        out
    }

    /// Gives the bytes that `helm template` prints.
    pub fn template_output(&self) -> String {
        let all = self.everything();
        if self.show_only.is_empty() {
            return all;
        }
        let mut out = String::new();
        for pattern in &self.show_only {
            for (_, part) in matching(&all, pattern) {
                out.push_str(&format!("---\n{part}\n"));
            }
        }
        out
    }

    fn everything(&self) -> String {
        let mut out = self.manifest().trim().to_owned();
        out.push('\n');
        if self.without_hooks {
            return out;
        }
        for hook in &self.hooks {
            if !(self.without_tests && hook.events.contains(&HookEvent::Test)) {
                document(&mut out, &hook.manifest.source, &hook.manifest.text);
            }
        }
        out
    }

    fn check_show_only(&self) -> Result<(), Error> {
        if self.show_only.is_empty() {
            return Ok(());
        }
        let all = self.everything();
        match self.show_only.iter().find(|pattern| matching(&all, pattern).next().is_none()) {
            None => Ok(()),
            Some(pattern) => {
                Err(Error::new(ErrorKind::NotFound, format!("could not find template {pattern} in chart")))
            }
        }
    }
}

fn document(out: &mut String, source: &str, text: &str) {
    out.push_str("---\n# Source: ");
    out.push_str(source);
    out.push('\n');
    out.push_str(text);
    out.push('\n');
}

/// Finds the documents whose `# Source:` line matches a pattern.
fn matching<'a>(all: &'a str, pattern: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
    manifest::split(all).into_iter().filter(move |(_, part)| {
        let source = part.lines().find_map(|line| {
            let (_, source) = line.split_once("# Source: ")?;
            let (chart, path) = source.split_once('/')?;
            (!chart.is_empty() && !path.is_empty()).then_some(path)
        });
        source.is_some_and(|path| path_match(pattern, path).unwrap_or(false))
    })
}
