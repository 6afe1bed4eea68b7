//! What is known of each Kubernetes kind, as a value.
//!
//! What: [`SchemaSet`] answers how a kind is served (scope, names, verbs, subresources) and how its
//! fields merge ([`Type`]); it is built from a compact table of Kubernetes 1.36 ([`SchemaSet::built_in`])
//! and from custom resource definitions ([`SchemaSet::with_definition`]). For custom resources it also
//! holds the structural schema: [`structural`] validates, prunes and defaults with Kubernetes' own texts.
//!
//! What not: no patches (crate `merge`), no storage, no admission, no CEL; nothing global: a set is a
//! value that is passed, so two clusters with different definitions never meet.
//!
//! Why one table: the API server publishes everything that is needed here in its OpenAPI and discovery
//! documents. The table holds these documents without repetition, compressed, and opens only the parts
//! that are asked for, so loading costs a millisecond and a type costs its own parsing.
#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod definition;
mod descriptions;
mod openapi;
mod resource;
mod set;
pub mod strict;
pub mod structural;
pub mod table;
mod types;

pub use definition::{Column, Definition, DefinitionError, Scale, Version};
pub use resource::{Resource, Scope, Subresource};
pub use set::SchemaSet;
pub use types::{
    DEDUCED, Field, ListType, MapType, PatchRule, Relationship, Scalar, Type, TypeRef, Types, UNTYPED_ATOMIC,
};
