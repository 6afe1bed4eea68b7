//! What is known of each Kubernetes kind, as a value.
