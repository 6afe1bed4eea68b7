//! Helm charts as sources.

use lockstep_files::Reader;
use lockstep_helm::{Chart, Error, Options, Release, UserValues, render};
use lockstep_kustomize::ChartRenderer;
use lockstep_object::{Diagnostic, Place, yaml};

use crate::{RenderSpec, Rendered};

/// Renders a chart into objects: definitions, manifests and hooks, as Argo CD applies them.
pub(crate) fn read(reader: &Reader, path: &str, spec: &RenderSpec, rendered: &mut Rendered) {
    let chart = match template(reader, path, spec) {
        Ok(chart) => chart,
        Err(error) => {
            rendered.diagnostics.push(*error);
            return;
        }
    };
    let definitions = chart.crds.iter().map(|crd| (crd.source.as_str(), crd.text.as_str()));
    let manifests = chart.manifests.iter().map(|manifest| (manifest.source.as_str(), manifest.text.as_str()));
    let hooks = chart.hooks.iter().map(|hook| (hook.manifest.source.as_str(), hook.manifest.text.as_str()));
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

/// Returns the bytes that `helm template NAME FOLDER --namespace NS` prints.
///
/// # Errors
/// The chart or its values are wrong, in Helm's words.
pub fn template_output(reader: &Reader, spec: &RenderSpec) -> Result<String, Box<Diagnostic>> {
    Ok(template(reader, &spec.path, spec)?.template_output())
}

fn template(reader: &Reader, path: &str, spec: &RenderSpec) -> Result<lockstep_helm::Rendered, Box<Diagnostic>> {
    let failed = |error: Error| Box::new(diagnostic(path, &error));
    let chart = Chart::from_folder(reader, path).map_err(failed)?;
    let mut files = Vec::new();
    for file in &spec.values.files {
        let text = reader.read_text(file);
        let text = text.map_err(|error| Box::new(Diagnostic::error(Place::default(), error.to_string())))?;
        files.push((file.clone(), text));
    }
    if !spec.values.text.is_empty() {
        files.push(("values".to_owned(), spec.values.text.clone()));
    }
    let name = if spec.name.is_empty() { "release-name".to_owned() } else { spec.name.clone() };
    let namespace = if spec.namespace.is_empty() { "default".to_owned() } else { spec.namespace.clone() };
    let release = Release { name, namespace, revision: 1, is_upgrade: false };
    let values = UserValues { files, ..UserValues::default() };
    // The seed is fixed: the same commit renders the same bytes.
    let options = Options { values, include_crds: true, skip_tests: true, seed: 1, ..Options::default() };
    render(&chart, &release, &options).map_err(failed)
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
pub(crate) struct Charts;

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
            seed: 1,
            ..Options::default()
        };
        Ok(render(&chart, &release, &options).map_err(|error| error.to_string())?.template_output())
    }
}
