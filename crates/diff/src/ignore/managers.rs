//! Takes away what a manager owns.

use lockstep_object::{Map, Value};

use crate::fields::{Element, element};

/// Deeper than any object that an API server takes.
const DEEPEST: usize = 128;

/// Takes away the fields of a set from a value.
pub fn delete(value: &mut Value, set: &Map, depth: usize) {
    if depth > DEEPEST {
        return;
    }
    for (step, below) in set.iter() {
        let Some(element) = element(step) else { continue };
        let below = below.as_map().filter(|below| below.keys().any(|key| key != "."));
        match (&element, &mut *value) {
            (Element::Field(name), Value::Map(map)) => match below {
                None => {
                    map.remove(name);
                }
                Some(below) => {
                    if let Some(child) = map.get_mut(name) {
                        delete(child, below, depth + 1);
                    }
                }
            },
            (Element::Item(wanted), Value::List(list)) => list.edit(|items| items.retain(|item| item != wanted)),
            (Element::Keys(_) | Element::Place(_), Value::List(list)) => {
                let place = place_of(list, &element);
                if let (Some(place), Some(below)) = (place, below) {
                    delete(&mut list.make_mut()[place], below, depth + 1);
                }
            }
            _ => {}
        }
    }
}

fn place_of(items: &[Value], element: &Element<'_>) -> Option<usize> {
    match element {
        Element::Place(place) => (*place < items.len()).then_some(*place),
        Element::Keys(keys) => {
            let keys = keys.as_map()?;
            items.iter().position(|item| keys.iter().all(|(key, wanted)| item.get(key) == Some(wanted)))
        }
        _ => None,
    }
}
