//! Dicts: maps that templates share and change.

use super::{Result, add, add_variadic, args, merge::merge};
use crate::{
    context::Context,
    convert::strval,
    functions::Functions,
    stack::deep,
    types::Type,
    value::{List, Map, Str, Value},
};

const A: Type = Type::Any;
const S: Type = Type::Str;
const M: Type = Type::MAP;
/// Nesting that is copied: a map may contain itself.
const MAX_DEPTH: usize = 1_000;

pub(super) fn register(f: &mut Functions) {
    add_variadic(f, &["dict"], &[], A, dict);
    add(f, &["get"], &[M, S], |_, a| Ok(args::map(a, 0).get(args::text(a, 1)).unwrap_or_else(|| "".into())));
    add(f, &["set"], &[M, S, A], |c, a| {
        let map = args::map(a, 0);
        if !map.insert(args::text(a, 1), a[2].clone()) {
            return Err("assignment to entry in nil map".into());
        }
        c.wrote(&map);
        Ok(a[0].clone())
    });
    add(f, &["unset"], &[M, S], |_, a| {
        args::map(a, 0).remove(args::text(a, 1));
        Ok(a[0].clone())
    });
    add(f, &["hasKey"], &[M, S], |_, a| Ok(Value::Bool(args::map(a, 0).contains(args::text(a, 1)))));
    add_variadic(f, &["pluck"], &[S], M, |_, a| {
        let key = args::text(a, 0);
        Ok(Value::list((1..a.len()).filter_map(|i| args::map(a, i).get(&key)).collect()))
    });
    add_variadic(f, &["keys"], &[], M, |c, a| {
        let keys: Vec<Str> = (0..a.len()).flat_map(|i| args::map(a, i).keys()).collect();
        c.charge(keys.len() as u64)?;
        Ok(Value::strings(keys))
    });
    add(f, &["values"], &[M], |c, a| {
        let values: Vec<Value> = args::map(a, 0).entries().into_iter().map(|(_, value)| value).collect();
        c.charge(values.len() as u64)?;
        Ok(Value::list(values))
    });
    add_variadic(f, &["pick"], &[M], S, |_, a| {
        let map = args::map(a, 0);
        let keys = (1..a.len()).map(|i| args::text(a, i));
        Ok(Value::Map(keys.filter_map(|key| map.get(&key).map(|value| (key, value))).collect()))
    });
    add_variadic(f, &["omit"], &[M], S, |_, a| {
        let omitted: Vec<Str> = (1..a.len()).map(|i| args::text(a, i)).collect();
        Ok(Value::Map(args::map(a, 0).entries().into_iter().filter(|(key, _)| !omitted.contains(key)).collect()))
    });
    add_variadic(f, &["merge", "mustMerge"], &[M], M, |c, a| merge_all(c, a, false));
    add_variadic(f, &["mergeOverwrite", "mustMergeOverwrite"], &[M], M, |c, a| merge_all(c, a, true));
    add(f, &["deepCopy", "mustDeepCopy"], &[A], |c, a| {
        if a[0].is_nil() {
            return Err("reflect: call of reflect.Value.Type on zero Value".into());
        }
        deep_copy(c, &a[0], 0)
    });
    add_variadic(f, &["dig"], &[], A, |_, a| dig(a));
}

fn dict(context: &mut Context, a: &[Value]) -> Result {
    context.charge(a.len() as u64)?;
    let map = Map::new();
    for pair in a.chunks(2) {
        map.insert(strval(&pair[0]), pair.get(1).cloned().unwrap_or_else(|| "".into()));
    }
    Ok(Value::Map(map))
}

fn merge_all(context: &mut Context, a: &[Value], overwrite: bool) -> Result {
    let mut target = args::map(a, 0);
    if target.is_nil() && a.len() > 1 {
        target = Map::new();
    }
    for i in 1..a.len() {
        merge(context, &target, &args::map(a, i), overwrite, 0)?;
    }
    Ok(Value::Map(target))
}

fn deep_copy(context: &mut Context, value: &Value, depth: usize) -> Result {
    context.charge(1)?;
    if depth > MAX_DEPTH {
        return Err(crate::error::FuncError::limit("the value is nested too deeply to be copied"));
    }
    match value {
        Value::List(list) if !list.is_nil() => {
            let items: Result<Vec<Value>> =
                list.items().iter().map(|item| deep(|| deep_copy(context, item, depth + 1))).collect();
            Ok(Value::List(List::new(list.element(), items?)))
        }
        Value::Map(map) if !map.is_nil() => {
            let copy = map.empty_like();
            for (key, item) in map.entries() {
                let item = deep(|| deep_copy(context, &item, depth + 1))?;
                copy.insert(key, item);
            }
            Ok(Value::Map(copy))
        }
        other => Ok(other.clone()),
    }
}

/// Says what Go's failed type assertion says.
fn conversion(value: &Value, target: &str) -> String {
    let found = if value.is_nil() { "nil".into() } else { value.type_name() };
    format!("interface conversion: interface {{}} is {found}, not {target}")
}

fn plain_map(value: &Value) -> Result<Map> {
    match value {
        Value::Map(map) if map.element() == Type::Any && !map.is_named() => Ok(map.clone()),
        other => Err(conversion(other, "map[string]interface {}").into()),
    }
}

fn dig(a: &[Value]) -> Result {
    let [keys @ .., default, map] = a else {
        return Err("dig needs at least three arguments".into());
    };
    if keys.is_empty() {
        return Err("dig needs at least three arguments".into());
    }
    let mut current = plain_map(map)?;
    let mut path = Vec::with_capacity(keys.len());
    for key in keys {
        path.push(key.as_str().ok_or_else(|| conversion(key, "string"))?);
    }
    for (i, key) in path.iter().enumerate() {
        match current.get(key) {
            None => return Ok(default.clone()),
            Some(value) if i + 1 == path.len() => return Ok(value),
            Some(value) => current = plain_map(&value)?,
        }
    }
    Ok(default.clone())
}
