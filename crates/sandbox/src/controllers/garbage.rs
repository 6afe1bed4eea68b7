//! Owners and namespaces.

use std::sync::Arc;

use lockstep_object::{Object, Value};

use super::{MANAGER, delete, is_deleted, update};
use crate::{
    build::{list_at, map, set_at, text_at},
    deleting::set_finalizers,
    moment::Moment,
    server::Server,
    strategy::uid_of,
};

/// Deletes an object whose owners are gone, and finishes deletions that wait for dependents. Returns whether it is gone.
pub(super) fn collect(server: &mut Server, moment: &mut Moment, store: &Arc<str>, object: &Object) -> bool {
    if is_deleted(object) {
        return finish(server, moment, store, object);
    }
    let value = object.to_value();
    let owners = list_at(&value, &["metadata", "ownerReferences"]);
    if owners.is_empty() {
        return false;
    }
    let (there, gone): (Vec<Value>, Vec<Value>) =
        owners.iter().cloned().partition(|owner| owner_is_there(server, object, owner));
    // An owner that is deleted in the foreground takes its dependents first.
    let (waiting, solid): (Vec<Value>, Vec<Value>) =
        there.into_iter().partition(|owner| owner_waits(server, object, owner));
    if solid.is_empty() {
        delete(server, moment, object);
        return true;
    }
    if !gone.is_empty() || !waiting.is_empty() {
        // Others still own it: only the references go.
        let mut new = object.clone();
        new.metadata_mut().insert("ownerReferences", solid);
        update(server, moment, object, new, "", MANAGER);
        return true;
    }
    false
}

pub(super) fn find_owner(server: &Server, object: &Object, owner: &Value) -> Option<Object> {
    let api_version = text_at(owner, &["apiVersion"]);
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let resource = server.catalog.any_version(group, text_at(owner, &["kind"]))?;
    let namespace = if resource.namespaced { object.namespace() } else { "" };
    let found = server.store.get(&resource.store, namespace, text_at(owner, &["name"]))?;
    (uid_of(&found.object) == text_at(owner, &["uid"])).then(|| found.object.clone())
}

fn owner_is_there(server: &Server, object: &Object, owner: &Value) -> bool {
    let api_version = text_at(owner, &["apiVersion"]);
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    // What the server does not serve cannot be known to be gone.
    server.catalog.any_version(group, text_at(owner, &["kind"])).is_none()
        || find_owner(server, object, owner).is_some()
}

fn owner_waits(server: &Server, object: &Object, owner: &Value) -> bool {
    find_owner(server, object, owner)
        .is_some_and(|owner| is_deleted(&owner) && has_finalizer(&owner, "foregroundDeletion"))
}

fn has_finalizer(object: &Object, name: &str) -> bool {
    list_at(&object.to_value(), &["metadata", "finalizers"]).iter().any(|one| one.as_str() == Some(name))
}

/// Lets go of an object that is marked for deletion: dependents orphaned, or gone.
fn finish(server: &mut Server, moment: &mut Moment, store: &Arc<str>, object: &Object) -> bool {
    if has_finalizer(object, "orphan") {
        orphan(server, moment, object);
        return release(server, moment, store, object, "orphan");
    }
    if has_finalizer(object, "foregroundDeletion") {
        let dependents = server.store.dependents(uid_of(object));
        let mut blocked = false;
        for (dependent_store, name) in dependents {
            let Some(dependent) = server.store.get(&dependent_store, &name.namespace, &name.name).cloned() else {
                continue;
            };
            let blocks = list_at(&dependent.object.to_value(), &["metadata", "ownerReferences"]).iter().any(|owner| {
                text_at(owner, &["uid"]) == uid_of(object)
                    && owner.get("blockOwnerDeletion").and_then(Value::as_bool) == Some(true)
            });
            if !is_deleted(&dependent.object) {
                delete(server, moment, &dependent.object);
            }
            blocked |= blocks && server.store.get(&dependent_store, &name.namespace, &name.name).is_some();
        }
        if !blocked {
            return release(server, moment, store, object, "foregroundDeletion");
        }
    }
    for name in ["kubernetes.io/pvc-protection", "kubernetes.io/pv-protection"] {
        if has_finalizer(object, name) {
            return release(server, moment, store, object, name);
        }
    }
    false
}

/// Removes a finalizer; the last one lets the object go.
fn release(server: &mut Server, moment: &mut Moment, store: &Arc<str>, object: &Object, finalizer: &str) -> bool {
    let mut new = object.clone();
    let rest: Vec<String> = list_at(&object.to_value(), &["metadata", "finalizers"])
        .iter()
        .filter_map(Value::as_str)
        .filter(|name| *name != finalizer)
        .map(str::to_owned)
        .collect();
    set_finalizers(&mut new, &rest);
    let grace = object.at(&["metadata", "deletionGracePeriodSeconds"]).and_then(Value::as_i64).unwrap_or_default();
    if rest.is_empty() && grace == 0 {
        server.store.remove(store, object.namespace(), object.name());
        if let Some(resource) = server.catalog.kind(&object.gvk().group, &object.gvk().version, object.kind()).cloned()
        {
            server.after_delete(&resource, object, moment);
        }
        return true;
    }
    update(server, moment, object, new, "", MANAGER);
    false
}

fn orphan(server: &mut Server, moment: &mut Moment, owner: &Object) {
    for (store, name) in server.store.dependents(uid_of(owner)) {
        let Some(dependent) = server.store.get(&store, &name.namespace, &name.name).cloned() else { continue };
        let mut new = dependent.object.clone();
        let mut owners = list_at(&new.to_value(), &["metadata", "ownerReferences"]).to_vec();
        owners.retain(|one| text_at(one, &["uid"]) != uid_of(owner));
        if owners.is_empty() {
            new.metadata_mut().remove("ownerReferences");
        } else {
            new.metadata_mut().insert("ownerReferences", owners);
        }
        update(server, moment, &dependent.object, new, "", MANAGER);
    }
}

/// Ends a namespace: its objects go, then its finalizer.
pub(super) fn namespace(server: &mut Server, moment: &mut Moment, object: &Object) {
    if !is_deleted(object) {
        server.fill_namespace(object, moment);
        return;
    }
    let left = server.empty_namespace(object.name(), moment);
    let Some(current) = server.store.get("/namespaces", "", object.name()).cloned() else { return };
    let mut new = current.object.clone();
    if left > 0 {
        let old = current.object.root().get("status").cloned().unwrap_or_default();
        let text = format!("Some content in the namespace has finalizers remaining: in {left} objects");
        let conditions = vec![
            super::condition(
                &old,
                "NamespaceContentRemaining",
                true,
                "SomeResourcesRemain",
                "Some resources are remaining",
                moment,
                false,
            ),
            super::condition(&old, "NamespaceFinalizersRemaining", true, "SomeFinalizersRemain", &text, moment, false),
        ];
        set_at(new.root_mut(), &["status"], map! { "phase" => "Terminating", "conditions" => conditions });
        update(server, moment, &current.object, new, "status", MANAGER);
        return;
    }
    let mut rest = list_at(&new.to_value(), &["spec", "finalizers"]).to_vec();
    rest.retain(|one| one.as_str() != Some("kubernetes"));
    let own = list_at(&new.to_value(), &["metadata", "finalizers"]).len();
    if rest.is_empty() && own == 0 {
        server.store.remove(&"/namespaces".into(), "", object.name());
        return;
    }
    if rest.is_empty() {
        new.root_mut().map_entry("spec").remove("finalizers");
    } else {
        set_at(new.root_mut(), &["spec", "finalizers"], rest);
    }
    update(server, moment, &current.object, new, "", MANAGER);
}
