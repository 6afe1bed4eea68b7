//! Go objects that the caller brings: structs and named types with methods.

use std::any::Any;

use crate::{
    context::Context,
    error::FuncError,
    functions::Signature,
    types::Kind,
    value::{Str, Value},
};

/// A Go value with fields and methods, such as `.Files` or `.Capabilities`.
///
/// Only [`Object::type_name`] and [`Object::as_any`] are required. A struct gives its `fields`; a named map also its `entries`;
/// methods are announced by `method` and run by `call`.
pub trait Object {
    /// Gives the name of the type as `%T` prints it, e.g. `*common.Capabilities`.
    fn type_name(&self) -> &str;

    /// Gives the object itself, to be recognised by functions of the caller.
    fn as_any(&self) -> &dyn Any;

    /// Tells the kind: `Struct`, `Map`, `Slice` or `Pointer` (a pointer to a struct).
    fn kind(&self) -> Kind {
        Kind::Struct
    }

    /// Gives a field, or an entry of a map.
    fn field(&self, name: &str) -> Option<Value> {
        self.fields().into_iter().find(|(field, _)| *field == name).map(|(_, value)| value)
    }

    /// Gives the fields of a struct in their order: for printing and JSON.
    fn fields(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }

    /// Gives the fields of a struct as `fmt` prints them: private ones too.
    fn shown(&self) -> Vec<(&'static str, Value)> {
        self.fields()
    }

    /// Gives the entries of a map or slice, sorted by key: for `range`, `len`, `index` and printing.
    fn entries(&self) -> Option<Vec<(Value, Value)>> {
        None
    }

    /// Gives what a missing key of a map yields with `missingkey=zero`.
    fn zero_entry(&self) -> Value {
        Value::Nil
    }

    /// Gives the parameters of a method, when it has one of this name.
    fn method(&self, _name: &str) -> Option<&Signature> {
        None
    }

    /// Runs a method that [`Object::method`] announced; the arguments fit its signature.
    fn call(&self, name: &str, _args: &[Value], _context: &mut Context) -> Result<Value, FuncError> {
        Err(format!("no method {name}").into())
    }

    /// Gives the text of a type with a `String` or `Error` method.
    fn string(&self) -> Option<Str> {
        None
    }

    /// Gives the text that an action prints for it directly. A type whose `String` method belongs to its pointer has it here
    /// and not in [`Object::string`]: Go finds the method on a field that it can address, not in an argument of `printf`.
    fn printed(&self) -> Option<Str> {
        self.string()
    }

    /// Gives what JSON writes in its place, for a type that marshals itself.
    fn marshal(&self) -> Option<Value> {
        None
    }

    /// Tells Go's truth of the object.
    fn is_true(&self) -> bool {
        match self.kind() {
            Kind::Map | Kind::Slice => self.entries().is_some_and(|entries| !entries.is_empty()),
            _ => true,
        }
    }
}
