//! Recursion that does not overflow the stack.

/// Runs a step of a recursion whose depth is limited elsewhere; grows the stack when little is left.
pub(crate) fn deep<T>(step: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(128 << 10, 2 << 20, step)
}
