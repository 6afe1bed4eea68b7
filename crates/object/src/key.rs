//! Interned map keys.

use std::{
    borrow::Borrow,
    fmt,
    hash::{Hash, Hasher},
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use hashbrown::HashSet;
use serde::{Serialize, Serializer};

/// A map key: 8 bytes, equal keys share one text.
///
/// The field names of Kubernetes repeat in every object, so the texts are interned. The interner holds
/// no meaning, only memory: a text that no key uses any more is freed when its shard grows.
#[derive(Clone)]
pub struct Key(Arc<Box<str>>);

/// Power of two, so that the shard is a mask of the hash; sixteen keep parallel renders apart.
const SHARDS: usize = 16;
/// A shard is swept when it has doubled since the last sweep, and never below this size.
const SWEEP_AT_LEAST: usize = 1024;

struct Shard {
    texts: HashSet<Key>,
    sweep_at: usize,
}

static SHARED: LazyLock<[Mutex<Shard>; SHARDS]> =
    LazyLock::new(|| std::array::from_fn(|_| Mutex::new(Shard { texts: HashSet::new(), sweep_at: SWEEP_AT_LEAST })));

impl Key {
    /// Returns the key with this text.
    pub fn new(text: &str) -> Self {
        let shard = &SHARED[shard_of(text)];
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = shard.texts.get(text) {
            return known.clone();
        }
        if shard.texts.len() >= shard.sweep_at {
            shard.texts.retain(|key| Arc::strong_count(&key.0) > 1);
            shard.sweep_at = (shard.texts.len() * 2).max(SWEEP_AT_LEAST);
        }
        let key = Self(Arc::new(text.into()));
        shard.texts.insert(key.clone());
        key
    }

    /// Returns the key's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn shard_of(text: &str) -> usize {
    let bytes = text.as_bytes();
    let first = bytes.first().copied().unwrap_or(0) as usize;
    let last = bytes.last().copied().unwrap_or(0) as usize;
    (first.wrapping_mul(7) ^ last ^ bytes.len()) % SHARDS
}

/// A text that any key uses stays in the table, so equal keys are the same allocation.
impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Key {}

impl PartialEq<str> for Key {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Key {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        if self == other { std::cmp::Ordering::Equal } else { self.as_str().cmp(other.as_str()) }
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Key {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl std::ops::Deref for Key {
    type Target = str;
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Key {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl From<&String> for Key {
    fn from(text: &String) -> Self {
        Self::new(text)
    }
}

impl From<&Key> for Key {
    fn from(key: &Key) -> Self {
        key.clone()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_share_their_memory() {
        assert!(Arc::ptr_eq(&Key::new("metadata").0, &Key::new("metadata").0));
        assert_eq!(size_of::<Key>(), 8);
    }

    #[test]
    fn texts_nobody_uses_are_freed_when_a_shard_grows() {
        for n in 0..200_000 {
            Key::new(&format!("hostile-{n}"));
        }
        let held: usize = SHARED.iter().map(|shard| shard.lock().unwrap().texts.len()).sum();
        assert!(held < 100_000, "{held} texts are still held");
    }
}
