//! Simulated controllers.

/// What controllers remember between steps.
#[derive(Debug, Default)]
pub(crate) struct Memory {}
