//! Go's `text/template` and its function library, as charts use them.
//!
//! What: a parser to a shareable tree ([`Templates`], `Send + Sync`), an evaluator over aliasing values ([`Value`]), Go's builtin
//! functions and the sprig v3 library ([`Functions`]), with the exact texts and error messages of Go 1.26 and sprig 3.3.
//! What not: it knows nothing of Kubernetes, of charts, of YAML; the caller adds such functions to [`Functions`].
//! Why our own: a chart comes from strangers. Every evaluation runs in a [`Context`] with limits on work, depth, output and
//! sizes; it has no clock, randomness, network or files but what the caller passes, so the same input gives the same bytes.
#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod context;
mod convert;
mod error;
mod exec;
mod fmt;
mod functions;
mod library;
mod number;
mod object;
mod parse;
mod paths;
mod regexp;
pub mod semver;
mod stack;
mod templates;
mod time;
mod trace;
mod types;
mod value;

pub use context::{Context, Limits, Options, Warning};
pub use error::{Error, ErrorKind, FuncError, Place};
pub use fmt::quote;
pub use functions::{Function, Functions, Signature};
pub use object::Object;
pub use templates::{MissingKey, Templates};
pub use time::{Duration, Time};
pub use trace::Span;
pub use types::{Kind, Type};
pub use value::{List, Map, Str, Value};

/// Go's formatted printing (`fmt` of Go 1.26) for [`Value`]s.
pub mod print {
    pub use crate::fmt::{sprint, sprintf, sprintln};
}

/// Go's `encoding/json` for [`Value`]s.
pub mod json {
    pub use crate::library::json::{decode, encode, encode_pretty, encode_raw};
}
