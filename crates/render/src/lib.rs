//! Recognises the kind of a source folder and renders it into objects.
//!
//! What: [`render`] over a recorded reader, so that the caller knows which paths the result depends on; Flux's
//! variable substitution ([`envsubst`]).
//!
//! What not: no network and no cluster. The building of kustomizations and charts is the work of their own crates.
#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod chart;
pub mod envsubst;
mod folder;
mod kustomization;

pub use chart::template_output;
pub use folder::{HelmValues, RenderSpec, Rendered, SourceKind, recognise, render};
pub use kustomization::kustomize_build;
