//! One step of a `FieldsV1` set: `f:name`, `k:{"name":"web"}`, `v:"item"`, `i:0` or `.`.

use lockstep_object::{Value, from_json};

/// A step of the set, as it stands in the object's managedFields.
#[derive(Debug)]
pub enum Element<'a> {
    /// The place itself (`.`).
    Itself,
    /// A field of a map.
    Field(&'a str),
    /// The list item with these values of its keys.
    Keys(Value),
    /// The item of a set with this value.
    Item(Value),
    /// The item at this place.
    Place(usize),
}

/// Reads one step; `None` for what no API server writes.
pub fn element(text: &str) -> Option<Element<'_>> {
    if text == "." {
        return Some(Element::Itself);
    }
    let (kind, rest) = text.split_once(':')?;
    match kind {
        "f" => Some(Element::Field(rest)),
        "k" => from_json(rest.as_bytes()).ok().map(Element::Keys),
        "v" => from_json(rest.as_bytes()).ok().map(Element::Item),
        "i" => rest.parse().ok().map(Element::Place),
        _ => None,
    }
}

/// Follows one step from a live value.
pub fn follow<'v>(value: &'v Value, element: &Element<'_>) -> Option<&'v Value> {
    match element {
        Element::Itself => Some(value),
        Element::Field(name) => value.get(name),
        Element::Keys(keys) => {
            let keys = keys.as_map()?;
            value.as_list()?.iter().find(|item| keys.iter().all(|(key, wanted)| item.get(key) == Some(wanted)))
        }
        Element::Item(wanted) => value.as_list()?.iter().find(|item| *item == wanted),
        Element::Place(place) => value.as_list()?.get(*place),
    }
}
