//! Runs trees, as `text/template` of Go 1.26 does, with its error texts.
//!
//! The order of evaluation and the "current node" that error messages name follow Go's evaluator step by step: they are
//! visible to users.

mod call;
mod field;
mod pipeline;
mod range;

pub(crate) use field::zero_element;

use std::{fmt::Display, sync::Arc};

use crate::{
    context::Context,
    error::{Error, ErrorKind, FuncError, Place},
    fmt::{print_to, quote},
    parse::{Branch, Command, Expr, ExprKind, Node, Pipe, Template, TemplateCall},
    stack::deep,
    value::{Str, Value},
};

/// A template that is running, with the position of its last function call.
pub(crate) struct Frame {
    template: Arc<Template>,
    pos: usize,
}

impl Frame {
    pub(crate) fn place(&self) -> Place {
        self.template.place(self.pos)
    }
}

type Result<T, E = Error> = std::result::Result<T, E>;

/// Runs a template to its output.
pub(crate) fn execute(context: &mut Context, template: &Arc<Template>, dot: &Value) -> Result<Str> {
    let mut out = Vec::new();
    if let Some(trace) = &mut context.trace {
        trace.running += 1;
    }
    let result = run(context, template, dot.clone(), &mut out, At::Start);
    if let Some(trace) = &mut context.trace {
        trace.running -= 1;
    }
    result.map(|()| Str::from(out))
}

/// Runs a template into `out`, in a frame of its own.
fn run<'t>(
    context: &mut Context,
    template: &'t Arc<Template>,
    dot: Value,
    out: &mut Vec<u8>,
    node: At<'t>,
) -> Result<()> {
    context.frames.push(Frame { template: template.clone(), pos: 0 });
    let result = deep(|| {
        let vars = vec![Var { id: 0, value: dot.clone(), boxed: false }];
        let mut state = State { template, context, out, vars, boxed_dot: false, node };
        if state.context.frames.len() > state.context.limits.depth {
            let depth = state.context.limits.depth;
            return Err(state.limit(format!("exceeded maximum template depth ({depth})")));
        }
        state.walk_list(&dot, &template.root).map(drop)
    });
    context.frames.pop();
    result
}

/// The node that an error would name.
#[derive(Clone, Copy)]
enum At<'t> {
    Start,
    Pipe(&'t Pipe),
    Action(&'t Pipe),
    Expr(&'t Expr),
    Command(&'t Command),
    Template(&'t TemplateCall),
    Branch(&'static str, &'t Branch),
}

/// What a node does to the loop around it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

/// A variable: the number of its name, its value, whether Go holds it as an `interface{}`.
struct Var {
    id: u32,
    value: Value,
    boxed: bool,
}

struct State<'t, 'c> {
    template: &'t Arc<Template>,
    context: &'c mut Context,
    out: &'c mut Vec<u8>,
    /// Variables by the number of their name; a lookup takes the last, as in Go.
    vars: Vec<Var>,
    /// Whether the dot came out of an `interface{}` (an element that `range` visits): Go's errors name that type.
    boxed_dot: bool,
    node: At<'t>,
}

/// Tells whether Go can take the address of what a pipeline yields: not of what a function returned.
fn is_addressable(pipe: &Pipe) -> bool {
    let first = pipe.cmds.last().and_then(|command| command.args.first());
    !first.is_some_and(|expr| matches!(expr.kind, ExprKind::Function(..)))
}

impl<'t> State<'t, '_> {
    fn walk_list(&mut self, dot: &Value, nodes: &'t [Node]) -> Result<Flow> {
        for node in nodes {
            let flow = self.walk(dot, node)?;
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn walk(&mut self, dot: &Value, node: &'t Node) -> Result<Flow> {
        self.step()?;
        match node {
            Node::Text(range) => {
                let start = self.out.len();
                self.out.extend_from_slice(&self.template.text.as_bytes()[range.clone()]);
                self.trace_output(start, range.start, None);
                self.check_output()?;
            }
            Node::Action(pipe) => {
                self.node = At::Action(pipe);
                let start = self.out.len();
                if let Some(trace) = &mut self.context.trace {
                    trace.begin();
                }
                let value = self.eval_pipeline(dot, pipe)?;
                if pipe.decl.is_empty() {
                    self.node = At::Action(pipe);
                    self.print(&value, pipe)?;
                    self.trace_output(start, pipe.pos, Some(pipe));
                }
            }
            Node::If(branch) => return deep(|| self.walk_if(dot, branch)),
            Node::With(branch) => return deep(|| self.walk_with(dot, branch)),
            Node::Range(branch) => return deep(|| self.walk_range(dot, branch)),
            Node::Template(call) => self.walk_template(dot, call)?,
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }

    fn trace_output(&mut self, start: usize, pos: usize, pipe: Option<&Pipe>) {
        if let Some(trace) = &mut self.context.trace {
            trace.wrote(self.template, pos, start..self.out.len(), pipe);
        }
    }

    fn walk_if(&mut self, dot: &Value, branch: &'t Branch) -> Result<Flow> {
        self.node = At::Branch("if", branch);
        let mark = self.vars.len();
        let truth = self.eval_pipeline(dot, &branch.pipe)?.is_true();
        let flow = match (truth, &branch.else_list) {
            (true, _) => self.walk_list(dot, &branch.list),
            (false, Some(list)) => self.walk_list(dot, list),
            (false, None) => Ok(Flow::Next),
        };
        self.vars.truncate(mark);
        flow
    }

    fn walk_with(&mut self, dot: &Value, branch: &'t Branch) -> Result<Flow> {
        self.node = At::Branch("with", branch);
        let mark = self.vars.len();
        let value = self.eval_pipeline(dot, &branch.pipe)?;
        let flow = match (value.is_true(), &branch.else_list) {
            (true, _) => {
                let outer = std::mem::replace(&mut self.boxed_dot, false);
                let flow = self.walk_list(&value, &branch.list);
                self.boxed_dot = outer;
                flow
            }
            (false, Some(list)) => self.walk_list(dot, list),
            (false, None) => Ok(Flow::Next),
        };
        self.vars.truncate(mark);
        flow
    }

    fn walk_template(&mut self, dot: &Value, call: &'t TemplateCall) -> Result<()> {
        self.node = At::Template(call);
        let Some(template) = self.context.templates.lookup(&call.name).cloned() else {
            return self.fail(format!("template {} not defined", quote(&call.name)));
        };
        if self.context.frames.len() >= self.context.limits.depth {
            let depth = self.context.limits.depth;
            return Err(self.limit(format!("exceeded maximum template depth ({depth})")));
        }
        let dot = match &call.pipe {
            Some(pipe) => self.eval_pipeline(dot, pipe)?,
            None => Value::Invalid,
        };
        run(self.context, &template, dot, self.out, At::Start)
    }

    /// Prints a value as `fmt.Fprint` does.
    fn print(&mut self, value: &Value, pipe: &Pipe) -> Result<()> {
        match value {
            Value::Str(text) => self.out.extend_from_slice(text.as_bytes()),
            Value::Nil | Value::Invalid => self.out.extend_from_slice(b"<no value>"),
            Value::Func(_) => return self.fail(format!("can't print {{{{{pipe}}}}} of type {}", value.type_name())),
            Value::Native(object) => match object.printed().filter(|_| is_addressable(pipe)) {
                Some(text) => self.out.extend_from_slice(text.as_bytes()),
                None => crate::fmt::print_pointee_to(self.out, value),
            },
            _ => print_to(self.out, value),
        }
        self.check_output()
    }

    fn check_output(&mut self) -> Result<()> {
        if self.out.len() > self.context.limits.output {
            let limit = self.context.limits.output;
            return Err(self.limit(format!("the output is over the limit of {limit} bytes")));
        }
        Ok(())
    }

    /// Uses a unit of fuel.
    fn step(&mut self) -> Result<()> {
        match self.context.charge(1) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.limit(error)),
        }
    }

    fn set_var(&mut self, id: u32, name: &str, value: Value, boxed: bool) -> Result<()> {
        match self.vars.iter_mut().rev().find(|var| var.id == id) {
            Some(var) => (var.value, var.boxed) = (value, boxed),
            None => return self.fail(format!("undefined variable: {name}")),
        }
        Ok(())
    }

    fn fail<T>(&self, message: impl Display) -> Result<T> {
        Err(self.error(ErrorKind::Execute, &message))
    }

    fn limit(&self, message: impl Display) -> Error {
        self.error(ErrorKind::Limit, &message)
    }

    /// Makes the error of a function that was called at the current node.
    fn call_error(&self, name: &str, error: &FuncError) -> Error {
        let kind = if error.is_limit() { ErrorKind::Limit } else { ErrorKind::Execute };
        self.error(kind, &format_args!("error calling {name}: {error}"))
    }

    fn error(&self, kind: ErrorKind, message: &dyn Display) -> Error {
        let (pos, context) = match self.node {
            At::Start => (0, String::new()),
            At::Pipe(pipe) => (pipe.pos, pipe.to_string()),
            At::Action(pipe) => (pipe.pos, format!("{{{{{pipe}}}}}")),
            At::Expr(expr) => (expr.pos, expr.to_string()),
            At::Command(command) => (command.pos, command.to_string()),
            At::Template(call) => {
                let pipe = call.pipe.as_ref().map_or_else(String::new, |pipe| format!(" {pipe}"));
                (call.pos, format!("{{{{template {}{pipe}}}}}", quote(&call.name)))
            }
            At::Branch(word, branch) => (branch.pipe.pos, format!("{{{{{word} {}}}}}", branch.pipe)),
        };
        let place = self.template.place(pos);
        let text = format!(
            "template: {}:{}:{}: executing {} at <{context}>: {message}",
            place.file,
            place.line,
            place.column,
            quote(&self.template.name),
        );
        Error::new(kind, text, Some(place))
    }
}
