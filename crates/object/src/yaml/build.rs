//! Builds values straight from the events, with yaml.v2's anchors, merges and complaints.

use std::borrow::Cow;

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use hashbrown::{HashMap, HashSet};

use super::{
    Document, MAX_DEPTH, Options,
    events::{Event, Events, Failure, Mark, Scalar},
    float,
    resolve::{Resolved, resolve, resolve_plain},
};
use crate::{Diagnostic, Key, List, Map, Place, Value};

/// The documents of a text, one after the other.
pub(super) struct Documents<'t> {
    file: &'t str,
    events: Events<'t>,
    strict: bool,
}

impl<'t> Documents<'t> {
    pub fn new(file: &'t str, text: &'t str, options: Options) -> Self {
        Self { file, events: Events::new(text), strict: options.strict }
    }

    /// Reads the next document, none at the end.
    pub fn next_document(&mut self) -> Result<Option<Document>, Box<Diagnostic>> {
        let file = self.file;
        let syntax = |failure: Failure| {
            Box::new(Diagnostic::error(place(file, failure.mark), format!("yaml: {}", failure.message)))
        };
        let mut builder = Builder::new(self.strict);
        let read = match self.events.next().map_err(syntax)? {
            (Event::DocumentStart, _) => builder.document(&mut self.events).map_err(syntax)?,
            _ => return Ok(None),
        };
        if let Some((mark, message)) = builder.complaints.first() {
            return Err(Box::new(Diagnostic::error(place(file, mark), message)));
        }
        let (value, mark) = read;
        Ok(Some(Document { value, place: place(file, mark) }))
    }
}

/// Turns a mark that counts from 0 into a place that counts from 1.
pub(super) fn place(file: &str, mark: Mark) -> Place {
    Place { file: file.to_owned(), line: mark.line.saturating_add(1), column: mark.column.saturating_add(1) }
}

/// So many duplicate keys are told of; Go tells of all, and its message may be larger than the document.
const MAX_DUPLICATES: usize = 1000;

/// What is wrong with a document that has no syntax errors. Go finds these in stages, and an earlier stage hides the later.
#[derive(Default)]
struct Complaints {
    /// A node that cannot be decoded.
    decode: Option<(Mark, String)>,
    /// Duplicate keys, if they are errors.
    duplicates: Vec<(Mark, String)>,
    /// A value that JSON does not have.
    convert: Option<(Mark, String)>,
}

impl Complaints {
    fn decode(&mut self, mark: Mark, message: impl FnOnce() -> String) {
        self.decode.get_or_insert_with(|| (mark, message()));
    }

    fn first(&self) -> Option<(Mark, String)> {
        if let Some((mark, message)) = &self.decode {
            return Some((*mark, format!("yaml: {message}")));
        }
        if let Some((mark, _)) = self.duplicates.first() {
            let lines: Vec<String> = self.duplicates.iter().map(|(_, line)| format!("\n  {line}")).collect();
            return Some((*mark, format!("yaml: unmarshal errors:{}", lines.concat())));
        }
        self.convert.clone()
    }
}

/// A node that is read, with what a merge must know.
struct Node {
    value: Value,
    /// The type of a scalar as Go sees it, for keys.
    kind: Kind,
    /// The entries in the order they were set; only kept when duplicates are errors.
    set: Set,
}

/// The keys that a map sets in their order, with the places of their values.
type Set = Option<Box<Vec<(TypedKey, Mark)>>>;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Kind {
    Null,
    Bool,
    Int,
    UInt,
    Float,
    Text,
    List,
    Map,
}

/// A key that Go tells from another: the number 1 is not the text "1".
#[derive(Clone, PartialEq, Eq, Hash)]
struct TypedKey(Kind, Key);

/// A key on its way into a map.
enum MapKey {
    Known(TypedKey),
    /// JSON cannot have it; these are Go's words for it.
    Unsupported(String),
    /// What is wrong was told.
    Invalid,
}

struct Anchored {
    node: Option<Node>,
    /// How many nodes are decoded when it is referred to.
    size: u64,
    duplicates: Vec<(Mark, String)>,
}

pub(super) struct Builder<'t> {
    strict: bool,
    anchors: HashMap<Cow<'t, str>, Anchored>,
    complaints: Complaints,
    /// The items of the lists that are being read, the innermost last: one allocation serves all.
    items: Vec<Value>,
    /// The entries of the maps that are being read.
    entries: Vec<(Key, Value)>,
    decoded: u64,
    aliased: u64,
}

impl<'t> Builder<'t> {
    pub fn new(strict: bool) -> Self {
        Self {
            strict,
            anchors: HashMap::new(),
            complaints: Complaints::default(),
            items: Vec::new(),
            entries: Vec::new(),
            decoded: 0,
            aliased: 0,
        }
    }

    /// Reads a document whose start was read.
    fn document(&mut self, events: &mut Events<'t>) -> Result<(Value, Mark), Failure> {
        let (event, mark) = events.next()?;
        let node = self.node(events, event, mark, 0)?;
        events.next()?;
        Ok((self.for_json(node.value, mark), mark))
    }

    /// Reads one node below the root of a document that is skimmed; none if it stands not for itself, or is wrong.
    pub fn whole(&mut self, events: &mut Events<'t>, event: Event<'t>, mark: Mark) -> Option<Value> {
        let node = self.node(events, event, mark, 1).ok()?;
        let value = self.for_json(node.value, mark);
        (self.anchors.is_empty() && self.complaints.first().is_none()).then_some(value)
    }

    fn node(&mut self, events: &mut Events<'t>, event: Event<'t>, mark: Mark, depth: usize) -> Result<Node, Failure> {
        if depth > MAX_DEPTH {
            return Err(Failure {
                message: format!("line {}: exceeded max depth of {MAX_DEPTH}", mark.line + 1),
                mark,
            });
        }
        self.decoded = self.decoded.saturating_add(1);
        self.check_aliasing(mark);
        let (decoded, duplicates) = (self.decoded, self.complaints.duplicates.len());
        let (anchor, node) = match event {
            Event::Scalar(scalar) => {
                let node = self.scalar(&scalar, mark);
                (scalar.properties.and_then(|properties| properties.anchor), node)
            }
            Event::Alias(name) => return self.alias(&name, mark),
            Event::ListStart(properties) => {
                let anchor = properties.and_then(|properties| properties.anchor);
                self.announce(anchor.as_ref());
                (anchor, self.list(events, depth)?)
            }
            Event::MapStart(properties) => {
                let anchor = properties.and_then(|properties| properties.anchor);
                self.announce(anchor.as_ref());
                (anchor, self.map(events, depth)?)
            }
            // Nothing else stands where a node is expected.
            Event::DocumentStart | Event::DocumentEnd | Event::StreamEnd | Event::ListEnd | Event::MapEnd => {
                (None, Node::null())
            }
        };
        if let Some(anchor) = anchor {
            let size = self.decoded - decoded + 1;
            let duplicates = self.complaints.duplicates[duplicates..].to_vec();
            self.anchors.insert(anchor, Anchored { node: Some(node.share()), size, duplicates });
        }
        Ok(node)
    }

    /// Makes an anchor known before its node is complete.
    fn announce(&mut self, anchor: Option<&Cow<'t, str>>) {
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor.clone(), Anchored { node: None, size: 0, duplicates: Vec::new() });
        }
    }

    fn alias(&mut self, name: &str, mark: Mark) -> Result<Node, Failure> {
        let size = match self.anchors.get(name) {
            None => return Err(Failure { message: format!("unknown anchor '{name}' referenced"), mark }),
            Some(Anchored { node: None, .. }) => {
                self.complaints.decode(mark, || format!("anchor '{name}' value contains itself"));
                0
            }
            Some(anchored) => anchored.size,
        };
        self.decoded = self.decoded.saturating_add(size);
        self.aliased = self.aliased.saturating_add(size);
        self.check_aliasing(mark);
        // A refused document is only read on for its syntax; to go on copying would cost what the limit saves.
        match self.anchors.get(name) {
            Some(Anchored { node: Some(node), duplicates, .. }) if self.complaints.decode.is_none() => {
                self.complaints.duplicates.extend_from_slice(duplicates);
                Ok(node.share())
            }
            _ => Ok(Node::null()),
        }
    }

    /// Holds the share of nodes that come from aliases below Go's limit: 99 % in small documents, 10 % in large ones.
    fn check_aliasing(&mut self, mark: Mark) {
        const LOW: f64 = 400_000.0;
        const HIGH: f64 = 4_000_000.0;
        if self.aliased <= 100 || self.decoded <= 1000 {
            return;
        }
        let decoded = self.decoded as f64;
        let allowed = 0.99 - 0.89 * ((decoded - LOW) / (HIGH - LOW)).clamp(0.0, 1.0);
        if self.aliased as f64 / decoded > allowed {
            self.complaints.decode(mark, || "document contains excessive aliasing".to_owned());
        }
    }

    fn scalar(&mut self, scalar: &Scalar, mark: Mark) -> Node {
        let tag = scalar.properties.as_ref().and_then(|properties| properties.tag.as_deref());
        let resolved = match tag {
            None if scalar.implicit => resolve_plain(&scalar.value, true),
            None => Resolved::Text(&scalar.value),
            Some(tag) => resolve(tag, &scalar.value).unwrap_or_else(|message| {
                self.complaints.decode(mark, || message);
                Resolved::Null
            }),
        };
        let (kind, value) = match resolved {
            Resolved::Null => (Kind::Null, Value::Null),
            Resolved::Bool(truth) => (Kind::Bool, truth.into()),
            Resolved::Int(number) => (Kind::Int, number.into()),
            Resolved::UInt(number) => (Kind::UInt, number.into()),
            Resolved::Float(number) => (Kind::Float, Value::Float(number)),
            Resolved::Text(text) | Resolved::Timestamp(text) => (Kind::Text, text.into()),
            Resolved::Binary(text) => (Kind::Text, self.binary(text, mark)),
        };
        Node { value, kind, set: None }
    }

    fn binary(&mut self, text: &str, mark: Mark) -> Value {
        let config = GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(DecodePaddingMode::RequireCanonical);
        let text: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
        match GeneralPurpose::new(&alphabet::STANDARD, config).decode(text) {
            Ok(bytes) => as_json_text(&bytes).into(),
            Err(_) => {
                self.complaints.decode(mark, || "!!binary value contains invalid base64 data".to_owned());
                Value::Null
            }
        }
    }

    fn list(&mut self, events: &mut Events<'t>, depth: usize) -> Result<Node, Failure> {
        let start = self.items.len();
        loop {
            let (event, mark) = events.next()?;
            if matches!(event, Event::ListEnd) {
                let items: List = self.items.drain(start..).collect();
                return Ok(Node { value: items.into(), kind: Kind::List, set: None });
            }
            let node = self.node(events, event, mark, depth + 1)?;
            let item = self.for_json(node.value, mark);
            self.items.push(item);
        }
    }

    fn map(&mut self, events: &mut Events<'t>, depth: usize) -> Result<Node, Failure> {
        let start = self.entries.len();
        let mut seen = Seen::default();
        loop {
            let (event, key_mark) = events.next()?;
            if matches!(event, Event::MapEnd) {
                let map: Map = self.entries.drain(start..).collect();
                return Ok(Node { value: map.into(), kind: Kind::Map, set: seen.set });
            }
            if is_merge(&event) {
                // Even this key can be referred to.
                self.node(events, event, key_mark, depth + 1)?;
                self.merge(events, &mut seen, depth)?;
                continue;
            }
            let key = self.key(events, event, key_mark, depth)?;
            let (event, mark) = events.next()?;
            let node = self.node(events, event, mark, depth + 1)?;
            let value = self.for_json(node.value, mark);
            let key = match key {
                MapKey::Known(key) => key,
                MapKey::Unsupported(key) => {
                    self.complaints.convert.get_or_insert_with(|| {
                        let value = if value.is_null() { "<nil>".to_owned() } else { as_go(&value) };
                        (key_mark, format!("unsupported map key of {key}, value: {value}"))
                    });
                    continue;
                }
                MapKey::Invalid => continue,
            };
            if self.strict {
                self.set(&mut seen, key.clone(), mark);
            }
            self.entries.push((key.1, value));
        }
    }

    /// Notes that a key is set, and complains if it was set before.
    fn set(&mut self, seen: &mut Seen, key: TypedKey, mark: Mark) {
        let not_a_number = key.0 == Kind::Float && key.1 == ".nan";
        if !seen.known.insert(key.clone()) && !not_a_number && self.complaints.duplicates.len() < MAX_DUPLICATES {
            let line = format!("line {}: key {} already set in map", mark.line + 1, key.as_go());
            self.complaints.duplicates.push((mark, line));
        }
        seen.set.get_or_insert_default().push((key, mark));
    }

    fn key(&mut self, events: &mut Events<'t>, event: Event<'t>, mark: Mark, depth: usize) -> Result<MapKey, Failure> {
        let node = match event {
            // Most keys are words, and a word needs nothing but interning.
            Event::Scalar(scalar) if is_word(&scalar) => {
                self.decoded = self.decoded.saturating_add(1);
                return Ok(MapKey::Known(TypedKey(Kind::Text, Key::new(&scalar.value))));
            }
            event => self.node(events, event, mark, depth + 1)?,
        };
        let text: Key = match &node.value {
            Value::Text(text) => text.as_str().into(),
            Value::Int(number) => itoa::Buffer::new().format(*number).into(),
            Value::Bool(truth) => if *truth { "true" } else { "false" }.into(),
            Value::Float(number) => float::format_g32(*number).into(),
            Value::Null => return Ok(MapKey::Unsupported("type: %!s(<nil>), key: <nil>".to_owned())),
            Value::UInt(number) => return Ok(MapKey::Unsupported(format!("type: uint64, key: {number:#x}"))),
            Value::List(_) | Value::Map(_) => {
                self.complaints.decode(mark, || format!("invalid map key: {}", as_go(&node.value)));
                return Ok(MapKey::Invalid);
            }
        };
        Ok(MapKey::Known(TypedKey(node.kind, text)))
    }

    /// Reads the value of `<<` and sets its entries.
    fn merge(&mut self, events: &mut Events<'t>, seen: &mut Seen, depth: usize) -> Result<(), Failure> {
        let (event, mark) = events.next()?;
        if !matches!(event, Event::ListStart(_)) {
            self.want_map(&event, mark);
            let node = self.node(events, event, mark, depth + 1)?;
            self.merge_node(seen, node, mark);
            return Ok(());
        }
        let mut nodes = Vec::new();
        loop {
            let (event, mark) = events.next()?;
            if matches!(event, Event::ListEnd) {
                break;
            }
            self.want_map(&event, mark);
            nodes.push((self.node(events, event, mark, depth + 2)?, mark));
        }
        // Of several maps the first counts.
        for (node, mark) in nodes.into_iter().rev() {
            self.merge_node(seen, node, mark);
        }
        Ok(())
    }

    /// Complains about a value that cannot be merged before it is looked at.
    fn want_map(&mut self, event: &Event, mark: Mark) {
        if matches!(event, Event::Scalar(_) | Event::ListStart(_)) {
            self.complaints.decode(mark, || MERGE.to_owned());
        }
    }

    fn merge_node(&mut self, seen: &mut Seen, node: Node, mark: Mark) {
        let Value::Map(map) = node.value else {
            self.complaints.decode(mark, || MERGE.to_owned());
            return;
        };
        for (key, mark) in node.set.into_iter().flat_map(|set| *set) {
            self.set(seen, key, mark);
        }
        self.entries.extend(map.into_entries());
    }

    /// Does to a value what the way through JSON does: whole floats become integers, infinities are refused.
    fn for_json(&mut self, value: Value, mark: Mark) -> Value {
        let Value::Float(number) = value else { return value };
        if !number.is_finite() {
            let name = if number.is_nan() {
                "NaN"
            } else if number > 0.0 {
                "+Inf"
            } else {
                "-Inf"
            };
            self.complaints.convert.get_or_insert_with(|| (mark, format!("json: unsupported value: {name}")));
        }
        json_number(number)
    }
}

const MERGE: &str = "map merge requires map or sequence of maps as the value";

/// What a map has set so far; only used when duplicates are errors.
#[derive(Default)]
struct Seen {
    set: Set,
    known: HashSet<TypedKey>,
}

impl Node {
    fn null() -> Self {
        Self { value: Value::Null, kind: Kind::Null, set: None }
    }

    fn share(&self) -> Self {
        Self { value: self.value.clone(), kind: self.kind, set: self.set.clone() }
    }
}

impl TypedKey {
    fn as_go(&self) -> String {
        match self.0 {
            Kind::Text => quote(&self.1),
            _ => self.1.to_string(),
        }
    }
}

/// Tells whether a scalar is text, and nothing is said of it.
pub(super) fn is_word(scalar: &Scalar) -> bool {
    let is_text = || !scalar.implicit || matches!(resolve_plain(&scalar.value, false), Resolved::Text(_));
    scalar.properties.is_none() && is_text()
}

pub(super) fn is_merge(event: &Event) -> bool {
    match event {
        Event::Scalar(scalar) if scalar.value == "<<" => {
            let tag = scalar.properties.as_ref().and_then(|properties| properties.tag.as_deref());
            scalar.implicit || tag == Some("tag:yaml.org,2002:merge")
        }
        _ => false,
    }
}

/// Returns what is read back from the JSON that Go prints for a float: an integer if it is written like one.
pub(super) fn json_number(number: f64) -> Value {
    let is_negative_zero = number == 0.0 && number.is_sign_negative();
    if number.fract() != 0.0 || number.abs() >= 1e21 || !number.is_finite() || is_negative_zero {
        return Value::Float(number);
    }
    // From 2^53 Go writes zeros behind the shortest digits, so the text decides.
    number.to_string().parse().map_or(Value::Float(number), |whole: i64| whole.into())
}

/// Turns bytes into a text as Go's JSON does: each byte that is not UTF-8 becomes a replacement character.
fn as_json_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '\u{fffd}'));
    }
    text
}

/// Writes a value as Go's `%#v`.
fn as_go(value: &Value) -> String {
    match value {
        Value::Null => "interface {}(nil)".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Int(number) => number.to_string(),
        Value::UInt(number) => format!("{number:#x}"),
        Value::Float(number) => float::format_g(*number),
        Value::Text(text) => quote(text),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(as_go).collect();
            format!("[]interface {{}}{{{}}}", items.join(", "))
        }
        Value::Map(map) => as_go_map(map),
    }
}

fn as_go_map(map: &Map) -> String {
    let mut entries: Vec<String> = map.iter().map(|(key, value)| format!("{}:{}", quote(key), as_go(value))).collect();
    entries.sort_unstable();
    format!("map[interface {{}}]interface {{}}{{{}}}", entries.join(", "))
}

/// Quotes a text as Go's `strconv.Quote`.
fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\t' => quoted.push_str("\\t"),
            '\n' => quoted.push_str("\\n"),
            '\u{b}' => quoted.push_str("\\v"),
            '\u{c}' => quoted.push_str("\\f"),
            '\r' => quoted.push_str("\\r"),
            '\0'..='\u{1f}' | '\u{7f}' => quoted.push_str(&format!("\\x{:02x}", u32::from(c))),
            // What Rust escapes too is not printable.
            c if c.escape_debug().len() > 1 && u32::from(c) > 0xffff => {
                quoted.push_str(&format!("\\U{:08x}", u32::from(c)))
            }
            c if c.escape_debug().len() > 1 && c != '\'' => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
