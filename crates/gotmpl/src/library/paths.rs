//! Paths. Those of the operating system are slash-separated too: charts render the same everywhere.

use super::{Result, add, args, strings::map_text};
use crate::{functions::Functions, paths, types::Type, value::Value};

pub(super) fn register(f: &mut Functions) {
    let s = &[Type::Str];
    add(f, &["base", "osBase"], s, |_, a| Ok(map_text(a, 0, paths::base)));
    add(f, &["dir", "osDir"], s, |_, a| Ok(map_text(a, 0, paths::dir)));
    add(f, &["clean", "osClean"], s, |_, a| Ok(map_text(a, 0, paths::clean)));
    add(f, &["ext", "osExt"], s, |_, a| Ok(map_text(a, 0, |path| paths::ext(path).to_owned())));
    add(f, &["isAbs", "osIsAbs"], s, is_abs);
}

fn is_abs(_: &mut crate::context::Context, a: &[Value]) -> Result {
    Ok(Value::Bool(args::text(a, 0).as_bytes().starts_with(b"/")))
}
