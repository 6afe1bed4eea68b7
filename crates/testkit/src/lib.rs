//! What tests share: a cluster behind one handle, Git servers, clocks.

pub mod git;
