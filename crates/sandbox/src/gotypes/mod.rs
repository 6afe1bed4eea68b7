//! The Go types of the built-in kinds.
//!
//! Three things that clients see follow from them and from nothing else: bodies in protobuf ([`protobuf`]), where
//! fields have numbers, the names of ReplicaSets and revisions ([`hash`]), which hash the printed Go value, and
//! objects inside the texts of errors ([`order`]).

mod hash;
mod order;
mod protobuf;

use std::{collections::HashMap, sync::LazyLock};

pub(crate) use hash::{revision_hash, template_hash};
pub(crate) use order::{in_go_order, internal_form, sort};
pub(crate) use protobuf::to_json_body;

/// What `tests/types` prints of the types of Kubernetes 1.36; its source describes the lines.
const RECORDED: &str = include_str!("../../data/types.txt");

static TYPES: LazyLock<Types> = LazyLock::new(|| Types::parse(RECORDED));

/// All structs, and which of them a kind is.
struct Types {
    kinds: HashMap<(&'static str, &'static str), usize>,
    structs: Vec<Struct>,
}

/// A Go struct.
struct Struct {
    name: &'static str,
    fields: Vec<Field>,
}

/// A field of a struct.
struct Field {
    /// Its name in Go.
    go: &'static str,
    json: &'static str,
    omit_empty: bool,
    /// Its fields stand beside those of the struct.
    inline: bool,
    /// Its number in protobuf, 0 if it is not there.
    number: u64,
    shape: Shape,
    /// Its type as Go prints it; empty where nothing is hashed.
    go_type: &'static str,
}

/// What a field holds.
#[derive(Clone, Debug, PartialEq)]
enum Shape {
    Pointer(Box<Shape>),
    List(Box<Shape>),
    Map(Box<Shape>),
    Text,
    Bool,
    Int,
    Float,
    Bytes,
    /// A list of strings in a message of its own.
    Texts,
    Struct(usize),
    Time,
    MicroTime,
    Duration,
    Quantity,
    IntOrString,
    Raw,
    FieldsV1,
}

impl Shape {
    fn parse(text: &str) -> Option<Self> {
        let (first, rest) = text.split_at_checked(1)?;
        let inner = || Self::parse(rest).map(Box::new);
        Some(match first {
            "*" => Self::Pointer(inner()?),
            "[" => Self::List(inner()?),
            "{" => Self::Map(inner()?),
            "s" => Self::Text,
            "b" => Self::Bool,
            "i" => Self::Int,
            "f" => Self::Float,
            "y" => Self::Bytes,
            "w" => Self::Texts,
            "m" => Self::Struct(rest.parse().ok()?),
            "T" => Self::Time,
            "U" => Self::MicroTime,
            "D" => Self::Duration,
            "Q" => Self::Quantity,
            "N" => Self::IntOrString,
            "R" => Self::Raw,
            "F" => Self::FieldsV1,
            _ => return None,
        })
    }
}

impl Types {
    fn parse(text: &'static str) -> Self {
        let mut types = Self { kinds: HashMap::new(), structs: Vec::new() };
        for line in text.lines() {
            let words: Vec<&'static str> = line.split(' ').collect();
            match words.as_slice() {
                ["K", api_version, kind, place] => {
                    types.kinds.insert((api_version, kind), place.parse().unwrap_or(usize::MAX));
                }
                ["S", name] => types.structs.push(Struct { name, fields: Vec::new() }),
                [go, json, flags, number, shape, rest @ ..] => {
                    let (Some(owner), Some(shape)) = (types.structs.last_mut(), Shape::parse(shape)) else { continue };
                    owner.fields.push(Field {
                        go,
                        json,
                        omit_empty: flags.contains('o'),
                        inline: flags.contains('i'),
                        number: number.parse().unwrap_or_default(),
                        shape,
                        go_type: rest.first().copied().unwrap_or_default(),
                    });
                }
                _ => {}
            }
        }
        types
    }

    fn structure(&self, place: usize) -> Option<&Struct> {
        self.structs.get(place)
    }

    fn of_kind(&self, api_version: &str, kind: &str) -> Option<usize> {
        self.kinds.get(&(api_version, kind)).copied()
    }

    fn named(&self, name: &str) -> Option<usize> {
        self.structs.iter().position(|one| one.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole() {
        let fields = RECORDED.lines().filter(|line| !line.starts_with("K ") && !line.starts_with("S ")).count();
        assert_eq!(TYPES.structs.iter().map(|one| one.fields.len()).sum::<usize>(), fields);
        assert!(TYPES.kinds.values().all(|place| *place < TYPES.structs.len()));
        assert!(TYPES.of_kind("apps/v1", "Deployment").is_some());
    }
}
