//! Renders a revision for an App: once, and again only if something that was read has changed.

use std::sync::Arc;

use lockstep_api::{AppSpec, KustomizeImage, KustomizeOptions, KustomizePatch, ProjectSpec};
use lockstep_cluster::Cluster;
use lockstep_engine::{AppId, Prepared, ProblemKind, Rejected, inherit_source, prepare};
use lockstep_files::Reads;
use lockstep_object::{Diagnostic, Gvk, Place};
use lockstep_render::{
    HelmValues, ImageOverride, KustomizeSpec, LoadRestrictor, Need, Overlay, PatchOverride, Remotes, RenderSpec,
    TargetOverride, render_with,
};
use lockstep_sources::Git;
use tokio::sync::Semaphore;

use crate::{
    remotes::{MOST_REMOTES, fetch_for_app},
    rules,
    source::Snapshot,
    watches::Watches,
};

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
pub(crate) async fn perform(job: Job, cluster: Cluster, git: Git, watches: Arc<Watches>, pool: Arc<Semaphore>) -> Done {
    let rules = match job.rules.clone() {
        Ok(rules) => rules,
        Err(rejected) => return Done { result: Err(rejected), kept: job.kept, rendered: false },
    };
    let spec = Arc::clone(&job.spec);
    let done = render_or_keep(job, &cluster, &git, &pool).await;
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

async fn render_or_keep(job: Job, cluster: &Cluster, git: &Git, pool: &Semaphore) -> Done {
    if let Some(kept) = &job.kept
        && kept.spec == job.spec
        && kept.prepared.unknown.is_empty()
        && kept.reads.still_holds(&job.snapshot.tree)
    {
        return Done { result: Ok(Arc::clone(&kept.prepared)), kept: job.kept, rendered: false };
    }
    let _permit = pool.acquire().await;
    let job = Arc::new(job);
    let mut remotes = Remotes::default();
    for _ in 0..=MOST_REMOTES {
        let outcome = render_once(Arc::clone(&job), cluster, remotes.clone()).await;
        let need = match outcome {
            Outcome::Done(done) => return done,
            Outcome::Needs(need) => need,
        };
        let fetched = fetch_for_app(git, cluster, &job.id.namespace, &need).await;
        remotes.insert(need, fetched);
    }
    failed(format!("the kustomization names more than {MOST_REMOTES} remote bases"))
}

enum Outcome {
    Done(Done),
    Needs(Need),
}

async fn render_once(job: Arc<Job>, cluster: &Cluster, remotes: Remotes) -> Outcome {
    let discovery = cluster.discovery();
    let task = tokio::task::spawn_blocking(move || {
        let reader = job.snapshot.tree.reader();
        let spec = render_spec(&job);
        let mut rendered = render_with(&reader, &spec, &remotes);
        if let Some(need) = rendered.need {
            return Outcome::Needs(need);
        }
        for (object, _) in &mut rendered.objects {
            inherit_source(object, &job.spec.source);
        }
        let mut prepared = prepare(&job.id, &rendered.objects, &spec.namespace, &*discovery);
        prepared.diagnostics.extend(rendered.diagnostics);
        let prepared = Arc::new(prepared);
        // What was fetched may have changed when the App is next rendered, and nothing here would tell.
        let kept = remotes.is_empty().then(|| Kept {
            spec: Arc::clone(&job.spec),
            reads: Arc::new(reader.reads()),
            prepared: Arc::clone(&prepared),
        });
        Outcome::Done(Done { result: Ok(prepared), kept, rendered: true })
    });
    task.await.unwrap_or_else(|error| Outcome::Done(failed(format!("rendering ended without a result: {error}"))))
}

fn failed(message: String) -> Done {
    let diagnostics = vec![Diagnostic::error(Place::default(), message)];
    Done { result: Err(Rejected { kind: ProblemKind::RenderFailed, diagnostics }), kept: None, rendered: true }
}

fn render_spec(job: &Job) -> RenderSpec {
    let source = &job.spec.source;
    let path = match (&source.git, &source.folder) {
        (Some(git), _) => git.path.clone(),
        (None, Some(folder)) => folder.path.clone(),
        (None, None) => String::new(),
    };
    let namespace = job.spec.destination.namespace.as_deref().unwrap_or(&job.id.namespace);
    let helm = source.helm.clone().unwrap_or_default();
    RenderSpec {
        path,
        name: helm.release_name.unwrap_or_else(|| job.id.name.clone()),
        namespace: namespace.to_owned(),
        values: HelmValues { files: helm.value_files, text: helm.values },
        kustomize: source.kustomize.as_ref().map(kustomize_spec).unwrap_or_default(),
    }
}

/// Brings the fields of an App into the form that the renderer takes.
fn kustomize_spec(options: &KustomizeOptions) -> KustomizeSpec {
    let overlay = Overlay {
        images: options.images.iter().map(image).collect(),
        patches: options.patches.iter().map(patch).collect(),
        components: options.components.clone(),
        ignore_missing_components: options.ignore_missing_components,
        name_prefix: options.name_prefix.clone(),
        name_suffix: options.name_suffix.clone(),
        namespace: options.namespace.clone(),
        labels: options.labels.clone(),
        annotations: options.common_annotations.clone(),
        replicas: options.replicas.iter().map(|one| (one.name.clone(), one.count)).collect(),
    };
    let load_restrictor = match options.load_restrictor {
        lockstep_api::LoadRestrictor::LoadRestrictionsRootOnly => LoadRestrictor::RootOnly,
        lockstep_api::LoadRestrictor::LoadRestrictionsNone => LoadRestrictor::None,
    };
    let KustomizeOptions { enable_helm, allow_remote_bases, .. } = *options;
    KustomizeSpec { overlay, load_restrictor, enable_helm, allow_remote_bases }
}

fn image(rule: &KustomizeImage) -> ImageOverride {
    ImageOverride {
        name: rule.name.clone(),
        new_name: rule.new_name.clone(),
        new_tag: rule.new_tag.clone(),
        digest: rule.digest.clone(),
    }
}

fn patch(patch: &KustomizePatch) -> PatchOverride {
    let target = patch.target.as_ref().map(|target| TargetOverride {
        group: target.group.clone(),
        version: target.version.clone(),
        kind: target.kind.clone(),
        name: target.name.clone(),
        namespace: target.namespace.clone(),
        label_selector: target.label_selector.clone(),
        annotation_selector: target.annotation_selector.clone(),
    });
    PatchOverride { patch: patch.patch.clone(), target }
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
