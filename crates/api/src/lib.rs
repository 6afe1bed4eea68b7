//! Lockstep's own resources and the names it puts on other objects.
