//! Helm charts, rendered from files.
