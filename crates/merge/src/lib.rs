//! Every way to combine Kubernetes objects.
//!
//! What: JSON patch ([`json_patch`]), JSON merge patch ([`merge_patch`]), strategic merge patch
//! ([`strategic`]) with the patch makers of kubectl apply, and server-side apply ([`apply`]) with field
//! sets, managers and conflicts. All of it works on [`lockstep_object::Value`] and the types of
//! `lockstep_schema`.
//!
//! What not: no requests, no clock (times of managed fields are the caller's), no admission, no defaults.
//!
//! Why one crate: the forms share the notions of a list's keys and of ownership, and the API server, kustomize
//! and the diff need the same answers. The rules follow structured-merge-diff 6.4, apimachinery 1.36 and
//! evanphx/json-patch 4.13.
#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

pub mod apply;
pub mod json_patch;
pub mod merge_patch;
pub mod strategic;
mod tree;
mod words;

pub use json_patch::PatchError;
