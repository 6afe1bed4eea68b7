//! The decisions of Lockstep: plan, step and facts.
