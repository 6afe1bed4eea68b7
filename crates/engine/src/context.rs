//! What every decision may look at.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use lockstep_api::{AppHealth, Phase};
use lockstep_object::{Gk, Map, Object, ObjectKey, Text, Value};

use crate::{AppId, Live};

/// The facts of the live objects that carry our label, in one index for all Apps.
#[derive(Clone, Debug, Default)]
pub struct LiveIndex {
    objects: HashMap<ObjectKey, Live>,
    by_app: HashMap<Text, HashSet<ObjectKey>>,
    /// The versions in which objects went whose apply has no answer yet: an answer from before brings none back.
    gone: HashMap<ObjectKey, u64>,
}

impl LiveIndex {
    /// Returns the facts of an object.
    pub fn get(&self, key: &ObjectKey) -> Option<&Live> {
        self.objects.get(key)
    }

    /// Returns the objects that carry this label.
    pub fn of_app(&self, label: &str) -> impl Iterator<Item = &ObjectKey> {
        self.by_app.get(&Text::from(label)).into_iter().flatten()
    }

    /// Returns the number of objects.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Tells whether there is no object.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Sets the facts of an object, unless they are older than what is known. Tells whether they were taken.
    ///
    /// Versions of one kind grow, whatever object they are of (KEP-5504), so also an object's predecessor of the
    /// same name is known to be older.
    pub fn insert(&mut self, key: &ObjectKey, live: Live) -> bool {
        let known = self.objects.get(key).map(|known| known.version).max(self.gone.get(key).copied());
        if known.is_some_and(|known| known > live.version) {
            return false;
        }
        self.gone.remove(key);
        self.forget_owner(key);
        if let Some(app) = &live.app {
            self.by_app.entry(app.clone()).or_default().insert(key.clone());
        }
        self.objects.insert(key.clone(), live);
        true
    }

    /// Removes an object that went in this version, unless what is known is newer. With `awaited`, older facts that
    /// still come are no news either, until [`LiveIndex::forget_gone`].
    pub fn remove(&mut self, key: &ObjectKey, version: u64, awaited: bool) -> Option<Live> {
        if self.objects.get(key).is_some_and(|known| known.version > version) {
            return None;
        }
        if awaited {
            self.gone.insert(key.clone(), version);
        }
        self.forget_owner(key);
        self.objects.remove(key)
    }

    /// Forgets that an object went; nothing from before it went can come any more.
    pub fn forget_gone(&mut self, key: &ObjectKey) {
        self.gone.remove(key);
    }

    /// Returns the objects of a kind whose facts are as asked for.
    pub fn keys_of(&self, gk: &Gk, wanted: impl Fn(&Live) -> bool) -> Vec<ObjectKey> {
        let of_kind = self.objects.iter().filter(|(key, _)| key.kind == gk.kind && key.group == gk.group);
        of_kind.filter(|(_, live)| wanted(live)).map(|(key, _)| key.clone()).collect()
    }

    fn forget_owner(&mut self, key: &ObjectKey) {
        let Some(app) = self.objects.get(key).and_then(|live| live.app.as_ref()) else { return };
        if let Some(keys) = self.by_app.get_mut(app) {
            keys.remove(key);
            if keys.is_empty() {
                let app = app.clone();
                self.by_app.remove(&app);
            }
        }
    }
}

/// What there is to know about an App that others wait for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DependencyFacts {
    /// Whether it is synced and healthy.
    pub ready: bool,
    /// Where its sync stands.
    pub phase: Phase,
    /// The worst health of its objects.
    pub health: AppHealth,
    /// The source, to tell whether it is the same as ours.
    pub source: String,
    /// The revision that it has.
    pub revision: String,
}

impl DependencyFacts {
    /// Returns what an expression about it sees, as its `status`.
    pub(crate) fn to_object(&self) -> Object {
        let status: Map = [
            ("ready", Value::Bool(self.ready)),
            ("phase", Value::from(format!("{:?}", self.phase))),
            ("health", Value::from(format!("{:?}", self.health))),
            ("revision", Value::from(self.revision.as_str())),
        ]
        .into_iter()
        .collect();
        Object::new([("status", Value::Map(status))].into_iter().collect())
    }
}

/// What every decision may look at, beside the App's own state and the event.
pub struct Context<'a> {
    /// Whether writes wait for the API server: what can wait then is not added.
    pub saturated: bool,
    /// The time.
    pub now: Timestamp,
    /// A random number, for jitter.
    pub random: u64,
    /// The live objects.
    pub live: &'a LiveIndex,
    /// Tells about another App; nothing if there is none.
    pub dependency: &'a dyn Fn(&AppId) -> Option<DependencyFacts>,
}
