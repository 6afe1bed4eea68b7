//! Compares desired with live objects and words the changes.
