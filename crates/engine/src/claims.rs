//! Which App wants an object: the first that asked for it.

use std::collections::{HashMap, HashSet};

use lockstep_object::ObjectKey;

use crate::AppId;

/// The claims of all Apps.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    owners: HashMap<ObjectKey, AppId>,
    keys: HashMap<AppId, HashSet<ObjectKey>>,
}

/// What a claim leads to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Claimed {
    /// The objects that it does not get, and whose they are.
    pub(crate) conflicts: Vec<(ObjectKey, String)>,
    /// Whether it gave up objects that another App may be waiting for.
    pub(crate) released: bool,
}

impl Claims {
    /// Returns who has claimed an object.
    pub(crate) fn owner(&self, key: &ObjectKey) -> Option<&AppId> {
        self.owners.get(key)
    }

    /// Replaces an App's claims by these. `holder` names the App that has an object which nobody claims, by the
    /// object's label; an App that exists and does not claim it any more holds nothing.
    pub(crate) fn replace(
        &mut self,
        id: &AppId,
        wanted: &[&ObjectKey],
        holder: impl Fn(&ObjectKey) -> Option<AppId>,
    ) -> Claimed {
        let mut claimed = Claimed::default();
        let mut now = HashSet::with_capacity(wanted.len());
        for &key in wanted {
            let other = match self.owners.get(key) {
                Some(owner) => Some(owner.clone()),
                None => holder(key).filter(|holder| !self.keys.contains_key(holder)),
            };
            match other.filter(|other| other != id) {
                Some(other) => claimed.conflicts.push((key.clone(), other.to_string())),
                None => drop(now.insert(key.clone())),
            }
        }
        let before = self.keys.remove(id).unwrap_or_default();
        for gone in before.difference(&now) {
            self.owners.remove(gone);
            claimed.released = true;
        }
        self.owners.extend(now.iter().map(|key| (key.clone(), id.clone())));
        self.keys.insert(id.clone(), now);
        claimed
    }

    /// Gives up everything that an App claims.
    pub(crate) fn release(&mut self, id: &AppId) {
        for key in self.keys.remove(id).unwrap_or_default() {
            self.owners.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> ObjectKey {
        ObjectKey::new("", "ConfigMap", "ns", name)
    }

    #[test]
    fn the_first_keeps_an_object_until_it_gives_it_up() {
        let (mut claims, first, second) = (Claims::default(), AppId::new("ns", "first"), AppId::new("ns", "second"));
        let (a, b) = (key("a"), key("b"));
        let nobody = |_: &ObjectKey| None;
        assert_eq!(claims.replace(&first, &[&a, &b], nobody), Claimed::default());
        let refused = claims.replace(&second, &[&a], nobody);
        assert_eq!(refused.conflicts, [(a.clone(), "ns/first".to_owned())]);
        assert!(claims.replace(&first, &[&b], nobody).released);
        assert_eq!(claims.replace(&second, &[&a], nobody), Claimed::default());
        assert_eq!(claims.owner(&a), Some(&second));
        claims.release(&second);
        assert_eq!(claims.owner(&a), None);
    }

    #[test]
    fn a_label_counts_as_long_as_its_app_has_not_said_what_it_wants() {
        let (mut claims, first, second) = (Claims::default(), AppId::new("ns", "first"), AppId::new("ns", "second"));
        let a = key("a");
        let labelled = |_: &ObjectKey| Some(AppId::new("ns", "first"));
        assert_eq!(claims.replace(&second, &[&a], labelled).conflicts.len(), 1);
        assert_eq!(claims.replace(&first, &[], labelled), Claimed::default());
        assert_eq!(claims.replace(&second, &[&a], labelled), Claimed::default());
    }
}
