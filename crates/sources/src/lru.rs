//! A cache of bounded size in bytes that forgets what was not used for longest.

use std::collections::{BTreeMap, HashMap};

use gix::ObjectId;

pub(crate) struct Lru<V> {
    limit: usize,
    used: usize,
    clock: u64,
    entries: HashMap<ObjectId, (u64, usize, V)>,
    by_age: BTreeMap<u64, ObjectId>,
}

impl<V: Clone> Lru<V> {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, used: 0, clock: 0, entries: HashMap::new(), by_age: BTreeMap::new() }
    }

    pub(crate) fn get(&mut self, id: &ObjectId) -> Option<V> {
        let (age, _, value) = self.entries.get_mut(id)?;
        self.clock += 1;
        self.by_age.remove(age);
        *age = self.clock;
        self.by_age.insert(*age, *id);
        Some(value.clone())
    }

    /// Keeps a value of this many bytes. What is larger than a quarter of the limit is not kept, for it would drive out all else.
    pub(crate) fn put(&mut self, id: ObjectId, bytes: usize, value: V) {
        if bytes > self.limit / 4 || self.entries.contains_key(&id) {
            return;
        }
        self.clock += 1;
        self.used += bytes;
        self.entries.insert(id, (self.clock, bytes, value));
        self.by_age.insert(self.clock, id);
        while self.used > self.limit {
            let Some((_, oldest)) = self.by_age.pop_first() else { break };
            self.used -= self.entries.remove(&oldest).map_or(0, |entry| entry.1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let id = |digit: u8| ObjectId::from_bytes_or_panic(&[digit; 20]);
        let mut lru = Lru::new(100);
        (1..=4).for_each(|digit| lru.put(id(digit), 25, digit));
        assert_eq!(lru.get(&id(1)), Some(1));
        lru.put(id(5), 25, 5);
        assert_eq!((lru.get(&id(1)), lru.get(&id(2)), lru.get(&id(5))), (Some(1), None, Some(5)));
        lru.put(id(6), 26, 6);
        assert_eq!(lru.get(&id(6)), None);
    }
}
