//! The rules of projects.

use std::collections::HashMap;

use lockstep_api::{AppSpec, DEFAULT_PROJECT, ProjectSpec};
use lockstep_engine::{AppId, Prepared, ProblemKind, Rejected};
use lockstep_object::{Diagnostic, Place};

use crate::source;

/// The Projects of all namespaces.
#[derive(Debug, Default)]
pub(crate) struct Projects(HashMap<AppId, ProjectSpec>);

impl Projects {
    pub(crate) fn insert(&mut self, id: AppId, spec: ProjectSpec) {
        self.0.insert(id, spec);
    }

    pub(crate) fn remove(&mut self, id: &AppId) {
        self.0.remove(id);
    }

    /// Returns which Project an App belongs to.
    pub(crate) fn of(app: &AppId, spec: &AppSpec) -> AppId {
        AppId::new(&app.namespace, spec.project.as_deref().unwrap_or(DEFAULT_PROJECT))
    }

    /// Returns the rules for an App; an unwritten project `default` allows everything, any other nothing.
    pub(crate) fn rules_for(&self, app: &AppId, spec: &AppSpec) -> Result<ProjectSpec, Rejected> {
        let name = spec.project.as_deref().unwrap_or(DEFAULT_PROJECT);
        match self.0.get(&Self::of(app, spec)) {
            Some(rules) => Ok(rules.clone()),
            None if name == DEFAULT_PROJECT => Ok(ProjectSpec::anything()),
            None => Err(forbidden(format!("there is no Project {name} in the namespace {}", app.namespace))),
        }
    }
}

/// Checks a revision against the rules.
pub(crate) fn check(rules: &ProjectSpec, spec: &AppSpec, prepared: &Prepared) -> Result<(), Rejected> {
    let name = spec.project.as_deref().unwrap_or(DEFAULT_PROJECT);
    let urls = source::urls_of(&spec.source);
    if let Some(url) = urls.iter().find(|url| !rules.allows_source(url.as_str())) {
        let url = lockstep_sources::redact(url);
        return Err(forbidden(format!("the project {name} does not allow the source {url}")));
    }
    let mut diagnostics = Vec::new();
    for one in &prepared.desired {
        let key = &one.key;
        if !rules.allows_kind(&key.group, &key.kind) {
            let message = format!("{key}: the project {name} does not allow the kind {}", key.gk());
            diagnostics.push(Diagnostic::error(Place::default(), message));
        } else if !rules.allows_namespace(&key.namespace) {
            let place = if key.namespace.is_empty() { "the whole cluster" } else { key.namespace.as_str() };
            let message = format!("{key}: the project {name} does not allow the destination {place}");
            diagnostics.push(Diagnostic::error(Place::default(), message));
        }
    }
    if diagnostics.is_empty() { Ok(()) } else { Err(Rejected { kind: ProblemKind::Forbidden, diagnostics }) }
}

fn forbidden(message: String) -> Rejected {
    Rejected { kind: ProblemKind::Forbidden, diagnostics: vec![Diagnostic::error(Place::default(), message)] }
}
