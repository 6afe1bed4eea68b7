//! The grammar of `--set`, `--set-string`, `--set-json`, `--set-file` and `--set-literal` (Helm's strvals).

use lockstep_gotmpl::{Map, Str, Value};

use crate::{metadata::quote, plain::Plain};

const MAX_INDEX: i64 = 65_536;
const MAX_NESTED_NAMES: usize = 30;

/// How the text after `=` becomes a value.
pub(crate) enum Mode {
    /// `--set`: booleans, null, integers and lists are recognised.
    Typed,
    /// `--set-string`: lists are recognised, items are strings.
    Text,
    /// `--set-json`.
    Json,
    /// `--set-file`: the content of the file stands for every value.
    File(Str),
    /// `--set-literal`: no escapes, no commas, no lists.
    Literal,
}

/// Applies one expression to `values`. An error is Helm's text; what was set before it stays.
pub(crate) fn apply(text: &str, mode: &Mode, values: &Map) -> Result<(), String> {
    let mut parser = Parser { chars: text.chars().collect(), at: 0, mode };
    loop {
        match parser.key(values, 0) {
            Ok(()) => {}
            Err(Stop::End) => return Ok(()),
            Err(Stop::Panic(message)) => return Err(format!("unable to parse key: {message}")),
            Err(Stop::Error(message)) => return Err(message),
        }
    }
}

/// Why reading stopped.
enum Stop {
    /// The text is at its end.
    End,
    Error(String),
    /// What Go's parser panics with and recovers from.
    Panic(String),
}

impl Stop {
    fn error<T>(message: impl Into<String>) -> Result<T, Self> {
        Err(Self::Error(message.into()))
    }
}

type List = (Vec<Value>, Result<(), Stop>);

struct Parser<'a> {
    chars: Vec<char>,
    at: usize,
    mode: &'a Mode,
}

impl Parser<'_> {
    fn key(&mut self, data: &Map, level: usize) -> Result<(), Stop> {
        let stops: &[char] = if matches!(self.mode, Mode::Literal) { &['=', '[', '.'] } else { &['=', '[', ',', '.'] };
        let (key, last) = self.until(stops);
        match last {
            None if key.is_empty() => Err(Stop::End),
            None => Stop::error(format!("key {} has no value", quote(&key))),
            Some('[') => self.list_key(data, &key, level),
            Some('=') => self.value_key(data, &key),
            Some(',') => {
                set(data, &key, Value::from(""));
                Stop::error(format!("key {} has no value (cannot end with ,)", quote(&key)))
            }
            Some(_) => self.map_key(data, &key, level + 1),
        }
    }

    fn list_key(&mut self, data: &Map, key: &str, level: usize) -> Result<(), Stop> {
        let index = self.index()?;
        let list = match data.get(key) {
            None => Vec::new(),
            Some(value) => as_list(&value)?,
        };
        let (list, result) = self.item(list, index, level);
        set(data, key, Value::list(list));
        result
    }

    fn map_key(&mut self, data: &Map, key: &str, level: usize) -> Result<(), Stop> {
        if level > MAX_NESTED_NAMES {
            return Stop::error(format!(
                "value name nested level is greater than maximum supported nested level of {MAX_NESTED_NAMES}"
            ));
        }
        let inner = match data.get(key) {
            None => Map::new(),
            Some(Value::Map(map)) => map,
            Some(other) => return Err(conversion(&other, "map[string]interface {}")),
        };
        // Go's inner call recovers its own panic, so that here it is an error like others.
        let result = self.key(&inner, level).map_err(|stop| match stop {
            Stop::Panic(message) => Stop::Error(format!("unable to parse key: {message}")),
            other => other,
        });
        if result.is_ok() && inner.is_empty() {
            return Stop::error(format!("key map {} has no value", quote(key)));
        }
        if !inner.is_empty() {
            set(data, key, Value::Map(inner));
        }
        result
    }

    fn value_key(&mut self, data: &Map, key: &str) -> Result<(), Stop> {
        match self.mode {
            Mode::Literal => {
                set(data, key, Value::from(self.rest()));
                Ok(())
            }
            Mode::Json => {
                let value = self.json()?;
                set(data, key, value);
                self.skip_empty();
                Ok(())
            }
            _ if self.at == self.chars.len() => {
                set(data, key, Value::from(""));
                Err(Stop::End)
            }
            _ => {
                let value = self.value()?;
                set(data, key, value);
                Ok(())
            }
        }
    }

    /// Reads what follows `[index]` and puts it into the list.
    fn item(&mut self, mut list: Vec<Value>, index: i64, level: usize) -> List {
        if index < 0 {
            return (list, Stop::error(format!("negative {index} index not allowed")));
        }
        let (data, last) = self.until(&['[', '.', '=']);
        if !data.is_empty() {
            let message = format!("unexpected data at end of array index: {}", quote(&data));
            return (list, Stop::error(message));
        }
        let at = usize::try_from(index).unwrap_or(usize::MAX);
        match last {
            None => (list, Err(Stop::End)),
            Some('=') => self.item_value(list, index),
            Some('[') => {
                let inner = self.index().and_then(|next| match list.get(at) {
                    None | Some(Value::Nil) => Ok((Vec::new(), next)),
                    Some(value) => Ok((as_list(value)?, next)),
                });
                match inner.map(|(inner, next)| self.item(inner, next, level)) {
                    Ok((inner, Ok(()))) => set_index(list, index, Value::list(inner)),
                    Ok((_, Err(stop))) | Err(stop) => (list, Err(stop)),
                }
            }
            Some(_) => {
                let inner = match list.get_mut(at) {
                    None => Map::new(),
                    Some(Value::Map(map)) => map.clone(),
                    Some(other) => {
                        let map = Map::new();
                        *other = Value::Map(map.clone());
                        map
                    }
                };
                match self.key(&inner, level) {
                    Ok(()) => set_index(list, index, Value::Map(inner)),
                    Err(Stop::Panic(message)) => (list, Stop::error(format!("unable to parse key: {message}"))),
                    Err(stop) => (list, Err(stop)),
                }
            }
        }
    }

    fn item_value(&mut self, list: Vec<Value>, index: i64) -> List {
        let value = match self.mode {
            Mode::Literal => Ok(Value::from(self.rest())),
            Mode::Json => self.json(),
            _ if self.at == self.chars.len() => Ok(Value::from("")),
            _ => self.value(),
        };
        match value {
            Ok(value) => {
                let (list, result) = set_index(list, index, value);
                if result.is_ok() && matches!(self.mode, Mode::Json) {
                    self.skip_empty();
                }
                (list, result)
            }
            Err(stop) => (list, Err(stop)),
        }
    }

    /// Reads a value or a list in braces. There is at least one character.
    fn value(&mut self) -> Result<Value, Stop> {
        if self.chars.get(self.at) != Some(&'{') {
            let (text, _) = self.until(&[',']);
            return Ok(self.scalar(&text));
        }
        self.at += 1;
        let mut items = Vec::new();
        loop {
            let (text, last) = self.until(&[',', '}']);
            match last {
                None => return Stop::error("list must terminate with '}'"),
                Some('}') => {
                    self.at += usize::from(self.chars.get(self.at) == Some(&','));
                    items.push(self.scalar(&text));
                    return Ok(Value::list(items));
                }
                Some(_) => items.push(self.scalar(&text)),
            }
        }
    }

    fn scalar(&self, text: &str) -> Value {
        match self.mode {
            Mode::File(content) => Value::Str(content.clone()),
            Mode::Typed => typed(text),
            _ => Value::from(text),
        }
    }

    /// Reads one JSON value and leaves what follows it; nothing at all is null.
    fn json(&mut self) -> Result<Value, Stop> {
        if self.skip_empty() {
            return Ok(Value::Nil);
        }
        let text: String = self.chars[self.at..].iter().collect();
        let mut stream = serde_json::Deserializer::from_str(&text).into_iter::<serde_json::Value>();
        match stream.next() {
            Some(Ok(value)) => {
                self.at += text[..stream.byte_offset()].chars().count();
                Ok(Plain::from_json(&value).to_value())
            }
            Some(Err(error)) => Stop::error(error.to_string()),
            None => Err(Stop::End),
        }
    }

    /// Skips blanks; tells whether a comma (skipped too) or the end follows.
    fn skip_empty(&mut self) -> bool {
        while self.chars.get(self.at).is_some_and(|c| c.is_whitespace()) {
            self.at += 1;
        }
        match self.chars.get(self.at) {
            None => true,
            Some(',') => {
                self.at += 1;
                true
            }
            Some(_) => false,
        }
    }

    fn index(&mut self) -> Result<i64, Stop> {
        let (text, last) = self.until(&[']']);
        if last.is_none() {
            return Err(Stop::End);
        }
        let digits = text.strip_prefix(['-', '+']).unwrap_or(&text);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            let message = format!("error parsing index: strconv.Atoi: parsing {}: invalid syntax", quote(&text));
            return Stop::error(message);
        }
        text.parse().or_else(|_| {
            Stop::error(format!("error parsing index: strconv.Atoi: parsing {}: value out of range", quote(&text)))
        })
    }

    /// Reads up to one of `stops`, which is consumed; `None` at the end of the text.
    fn until(&mut self, stops: &[char]) -> (String, Option<char>) {
        let escapes = !matches!(self.mode, Mode::Literal);
        let mut text = String::new();
        while let Some(&c) = self.chars.get(self.at) {
            self.at += 1;
            if stops.contains(&c) {
                return (text, Some(c));
            }
            if c == '\\' && escapes {
                let Some(&next) = self.chars.get(self.at) else { break };
                self.at += 1;
                text.push(next);
            } else {
                text.push(c);
            }
        }
        (text, None)
    }

    fn rest(&mut self) -> String {
        let text = self.chars[self.at..].iter().collect();
        self.at = self.chars.len();
        text
    }
}

fn typed(text: &str) -> Value {
    if text.eq_ignore_ascii_case("true") {
        return Value::Bool(true);
    }
    if text.eq_ignore_ascii_case("false") {
        return Value::Bool(false);
    }
    if text.eq_ignore_ascii_case("null") {
        return Value::Nil;
    }
    if text == "0" {
        return Value::Int64(0);
    }
    match text.parse() {
        Ok(number) if !text.starts_with('0') => Value::Int64(number),
        _ => Value::from(text),
    }
}

fn set(data: &Map, key: &str, value: Value) {
    if !key.is_empty() {
        data.insert(key, value);
    }
}

fn set_index(mut list: Vec<Value>, index: i64, value: Value) -> List {
    if index < 0 {
        return (list, Stop::error(format!("negative {index} index not allowed")));
    }
    if index > MAX_INDEX {
        let message = format!("index of {index} is greater than maximum supported index of {MAX_INDEX}");
        return (list, Stop::error(message));
    }
    let at = usize::try_from(index).unwrap_or(0);
    if list.len() <= at {
        list.resize(at + 1, Value::Nil);
    }
    list[at] = value;
    (list, Ok(()))
}

fn as_list(value: &Value) -> Result<Vec<Value>, Stop> {
    match value {
        Value::List(list) => Ok(list.items().to_vec()),
        other => Err(conversion(other, "[]interface {}")),
    }
}

fn conversion(value: &Value, wanted: &str) -> Stop {
    let got = if value.is_nil() { "nil".into() } else { value.type_name() };
    Stop::Panic(format!("interface conversion: interface {{}} is {got}, not {wanted}"))
}
