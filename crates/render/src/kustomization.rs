//! Kustomizations as sources.

use lockstep_files::Reader;
use lockstep_kustomize::{ChartRenderer, Error, Options, build};
use lockstep_object::{Diagnostic, Place};

use crate::{Rendered, chart::Charts};

/// Builds a kustomization into objects.
pub(crate) fn read(reader: &Reader, path: &str, rendered: &mut Rendered) {
    let charts = Charts;
    match build(reader, path, &options(&charts)) {
        Ok(built) => {
            let place = Place::file(path);
            rendered.objects.extend(built.objects().iter().map(|object| (object.clone(), place.clone())));
            let warnings = built.warnings.iter().map(|warning| Diagnostic::warning(place.clone(), warning.trim()));
            rendered.diagnostics.extend(warnings);
        }
        Err(error) => rendered.diagnostics.push(diagnostic(path, &error)),
    }
}

/// Returns the bytes that `kustomize build` prints.
///
/// # Errors
/// The kustomization is wrong, in kustomize's words.
pub fn kustomize_build(reader: &Reader, path: &str) -> Result<String, Box<Diagnostic>> {
    let charts = Charts;
    build(reader, path, &options(&charts)).map(|built| built.text()).map_err(|error| Box::new(diagnostic(path, &error)))
}

fn options(charts: &dyn ChartRenderer) -> Options<'_> {
    Options { charts: Some(charts), ..Options::default() }
}

fn diagnostic(path: &str, error: &Error) -> Diagnostic {
    let place = error.place().cloned().unwrap_or_else(|| Place::file(path));
    Diagnostic::error(place, error.message())
}
