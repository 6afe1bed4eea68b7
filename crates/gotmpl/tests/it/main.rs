//! Templates as their authors see them: outputs and error texts of Go 1.26 and sprig 3.3.
#![allow(clippy::unwrap_used, clippy::panic)]

mod hostile;
mod language;
mod library;
mod support;
