//! The language in which the library's rules are written.
//!
//! A file holds rules; a rule names its kinds and is a list of steps, nested by indentation:
//!
//! ```text
//! # cert-manager: a certificate that is being issued again is not ready yet.
//! kind cert-manager.io/Certificate
//!   conditions
//!     Issuing=True: Progressing
//!   conditions
//!     Ready=False: Degraded
//!     Ready=True: Healthy
//!   Progressing "Waiting for certificate"
//! ```
//!
//! Steps run in order and the first verdict ends the rule; [`syntax::Step`] lists them. Expressions are safe on
//! any object: what is missing is nothing (`nil`), nothing is false, and a comparison with nothing fails.
//! The words were chosen so that a rule reads like the sentence that its CRD's documentation has.

mod evaluate;
mod expression;
mod functions;
mod item;
mod lines;
mod parse;
pub mod syntax;
mod words;

pub use evaluate::evaluate;
pub use parse::{Rule, SyntaxError, kinds_of, parse_rule};
