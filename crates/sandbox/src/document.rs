//! Bodies: JSON and YAML with what strict decoding must know (duplicate keys and where they stood).

use std::fmt;

use lockstep_object::{Key, Map, Text, Value, yaml};
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};

use crate::status::{Failure, Outcome};

/// A parsed body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Document {
    pub(crate) value: Value,
    /// Keys that stood twice in one map.
    pub(crate) duplicates: Vec<Duplicate>,
    /// Duplicate keys as the YAML parser words them, one text for all.
    pub(crate) yaml_error: Option<String>,
}

/// A key that stood twice.
#[derive(Clone, Debug)]
pub(crate) struct Duplicate {
    /// The path of the map, as `spec.ports[0]`, empty for the root.
    pub(crate) parent: String,
    /// How many different keys the map had before.
    pub(crate) after: usize,
    pub(crate) key: String,
}

/// Nesting beyond this is refused; Go allows 10,000, no object has more than a few dozen.
const DEPTH: usize = 500;

impl Document {
    /// Reads JSON; the error is the parser's text.
    pub(crate) fn json(bytes: &[u8]) -> Result<Self, String> {
        let fixed = without_lone_surrogates(bytes);
        let mut duplicates = Vec::new();
        let mut path = Vec::new();
        let mut deserializer = serde_json::Deserializer::from_slice(&fixed);
        let seed = Node { duplicates: &mut duplicates, path: &mut path };
        let value = seed.deserialize(&mut deserializer).map_err(|error| go_error(&fixed, &error))?;
        deserializer.end().map_err(|error| go_error(&fixed, &error))?;
        Ok(Self { value, duplicates, yaml_error: None })
    }

    /// Reads the first document of a YAML text.
    pub(crate) fn yaml(bytes: &[u8]) -> Outcome<Self> {
        let text = std::str::from_utf8(bytes).map_err(|_| Failure::bad_request("yaml: invalid leading UTF-8 octet"))?;
        let value = yaml::parse(text)
            .map_err(|error| Failure::bad_request(format!("error converting YAML to JSON: {}", error.message)))?;
        let strict = yaml::parse_all("", text, yaml::Options { strict: true });
        let yaml_error = strict.err().map(|error| error.message.clone());
        Ok(Self { value, duplicates: Vec::new(), yaml_error })
    }
}

struct Node<'a> {
    duplicates: &'a mut Vec<Duplicate>,
    path: &'a mut Vec<Part>,
}

enum Part {
    Field(Key),
    Index(usize),
}

fn path_text(path: &[Part]) -> String {
    let mut text = String::new();
    for part in path {
        match part {
            Part::Field(key) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(key);
            }
            Part::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.path.len() > DEPTH {
            return Err(serde::de::Error::custom("exceeded max depth"));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(truth.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(Text::from(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        loop {
            self.path.push(Part::Index(items.len()));
            let item = sequence.next_element_seed(Node { duplicates: self.duplicates, path: self.path })?;
            self.path.pop();
            match item {
                Some(item) => items.push(item),
                None => return Ok(Value::List(items.into())),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut entries: Vec<(Key, Value)> = Vec::new();
        let mut places = std::collections::HashMap::new();
        while let Some(key) = access.next_key::<Key>()? {
            self.path.push(Part::Field(key.clone()));
            let value = access.next_value_seed(Node { duplicates: self.duplicates, path: self.path })?;
            self.path.pop();
            match find(&entries, &mut places, &key) {
                Some(place) => {
                    // Go decodes the second value into what the first one left.
                    entries[place].1 = merged(std::mem::take(&mut entries[place].1), value);
                    let parent = path_text(self.path);
                    self.duplicates.push(Duplicate { parent, after: entries.len(), key: key.to_string() });
                }
                None => entries.push((key, value)),
            }
        }
        Ok(Value::Map(Map::from_unique(entries)))
    }
}

fn merged(first: Value, second: Value) -> Value {
    match (first, second) {
        (Value::Map(mut first), Value::Map(second)) => {
            for (key, value) in second.into_entries() {
                let known = first.get_mut(&key).map(std::mem::take).unwrap_or_default();
                first.insert(key, merged(known, value));
            }
            Value::Map(first)
        }
        (_, second) => second,
    }
}

/// Finds a key among the entries; beyond a few dozen with an index.
fn find(entries: &[(Key, Value)], places: &mut std::collections::HashMap<Key, usize>, key: &Key) -> Option<usize> {
    if entries.len() < 32 {
        return entries.iter().position(|(known, _)| known == key);
    }
    let known = places.len();
    for (place, (entry, _)) in entries.iter().enumerate().skip(known) {
        places.insert(entry.clone(), place);
    }
    places.get(key).copied()
}

/// Words a JSON error as Go does, for the errors that people meet.
fn go_error(bytes: &[u8], error: &serde_json::Error) -> String {
    if error.is_eof() {
        return "unexpected end of JSON input".to_owned();
    }
    let text = String::from_utf8_lossy(bytes);
    let line = text.split('\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    let c = line.chars().nth(error.column().saturating_sub(1)).unwrap_or(' ');
    let shown = if c == '\'' { "'\\''".to_owned() } else { format!("'{c}'") };
    let words = error.to_string();
    let place = if words.contains("expected value") || words.contains("expected ident") {
        "looking for beginning of value"
    } else if words.contains("trailing comma") || words.contains("key must be a string") {
        "looking for beginning of object key string"
    } else if words.contains("trailing characters") {
        "after top-level value"
    } else if words.contains("expected `:`") {
        "after object key"
    } else if words.contains("expected `,` or `}`") {
        "after object key:value pair"
    } else if words.contains("expected `,` or `]`") {
        "after array element"
    } else if words.contains("control character") {
        "in string literal"
    } else {
        return words;
    };
    format!("invalid character {shown} {place}")
}

/// Go reads an escaped half of a surrogate pair as U+FFFD; our parser would refuse it.
fn without_lone_surrogates(bytes: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    if !bytes.contains(&b'\\') || !bytes.windows(3).any(|part| matches!(part, [b'\\', b'u', b'd' | b'D'])) {
        return bytes.into();
    }
    let unit = |at: usize| -> Option<u32> {
        let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let mut out = Vec::with_capacity(bytes.len());
    let mut place = 0;
    while place < bytes.len() {
        if bytes[place] != b'\\' {
            out.push(bytes[place]);
            place += 1;
            continue;
        }
        match (unit(place), unit(place + 6)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => {
                out.extend_from_slice(&bytes[place..place + 12]);
                place += 12;
            }
            (Some(0xD800..=0xDFFF), _) => {
                out.extend_from_slice(b"\\ufffd");
                place += 6;
            }
            _ => {
                out.extend_from_slice(&bytes[place..(place + 2).min(bytes.len())]);
                place += 2;
            }
        }
    }
    out.into()
}
