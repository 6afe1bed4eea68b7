//! The function library: Go's builtins and sprig 3.3 as Helm 4 exposes it.

mod args;
pub(crate) mod builtins;
mod casing;
mod crypto;
mod dates;
mod defaults;
mod dicts;
pub(crate) mod encoding;
mod escape;
pub(crate) mod json;
mod lists;
mod math;
mod merge;
mod paths;
mod patterns;
mod strings;
mod urls;

use crate::{
    context::Context,
    error::FuncError,
    functions::{Functions, Signature},
    types::Type,
    value::Value,
};

type Result<T = Value> = std::result::Result<T, FuncError>;
type Plain = fn(&mut Context, &[Value]) -> Result;

/// What Go says when a function touches a nil pointer.
const NIL_POINTER: &str = "runtime error: invalid memory address or nil pointer dereference";

/// Registers sprig.
pub(crate) fn register(functions: &mut Functions) {
    strings::register(functions);
    casing::register(functions);
    lists::register(functions);
    dicts::register(functions);
    defaults::register(functions);
    math::register(functions);
    encoding::register(functions);
    dates::register(functions);
    patterns::register(functions);
    paths::register(functions);
    urls::register(functions);
    crypto::register(functions);
}

/// Adds a function of fixed parameters under several names.
fn add(functions: &mut Functions, names: &[&str], params: &[Type], code: Plain) {
    for name in names {
        functions.add(name, Signature::new(params), code);
    }
}

/// Adds a function whose last parameter repeats, under several names.
fn add_variadic(functions: &mut Functions, names: &[&str], params: &[Type], rest: Type, code: Plain) {
    for name in names {
        functions.add(name, Signature::new(params).variadic(rest), code);
    }
}
