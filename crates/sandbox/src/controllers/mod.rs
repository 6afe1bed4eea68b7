//! Simulated controllers: what a cluster does with objects, without running anything.
//!
//! Each controller is a function of the store: it looks at one object and writes what a real one would.
//! Changes put objects on a queue ([`Memory`]); what must wait (a kubelet's delay, a schedule) is a
//! timer. [`step`] runs until the queue is empty and says when it wants to be called again.

mod accounts;
mod adoption;
mod aggregation;
mod autoscalers;
mod budgets;
mod daemons;
mod events;
mod garbage;
mod jobs;
mod network;
mod pods;
mod revisions;
mod sets;
mod workloads;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};
use lockstep_object::{Object, Value};

use crate::{
    build::{list_at, text_at},
    moment::Moment,
    options::{FieldValidation, WriteOptions},
    server::Server,
    store::{Change, Event, Name},
    writing::Write,
};

/// The manager of what controllers write.
pub(crate) const MANAGER: &str = "kube-controller-manager";
/// The manager of what nodes write.
pub(crate) const KUBELET: &str = "kubelet";
/// A step ends after so many objects, so that requests are served between.
const BATCH: usize = 200;

type Key = (Arc<str>, Name);

/// What controllers remember between steps.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    queue: BTreeSet<Key>,
    timers: BTreeMap<(Timestamp, Key), ()>,
}

impl Memory {
    fn later(&mut self, at: Timestamp, key: Key) {
        self.timers.insert((at, key), ());
    }
}

/// Does what is due. Returns when there is more to do, if that is known.
pub(crate) fn step(server: &mut Server, moment: &mut Moment) -> Option<Timestamp> {
    for event in server.store.take_dirty() {
        notice(server, &event);
    }
    let now = moment.now();
    while let Some(((at, key), ())) = server.controllers.timers.pop_first() {
        if at > now {
            server.controllers.timers.insert((at, key), ());
            break;
        }
        server.controllers.queue.insert(key);
    }
    for _ in 0..BATCH {
        let Some((store, name)) = server.controllers.queue.pop_first() else { break };
        reconcile(server, moment, &store, &name);
        for event in server.store.take_dirty() {
            notice(server, &event);
        }
    }
    if !server.controllers.queue.is_empty() {
        return Some(now);
    }
    server.controllers.timers.first_key_value().map(|((at, _), ())| *at)
}

/// Queues everything at the start, when objects came from a file.
pub(crate) fn queue_all(server: &mut Server) {
    let keys: Vec<Key> = server
        .store
        .buckets()
        .flat_map(|(store, bucket)| {
            bucket.range(None).map(|(name, _)| (store.clone(), name.clone())).collect::<Vec<_>>()
        })
        .collect();
    server.controllers.queue.extend(keys);
}

/// Queues what a change concerns: the object, its owners, and who selects it.
fn notice(server: &mut Server, event: &Event) {
    let object = &event.stored.object;
    let gvk = object.gvk();
    let Some(store) = server.catalog.kind(&gvk.group, &gvk.version, &gvk.kind).map(|resource| resource.store.clone())
    else {
        return;
    };
    let name = Name::of(object);
    let queue = &mut server.controllers.queue;
    for owner in list_at(&object.to_value(), &["metadata", "ownerReferences"]) {
        let (group, kind) = (group_of(text_at(owner, &["apiVersion"])), text_at(owner, &["kind"]));
        if let Some(resource) = server.catalog.any_version(&group, kind) {
            let namespace = if resource.namespaced { object.namespace() } else { "" };
            queue.insert((resource.store.clone(), Name::new(namespace, text_at(owner, &["name"]))));
        }
    }
    if &*store == "/pods" {
        for other in ["/services", "policy/poddisruptionbudgets"] {
            let bucket =
                server.store.bucket(other).into_iter().flat_map(|bucket| bucket.range(Some(object.namespace())));
            queue.extend(bucket.map(|(name, _)| (Arc::from(other), name.clone())));
        }
    }
    if &*store == aggregation::STORE {
        let others = aggregation::aggregated(server);
        server.controllers.queue.extend(others);
    }
    let autoscalers = autoscalers::of(server, object);
    let queue = &mut server.controllers.queue;
    queue.extend(autoscalers.into_iter().map(|name| (autoscalers::STORE.into(), name)));
    let namespace = object.namespace();
    if event.change == Change::Deleted && !namespace.is_empty() {
        let going = server.store.get("/namespaces", "", namespace);
        if going.is_some_and(|one| one.object.at(&["metadata", "deletionTimestamp"]).is_some()) {
            queue.insert(("/namespaces".into(), Name::new("", namespace)));
        }
    }
    if event.change == Change::Deleted && accounts::belongs_to_namespace(&store, &name) {
        queue.insert(("/namespaces".into(), Name::new("", namespace)));
    }
    if event.change == Change::Deleted && &*store == "/serviceaccounts" {
        let secrets = server.store.bucket("/secrets").into_iter().flat_map(|bucket| bucket.range(Some(namespace)));
        queue.extend(secrets.map(|(name, _)| (Arc::from("/secrets"), name.clone())));
    }
    if event.change == Change::Deleted {
        let uid = crate::strategy::uid_of(object);
        queue.extend(server.store.dependents(uid));
    }
    queue.insert((store, name));
}

fn group_of(api_version: &str) -> String {
    api_version.split_once('/').map(|(group, _)| group.to_owned()).unwrap_or_default()
}

fn reconcile(server: &mut Server, moment: &mut Moment, store: &Arc<str>, name: &Name) {
    let Some(stored) = server.store.get(store, &name.namespace, &name.name).cloned() else { return };
    let object = &stored.object;
    if garbage::collect(server, moment, store, object) {
        return;
    }
    match &**store {
        "/namespaces" => garbage::namespace(server, moment, object),
        aggregation::STORE => aggregation::role(server, moment, object),
        "/secrets" => accounts::token_secret(server, moment, object),
        "/pods" => pods::pod(server, moment, object),
        "apps/deployments" => workloads::deployment(server, moment, object),
        "apps/replicasets" => workloads::replica_set(server, moment, object),
        "apps/statefulsets" => sets::stateful_set(server, moment, object),
        "apps/daemonsets" => daemons::daemon_set(server, moment, object),
        "batch/jobs" => jobs::job(server, moment, object),
        "batch/cronjobs" => jobs::cron_job(server, moment, object),
        "/services" => network::service(server, moment, object),
        "networking.k8s.io/ingresses" => network::ingress(server, moment, object),
        "/persistentvolumeclaims" => network::claim(server, moment, object),
        "policy/poddisruptionbudgets" => budgets::budget(server, moment, object),
        events::STORE => events::expire(server, moment, object),
        autoscalers::STORE => autoscalers::autoscaler(server, moment, object),
        _ => {}
    }
}

/// Creates an object as the controller manager does; one that is there already is left alone.
fn create(server: &mut Server, moment: &mut Moment, store: &str, object: Object) -> Option<Object> {
    let gvk = object.gvk();
    let resource = server.catalog.kind(&gvk.group, &gvk.version, &gvk.kind)?.clone();
    debug_assert_eq!(&*resource.store, store);
    let object = server.settle(&resource, object.into_value()).ok()?;
    let mut write = Write {
        namespace: object.namespace().to_owned(),
        name: object.name().to_owned(),
        subresource: None,
        options: WriteOptions {
            dry_run: false,
            manager: MANAGER.to_owned(),
            force: None,
            validation: FieldValidation::Ignore,
        },
        resource,
        moment,
        warnings: Vec::new(),
        applied: false,
    };
    match server.create_object(&mut write, object) {
        Ok(created) => Some(created),
        Err(failure) => {
            tracing::debug!(message = failure.message(), "a controller could not create an object");
            None
        }
    }
}

/// Writes a changed object as a controller does; nothing happens if it is as it was.
fn update(server: &mut Server, moment: &mut Moment, old: &Object, mut new: Object, subresource: &str, manager: &str) {
    if *old == new {
        return;
    }
    let gvk = new.gvk();
    let Some(resource) = server.catalog.kind(&gvk.group, &gvk.version, &gvk.kind).cloned() else { return };
    let time = moment.seconds();
    crate::managed::record(server, &resource, subresource, manager, &time, Some(old), &mut new);
    if subresource != "status" {
        crate::strategy::count_generation(&resource, old, &mut new);
    }
    server.store.put(&resource.store, new);
}

/// Writes a status.
fn write_status(server: &mut Server, moment: &mut Moment, old: &Object, status: Value) {
    let mut new = old.clone();
    new.root_mut().insert("status", status);
    update(server, moment, old, new, "status", MANAGER);
}

/// Deletes an object in the background.
fn delete(server: &mut Server, moment: &mut Moment, object: &Object) {
    let gvk = object.gvk();
    let Some(resource) = server.catalog.kind(&gvk.group, &gvk.version, &gvk.kind).cloned() else { return };
    let options = crate::options::DeleteOptions {
        propagation: Some(crate::options::Propagation::Background),
        uid: Some(crate::strategy::uid_of(object).to_owned()),
        ..crate::options::DeleteOptions::default()
    };
    if let Err(failure) = server.delete_object(&resource, object.namespace(), object.name(), &options, moment) {
        tracing::debug!(message = failure.message(), "a controller could not delete an object");
    }
}

/// The controller that owns pods of a workload, by the owner's kind.
fn controller_of(owner: &Object) -> String {
    format!("{}-controller", owner.kind().to_lowercase())
}

/// Creates a pod of a workload, which hears of it.
fn create_pod(server: &mut Server, moment: &mut Moment, owner: &Object, pod: Object) -> Option<Object> {
    let created = create(server, moment, "/pods", pod)?;
    tell_of_pod(server, moment, owner, created.name(), true);
    Some(created)
}

/// Deletes a pod of a workload, which hears of it.
fn delete_pod(server: &mut Server, moment: &mut Moment, owner: &Object, pod: &Object) {
    delete(server, moment, pod);
    tell_of_pod(server, moment, owner, pod.name(), false);
}

fn tell_of_pod(server: &mut Server, moment: &mut Moment, owner: &Object, name: &str, created: bool) {
    let (reason, verb, past) =
        if created { ("SuccessfulCreate", "create", "Created") } else { ("SuccessfulDelete", "delete", "Deleted") };
    let message = match owner.kind() {
        "StatefulSet" => format!("{verb} Pod {name} in StatefulSet {} successful", owner.name()),
        _ => format!("{past} pod: {name}"),
    };
    events::tell(server, moment, owner, &events::Event::normal(&controller_of(owner), reason, &message));
}

/// Returns the objects of `store` that `owner` controls.
fn controlled(server: &Server, store: &str, owner: &Object) -> Vec<Object> {
    let uid = crate::strategy::uid_of(owner);
    let found = server.store.dependents(uid).into_iter().filter(|(known, _)| &**known == store);
    found
        .filter_map(|(store, name)| server.store.get(&store, &name.namespace, &name.name))
        .map(|one| one.object.clone())
        .collect()
}

/// The reference to an owner that controls.
fn owner_reference(owner: &Object) -> Value {
    Value::Map(crate::build::map! {
        "apiVersion" => owner.api_version(), "kind" => owner.kind(), "name" => owner.name(),
        "uid" => crate::strategy::uid_of(owner), "controller" => true, "blockOwnerDeletion" => true,
    })
}

fn is_deleted(object: &Object) -> bool {
    object.at(&["metadata", "deletionTimestamp"]).is_some()
}

fn later(server: &mut Server, moment: &Moment, delay: std::time::Duration, object: &Object, store: &str) {
    let delay = SignedDuration::try_from(delay).unwrap_or(SignedDuration::MAX);
    let at = moment.now().checked_add(delay).unwrap_or(moment.now());
    server.controllers.later(at, (store.into(), Name::of(object)));
}

/// Returns a condition whose time is that of its last change.
fn condition(
    old: &Value,
    kind: &str,
    truth: bool,
    reason: &str,
    message: &str,
    moment: &Moment,
    updates: bool,
) -> Value {
    let known = list_at(old, &["conditions"]).iter().find(|one| text_at(one, &["type"]) == kind);
    let status = if truth { "True" } else { "False" };
    let time = moment.seconds();
    let changed = known.is_none_or(|one| text_at(one, &["status"]) != status);
    let transition = match known {
        Some(one) if !changed => text_at(one, &["lastTransitionTime"]).to_owned(),
        _ => time.clone(),
    };
    let same = known
        .is_some_and(|one| !changed && text_at(one, &["reason"]) == reason && text_at(one, &["message"]) == message);
    let mut made = crate::build::map! { "type" => kind, "status" => status };
    if updates {
        let known_update = known.map(|one| text_at(one, &["lastUpdateTime"]).to_owned()).filter(|_| same);
        made.insert("lastUpdateTime", known_update.unwrap_or_else(|| time.clone()));
    }
    made.insert("lastTransitionTime", transition);
    made.insert("reason", reason);
    made.insert("message", message);
    Value::Map(made)
}
