//! The functions of `text/template` itself. `and`, `or` and `call` are special to the evaluator.

use std::cmp::Ordering;

use super::{args, escape};
use crate::{
    convert::as_int,
    error::FuncError,
    exec::zero_element,
    fmt,
    functions::{Functions, Signature},
    types::{Kind, Type},
    value::{List, Map, Str, Value},
};

type Result<T = Value> = std::result::Result<T, FuncError>;

pub(crate) fn register(functions: &mut Functions) {
    let any = || Signature::default().variadic(Type::Any);
    let reflect = |n: usize| Signature::new(&vec![Type::Reflect; n]);
    for name in ["and", "or", "call"] {
        functions.add(name, reflect(1).variadic(Type::Reflect), |_, _| Ok(Value::Invalid));
    }
    functions.add("print", any(), |context, args| bounded(context, fmt::sprint(args)));
    functions.add("println", any(), |context, args| bounded(context, fmt::sprintln(args)));
    functions.add("printf", Signature::new(&[Type::Str]).variadic(Type::Any), |context, args| {
        bounded(context, fmt::sprintf_bytes(args::text(args, 0).as_bytes(), &args[1..]))
    });
    functions.add("html", any(), |context, args| bounded(context, escape::html(&joined(args))));
    functions.add("js", any(), |context, args| bounded(context, escape::js(&joined(args))));
    functions.add("urlquery", any(), |context, args| bounded(context, escape::query(joined(args).as_bytes()).into()));
    functions.add("index", reflect(1).variadic(Type::Reflect), |_, args| index(args));
    functions.add("slice", reflect(1).variadic(Type::Reflect), |_, args| slice(args));
    functions.add("len", reflect(1), |_, args| len(&args[0]));
    functions.add("not", reflect(1), |_, args| Ok(Value::Bool(!args[0].is_true())));
    functions.add("eq", reflect(1).variadic(Type::Reflect), |_, args| equal(&args[0], &args[1..]).map(Value::Bool));
    functions.add("ne", reflect(2), |_, args| equal(&args[0], &args[1..]).map(|same| Value::Bool(!same)));
    functions.add("lt", reflect(2), |_, args| less(&args[0], &args[1]).map(Value::Bool));
    functions.add("le", reflect(2), |_, args| less_or_equal(args).map(Value::Bool));
    functions.add("gt", reflect(2), |_, args| less_or_equal(args).map(|le| Value::Bool(!le)));
    functions.add("ge", reflect(2), |_, args| less(&args[0], &args[1]).map(|lt| Value::Bool(!lt)));
}

fn bounded(context: &mut crate::context::Context, text: Str) -> Result {
    context.charge_bytes(text.len())?;
    Ok(Value::Str(text))
}

/// Joins the arguments of an escaper as `fmt.Sprint`, with `<no value>` for nil.
fn joined(args: &[Value]) -> Str {
    if let [Value::Str(text)] = args {
        return text.clone();
    }
    let shown: Vec<Value> =
        args.iter().map(|arg| if arg.is_nil() { Value::str("<no value>") } else { arg.clone() }).collect();
    fmt::sprint(&shown)
}

fn len(item: &Value) -> Result {
    let len = match item {
        Value::Str(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        Value::Nil => return Err("len of nil pointer".into()),
        Value::Invalid => return Err("reflect: call of reflect.Value.Type on zero Value".into()),
        Value::Native(object) => match object.entries() {
            Some(entries) => entries.len(),
            None => return Err(format!("len of type {}", item.type_name()).into()),
        },
        _ => return Err(format!("len of type {}", item.type_name()).into()),
    };
    Ok(Value::Int(len as i64))
}

/// Checks an index against a length; Go lets it be equal.
fn index_arg(index: &Value, len: usize) -> Result<usize> {
    let n = match (index, as_int(index)) {
        (_, Some(n)) => n,
        (Value::Nil | Value::Invalid, _) => return Err("cannot index slice/array with nil".into()),
        _ => return Err(format!("cannot index slice/array with type {}", index.type_name()).into()),
    };
    usize::try_from(n).ok().filter(|n| *n <= len).ok_or_else(|| format!("index out of range: {n}").into())
}

fn index(args: &[Value]) -> Result {
    let mut item = args[0].clone();
    if item.is_nil() {
        return Err("index of untyped nil".into());
    }
    for index in &args[1..] {
        item = index_one(&item, index)?;
    }
    Ok(item)
}

fn index_one(item: &Value, index: &Value) -> Result {
    let checked = |len: usize| {
        let at = index_arg(index, len)?;
        if at == len {
            Err(format!("reflect: {} index out of range", kind_word(item)).into())
        } else {
            Ok::<_, FuncError>(at)
        }
    };
    match item {
        Value::Nil | Value::Invalid => Err("index of nil pointer".into()),
        Value::Str(text) => Ok(Value::Uint8(text.as_bytes()[checked(text.len())?])),
        Value::Bytes(bytes) => Ok(Value::Uint8(bytes[checked(bytes.len())?])),
        Value::List(list) => Ok(list.items()[checked(list.len())?].clone()),
        Value::Map(map) => map_index(map, index),
        Value::Native(object) => match object.entries() {
            Some(entries) if object.kind() == Kind::Slice => Ok(entries[checked(entries.len())?].1.clone()),
            Some(_) => Ok(object.field(&key_of(index)?.to_text()).unwrap_or_else(|| object.zero_entry())),
            None => Err(format!("can't index item of type {}", item.type_name()).into()),
        },
        _ => Err(format!("can't index item of type {}", item.type_name()).into()),
    }
}

fn kind_word(item: &Value) -> &'static str {
    if matches!(item, Value::Str(_)) { "string" } else { "slice" }
}

fn key_of(index: &Value) -> Result<Str> {
    match index {
        Value::Str(key) => Ok(key.clone()),
        Value::Nil | Value::Invalid => Err("value is nil; should be of type string".into()),
        _ => Err(format!("value has type {}; should be string", index.type_name()).into()),
    }
}

fn map_index(map: &Map, index: &Value) -> Result {
    Ok(map.get(key_of(index)?).unwrap_or_else(|| zero_element(map.element())))
}

fn slice(args: &[Value]) -> Result {
    let (item, indexes) = (&args[0], &args[1..]);
    if item.is_nil() {
        return Err("slice of untyped nil".into());
    }
    if indexes.len() > 3 {
        return Err(format!("too many slice indexes: {}", indexes.len()).into());
    }
    let len = match item {
        Value::Str(_) if indexes.len() == 3 => return Err("cannot 3-index slice a string".into()),
        Value::Str(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(list) => list.len(),
        _ => return Err(format!("can't slice item of type {}", item.type_name()).into()),
    };
    let mut bounds = [0, len, len];
    for (i, index) in indexes.iter().enumerate() {
        bounds[i] = index_arg(index, len)?;
    }
    for pair in if indexes.len() == 3 { &[(0, 1), (1, 2)][..] } else { &[(0, 1)][..] } {
        let (from, to) = (bounds[pair.0], bounds[pair.1]);
        if from > to {
            return Err(format!("invalid slice index: {from} > {to}").into());
        }
    }
    let range = bounds[0]..bounds[1];
    Ok(match item {
        Value::Str(text) => Value::Str(text.as_bytes()[range].into()),
        Value::Bytes(bytes) => Value::Bytes(bytes[range].into()),
        Value::List(list) => Value::List(List::new(list.element(), list.items()[range].to_vec())),
        _ => Value::Nil,
    })
}

/// The groups of types that Go compares with each other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Basic {
    None,
    Bool,
    Complex,
    Int,
    Float,
    Str,
    Uint,
}

fn basic(value: &Value) -> Basic {
    match value {
        Value::Bool(_) => Basic::Bool,
        Value::Int(_) | Value::Int32(_) | Value::Int64(_) | Value::Duration(_) => Basic::Int,
        Value::Uint8(_) | Value::Uint64(_) => Basic::Uint,
        Value::Float(_) => Basic::Float,
        Value::Complex(..) => Basic::Complex,
        Value::Str(_) => Basic::Str,
        _ => Basic::None,
    }
}

/// Orders integers, signed and unsigned together.
fn order(a: &Value, b: &Value) -> Option<Ordering> {
    let wide = |value: &Value| match value {
        Value::Uint64(n) => Some(i128::from(*n)),
        value => as_int(value).map(i128::from),
    };
    Some(wide(a)?.cmp(&wide(b)?))
}

fn equal(first: &Value, rest: &[Value]) -> Result<bool> {
    if rest.is_empty() {
        return Err("missing argument for comparison".into());
    }
    for other in rest {
        if equal_one(first, other)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn equal_one(a: &Value, b: &Value) -> Result<bool> {
    let (kind_a, kind_b) = (basic(a), basic(b));
    match (kind_a, kind_b) {
        (Basic::Int | Basic::Uint, Basic::Int | Basic::Uint) => return Ok(order(a, b) == Some(Ordering::Equal)),
        (a_kind, b_kind) if a_kind != b_kind => {
            if a.is_nil() || b.is_nil() {
                return Ok(false);
            }
            return Err(format!("incompatible types for comparison: {} and {}", a.type_name(), b.type_name()).into());
        }
        _ => {}
    }
    Ok(match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Complex(..), Value::Complex(..)) => {
            matches!((a, b), (Value::Complex(a, b), Value::Complex(c, d)) if a == c && b == d)
        }
        (Value::Str(a), Value::Str(b)) => a == b,
        _ => return equal_other(a, b),
    })
}

/// Compares what has no basic kind: nil, maps, lists, objects.
fn equal_other(a: &Value, b: &Value) -> Result<bool> {
    if !a.is_nil() && !b.is_nil() && a.kind() != b.kind() {
        let show = |verb: &str, value: &Value| fmt::sprintf(verb, std::slice::from_ref(value));
        let (a_type, b_type) = (a.type_name(), b.type_name());
        return Err(format!("non-comparable types {}: {a_type}, {b_type}: {}", show("%s", a), show("%v", b)).into());
    }
    if is_nil(a) || is_nil(b) {
        return Ok(is_nil(a) == is_nil(b));
    }
    match (a, b) {
        (Value::Time(a), Value::Time(b)) => Ok(a == b),
        (Value::Native(a), Value::Native(b)) if a.entries().is_none() => Ok(std::rc::Rc::ptr_eq(a, b)),
        _ => {
            let shown = fmt::sprintf("%s", std::slice::from_ref(b));
            Err(format!("non-comparable type {shown}: {}", b.type_name()).into())
        }
    }
}

fn is_nil(value: &Value) -> bool {
    match value {
        Value::List(list) => list.is_nil(),
        Value::Map(map) => map.is_nil(),
        value => value.is_nil(),
    }
}

fn less(a: &Value, b: &Value) -> Result<bool> {
    let (kind_a, kind_b) = (basic(a), basic(b));
    if kind_a == Basic::None || kind_b == Basic::None {
        return Err("invalid type for comparison".into());
    }
    if matches!((kind_a, kind_b), (Basic::Int | Basic::Uint, Basic::Int | Basic::Uint)) {
        return Ok(order(a, b) == Some(Ordering::Less));
    }
    match (a, b) {
        _ if kind_a != kind_b => {
            Err(format!("incompatible types for comparison: {} and {}", a.type_name(), b.type_name()).into())
        }
        (Value::Float(a), Value::Float(b)) => Ok(a < b),
        (Value::Str(a), Value::Str(b)) => Ok(a < b),
        _ => Err("invalid type for comparison".into()),
    }
}

fn less_or_equal(args: &[Value]) -> Result<bool> {
    Ok(less(&args[0], &args[1])? || equal_one(&args[0], &args[1])?)
}
