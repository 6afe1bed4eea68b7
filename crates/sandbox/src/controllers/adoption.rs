//! Who belongs to whom: controllers adopt what their selector matches and nobody controls.

use lockstep_object::{Object, Value};

use super::{MANAGER, controlled, is_deleted, owner_reference, update};
use crate::{
    build::{list_at, text_at},
    moment::Moment,
    select::Labels,
    server::Server,
    store::controller,
    strategy::uid_of,
};

/// Takes the objects of `store` that match the owner's selector, and lets go of those that do not any more.
pub(super) fn adopt(server: &mut Server, moment: &mut Moment, owner: &Object, store: &str) {
    if is_deleted(owner) {
        return;
    }
    let Some(labels) = owner.at(&["spec", "selector"]).and_then(Labels::of_selector) else { return };
    let orphans = server.store.orphans(store, owner.namespace()).map(|stored| stored.object.clone());
    let orphans = orphans.filter(|object| labels.matches(object));
    let strangers = controlled(server, store, owner).into_iter().filter(|object| !labels.matches(object));
    let found: Vec<Object> = orphans.chain(strangers).filter(|object| !is_deleted(object)).collect();
    for object in found {
        let mut owners = list_at(&object.to_value(), &["metadata", "ownerReferences"]).to_vec();
        if controller(&object).is_none() {
            owners.push(owner_reference(owner));
        } else {
            owners.retain(|one| text_at(one, &["uid"]) != uid_of(owner));
        }
        let mut new = object.clone();
        if owners.is_empty() {
            new.metadata_mut().remove("ownerReferences");
        } else {
            new.metadata_mut().insert("ownerReferences", owners);
        }
        update(server, moment, &object, new, "", MANAGER);
    }
}

/// Returns what controls an object.
pub(super) fn owner(server: &Server, object: &Object) -> Option<Object> {
    let value = object.to_value();
    let mut owners = list_at(&value, &["metadata", "ownerReferences"]).iter();
    let owner = owners.find(|one| one.get("controller").and_then(Value::as_bool) == Some(true))?;
    super::garbage::find_owner(server, object, owner)
}
