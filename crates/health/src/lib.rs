//! Tells whether a Kubernetes object is well.
