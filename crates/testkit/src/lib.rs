//! What tests share: a cluster behind one handle, Git servers, Helm repositories, OCI registries, clocks.

pub mod charts;
pub mod git;
pub mod registry;
pub mod web;
