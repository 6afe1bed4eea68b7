//! Who changed what is ours.

use lockstep_object::Object;

use crate::{
    compare::{Change, Mode, Options, compare},
    ignore::Ignore,
    owned::{Author, authors, last_foreign_author},
};

/// A field of ours that somebody else changed.
#[derive(Clone, Debug, PartialEq)]
pub struct ForeignChange {
    /// What differs: `before` is what we desire, `after` what the cluster has.
    pub change: Change,
    /// Who did it; `None` if the managedFields name nobody.
    pub author: Option<Author>,
    /// The author owns the field itself; else it is the last one who wrote to the object, as after a removal.
    pub certain: bool,
}

/// Lists the drift of a live object from the desired one, with the author of each change.
pub fn foreign_changes(desired: &Object, live: &Object, manager: &str, ignore: &[Ignore]) -> Vec<ForeignChange> {
    let options = Options { mode: Mode::Desired, ignore, manager: Some(manager), lists: None };
    let mut last = None;
    let changes = compare(desired, live, &options).into_iter().map(|change| {
        let owner = authors(live, &change.path).into_iter().find(|author| author.manager != manager);
        let certain = owner.is_some();
        let author = owner.or_else(|| last.get_or_insert_with(|| last_foreign_author(live, manager)).clone());
        let Change { path, before, after } = change;
        ForeignChange { change: Change { path, before: after, after: before }, author, certain }
    });
    changes.collect()
}
