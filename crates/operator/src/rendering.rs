//! Renders a revision for an App: once, and again only if something that was read has changed.

use std::sync::Arc;

use lockstep_api::{AppSpec, ProjectSpec};
use lockstep_cluster::Cluster;
use lockstep_engine::{AppId, Prepared, ProblemKind, Rejected, inherit_source, prepare};
use lockstep_files::Reads;
use lockstep_object::{Diagnostic, Gvk, Place};
use lockstep_render::{HelmValues, RenderSpec, render};
use tokio::sync::Semaphore;

use crate::{rules, source::Snapshot, watches::Watches};

/// A result that holds as long as what it read.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    spec: Arc<AppSpec>,
    reads: Arc<Reads>,
    prepared: Arc<Prepared>,
}

/// Everything that a rendering needs.
pub(crate) struct Job {
    pub(crate) id: AppId,
    pub(crate) spec: Arc<AppSpec>,
    pub(crate) rules: Result<ProjectSpec, Rejected>,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) kept: Option<Kept>,
}

/// What a rendering gives: the objects, and what to keep for the next one.
pub(crate) struct Done {
    pub(crate) result: Result<Arc<Prepared>, Rejected>,
    pub(crate) kept: Option<Kept>,
    /// Whether files were read at all.
    pub(crate) rendered: bool,
}

/// Renders, checks the project's rules and makes sure that the kinds are watched.
pub(crate) async fn perform(job: Job, cluster: Cluster, watches: Arc<Watches>, pool: Arc<Semaphore>) -> Done {
    let rules = match job.rules.clone() {
        Ok(rules) => rules,
        Err(rejected) => return Done { result: Err(rejected), kept: job.kept, rendered: false },
    };
    let spec = Arc::clone(&job.spec);
    let done = render_or_keep(job, &cluster, &pool).await;
    let prepared = match &done.result {
        Ok(prepared) => Arc::clone(prepared),
        Err(_) => return done,
    };
    if let Err(rejected) = rules::check(&rules, &spec, &prepared) {
        return Done { result: Err(rejected), ..done };
    }
    watches.ensure(kinds_of(&prepared), &cluster).await;
    done
}

async fn render_or_keep(job: Job, cluster: &Cluster, pool: &Semaphore) -> Done {
    if let Some(kept) = &job.kept
        && kept.spec == job.spec
        && kept.prepared.unknown.is_empty()
        && kept.reads.still_holds(&job.snapshot.tree)
    {
        return Done { result: Ok(Arc::clone(&kept.prepared)), kept: job.kept, rendered: false };
    }
    let _permit = pool.acquire().await;
    let discovery = cluster.discovery();
    let task = tokio::task::spawn_blocking(move || {
        let reader = job.snapshot.tree.reader();
        let source = &job.spec.source;
        let path = match (&source.git, &source.folder) {
            (Some(git), _) => git.path.clone(),
            (None, Some(folder)) => folder.path.clone(),
            (None, None) => String::new(),
        };
        let namespace = job.spec.destination.namespace.as_deref().unwrap_or(&job.id.namespace);
        let helm = source.helm.clone().unwrap_or_default();
        let name = helm.release_name.unwrap_or_else(|| job.id.name.clone());
        let values = HelmValues { files: helm.value_files, text: helm.values };
        let spec = RenderSpec { path, name, namespace: namespace.to_owned(), values };
        let mut rendered = render(&reader, &spec);
        for (object, _) in &mut rendered.objects {
            inherit_source(object, source);
        }
        let mut prepared = prepare(&job.id, &rendered.objects, namespace, &*discovery);
        prepared.diagnostics.extend(rendered.diagnostics);
        let prepared = Arc::new(prepared);
        let kept = Kept { spec: job.spec, reads: Arc::new(reader.reads()), prepared: Arc::clone(&prepared) };
        Done { result: Ok(prepared), kept: Some(kept), rendered: true }
    });
    task.await.unwrap_or_else(|error| {
        let message = format!("rendering ended without a result: {error}");
        let diagnostics = vec![Diagnostic::error(Place::default(), message)];
        Done { result: Err(Rejected { kind: ProblemKind::RenderFailed, diagnostics }), kept: None, rendered: true }
    })
}

fn kinds_of(prepared: &Prepared) -> Vec<Gvk> {
    let mut kinds: Vec<Gvk> = Vec::new();
    for one in &prepared.desired {
        if !kinds.iter().any(|kind| kind.kind == one.key.kind && kind.group == one.key.group) {
            kinds.push(Gvk { group: one.key.group.clone(), version: one.version.clone(), kind: one.key.kind.clone() });
        }
    }
    kinds
}
