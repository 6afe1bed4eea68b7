//! Pipelines, commands, arguments.

use super::{At, Result, State, Var};
use crate::{
    exec::call::Args,
    parse::{Command, Expr, ExprKind, Number, Pipe},
    stack::deep,
    time::Duration,
    types::{Kind, Type},
    value::{List, Map, Value},
};

impl<'t> State<'t, '_> {
    pub(super) fn eval_pipeline(&mut self, dot: &Value, pipe: &'t Pipe) -> Result<Value> {
        self.node = At::Pipe(pipe);
        let mut value = None;
        for command in &pipe.cmds {
            self.step()?;
            value = Some(match self.eval_command(dot, command, value)? {
                Value::Nil => Value::Invalid,
                value => value,
            });
        }
        let value = value.unwrap_or(Value::Invalid);
        for name in &pipe.decl {
            if pipe.assign {
                self.set_var(name.id, &name.text, value.clone(), false)?;
            } else {
                self.vars.push(Var { id: name.id, value: value.clone(), boxed: false });
            }
        }
        Ok(value)
    }

    fn eval_command(&mut self, dot: &Value, command: &'t Command, last: Option<Value>) -> Result<Value> {
        let first = &command.args[0];
        let args = Args { exprs: &command.args[1..], last };
        match &first.kind {
            ExprKind::Field(path) => {
                self.node = At::Expr(first);
                self.eval_path(dot, (dot.clone(), self.boxed_dot), path, first, args)
            }
            ExprKind::Chain(node, path) => self.eval_chain(dot, first, node, path, args),
            ExprKind::Function(name, function) => {
                self.node = At::Expr(first);
                self.eval_function(dot, name, function, At::Command(command), args)
            }
            ExprKind::Variable(name, path) => {
                self.node = At::Expr(first);
                let (value, boxed) = self.variable(name.id, &name.text)?;
                if path.is_empty() {
                    self.not_a_function(first, &args)?;
                    return Ok(value);
                }
                self.eval_path(dot, (value, boxed), path, first, args)
            }
            ExprKind::Pipe(pipe) => {
                self.not_a_function(first, &args)?;
                deep(|| self.eval_pipeline(dot, pipe))
            }
            _ => {
                self.node = At::Expr(first);
                self.not_a_function(first, &args)?;
                match &first.kind {
                    ExprKind::Dot => Ok(dot.clone()),
                    ExprKind::Nil => self.fail("nil is not a command"),
                    _ => self.constant(first),
                }
            }
        }
    }

    fn not_a_function(&self, first: &Expr, args: &Args<'_>) -> Result<()> {
        if args.exprs.is_empty() && args.last.is_none() {
            return Ok(());
        }
        self.fail(format!("can't give argument to non-function {first}"))
    }

    fn variable(&self, id: u32, name: &str) -> Result<(Value, bool)> {
        match self.vars.iter().rev().find(|var| var.id == id) {
            Some(var) => Ok((var.value.clone(), var.boxed)),
            None => self.fail(format!("undefined variable: {name}")),
        }
    }

    fn eval_chain(
        &mut self,
        dot: &Value,
        chain: &'t Expr,
        node: &'t Expr,
        path: &'t [std::sync::Arc<str>],
        args: Args<'t>,
    ) -> Result<Value> {
        self.node = At::Expr(chain);
        let receiver = self.eval_arg(dot, None, node)?;
        self.eval_path(dot, (receiver, false), path, chain, args)
    }

    /// Evaluates an argument for a parameter of a type; without a type, the operand of a chain.
    pub(super) fn eval_arg(&mut self, dot: &Value, ty: Option<Type>, expr: &'t Expr) -> Result<Value> {
        self.node = At::Expr(expr);
        let value = match &expr.kind {
            ExprKind::Dot => dot.clone(),
            ExprKind::Nil => {
                let ty = ty.unwrap_or(Type::Any);
                return if ty.can_be_nil() { Ok(zero(ty)) } else { self.fail(format!("cannot assign nil to {ty}")) };
            }
            ExprKind::Field(path) => self.eval_path(dot, (dot.clone(), self.boxed_dot), path, expr, Args::none())?,
            ExprKind::Variable(name, path) => {
                let (value, boxed) = self.variable(name.id, &name.text)?;
                if path.is_empty() { value } else { self.eval_path(dot, (value, boxed), path, expr, Args::none())? }
            }
            ExprKind::Pipe(pipe) => deep(|| self.eval_pipeline(dot, pipe))?,
            ExprKind::Function(name, function) => {
                self.eval_function(dot, name, function, At::Expr(expr), Args::none())?
            }
            ExprKind::Chain(node, path) => self.eval_chain(dot, expr, node, path, Args::none())?,
            _ => return self.typed_constant(ty.unwrap_or(Type::Any), expr),
        };
        self.validate(value, ty)
    }

    fn typed_constant(&self, ty: Type, expr: &Expr) -> Result<Value> {
        let number = match &expr.kind {
            ExprKind::Number(number) => Some(&**number),
            _ => None,
        };
        let (expected, value) = match ty.kind() {
            Kind::Bool => ("bool", matches!(expr.kind, ExprKind::Bool(_)).then(|| self.constant(expr)).transpose()?),
            Kind::String => ("string", matches!(expr.kind, ExprKind::Str(_)).then(|| self.constant(expr)).transpose()?),
            Kind::Int | Kind::Int32 | Kind::Int64 => ("integer", number.and_then(|n| n.int).map(|n| typed_int(ty, n))),
            Kind::Uint8 => ("unsigned integer", number.and_then(|n| n.uint).map(|n| Value::Uint8(n as u8))),
            Kind::Uint64 => ("unsigned integer", number.and_then(|n| n.uint).map(Value::Uint64)),
            Kind::Float64 => ("float", number.and_then(|n| n.float).map(Value::Float)),
            Kind::Complex128 => ("complex", number.and_then(|n| n.complex).map(|(re, im)| Value::Complex(re, im))),
            _ if matches!(ty, Type::Any | Type::Reflect) => return self.constant(expr),
            _ => return self.fail(format!("can't handle {expr} for arg of type {ty}")),
        };
        match value {
            Some(value) => Ok(value),
            None => self.fail(format!("expected {expected}; found {expr}")),
        }
    }

    /// Evaluates a constant without a type.
    fn constant(&self, expr: &Expr) -> Result<Value> {
        match &expr.kind {
            ExprKind::Bool(value) => Ok(Value::Bool(*value)),
            ExprKind::Str(text) => Ok(Value::Str(text.text.clone())),
            ExprKind::Number(number) => match ideal(number) {
                Some(value) => Ok(value),
                None => self.fail(format!("{} overflows int", number.text)),
            },
            _ => self.fail(format!("can't evaluate command {}", crate::fmt::quote(&expr.to_string()))),
        }
    }

    /// Checks a value against the type of a parameter.
    pub(super) fn validate(&self, value: Value, ty: Option<Type>) -> Result<Value> {
        let Some(ty) = ty else {
            return Ok(value);
        };
        match (&value, ty) {
            (_, Type::Reflect) => Ok(value),
            (Value::Invalid, _) if ty.can_be_nil() => Ok(zero(ty)),
            (Value::Invalid, _) => self.fail(format!("invalid value; expected {ty}")),
            (_, Type::Any) => Ok(value),
            (Value::Nil, _) => self.fail(format!("wrong type for value; expected {ty}; got interface {{}}")),
            _ if assignable(&value, ty) => Ok(match (value, ty) {
                (Value::Map(map), Type::Map(_)) if map.is_named() => Value::Map(map.converted(None)),
                (value, _) => value,
            }),
            _ => self.fail(format!("wrong type for value; expected {ty}; got {}", value.type_name())),
        }
    }
}

/// Gives a constant the type that Go chooses; none for an overflow.
fn ideal(number: &Number) -> Option<Value> {
    if let Some((re, im)) = number.complex {
        return Some(Value::Complex(re, im));
    }
    let text = &number.text;
    let rune = text.starts_with('\'');
    let hex = text.len() > 2 && (text.starts_with("0x") || text.starts_with("0X")) && !text.contains(['p', 'P']);
    match (number.float, number.int) {
        (Some(value), _) if !hex && !rune && text.contains(['.', 'e', 'E', 'p', 'P']) => Some(Value::Float(value)),
        (_, Some(value)) => Some(Value::Int(value)),
        _ => None,
    }
}

fn typed_int(ty: Type, value: i64) -> Value {
    match ty {
        Type::Int32 => Value::Int32(value as i32),
        Type::Int64 => Value::Int64(value),
        Type::Duration => Value::Duration(Duration(value)),
        _ => Value::Int(value),
    }
}

/// Gives the zero value of a type that can be nil.
pub(super) fn zero(ty: Type) -> Value {
    match ty {
        Type::Reflect => Value::Invalid,
        Type::List(element) => Value::List(List::nil(*element)),
        Type::Map(element) => Value::Map(Map::nil(*element)),
        _ => Value::Nil,
    }
}

/// Tells whether Go may assign a value to a type.
pub(super) fn assignable(value: &Value, ty: Type) -> bool {
    match (value, ty) {
        (_, Type::Any | Type::Reflect) => true,
        (Value::Map(map), Type::Map(element)) => map.element() == *element,
        (Value::List(list), Type::List(element)) => list.element() == *element,
        (Value::Bytes(_), Type::List(element)) => *element == Type::Uint8,
        (Value::Native(object), Type::Named(name)) => object.type_name() == name,
        (Value::Bool(_), Type::Bool)
        | (Value::Int(_), Type::Int)
        | (Value::Int32(_), Type::Int32)
        | (Value::Int64(_), Type::Int64)
        | (Value::Uint8(_), Type::Uint8)
        | (Value::Uint64(_), Type::Uint64)
        | (Value::Float(_), Type::Float64)
        | (Value::Complex(..), Type::Complex128)
        | (Value::Str(_), Type::Str)
        | (Value::Time(_), Type::Time)
        | (Value::Duration(_), Type::Duration) => true,
        _ => false,
    }
}
