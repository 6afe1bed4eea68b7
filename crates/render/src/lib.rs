//! Recognises the kind of a source folder and renders it into objects.
//!
//! What: [`render`] over a recorded reader, so that the caller knows which paths the result depends on; Flux's
//! variable substitution ([`envsubst`]). What lies outside of the tree is named as a [`Need`]; the caller fetches it into
//! [`Remotes`] and renders again.
//!
//! What not: no network and no cluster. The building of kustomizations and charts is the work of their own crates.
#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod chart;
mod context;
pub mod envsubst;
mod folder;
mod kustomization;
mod remote;

pub use chart::missing_dependencies;
pub use context::{CHART_SEED, ChartCache, ChartContext};
pub use folder::{HelmValues, RenderSpec, Rendered, SourceKind, ValuesFrom, recognise, render, render_for};
pub use kustomization::{KustomizeSpec, NotBuilt, kustomize_build};
pub use lockstep_helm::{Dependency, Lookup, Record as ReleaseRecord, Status as ReleaseStatus, decode_record};
pub use lockstep_kustomize::{ImageOverride, LoadRestrictor, Overlay, PatchOverride, TargetOverride};
pub use remote::{FILE, Fetched, Need, Remotes};
