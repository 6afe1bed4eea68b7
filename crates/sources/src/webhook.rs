//! Push events of Git hosts: who pushed what, read from a webhook's headers and body.
