//! `merge` and `mergeOverwrite` as mergo 1.0.1 merges maps.

use super::Result;
use crate::{
    context::Context,
    error::FuncError,
    stack::deep,
    value::{Map, Value},
};

/// Nesting that is merged: a map may contain itself.
const MAX_DEPTH: usize = 1_000;

/// Merges `source` into `target`. Nested maps are merged in place and otherwise shared; without `overwrite` only empty values
/// (false and 0 too) are replaced.
pub(super) fn merge(context: &mut Context, target: &Map, source: &Map, overwrite: bool, depth: usize) -> Result<()> {
    if depth > MAX_DEPTH {
        return Err(FuncError::limit("the value is nested too deeply to be merged"));
    }
    context.wrote(target);
    for (key, value) in source.entries() {
        context.charge(1)?;
        let old = target.get(&key);
        if value.is_nil()
            || matches!(&value, Value::Map(map) if map.is_nil() && map.element() != crate::types::Type::Any)
        {
            if overwrite {
                target.insert(key, value);
            }
            continue;
        }
        if let (Value::Map(inner), Some(Value::Map(old))) = (&value, &old)
            && !old.is_nil()
        {
            deep(|| merge(context, old, inner, overwrite, depth + 1))?;
        }
        if is_slice(&value) && overwrite {
            target.insert(key, value);
            continue;
        }
        let empty = old.as_ref().is_none_or(is_empty);
        if !empty && (is_slice(&value) || matches!((&value, &old), (Value::Map(_), Some(Value::Map(_))))) {
            continue;
        }
        if overwrite || empty {
            target.insert(key, value);
        }
    }
    Ok(())
}

fn is_slice(value: &Value) -> bool {
    matches!(value, Value::List(_) | Value::Bytes(_))
}

fn is_empty(value: &Value) -> bool {
    !value.is_true() && !matches!(value, Value::Complex(..))
}
