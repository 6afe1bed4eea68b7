//! Measures Lockstep against its floors and its peers.
fn main() {}
