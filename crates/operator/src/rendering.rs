//! Renders a revision for an App: once, and again only if something that it depends on has changed.

use std::sync::{Arc, Mutex, PoisonError};

use lockstep_api::{AppSpec, ProjectSpec, Source};
use lockstep_engine::{AppId, Prepared, Problem, ProblemKind, Rejected, RevisionInfo, inherit_source, prepare};
use lockstep_files::Reads;
use lockstep_object::{Diagnostic, Gvk, Place};
use lockstep_render::{
    ChartCache, ChartContext, Dependency, Need, ReleaseRecord, Remotes, SourceKind, missing_dependencies, render_for,
};
use tokio::sync::Semaphore;

use crate::{
    dependencies::{self, Parts},
    follow::{self, Fetchers},
    lookups::{self, Answers, Notebook},
    records::{self, ReleaseState},
    remotes::{MOST_REMOTES, fetch_for_app},
    rules,
    source::{self, Snapshot},
    specs,
    watches::Watches,
};

/// A result that holds as long as what it depends on.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    spec: Arc<AppSpec>,
    reads: Arc<Reads>,
    prepared: Arc<Prepared>,
    /// What a chart was told; nothing for other folders.
    chart: Option<Told>,
    /// The time that a chart asked for; nothing if none did.
    now: Option<i64>,
    /// Charts that were fetched because the chart depends on them.
    parts: Arc<Parts>,
    /// Helm's record of the release, where it is kept.
    pub(crate) record: Option<Arc<ReleaseRecord>>,
}

/// What a rendering gave, and what it could not find.
struct Attempt {
    done: Done,
    /// Dependencies of the chart that are not in its folder.
    missing: Vec<Dependency>,
    /// What a kustomization names outside of the tree.
    need: Option<Need>,
}

/// What was fetched for a rendering.
#[derive(Clone, Default)]
struct Outside {
    parts: Arc<Parts>,
    remotes: Remotes,
}

/// What a chart was told of the cluster.
#[derive(Clone, Debug)]
struct Told {
    facts: Arc<ClusterFacts>,
    answers: Arc<Answers>,
}

/// What charts see of a cluster.
#[derive(Debug, PartialEq, Eq)]
struct ClusterFacts {
    version: String,
    api_versions: Arc<[String]>,
}

/// What all renderings share.
pub(crate) struct Renderer {
    fetchers: Fetchers,
    watches: Arc<Watches>,
    /// Rendering is pure computation, so more at a time than there are cores gain nothing.
    pool: Semaphore,
    charts: Arc<ChartCache>,
    /// The facts, and at which discovery they were taken.
    facts: Mutex<Option<(u64, Arc<ClusterFacts>)>>,
}

/// Renders at once.
const RENDERS: usize = 2;
/// How often the questions of a chart are asked: each answer may lead to another question.
const ROUNDS: usize = 5;

/// Everything that a rendering needs.
pub(crate) struct Job {
    pub(crate) id: AppId,
    /// The App's uid, from which random functions draw: the same in every process, another for each App.
    pub(crate) uid: String,
    /// When the App was made, in seconds since 1970.
    pub(crate) created: i64,
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

impl Done {
    /// Returns the answer where there are no files to render.
    pub(crate) fn failed(problem: Problem, kept: Option<Kept>) -> Self {
        let diagnostics = vec![Diagnostic::error(Place::default(), problem.message)];
        Self { result: Err(Rejected { kind: problem.kind, diagnostics }), kept, rendered: false }
    }
}

impl Renderer {
    /// Opens an older revision of an App's source; only a repository keeps them.
    pub(crate) async fn open(
        &self,
        source: &Source,
        app: &AppId,
        revision: &RevisionInfo,
    ) -> Result<Arc<Snapshot>, Problem> {
        follow::open(&self.fetchers, source, &app.namespace, revision).await
    }

    pub(crate) fn new(fetchers: Fetchers, watches: Arc<Watches>) -> Self {
        let pool = Semaphore::new(RENDERS);
        Self { fetchers, watches, pool, charts: Arc::default(), facts: Mutex::default() }
    }

    /// Renders, checks the project's rules and makes sure that the kinds are watched. `owned` are the kinds of what the App
    /// has, which must be seen before it is planned what is no longer wanted.
    pub(crate) async fn perform(&self, job: Job, owned: Vec<Gvk>) -> Done {
        self.watches.ensure(owned, &self.fetchers.cluster).await;
        let rules = match job.rules.clone() {
            Ok(rules) => rules,
            Err(rejected) => return Done { result: Err(rejected), kept: job.kept, rendered: false },
        };
        let spec = Arc::clone(&job.spec);
        let done = self.render_or_keep(job, &rules).await;
        let prepared = match &done.result {
            Ok(prepared) => Arc::clone(prepared),
            Err(_) => return done,
        };
        if let Err(rejected) = rules::check(&rules, &spec, &prepared) {
            return Done { result: Err(rejected), ..done };
        }
        self.watches.ensure(kinds_of(&prepared), &self.fetchers.cluster).await;
        done
    }

    async fn render_or_keep(&self, job: Job, rules: &ProjectSpec) -> Done {
        let facts = self.facts();
        // What was looked up must be looked up again: the cluster tells nobody that it would answer otherwise.
        let asked = job.kept.as_ref().and_then(|kept| kept.chart.as_ref()).map(|told| Arc::clone(&told.answers));
        let mut answers = match &asked {
            Some(asked) => lookups::ask(asked.keys(), &self.fetchers.cluster, rules).await,
            None => Answers::default(),
        };
        if let Some(kept) = &job.kept
            && kept.still_holds(&job, &facts, &answers)
        {
            return Done { result: Ok(Arc::clone(&kept.prepared)), kept: job.kept, rendered: false };
        }
        let release = match self.release_of(&job).await {
            Ok(release) => release,
            Err(rejected) => return Done { result: Err(rejected), kept: job.kept, rendered: false },
        };
        let job = Arc::new(job);
        let mut outside = Outside::default();
        let mut rounds = 0;
        loop {
            let notebook = Notebook::new(std::mem::take(&mut answers));
            let attempt = self.render(&job, &facts, &release, &notebook, &outside).await;
            answers = notebook.answers().clone();
            if let Some(need) = attempt.need {
                if outside.remotes.len() >= MOST_REMOTES {
                    return failed(format!("the kustomization names more than {MOST_REMOTES} remote bases"));
                }
                let Fetchers { git, cluster, .. } = &self.fetchers;
                let fetched = fetch_for_app(git, cluster, &job.id.namespace, &need).await;
                outside.remotes.insert(need, fetched);
                continue;
            }
            let open = notebook.open();
            let missing = dependencies::allowed(&attempt.missing, rules);
            rounds += 1;
            if (open.is_empty() && missing.is_empty()) || rounds == ROUNDS {
                return attempt.done;
            }
            answers.extend(lookups::ask(&open, &self.fetchers.cluster, rules).await);
            let place = dependencies::Place {
                tree: &job.snapshot.tree,
                chart: source::path_of(&job.spec.source),
                namespace: &job.id.namespace,
            };
            match dependencies::fetch(&missing, &place, &self.fetchers).await {
                Ok(fetched) => outside.parts = Arc::new(outside.parts.iter().cloned().chain(fetched).collect()),
                Err(rejected) => return Done { result: Err(rejected), ..attempt.done },
            }
        }
    }

    /// Reads how far the release is, where its record is kept: templates see its revision.
    async fn release_of(&self, job: &Job) -> Result<ReleaseState, Rejected> {
        let helm = job.spec.source.helm.as_ref();
        if !helm.is_some_and(|helm| helm.release_record) {
            return Ok(ReleaseState::default());
        }
        let name = source::release_name(helm, &job.id.name);
        let state = records::state_of(&self.fetchers.cluster, job.namespace(), &name).await;
        state.map_err(|error| {
            let message = format!("the records of the release {name} cannot be read: {error}");
            let diagnostics = vec![Diagnostic::error(Place::default(), message)];
            Rejected { kind: error.problem().kind, diagnostics }
        })
    }

    async fn render(
        &self,
        job: &Arc<Job>,
        facts: &Arc<ClusterFacts>,
        release: &ReleaseState,
        notebook: &Arc<Notebook>,
        outside: &Outside,
    ) -> Attempt {
        let _permit = self.pool.acquire().await;
        let discovery = self.fetchers.cluster.discovery();
        let (job, facts, notebook) = (Arc::clone(job), Arc::clone(facts), Arc::clone(notebook));
        let outside = outside.clone();
        let context = ChartContext {
            kube_version: Some(facts.version.clone()).filter(|version| !version.is_empty()),
            api_versions: Some(Arc::clone(&facts.api_versions)),
            seed: seed_of(&job.uid),
            now: job.now(),
            lookup: Some(Arc::clone(&notebook) as Arc<_>),
            revision: release.revision + 1,
            is_upgrade: release.installed,
            record: job.spec.source.helm.as_ref().is_some_and(|helm| helm.release_record),
            charts: Some(Arc::clone(&self.charts)),
        };
        let task = tokio::task::spawn_blocking(move || {
            let reader = dependencies::with(&job.snapshot.tree, &outside.parts).reader();
            let spec = specs::render_spec(&job.id, &job.spec);
            let mut rendered = render_for(&reader, &spec, &outside.remotes, &context);
            let failed = rendered.diagnostics.iter().any(Diagnostic::is_error);
            let missing = match rendered.kind {
                SourceKind::Helm if failed => missing_dependencies(&reader, &spec.path, &context),
                _ => Vec::new(),
            };
            for (object, _) in &mut rendered.objects {
                inherit_source(object, &job.spec.source);
            }
            let mut prepared = prepare(&job.id, &rendered.objects, job.namespace(), &*discovery);
            prepared.diagnostics.extend(rendered.diagnostics);
            let prepared = Arc::new(prepared);
            let answers = Arc::new(notebook.answers().clone());
            // What was fetched may have changed when the App is next rendered, and nothing here would tell.
            let kept = outside.remotes.is_empty().then(|| Kept {
                spec: Arc::clone(&job.spec),
                reads: Arc::new(reader.reads()),
                prepared: Arc::clone(&prepared),
                chart: (rendered.kind == SourceKind::Helm).then_some(Told { facts, answers }),
                now: rendered.asked_now.then(|| job.now()),
                parts: outside.parts,
                record: rendered.record.map(|record| Arc::new(*record)),
            });
            Attempt { done: Done { result: Ok(prepared), kept, rendered: true }, missing, need: rendered.need }
        });
        task.await.unwrap_or_else(|error| {
            let done = failed(format!("rendering ended without a result: {error}"));
            Attempt { done, missing: Vec::new(), need: None }
        })
    }

    /// Returns what charts see of the cluster, put together once for each discovery.
    fn facts(&self) -> Arc<ClusterFacts> {
        let discovered = self.fetchers.cluster.discovered();
        let mut known = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, facts)) = known.as_ref()
            && *at == discovered
        {
            return Arc::clone(facts);
        }
        let discovery = self.fetchers.cluster.discovery();
        let version = discovery.version().to_owned();
        let facts = Arc::new(ClusterFacts { version, api_versions: discovery.api_versions().into() });
        *known = Some((discovered, Arc::clone(&facts)));
        facts
    }
}

impl Kept {
    fn still_holds(&self, job: &Job, facts: &ClusterFacts, answers: &Answers) -> bool {
        let told = self.chart.as_ref();
        self.spec == job.spec
            && self.prepared.unknown.is_empty()
            && self.reads.still_holds(&dependencies::with(&job.snapshot.tree, &self.parts))
            && self.now.is_none_or(|now| now == job.now())
            && told.is_none_or(|told| *told.facts == *facts && *told.answers == *answers)
    }
}

impl Job {
    fn namespace(&self) -> &str {
        self.spec.destination.namespace.as_deref().unwrap_or(&self.id.namespace)
    }

    /// Gives the time that charts see: that of the commit, so that it renders the same bytes whenever it is rendered, but not
    /// one before the App was, so that certificates of a new App are valid.
    fn now(&self) -> i64 {
        self.snapshot.time.max(self.created)
    }
}

fn failed(message: String) -> Done {
    let diagnostics = vec![Diagnostic::error(Place::default(), message)];
    Done { result: Err(Rejected { kind: ProblemKind::RenderFailed, diagnostics }), kept: None, rendered: true }
}

/// Makes the seed of random functions from an App's uid, of which the first 64 bits are enough.
fn seed_of(uid: &str) -> u64 {
    let digits: String = uid.chars().filter(char::is_ascii_hexdigit).take(16).collect();
    u64::from_str_radix(&digits, 16).unwrap_or(1)
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
