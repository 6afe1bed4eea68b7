//! Managed fields: who owns what, after a write and by an apply.
//!
//! The layers are those of apimachinery's `managedfields`: metadata that every object has is not owned,
//! the eleventh updater pushes the oldest into `ancient-changes`, an object that nobody tracked gets
//! `before-first-apply` at its first apply, and `kubectl`'s own apply settles with its client-side one.

use std::{
    hash::BuildHasher,
    sync::{LazyLock, Mutex, PoisonError},
};

use hashbrown::HashMap;
use lockstep_merge::apply::{
    ApplyError, Conflicts, Convert, Element, Entry, FieldSet, Identity, Managed, NotConverted, Operation, OwnedFields,
    Typed, Updater,
};
use lockstep_object::{Gvk, Map, Object, Text, Value};

use crate::{
    build::{map, text_at},
    catalog::{Catalog, Resource},
    server::{Call, Server},
    status::{Failure, Outcome},
    strategy, versions,
    writing::Write,
};

type Times = lockstep_merge::apply::Times;

/// Updaters beyond this share one entry.
const MOST_UPDATERS: usize = 10;
const ANCIENT: &str = "ancient-changes";
const BEFORE_FIRST_APPLY: &str = "before-first-apply";
/// The configuration that `kubectl apply` remembers.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// The key of the running operation until its manager is known to own something.
const CURRENT: &str = "current-operation";

/// What an apply makes of an object.
pub(crate) struct Applied {
    pub(crate) object: Value,
    /// Neither the object nor its managers change.
    pub(crate) unchanged: bool,
}

/// Converts between the served versions of one resource.
struct Versions<'a> {
    server: &'a Server,
    resource: &'a Resource,
}

impl Convert for Versions<'_> {
    fn convert(&self, object: &Typed, version: &str) -> Result<Typed, NotConverted> {
        let Ok(value) = Object::try_from(object.value().clone()) else { return Ok(object.clone()) };
        if version == value.api_version() {
            return Ok(object.clone());
        }
        let find = |version: &str| find_version(&self.server.catalog, self.resource, version);
        let target = find(version).ok_or(NotConverted::MissingVersion)?;
        // An event is in two groups, and the server converts inside a group only.
        if target.group != self.resource.group {
            return Err(NotConverted::MissingVersion);
        }
        let source = find(value.api_version()).unwrap_or(self.resource);
        let stored = versions::store_form(source, value);
        let shown = versions::show(target, &stored);
        typed(self.server, target, shown, true).map_err(NotConverted::Failed)
    }
}

pub(crate) fn find_version<'a>(catalog: &'a Catalog, resource: &Resource, api_version: &str) -> Option<&'a Resource> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    catalog.kind(group, version, &resource.kind).map(|found| &**found)
}

fn typed(server: &Server, resource: &Resource, value: Value, duplicates: bool) -> Result<Typed, String> {
    let root = server.schema.root_type(&Gvk::new(&resource.group, &resource.version, &resource.kind));
    Typed::new(without_managed(value), &root, server.schema.types(), duplicates)
        .map_err(|problems| problems.to_string())
}

fn without_managed(value: Value) -> Value {
    match value {
        Value::Map(mut map) => {
            if let Some(Value::Map(metadata)) = map.get_mut("metadata") {
                metadata.remove("managedFields");
            }
            Value::Map(map)
        }
        other => other,
    }
}

fn path(keys: &[&str]) -> Vec<Element> {
    keys.iter().map(|key| Element::field(key)).collect()
}

/// Fields that nobody owns.
static STRIPPED: LazyLock<FieldSet> = LazyLock::new(|| {
    let mut set = FieldSet::new();
    for keys in [vec!["apiVersion"], vec!["kind"], vec!["metadata"]] {
        set.insert(&path(&keys));
    }
    for key in [
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "clusterName",
        "generation",
        "managedFields",
        "resourceVersion",
    ] {
        set.insert(&path(&["metadata", key]));
    }
    set
});

/// What a write through this door leaves alone, and so does not own.
fn reset_fields(resource: &Resource, subresource: &str) -> FieldSet {
    let mut set = FieldSet::new();
    let mut add = |keys: &[&str]| set.insert(&path(keys));
    match subresource {
        "" | "finalize" if strategy::has_status(resource) => add(&["status"]),
        "status" if resource.is_custom() => {
            add(&["spec"]);
            add(&["metadata"]);
        }
        "status" => {
            add(&["spec"]);
            if resource.is("apps", "deployments") {
                add(&["metadata", "labels"]);
            }
            if resource.is("", "pods") {
                add(&["metadata", "deletionTimestamp"]);
                add(&["metadata", "ownerReferences"]);
            }
            if resource.is("apiextensions.k8s.io", "customresourcedefinitions") {
                add(&["metadata"]);
            }
        }
        _ => {}
    }
    set
}

fn updater<'a>(versions: &'a Versions<'a>, resource: &Resource, subresource: &str) -> Updater<'a> {
    let mut updater = Updater { converter: versions, ..Updater::default() };
    let reset = reset_fields(resource, subresource);
    if !reset.is_empty() {
        updater.ignored.insert(resource.api_version(), reset);
    }
    updater
}

fn identity(manager: &str, operation: Operation, resource: &Resource, subresource: &str) -> Identity {
    Identity {
        manager: Text::from(manager),
        operation,
        api_version: resource.api_version().into(),
        subresource: Text::from(subresource),
    }
}

pub(crate) fn decode(object: &Object) -> Option<(Managed, Times)> {
    let entries = object.at(&["metadata", "managedFields"])?;
    Managed::from_entries(entries).ok()
}

/// A list of one empty entry takes all ownership away.
fn is_reset(object: &Object) -> bool {
    let entries = object.at(&["metadata", "managedFields"]).and_then(Value::as_list);
    entries.is_some_and(|entries| {
        entries.iter().all(|entry| entry.as_map().is_some_and(Map::is_empty)) && entries.len() <= 1
    })
}

/// Which entries count: those that the client sent, or else those that were there.
fn live_or_new(old: Option<&Object>, new: &Object, subresource: bool) -> (Managed, Times) {
    let live = || old.and_then(decode).unwrap_or_default();
    if subresource {
        return live();
    }
    if is_reset(new) {
        return Default::default();
    }
    match decode(new) {
        Some((managed, times)) if !managed.is_empty() => (managed, times),
        _ => live(),
    }
}

pub(crate) fn store(server: &Server, object: &mut Object, managed: &Managed, times: &Times) {
    if managed.is_empty() {
        object.metadata_mut().remove("managedFields");
    } else {
        let kind = object.kind().to_owned();
        let entries = managed.to_value_by(times, |entry| server.printed.fields(&kind, entry));
        object.metadata_mut().insert("managedFields", entries);
    }
}

/// The `fieldsV1` that were written last, by kind and manager. Managers write the same fields again and again, a fleet of
/// similar objects above all: what is equal is printed once and shares its memory, a third of what an object takes.
#[derive(Debug, Default)]
pub(crate) struct Printed(Mutex<HashMap<u64, Value>>);

/// How many are remembered.
const MOST_PRINTED: usize = 1024;
/// How many fields one that is remembered may have: about 100 bytes each.
const MOST_FIELDS: usize = 500;

impl Printed {
    /// Returns what `fieldsV1` of an entry is.
    fn fields(&self, kind: &str, entry: &Entry) -> Value {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Two that fall together take each other's place.
        let key = known.hasher().hash_one((kind, &entry.identity));
        if let Some(fields) = known.get(&key).filter(|fields| entry.fields.is_value(fields)) {
            return fields.clone();
        }
        if known.len() >= MOST_PRINTED {
            known.clear();
        }
        let fields = entry.fields.to_value();
        if entry.fields.len() <= MOST_FIELDS {
            known.insert(key, fields.clone());
        }
        fields
    }
}

fn strip(managed: Managed) -> Managed {
    let mut kept = Managed::new();
    for (key, fields) in managed.iter() {
        let set = fields.set.difference(&STRIPPED);
        if !set.is_empty() {
            kept.insert(key.clone(), OwnedFields { set, ..fields.clone() });
        }
    }
    kept
}

/// Records a write by its manager. `new` is in the version of the request.
pub(crate) fn on_write(server: &Server, write: &Write<'_>, old: Option<&Object>, new: &mut Object) {
    let subresource = write.subresource.clone().unwrap_or_default();
    let manager = write.options.manager.clone();
    let time = write.moment.seconds();
    record(server, &write.resource, &subresource, &manager, &time, old, new);
}

/// Records a write by a manager; an object that cannot be typed keeps its entries.
pub(crate) fn record(
    server: &Server,
    resource: &Resource,
    subresource: &str,
    manager: &str,
    time: &str,
    old: Option<&Object>,
    new: &mut Object,
) {
    let (managed, times) = live_or_new(old, new, !subresource.is_empty());
    let result = update(server, resource, subresource, manager, time, old, new, managed, times);
    match result {
        Some((managed, times)) => store(server, new, &managed, &times),
        None => {
            if let Some(entries) = old.and_then(|old| old.at(&["metadata", "managedFields"])) {
                new.metadata_mut().insert("managedFields", entries.clone());
            } else {
                new.metadata_mut().remove("managedFields");
            }
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "the parts of one record, passed through")]
fn update(
    server: &Server,
    resource: &Resource,
    subresource: &str,
    manager: &str,
    time: &str,
    old: Option<&Object>,
    new: &Object,
    managed: Managed,
    times: Times,
) -> Option<(Managed, Times)> {
    if managed.is_empty() && old.is_some() {
        return Some((managed, times));
    }
    let versions = Versions { server, resource };
    let updater = updater(&versions, resource, subresource);
    let before = match old {
        Some(old) => typed(server, resource, versions::show(resource, old), true),
        None => empty(server, resource),
    };
    let before = before.ok()?;
    let after = typed(server, resource, new.to_value(), true).ok()?;
    let managed = updater.update(&before, &after, &resource.api_version(), &managed, CURRENT).ok()?;
    let mut managed = strip(managed);
    let mut times = times;
    let key = identity(manager, Operation::Update, resource, subresource).key();
    if let Some(own) = managed.remove(CURRENT) {
        let set = match managed.get(&key) {
            Some(known) => known.set.union(&own.set),
            None => own.set.clone(),
        };
        managed.insert(key.clone(), OwnedFields { set, ..own });
        times.insert(key, Text::from(time));
    }
    cap(&mut managed, &mut times);
    Some((managed, times))
}

/// An object of the kind with nothing in it.
pub(crate) fn empty(server: &Server, resource: &Resource) -> Result<Typed, String> {
    if let Some(known) = resource.empty.get() {
        return Ok(known.clone());
    }
    let bare = Object::new(map! { "apiVersion" => resource.api_version(), "kind" => resource.kind.as_str() });
    if resource.is_custom() {
        return typed(server, resource, bare.into_value(), true);
    }
    let made = typed(server, resource, crate::decode::zero_fields(server, resource, bare).into_value(), true)?;
    Ok(resource.empty.get_or_init(|| made).clone())
}

/// Joins the oldest updaters when there are too many.
fn cap(managed: &mut Managed, times: &mut Times) {
    let mut updaters: Vec<(Text, String)> = managed
        .iter()
        .filter(|(key, fields)| !fields.applied && Identity::from_key(key).is_some())
        .map(|(key, _)| (times.get(key).cloned().unwrap_or_else(|| Text::from("")), key.clone()))
        .collect();
    if updaters.len() <= MOST_UPDATERS {
        return;
    }
    updaters.sort_by(|a, b| (a.0.as_str(), &a.1).cmp(&(b.0.as_str(), &b.1)));
    let mut count = updaters.len();
    let mut buckets: std::collections::BTreeMap<String, String> = std::collections::BTreeMap::new();
    for (time, key) in updaters {
        if count <= MOST_UPDATERS {
            break;
        }
        let Some(fields) = managed.get(&key).cloned() else { continue };
        let bucket = Identity {
            manager: Text::from(ANCIENT),
            operation: Operation::Update,
            api_version: fields.version.as_str().into(),
            subresource: Text::from(""),
        }
        .key();
        if key == bucket {
            continue;
        }
        let first = buckets.insert(fields.version.clone(), bucket.clone()).is_none() && managed.get(&bucket).is_none();
        let set = managed.get(&bucket).map_or_else(|| fields.set.clone(), |known| known.set.union(&fields.set));
        managed.remove(&key);
        times.remove(&key);
        managed.insert(bucket.clone(), OwnedFields { set, ..fields });
        times.insert(bucket, time);
        if !first {
            count -= 1;
        }
    }
}

/// Merges what is applied into what is there; both in the version of the request.
pub(crate) fn apply(server: &Server, write: &Write<'_>, old: Option<&Object>, applied: &Object) -> Outcome<Applied> {
    let resource = &*write.resource;
    let subresource = write.subresource.clone().unwrap_or_default();
    if applied.at(&["metadata", "managedFields"]).is_some_and(|fields| !fields.is_null()) {
        return Err(Failure::bad_request("metadata.managedFields must be nil"));
    }
    let config = typed(server, resource, applied.to_value(), false).map_err(|error| {
        Failure::plain(format!("failed to create typed patch object ({}): {error}", names(applied)))
    })?;
    let live = match old {
        Some(old) => typed(server, resource, versions::show(resource, old), true),
        None => empty(server, resource),
    };
    let live = live
        .map_err(|error| Failure::plain(format!("failed to create typed live object ({}): {error}", names(applied))))?;
    if let Some(old) = old.filter(|old| is_repeated(write, old, &live, &config)) {
        return Ok(Applied { object: old.to_value(), unchanged: true });
    }
    let (mut managed, mut times) = old.and_then(decode).unwrap_or_default();
    let tracked = !managed.is_empty();
    if !tracked && let Some(old) = old {
        let time = write.moment.seconds();
        let first =
            update(server, resource, &subresource, BEFORE_FIRST_APPLY, &time, None, old, Managed::new(), Times::new());
        (managed, times) = first.unwrap_or_default();
    }
    let versions = Versions { server, resource };
    let updater = updater(&versions, resource, &subresource);
    let key = identity(&write.options.manager, Operation::Apply, resource, &subresource).key();
    let force = write.options.force == Some(true);
    let version = resource.api_version();
    let mut result = updater.apply(&live, &config, &version, &managed, &key, force);
    if let (Err(ApplyError::Conflicts(conflicts)), "kubectl") = (&result, write.options.manager.as_str()) {
        let rest = foreign_conflicts(server, resource, old, conflicts);
        result = if rest.0.is_empty() {
            updater.apply(&live, &config, &version, &managed, &key, true)
        } else {
            Err(ApplyError::Conflicts(rest))
        };
    }
    let outcome = result.map_err(|error| match error {
        ApplyError::Conflicts(conflicts) => conflict_failure(&conflicts),
        ApplyError::Failed(message) => Failure::plain(message),
    })?;
    let managers = strip(outcome.managers);
    let unchanged = tracked && outcome.object.is_none() && managers == managed;
    let changed = outcome.object.is_some();
    if changed {
        times.insert(key, Text::from(write.moment.seconds()));
    }
    let value = outcome.object.unwrap_or_else(|| live.into_value());
    let mut object = Object::try_from(value).unwrap_or_default();
    if write.options.manager == "kubectl" && object.annotation(LAST_APPLIED).is_some() {
        let mut remembered = applied.clone();
        if let Some(Value::Map(annotations)) = remembered.metadata_mut().get_mut("annotations") {
            annotations.remove(LAST_APPLIED);
        }
        let mut remembered = remembered.to_value();
        crate::gotypes::sort(&mut remembered);
        let text = format!("{}\n", lockstep_object::to_json_html_safe(&remembered));
        object.set_annotation(LAST_APPLIED, &text);
    }
    store(server, &mut object, &managers, &times);
    Ok(Applied { object: object.into_value(), unchanged })
}

/// Tells whether a manager applies once more what is there, which is the usual apply: its fields are those of its entry
/// and have the values of the object. Such an apply changes nothing, so nobody else's entry has to be read.
fn is_repeated(write: &Write<'_>, old: &Object, live: &Typed, config: &Typed) -> bool {
    let resource = &*write.resource;
    // The schema of a custom resource may be another one than when the entries were written.
    if resource.is_custom() || write.subresource.is_some() || !versions::is_stored_form(resource, old) {
        return false;
    }
    let entries = old.at(&["metadata", "managedFields"]).and_then(Value::as_list).map(|list| &**list);
    let entries = entries.unwrap_or_default();
    let version = resource.api_version();
    let is_own = |entry: &&Value| {
        text_at(entry, &["operation"]) == Operation::Apply.as_str()
            && text_at(entry, &["manager"]) == write.options.manager
            && text_at(entry, &["subresource"]).is_empty()
    };
    if entries.iter().any(|entry| text_at(entry, &["apiVersion"]) != version) {
        return false;
    }
    let Some(fields) = entries.iter().find(is_own).and_then(|entry| entry.get("fieldsV1")) else { return false };
    let set = config.field_set().map(|set| set.recursive_difference(&reset_fields(resource, "")).difference(&STRIPPED));
    // A merge that changes nothing gives back the same memory.
    let unchanged = |merged: &Typed| match (merged.value(), live.value()) {
        (Value::Map(merged), Value::Map(live)) => merged.shares(live),
        _ => false,
    };
    set.is_ok_and(|set| set.is_value(fields)) && live.merge(config).is_ok_and(|merged| unchanged(&merged))
}

/// The conflicts that a client-side apply of the same values does not explain.
fn foreign_conflicts(server: &Server, resource: &Resource, old: Option<&Object>, conflicts: &Conflicts) -> Conflicts {
    let allowed = old.and_then(|old| {
        let text = old.annotation(LAST_APPLIED)?;
        let last = lockstep_object::from_json(text.as_bytes()).ok()?;
        let last = typed(server, resource, last, true).ok()?;
        let live = typed(server, resource, versions::show(resource, old), true).ok()?;
        let set = last.field_set().ok()?;
        let compared = last.compare(&live).ok()?;
        Some(set.difference(&compared.modified).difference(&compared.removed))
    });
    let allowed = allowed.unwrap_or_default();
    Conflicts(conflicts.0.iter().filter(|conflict| !allowed.has(&conflict.path.0)).cloned().collect())
}

fn names(object: &Object) -> String {
    let gvk = object.gvk();
    format!("{}/{}; {}/{}, Kind={}", object.namespace(), object.name(), gvk.group, gvk.version, gvk.kind)
}

/// Names a manager as the server does in conflicts.
fn print_manager(key: &str) -> String {
    let Some(identity) = Identity::from_key(key) else { return crate::status::go_quote(key) };
    let mut text = crate::status::go_quote(&identity.manager);
    if !identity.subresource.is_empty() {
        text.push_str(&format!(" with subresource {}", crate::status::go_quote(&identity.subresource)));
    }
    if identity.operation == Operation::Update {
        text.push_str(&format!(" using {}", identity.api_version));
    }
    text
}

fn conflict_failure(conflicts: &Conflicts) -> Failure {
    let causes: Vec<Value> = conflicts
        .0
        .iter()
        .map(|conflict| {
            Value::Map(map! {
                "reason" => "FieldManagerConflict",
                "message" => format!("conflict with {}", print_manager(&conflict.manager)),
                "field" => conflict.path.to_string(),
            })
        })
        .collect();
    let message = match conflicts.0.as_slice() {
        [one] => format!("Apply failed with 1 conflict: conflict with {}: {}", print_manager(&one.manager), one.path),
        many => {
            let mut lines: Vec<String> = Vec::new();
            let mut managers: Vec<&String> = many.iter().map(|conflict| &conflict.manager).collect();
            managers.sort();
            managers.dedup();
            for manager in managers {
                lines.push(format!("conflicts with {}:", print_manager(manager)));
                lines.extend(many.iter().filter(|one| one.manager == *manager).map(|one| format!("- {}", one.path)));
            }
            format!("Apply failed with {} conflicts: {}", many.len(), lines.join("\n"))
        }
    };
    Failure::new(409, "Conflict", message).with_details(map! { "causes" => causes })
}

/// Tells whether two objects differ at most in the times of their managed fields.
pub(crate) fn equal_but_times(old: &Object, new: &Object) -> bool {
    if old == new {
        return true;
    }
    let strip = |object: &Object| {
        let mut object = object.clone();
        if let Some(Value::List(entries)) = object.metadata_mut().get_mut("managedFields") {
            for entry in entries.make_mut() {
                if let Value::Map(entry) = entry {
                    entry.remove("time");
                }
            }
        }
        object
    };
    strip(old) == strip(new)
}

/// Records the writer of a review, which is answered and not stored.
pub(crate) fn on_review(server: &Server, call: &Call<'_>, options: &crate::options::WriteOptions, object: &mut Object) {
    let time = call.moment.seconds();
    record(server, &call.resource, "", &options.manager, &time, None, object);
}

/// Records a write of the status by a part of the server itself.
pub(crate) fn record_status(server: &Server, old: &Object, new: &mut Object, manager: &str, time: &str) {
    let gvk = new.gvk();
    if let Some(resource) = server.catalog.kind(&gvk.group, &gvk.version, &gvk.kind).cloned() {
        record(server, &resource, "status", manager, time, Some(old), new);
    }
}
