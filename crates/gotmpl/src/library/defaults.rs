//! Defaults, JSON and reflection.

use super::{Result, add, add_variadic, args, json};
use crate::{
    context::Context,
    convert::deep_equal,
    functions::Functions,
    types::Type,
    value::{Str, Value},
};

const A: Type = Type::Any;
const S: Type = Type::Str;

pub(super) fn register(f: &mut Functions) {
    add_variadic(f, &["default"], &[A], A, |_, a| Ok(a.get(1).filter(|given| !empty(given)).unwrap_or(&a[0]).clone()));
    add(f, &["empty"], &[A], |_, a| Ok(Value::Bool(empty(&a[0]))));
    add_variadic(f, &["coalesce"], &[], A, |_, a| Ok(a.iter().find(|v| !empty(v)).cloned().unwrap_or(Value::Nil)));
    add_variadic(f, &["all"], &[], A, |_, a| Ok(Value::Bool(!a.iter().any(empty))));
    add_variadic(f, &["any"], &[], A, |_, a| Ok(Value::Bool(a.iter().any(|v| !empty(v)))));
    add(f, &["ternary"], &[A, A, Type::Bool], |_, a| Ok(a[usize::from(!args::boolean(a, 2))].clone()));
    add(f, &["fail"], &[S], |_, a| Err(args::text(a, 0).to_string().into()));
    add(f, &["getHostByName"], &[S], |_, _| Ok("".into()));

    add(f, &["fromJson"], &[S], |c, a| {
        c.charge_bytes(args::text(a, 0).len())?;
        Ok(json::decode(&args::text(a, 0)).unwrap_or(Value::Nil))
    });
    add(f, &["mustFromJson"], &[S], |c, a| {
        c.charge_bytes(args::text(a, 0).len())?;
        json::decode(&args::text(a, 0))
    });
    add(f, &["toJson"], &[A], |c, a| written(c, json::encode(&a[0]).or_else(|_| Ok("".into()))));
    add(f, &["mustToJson"], &[A], |c, a| written(c, json::encode(&a[0])));
    add(f, &["toPrettyJson"], &[A], |c, a| written(c, json::encode_pretty(&a[0]).or_else(|_| Ok("".into()))));
    add(f, &["mustToPrettyJson"], &[A], |c, a| written(c, json::encode_pretty(&a[0])));
    add(f, &["toRawJson", "mustToRawJson"], &[A], |c, a| written(c, json::encode_raw(&a[0])));

    add(f, &["typeOf"], &[A], |_, a| Ok(a[0].type_name().into_owned().into()));
    add(f, &["typeIs"], &[S, A], |_, a| Ok(Value::Bool(args::text(a, 0) == *a[1].type_name())));
    add(f, &["typeIsLike"], &[S, A], |_, a| {
        let (target, name) = (args::text(a, 0).to_string(), a[1].type_name());
        Ok(Value::Bool(target == *name || format!("*{target}") == *name))
    });
    add(f, &["kindOf"], &[A], |_, a| Ok(kind_of(&a[0]).into()));
    add(f, &["kindIs"], &[S, A], |_, a| Ok(Value::Bool(args::text(a, 0) == *kind_of(&a[1]))));
    add(f, &["deepEqual"], &[A, A], |c, a| deep_equal(c, &a[0], &a[1]).map(Value::Bool));
}

fn kind_of(value: &Value) -> &'static str {
    if value.is_nil() { "invalid" } else { value.kind().name() }
}

fn written(context: &mut Context, text: Result<Str>) -> Result {
    let text = text?;
    context.charge_bytes(text.len())?;
    Ok(Value::Str(text))
}

/// sprig's `empty`: Go's zero values; a struct never is.
pub(super) fn empty(value: &Value) -> bool {
    !value.is_true()
}
