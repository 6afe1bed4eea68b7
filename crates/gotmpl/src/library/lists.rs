//! Lists: every function makes a new one.

use super::{NIL_POINTER, Result, add, add_variadic, args, strings::any_list};
use crate::{
    context::Context,
    convert::{deep_equal, elements, strslice, strval, to_int64},
    functions::Functions,
    types::Type,
    value::{List, Value},
};

const A: Type = Type::Any;

pub(super) fn register(f: &mut Functions) {
    add_variadic(f, &["list", "tuple"], &[], A, |c, a| {
        c.charge(a.len() as u64)?;
        Ok(if a.is_empty() { any_list(Some(Vec::new())) } else { Value::list(a.to_vec()) })
    });
    add(f, &["append", "push", "mustAppend", "mustPush"], &[A, A], |c, a| {
        let mut items = items(c, &a[0], "Cannot push on type")?;
        items.push(a[1].clone());
        Ok(Value::list(items))
    });
    add(f, &["prepend", "mustPrepend"], &[A, A], |c, a| {
        let mut items = items(c, &a[0], "Cannot prepend on type")?;
        items.insert(0, a[1].clone());
        Ok(Value::list(items))
    });
    add(f, &["first", "mustFirst"], &[A], |c, a| {
        Ok(items(c, &a[0], "Cannot find first on type")?.first().cloned().unwrap_or(Value::Nil))
    });
    add(f, &["last", "mustLast"], &[A], |c, a| {
        Ok(items(c, &a[0], "Cannot find last on type")?.pop().unwrap_or(Value::Nil))
    });
    add(f, &["rest", "mustRest"], &[A], |c, a| {
        let items = items(c, &a[0], "Cannot find rest on type")?;
        Ok(any_list((!items.is_empty()).then(|| items[1..].to_vec())))
    });
    add(f, &["initial", "mustInitial"], &[A], |c, a| {
        let mut items = items(c, &a[0], "Cannot find initial on type")?;
        Ok(any_list(items.pop().map(|_| items)))
    });
    add(f, &["reverse", "mustReverse"], &[A], |c, a| {
        let mut items = items(c, &a[0], "Cannot find reverse on type")?;
        items.reverse();
        Ok(Value::list(items))
    });
    add(f, &["compact", "mustCompact"], &[A], |c, a| {
        let mut items = items(c, &a[0], "Cannot compact on type")?;
        items.retain(|item| !super::defaults::empty(item));
        Ok(Value::list(items))
    });
    add(f, &["uniq", "mustUniq"], &[A], uniq);
    add_variadic(f, &["without", "mustWithout"], &[A], A, |c, a| {
        let items = items(c, &a[0], "Cannot find without on type")?;
        c.charge((items.len() * a.len()) as u64)?;
        let mut kept = Vec::new();
        for item in items {
            if !in_list(c, &item, &a[1..])? {
                kept.push(item);
            }
        }
        Ok(Value::list(kept))
    });
    add(f, &["has", "mustHas"], &[A, A], |c, a| {
        if a[1].is_nil() {
            return Ok(Value::Bool(false));
        }
        let items = items(c, &a[1], "Cannot find has on type")?;
        in_list(c, &a[0], &items).map(Value::Bool)
    });
    add_variadic(f, &["slice", "mustSlice"], &[A], A, |_, a| slice(a));
    add_variadic(f, &["concat"], &[], A, concat);
    add(f, &["chunk", "mustChunk"], &[Type::Int, A], chunk);
    add(f, &["sortAlpha"], &[A], |_, a| {
        let mut texts = if elements(&a[0]).is_some() { strslice(&a[0]) } else { vec![strval(&a[0])] };
        texts.sort();
        Ok(Value::strings(texts))
    });
}

/// Gives the elements, or sprig's error with the kind.
fn items(context: &mut Context, value: &Value, error: &str) -> Result<Vec<Value>> {
    if value.is_nil() {
        return Err(NIL_POINTER.into());
    }
    let items = elements(value).ok_or_else(|| format!("{error} {}", value.kind().name()))?;
    context.charge(items.len() as u64)?;
    Ok(items)
}

fn in_list(context: &mut Context, needle: &Value, list: &[Value]) -> Result<bool> {
    for item in list {
        if deep_equal(context, needle, item)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn uniq(context: &mut Context, a: &[Value]) -> Result {
    let items = items(context, &a[0], "Cannot find uniq on type")?;
    let mut kept: Vec<Value> = Vec::new();
    for item in items {
        context.charge(kept.len() as u64 / 8 + 1)?;
        if !in_list(context, &item, &kept)? {
            kept.push(item);
        }
    }
    Ok(Value::list(kept))
}

fn slice(a: &[Value]) -> Result {
    if a[0].is_nil() {
        return Err(NIL_POINTER.into());
    }
    let Some(items) = elements(&a[0]) else {
        return Err(format!("list should be type of slice or array but {}", a[0].kind().name()).into());
    };
    if items.is_empty() {
        return Ok(Value::Nil);
    }
    let start = a.get(1).map_or(0, to_int64);
    let end = a.get(2).map_or(items.len() as i64, to_int64);
    let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
    let element = a[0].as_list().map_or(Type::Any, List::element);
    match range.filter(|(start, end)| start <= end && *end <= items.len()) {
        Some((start, end)) => Ok(Value::List(List::new(element, items[start..end].to_vec()))),
        None => Err("reflect.Value.Slice: slice index out of bounds".into()),
    }
}

fn concat(context: &mut Context, a: &[Value]) -> Result {
    let mut all = None;
    for list in a {
        if list.is_nil() {
            return Err(NIL_POINTER.into());
        }
        let Some(items) = elements(list) else {
            return Err(format!("Cannot concat type {} as list", list.kind().name()).into());
        };
        context.charge(items.len() as u64)?;
        if !items.is_empty() {
            all.get_or_insert_with(Vec::new).extend(items);
        }
    }
    Ok(any_list(all))
}

fn chunk(context: &mut Context, a: &[Value]) -> Result {
    if a[1].is_nil() {
        return Err(NIL_POINTER.into());
    }
    let items = items(context, &a[1], "Cannot chunk type")?;
    let size = args::int(a, 0);
    let chunks: Vec<Value> = match usize::try_from(size) {
        Ok(size) if size > 0 => items.chunks(size).map(|chunk| Value::list(chunk.to_vec())).collect(),
        _ => return Err("runtime error: makeslice: len out of range".into()),
    };
    Ok(Value::List(List::new(Type::LIST, chunks)))
}
