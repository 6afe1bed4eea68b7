//! Decodes a tree into records with the rules and error texts of Go's `encoding/json`.

use std::collections::BTreeMap;

use crate::{
    error::Error,
    node::{Node, Scalar},
    scalar::{Number, Tag, number},
};

/// The state of a decoding: where it is and the first thing that was wrong.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    strict: bool,
    path: Vec<&'static str>,
    record: &'static str,
    wrong: Option<String>,
}

/// A type that can be decoded. A wrong value is noted at the decoder and leaves the default.
pub(crate) trait Decode: Default {
    /// The type's name in Go.
    fn go_type() -> String;
    /// Decodes a value that is not null.
    fn decode(decoder: &mut Decoder, node: &Node) -> Self;
}

/// Decodes a whole tree; in strict mode unknown fields are errors.
pub(crate) fn decode<T: Decode>(node: &Node, strict: bool) -> Result<T, Error> {
    let mut decoder = Decoder { strict, ..Decoder::default() };
    let value = decoder.value(node);
    match decoder.wrong {
        Some(wrong) => Err(Error::new(format!("json: {wrong}"))),
        None => Ok(value),
    }
}

/// Decodes as `sigs.k8s.io/yaml` does, with its words around an error.
pub(crate) fn decode_yaml<T: Decode>(node: &Node, strict: bool) -> Result<T, Error> {
    decode(node, strict).map_err(|error| error.wrap("error unmarshaling JSON: while decoding JSON"))
}

impl Decoder {
    fn value<T: Decode>(&mut self, node: &Node) -> T {
        if node.is_null() { T::default() } else { T::decode(self, node) }
    }

    fn note(&mut self, wrong: String) {
        self.wrong.get_or_insert(wrong);
    }

    fn mismatch(&mut self, node: &Node, wanted: &str) {
        let what = match node {
            Node::Map(_) => "object",
            Node::List(_) => "array",
            Node::Scalar(scalar) => match scalar.settled() {
                Tag::Bool => "bool",
                Tag::Int | Tag::Float => "number",
                _ => "string",
            },
        };
        self.mismatch_of(what, wanted);
    }

    fn mismatch_of(&mut self, what: &str, wanted: &str) {
        let place = if self.path.is_empty() {
            "Go value".to_owned()
        } else {
            format!("Go struct field {}.{}", self.record, self.path.join("."))
        };
        self.note(format!("cannot unmarshal {what} into {place} of type {wanted}"));
    }

    /// Returns the entries of a record in the order in which Go meets them.
    pub(crate) fn open<'n>(&mut self, node: &'n Node, go_type: &str) -> Vec<&'n (Scalar, Node)> {
        let Node::Map(entries) = node else {
            self.mismatch(node, go_type);
            return Vec::new();
        };
        let mut sorted: Vec<&(Scalar, Node)> = entries.iter().collect();
        sorted.sort_by(|(a, _), (b, _)| a.text.cmp(&b.text));
        sorted
    }

    /// Finds a field by its name: exactly, or else without regard to case.
    pub(crate) fn field(&mut self, known: &[&'static str], name: &str) -> Option<&'static str> {
        let exact = known.iter().find(|field| **field == name);
        let found = exact.or_else(|| known.iter().find(|field| field.eq_ignore_ascii_case(name)));
        if found.is_none() && self.strict {
            self.note(format!("unknown field {}", crate::error::quote(name)));
        }
        found.copied()
    }

    /// Decodes a field's value.
    pub(crate) fn member<T: Decode>(&mut self, record: &'static str, path: &'static str, node: &Node) -> T {
        let outer = std::mem::replace(&mut self.record, record);
        self.path.push(path);
        let value = self.value(node);
        self.path.pop();
        self.record = outer;
        value
    }
}

impl Decode for String {
    fn go_type() -> String {
        "string".to_owned()
    }
    fn decode(decoder: &mut Decoder, node: &Node) -> Self {
        match node {
            Node::Scalar(scalar) => match scalar.settled() {
                Tag::Bool | Tag::Int | Tag::Float | Tag::Null => {}
                Tag::Time => {
                    return crate::scalar::Timestamp::parse(&scalar.text)
                        .map_or_else(|| scalar.text.to_string(), crate::scalar::Timestamp::to_json);
                }
                _ => return scalar.text.to_string(),
            },
            Node::Map(_) | Node::List(_) => {}
        }
        decoder.mismatch(node, "string");
        Self::default()
    }
}

impl Decode for bool {
    fn go_type() -> String {
        "bool".to_owned()
    }
    fn decode(decoder: &mut Decoder, node: &Node) -> Self {
        match node {
            Node::Scalar(scalar) if scalar.settled() == Tag::Bool => crate::read::bool_value(&scalar.text),
            _ => {
                decoder.mismatch(node, "bool");
                false
            }
        }
    }
}

impl Decode for i64 {
    fn go_type() -> String {
        "int64".to_owned()
    }
    fn decode(decoder: &mut Decoder, node: &Node) -> Self {
        if let Node::Scalar(scalar) = node
            && matches!(scalar.settled(), Tag::Int | Tag::Float)
        {
            match number(&scalar.text) {
                Some(Number::Int(value)) => return value,
                Some(Number::Float(value)) if value.fract() == 0.0 && value.abs() < 9e18 => return value as Self,
                Some(Number::UInt(value)) => decoder.mismatch_of(&format!("number {value}"), "int64"),
                Some(Number::Float(value)) => {
                    decoder.mismatch_of(&format!("number {}", crate::scalar::go_float_json(value)), "int64");
                }
                None => decoder.mismatch(node, "int64"),
            }
            return 0;
        }
        decoder.mismatch(node, "int64");
        0
    }
}

impl<T: Decode> Decode for Option<T> {
    fn go_type() -> String {
        T::go_type()
    }
    fn decode(decoder: &mut Decoder, node: &Node) -> Self {
        Some(T::decode(decoder, node))
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn go_type() -> String {
        format!("[]{}", T::go_type())
    }
    fn decode(decoder: &mut Decoder, node: &Node) -> Self {
        match node {
            Node::List(items) => items.iter().map(|item| decoder.value(item)).collect(),
            _ => {
                decoder.mismatch(node, &Self::go_type());
                Self::new()
            }
        }
    }
}

impl Decode for BTreeMap<String, String> {
    fn go_type() -> String {
        "map[string]string".to_owned()
    }
    fn decode(decoder: &mut Decoder, node: &Node) -> Self {
        match node {
            Node::Map(entries) => {
                let mut sorted: Vec<_> = entries.iter().collect();
                sorted.sort_by(|(a, _), (b, _)| a.text.cmp(&b.text));
                sorted.into_iter().map(|(key, value)| (key.text.to_string(), decoder.value(value))).collect()
            }
            _ => {
                decoder.mismatch(node, &Self::go_type());
                Self::new()
            }
        }
    }
}

impl Decode for Node {
    fn go_type() -> String {
        "map[string]interface {}".to_owned()
    }
    fn decode(decoder: &mut Decoder, node: &Node) -> Self {
        if matches!(node, Self::Map(_)) {
            return node.clone();
        }
        decoder.mismatch(node, &Self::go_type());
        Self::null()
    }
}

/// Defines a record: its Go name, and for each field the type, the name in YAML and, for fields of an embedded record,
/// the path that Go names in errors.
macro_rules! record {
    ($(#[$meta:meta])* $name:ident $go:literal $go_type:literal {
        $($(#[$field_meta:meta])* $field:ident: $type:ty = $json:literal $(as $path:literal)?,)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub(crate) struct $name {
            $($(#[$field_meta])* pub(crate) $field: $type,)*
        }

        impl $crate::decode::Decode for $name {
            fn go_type() -> String {
                $go_type.to_owned()
            }

            fn decode(decoder: &mut $crate::decode::Decoder, node: &$crate::node::Node) -> Self {
                let mut record = Self::default();
                for (key, value) in decoder.open(node, $go_type) {
                    match decoder.field(&[$($json),*], &key.text) {
                        $(Some($json) => {
                            let path = [$($path,)? $json][0];
                            record.$field = decoder.member($go, path, value);
                        })*
                        _ => {}
                    }
                }
                record
            }
        }
    };
}
pub(crate) use record;
