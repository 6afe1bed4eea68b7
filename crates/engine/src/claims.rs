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

impl Claims {
    /// Returns who has claimed an object.
    pub(crate) fn owner(&self, key: &ObjectKey) -> Option<&AppId> {
        self.owners.get(key)
    }

    /// Returns the objects of these that an App cannot have, and whose they are. `holder` names the App that has an
    /// object which nobody claims, by the object's label; an App that exists and does not claim it any more holds
    /// nothing.
    pub(crate) fn conflicts(
        &self,
        id: &AppId,
        wanted: &[&ObjectKey],
        holder: impl Fn(&ObjectKey) -> Option<AppId>,
    ) -> Vec<(ObjectKey, String)> {
        let other = |key: &ObjectKey| match self.owners.get(key) {
            Some(owner) => Some(owner.clone()),
            None => holder(key).filter(|holder| !self.keys.contains_key(holder)),
        };
        let conflict = |key: &&ObjectKey| {
            let other = other(key).filter(|other| other != id)?;
            Some(((*key).clone(), other.to_string()))
        };
        wanted.iter().filter_map(conflict).collect()
    }

    /// Replaces an App's claims by these, which are in no conflict. Tells whether it gave up objects that another App
    /// may be waiting for.
    pub(crate) fn replace(&mut self, id: &AppId, wanted: impl Iterator<Item = ObjectKey>) -> bool {
        let now: HashSet<ObjectKey> = wanted.collect();
        // An App that says for the first time what it wants may hold less than its labels say.
        let mut released = !self.keys.contains_key(id);
        let before = self.keys.remove(id).unwrap_or_default();
        for gone in before.difference(&now) {
            self.owners.remove(gone);
            released = true;
        }
        self.owners.extend(now.iter().map(|key| (key.clone(), id.clone())));
        self.keys.insert(id.clone(), now);
        released
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
        claims.replace(&first, [a.clone(), b.clone()].into_iter());
        assert_eq!(claims.conflicts(&second, &[&a], nobody), [(a.clone(), "ns/first".to_owned())]);
        assert!(claims.replace(&first, [b].into_iter()));
        assert_eq!(claims.conflicts(&second, &[&a], nobody), []);
        claims.replace(&second, [a.clone()].into_iter());
        assert_eq!(claims.owner(&a), Some(&second));
        claims.release(&second);
        assert_eq!(claims.owner(&a), None);
    }

    #[test]
    fn a_label_counts_as_long_as_its_app_has_not_said_what_it_wants() {
        let (mut claims, first, second) = (Claims::default(), AppId::new("ns", "first"), AppId::new("ns", "second"));
        let a = key("a");
        let labelled = |_: &ObjectKey| Some(AppId::new("ns", "first"));
        assert_eq!(claims.conflicts(&second, &[&a], labelled).len(), 1);
        assert!(claims.replace(&first, std::iter::empty()), "who was refused for its label asks again");
        assert_eq!(claims.conflicts(&second, &[&a], labelled), []);
    }
}
