//! `toYaml`, `fromYaml` and their kin.

use lockstep_gotmpl::{Context, FuncError, Functions, Map, Signature, Type, Value, json};
use lockstep_object as object;

use super::{
    calls::text,
    json::{as_list, as_map},
};
use crate::{decode::parse_yaml, plain::Plain};

/// Deeper values are taken for cyclic: YAML is not read deeper either.
const MAX_DEPTH: usize = 256;

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
    functions.add("fromYaml", Signature::new(&[Type::Str]), |context, args| {
        decode(context, args, &Value::Map(Map::new())).map(|decoded| as_map(decoded, CONTEXT))
    });
    functions.add("fromYamlArray", Signature::new(&[Type::Str]), |context, args| {
        decode(context, args, &Value::list(Vec::new())).map(|decoded| as_list(decoded, CONTEXT))
    });
}

const CONTEXT: &str = "error unmarshaling JSON: while decoding JSON: ";

/// Decodes; null leaves Go's target as it is, which is empty.
fn decode(context: &mut Context, args: &[Value], empty: &Value) -> Result<Result<Value, String>, FuncError> {
    let source = text(args, 0);
    context.charge_bytes(source.len())?;
    context.charge(source.len() as u64 / 16)?;
    let decoded = parse_yaml(&source.to_text()).map(|value| Plain::from_object(&value).to_value());
    Ok(decoded.map(|value| if value.is_nil() { empty.clone() } else { value }))
}

/// Prints as `sigs.k8s.io/yaml`, without the last line end.
pub(crate) fn to_yaml(context: &mut Context, value: &Value) -> Result<Value, FuncError> {
    let value = Conversion { context, size: Size::default() }.value(value, 0)?;
    let mut text = object::yaml::print(&value);
    if text.ends_with('\n') {
        text.pop();
    }
    context.charge_bytes(text.len())?;
    Ok(Value::from(text))
}

/// How large a result has become, to stop before memory is full: a small value may hold another a million times.
#[derive(Default)]
pub(crate) struct Size {
    bytes: usize,
    charged: usize,
}

impl Size {
    /// Bytes after which the limits are asked again.
    const STEP: usize = 64 * 1024;

    /// Adds bytes.
    pub(crate) fn add(&mut self, context: &mut Context, bytes: usize) -> Result<(), FuncError> {
        self.set(context, self.bytes + bytes)
    }

    /// Sets the number of bytes so far.
    pub(crate) fn set(&mut self, context: &mut Context, bytes: usize) -> Result<(), FuncError> {
        self.bytes = bytes;
        if self.bytes > self.charged + Self::STEP {
            self.charged = self.bytes;
            context.charge_bytes(self.bytes)?;
        }
        Ok(())
    }
}

/// Makes what JSON makes of a value: a float without fraction is an integer, named types become plain.
struct Conversion<'a> {
    context: &'a mut Context,
    size: Size,
}

impl Conversion<'_> {
    /// What a node takes in memory, roughly.
    const NODE: usize = 32;

    fn value(&mut self, value: &Value, depth: usize) -> Result<object::Value, FuncError> {
        self.context.charge(1)?;
        self.size.add(self.context, Self::NODE)?;
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
            Value::Str(text) => {
                self.size.add(self.context, text.len())?;
                let text = text.to_text();
                check_characters(&text)?;
                object::Value::from(&*text)
            }
            Value::List(list) if list.is_nil() => object::Value::Null,
            Value::Map(map) if map.is_nil() => object::Value::Null,
            Value::List(list) => {
                let items = list.items().iter().map(|item| self.value(item, depth + 1));
                object::Value::from(items.collect::<Result<Vec<_>, _>>()?)
            }
            Value::Map(map) => self.map(map, depth)?,
            other => {
                let json = json::encode(other)?;
                object::from_json(json.as_bytes()).map_err(|error| FuncError::from(error.to_string()))?
            }
        })
    }

    fn map(&mut self, map: &Map, depth: usize) -> Result<object::Value, FuncError> {
        let mut entries = Vec::with_capacity(map.len());
        map.each(|key, value| {
            let key = key.to_text();
            check_characters(&key)?;
            entries.push((object::Key::new(&key), self.value(value, depth + 1)?));
            Ok::<_, FuncError>(())
        })?;
        Ok(object::Value::Map(entries.into_iter().collect()))
    }
}

/// Refuses what Go's YAML reader refuses in the JSON that it is given.
fn check_characters(text: &str) -> Result<(), FuncError> {
    let is_refused = |c: char| matches!(c, '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}');
    if text.bytes().all(|b| b < 0x7f) || !text.contains(is_refused) {
        return Ok(());
    }
    Err("yaml: control characters are not allowed".into())
}

fn float(number: f64) -> Result<object::Value, FuncError> {
    /// Up to here every integer is a float, and printing and reading it again changes nothing.
    const EXACT: f64 = 9_007_199_254_740_992.0;
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
    if number.abs() <= EXACT {
        return Ok(object::Value::Int(number as i64));
    }
    // JSON has the shortest digits that give the float again, and YAML reads those as an integer.
    let digits = format!("{number}");
    Ok(match (digits.parse::<i64>(), digits.parse::<u64>()) {
        (Ok(number), _) => object::Value::Int(number),
        (_, Ok(number)) => object::Value::UInt(number),
        _ => object::Value::Float(number),
    })
}
