//! The command line of Lockstep.
