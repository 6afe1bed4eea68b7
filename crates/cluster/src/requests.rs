//! Counts requests, for metrics and for the promise that steady state costs none.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Reads one thing.
    Get,
    /// Opens a watch.
    Watch,
    /// Applies an object.
    Apply,
    /// Patches an object: a finalizer, managed fields.
    Patch,
    /// Writes a status.
    Status,
    /// Makes an object: an event, a namespace.
    Create,
    /// Deletes an object.
    Delete,
}

impl Verb {
    /// Every verb.
    pub const ALL: [Self; 7] =
        [Self::Get, Self::Watch, Self::Apply, Self::Patch, Self::Status, Self::Create, Self::Delete];

    /// Returns the verb's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Watch => "watch",
            Self::Apply => "apply",
            Self::Patch => "patch",
            Self::Status => "status",
            Self::Create => "create",
            Self::Delete => "delete",
        }
    }
}

/// The number of requests by verb.
#[derive(Debug, Default)]
pub struct Counts([AtomicU64; Verb::ALL.len()]);

impl Counts {
    /// Returns the number of requests with this verb.
    pub fn get(&self, verb: Verb) -> u64 {
        self.0[verb as usize].load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, verb: Verb) {
        self.0[verb as usize].fetch_add(1, Ordering::Relaxed);
    }
}
