//! Wires sources, engine and clusters into the running system.
