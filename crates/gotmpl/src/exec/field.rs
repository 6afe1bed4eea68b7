//! Fields, keys and methods along a path.

use std::{rc::Rc, sync::Arc};

use super::{At, Result, State, call::Args};
use crate::{
    object::Object,
    parse::Expr,
    templates::MissingKey,
    time,
    types::{Kind, Type},
    value::{Map, Value},
};

impl<'t> State<'t, '_> {
    /// Follows `.a.b.c` from a receiver, with whether Go holds that as an `interface{}`; only the last step takes arguments.
    pub(super) fn eval_path(
        &mut self,
        dot: &Value,
        receiver: (Value, bool),
        path: &'t [Arc<str>],
        node: &'t Expr,
        args: Args<'t>,
    ) -> Result<Value> {
        let (mut receiver, mut boxed) = receiver;
        let Some((last, steps)) = path.split_last() else {
            return Ok(receiver);
        };
        for name in steps {
            let next = self.eval_field(dot, &receiver, boxed, name, node, Args::none())?;
            boxed = matches!(&receiver, Value::Map(map) if map.element() == Type::Any);
            receiver = next;
        }
        self.eval_field(dot, &receiver, boxed, last, node, args)
    }

    fn eval_field(
        &mut self,
        dot: &Value,
        receiver: &Value,
        boxed: bool,
        name: &str,
        node: &'t Expr,
        args: Args<'t>,
    ) -> Result<Value> {
        match receiver {
            Value::Map(map) if map.is_named() => self.named_map(dot, map, name, node, args),
            Value::Map(map) => self.map_entry(map, name, &args),
            Value::Invalid if self.context.templates.missing_key == MissingKey::Error => {
                self.fail(format!("nil data; no entry for key {}", crate::fmt::quote(name)))
            }
            Value::Invalid => Ok(Value::Invalid),
            Value::Nil => self.fail(format!("nil pointer evaluating interface {{}}.{name}")),
            Value::Native(object) => self.native_field(dot, (object, boxed), name, node, args),
            Value::Time(_) | Value::Duration(_) => match time::method(receiver, name) {
                Some(signature) => self.eval_method(dot, name, &signature, At::Expr(node), args, |_, values| {
                    time::call_method(receiver, name, values)
                }),
                None => self.no_field(name, receiver, boxed),
            },
            _ => self.no_field(name, receiver, boxed),
        }
    }

    fn no_field<T>(&self, name: &str, receiver: &Value, boxed: bool) -> Result<T> {
        let ty = if boxed { "interface {}".into() } else { receiver.type_name() };
        self.fail(format!("can't evaluate field {name} in type {ty}"))
    }

    /// A named map type may have methods, which go before its keys.
    fn named_map(&mut self, dot: &Value, map: &Map, name: &str, node: &'t Expr, args: Args<'t>) -> Result<Value> {
        // Go's methods of other packages are exported: most keys of values are none at first sight.
        let is_exported = name.starts_with(|c: char| c.is_ascii_uppercase());
        let method = is_exported.then(|| self.context.templates.functions.method(&map.type_name(), name)).flatten();
        let Some(method) = method.cloned() else {
            return self.map_entry(map, name, &args);
        };
        let receiver = Value::Map(map.clone());
        self.eval_method(dot, name, &method.signature, At::Expr(node), args, |context, values| {
            let all: Vec<Value> = std::iter::once(receiver).chain(values.iter().cloned()).collect();
            (method.code)(context, &all)
        })
    }

    fn map_entry(&mut self, map: &Map, name: &str, args: &Args<'_>) -> Result<Value> {
        if let Some(trace) = &mut self.context.trace {
            trace.read(map, name);
        }
        if !args.exprs.is_empty() || args.last.is_some() {
            return self.fail(format!("{name} is not a method but has arguments"));
        }
        match map.get(name) {
            Some(value) => Ok(value),
            None => self.missing(name, || zero_element(map.element())),
        }
    }

    fn missing(&self, name: &str, zero: impl FnOnce() -> Value) -> Result<Value> {
        match self.context.templates.missing_key {
            MissingKey::Invalid => Ok(Value::Invalid),
            MissingKey::Zero => Ok(zero()),
            MissingKey::Error => self.fail(format!("map has no entry for key {}", crate::fmt::quote(name))),
        }
    }

    fn native_field(
        &mut self,
        dot: &Value,
        (object, boxed): (&Rc<dyn Object>, bool),
        name: &str,
        node: &'t Expr,
        args: Args<'t>,
    ) -> Result<Value> {
        if let Some(signature) = object.method(name) {
            return self.eval_method(dot, name, signature, At::Expr(node), args, |context, values| {
                object.call(name, values, context)
            });
        }
        let has_args = !args.exprs.is_empty() || args.last.is_some();
        let field = object.field(name);
        match (object.kind(), field) {
            (Kind::Map, _) if has_args => self.fail(format!("{name} is not a method but has arguments")),
            (_, Some(_)) if has_args => self.fail(format!("{name} has arguments but cannot be invoked as function")),
            (_, Some(value)) => Ok(value),
            (Kind::Map, None) => self.missing(name, || object.zero_entry()),
            (_, None) => self.no_field(name, &Value::Native(object.clone()), boxed),
        }
    }
}

/// Gives the zero value of a map's elements.
pub(crate) fn zero_element(element: Type) -> Value {
    match element {
        Type::Bool => Value::Bool(false),
        Type::Int => Value::Int(0),
        Type::Int64 => Value::Int64(0),
        Type::Float64 => Value::Float(0.0),
        Type::Str => Value::str(""),
        other => super::pipeline::zero(other),
    }
}
