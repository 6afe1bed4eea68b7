//! Go's `encoding/json` for values.

use crate::{
    error::FuncError,
    fmt::format_float,
    stack::deep,
    types::Kind,
    value::{Map, Str, Value},
};

type Result<T> = std::result::Result<T, FuncError>;

/// Nesting that is read, as in Go.
const MAX_DEPTH: usize = 10_000;
/// Nesting that is written: a map may contain itself.
const MAX_WRITE_DEPTH: usize = 1_000;
/// Bytes that one call may write.
const MAX_BYTES: usize = 80 << 20;

/// Encodes compactly with HTML escapes, as `json.Marshal`: sorted keys, `<`, `>` and `&` as `\u003c`, ….
pub fn encode(value: &Value) -> Result<Str> {
    Encoder { out: Vec::new(), html: true, indent: false }.run(value)
}

/// Encodes with two spaces of indentation, as `json.MarshalIndent(v, "", "  ")`.
pub fn encode_pretty(value: &Value) -> Result<Str> {
    Encoder { out: Vec::new(), html: true, indent: true }.run(value)
}

/// Encodes compactly without HTML escapes.
pub fn encode_raw(value: &Value) -> Result<Str> {
    Encoder { out: Vec::new(), html: false, indent: false }.run(value)
}

struct Encoder {
    out: Vec<u8>,
    html: bool,
    indent: bool,
}

impl Encoder {
    fn run(mut self, value: &Value) -> Result<Str> {
        self.value(value, 0)?;
        Ok(self.out.into())
    }

    fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn value(&mut self, value: &Value, depth: usize) -> Result<()> {
        if depth > MAX_WRITE_DEPTH || self.out.len() > MAX_BYTES {
            return Err(format!("json: unsupported value: encountered a cycle via {}", value.type_name()).into());
        }
        match value {
            Value::Invalid | Value::Nil => self.raw("null"),
            Value::Bool(b) => self.raw(if *b { "true" } else { "false" }),
            Value::Int(n) | Value::Int64(n) => self.raw(&n.to_string()),
            Value::Int32(n) => self.raw(&n.to_string()),
            Value::Uint8(n) => self.raw(&n.to_string()),
            Value::Uint64(n) => self.raw(&n.to_string()),
            Value::Duration(d) => self.raw(&d.0.to_string()),
            Value::Float(f) if !f.is_finite() => {
                return Err(format!("json: unsupported value: {}", format_float(*f, 'g', None)).into());
            }
            Value::Float(f) => self.raw(&number(*f)),
            Value::Str(text) => self.string(text),
            Value::Bytes(bytes) => self.raw(&format!("\"{}\"", super::encoding::base64_text(bytes))),
            Value::Time(time) => self.string(&time.rfc3339_nano().into()),
            Value::List(_) | Value::Map(_) | Value::Native(_) => deep(|| self.container(value, depth))?,
            Value::Complex(..) | Value::Func(_) => {
                return Err(format!("json: unsupported type: {}", value.type_name()).into());
            }
        }
        Ok(())
    }

    fn container(&mut self, value: &Value, depth: usize) -> Result<()> {
        match value {
            Value::List(list) if list.is_nil() => self.raw("null"),
            Value::Map(map) if map.is_nil() => self.raw("null"),
            Value::List(list) => self.items(list.items().iter(), depth)?,
            Value::Map(map) => self.members(&map.entries(), depth)?,
            Value::Native(object) if object.marshal().is_some() => {
                self.value(&object.marshal().unwrap_or(Value::Nil), depth + 1)?;
            }
            Value::Native(object) => match object.entries() {
                Some(entries) if object.kind() == Kind::Slice => {
                    self.items(entries.iter().map(|(_, item)| item), depth)?
                }
                Some(entries) => {
                    let pairs: Vec<(Str, Value)> =
                        entries.into_iter().filter_map(|(key, item)| Some((key.as_str()?.clone(), item))).collect();
                    self.members(&pairs, depth)?;
                }
                None => {
                    let pairs: Vec<(Str, Value)> =
                        object.fields().into_iter().map(|(key, item)| (key.into(), item)).collect();
                    self.members(&pairs, depth)?;
                }
            },
            _ => {}
        }
        Ok(())
    }

    fn items<'v>(&mut self, items: impl ExactSizeIterator<Item = &'v Value>, depth: usize) -> Result<()> {
        let empty = items.len() == 0;
        self.raw("[");
        for (i, item) in items.enumerate() {
            self.separate(i, depth + 1);
            self.value(item, depth + 1)?;
        }
        self.close(empty, "]", depth);
        Ok(())
    }

    fn members(&mut self, pairs: &[(Str, Value)], depth: usize) -> Result<()> {
        self.raw("{");
        for (i, (key, item)) in pairs.iter().enumerate() {
            self.separate(i, depth + 1);
            self.string(key);
            self.raw(if self.indent { ": " } else { ":" });
            self.value(item, depth + 1)?;
        }
        self.close(pairs.is_empty(), "}", depth);
        Ok(())
    }

    fn separate(&mut self, i: usize, depth: usize) {
        if i > 0 {
            self.raw(",");
        }
        self.newline(depth);
    }

    fn close(&mut self, empty: bool, bracket: &str, depth: usize) {
        if !empty {
            self.newline(depth);
        }
        self.raw(bracket);
    }

    fn newline(&mut self, depth: usize) {
        if self.indent {
            self.raw("\n");
            self.out.resize(self.out.len() + 2 * depth, b' ');
        }
    }

    fn string(&mut self, text: &Str) {
        self.raw("\"");
        for chunk in text.as_bytes().utf8_chunks() {
            chunk.valid().chars().for_each(|c| self.character(c));
            chunk.invalid().iter().for_each(|_| self.raw("\\ufffd"));
        }
        self.raw("\"");
    }

    fn character(&mut self, c: char) {
        match c {
            '"' => self.raw("\\\""),
            '\\' => self.raw("\\\\"),
            '\n' => self.raw("\\n"),
            '\r' => self.raw("\\r"),
            '\t' => self.raw("\\t"),
            '\u{8}' => self.raw("\\b"),
            '\u{c}' => self.raw("\\f"),
            '<' | '>' | '&' if self.html => self.raw(&format!("\\u{:04x}", u32::from(c))),
            '\u{2028}' | '\u{2029}' => self.raw(&format!("\\u{:04x}", u32::from(c))),
            c if c < ' ' => self.raw(&format!("\\u{:04x}", u32::from(c))),
            c => self.raw(c.encode_utf8(&mut [0; 4])),
        }
    }
}

/// Writes a float as Go's JSON does: an exponent below 1e-6 and from 1e21 on.
pub(crate) fn number(f: f64) -> String {
    let abs = f.abs();
    if abs != 0.0 && !(1e-6..1e21).contains(&abs) {
        let text = format_float(f, 'e', None);
        return text.replace("e-0", "e-");
    }
    format_float(f, 'f', None)
}

/// Decodes JSON into `interface{}` values: numbers are `float64`. Errors have Go's texts.
pub fn decode(text: &Str) -> Result<Value> {
    let mut decoder = Decoder { bytes: text.as_bytes(), at: 0 };
    decoder.space();
    let value = decoder.value("looking for beginning of value", 0)?;
    decoder.space();
    match decoder.peek() {
        None => Ok(value),
        Some(_) => decoder.invalid("after top-level value"),
    }
}

/// How the contexts begin in which a blank is an error.
const IN_LITERALS: [&str; 6] =
    ["in literal", "in numeric literal", "after decimal point", "in exponent", "in string escape", "in \\u"];

struct Decoder<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl Decoder<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn invalid<T>(&self, context: &str) -> Result<T> {
        // At its end Go's scanner is given a blank, which is wrong inside a literal.
        let blank = (self.at > 0 && IN_LITERALS.iter().any(|words| context.starts_with(words))).then_some(b' ');
        match self.peek().or(blank) {
            None => Err("unexpected end of JSON input".into()),
            Some(byte) => {
                let shown = match byte {
                    b'\'' => "'\\''".to_owned(),
                    b'"' => "'\"'".to_owned(),
                    byte => {
                        let mut text = Vec::new();
                        crate::fmt::quote_with(&mut text, char::from(byte).to_string().as_bytes(), b'\'', false);
                        String::from_utf8_lossy(&text).into_owned()
                    }
                };
                Err(format!("invalid character {shown} {context}").into())
            }
        }
    }

    fn value(&mut self, context: &str, depth: usize) -> Result<Value> {
        if depth > MAX_DEPTH {
            return Err("exceeded max depth".into());
        }
        match self.peek() {
            Some(b'{') => deep(|| self.object(depth)),
            Some(b'[') => deep(|| self.array(depth)),
            Some(b'"') => self.string().map(Value::Str),
            Some(b't') => self.literal("true", Value::Bool(true)),
            Some(b'f') => self.literal("false", Value::Bool(false)),
            Some(b'n') => self.literal("null", Value::Nil),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.invalid(context),
        }
    }

    fn literal(&mut self, word: &str, value: Value) -> Result<Value> {
        for (i, byte) in word.bytes().enumerate() {
            if self.peek() != Some(byte) {
                return self.invalid(&format!("in literal {word} (expecting '{}')", char::from(word.as_bytes()[i])));
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn object(&mut self, depth: usize) -> Result<Value> {
        self.at += 1;
        self.space();
        let map = Map::new();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Map(map));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return self.invalid("looking for beginning of object key string");
            }
            let key = self.string()?;
            self.space();
            if self.peek() != Some(b':') {
                return self.invalid("after object key");
            }
            self.at += 1;
            self.space();
            let value = self.value("looking for beginning of value", depth + 1)?;
            map.insert(key, value);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Value::Map(map));
                }
                _ => return self.invalid("after object key:value pair"),
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value> {
        self.at += 1;
        self.space();
        let mut items = Vec::new();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::list(items));
        }
        loop {
            self.space();
            items.push(self.value("looking for beginning of value", depth + 1)?);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::list(items));
                }
                _ => return self.invalid("after array element"),
            }
        }
    }

    fn digits(&mut self, context: &str) -> Result<()> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return self.invalid(context);
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Value> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits("in numeric literal")?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits("after decimal point in numeric literal")?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits("in exponent of numeric literal")?;
        }
        let text = std::str::from_utf8(&self.bytes[start..self.at]).unwrap_or_default();
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Value::Float(value)),
            _ => Err(format!("json: cannot unmarshal number {text} into Go value of type float64").into()),
        }
    }

    fn string(&mut self) -> Result<Str> {
        self.at += 1;
        let mut out = Vec::new();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(super::encoding::valid_text(&out).into());
                }
                Some(b'\\') => self.escape(&mut out)?,
                Some(0..0x20) | None => return self.invalid("in string literal"),
                Some(byte) => {
                    out.push(byte);
                    self.at += 1;
                }
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<()> {
        self.at += 1;
        let plain = match self.peek() {
            Some(c @ (b'"' | b'\\' | b'/')) => c,
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => return self.unicode(out),
            _ => return self.invalid("in string escape code"),
        };
        self.at += 1;
        out.push(plain);
        Ok(())
    }

    fn unicode(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let mut code = self.hex4()?;
        if (0xd800..0xdc00).contains(&code) && self.bytes[self.at..].starts_with(b"\\u") {
            let back = self.at;
            self.at += 1;
            let low = self.hex4()?;
            if (0xdc00..0xe000).contains(&low) {
                code = 0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00);
            } else {
                self.at = back;
            }
        }
        let c = char::from_u32(code).unwrap_or('\u{fffd}');
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }

    fn hex4(&mut self) -> Result<u32> {
        self.at += 1;
        let mut code = 0;
        for _ in 0..4 {
            match self.peek().and_then(|b| char::from(b).to_digit(16)) {
                Some(digit) => code = code * 16 + digit,
                None => return self.invalid("in \\u hexadecimal character escape"),
            }
            self.at += 1;
        }
        Ok(code)
    }
}
