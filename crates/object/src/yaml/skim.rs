//! Reads a few entries of a document and only the grammar of the rest: what sorts manifests needs their head.

use super::{
    MAX_DEPTH,
    build::{Builder, is_merge, is_word},
    events::{Event, Events, Scalar},
    resolve::{Resolved, resolve_plain},
};
use crate::{Key, Map, Value};

/// Reads the first document of a text whose root is a map, and of its entries those that are kept.
///
/// None if the document has what cannot be skimmed over: errors, anchors, merges, tags, keys that are no words, numbers that JSON
/// does not have. It must be read whole then, which also words its errors.
pub(super) fn skim(text: &str, keep: impl Fn(&str) -> bool) -> Option<Value> {
    let mut events = Events::new(text);
    let Event::DocumentStart = events.next().ok()?.0 else { return None };
    let Event::MapStart(None) = events.next().ok()?.0 else { return None };
    let mut builder = Builder::new(false);
    let mut kept: Vec<(Key, Value)> = Vec::new();
    loop {
        let key = match events.next().ok()?.0 {
            Event::MapEnd => break,
            event => word(event)?,
        };
        let (event, mark) = events.next().ok()?;
        if keep(&key.value) {
            let value = builder.whole(&mut events, event, mark)?;
            kept.push((Key::new(&key.value), value));
        } else {
            skip(&mut events, event, 1)?;
        }
    }
    events.next().ok()?;
    Some(Value::Map(kept.into_iter().collect::<Map>()))
}

/// Takes a key that is a word and nothing more.
fn word(event: Event<'_>) -> Option<Scalar<'_>> {
    if is_merge(&event) {
        return None;
    }
    match event {
        Event::Scalar(scalar) if is_word(&scalar) => Some(scalar),
        _ => None,
    }
}

/// Passes over a node that any reader would take.
fn skip(events: &mut Events, event: Event, depth: usize) -> Option<()> {
    if depth > MAX_DEPTH {
        return None;
    }
    match event {
        Event::Scalar(Scalar { value, properties: None, implicit }) => (!implicit || is_in_json(&value)).then_some(()),
        Event::ListStart(None) => loop {
            match events.next().ok()?.0 {
                Event::ListEnd => return Some(()),
                event => skip(events, event, depth + 1)?,
            }
        },
        Event::MapStart(None) => loop {
            match events.next().ok()?.0 {
                Event::MapEnd => return Some(()),
                event => word(event)?,
            };
            let event = events.next().ok()?.0;
            skip(events, event, depth + 1)?;
        },
        _ => None,
    }
}

/// Tells whether JSON has the value of a plain scalar: all but the floats that are no numbers.
fn is_in_json(text: &str) -> bool {
    let may_be_number = text.starts_with(|first: char| matches!(first, '.' | '+' | '-' | '0'..='9'));
    !may_be_number || !matches!(resolve_plain(text, true), Resolved::Float(number) if !number.is_finite())
}
