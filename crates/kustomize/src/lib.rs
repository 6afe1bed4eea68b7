//! Kustomizations, built from files: objects, and the exact bytes that `kustomize build` 5.8.1 prints.
//!
//! What: every field of `kustomization.yaml` 5.8, the built-in plugins, load restrictions and the texts of
//! kustomize's errors. [`build`] reads through [`lockstep_files::Reader`], so every file that mattered is recorded.
//!
//! What not: no files, network or clock of its own. Charts are rendered by a [`ChartRenderer`], remote bases are
//! given by [`RemoteBases`]; both are values of [`Options`], and without them such fields are refused. External
//! plugins (programs and containers) are never run.
//!
//! Why its own tree: kustomize edits YAML nodes, not values. Whether a scalar was quoted, tagged or plain decides
//! what a later step makes of it, so the build keeps that and turns into objects only at the end. Which lists a
//! strategic merge matches by key comes from the schema that kustomize carries (Kubernetes 1.21.2), for a newer one
//! would give other bytes. Nothing is global and nothing is locked: builds run side by side.
#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod address;
mod build;
mod config;
mod context;
mod decode;
mod error;
mod fast;
mod fields;
mod generate;
mod gosyntax;
mod helm;
mod id;
mod image;
mod json;
mod json6902;
mod kustomization;
mod loader;
mod merge;
mod nameref;
mod node;
mod origin;
mod patch;
mod path;
mod plugins;
mod print;
mod read;
mod replace;
mod resource;
mod scalar;
mod schema;
mod select;
mod show;
mod steps;
mod target;
mod transform;
mod vars;

pub use address::RemoteAddress;
pub use build::{
    Build, Chart, ChartRenderer, ImageOverride, Limits, LoadRestrictor, Options, Overlay, PatchOverride, RemoteBases,
    RemoteError, Reorder, TargetOverride, build, build_with_overlay,
};
pub use error::Error;
