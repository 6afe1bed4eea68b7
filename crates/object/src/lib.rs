//! A Kubernetes object as a compact value.
//!
//! What: [`Value`] (24 bytes a node, cheap clones, insertion order kept), [`Object`] with its identity
//! ([`Gvk`], [`ObjectKey`]), paths into it, YAML 1.1 as Kubernetes reads it, JSON as Go prints it,
//! quantities, and the orders in which kinds are applied and deleted.
//!
//! What not: nothing here knows schemas, clusters or the product; there is no IO.
//!
//! Why: a system that holds ten thousand objects pays for each node. `serde_json::Value` spends ten
//! times the JSON's size; here keys are interned, short strings live in the node, and maps and lists
//! are shared until somebody writes.
#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod diagnostic;
pub mod go;
mod identity;
mod json;
mod key;
mod list;
mod map;
mod object;
mod order;
mod path;
mod quantity;
mod text;
mod value;
pub mod yaml;

pub use diagnostic::{Diagnostic, Place, Severity};
pub use identity::{Gk, Gvk, ObjectKey};
pub use json::{JsonError, from_json, to_json, to_json_html_safe, to_json_pretty, write_json};
pub use key::Key;
pub use list::List;
pub use map::Map;
pub use object::{NotAnObject, Object};
pub use order::{apply_rank, is_cluster_definition};
pub use path::{Path, Step};
pub use quantity::{Quantity, QuantityError};
pub use text::Text;
pub use value::Value;
