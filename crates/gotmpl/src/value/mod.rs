//! The values of templates: Go's types, Go's aliasing.

mod collections;
mod drain;
mod string;

use std::{borrow::Cow, rc::Rc};

pub use collections::{List, Map};
pub use string::Str;

use crate::{
    functions::Function,
    object::Object,
    time::{Duration, Time},
    types::{Kind, Type},
};

/// A Go value. Cloning is cheap: maps, lists and objects are shared, as in Go.
#[derive(Clone)]
pub enum Value {
    /// No value at all: what a pipeline without a value gives (Go's zero `reflect.Value`). Functions never see it,
    /// except in [`Type::Reflect`] parameters; they get and return [`Value::Nil`].
    Invalid,
    /// A nil `interface{}`: `null` in JSON, `<no value>` when printed.
    Nil,
    /// `bool`.
    Bool(bool),
    /// `int`: constants of templates, `len`, `int`, `until`.
    Int(i64),
    /// `int32` (a rune).
    Int32(i32),
    /// `int64`: sprig's arithmetic, TOML and `--set` integers.
    Int64(i64),
    /// `uint8`: an element of a string or of bytes.
    Uint8(u8),
    /// `uint64`.
    Uint64(u64),
    /// `float64`: every number of a values file.
    Float(f64),
    /// `complex128`.
    Complex(f64, f64),
    /// `string`: bytes that need not be UTF-8.
    Str(Str),
    /// `[]byte`.
    Bytes(Rc<[u8]>),
    /// Any other slice.
    List(List),
    /// A map with string keys.
    Map(Map),
    /// `time.Time`.
    Time(Rc<Time>),
    /// `time.Duration`.
    Duration(Duration),
    /// A Go object with fields and methods.
    Native(Rc<dyn Object>),
    /// A function, for `call`.
    Func(Rc<Function>),
}

impl Value {
    /// Makes a string.
    pub fn str(text: impl Into<Str>) -> Self {
        Self::Str(text.into())
    }

    /// Makes a `[]interface{}`.
    pub fn list(items: Vec<Self>) -> Self {
        Self::List(List::new(Type::Any, items))
    }

    /// Makes a `[]string`.
    pub fn strings<S: Into<Str>>(items: impl IntoIterator<Item = S>) -> Self {
        Self::List(List::new(Type::Str, items.into_iter().map(|s| Self::Str(s.into())).collect()))
    }

    /// Wraps an object.
    pub fn native(object: impl Object + 'static) -> Self {
        Self::Native(Rc::new(object))
    }

    /// Tells Go's kind of the value.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Invalid => Kind::Invalid,
            Self::Nil => Kind::Interface,
            Self::Bool(_) => Kind::Bool,
            Self::Int(_) => Kind::Int,
            Self::Int32(_) => Kind::Int32,
            Self::Int64(_) | Self::Duration(_) => Kind::Int64,
            Self::Uint8(_) => Kind::Uint8,
            Self::Uint64(_) => Kind::Uint64,
            Self::Float(_) => Kind::Float64,
            Self::Complex(..) => Kind::Complex128,
            Self::Str(_) => Kind::String,
            Self::Bytes(_) | Self::List(_) => Kind::Slice,
            Self::Map(_) => Kind::Map,
            Self::Time(_) => Kind::Struct,
            Self::Native(object) => object.kind(),
            Self::Func(_) => Kind::Func,
        }
    }

    /// Gives the name of the type as Go's `%T` prints it; `<nil>` for none.
    pub fn type_name(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Invalid | Self::Nil => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Int32(_) => "int32",
            Self::Int64(_) => "int64",
            Self::Uint8(_) => "uint8",
            Self::Uint64(_) => "uint64",
            Self::Float(_) => "float64",
            Self::Complex(..) => "complex128",
            Self::Str(_) => "string",
            Self::Bytes(_) => "[]uint8",
            Self::List(list) => return Cow::Owned(format!("[]{}", list.element())),
            Self::Map(map) => return map.type_name(),
            Self::Time(_) => "time.Time",
            Self::Duration(_) => "time.Duration",
            Self::Native(object) => return Cow::Owned(object.type_name().to_owned()),
            Self::Func(function) => return Cow::Owned(function.type_name()),
        })
    }

    /// Tells whether this is a nil interface or no value.
    pub fn is_nil(&self) -> bool {
        matches!(self, Self::Nil | Self::Invalid)
    }

    /// Gives Go's truth of a value: false for zero, empty and nil.
    pub fn is_true(&self) -> bool {
        match self {
            Self::Invalid | Self::Nil => false,
            Self::Bool(b) => *b,
            Self::Int(n) | Self::Int64(n) => *n != 0,
            Self::Int32(n) => *n != 0,
            Self::Uint8(n) => *n != 0,
            Self::Uint64(n) => *n != 0,
            Self::Float(f) => *f != 0.0,
            Self::Complex(re, im) => *re != 0.0 || *im != 0.0,
            Self::Str(s) => !s.is_empty(),
            Self::Bytes(b) => !b.is_empty(),
            Self::List(list) => !list.is_empty(),
            Self::Map(map) => !map.is_empty(),
            Self::Duration(d) => d.0 != 0,
            Self::Time(_) | Self::Func(_) => true,
            Self::Native(object) => object.is_true(),
        }
    }

    /// Gives the string, when it is one.
    pub fn as_str(&self) -> Option<&Str> {
        match self {
            Self::Str(s) => Some(s),
            _ => None,
        }
    }

    /// Gives the map, when it is one.
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// Gives the list, when it is one.
    pub fn as_list(&self) -> Option<&List> {
        match self {
            Self::List(list) => Some(list),
            _ => None,
        }
    }
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&crate::fmt::sprintf("%#v", std::slice::from_ref(self)).to_text())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Str(value.into())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Str(value.into())
    }
}

impl From<Str> for Value {
    fn from(value: Str) -> Self {
        Self::Str(value)
    }
}

impl From<Map> for Value {
    fn from(value: Map) -> Self {
        Self::Map(value)
    }
}

impl From<List> for Value {
    fn from(value: List) -> Self {
        Self::List(value)
    }
}
