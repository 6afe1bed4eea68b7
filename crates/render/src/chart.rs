//! Helm charts as sources.

use std::sync::atomic::{AtomicBool, Ordering};

use lockstep_files::Reader;
use lockstep_helm::{Chart, Dependency, Error, Options, Record, Release, UserValues, render};
use lockstep_kustomize::ChartRenderer;
use lockstep_object::{Diagnostic, Map, Place, Value, yaml};

use crate::{ChartContext, HelmValues, RenderSpec, Rendered};

/// Renders a chart into objects: definitions, manifests and hooks, as Argo CD applies them.
pub(crate) fn read(reader: &Reader, path: &str, spec: &RenderSpec, context: &ChartContext, rendered: &mut Rendered) {
    let chart = match template(reader, path, spec, context) {
        Ok((chart, record)) => {
            rendered.record = record;
            chart
        }
        Err(error) => {
            rendered.diagnostics.push(*error);
            return;
        }
    };
    let definitions = chart.crds.iter().map(|crd| (crd.source.as_str(), crd.text.as_str()));
    let manifests = chart.manifests.iter().map(|manifest| (manifest.source.as_str(), manifest.text.as_str()));
    let hooks = chart.hooks.iter().map(|hook| (hook.manifest.source.as_str(), hook.manifest.text.as_str()));
    rendered.asked_now = chart.asked_now;
    for (source, text) in definitions.chain(manifests).chain(hooks) {
        let (objects, diagnostics) = yaml::parse_objects(source, text);
        // Lines of a rendered text are not lines of its template; the template is named.
        rendered.objects.extend(objects.into_iter().map(|(object, _)| (object, Place::file(source))));
        rendered.diagnostics.extend(diagnostics.into_iter().map(|mut one| {
            one.place = Place::file(source);
            one
        }));
    }
    let place = Place::file(path);
    rendered
        .diagnostics
        .extend(chart.warnings.iter().map(|warning| Diagnostic::warning(place.clone(), warning.trim())));
}

/// Lists the dependencies of a chart that its folder does not hold, with the versions that its lock pins.
pub fn missing_dependencies(reader: &Reader, path: &str, context: &ChartContext) -> Vec<Dependency> {
    // What cannot be read is told by the rendering.
    read_chart(reader, path, context).map(|chart| chart.missing_dependencies()).unwrap_or_default()
}

fn read_chart(reader: &Reader, path: &str, context: &ChartContext) -> Result<Chart, Error> {
    match &context.charts {
        Some(charts) => charts.read(reader, path),
        None => Chart::from_folder(reader, path),
    }
}

fn template(
    reader: &Reader,
    path: &str,
    spec: &RenderSpec,
    context: &ChartContext,
) -> Result<(lockstep_helm::Rendered, Option<Box<Record>>), Box<Diagnostic>> {
    let failed = |error: Error| Box::new(diagnostic(path, &error));
    let chart = read_chart(reader, path, context).map_err(failed)?;
    let name = if spec.name.is_empty() { "release-name".to_owned() } else { spec.name.clone() };
    let namespace = if spec.namespace.is_empty() { "default".to_owned() } else { spec.namespace.clone() };
    let release = Release { name, namespace, revision: context.revision.max(1), is_upgrade: context.is_upgrade };
    let options = Options {
        values: UserValues { files: values(reader, &spec.values)?, ..UserValues::default() },
        kube_version: context.kube_version.clone(),
        api_versions: context.api_versions.as_deref().unwrap_or_default().to_vec(),
        without_default_api_versions: context.api_versions.is_some(),
        include_crds: true,
        skip_tests: true,
        seed: context.seed,
        now: context.now,
        lookup: context.lookup.clone(),
        ..Options::default()
    };
    let rendered = render(&chart, &release, &options).map_err(failed)?;
    let record = context.record.then(|| Record::new(&chart, &release, &options.values, &rendered, ""));
    Ok((rendered, record.transpose().map_err(failed)?.map(Box::new)))
}

/// Reads the values, in the order in which later ones win.
fn values(reader: &Reader, values: &HelmValues) -> Result<Vec<(String, String)>, Box<Diagnostic>> {
    let failed = |message: String| Box::new(Diagnostic::error(Place::default(), message));
    let mut files = Vec::new();
    for path in &values.files {
        files.push((path.clone(), reader.read_text(path).map_err(|error| failed(error.to_string()))?));
    }
    for from in &values.from {
        let text = match reader.read_text(&from.path) {
            Ok(text) => text,
            Err(lockstep_files::Error::NotFound { .. }) if from.optional => continue,
            Err(error) => return Err(failed(error.to_string())),
        };
        let text = if from.target.is_empty() { text } else { nested(&from.target, &text) };
        files.push((from.path.clone(), text));
    }
    if !values.text.is_empty() {
        files.push(("values".to_owned(), values.text.clone()));
    }
    Ok(files)
}

/// Puts one value below a dotted path (`\.` is a dot of a key); a number or boolean stays one, as Flux reads it.
fn nested(target: &str, text: &str) -> String {
    let value = match yaml::parse(text.trim_end_matches('\n')) {
        Ok(scalar @ (Value::Bool(_) | Value::Int(_) | Value::Float(_))) => scalar,
        _ => Value::from(text),
    };
    let mut keys = vec![String::new()];
    let mut letters = target.chars();
    while let Some(letter) = letters.next() {
        let last = keys.len() - 1;
        match letter {
            '\\' => keys[last].extend(letters.next()),
            '.' => keys.push(String::new()),
            letter => keys[last].push(letter),
        }
    }
    let value = keys.into_iter().rev().fold(value, |inner, key| [(key, inner)].into_iter().collect::<Map>().into());
    yaml::print(&value)
}

fn diagnostic(path: &str, error: &Error) -> Diagnostic {
    let place = match error.place() {
        Some(place) => Place {
            file: place.file.clone(),
            line: u32::try_from(place.line).unwrap_or(0),
            column: u32::try_from(place.column).unwrap_or(0),
        },
        None => Place::file(path),
    };
    Diagnostic::error(place, error.message())
}

/// Renders the charts that kustomizations ask for.
pub(crate) struct Charts {
    seed: u64,
    now: i64,
    asked_now: AtomicBool,
}

impl Charts {
    pub(crate) fn new(context: &ChartContext) -> Self {
        Self { seed: context.seed, now: context.now, asked_now: AtomicBool::new(false) }
    }

    /// Tells whether one of them asked for the time.
    pub(crate) fn asked_now(&self) -> bool {
        self.asked_now.load(Ordering::Relaxed)
    }
}

impl ChartRenderer for Charts {
    fn render(&self, reader: &Reader, asked: &lockstep_kustomize::Chart) -> Result<String, String> {
        let chart = Chart::from_folder(reader, &asked.path).map_err(|error| error.to_string())?;
        let name = if asked.release_name.is_empty() { "release-name".to_owned() } else { asked.release_name.clone() };
        let namespace = if asked.namespace.is_empty() { "default".to_owned() } else { asked.namespace.clone() };
        let release = Release { name, namespace, revision: 1, is_upgrade: false };
        let files = asked.values.iter().enumerate();
        let files = files.map(|(place, text)| (format!("values-{place}.yaml"), text.clone())).collect();
        let options = Options {
            values: UserValues { files, ..UserValues::default() },
            kube_version: Some(asked.kube_version.clone()).filter(|version| !version.is_empty()),
            api_versions: asked.api_versions.clone(),
            include_crds: asked.include_crds,
            no_hooks: asked.skip_hooks,
            skip_tests: asked.skip_tests,
            seed: self.seed,
            now: self.now,
            ..Options::default()
        };
        let rendered = render(&chart, &release, &options).map_err(|error| error.to_string())?;
        self.asked_now.fetch_or(rendered.asked_now, Ordering::Relaxed);
        Ok(rendered.template_output())
    }
}
