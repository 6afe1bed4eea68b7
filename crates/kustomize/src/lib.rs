//! Kustomizations, built from files.
