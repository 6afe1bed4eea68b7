//! Recognises the kind of a source folder and renders it into objects.

pub mod envsubst;
