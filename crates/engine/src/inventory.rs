//! What an App owns.

use std::collections::BTreeMap;

use lockstep_object::{ObjectKey, Text};

/// What was last applied of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The version it was applied in, as `v1`.
    pub version: Text,
    /// The digest of what was applied; 0 if that is not known.
    pub desired: u64,
    /// The digest of our fields as the server stored them; 0 if that is not known.
    pub owned: u64,
}

/// What an App owns: the objects and what was last applied of each.
///
/// In the status it is a list of `group/Kind/namespace/name/version`, then the two digests in hexadecimal.
/// Slashes part the fields because no name in Kubernetes can contain one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory(BTreeMap<ObjectKey, Record>);

impl Inventory {
    /// Reads the list of a status; entries that are none are left out, for they were not written by us.
    pub fn parse(entries: &[String]) -> Self {
        Self(entries.iter().filter_map(|entry| parse_entry(entry)).collect())
    }

    /// Returns the list for a status.
    pub fn print(&self) -> Vec<String> {
        self.0.iter().map(|(key, record)| print_entry(key, record)).collect()
    }

    /// Returns what was last applied of an object.
    pub fn get(&self, key: &ObjectKey) -> Option<&Record> {
        self.0.get(key)
    }

    /// Records an object.
    pub fn insert(&mut self, key: ObjectKey, record: Record) {
        self.0.insert(key, record);
    }

    /// Forgets an object.
    pub fn remove(&mut self, key: &ObjectKey) -> Option<Record> {
        self.0.remove(key)
    }

    /// Walks the objects, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&ObjectKey, &Record)> {
        self.0.iter()
    }

    /// Returns the number of objects.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Tells whether nothing is owned.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn parse_entry(entry: &str) -> Option<(ObjectKey, Record)> {
    let mut words = entry.split(' ');
    let parts: Vec<&str> = words.next()?.split('/').collect();
    let [group, kind, namespace, name, version] = parts.as_slice() else { return None };
    let digest = |word: Option<&str>| word.and_then(|word| u64::from_str_radix(word, 16).ok()).unwrap_or_default();
    let record = Record { version: (*version).into(), desired: digest(words.next()), owned: digest(words.next()) };
    Some((ObjectKey::new(group, kind, namespace, name), record))
}

fn print_entry(key: &ObjectKey, record: &Record) -> String {
    let ObjectKey { group, kind, namespace, name } = key;
    format!("{group}/{kind}/{namespace}/{name}/{} {:x} {:x}", record.version, record.desired, record.owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inventory_comes_back_as_it_was_written() {
        let entries = vec!["/Service/shop/web/v1 1f 0".to_owned(), "apps/Deployment/shop/web/v1 a b".to_owned()];
        let inventory = Inventory::parse(&entries);
        assert_eq!(inventory.print(), entries);
        assert_eq!(inventory.get(&ObjectKey::new("apps", "Deployment", "shop", "web")).unwrap().owned, 11);
    }

    #[test]
    fn what_is_no_entry_is_left_out() {
        let entries = ["", "a/b", "x y z", "a/b/c/d/e/f 1 2"].map(str::to_owned);
        assert!(Inventory::parse(&entries).is_empty());
    }
}
