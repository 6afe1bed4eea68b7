//! The history of StatefulSets and DaemonSets: one ControllerRevision for each template.

use lockstep_object::{Object, Value};

use super::{MANAGER, controlled, create, delete, owner_reference, update};
use crate::{
    build::{int_at, map},
    gotypes::{revision_hash, template_hash},
    moment::Moment,
    server::Server,
};

const STORE: &str = "apps/controllerrevisions";

/// The label of pods that names their revision, and of a DaemonSet's revisions.
pub(super) const HASH: &str = "controller-revision-hash";

/// Keeps the template of a StatefulSet or DaemonSet as its newest revision; returns its hash.
pub(super) fn keep(server: &mut Server, moment: &mut Moment, owner: &Object) -> String {
    let template = owner.at(&["spec", "template"]).cloned().unwrap_or_default();
    let labels = template.at(&["metadata", "labels"]).and_then(Value::as_map).cloned().unwrap_or_default();
    let daemon = owner.kind() == "DaemonSet";
    let mut patched = template.clone();
    if let Value::Map(map) = &mut patched {
        map.insert("$patch", "replace");
    }
    let data = Value::Map(map! { "spec" => map! { "template" => patched } });
    // A StatefulSet hashes what it stores, a DaemonSet its template.
    let (hash, label) =
        if daemon { (template_hash(&template), HASH) } else { (revision_hash(&data), "controller.kubernetes.io/hash") };
    let name = format!("{}-{hash}", owner.name());
    let known = controlled(server, STORE, owner);
    let highest = known.iter().map(number).max().unwrap_or_default();
    match known.into_iter().find(|one| one.name() == name) {
        Some(one) if number(&one) == highest => {}
        // A template that comes back is the newest again.
        Some(one) => {
            let mut new = one.clone();
            new.root_mut().insert("revision", highest + 1);
            update(server, moment, &one, new, "", MANAGER);
        }
        None => {
            let mut labels = labels;
            labels.insert(label, hash.as_str());
            let mut metadata = map! {
                "name" => name, "namespace" => owner.namespace(), "labels" => labels,
                "ownerReferences" => vec![owner_reference(owner)],
            };
            if let Some(annotations) = owner.at(&["metadata", "annotations"]) {
                metadata.insert("annotations", annotations.clone());
            }
            let revision = map! {
                "apiVersion" => "apps/v1", "kind" => "ControllerRevision", "metadata" => metadata,
                "data" => data, "revision" => highest + 1,
            };
            create(server, moment, STORE, Object::new(revision));
        }
    }
    forget(server, moment, owner);
    hash
}

fn number(revision: &Object) -> i64 {
    revision.root().get("revision").and_then(Value::as_i64).unwrap_or_default()
}

/// Deletes the oldest revisions that no pod has, beyond the history limit and the newest.
fn forget(server: &mut Server, moment: &mut Moment, owner: &Object) {
    let limit = int_at(&owner.to_value(), &["spec", "revisionHistoryLimit"]).unwrap_or(10);
    let limit = usize::try_from(limit).unwrap_or_default();
    let mut known = controlled(server, STORE, owner);
    if known.len() <= limit + 1 {
        return;
    }
    let pods = controlled(server, "/pods", owner);
    let used =
        |revision: &Object| pods.iter().any(|pod| pod.label(HASH).is_some_and(|hash| revision.name().ends_with(hash)));
    known.sort_by_key(number);
    known.pop();
    known.retain(|revision| !used(revision));
    let excess = known.len().saturating_sub(limit);
    for revision in known.into_iter().take(excess) {
        delete(server, moment, &revision);
    }
}
