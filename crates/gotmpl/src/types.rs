//! Go's types, as far as templates can tell them apart.

use std::fmt;

/// A Go type: of a parameter, of a list's elements, of a value.
///
/// `Display` prints it as Go's `%T` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// `interface {}`: takes every value.
    Any,
    /// `reflect.Value`: takes every value, even none ([`crate::Value::Invalid`]).
    Reflect,
    /// `bool`.
    Bool,
    /// `int`.
    Int,
    /// `int32`, also `rune`.
    Int32,
    /// `int64`.
    Int64,
    /// `uint8`, also `byte`.
    Uint8,
    /// `uint64`.
    Uint64,
    /// `float64`.
    Float64,
    /// `complex128`.
    Complex128,
    /// `string`.
    Str,
    /// `error`.
    Error,
    /// `time.Time`.
    Time,
    /// `time.Duration`.
    Duration,
    /// A slice.
    List(&'static Type),
    /// A map with string keys.
    Map(&'static Type),
    /// A named type by its printed name: a struct, a pointer, a named map.
    Named(&'static str),
}

impl Type {
    /// `[]interface {}`.
    pub const LIST: Self = Self::List(&Self::Any);
    /// `[]string`.
    pub const STRINGS: Self = Self::List(&Self::Str);
    /// `map[string]interface {}`.
    pub const MAP: Self = Self::Map(&Self::Any);

    /// Tells the type's kind.
    pub fn kind(self) -> Kind {
        match self {
            Self::Any | Self::Error => Kind::Interface,
            Self::Reflect | Self::Time | Self::Named(_) => Kind::Struct,
            Self::Bool => Kind::Bool,
            Self::Int => Kind::Int,
            Self::Int32 => Kind::Int32,
            Self::Int64 | Self::Duration => Kind::Int64,
            Self::Uint8 => Kind::Uint8,
            Self::Uint64 => Kind::Uint64,
            Self::Float64 => Kind::Float64,
            Self::Complex128 => Kind::Complex128,
            Self::Str => Kind::String,
            Self::List(_) => Kind::Slice,
            Self::Map(_) => Kind::Map,
        }
    }

    /// Tells whether `nil` is a value of this type.
    pub fn can_be_nil(self) -> bool {
        matches!(self, Self::Any | Self::Error | Self::Reflect | Self::List(_) | Self::Map(_))
            || matches!(self, Self::Named(name) if name.starts_with('*'))
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("interface {}"),
            Self::Reflect => f.write_str("reflect.Value"),
            Self::Bool => f.write_str("bool"),
            Self::Int => f.write_str("int"),
            Self::Int32 => f.write_str("int32"),
            Self::Int64 => f.write_str("int64"),
            Self::Uint8 => f.write_str("uint8"),
            Self::Uint64 => f.write_str("uint64"),
            Self::Float64 => f.write_str("float64"),
            Self::Complex128 => f.write_str("complex128"),
            Self::Str => f.write_str("string"),
            Self::Error => f.write_str("error"),
            Self::Time => f.write_str("time.Time"),
            Self::Duration => f.write_str("time.Duration"),
            Self::List(elem) => write!(f, "[]{elem}"),
            Self::Map(elem) => write!(f, "map[string]{elem}"),
            Self::Named(name) => f.write_str(name),
        }
    }
}

/// The kind of a Go type, named as `reflect.Kind` prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No value.
    Invalid,
    /// `bool`.
    Bool,
    /// `int`.
    Int,
    /// `int32`.
    Int32,
    /// `int64`.
    Int64,
    /// `uint8`.
    Uint8,
    /// `uint64`.
    Uint64,
    /// `float64`.
    Float64,
    /// `complex128`.
    Complex128,
    /// `string`.
    String,
    /// `slice`.
    Slice,
    /// `map`.
    Map,
    /// `struct`.
    Struct,
    /// `ptr`.
    Pointer,
    /// `func`.
    Func,
    /// `interface`.
    Interface,
}

impl Kind {
    /// Gives the name that Go prints.
    pub fn name(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Uint8 => "uint8",
            Self::Uint64 => "uint64",
            Self::Float64 => "float64",
            Self::Complex128 => "complex128",
            Self::String => "string",
            Self::Slice => "slice",
            Self::Map => "map",
            Self::Struct => "struct",
            Self::Pointer => "ptr",
            Self::Func => "func",
            Self::Interface => "interface",
        }
    }
}
