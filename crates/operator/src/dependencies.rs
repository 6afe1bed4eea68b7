//! Charts that a chart depends on and does not hold: fetched and put into its `charts/`, as `helm dependency build` does.

use lockstep_api::ProjectSpec;
use lockstep_engine::{ProblemKind, Rejected};
use lockstep_files::{FileTree, Kind};
use lockstep_object::{Diagnostic, Place as Position};
use lockstep_render::Dependency;
use lockstep_sources::{ArtifactSpec, mounted};

use crate::{credentials::credentials, follow::Fetchers};

/// Trees, and the paths where they belong.
pub(crate) type Parts = Vec<(String, FileTree)>;

/// Where a chart is.
pub(crate) struct Place<'a> {
    /// The files that it is among.
    pub(crate) tree: &'a FileTree,
    /// Its folder.
    pub(crate) chart: &'a str,
    /// Where the Secrets with credentials are.
    pub(crate) namespace: &'a str,
}

/// Returns the dependencies that may be fetched: those whose repositories the project allows. Without the others the
/// rendering fails with Helm's words.
pub(crate) fn allowed(missing: &[Dependency], rules: &ProjectSpec) -> Vec<Dependency> {
    let is_allowed = |one: &&Dependency| {
        let repository = one.repository.as_str();
        repository.starts_with("file://") || (repository.contains("://") && rules.allows_source(repository))
    };
    let known = missing.iter().filter(is_allowed).cloned().collect::<Vec<_>>();
    if known.len() == missing.len() { known } else { Vec::new() }
}

/// Fetches dependencies.
pub(crate) async fn fetch(missing: &[Dependency], place: &Place<'_>, fetchers: &Fetchers) -> Result<Parts, Rejected> {
    let mut parts = Parts::new();
    for dependency in missing {
        let names = [place.chart, "charts", &dependency.name];
        let path = names.into_iter().filter(|name| !name.is_empty()).collect::<Vec<_>>().join("/");
        let tree = match dependency.repository.strip_prefix("file://") {
            Some(folder) => beside(place, folder),
            None => remote(dependency, place, fetchers).await,
        };
        let tree = tree.map_err(|(kind, message)| {
            let message = format!("the dependency {} of the chart: {message}", dependency.name);
            Rejected { kind, diagnostics: vec![Diagnostic::error(Position::file(place.chart), message)] }
        })?;
        parts.push((path, tree));
    }
    Ok(parts)
}

async fn remote(
    dependency: &Dependency,
    place: &Place<'_>,
    fetchers: &Fetchers,
) -> Result<FileTree, (ProblemKind, String)> {
    let failed = |error: lockstep_sources::Error| (ProblemKind::SourceFailed, error.to_string());
    let Fetchers { artifacts, cluster, .. } = fetchers;
    let credentials = credentials(cluster, place.namespace, &dependency.repository, None).await;
    let spec = ArtifactSpec {
        url: dependency.repository.clone(),
        chart: Some(dependency.name.clone()),
        version: dependency.version.clone(),
        credentials: credentials.map_err(|problem| (problem.kind, problem.message))?,
        insecure: false,
    };
    let revision = artifacts.resolve(&spec).await.map_err(failed)?;
    artifacts.open(&spec, &revision).await.map_err(failed)
}

/// Finds a chart in a folder of the same source, from the chart's own.
fn beside(place: &Place<'_>, folder: &str) -> Result<FileTree, (ProblemKind, String)> {
    let failed = |message: String| (ProblemKind::RenderFailed, message);
    let path = lockstep_files::join(place.chart, folder).map_err(|error| failed(error.to_string()))?;
    let found = place.tree.find(&path).map_err(|error| failed(error.to_string()))?;
    match found.filter(|entry| entry.kind == Kind::Folder) {
        Some(entry) => Ok(FileTree::new(place.tree.store().clone(), entry.id)),
        None => Err(failed(format!("there is no folder {path}"))),
    }
}

/// Puts dependencies in their places. What cannot be read then is told by the rendering.
pub(crate) fn with(tree: &FileTree, parts: &Parts) -> FileTree {
    if parts.is_empty() {
        return tree.clone();
    }
    mounted(tree, parts).unwrap_or_else(|error| {
        tracing::warn!(%error, "dependencies of a chart cannot be put in their places");
        tree.clone()
    })
}
