//! `toYaml`, `fromYaml` and their kin.

use lockstep_gotmpl::{Context, FuncError, Functions, Signature, Type, Value, json};
use lockstep_object as object;

use super::{
    calls::text,
    json::{as_list, as_map},
};
use crate::{decode::parse_yaml, plain::Plain};

/// Deeper values are cyclic: Go's encoder begins to look for cycles here.
const MAX_DEPTH: usize = 1000;

pub(crate) fn register(functions: &mut Functions) {
    functions.add("toYaml", Signature::new(&[Type::Any]), |context, args| {
        match to_yaml(context, args.first().unwrap_or(&Value::Nil)) {
            Err(error) if !error.is_limit() => Ok("".into()),
            other => other,
        }
    });
    functions.add("mustToYaml", Signature::new(&[Type::Any]), |context, args| {
        to_yaml(context, args.first().unwrap_or(&Value::Nil))
    });
    functions.add("fromYaml", Signature::new(&[Type::Str]), |context, args| decode(context, args).map(as_map));
    functions.add("fromYamlArray", Signature::new(&[Type::Str]), |context, args| decode(context, args).map(as_list));
}

fn decode(context: &mut Context, args: &[Value]) -> Result<Result<Value, String>, FuncError> {
    let source = text(args, 0);
    context.charge_bytes(source.len())?;
    context.charge(source.len() as u64 / 16)?;
    let decoded = parse_yaml(&source.to_text()).map(|value| Plain::from_object(&value).to_value());
    Ok(decoded.map_err(|error| error.to_string()))
}

/// Prints as `sigs.k8s.io/yaml`, without the last line end.
pub(crate) fn to_yaml(context: &mut Context, value: &Value) -> Result<Value, FuncError> {
    let value = to_object(context, value, 0)?;
    let mut text = object::yaml::print(&value);
    if text.ends_with('\n') {
        text.pop();
    }
    context.charge_bytes(text.len())?;
    Ok(Value::from(text))
}

/// Makes what JSON makes of a value: a float without fraction is an integer, named types become plain.
pub(crate) fn to_object(context: &mut Context, value: &Value, depth: usize) -> Result<object::Value, FuncError> {
    context.charge(1)?;
    if depth > MAX_DEPTH {
        return Err("json: unsupported value: encountered a cycle".into());
    }
    Ok(match value {
        Value::Nil | Value::Invalid => object::Value::Null,
        Value::Bool(truth) => object::Value::Bool(*truth),
        Value::Int(number) | Value::Int64(number) => object::Value::Int(*number),
        Value::Int32(number) => object::Value::Int((*number).into()),
        Value::Uint8(number) => object::Value::Int((*number).into()),
        Value::Uint64(number) => (*number).into(),
        Value::Duration(duration) => object::Value::Int(duration.0),
        Value::Float(number) => float(*number)?,
        Value::Str(text) => match text.as_str() {
            Some(text) => object::Value::from(text),
            None => object::Value::from(text.to_text().into_owned()),
        },
        Value::List(list) if list.is_nil() => object::Value::Null,
        Value::Map(map) if map.is_nil() => object::Value::Null,
        Value::List(list) => {
            let items = list.items().iter().map(|item| to_object(context, item, depth + 1));
            object::Value::from(items.collect::<Result<Vec<_>, _>>()?)
        }
        Value::Map(map) => {
            let mut entries = Vec::with_capacity(map.len());
            map.each(|key, value| {
                entries.push((object::Key::new(&key.to_text()), to_object(context, value, depth + 1)?));
                Ok::<_, FuncError>(())
            })?;
            object::Value::Map(entries.into_iter().collect())
        }
        other => {
            let json = json::encode(other)?;
            object::from_json(json.as_bytes()).map_err(|error| FuncError::from(error.to_string()))?
        }
    })
}

fn float(number: f64) -> Result<object::Value, FuncError> {
    const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
    if !number.is_finite() {
        let shown = if number.is_nan() {
            "NaN"
        } else if number > 0.0 {
            "+Inf"
        } else {
            "-Inf"
        };
        return Err(format!("json: unsupported value: {shown}").into());
    }
    if number.fract() != 0.0 {
        return Ok(object::Value::Float(number));
    }
    Ok(if (-TWO_TO_63..TWO_TO_63).contains(&number) {
        object::Value::Int(number as i64)
    } else if (0.0..TWO_TO_63 * 2.0).contains(&number) {
        object::Value::UInt(number as u64)
    } else {
        object::Value::Float(number)
    })
}
