//! The objects and their history.
//!
//! Every resource has a bucket: its objects in the order of namespace and name, and a ring of its last
//! changes. Watches and old pages of lists read the ring; a version that fell off it is `410 Gone`.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    ops::Bound,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use lockstep_object::{Map, Object, Value};
use tokio::sync::watch;

use crate::build::{list_at, text_at};

/// How many changes of a resource are remembered. A watcher that is further behind starts anew with a list;
/// kube-apiserver's own window has at most as many entries, clients cope with less.
const RING: usize = 8192;
/// How much memory, in bytes, the remembered changes of a resource may take, nearly: large objects are remembered for a
/// shorter time.
const RING_BYTES: usize = 64 << 20;

/// What an entry of a map takes beside its text.
const NODE: usize = 32;

/// The buckets whose objects are adopted by their labels, see [`crate::controllers`].
const ADOPTED: [&str; 2] = ["/pods", "apps/replicasets"];

/// An object as it is kept, with the version of its last change.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) object: Object,
    pub(crate) version: u64,
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Added,
    Modified,
    Deleted,
}

/// One change of one object.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) change: Change,
    pub(crate) version: u64,
    pub(crate) stored: Arc<Stored>,
    pub(crate) previous: Option<Arc<Stored>>,
    /// The line of the watchers that see the change as it is, encoded once for all of them.
    pub(crate) line: OnceLock<Bytes>,
}

impl Event {
    fn new(change: Change, version: u64, stored: Arc<Stored>, previous: Option<Arc<Stored>>) -> Self {
        Self { change, version, stored, previous, line: OnceLock::new() }
    }
}

/// Names an object inside a bucket; ordered as lists are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    pub(crate) namespace: Box<str>,
    pub(crate) name: Box<str>,
}

impl Name {
    pub(crate) fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    pub(crate) fn of(object: &Object) -> Self {
        Self::new(object.namespace(), object.name())
    }
}

/// The objects of one resource.
#[derive(Debug)]
pub(crate) struct Bucket {
    objects: BTreeMap<Name, Arc<Stored>>,
    ring: VecDeque<Arc<Event>>,
    /// What the objects of the ring take, nearly.
    ring_bytes: usize,
    /// Changes up to this version are no longer in the ring.
    floor: u64,
    changed: watch::Sender<u64>,
}

impl Bucket {
    fn new(floor: u64) -> Self {
        Self { objects: BTreeMap::new(), ring: VecDeque::new(), ring_bytes: 0, floor, changed: watch::Sender::new(0) }
    }

    pub(crate) fn get(&self, namespace: &str, name: &str) -> Option<&Arc<Stored>> {
        self.objects.get(&Name::new(namespace, name))
    }

    pub(crate) fn len(&self) -> usize {
        self.objects.len()
    }

    /// Walks the objects of a namespace, or all.
    pub(crate) fn range<'a>(&'a self, namespace: Option<&'a str>) -> impl Iterator<Item = (&'a Name, &'a Arc<Stored>)> {
        self.range_after(namespace, None)
    }

    /// Walks the objects of a namespace, or all, that come after `after`.
    pub(crate) fn range_after<'a>(
        &'a self,
        namespace: Option<&'a str>,
        after: Option<&Name>,
    ) -> impl Iterator<Item = (&'a Name, &'a Arc<Stored>)> {
        let start = match (after, namespace) {
            (Some(after), _) => Bound::Excluded(after.clone()),
            (None, Some(namespace)) => Bound::Included(Name::new(namespace, "")),
            (None, None) => Bound::Unbounded,
        };
        self.objects
            .range((start, Bound::Unbounded))
            .take_while(move |(name, _)| namespace.is_none_or(|wanted| &*name.namespace == wanted))
    }

    /// Returns the changes after `version`, or `None` when they are no longer remembered.
    pub(crate) fn since(&self, version: u64) -> Option<impl DoubleEndedIterator<Item = &Arc<Event>>> {
        if version < self.floor {
            return None;
        }
        let start = self.ring.partition_point(|event| event.version <= version);
        Some(self.ring.range(start..))
    }

    /// Rebuilds the objects as they were at `version`, or `None` when that is too long ago.
    pub(crate) fn snapshot(&self, version: u64) -> Option<BTreeMap<Name, Arc<Stored>>> {
        let later = self.since(version)?;
        let mut objects = self.objects.clone();
        for event in later.rev() {
            let name = Name::of(&event.stored.object);
            match &event.previous {
                Some(previous) => objects.insert(name, previous.clone()),
                None => objects.remove(&name),
            };
        }
        Some(objects)
    }

    /// Tells whoever waits that something changed.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn remember(&mut self, event: Event) {
        let version = event.version;
        self.ring_bytes += weight(event.stored.object.root());
        self.ring.push_back(Arc::new(event));
        while (self.ring.len() > RING || self.ring_bytes > RING_BYTES)
            && let Some(oldest) = self.ring.pop_front()
        {
            self.ring_bytes -= weight(oldest.stored.object.root());
            self.floor = oldest.version;
        }
        self.changed.send_replace(version);
    }
}

/// A write, for whoever keeps them on disk.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub(crate) store: Arc<str>,
    pub(crate) name: Name,
    /// The new object, or `None` when it was deleted.
    pub(crate) stored: Option<Arc<Stored>>,
    pub(crate) version: u64,
}

/// All objects of the server.
#[derive(Debug)]
pub(crate) struct Store {
    version: u64,
    buckets: BTreeMap<Arc<str>, Bucket>,
    /// Who is owned by which uid.
    dependents: HashMap<Box<str>, BTreeSet<(Arc<str>, Name)>>,
    /// What nobody controls, of the buckets whose objects are adopted: a controller that looked through all objects
    /// of its namespace would make a thousand Deployments there cost a million looks.
    orphans: BTreeSet<(Arc<str>, Name)>,
    /// Writes since they were last taken; `None` when nobody keeps them.
    journal: Option<Vec<Write>>,
    /// Buckets and names changed since the controllers last looked; `None` without controllers.
    dirty: Option<Vec<Arc<Event>>>,
}

impl Store {
    pub(crate) fn new(keep_journal: bool, keep_dirty: bool) -> Self {
        Self {
            version: 1,
            buckets: BTreeMap::new(),
            dependents: HashMap::new(),
            orphans: BTreeSet::new(),
            journal: keep_journal.then(Vec::new),
            dirty: keep_dirty.then(Vec::new),
        }
    }

    /// Returns the version of the last change.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn bucket(&self, store: &str) -> Option<&Bucket> {
        self.buckets.get(store)
    }

    pub(crate) fn buckets(&self) -> impl Iterator<Item = (&Arc<str>, &Bucket)> {
        self.buckets.iter()
    }

    /// Makes the bucket of a resource whose history begins now (`fresh`) or at the server's start.
    pub(crate) fn open(&mut self, store: &Arc<str>, fresh: bool) {
        let floor = if fresh { self.version } else { 0 };
        self.buckets.entry(store.clone()).or_insert_with(|| Bucket::new(floor));
    }

    /// Forgets a resource.
    pub(crate) fn close(&mut self, store: &str) {
        self.buckets.remove(store);
    }

    pub(crate) fn get(&self, store: &str, namespace: &str, name: &str) -> Option<&Arc<Stored>> {
        self.bucket(store)?.get(namespace, name)
    }

    /// Puts an object: it gets the next version as its `resourceVersion`.
    pub(crate) fn put(&mut self, store: &Arc<str>, mut object: Object) -> Arc<Stored> {
        self.version += 1;
        object.metadata_mut().insert("resourceVersion", self.version.to_string());
        self.keep(store, object, self.version)
    }

    /// Puts an object back as it was kept on disk.
    pub(crate) fn restore(&mut self, store: &Arc<str>, object: Object, version: u64) {
        self.open(store, false);
        let name = Name::of(&object);
        let stored = Arc::new(Stored { object, version });
        self.index(store, &name, &stored.object);
        if let Some(bucket) = self.buckets.get_mut(store) {
            bucket.objects.insert(name, stored);
        }
        self.version = self.version.max(version);
    }

    /// Says that the history before now is not known, as after a restart.
    pub(crate) fn forget_history(&mut self, version: u64) {
        self.version = self.version.max(version);
        for bucket in self.buckets.values_mut() {
            bucket.floor = self.version;
        }
    }

    fn keep(&mut self, store: &Arc<str>, object: Object, version: u64) -> Arc<Stored> {
        let name = Name::of(&object);
        let stored = Arc::new(Stored { object, version });
        self.open(store, false);
        let previous = self.bucket(store).and_then(|bucket| bucket.objects.get(&name)).cloned();
        if let Some(previous) = &previous {
            self.unindex(store, &name, &previous.object);
        }
        self.index(store, &name, &stored.object);
        let change = if previous.is_some() { Change::Modified } else { Change::Added };
        let event = Event::new(change, version, stored.clone(), previous);
        if let Some(journal) = &mut self.journal {
            journal.push(Write { store: store.clone(), name: name.clone(), stored: Some(stored.clone()), version });
        }
        if let Some(bucket) = self.buckets.get_mut(store) {
            bucket.objects.insert(name, stored.clone());
        }
        self.record(store, event);
        stored
    }

    /// Removes an object. Returns it as its watchers see it last: with the version of its deletion.
    pub(crate) fn remove(&mut self, store: &Arc<str>, namespace: &str, name: &str) -> Option<Arc<Stored>> {
        let name = Name::new(namespace, name);
        let previous = self.buckets.get_mut(store)?.objects.remove(&name)?;
        self.unindex(store, &name, &previous.object);
        self.version += 1;
        let mut object = previous.object.clone();
        object.metadata_mut().insert("resourceVersion", self.version.to_string());
        let stored = Arc::new(Stored { object, version: self.version });
        if let Some(journal) = &mut self.journal {
            journal.push(Write { store: store.clone(), name, stored: None, version: self.version });
        }
        let event = Event::new(Change::Deleted, self.version, stored.clone(), Some(previous));
        self.record(store, event);
        Some(stored)
    }

    fn record(&mut self, store: &Arc<str>, event: Event) {
        let Some(bucket) = self.buckets.get_mut(store) else { return };
        bucket.remember(event);
        if let (Some(dirty), Some(event)) = (&mut self.dirty, bucket.ring.back()) {
            dirty.push(event.clone());
        }
    }

    /// Takes the writes since the last call.
    pub(crate) fn take_journal(&mut self) -> Vec<Write> {
        self.journal.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Takes the changes since the controllers last looked.
    pub(crate) fn take_dirty(&mut self) -> Vec<Arc<Event>> {
        self.dirty.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Tells whether controllers have something to look at.
    pub(crate) fn is_dirty(&self) -> bool {
        self.dirty.as_ref().is_some_and(|dirty| !dirty.is_empty())
    }

    /// Walks what is owned by `uid`.
    pub(crate) fn dependents(&self, uid: &str) -> Vec<(Arc<str>, Name)> {
        self.dependents.get(uid).map(|all| all.iter().cloned().collect()).unwrap_or_default()
    }

    /// Walks what nobody controls in a namespace, of a bucket whose objects are adopted.
    pub(crate) fn orphans(&self, store: &str, namespace: &str) -> impl Iterator<Item = &Arc<Stored>> {
        let first = (Arc::from(store), Name::new(namespace, ""));
        self.orphans
            .range(first.clone()..)
            .take_while(move |(store, name)| *store == first.0 && name.namespace == first.1.namespace)
            .filter_map(|(store, name)| self.get(store, &name.namespace, &name.name))
    }

    fn index(&mut self, store: &Arc<str>, name: &Name, object: &Object) {
        if ADOPTED.contains(&&**store) && controller(object).is_none() {
            self.orphans.insert((store.clone(), name.clone()));
        }
        for owner in owner_uids(object) {
            self.dependents.entry(owner.into()).or_default().insert((store.clone(), name.clone()));
        }
    }

    fn unindex(&mut self, store: &Arc<str>, name: &Name, object: &Object) {
        if ADOPTED.contains(&&**store) {
            self.orphans.remove(&(store.clone(), name.clone()));
        }
        for owner in owner_uids(object) {
            if let Some(all) = self.dependents.get_mut(owner) {
                all.remove(&(store.clone(), name.clone()));
                if all.is_empty() {
                    self.dependents.remove(owner);
                }
            }
        }
    }
}

/// Returns the uid of what controls an object.
pub(crate) fn controller(object: &Object) -> Option<&str> {
    let owners = list_at(object.root().get("metadata")?, &["ownerReferences"]);
    let owner = owners.iter().find(|one| one.get("controller").and_then(Value::as_bool) == Some(true))?;
    Some(text_at(owner, &["uid"]))
}

/// Estimates the bytes that a map takes, its line of a watch not counted.
fn weight(map: &Map) -> usize {
    map.iter().map(|(_, value)| NODE + weight_of(value)).sum()
}

fn weight_of(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::List(items) => items.iter().map(|item| NODE + weight_of(item)).sum(),
        Value::Map(map) => weight(map),
        _ => 0,
    }
}

fn owner_uids(object: &Object) -> impl Iterator<Item = &str> {
    let owners = object.root().get("metadata").map(|metadata| list_at(metadata, &["ownerReferences"]));
    owners.unwrap_or_default().iter().map(|owner: &Value| text_at(owner, &["uid"])).filter(|uid| !uid.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::map;

    fn object(name: &str) -> Object {
        Object::new(map! { "metadata" => map! { "name" => name, "namespace" => "n" } })
    }

    #[test]
    fn a_snapshot_shows_what_was_and_not_what_is() {
        let (mut store, configs): (_, Arc<str>) = (Store::new(false, false), "/configmaps".into());
        store.put(&configs, object("a"));
        let then = store.put(&configs, object("b")).version;
        store.remove(&configs, "n", "a");
        store.put(&configs, object("c"));
        let names: Vec<_> =
            store.bucket(&configs).unwrap().snapshot(then).unwrap().into_keys().map(|n| n.name).collect();
        assert_eq!(names, ["a".into(), "b".into()]);
    }

    #[test]
    fn a_version_that_fell_off_the_ring_is_gone() {
        let (mut store, configs): (_, Arc<str>) = (Store::new(false, false), "/configmaps".into());
        let first = store.put(&configs, object("a")).version;
        for _ in 0..=RING {
            store.put(&configs, object("a"));
        }
        assert!(store.bucket(&configs).unwrap().since(first).is_none());
    }

    #[test]
    fn large_objects_are_remembered_for_a_shorter_time() {
        let (mut store, configs): (_, Arc<str>) = (Store::new(false, false), "/configmaps".into());
        let large = "x".repeat(RING_BYTES / 4);
        let mut put = || {
            let mut object = object("a");
            object.metadata_mut().insert("large", large.as_str());
            store.put(&configs, object).version
        };
        let versions = [put(), put(), put(), put(), put()];
        let remembered = versions.map(|version| store.bucket(&configs).unwrap().since(version).is_some());
        assert_eq!(remembered, [false, true, true, true, true]);
    }
}
