//! Talks to Kubernetes API servers: discovery, watches, effects.
