//! Text to tree, as `text/template/parse` of Go 1.26, with its error texts.

mod constant;
mod lex;
mod node;
mod parser;

pub(crate) use node::{Branch, Command, Expr, ExprKind, Node, Number, Pipe, Template, TemplateCall};
pub(crate) use parser::parse;
