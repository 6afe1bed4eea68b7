//! Walking from commits to their parents.

use std::collections::{BinaryHeap, HashSet};

use gix::ObjectId;

use crate::{CommitId, CommitInfo, Result, objects::Objects};

/// How a walk ended.
pub(crate) struct Walk {
    pub commits: Vec<CommitInfo>,
    /// A parent was not here: the history goes on elsewhere.
    pub cut: bool,
    pub found: bool,
}

/// Walks from `to` back, newest first, until `from` is met or `limit` commits are read.
pub(crate) fn walk(objects: &Objects, from: Option<CommitId>, to: CommitId, limit: usize) -> Result<Walk> {
    let mut walk = Walk { commits: Vec::new(), cut: false, found: false };
    let mut seen = HashSet::from([to.oid()]);
    let mut queue: BinaryHeap<(i64, ObjectId)> = BinaryHeap::from([(i64::MAX, to.oid())]);
    while let Some((_, id)) = queue.pop() {
        if from.is_some_and(|from| from.oid() == id) {
            walk.found = true;
            break;
        }
        if walk.commits.len() == limit {
            walk.cut = true;
            break;
        }
        let Some(commit) = objects.commit(id)? else {
            walk.cut = true;
            continue;
        };
        for parent in &commit.info.parents {
            if seen.insert(parent.oid()) {
                let time = objects.commit(parent.oid())?.map_or(i64::MIN, |parent| parent.info.time);
                queue.push((time, parent.oid()));
            }
        }
        walk.commits.push(commit.info);
    }
    Ok(walk)
}
