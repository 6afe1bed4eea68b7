//! Makes patches.

use lockstep_object::{Map, Value};

use crate::{PatchError, words};

use super::{
    DELETE_FROM, DIRECTIVE, RETAIN_KEYS, SET_ORDER,
    list::{self, Items},
    lookup::{Node, merge_key},
};

/// What goes into a patch.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Options {
    /// Lists that merge get a `$setElementOrder` beside them.
    pub set_order: bool,
    /// Leaves out changes and additions.
    pub ignore_changes: bool,
    /// Leaves out deletions.
    pub ignore_deletions: bool,
    /// The map gets a `$retainKeys`.
    pub retain_keys: bool,
}

pub(super) fn maps(original: &Map, modified: &Map, node: &Node<'_>, options: Options) -> Result<Map, PatchError> {
    let mut patch = Map::new();
    for (key, new) in modified.iter() {
        let Some(old) = original.get(key) else {
            if !options.ignore_changes {
                patch.insert(key, new.clone());
            }
            continue;
        };
        if key == DIRECTIVE {
            directive(old, new, &mut patch)?;
            continue;
        }
        match (old, new) {
            (Value::Map(old), Value::Map(new)) => map_field(key, old, new, node, options, &mut patch)?,
            (Value::List(old), Value::List(new)) => list_field(key, old, new, node, options, &mut patch)?,
            _ => replace(key, old, new, options, &mut patch),
        }
    }
    if !options.ignore_deletions {
        for key in original.keys().filter(|key| !modified.contains_key(key)) {
            patch.insert(key, Value::Null);
        }
    }
    if options.retain_keys {
        retain_keys(original, modified, &mut patch);
    }
    Ok(patch)
}

fn retain_keys(original: &Map, modified: &Map, patch: &mut Map) {
    let kept: Vec<Value> = modified.iter().filter(|(_, value)| !value.is_null()).map(|(key, _)| key.into()).collect();
    let more = original.iter().any(|(key, value)| !value.is_null() && !modified.contains_key(key));
    if !kept.is_empty() && (!patch.is_empty() || more) {
        patch.insert(RETAIN_KEYS, list::sorted_scalars(&kept));
    }
}

fn directive(old: &Value, new: &Value, patch: &mut Map) -> Result<(), PatchError> {
    match (old, new) {
        (Value::Text(old), Value::Text(text)) => {
            if old != text {
                patch.insert(DIRECTIVE, new.clone());
            }
            Ok(())
        }
        _ => Err(PatchError::new(format!("invalid value for special key: {DIRECTIVE}"))),
    }
}

fn replace(key: &str, old: &Value, new: &Value, options: Options, patch: &mut Map) {
    if !options.ignore_changes && old != new {
        patch.insert(key, new.clone());
    }
}

fn map_field(
    key: &str,
    old: &Map,
    new: &Map,
    node: &Node<'_>,
    options: Options,
    patch: &mut Map,
) -> Result<(), PatchError> {
    let (below, rule) = match node.map_field(key) {
        Ok(found) => found,
        // Where nothing changed, nothing needs to be known.
        Err(_) if old == new => return Ok(()),
        Err(error) => return Err(error),
    };
    if rule.replace {
        if !options.ignore_changes {
            patch.insert(key, new.clone());
        }
        return Ok(());
    }
    let changes = maps(old, new, &below, Options { retain_keys: rule.retain_keys, ..options })?;
    if !changes.is_empty() {
        patch.insert(key, changes);
    }
    Ok(())
}

fn list_field(
    key: &str,
    old: &[Value],
    new: &[Value],
    node: &Node<'_>,
    options: Options,
    patch: &mut Map,
) -> Result<(), PatchError> {
    let (item, rule) = match node.list_field(key) {
        Ok(found) => found,
        Err(_) if old == new => return Ok(()),
        Err(error) => return Err(error),
    };
    if !rule.merge {
        if !options.ignore_changes && old != new {
            patch.insert(key, new.to_vec());
        }
        return Ok(());
    }
    let options = Options { retain_keys: rule.retain_keys, ..options };
    let changes = lists(old, new, &item, merge_key(&rule), options)?;
    let mut put = |key: String, list: Vec<Value>| {
        if !list.is_empty() {
            patch.insert(key, list);
        }
    };
    put(key.into(), changes.patch);
    put(format!("{DELETE_FROM}/{key}"), changes.deleted);
    put(format!("{SET_ORDER}/{key}"), changes.order);
    Ok(())
}

/// The patch of a list that merges.
#[derive(Default)]
struct Changes {
    patch: Vec<Value>,
    /// Scalars to delete; maps to delete are part of the patch.
    deleted: Vec<Value>,
    order: Vec<Value>,
}

fn lists(old: &[Value], new: &[Value], item: &Node<'_>, key: &str, options: Options) -> Result<Changes, PatchError> {
    if old.is_empty() {
        let patch = if options.ignore_changes { Vec::new() } else { new.to_vec() };
        return Ok(Changes { patch, ..Changes::default() });
    }
    match list::items_of(&[old, new])? {
        Items::Maps => lists_of_maps(old, new, item, key, options),
        Items::Scalars => lists_of_scalars(old, new, key, options),
    }
}

fn lists_of_maps(
    old: &[Value],
    new: &[Value],
    item: &Node<'_>,
    key: &str,
    options: Options,
) -> Result<Changes, PatchError> {
    let (patch, deleted) = changed_maps(old, new, item, key, options)?;
    let mut patch = list::sort(patch, new, key, Items::Maps)?;
    let order_same = old.len() == new.len() && {
        let pairs = old.iter().zip(new).map(|(old, new)| Ok(list::key_of(old, key)? == list::key_of(new, key)?));
        pairs.collect::<Result<Vec<bool>, PatchError>>()?.into_iter().all(|same| same)
    };
    patch.extend(deleted);
    let changed = !options.ignore_changes && (!patch.is_empty() || !order_same);
    let order = if options.set_order && (changed || (!options.ignore_deletions && !patch.is_empty())) {
        let only_key = |item: &Value| Value::Map(Map::from_iter([(key, item.get(key).cloned().unwrap_or_default())]));
        new.iter().map(only_key).collect()
    } else {
        Vec::new()
    };
    Ok(Changes { patch, deleted: Vec::new(), order })
}

/// Returns the changed and new items, and the directives that delete the others.
fn changed_maps(
    old: &[Value],
    new: &[Value],
    item: &Node<'_>,
    key: &str,
    options: Options,
) -> Result<(Vec<Value>, Vec<Value>), PatchError> {
    let (old, new) = (list::sorted_maps(old, key), list::sorted_maps(new, key));
    let (mut patch, mut deleted) = (Vec::new(), Vec::new());
    let (mut i, mut j) = (0, 0);
    while i < old.len() || j < new.len() {
        let old_key = old.get(i).map(|item| list::key_of(item, key)).transpose()?;
        let new_key = new.get(j).map(|item| list::key_of(item, key)).transpose()?;
        let order = match (old_key, new_key) {
            (Some(old), Some(new)) => words::plain(old).cmp(&words::plain(new)),
            (Some(_), None) => std::cmp::Ordering::Less,
            _ => std::cmp::Ordering::Greater,
        };
        if order.is_eq() {
            let mut changes = maps(list::as_map(&old[i])?, list::as_map(&new[j])?, item, options)?;
            if !changes.is_empty() {
                changes.insert(key, new_key.cloned().unwrap_or_default());
                patch.push(changes.into());
            }
        } else if order.is_gt() && !options.ignore_changes {
            patch.push(new[j].clone());
        } else if order.is_lt() && !options.ignore_deletions {
            let gone = old_key.cloned().unwrap_or_default();
            deleted.push(Value::Map(Map::from_iter([(key, gone), (DIRECTIVE, "delete".into())])));
        }
        i += usize::from(order.is_le());
        j += usize::from(order.is_ge());
    }
    Ok((patch, deleted))
}

fn lists_of_scalars(old: &[Value], new: &[Value], key: &str, options: Options) -> Result<Changes, PatchError> {
    let (old, sorted) = (list::sorted_scalars(old), list::sorted_scalars(new));
    let (mut added, mut deleted) = (Vec::new(), Vec::new());
    let (mut i, mut j) = (0, 0);
    while i < old.len() || j < sorted.len() {
        let order = match (old.get(i), sorted.get(j)) {
            (Some(old), Some(new)) => words::plain(old).cmp(&words::plain(new)),
            (Some(_), None) => std::cmp::Ordering::Less,
            _ => std::cmp::Ordering::Greater,
        };
        if order.is_lt() && !options.ignore_deletions {
            deleted.push(old[i].clone());
        } else if order.is_gt() && !options.ignore_changes {
            added.push(sorted[j].clone());
        }
        i += usize::from(order.is_le());
        j += usize::from(order.is_ge());
    }
    let deleted = list::without_duplicates(deleted);
    let patch = list::sort(added, new, key, Items::Scalars)?;
    // The old list is compared in its sorted form, as the library does.
    let changed = (!options.ignore_deletions && !deleted.is_empty()) || (!options.ignore_changes && old != new);
    let order = if options.set_order && changed { new.to_vec() } else { Vec::new() };
    Ok(Changes { patch, deleted, order })
}
