//! `include`, `tpl`, `required`, `fail` and `lookup`.

use std::{cell::RefCell, collections::HashMap, sync::Arc};

use lockstep_gotmpl::{Context, FuncError, Functions, Map, Signature, Str, Type, Value};

use crate::{metadata::quote, plain::Plain, render::Lookup};

/// What Helm puts around the messages of `fail` and `required`, to find them again in the error's text.
pub(crate) const WARN_START: &str = "HELM_ERR_START";
pub(crate) const WARN_END: &str = "HELM_ERR_END";
/// How often a template may include itself, Helm's limit.
const MAX_INCLUDES: usize = 1000;

/// What one rendering keeps for these functions.
pub(crate) struct State {
    lookup: Option<Arc<dyn Lookup>>,
    included: RefCell<HashMap<Str, usize>>,
}

impl State {
    pub(crate) fn new(lookup: Option<Arc<dyn Lookup>>) -> Self {
        Self { lookup, included: RefCell::default() }
    }
}

pub(crate) fn register(functions: &mut Functions) {
    functions.add("include", Signature::new(&[Type::Str, Type::Any]), include);
    functions.add("tpl", Signature::new(&[Type::Str, Type::Any]), tpl);
    functions.add("required", Signature::new(&[Type::Str, Type::Any]), required);
    functions.add("fail", Signature::new(&[Type::Str]), |_, args| Err(warn(text(args, 0)).into()));
    functions.add("lookup", Signature::new(&[Type::Str; 4]), lookup);
}

pub(crate) fn text(args: &[Value], at: usize) -> Str {
    args.get(at).and_then(Value::as_str).cloned().unwrap_or_default()
}

fn warn(message: Str) -> String {
    format!("{WARN_START}{message}{WARN_END}")
}

fn include(context: &mut Context, args: &[Value]) -> Result<Value, FuncError> {
    let name = text(args, 0);
    let Some(state) = context.data::<State>() else { return Err("not implemented".into()) };
    {
        let mut included = state.included.borrow_mut();
        let count = included.entry(name.clone()).or_default();
        if *count > MAX_INCLUDES {
            return Err(
                format!("rendering template has a nested reference name: {name}: unable to execute template").into()
            );
        }
        *count += 1;
    }
    let result = context.execute(&name.to_text(), args.get(1).unwrap_or(&Value::Nil));
    if let Some(count) = state.included.borrow_mut().get_mut(&name) {
        *count -= 1;
    }
    Ok(Value::Str(result?))
}

fn tpl(context: &mut Context, args: &[Value]) -> Result<Value, FuncError> {
    let source = text(args, 0);
    let source = source.to_text();
    let result = context.execute_text("gotpl", &source, args.get(1).unwrap_or(&Value::Nil));
    match result {
        Ok(output) => Ok(Value::Str(strip_no_value(output))),
        Err(error) => {
            let words = match error.kind() {
                lockstep_gotmpl::ErrorKind::Parse => "cannot parse template ",
                _ => "error during tpl function execution for ",
            };
            Err(FuncError::from(error).context(&format!("{words}{}: ", quote(&source))))
        }
    }
}

/// Removes what Go prints for a missing value, also where it is real text, as Helm does.
pub(crate) fn strip_no_value(output: Str) -> Str {
    const NO_VALUE: &str = "<no value>";
    match output.as_str() {
        Some(text) if text.contains(NO_VALUE) => text.replace(NO_VALUE, "").into(),
        _ => output,
    }
}

fn required(_: &mut Context, args: &[Value]) -> Result<Value, FuncError> {
    let value = args.get(1).cloned().unwrap_or(Value::Nil);
    let missing = value.is_nil() || value.as_str().is_some_and(Str::is_empty);
    if missing { Err(warn(text(args, 0)).into()) } else { Ok(value) }
}

fn lookup(context: &mut Context, args: &[Value]) -> Result<Value, FuncError> {
    let Some(lookup) = context.data::<State>().and_then(|state| state.lookup.clone()) else {
        return Ok(Value::Map(Map::new()));
    };
    let [api_version, kind, namespace, name] = [0, 1, 2, 3].map(|at| text(args, at).to_text().into_owned());
    match lookup.lookup(&api_version, &kind, &namespace, &name) {
        Ok(Some(found)) => Ok(Plain::from_object(&found).to_value()),
        Ok(None) => Ok(Value::Map(Map::new())),
        Err(message) => Err(message.into()),
    }
}
