//! The methods of Go's type `common.Values`, which templates can call on `.` and `.Values`.

use lockstep_gotmpl::{Context, FuncError, Functions, Map, Signature, Type, Value};

use super::{calls::text, yaml::to_yaml};
use crate::values::path_value;

const VALUES: &str = "common.Values";

pub(crate) fn register(functions: &mut Functions) {
    let none = Signature::default;
    let one = || Signature::new(&[Type::Str]);
    functions.add_method(VALUES, "AsMap", none(), |_, args| Ok(Value::Map(receiver(args).converted(None))));
    functions.add_method(VALUES, "YAML", none(), |context, args| {
        let text = to_yaml(context, &Value::Map(receiver(args)))?;
        Ok(Value::from(format!("{}\n", text.as_str().map(ToString::to_string).unwrap_or_default())))
    });
    functions.add_method(VALUES, "Encode", Signature::new(&[Type::Named("io.Writer")]), |_, _| Ok(Value::Nil));
    functions.add_method(VALUES, "Table", one(), get_table);
    functions.add_method(VALUES, "PathValue", one(), get_path);
}

fn receiver(args: &[Value]) -> Map {
    args.first().and_then(Value::as_map).cloned().unwrap_or_default()
}

fn get_table(_: &mut Context, args: &[Value]) -> Result<Value, FuncError> {
    let path = text(args, 1);
    let path = path.to_text();
    let receiver = receiver(args);
    let mut map = receiver;
    for part in path.split('.') {
        match map.get(part) {
            Some(Value::Map(inner)) => map = inner,
            _ => return Err(format!("{} is not a table", crate::metadata::quote(part)).into()),
        }
    }
    Ok(Value::Map(map.converted(Some(VALUES))))
}

fn get_path(_: &mut Context, args: &[Value]) -> Result<Value, FuncError> {
    let path = text(args, 1);
    let path = path.to_text();
    if path.is_empty() {
        return Err("YAML path cannot be empty".into());
    }
    path_value(&receiver(args), &path).ok_or_else(|| {
        let key = path.rsplit('.').next().unwrap_or_default();
        format!("{} is not a value", crate::metadata::quote(key)).into()
    })
}
