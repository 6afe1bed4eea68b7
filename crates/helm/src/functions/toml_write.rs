//! `toToml`, as BurntSushi's encoder prints.

use lockstep_gotmpl::{Context, FuncError, Functions, Signature, Str, Type, Value, json};

use super::yaml::Size;

const MAX_DEPTH: usize = 256;

pub(crate) fn register(functions: &mut Functions) {
    functions.add("mustToToml", Signature::new(&[Type::Any]), to_toml);
    functions.add("toToml", Signature::new(&[Type::Any]), |context, args| match to_toml(context, args) {
        // Go's encoder panics on nothing, which is no error that it could return.
        Err(error) if !error.is_limit() && !args.first().is_none_or(Value::is_nil) => {
            Ok(Value::from(error.to_string()))
        }
        other => other,
    });
}

fn to_toml(context: &mut Context, args: &[Value]) -> Result<Value, FuncError> {
    let mut encoder = Encoder { context, out: String::new(), size: Size::default() };
    encoder.encode(&mut Vec::new(), args.first().unwrap_or(&Value::Nil))?;
    let out = encoder.out;
    context.charge_bytes(out.len())?;
    Ok(Value::from(out))
}

struct Encoder<'a> {
    context: &'a mut Context,
    out: String,
    size: Size,
}

type Done = Result<(), FuncError>;

impl Encoder<'_> {
    fn encode(&mut self, key: &mut Vec<Str>, value: &Value) -> Done {
        self.context.charge(1)?;
        self.size.set(self.context, self.out.len())?;
        if key.len() > MAX_DEPTH {
            return Err("toml: the value is nested too deep".into());
        }
        match value {
            Value::List(list) if is_table_array(list.items())? => self.tables(key, list.items()),
            Value::Map(map) => self.table(key, &map.entries()),
            Value::Nil | Value::Invalid => Err("reflect: call of reflect.Value.Type on zero Value".into()),
            other => self.key_value(key, other, false),
        }
    }

    fn tables(&mut self, key: &mut Vec<Str>, items: &[Value]) -> Done {
        if key.is_empty() {
            return Err("toml: top-level values must be Go maps or structs".into());
        }
        for item in items {
            let Value::Map(map) = item else { continue };
            self.newline();
            self.indent(key);
            self.out.push_str(&format!("[[{}]]", join(key)));
            self.newline();
            self.map(key, &map.entries(), false)?;
        }
        Ok(())
    }

    fn table(&mut self, key: &mut Vec<Str>, entries: &[(Str, Value)]) -> Done {
        if key.len() == 1 {
            self.newline();
        }
        if !key.is_empty() {
            self.indent(key);
            self.out.push_str(&format!("[{}]", join(key)));
            self.newline();
        }
        self.map(key, entries, false)
    }

    /// Writes plain entries before those that are tables.
    fn map(&mut self, key: &mut Vec<Str>, entries: &[(Str, Value)], inline: bool) -> Done {
        let mut plain = Vec::new();
        let mut tables = Vec::new();
        for (name, value) in entries {
            let is_table = match value {
                Value::Map(map) => !map.is_nil(),
                Value::List(list) => is_table_array(list.items())?,
                _ => false,
            };
            (if is_table { &mut tables } else { &mut plain }).push((name, value));
        }
        if inline {
            self.out.push('{');
        }
        let comma_after_plain = !tables.is_empty();
        self.entries(key, &plain, inline, comma_after_plain)?;
        self.entries(key, &tables, inline, false)?;
        if inline {
            self.out.push('}');
        }
        Ok(())
    }

    fn entries(&mut self, key: &mut Vec<Str>, entries: &[(&Str, &Value)], inline: bool, last_comma: bool) -> Done {
        for (at, (name, value)) in entries.iter().enumerate() {
            let is_nil = match value {
                Value::Map(map) => map.is_nil(),
                Value::List(list) => list.is_nil(),
                other => other.is_nil(),
            };
            if is_nil {
                continue;
            }
            if inline {
                self.key_value(&[(*name).clone()], value, true)?;
                if last_comma || at + 1 != entries.len() {
                    self.out.push_str(", ");
                }
            } else {
                key.push((*name).clone());
                self.encode(key, value)?;
                key.pop();
            }
        }
        Ok(())
    }

    fn key_value(&mut self, key: &[Str], value: &Value, inline: bool) -> Done {
        if let Some(last) = key.last() {
            self.indent(key);
            self.out.push_str(&quoted_key(last));
            self.out.push_str(" = ");
        }
        self.element(value, 0)?;
        if !key.is_empty() && !inline {
            self.newline();
        }
        Ok(())
    }

    fn element(&mut self, value: &Value, depth: usize) -> Done {
        self.context.charge(1)?;
        self.size.set(self.context, self.out.len())?;
        if depth > MAX_DEPTH {
            return Err("toml: the value is nested too deep".into());
        }
        match value {
            Value::Str(text) => self.out.push_str(&quoted(&text.to_text())),
            Value::Float(number) => self.out.push_str(&float(*number)),
            Value::Duration(_) => {
                let text = print(value);
                self.out.push_str(&quoted(&text));
            }
            Value::Time(_) => self.out.push_str(json::encode(value)?.to_text().trim_matches('"')),
            Value::List(list) => {
                self.out.push('[');
                for (at, item) in list.items().iter().enumerate() {
                    if at > 0 {
                        self.out.push_str(", ");
                    }
                    self.element(item, depth + 1)?;
                }
                self.out.push(']');
            }
            Value::Map(map) => self.map(&mut Vec::new(), &map.entries(), true)?,
            Value::Native(_) | Value::Bytes(_) => {
                let plain = json::decode(&json::encode(value)?)?;
                return self.element(&plain, depth + 1);
            }
            Value::Nil | Value::Invalid => return Err("toml: cannot encode array with nil element".into()),
            Value::Func(_) => return Err("unsupported type: func".into()),
            other => self.out.push_str(&print(other)),
        }
        Ok(())
    }

    fn newline(&mut self) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
    }

    fn indent(&mut self, key: &[Str]) {
        for _ in 1..key.len() {
            self.out.push_str("  ");
        }
    }
}

fn is_table_array(items: &[Value]) -> Result<bool, FuncError> {
    let mut all_tables = !items.is_empty();
    for item in items {
        match item {
            Value::Nil | Value::Invalid => return Err("toml: cannot encode array with nil element".into()),
            Value::Map(_) => {}
            Value::List(list) => {
                is_table_array(list.items())?;
                all_tables = false;
            }
            _ => all_tables = false,
        }
    }
    Ok(all_tables)
}

fn print(value: &Value) -> String {
    lockstep_gotmpl::print::sprint(std::slice::from_ref(value)).to_string()
}

fn float(number: f64) -> String {
    if number.is_nan() {
        return "nan".into();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.into();
    }
    let text = print(&Value::Float(number));
    if text.contains(['e', '.']) { text } else { text + ".0" }
}

fn join(key: &[Str]) -> String {
    key.iter().map(quoted_key).collect::<Vec<_>>().join(".")
}

fn quoted_key(key: &Str) -> String {
    let text = key.to_text();
    let is_bare = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if is_bare { text.into_owned() } else { quoted(&text) }
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            c if c < ' ' || c == '\u{7f}' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
