//! Calls of functions and methods.

use std::sync::Arc;

use super::{
    At, Result, State,
    pipeline::{assignable, zero},
};
use crate::{
    context::Context,
    error::FuncError,
    functions::{Function, Signature},
    parse::Expr,
    types::{Kind, Type},
    value::Value,
};

/// The arguments of a call: expressions, then what the pipeline brings.
pub(super) struct Args<'t> {
    pub(super) exprs: &'t [Expr],
    pub(super) last: Option<Value>,
}

impl Args<'_> {
    pub(super) fn none() -> Self {
        Self { exprs: &[], last: None }
    }
}

impl<'t> State<'t, '_> {
    pub(super) fn eval_function(
        &mut self,
        dot: &Value,
        name: &str,
        function: &'t Arc<Function>,
        node: At<'t>,
        args: Args<'t>,
    ) -> Result<Value> {
        if function.builtin && matches!(name, "and" | "or") {
            return self.eval_and_or(dot, name, &function.signature, args);
        }
        let first = args.exprs.first();
        let values = self.arguments(dot, name, &function.signature, args)?;
        self.enter_call(node);
        let result = if function.builtin && name == "call" {
            let callee = first.map_or_else(|| values.first().map_or_else(String::new, final_text), ToString::to_string);
            call(self.context, &callee, &values)
        } else {
            (function.code)(self.context, &values)
        };
        self.spare(values);
        result.map_err(|error| {
            self.node = node;
            self.call_error(name, &error)
        })
    }

    /// Keeps a list of arguments that are no longer needed for the next call.
    fn spare(&mut self, mut values: Vec<Value>) {
        const KEPT: usize = 16;
        values.clear();
        if self.context.spare.len() < KEPT && values.capacity() <= KEPT {
            self.context.spare.push(values);
        }
    }

    /// Remembers where a function is called, for warnings.
    fn enter_call(&mut self, node: At<'_>) {
        if let Some(frame) = self.context.frames.last_mut() {
            frame.pos = match node {
                At::Command(command) => command.pos,
                At::Expr(expr) => expr.pos,
                _ => frame.pos,
            };
        }
    }

    pub(super) fn eval_method(
        &mut self,
        dot: &Value,
        name: &str,
        signature: &Signature,
        node: At<'t>,
        args: Args<'t>,
        code: impl FnOnce(&mut Context, &[Value]) -> Result<Value, FuncError>,
    ) -> Result<Value> {
        let values = self.arguments(dot, name, signature, args)?;
        self.enter_call(node);
        code(self.context, &values).map_err(|error| {
            self.node = node;
            self.call_error(name, &error)
        })
    }

    fn check_count(&self, name: &str, signature: &Signature, args: &Args<'_>) -> Result<()> {
        let given = args.exprs.len() + usize::from(args.last.is_some());
        let wanted = signature.fixed.len();
        if signature.variadic.is_some() {
            if given < wanted {
                let got = args.exprs.len();
                return self.fail(format!("wrong number of args for {name}: want at least {wanted} got {got}"));
            }
        } else if given != wanted {
            return self.fail(format!("wrong number of args for {name}: want {wanted} got {given}"));
        }
        Ok(())
    }

    fn arguments(&mut self, dot: &Value, name: &str, signature: &Signature, args: Args<'t>) -> Result<Vec<Value>> {
        self.check_count(name, signature, &args)?;
        let mut values = self.context.spare.pop().unwrap_or_else(|| Vec::with_capacity(args.exprs.len() + 1));
        let ty = |i: usize| signature.fixed.get(i).copied().or(signature.variadic);
        for (i, expr) in args.exprs.iter().enumerate() {
            let value = self.eval_arg(dot, ty(i), expr)?;
            values.push(value);
        }
        if let Some(last) = args.last {
            let value = self.validate(last, ty(args.exprs.len()))?;
            values.push(value);
        }
        Ok(values)
    }

    /// `and` and `or` stop at the first argument that decides.
    fn eval_and_or(&mut self, dot: &Value, name: &str, signature: &Signature, args: Args<'t>) -> Result<Value> {
        self.check_count(name, signature, &args)?;
        let mut value = Value::Invalid;
        for expr in args.exprs {
            value = self.eval_arg(dot, Some(Type::Reflect), expr)?;
            if value.is_true() == (name == "or") {
                return Ok(value);
            }
        }
        Ok(args.last.unwrap_or(value))
    }
}

/// Prints a piped callee as `reflect.Value.String` does.
fn final_text(value: &Value) -> String {
    match value {
        Value::Str(text) => text.to_string(),
        Value::Invalid => "<invalid Value>".to_owned(),
        value => format!("<{} Value>", value.type_name()),
    }
}

/// The builtin `call`.
fn call(context: &mut Context, name: &str, values: &[Value]) -> Result<Value, FuncError> {
    let Some((callee, args)) = values.split_first() else {
        return Err("call of nil".into());
    };
    let function = match callee {
        Value::Nil | Value::Invalid => return Err("call of nil".into()),
        Value::Func(function) => function.clone(),
        other => return Err(format!("non-function {name} of type {}", other.type_name()).into()),
    };
    let (got, wanted) = (args.len(), function.signature.fixed.len());
    if function.signature.variadic.is_some() {
        if got < wanted {
            return Err(format!("wrong number of args for {name}: got {got} want at least {wanted}").into());
        }
    } else if got != wanted {
        return Err(format!("wrong number of args for {name}: got {got} want {wanted}").into());
    }
    let mut prepared = Vec::with_capacity(got);
    for (i, arg) in args.iter().enumerate() {
        let ty = function.signature.fixed.get(i).copied().or(function.signature.variadic).unwrap_or(Type::Any);
        prepared.push(prepare(arg, ty).map_err(|error| error.context(&format!("arg {i}: ")))?);
    }
    (function.code)(context, &prepared)
}

fn prepare(value: &Value, ty: Type) -> Result<Value, FuncError> {
    match value {
        Value::Nil | Value::Invalid if ty.can_be_nil() => Ok(zero(ty)),
        Value::Nil | Value::Invalid => Err(format!("value is nil; should be of type {ty}").into()),
        value if assignable(value, ty) => Ok(value.clone()),
        value if ty.kind() == Kind::Int && crate::convert::as_int(value).is_some() => {
            Ok(Value::Int(crate::convert::as_int(value).unwrap_or_default()))
        }
        value => Err(format!("value has type {}; should be {ty}", value.type_name()).into()),
    }
}
