//! Finds the place of a node in a text.

use super::{
    build::place,
    events::{Event, Events, Mark},
    float,
    resolve::{Resolved, resolve_plain},
};
use crate::Place;

/// Finds where a node stands: `document` counts from 0, `path` has map keys and list indices.
///
/// The place is that of the node's key, or of the list item itself, without a file. Where the path
/// leads through an alias or ends early, the place is that of the nearest node above; a document
/// that is not there is none.
pub fn locate(text: &str, document: usize, path: &[&str]) -> Option<Place> {
    let mut events = at_document(text, document)?;
    let (mut event, mut best) = events.next().ok()?;
    for step in path {
        let found = match event {
            Event::MapStart(_) => find_key(&mut events, step),
            Event::ListStart(_) => step.parse().ok().and_then(|index| find_item(&mut events, index)),
            _ => None,
        };
        let Some((next, mark)) = found else { break };
        (event, best) = (next, mark);
    }
    Some(place("", best))
}

/// Returns the places of the entries of the list `items` at the root of a document.
pub(super) fn locate_items(text: &str, document: usize) -> Vec<Place> {
    let mut places = Vec::new();
    let Some(mut events) = at_document(text, document) else { return places };
    if !matches!(events.next(), Ok((Event::MapStart(_), _)))
        || !matches!(find_key(&mut events, "items"), Some((Event::ListStart(_), _)))
    {
        return places;
    }
    while let Some((item, mark)) = find_item(&mut events, 0) {
        places.push(place("", mark));
        if skip(&mut events, &item).is_none() {
            break;
        }
    }
    places
}

/// Returns the events from the root node of a document on.
fn at_document(text: &str, document: usize) -> Option<Events<'_>> {
    let mut events = Events::new(text);
    let mut seen = 0;
    loop {
        match events.next().ok()?.0 {
            Event::StreamEnd => return None,
            Event::DocumentStart if seen == document => return Some(events),
            Event::DocumentStart => seen += 1,
            _ => {}
        }
    }
}

/// Goes through a map to a key; returns the event of its value and the key's place.
fn find_key<'t>(events: &mut Events<'t>, wanted: &str) -> Option<(Event<'t>, Mark)> {
    loop {
        let (key, mark) = events.next().ok()?;
        let found = match &key {
            Event::MapEnd => return None,
            Event::Scalar(scalar) => scalar.value == wanted || (scalar.implicit && is_key(&scalar.value, wanted)),
            _ => false,
        };
        skip(events, &key)?;
        let (value, _) = events.next().ok()?;
        if found {
            return Some((value, mark));
        }
        skip(events, &value)?;
    }
}

/// Tells whether a plain key is read as this text: `on` is the key `true`.
fn is_key(written: &str, wanted: &str) -> bool {
    match resolve_plain(written, false) {
        Resolved::Bool(truth) => wanted == if truth { "true" } else { "false" },
        Resolved::Int(number) => wanted == itoa::Buffer::new().format(number),
        Resolved::Float(number) => wanted == float::format_g32(number),
        _ => false,
    }
}

fn find_item<'t>(events: &mut Events<'t>, wanted: usize) -> Option<(Event<'t>, Mark)> {
    for _ in 0..wanted {
        let (item, _) = events.next().ok()?;
        if matches!(item, Event::ListEnd) {
            return None;
        }
        skip(events, &item)?;
    }
    events.next().ok().filter(|(item, _)| !matches!(item, Event::ListEnd))
}

/// Skips the rest of a node whose first event was read.
fn skip(events: &mut Events, first: &Event) -> Option<()> {
    let mut open = usize::from(matches!(first, Event::MapStart(_) | Event::ListStart(_)));
    while open > 0 {
        match events.next().ok()?.0 {
            Event::MapStart(_) | Event::ListStart(_) => open += 1,
            Event::MapEnd | Event::ListEnd => open -= 1,
            Event::StreamEnd => return None,
            _ => {}
        }
    }
    Some(())
}
