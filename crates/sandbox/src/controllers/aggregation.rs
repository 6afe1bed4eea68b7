//! ClusterRoles whose rules are those of others.

use std::sync::Arc;

use lockstep_object::{Object, Value};

use super::{MANAGER, is_deleted, update};
use crate::{build::list_at, moment::Moment, select::Labels, server::Server, store::Name};

pub(super) const STORE: &str = "rbac.authorization.k8s.io/clusterroles";

/// Names the roles that take rules from others.
pub(super) fn aggregated(server: &Server) -> Vec<(Arc<str>, Name)> {
    let roles = server.store.bucket(STORE).into_iter().flat_map(|bucket| bucket.range(None));
    let roles = roles.filter(|(_, stored)| stored.object.root().get("aggregationRule").is_some());
    roles.map(|(name, _)| (Arc::from(STORE), name.clone())).collect()
}

/// Gives a role the rules of those that its selectors match, each once, in the order of their names.
pub(super) fn role(server: &mut Server, moment: &mut Moment, object: &Object) {
    let Some(rule) = object.root().get("aggregationRule").filter(|rule| !rule.is_null()) else { return };
    if is_deleted(object) {
        return;
    }
    let selectors: Vec<Labels> =
        list_at(rule, &["clusterRoleSelectors"]).iter().filter_map(Labels::of_selector).collect();
    let mut rules: Vec<Value> = Vec::new();
    for (name, stored) in server.store.bucket(STORE).into_iter().flat_map(|bucket| bucket.range(None)) {
        if *name.name == *object.name() || !selectors.iter().any(|labels| labels.matches(&stored.object)) {
            continue;
        }
        for rule in stored.object.root().get("rules").map(|rules| list_at(rules, &[])).unwrap_or_default() {
            if !rules.contains(rule) {
                rules.push(rule.clone());
            }
        }
    }
    let mut new = object.clone();
    new.root_mut().insert("rules", rules);
    update(server, moment, object, new, "", MANAGER);
}
