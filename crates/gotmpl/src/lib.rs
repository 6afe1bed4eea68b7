//! The Go template language and its functions.
