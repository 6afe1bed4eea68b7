//! A Kubernetes object as a compact value: identity, paths, YAML, JSON, quantities and kind orders.
