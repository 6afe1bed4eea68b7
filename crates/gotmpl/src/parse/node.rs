//! The tree: positions are byte offsets in the text, names are split, functions are resolved.

use std::{fmt, ops::Range, sync::Arc};

use crate::{error::Place, functions::Function, value::Str};

/// A parsed template.
pub(crate) struct Template {
    pub(crate) name: Arc<str>,
    /// The name that was given with the text.
    pub(crate) file: Arc<str>,
    pub(crate) text: Arc<str>,
    pub(crate) root: Vec<Node>,
}

pub(crate) enum Node {
    Text(Range<usize>),
    Action(Pipe),
    If(Box<Branch>),
    With(Box<Branch>),
    Range(Box<Branch>),
    Template(Box<TemplateCall>),
    Break,
    Continue,
}

pub(crate) struct Branch {
    pub(crate) pipe: Pipe,
    pub(crate) list: Vec<Node>,
    pub(crate) else_list: Option<Vec<Node>>,
}

pub(crate) struct TemplateCall {
    pub(crate) pos: usize,
    pub(crate) name: Arc<str>,
    pub(crate) pipe: Option<Pipe>,
}

pub(crate) struct Pipe {
    pub(crate) pos: usize,
    pub(crate) assign: bool,
    pub(crate) decl: Vec<Name>,
    pub(crate) cmds: Vec<Command>,
}

pub(crate) struct Command {
    pub(crate) pos: usize,
    pub(crate) args: Vec<Expr>,
}

/// A variable's name with a number that is the same for the same name in one text.
#[derive(Clone)]
pub(crate) struct Name {
    pub(crate) id: u32,
    pub(crate) text: Arc<str>,
}

pub(crate) struct Expr {
    pub(crate) pos: usize,
    pub(crate) kind: ExprKind,
}

pub(crate) enum ExprKind {
    Dot,
    Nil,
    Bool(bool),
    Number(Box<Number>),
    Str(Box<StrConst>),
    Field(Box<[Arc<str>]>),
    Variable(Name, Box<[Arc<str>]>),
    Function(Arc<str>, Arc<Function>),
    Chain(Box<Expr>, Box<[Arc<str>]>),
    Pipe(Box<Pipe>),
}

pub(crate) struct StrConst {
    pub(crate) quoted: Arc<str>,
    pub(crate) text: Str,
}

/// A number constant may be several things at once: Go decides by the parameter that takes it.
#[derive(Default)]
pub(crate) struct Number {
    pub(crate) text: Arc<str>,
    pub(crate) int: Option<i64>,
    pub(crate) uint: Option<u64>,
    pub(crate) float: Option<f64>,
    pub(crate) complex: Option<(f64, f64)>,
}

impl Template {
    /// Tells whether there is nothing but blanks: such a definition does not replace another.
    pub(crate) fn is_empty(&self) -> bool {
        self.root.iter().all(|node| matches!(node, Node::Text(range) if self.text[range.clone()].trim().is_empty()))
    }

    /// Gives line and column of an offset.
    pub(crate) fn place(&self, pos: usize) -> Place {
        let before = &self.text.as_bytes()[..pos.min(self.text.len())];
        let column = before.iter().rev().take_while(|b| **b != b'\n').count();
        let line = 1 + before.iter().filter(|b| **b == b'\n').count();
        Place { file: self.file.to_string(), template: self.name.to_string(), line, column }
    }
}

impl fmt::Display for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, name) in self.decl.iter().enumerate() {
            write!(f, "{}{}", if i > 0 { ", " } else { "" }, name.text)?;
        }
        if !self.decl.is_empty() {
            f.write_str(if self.assign { " = " } else { " := " })?;
        }
        for (i, command) in self.cmds.iter().enumerate() {
            write!(f, "{}{command}", if i > 0 { " | " } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, arg) in self.args.iter().enumerate() {
            let space = if i > 0 { " " } else { "" };
            match &arg.kind {
                ExprKind::Pipe(pipe) => write!(f, "{space}({pipe})")?,
                _ => write!(f, "{space}{arg}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Dot => f.write_str("."),
            ExprKind::Nil => f.write_str("nil"),
            ExprKind::Bool(value) => write!(f, "{value}"),
            ExprKind::Number(number) => f.write_str(&number.text),
            ExprKind::Str(text) => f.write_str(&text.quoted),
            ExprKind::Function(name, _) => f.write_str(name),
            ExprKind::Field(path) => write_path(f, path),
            ExprKind::Variable(name, path) => {
                f.write_str(&name.text)?;
                write_path(f, path)
            }
            ExprKind::Chain(node, path) => {
                match &node.kind {
                    ExprKind::Pipe(pipe) => write!(f, "({pipe})")?,
                    _ => write!(f, "{node}")?,
                }
                write_path(f, path)
            }
            ExprKind::Pipe(pipe) => write!(f, "{pipe}"),
        }
    }
}

fn write_path(f: &mut fmt::Formatter<'_>, path: &[Arc<str>]) -> fmt::Result {
    path.iter().try_for_each(|field| write!(f, ".{field}"))
}
