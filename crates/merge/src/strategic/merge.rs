//! Applies patches.

use lockstep_object::{Key, Map, Value};
use lockstep_schema::PatchRule;

use crate::{PatchError, words};

use super::{
    DELETE_FROM, DIRECTIVE, RETAIN_KEYS, SET_ORDER,
    list::{self, Items},
    lookup::{Node, merge_key},
};

/// What is merged into what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    /// Carries out the directives for lists and keys; otherwise a patch is merged into a patch, which keeps them.
    pub directives: bool,
    /// Drops nulls that delete nothing; otherwise they stay, so that the result deletes.
    pub drop_nulls: bool,
}

pub(super) fn maps(mut original: Map, mut patch: Map, node: &Node<'_>, options: Options) -> Result<Map, PatchError> {
    if let Some(directive) = patch.get(DIRECTIVE) {
        return match directive.as_str() {
            Some("replace") => {
                patch.remove(DIRECTIVE);
                Ok(patch)
            }
            Some("delete") => Ok(Map::new()),
            _ => Err(unknown_directive(directive, &patch)),
        };
    }
    retain_keys(&mut original, &mut patch, options)?;
    ordered_lists(&mut original, &mut patch, node, options)?;
    for (key, value) in patch {
        if key.starts_with(DELETE_FROM) {
            delete_from(&mut original, &key, value, node, options)?;
        } else {
            field(&mut original, &key, value, node, options)?;
        }
    }
    Ok(original)
}

fn unknown_directive(directive: &Value, map: &Map) -> PatchError {
    PatchError::new(format!("unknown patch type: {} in map: {}", words::plain(directive), words::plain_map(map)))
}

fn field(original: &mut Map, key: &Key, value: Value, node: &Node<'_>, options: Options) -> Result<(), PatchError> {
    if value.is_null() {
        original.remove(key);
        if options.drop_nulls {
            return Ok(());
        }
    }
    let merged = match (original.get(key), value) {
        (Some(Value::Map(old)), Value::Map(new)) => {
            let (below, rule) = node.map_field(key)?;
            if rule.replace { Some(new.into()) } else { Some(maps(old.clone(), new, &below, options)?.into()) }
        }
        (Some(Value::List(old)), Value::List(new)) => {
            let (item, rule) = node.list_field(key)?;
            if rule.merge {
                Some(lists(old.to_vec(), new.to_vec(), &item, &rule, options)?.list.into())
            } else {
                Some(new.into())
            }
        }
        (Some(old), new) if list::same_type(old, &new) => without_directives(new),
        (_, new) => without_directives(if options.drop_nulls { without_nulls(new) } else { new }),
    };
    match merged {
        Some(merged) => original.insert(key, merged),
        None => original.remove(key),
    };
    Ok(())
}

/// `$deleteFromPrimitiveList/finalizers`.
fn delete_from(
    original: &mut Map,
    key: &Key,
    value: Value,
    node: &Node<'_>,
    options: Options,
) -> Result<(), PatchError> {
    if !options.directives {
        original.insert(key, value);
        return Ok(());
    }
    let name =
        after_prefix(key, DELETE_FROM).ok_or_else(|| PatchError::new("invalid patch format of primitive list"))?;
    if value.is_null() {
        original.remove(name);
        return Ok(());
    }
    let (Some(Value::List(old)), Value::List(gone)) = (original.get(name), value) else { return Ok(()) };
    let (item, rule) = node.list_field(name)?;
    let kept: Value = if old.is_empty() && gone.is_empty() {
        old.clone().into()
    } else {
        match list::items_of(&[old, &gone])? {
            Items::Scalars => old.iter().filter(|item| !gone.contains(item)).cloned().collect::<Vec<_>>().into(),
            Items::Maps => lists(old.to_vec(), gone.to_vec(), &item, &rule, options)?.list.into(),
        }
    };
    original.insert(name, kept);
    Ok(())
}

fn after_prefix<'k>(key: &'k str, prefix: &str) -> Option<&'k str> {
    key.strip_prefix(prefix)?.strip_prefix('/')
}

/// `$retainKeys`: keys that it does not name go.
fn retain_keys(original: &mut Map, patch: &mut Map, options: Options) -> Result<(), PatchError> {
    let Some(keys) = patch.remove(RETAIN_KEYS) else { return Ok(()) };
    if !options.directives {
        return match original.get(RETAIN_KEYS) {
            Some(known) if *known != keys => Err(PatchError::new(format!(
                "{} and {} are not deep equal: this may happen when calculating the 3-way diff patch",
                words::plain(known),
                words::plain(&keys)
            ))),
            _ => {
                original.insert(RETAIN_KEYS, keys);
                Ok(())
            }
        };
    }
    let wrong = || PatchError::new("invalid patch format of retainKeys");
    let keys = keys.as_list().ok_or_else(wrong)?;
    let named = |key: &str| keys.iter().any(|known| known.as_str() == Some(key));
    let free = |key: &str, value: &Value| value.is_null() || key.starts_with(DELETE_FROM) || key.starts_with(SET_ORDER);
    if patch.iter().any(|(key, value)| !free(key, value) && !named(key)) {
        return Err(wrong());
    }
    original.retain(|key, _| named(key));
    Ok(())
}

/// `$setElementOrder/containers`, together with the list that it orders.
fn ordered_lists(original: &mut Map, patch: &mut Map, node: &Node<'_>, options: Options) -> Result<(), PatchError> {
    let keys: Vec<Key> = patch.keys().filter(|key| key.starts_with(SET_ORDER)).cloned().collect();
    for key in keys {
        let Some(order) = patch.remove(&key) else { continue };
        let wrong = || PatchError::new("invalid patch format of setElementOrder list");
        if !options.directives {
            if original.get(&key).is_some_and(|known| *known != order) {
                return Err(wrong());
            }
            original.insert(&key, order.clone());
        }
        let order = list::as_list(&order)?;
        let name = after_prefix(&key, SET_ORDER).ok_or_else(wrong)?;
        ordered_list(original, patch, name, order, node, options)?;
    }
    Ok(())
}

fn ordered_list(
    original: &mut Map,
    patch: &mut Map,
    name: &str,
    order: &[Value],
    node: &Node<'_>,
    options: Options,
) -> Result<(), PatchError> {
    let old = original.get(name).map(|value| list::as_list(value).cloned()).transpose()?;
    let new = patch.get(name).map(|value| list::as_list(value).cloned()).transpose()?;
    let (item, rule) = node.list_field(name)?;
    let key = merge_key(&rule);
    fits_order(new.as_deref().unwrap_or_default(), order, key)?;
    let mut server_order = old.as_deref().unwrap_or_default().to_vec();
    let merged = match (&old, &new) {
        (None, None) => return Ok(()),
        (Some(old), None) => old.to_vec(),
        (None, Some(new)) => new.iter().cloned().filter_map(without_directives).collect(),
        (Some(old), Some(new)) if rule.merge => {
            let merged = lists(old.to_vec(), new.to_vec(), &item, &rule, options)?;
            server_order = merged.server_order;
            merged.list
        }
        (Some(_), Some(new)) => new.to_vec(),
    };
    let (named, others) = list::partition(merged, order, key)?;
    let items = list::items_of(&[old.as_deref().unwrap_or_default(), new.as_deref().unwrap_or_default()])?;
    let ordered = list::interleave(named, others, order, &server_order, key, items)?;
    original.insert(name, ordered);
    patch.remove(name);
    Ok(())
}

/// The items of the patch must stand in the order list, in its order.
fn fits_order(patch: &[Value], order: &[Value], key: &str) -> Result<(), PatchError> {
    if order.is_empty() || patch.is_empty() {
        return Ok(());
    }
    let mut wanted = Vec::new();
    for item in patch {
        if key.is_empty() || !list::is_deletion(list::as_map(item).map(|_| item)?) {
            wanted.push(item);
        }
    }
    let mut wanted = wanted.into_iter().peekable();
    let mut known = order.iter().peekable();
    while let (Some(item), Some(place)) = (wanted.peek(), known.peek()) {
        if item.get(DIRECTIVE).is_some() {
            wanted.next();
            continue;
        }
        let same = if key.is_empty() { item == place } else { list::key_of(item, key)? == list::key_of(place, key)? };
        if same {
            wanted.next();
        }
        known.next();
    }
    if wanted.peek().is_none() {
        return Ok(());
    }
    let (patch, order) = (words::plain(&patch.to_vec().into()), words::plain(&order.to_vec().into()));
    Err(PatchError::new(format!("The order in patch list:\n{patch}\n doesn't match {SET_ORDER} list:\n{order}\n")))
}

/// Two lists merged.
struct Merged {
    list: Vec<Value>,
    /// What the library takes for the server's order afterwards. It merges in the memory of the server's list:
    /// after deletions, new items stand where the deleted ones stood.
    server_order: Vec<Value>,
}

/// Merges lists that merge.
fn lists(
    old: Vec<Value>,
    new: Vec<Value>,
    item: &Node<'_>,
    rule: &PatchRule,
    options: Options,
) -> Result<Merged, PatchError> {
    if old.is_empty() && new.is_empty() {
        return Ok(Merged { list: old, server_order: new });
    }
    let key = merge_key(rule);
    let items = list::items_of(&[&old, &new])?;
    let (old, new, merged, server_order) = match items {
        Items::Scalars => {
            let both = old.iter().chain(&new).cloned().collect();
            (old.clone(), new, list::without_duplicates(both), old)
        }
        Items::Maps if key.is_empty() => {
            return Err(PatchError::new("cannot merge lists without merge key for type struct"));
        }
        Items::Maps => {
            let Plain { old, new, mut memory, replaced } = special_items(old, new, key)?;
            let merged = merge_items(old.clone(), &new, item, key, options)?;
            if !replaced {
                memory.iter_mut().zip(&merged).for_each(|(place, item)| place.clone_from(item));
            }
            (old, new, merged, memory)
        }
    };
    let (named, others) = list::partition(merged, &new, key)?;
    let list = list::interleave(named, others, &new, &old, key, items)?;
    Ok(Merged { list, server_order })
}

/// What is left of two lists after the directives of the items.
struct Plain {
    old: Vec<Value>,
    new: Vec<Value>,
    /// The old list at its former length: deletions move the later items down, the last stays behind.
    memory: Vec<Value>,
    replaced: bool,
}

fn special_items(old: Vec<Value>, new: Vec<Value>, key: &str) -> Result<Plain, PatchError> {
    let (mut memory, mut length) = (old.clone(), old.len());
    let mut plain = Vec::new();
    let mut replaced = false;
    for item in new {
        let map = list::as_map(&item)?;
        let Some(directive) = map.get(DIRECTIVE) else {
            plain.push(item);
            continue;
        };
        match directive.as_str() {
            Some("delete") => {
                let gone = list::key_of(&item, key)?;
                while let Some(place) = list::find(&memory[..length], key, gone)? {
                    for later in place + 1..length {
                        memory[later - 1] = memory[later].clone();
                    }
                    length -= 1;
                }
            }
            Some("replace") => replaced = true,
            Some("merge") => return Err(PatchError::new("merging lists cannot yet be specified in the patch")),
            _ => return Err(unknown_directive(directive, map)),
        }
    }
    let (old, new) = if replaced { (plain, Vec::new()) } else { (memory[..length].to_vec(), plain) };
    Ok(Plain { old, new, memory, replaced })
}

fn merge_items(
    mut old: Vec<Value>,
    new: &[Value],
    item: &Node<'_>,
    key: &str,
    options: Options,
) -> Result<Vec<Value>, PatchError> {
    for change in new {
        match list::find(&old, key, list::key_of(change, key)?)? {
            Some(place) => {
                let (known, change) = (list::as_map(&old[place])?.clone(), list::as_map(change)?.clone());
                old[place] = maps(known, change, item, options)?.into();
            }
            None => old.push(change.clone()),
        }
    }
    Ok(old)
}

/// Removes maps with a directive; what is new cannot be replaced or deleted.
fn without_directives(value: Value) -> Option<Value> {
    match value {
        Value::Map(map) if map.contains_key(DIRECTIVE) => None,
        Value::Map(map) => {
            let kept = map.into_iter().filter_map(|(key, value)| Some((key, without_directives(value)?)));
            Some(Value::Map(kept.collect()))
        }
        Value::List(items) => Some(Value::List(items.into_iter().filter_map(without_directives).collect())),
        scalar => Some(scalar),
    }
}

/// Removes nulls from maps, at every depth.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Map(map) => {
            let kept = map.into_iter().filter(|(_, value)| !value.is_null());
            Value::Map(kept.map(|(key, value)| (key, without_nulls(value))).collect())
        }
        Value::List(items) => Value::List(items.into_iter().map(without_nulls).collect()),
        scalar => scalar,
    }
}
