//! News of a reference: file-system events of a local repository, or asking again and again.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::{sync::Notify, time::Instant};

use crate::{
    Credentials, Error, ErrorKind, Git, GitSpec, Result, Revision,
    local::Local,
    same_repository,
    url::{Location, locate},
};

/// How a repository is watched.
#[derive(Clone, Debug)]
pub struct WatchOptions {
    /// How often a remote repository is asked.
    pub interval: Duration,
    /// By which part of the interval each wait is randomly longer or shorter.
    pub jitter: f64,
}

impl Default for WatchOptions {
    fn default() -> Self {
        Self { interval: Duration::from_secs(30), jitter: 0.1 }
    }
}

impl WatchOptions {
    /// Returns how long to wait this time.
    pub(crate) fn pause(&self) -> Duration {
        let jitter = self.jitter.clamp(0.0, 0.9) * (2.0 * rand::random::<f64>() - 1.0);
        self.interval.mul_f64(1.0 + jitter)
    }
}

/// The watchers that can be poked.
#[derive(Default)]
pub(crate) struct Pokes(Mutex<Vec<(String, Weak<Notify>)>>);

impl Pokes {
    fn add(&self, url: &str) -> Arc<Notify> {
        let notify = Arc::new(Notify::new());
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(_, watcher)| watcher.strong_count() > 0);
        all.push((url.to_owned(), Arc::downgrade(&notify)));
        notify
    }

    pub(crate) fn poke(&self, url: &str) -> usize {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let matching = all
            .iter()
            .filter(|(watched, _)| same_repository(watched, url))
            .filter_map(|(_, watcher)| watcher.upgrade());
        matching.map(|watcher| watcher.notify_one()).count()
    }
}

/// Tells when a reference moves.
pub struct Watcher {
    git: Git,
    spec: GitSpec,
    options: WatchOptions,
    poked: Arc<Notify>,
    /// The folder of a local repository.
    folder: Option<std::path::PathBuf>,
    events: Option<notify::RecommendedWatcher>,
    told: Option<std::result::Result<Revision, (ErrorKind, String)>>,
    /// When to ask again; not set before the first question.
    due: Option<Instant>,
}

/// A local repository that cannot be watched (it is not there yet) is looked at so often.
const LOOK: Duration = Duration::from_secs(1);

impl Watcher {
    pub(crate) fn new(git: Git, spec: GitSpec, options: WatchOptions, pokes: &Pokes) -> Self {
        let folder = match locate(&spec.url) {
            Ok(Location::Local(folder)) => Some(folder),
            _ => None,
        };
        let poked = pokes.add(&spec.url);
        Self { git, spec, options, poked, folder, events: None, told: None, due: None }
    }

    /// Returns what is watched.
    pub fn spec(&self) -> &GitSpec {
        &self.spec
    }

    /// Takes what was told last for not heard: the next answer is news, the same one too. For who could not use it.
    pub fn forget(&mut self) {
        self.told = None;
    }

    /// Goes on with other credentials.
    pub fn set_credentials(&mut self, credentials: Credentials) {
        self.spec.credentials = credentials;
    }

    /// Waits for the next news: at first what the reference means now, then each other commit, and each failure once
    /// (and the recovery from it). Cancel safe: nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Result<Revision> {
        loop {
            if let Some(due) = self.due {
                tokio::select! {
                    () = self.poked.notified() => self.due = Some(Instant::now()),
                    () = tokio::time::sleep_until(due) => {}
                }
            }
            // Watched first, so that nothing happens between the look and the watch.
            self.listen();
            let result = self.git.resolve(&self.spec).await;
            self.due = Some(Instant::now() + self.pause());
            let news = result.clone().map_err(|error| (error.kind(), error.message().to_owned()));
            if self.told.as_ref() != Some(&news) {
                self.told = Some(news);
                return result;
            }
        }
    }

    fn pause(&self) -> Duration {
        let interval = if self.folder.is_some() && self.events.is_none() {
            self.options.interval.min(LOOK)
        } else {
            self.options.interval
        };
        WatchOptions { interval, ..self.options }.pause()
    }

    fn listen(&mut self) {
        let Some(folder) = self.folder.as_ref().filter(|_| self.events.is_none()) else { return };
        match listen(folder, self.poked.clone()) {
            Ok(events) => self.events = Some(events),
            Err(error) => {
                tracing::debug!(%error, folder = %folder.display(), "the repository cannot be watched, it is looked at from time to time")
            }
        }
    }
}

/// Pokes when `HEAD` or a reference is written.
fn listen(folder: &Path, poked: Arc<Notify>) -> Result<notify::RecommendedWatcher> {
    let local = Local::open(folder)?;
    let (own, common) = (local.git_folder().to_owned(), local.common_folder().to_owned());
    let refs = common.join("refs");
    let inside = refs.clone();
    let matters = move |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str());
        matches!(name, Some("HEAD" | "packed-refs" | "refs")) || path.starts_with(&inside)
    };
    let failed = |error: notify::Error| Error::storage("the repository cannot be watched", error);
    let mut watcher = watcher_of(poked, matters).map_err(failed)?;
    watcher.watch(&own, RecursiveMode::NonRecursive).map_err(failed)?;
    if common != own {
        watcher.watch(&common, RecursiveMode::NonRecursive).map_err(failed)?;
    }
    watcher.watch(&refs, RecursiveMode::Recursive).map_err(failed)?;
    Ok(watcher)
}

/// Returns a watcher of nothing yet that pokes when something changes at a path that matters, or when news were lost.
pub(crate) fn watcher_of(
    poked: Arc<Notify>,
    matters: impl Fn(&Path) -> bool + Send + 'static,
) -> notify::Result<RecommendedWatcher> {
    notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let told = match &event {
            // Reading is an event too, and we read.
            Ok(event) => {
                !matches!(event.kind, EventKind::Access(_))
                    && (event.paths.is_empty() || event.paths.iter().any(|path| matters(path)))
            }
            Err(_) => true,
        };
        if told {
            poked.notify_one();
        }
    })
}
