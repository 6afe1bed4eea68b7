//! Rules in Lua, as Argo CD's configuration has them.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use lockstep_object::{Object, Value};
use mlua::{
    HookTriggers, Lua, LuaOptions, LuaString, StdLib, Table, VmState,
    chunk::{Chunk, ChunkMode},
};

use crate::{Health, Status};

/// How many times a script may be asked whether it goes on, each after [`STEPS`] instructions: ten million in all,
/// a second or less.
const TURNS: u32 = 10_000;
const STEPS: u32 = 1_000;
/// How much memory a script may hold; the largest objects take a tenth of it.
const MEMORY: usize = 64 << 20;
/// The longest script.
const LONGEST: usize = 1 << 20;
/// The longest text that `string.rep` makes.
const LONGEST_TEXT: usize = 1 << 20;
/// The deepest part of an object that a script sees.
const DEEPEST_VALUE: usize = 64;

/// What reads files, loads code, hides errors, or prints.
const FORBIDDEN: [&str; 15] = [
    "dofile",
    "loadfile",
    "load",
    "loadstring",
    "require",
    "module",
    "print",
    "collectgarbage",
    "newproxy",
    "getfenv",
    "setfenv",
    "pcall",
    "xpcall",
    "gcinfo",
    "coroutine",
];

/// Tells whether a script compiles.
pub fn compiles(script: &str) -> Result<(), String> {
    let lua = state()?;
    chunk(&lua, script)?.into_function().map(drop).map_err(plain)
}

/// Judges an object.
pub fn judge(script: &str, object: &Object) -> Result<Health, String> {
    let lua = state()?;
    let value = convert(&lua, &object.to_value(), 0).map_err(plain)?;
    lua.globals().set("obj", value).map_err(plain)?;
    let table: Table = chunk(&lua, script)?.eval().map_err(plain)?;
    let word: Option<String> = table.get("status").map_err(plain)?;
    let word = word.ok_or("the result has no status")?;
    let status: Status = word.parse().map_err(|error: crate::UnknownStatus| error.to_string())?;
    let message: Option<String> = table.get("message").map_err(plain)?;
    Ok(Health::new(status, message.unwrap_or_default()))
}

fn chunk<'l>(lua: &'l Lua, script: &str) -> Result<Chunk<'l>, String> {
    if script.len() > LONGEST {
        return Err(format!("the script is longer than {LONGEST} bytes"));
    }
    Ok(lua.load(script.to_owned()).set_name("=health").set_mode(ChunkMode::Text))
}

/// Makes a state with nothing in it that reaches out.
fn state() -> Result<Lua, String> {
    let make = || -> mlua::Result<Lua> {
        let lua = Lua::new_with(StdLib::TABLE | StdLib::STRING | StdLib::MATH, LuaOptions::new())?;
        let globals = lua.globals();
        for name in FORBIDDEN {
            globals.set(name, mlua::Value::Nil)?;
        }
        let string: Table = globals.get("string")?;
        string.set("dump", mlua::Value::Nil)?;
        let repeat = lua.create_function(|lua, (text, count): (LuaString, i64)| {
            let (bytes, count) = (text.as_bytes(), usize::try_from(count).unwrap_or(0));
            if bytes.len().saturating_mul(count) > LONGEST_TEXT {
                return Err(mlua::Error::runtime("string.rep makes a text that is too long"));
            }
            lua.create_string(bytes.repeat(count))
        })?;
        string.set("rep", repeat)?;
        limit(&lua)?;
        Ok(lua)
    };
    make().map_err(plain)
}

/// Ends a script that takes too long or too much; nothing in the script can catch it, there is no `pcall`.
fn limit(lua: &Lua) -> mlua::Result<()> {
    // Not every build of Lua can refuse memory; the hook below looks at what is used in any case.
    if let Err(error) = lua.set_memory_limit(MEMORY)
        && !matches!(error, mlua::Error::MemoryControlNotAvailable)
    {
        return Err(error);
    }
    let turns = Arc::new(AtomicU32::new(0));
    lua.set_hook(HookTriggers::new().every_nth_instruction(STEPS), move |lua, _| {
        if turns.fetch_add(1, Ordering::Relaxed) > TURNS {
            return Err(mlua::Error::runtime("the script takes too long"));
        }
        if lua.used_memory() > MEMORY {
            return Err(mlua::Error::runtime("the script takes too much memory"));
        }
        Ok(VmState::Continue)
    })
}

fn convert(lua: &Lua, value: &Value, depth: usize) -> mlua::Result<mlua::Value> {
    if depth > DEEPEST_VALUE {
        return Ok(mlua::Value::Nil);
    }
    Ok(match value {
        Value::Null => mlua::Value::Nil,
        Value::Bool(truth) => mlua::Value::Boolean(*truth),
        Value::Text(text) => mlua::Value::String(lua.create_string(text.as_bytes())?),
        Value::List(items) => {
            let table = lua.create_table()?;
            for (place, item) in items.iter().enumerate() {
                table.raw_set(place + 1, convert(lua, item, depth + 1)?)?;
            }
            mlua::Value::Table(table)
        }
        Value::Map(map) => {
            let table = lua.create_table()?;
            for (key, item) in map.iter() {
                table.raw_set(key.as_str(), convert(lua, item, depth + 1)?)?;
            }
            mlua::Value::Table(table)
        }
        number => mlua::Value::Number(number.as_f64().unwrap_or_default()),
    })
}

/// The first line of an error; the rest is a trace of calls.
fn plain(error: mlua::Error) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use lockstep_object::from_json;

    use super::*;

    fn check(script: &str, object: &str) -> Result<Health, String> {
        judge(script, &Object::try_from(from_json(object.as_bytes()).unwrap()).unwrap())
    }

    #[test]
    fn a_script_reads_obj_and_returns_a_table() {
        let script = r#"
            local hs = {status = "Progressing", message = "waiting"}
            for _, c in ipairs(obj.status.conditions) do
              if c.type ~= "Ready" then goto continue end
              hs = {status = "Healthy", message = c.reason .. " " .. obj.spec.replicas .. "/" .. #obj.status.conditions}
              ::continue::
            end
            return hs"#;
        let object = r#"{"spec":{"replicas":3},"status":{"conditions":[{"type":"A"},{"type":"Ready","reason":"Ok"}]}}"#;
        assert_eq!(check(script, object), Ok(Health::new(Status::Healthy, "Ok 3/2")));
    }

    #[test]
    fn a_script_that_errs_says_where() {
        let error = check("return {status = obj.status.phase.x.y}", "{}").unwrap_err();
        assert!(error.contains("health:1"), "{error}");
        assert!(check("return {status = 'Fine'}", "{}").unwrap_err().contains("Fine"));
        assert!(check("return {message = 'x'}", "{}").unwrap_err().contains("no status"));
        assert!(compiles("return {").is_err());
    }

    #[test]
    fn a_script_reaches_nothing_outside_and_ends() {
        for script in [
            "return {status = io.open('/etc/passwd'):read()}",
            "return {status = os.getenv('HOME')}",
            "return {status = require('x')}",
            "dofile('/etc/passwd')",
            "return {status = load('return 1')()}",
            "while true do end",
            "local t = {} while true do t[#t + 1] = {1, 2, 3} end",
            "local s = 'x' while true do s = s .. s end",
            "return {status = string.rep('x', 1e12)}",
            "local function f() return f() + 1 end return f()",
        ] {
            assert!(check(script, "{}").is_err(), "{script}");
        }
    }
}
