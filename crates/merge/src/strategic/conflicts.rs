//! Do two patches set the same field to different values?

use std::collections::BTreeMap;

use lockstep_object::{Map, Value};
use lockstep_schema::PatchRule;

use crate::{PatchError, words};

use super::{
    DIRECTIVE, RETAIN_KEYS,
    list::{self, Items},
    lookup::{Node, merge_key},
};

pub(super) fn maps(left: &Map, right: &Map, node: &Node<'_>) -> Result<bool, PatchError> {
    // Directives beside lists are no fields, which is an error; the library meets it or a conflict, whichever its
    // map brings first. Here conflicts come first.
    let (directives, fields): (Vec<_>, Vec<_>) = left.iter().partition(|(key, _)| key.starts_with('$'));
    let directives = directives.into_iter().filter(|(key, _)| *key != DIRECTIVE && *key != RETAIN_KEYS);
    for (key, a) in fields.into_iter().chain(directives) {
        let Some(b) = right.get(key) else { continue };
        let found = match (a, b) {
            (Value::Map(a), Value::Map(b)) => {
                let (below, rule) = node.map_field(key)?;
                if a.get(DIRECTIVE) != b.get(DIRECTIVE) { true } else { !rule.replace && maps(a, b, &below)? }
            }
            (Value::List(a), Value::List(b)) => {
                let (item, rule) = node.list_field(key)?;
                lists(a, b, &item, &rule)?
            }
            (a, b) => a != b,
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

fn lists(left: &[Value], right: &[Value], item: &Node<'_>, rule: &PatchRule) -> Result<bool, PatchError> {
    match (list::items_of(&[left, right])?, rule.merge) {
        // Merged scalars never conflict.
        (Items::Scalars, true) => Ok(false),
        (Items::Scalars, false) => {
            let plain = |list: &[Value]| list::sorted_scalars(&list::without_duplicates(list.to_vec()));
            Ok(left.len() != right.len() || plain(left) != plain(right))
        }
        (Items::Maps, true) => {
            let (left, right) = (by_key(left, merge_key(rule))?, by_key(right, merge_key(rule))?);
            for (key, a) in &left {
                if let Some(b) = right.get(key)
                    && items(a, b, item)?
                {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        (Items::Maps, false) => {
            if left.len() != right.len() {
                return Ok(true);
            }
            for (a, b) in left.iter().zip(right) {
                if items(list::as_map(a)?, list::as_map(b)?, item)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
    }
}

fn items(left: &Map, right: &Map, item: &Node<'_>) -> Result<bool, PatchError> {
    Ok(left.get(DIRECTIVE) != right.get(DIRECTIVE) || maps(left, right, item)?)
}

fn by_key<'v>(list: &'v [Value], key: &str) -> Result<BTreeMap<String, &'v Map>, PatchError> {
    let one = |item: &'v Value| {
        let map = list::as_map(item)?;
        let missing = || {
            let map = words::plain_map(map);
            PatchError::new(format!("cannot find merge key `{key}` in merging list element:{map}"))
        };
        Ok((words::plain(map.get(key).ok_or_else(missing)?), map))
    };
    list.iter().map(one).collect()
}
