//! Path elements of field sets.

use std::{cmp::Ordering, fmt, sync::Arc};

use lockstep_object::{Key, Map, Value, from_json, to_json_html_safe};

use crate::{tree, words::quoted};

/// One step of a path in a field set. Their order is the order in which `fieldsV1` prints them.
#[derive(Clone, Debug)]
pub enum Element {
    /// A field of a map: `f:spec`.
    Field(Key),
    /// The item of a list with these keys, sorted by name: `k:{"name":"web"}`.
    Item(Arc<[(Key, Value)]>),
    /// The item of a set: `v:"a"`.
    Value(Value),
    /// A position in a list: `i:3`.
    Index(i64),
}

/// A path from the root of an object; displays as `.spec.containers[name="web"].image`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldPath(pub Vec<Element>);

impl Element {
    /// Returns the element of a field.
    pub fn field(name: &str) -> Self {
        Self::Field(Key::new(name))
    }

    /// Returns the element of a list's item; the keys are sorted here.
    pub fn item(keys: impl IntoIterator<Item = (Key, Value)>) -> Self {
        let mut keys: Vec<_> = keys.into_iter().collect();
        keys.sort_by(|(a, _), (b, _)| a.cmp(b));
        Self::Item(keys.into())
    }

    /// Reads the form that `fieldsV1` holds, as `f:spec`; the error says what is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (mark, rest) = text.split_at_checked(2).ok_or("key must be 2 characters long:")?;
        if !mark.ends_with(':') {
            return Err(format!("missing colon: {text}"));
        }
        let read = |json: &str| from_json(json.as_bytes()).map_err(|error| error.to_string());
        match mark {
            "f:" => Ok(Self::field(rest)),
            "v:" => Ok(Self::Value(read(rest)?)),
            "k:" => match read(rest)? {
                Value::Map(keys) => Ok(Self::item(keys)),
                other => Err(format!("expected keys, got {}", other.type_name())),
            },
            "i:" => rest.parse().map(Self::Index).map_err(|_| format!("not a position: {rest}")),
            _ => Err("unknown path element type".into()),
        }
    }

    /// Returns the form that `fieldsV1` holds; `text` is room for it.
    pub(crate) fn print(&self, text: &mut String) -> Key {
        text.clear();
        match self {
            Self::Field(name) => {
                text.push_str("f:");
                text.push_str(name);
            }
            Self::Item(keys) => {
                text.push_str("k:");
                text.push_str(&to_json_html_safe(&Value::Map(Map::from_unique(keys.to_vec()))));
            }
            Self::Value(value) => {
                text.push_str("v:");
                text.push_str(&to_json_html_safe(value));
            }
            Self::Index(place) => {
                text.push_str("i:");
                text.push_str(&place.to_string());
            }
        }
        Key::new(text)
    }

    /// Tells whether it is printed as this key.
    pub(crate) fn prints_as(&self, key: &Key) -> bool {
        match self {
            Self::Field(name) => key.strip_prefix("f:").is_some_and(|rest| rest == name.as_str()),
            _ => self.print(&mut String::new()) == *key,
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Field(_) => 0,
            Self::Item(_) => 1,
            Self::Value(_) => 2,
            Self::Index(_) => 3,
        }
    }
}

impl Ord for Element {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Field(a), Self::Field(b)) => a.cmp(b),
            (Self::Item(a), Self::Item(b)) => order_keys(a, b),
            (Self::Value(a), Self::Value(b)) => tree::order(a, b),
            (Self::Index(a), Self::Index(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

fn order_keys(a: &[(Key, Value)], b: &[(Key, Value)]) -> Ordering {
    let pairs = a.iter().zip(b);
    let different =
        pairs.map(|((ka, va), (kb, vb))| ka.cmp(kb).then_with(|| tree::order(va, vb))).find(|found| found.is_ne());
    different.unwrap_or(a.len().cmp(&b.len()))
}

impl PartialOrd for Element {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Element {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Element {}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(f, ".{name}"),
            Self::Item(keys) => {
                f.write_str("[")?;
                for (place, (name, value)) in keys.iter().enumerate() {
                    let comma = if place > 0 { "," } else { "" };
                    write!(f, "{comma}{name}={}", words(value))?;
                }
                f.write_str("]")
            }
            Self::Value(value) => write!(f, "[={}]", words(value)),
            Self::Index(place) => write!(f, "[{place}]"),
        }
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|element| write!(f, "{element}"))
    }
}

/// Prints a value for people, as the library's errors do.
pub(crate) fn words(value: &Value) -> String {
    match value {
        Value::Text(text) => quoted(text),
        Value::List(items) => format!("[{}]", items.iter().map(words).collect::<Vec<_>>().join(",")),
        Value::Map(map) => map.iter().map(|(key, value)| format!("{key}={}", words(value))).collect(),
        other => lockstep_object::to_json(other),
    }
}
