//! Which Apps listen to which sources, and what each source told last.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use lockstep_engine::{AppId, Problem};
use tokio::{sync::mpsc, task::AbortHandle};

use crate::{
    core::Message,
    follow::{self, Fetchers},
    source::{self, Listed, Snapshot, SourceKey},
};

/// What a source told.
pub(crate) type News = Result<Arc<Snapshot>, Problem>;

/// All sources that somebody listens to; each is followed by one task.
pub(crate) struct Listening {
    fetchers: Fetchers,
    messages: mpsc::Sender<Message>,
    sources: HashMap<SourceKey, Source>,
}

struct Source {
    task: AbortHandle,
    apps: HashSet<AppId>,
    last: Option<News>,
}

impl Listening {
    pub(crate) fn new(fetchers: Fetchers, messages: mpsc::Sender<Message>) -> Self {
        Self { fetchers, messages, sources: HashMap::new() }
    }

    /// Makes an App listen to these sources instead of those that it knows.
    pub(crate) fn change(&mut self, id: &AppId, known: &[Listed], wanted: &[Listed]) {
        for Listed { key, .. } in wanted {
            let source = self.sources.entry(key.clone()).or_insert_with(|| {
                let follow = follow::follow(key.clone(), self.fetchers.clone(), self.messages.clone());
                Source { task: tokio::spawn(follow).abort_handle(), apps: HashSet::new(), last: None }
            });
            source.apps.insert(id.clone());
        }
        for old in known.iter().filter(|old| wanted.iter().all(|new| new.key != old.key)) {
            self.stop(id, &old.key);
        }
    }

    fn stop(&mut self, id: &AppId, key: &SourceKey) {
        let Some(source) = self.sources.get_mut(key) else { return };
        source.apps.remove(id);
        if source.apps.is_empty() {
            source.task.abort();
            self.sources.remove(key);
        }
    }

    /// Keeps what a source told; returns the Apps that listen to it.
    pub(crate) fn take(&mut self, key: &SourceKey, news: News) -> Vec<AppId> {
        let Some(source) = self.sources.get_mut(key) else { return Vec::new() };
        source.last = Some(news);
        source.apps.iter().cloned().collect()
    }

    /// Returns what the sources of an App told last, together; nothing while one of them has told nothing.
    pub(crate) fn last(&self, listed: &[Listed]) -> Option<News> {
        source::join(listed, |key| self.sources.get(key)?.last.clone())
    }

    /// Follows nothing any more.
    pub(crate) fn end(&self) {
        self.sources.values().for_each(|source| source.task.abort());
    }
}
