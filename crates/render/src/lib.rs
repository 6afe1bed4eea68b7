//! Recognises the kind of a source folder and renders it into objects.
//!
//! What: [`render`] over a recorded reader, so that the caller knows which paths the result depends on; Flux's
//! variable substitution ([`envsubst`]).
//!
//! What not: no network and no cluster. Kustomizations and charts are the work of their own crates.
#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

pub mod envsubst;
mod folder;

pub use folder::{RenderSpec, Rendered, SourceKind, recognise, render};
