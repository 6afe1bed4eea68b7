//! Generates tables and checks of the workspace.
fn main() {}
