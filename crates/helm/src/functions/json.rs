//! `toJson`, `fromJson` and their kin, with Helm's handling of errors.

use lockstep_gotmpl::{Context, FuncError, Functions, List, Map, Signature, Type, Value, json};

use super::calls::text;

pub(crate) fn register(functions: &mut Functions) {
    functions
        .add("toJson", Signature::new(&[Type::Any]), |context, args| Ok(encode(context, args).unwrap_or("".into())));
    functions.add("mustToJson", Signature::new(&[Type::Any]), encode);
    functions.add("fromJson", Signature::new(&[Type::Str]), |context, args| {
        decode(context, args).map(|decoded| as_map(decoded, ""))
    });
    functions.add("fromJsonArray", Signature::new(&[Type::Str]), |context, args| {
        decode(context, args).map(|decoded| as_list(decoded, ""))
    });
}

fn encode(_: &mut Context, args: &[Value]) -> Result<Value, FuncError> {
    Ok(Value::Str(json::encode(args.first().unwrap_or(&Value::Nil))?))
}

/// Decodes; what is wrong with the text becomes the inner error.
fn decode(context: &mut Context, args: &[Value]) -> Result<Result<Value, String>, FuncError> {
    let source = text(args, 0);
    context.charge_bytes(source.len())?;
    Ok(json::decode(&source).map_err(|error| error.to_string()))
}

/// Makes the map that Helm's functions give: an error becomes its entry `Error`. `context` stands before errors of type.
pub(crate) fn as_map(decoded: Result<Value, String>, context: &str) -> Value {
    match decoded {
        Ok(Value::Map(map)) => Value::Map(map),
        Ok(Value::Nil) => Value::Map(Map::nil(Type::Any)),
        Ok(other) => error_map(context.to_owned() + &wrong_type(&other, "map[string]interface {}")),
        Err(message) => error_map(message),
    }
}

/// Makes the list that Helm's functions give: an error becomes its only item.
pub(crate) fn as_list(decoded: Result<Value, String>, context: &str) -> Value {
    match decoded {
        Ok(Value::List(list)) => Value::List(list),
        Ok(Value::Nil) => Value::List(List::nil(Type::Any)),
        Ok(other) => Value::list(vec![Value::from(context.to_owned() + &wrong_type(&other, "[]interface {}"))]),
        Err(message) => Value::list(vec![Value::from(message)]),
    }
}

pub(crate) fn error_map(message: String) -> Value {
    Value::Map([("Error", Value::from(message))].into_iter().collect())
}

pub(crate) fn wrong_type(value: &Value, wanted: &str) -> String {
    let got = match value {
        Value::Map(_) => "object",
        Value::List(_) => "array",
        Value::Str(_) => "string",
        Value::Bool(_) => "bool",
        _ => "number",
    };
    format!("json: cannot unmarshal {got} into Go value of type {wanted}")
}
