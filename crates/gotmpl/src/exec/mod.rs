//! Runs trees.
use crate::{
    context::Context,
    error::{Error, Place},
    parse::Template,
    value::{Str, Value},
};
use std::sync::Arc;
pub(crate) struct Frame;
impl Frame {
    pub(crate) fn place(&self) -> Place {
        Place { file: String::new(), template: String::new(), line: 1, column: 0 }
    }
}
pub(crate) fn execute(_context: &mut Context, _template: &Arc<Template>, _dot: &Value) -> Result<Str, Error> {
    Ok(Str::default())
}
