//! The values that expressions work on.

use std::borrow::Cow;

use lockstep_object::Value;

/// A value: borrowed from the object where it can be.
#[derive(Clone, Debug)]
pub enum Item<'a> {
    /// Nothing: a missing field, or null.
    Nil,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A text.
    Text(Cow<'a, str>),
    /// A list that an expression made.
    List(Vec<Item<'a>>),
    /// A list or map of the object.
    Node(&'a Value),
}

impl<'a> Item<'a> {
    /// Tells whether it counts as true: all but nothing and `false`.
    pub fn is_true(&self) -> bool {
        !matches!(self, Self::Nil | Self::Bool(false))
    }

    /// Returns the text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the number, if it is one.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// Returns the field of a map; nothing elsewhere.
    pub fn field(&self, name: &str) -> Item<'a> {
        match self {
            Self::Node(value) => value.get(name).into(),
            _ => Self::Nil,
        }
    }

    /// Returns the items of a list or the values of a map.
    pub fn items(&self) -> Vec<Item<'a>> {
        match self {
            Self::List(items) => items.clone(),
            Self::Node(Value::List(items)) => items.iter().map(Item::from).collect(),
            Self::Node(Value::Map(map)) => map.values().map(Item::from).collect(),
            _ => Vec::new(),
        }
    }

    /// Returns how many items, entries or bytes there are.
    pub fn len(&self) -> usize {
        match self {
            Self::List(items) => items.len(),
            Self::Node(Value::List(items)) => items.len(),
            Self::Node(Value::Map(map)) => map.len(),
            Self::Text(text) => text.len(),
            _ => 0,
        }
    }

    /// Prints it inside a text: nothing is empty, a whole number has no point.
    pub fn print(&self, text: &mut String) {
        match self {
            Self::Nil => {}
            Self::Bool(truth) => text.push_str(if *truth { "true" } else { "false" }),
            Self::Number(number) => text.push_str(&number.to_string()),
            Self::Text(words) => text.push_str(words),
            Self::List(items) => {
                for item in items {
                    item.print(text);
                }
            }
            Self::Node(value) => text.push_str(&lockstep_object::to_json(value)),
        }
    }
}

impl PartialEq for Item<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Nil, Self::Nil) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Number(a), Self::Number(b)) => a == b,
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::List(a), Self::List(b)) => a == b,
            (Self::Node(a), Self::Node(b)) => a == b,
            _ => false,
        }
    }
}

impl<'a> From<&'a Value> for Item<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Nil,
            Value::Bool(truth) => Self::Bool(*truth),
            Value::Text(text) => Self::Text(Cow::Borrowed(text.as_str())),
            Value::List(_) | Value::Map(_) => Self::Node(value),
            number => number.as_f64().map_or(Self::Nil, Self::Number),
        }
    }
}

impl<'a> From<Option<&'a Value>> for Item<'a> {
    fn from(value: Option<&'a Value>) -> Self {
        value.map_or(Self::Nil, Self::from)
    }
}

impl From<String> for Item<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}
