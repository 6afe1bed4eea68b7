//! Lists by merge key: finding, ordering, removing duplicates.

use std::{cmp::Ordering, mem::discriminant};

use lockstep_object::{List, Map, Value};

use crate::{PatchError, words};

use super::DIRECTIVE;

/// What the items of a list are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Items {
    Maps,
    Scalars,
}

/// Tells what the items of lists are; all must be of the same Go type.
pub(super) fn items_of(lists: &[&[Value]]) -> Result<Items, PatchError> {
    let mut items = lists.iter().flat_map(|list| list.iter());
    let Some(first) = items.next() else { return Err(PatchError::new("no elements in any of the given slices")) };
    if matches!(first, Value::List(_)) {
        return Err(PatchError::new("lists of lists are not supported"));
    }
    if items.any(|item| !same_type(first, item)) {
        let all: Vec<String> = lists.iter().map(|list| words::plain(&Value::from(list.to_vec()))).collect();
        return Err(PatchError::new(format!("list element types are not identical: [{}]", all.join(" "))));
    }
    Ok(if matches!(first, Value::Map(_)) { Items::Maps } else { Items::Scalars })
}

/// Tells whether Go decodes both into the same type.
pub(super) fn same_type(a: &Value, b: &Value) -> bool {
    let float = |value: &Value| matches!(value, Value::UInt(_) | Value::Float(_));
    discriminant(a) == discriminant(b) || (float(a) && float(b))
}

pub(super) fn no_merge_key(map: &Map, key: &str) -> PatchError {
    PatchError::new(format!("map: {} does not contain declared merge key: {key}", words::plain_map(map)))
}

pub(super) fn wrong_type(expected: &str, actual: &Value) -> PatchError {
    let actual = if actual.is_null() { "%!s(<nil>)" } else { words::type_name(actual) };
    PatchError::new(format!("expected a {expected}, but received a {actual}"))
}

pub(super) fn as_map(item: &Value) -> Result<&Map, PatchError> {
    item.as_map().ok_or_else(|| wrong_type("map[string]interface {}", item))
}

pub(super) fn as_list(value: &Value) -> Result<&List, PatchError> {
    value.as_list().ok_or_else(|| wrong_type("[]interface {}", value))
}

/// Returns the value of an item's merge key.
pub(super) fn key_of<'v>(item: &'v Value, key: &str) -> Result<&'v Value, PatchError> {
    let map = as_map(item)?;
    map.get(key).ok_or_else(|| no_merge_key(map, key))
}

/// Finds the first item with this value of the merge key.
pub(super) fn find(items: &[Value], key: &str, value: &Value) -> Result<Option<usize>, PatchError> {
    for (place, item) in items.iter().enumerate() {
        let map = item.as_map().ok_or_else(|| PatchError::new(format!("value for key {place} is not a map.")))?;
        if map.get(key) == Some(value) {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

/// What identifies an item: its merge key's value, or the scalar itself.
fn identity<'v>(item: &'v Value, key: &str, items: Items) -> Option<&'v Value> {
    match items {
        Items::Maps => item.get(key),
        Items::Scalars => Some(item),
    }
}

/// The first place of each item in `order`.
fn places(list: &[Value], order: &[Value], key: &str, items: Items) -> Vec<Option<usize>> {
    let known: Vec<_> = order.iter().map(|item| identity(item, key, items)).collect();
    list.iter().map(|item| known.iter().position(|known| *known == identity(item, key, items))).collect()
}

/// Splits a list into the items that `by` names and the others.
pub(super) fn partition(list: Vec<Value>, by: &[Value], key: &str) -> Result<(Vec<Value>, Vec<Value>), PatchError> {
    let (mut named, mut others) = (Vec::new(), Vec::new());
    for item in list {
        let is_named = if key.is_empty() { by.contains(&item) } else { find(by, key, key_of(&item, key)?)?.is_some() };
        if is_named { named.push(item) } else { others.push(item) }
    }
    Ok((named, others))
}

/// Sorts a list by the places of its items in `order`; items to be deleted go last.
pub(super) fn sort(list: Vec<Value>, order: &[Value], key: &str, items: Items) -> Result<Vec<Value>, PatchError> {
    let mut list = list;
    let mut deleted = Vec::new();
    if items == Items::Maps {
        for item in list.iter().chain(order) {
            key_of(item, key)?;
        }
        (deleted, list) = list.into_iter().partition(is_deletion);
    }
    let places = places(&list, order, key, items);
    let mut numbered: Vec<(Option<usize>, Value)> = places.into_iter().zip(list).collect();
    if numbered.iter().all(|(place, _)| place.is_some()) {
        numbered.sort_by_key(|(place, _)| *place);
    } else {
        insertion_sort(&mut numbered);
    }
    Ok(numbered.into_iter().map(|(_, item)| item).chain(deleted).collect())
}

/// An item that `order` does not name counts as smaller than its neighbour, whatever that is. With this no
/// order exists, and what comes out is what Go's insertion sort makes of it: such items move to the front.
fn insertion_sort(list: &mut [(Option<usize>, Value)]) {
    let before = |a: Option<usize>, b: Option<usize>| a.zip(b).is_none_or(|(a, b)| a < b);
    for start in 1..list.len() {
        let mut place = start;
        while place > 0 && before(list[place].0, list[place - 1].0) {
            list.swap(place, place - 1);
            place -= 1;
        }
    }
}

pub(super) fn is_deletion(item: &Value) -> bool {
    item.get(DIRECTIVE).and_then(Value::as_str) == Some("delete")
}

/// Orders the items of a patch and those that only the server has: each kind keeps its own order, and the
/// server's items stay near their neighbours of `server_order`.
pub(super) fn interleave(
    patch: Vec<Value>,
    server_only: Vec<Value>,
    patch_order: &[Value],
    server_order: &[Value],
    key: &str,
    items: Items,
) -> Result<Vec<Value>, PatchError> {
    let patch = sort(patch, patch_order, key, items)?;
    let server_only = sort(server_only, server_order, key, items)?;
    let (left_places, right_places) =
        (places(&server_only, server_order, key, items), places(&patch, server_order, key, items));
    let mut left = server_only.into_iter().zip(left_places).peekable();
    let mut right = patch.into_iter().zip(right_places).peekable();
    let mut merged = Vec::new();
    loop {
        let take_left = match (left.peek(), right.peek()) {
            (None, None) => return Ok(merged),
            (Some((_, a)), Some((_, b))) => a.zip(*b).is_some_and(|(a, b)| a < b),
            (Some(_), None) => true,
            (None, Some(_)) => false,
        };
        let next = if take_left { left.next() } else { right.next() };
        merged.extend(next.map(|(item, _)| item));
    }
}

/// Removes later duplicates; the last item takes the place of each, as the library does it.
pub(super) fn without_duplicates(mut list: Vec<Value>) -> Vec<Value> {
    let mut i = 0;
    while i < list.len() {
        let mut j = i + 1;
        while j < list.len() {
            if list[i] == list[j] {
                list.swap_remove(j);
            } else {
                j += 1;
            }
        }
        i += 1;
    }
    list
}

/// Sorts scalars by their text.
pub(super) fn sorted_scalars(list: &[Value]) -> Vec<Value> {
    let mut sorted = list.to_vec();
    sorted.sort_by_cached_key(words::plain);
    sorted
}

/// Sorts maps by the text of their merge key; of equal ones the last comes first, as Go's sort leaves them.
pub(super) fn sorted_maps(list: &[Value], key: &str) -> Vec<Value> {
    let text = |item: &Value| item.get(key).map_or_else(|| "<nil>".into(), words::plain);
    let mut sorted: Vec<(String, Value)> = list.iter().rev().map(|item| (text(item), item.clone())).collect();
    sorted.sort_by(|(a, _), (b, _)| -> Ordering { a.cmp(b) });
    sorted.into_iter().map(|(_, item)| item).collect()
}
