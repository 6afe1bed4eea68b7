//! Kustomizations as sources.

use lockstep_files::Reader;
use lockstep_kustomize::{Build, Error, LoadRestrictor, Options, Overlay, Reorder, build_with_overlay};
use lockstep_object::{Diagnostic, Place};

use crate::{ChartContext, Need, Remotes, Rendered, chart::Charts, remote::Noting};

/// How a kustomization is built, and what is changed without touching its file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct KustomizeSpec {
    /// Changes to the root kustomization.
    pub overlay: Overlay,
    /// Which files may be read.
    pub load_restrictor: LoadRestrictor,
    /// Whether `helmCharts` are rendered.
    pub enable_helm: bool,
    /// Whether repositories and URLs outside of the tree may be named.
    pub allow_remote_bases: bool,
}

/// A kustomization that is not built.
#[derive(Clone, Debug)]
pub enum NotBuilt {
    /// Something outside of the tree must be fetched first.
    Needs(Need),
    /// The kustomization is wrong.
    Wrong(Box<Diagnostic>),
}

/// Builds a kustomization into objects.
pub(crate) fn read(
    reader: &Reader,
    path: &str,
    spec: &KustomizeSpec,
    (remotes, context): (&Remotes, &ChartContext),
    rendered: &mut Rendered,
) {
    let charts = Charts::new(context);
    let built = build(reader, path, spec, Reorder::None, (remotes, &charts));
    rendered.asked_now = charts.asked_now();
    match built {
        Ok(built) => {
            let place = Place::file(path);
            rendered.objects.extend(built.objects().iter().map(|object| (object.clone(), place.clone())));
            let warnings = built.warnings.iter().map(|warning| Diagnostic::warning(place.clone(), warning.trim()));
            rendered.diagnostics.extend(warnings);
        }
        Err(NotBuilt::Wrong(diagnostic)) => rendered.diagnostics.push(*diagnostic),
        Err(NotBuilt::Needs(need)) => {
            let message = "a remote base is not fetched yet";
            rendered.diagnostics.push(Diagnostic::error(Place::file(path), message));
            rendered.need = Some(need);
        }
    }
}

/// Returns the bytes that the command `kustomize build` prints, and its warnings.
///
/// # Errors
/// Something must be fetched first, or the kustomization is wrong, in kustomize's words.
pub fn kustomize_build(
    reader: &Reader,
    path: &str,
    spec: &KustomizeSpec,
    remotes: &Remotes,
) -> Result<(String, Vec<String>), NotBuilt> {
    // The order of the command's flag `--reorder`, which is another than the library's.
    let charts = Charts::new(&ChartContext::default());
    let built = build(reader, path, spec, Reorder::Legacy, (remotes, &charts))?;
    Ok((built.text(), built.warnings))
}

fn build(
    reader: &Reader,
    path: &str,
    spec: &KustomizeSpec,
    reorder: Reorder,
    (remotes, charts): (&Remotes, &Charts),
) -> Result<Build, NotBuilt> {
    let noting = Noting::new(remotes);
    let options = Options {
        load_restrictor: spec.load_restrictor,
        enable_helm: spec.enable_helm,
        reorder,
        charts: Some(charts),
        remote: if spec.allow_remote_bases { Some(&noting) } else { None },
        ..Options::default()
    };
    let built = build_with_overlay(reader, path, &options, &spec.overlay);
    let need = noting.need();
    match (built, need) {
        (Ok(built), _) => Ok(built),
        (Err(error), Some(need)) if error.is_remote() => Err(NotBuilt::Needs(need)),
        (Err(error), _) => Err(NotBuilt::Wrong(Box::new(diagnostic(path, &error)))),
    }
}

fn diagnostic(path: &str, error: &Error) -> Diagnostic {
    let place = error.place().cloned().unwrap_or_else(|| Place::file(path));
    if error.is_remote() {
        let how =
            "copy it into the repository, or allow it: allowRemoteBases of the App, --allow-remote-bases of render";
        return Diagnostic::error(place, format!("{}; {how}", error.message()));
    }
    let diagnostic = Diagnostic::error(place, error.message());
    if error.message().contains("must specify --enable-helm") {
        return diagnostic.hint("spec.source.kustomize.enableHelm of the App, --enable-helm of the command");
    }
    diagnostic
}
