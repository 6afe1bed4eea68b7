//! Replaces what a server is free to choose: uids, versions, times, drawn names, addresses and ports.
//!
//! Numbers are by first appearance within a scenario, objects walked in the order of their keys, so that
//! equality is compared and the choice is not.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use lockstep_object::Value as Body;
use regex::{Captures, Regex};
use serde_json::{Map, Value};

use super::{
    compare::pointer,
    scenario::{Saved, Step},
};

const AGE_COLUMNS: [&str; 5] = ["Age", "Last Schedule", "Duration", "Last Seen", "First Seen"];
const HASH_LABELS: [&str; 2] = ["pod-template-hash", "controller-revision-hash"];
const PORTS: [&str; 2] = ["nodePort", "healthCheckNodePort"];
/// How far from now a time is no longer one that the server took from its clock.
const NEAR: i64 = 400 * 86_400;

/// The patterns, compiled once.
pub struct Patterns {
    uuid: Regex,
    time: Regex,
    age: Regex,
    access: Regex,
    too_old: Regex,
    too_large: Regex,
    version: Regex,
    in_record: Regex,
    masked: Regex,
}

impl Patterns {
    /// Compiles them.
    pub fn new() -> Result<Self, regex::Error> {
        Ok(Self {
            uuid: Regex::new(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")?,
            time: Regex::new(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(?:Z|[+-]\d\d:\d\d)")?,
            age: Regex::new(r"^(\d+(ms|s|m|h|d|y))+( ago)?$|^<invalid>$|^now$")?,
            access: Regex::new(r"\bkube-api-access-[a-z0-9]{5}\b")?,
            too_old: Regex::new(r"too old resource version: (\d+) \((\d+)\)")?,
            too_large: Regex::new(r"(Too large resource version: \d+, current: )(\d+)")?,
            version: Regex::new(
                r"((?:resource ?[vV]ersion|ResourceVersion)(?: in (?:precondition|object meta))?: )(\d+)",
            )?,
            in_record: Regex::new(concat!(
                r#"(in record \()(\d+)(\))|(\\?"resourceVersion\\?":\\?")(\d+)(\\?")"#,
                r"|(ResourceVersion in the precondition \()(\d+)(\))"
            ))?,
            masked: Regex::new(r"<(uid|rv|ip|nodePort):\d+>")?,
        })
    }
}

/// Tells whether a text is a UUID and nothing else.
pub fn is_uuid(text: &str) -> bool {
    let hyphen = |index: usize| matches!(index, 8 | 13 | 18 | 23);
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match byte {
            b'-' => hyphen(index),
            b'0'..=b'9' | b'a'..=b'f' => !hyphen(index),
            _ => false,
        })
}

/// What was seen in a scenario so far.
#[derive(Clone)]
pub struct Normal {
    patterns: Arc<Patterns>,
    uids: BTreeMap<String, usize>,
    versions: BTreeMap<String, usize>,
    /// All that the client sent: what it chose itself stays.
    sent: String,
    /// Drawn texts and their names, in the order of their first appearance.
    strings: Vec<(String, String)>,
    ports: BTreeMap<i64, String>,
    /// The columns of tables by their number, for tables that leave them out.
    columns: BTreeMap<usize, Value>,
}

impl Normal {
    /// Starts a scenario.
    pub fn new(patterns: Arc<Patterns>) -> Self {
        Self {
            patterns,
            uids: BTreeMap::new(),
            versions: BTreeMap::new(),
            sent: String::new(),
            strings: Vec::new(),
            ports: BTreeMap::new(),
            columns: BTreeMap::new(),
        }
    }

    /// Remembers what a step sends.
    pub fn note_request(&mut self, step: &Step, saved: &Saved) -> anyhow::Result<()> {
        self.sent.push('\n');
        self.sent.push_str(&saved.fill(step.text("path").unwrap_or_default())?);
        if let Some(body) = &step.body {
            self.sent.push('\n');
            print(&saved.fill_body(body)?, &mut self.sent);
        } else if let Some(text) = step.text("bodyText").filter(|text| text.len() < 100_000) {
            self.sent.push('\n');
            self.sent.push_str(text);
        }
        Ok(())
    }

    /// Names a uid.
    pub fn uid(&mut self, uid: &str) -> String {
        if !self.uids.contains_key(uid) && self.sent.contains(uid) {
            return uid.to_owned();
        }
        let next = self.uids.len() + 1;
        format!("<uid:{}>", self.uids.entry(uid.to_owned()).or_insert(next))
    }

    fn version(&mut self, version: &str) -> String {
        let next = self.versions.len() + 1;
        format!("<rv:{}>", self.versions.entry(version.to_owned()).or_insert(next))
    }

    fn name(&mut self, text: &str, name: impl FnOnce(&Self) -> String) {
        if !self.strings.iter().any(|(known, _)| known == text) {
            let name = name(self);
            self.strings.push((text.to_owned(), name));
        }
    }

    /// Finds drawn names, hashes, addresses and ports.
    fn scan(&mut self, value: &Value) {
        match value {
            Value::Array(list) => list.iter().for_each(|item| self.scan(item)),
            Value::Object(map) => {
                self.scan_texts(map);
                for key in PORTS {
                    let port = map.get(key).and_then(Value::as_i64).filter(|port| *port != 0);
                    let fresh = |port: &i64| {
                        !self.sent.contains(&format!("ort\": {port}")) && !self.sent.contains(&format!("ort: {port}"))
                    };
                    if let Some(port) = port.filter(fresh) {
                        let next = self.ports.len() + 1;
                        self.ports.entry(port).or_insert_with(|| format!("<nodePort:{next}>"));
                    }
                }
                sorted(map).into_iter().for_each(|(_, item)| self.scan(item));
            }
            _ => {}
        }
    }

    fn scan_texts(&mut self, map: &Map<String, Value>) {
        let text = |key: &str| map.get(key).and_then(Value::as_str).unwrap_or_default();
        let (base, name) = (text("generateName"), text("name"));
        let drawn = |rest: &str| rest.len() == 5 && rest.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if !base.is_empty() && name.strip_prefix(base).is_some_and(drawn) && !self.sent.contains(name) {
            self.name(name, |_| format!("{base}<gen>"));
        }
        for hash in HASH_LABELS.map(text) {
            if !hash.is_empty() && !self.sent.contains(hash) {
                let last = hash.rsplit('-').next().unwrap_or(hash);
                self.name(last, |_| "<hash>".to_owned());
            }
        }
        let many = map.get("clusterIPs").and_then(Value::as_array);
        let all = map.get("clusterIP").into_iter().chain(many.into_iter().flatten()).filter_map(Value::as_str);
        let address = |text: &&str| {
            !text.is_empty() && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f' | b'.' | b':'))
        };
        for ip in all.filter(address) {
            if !self.sent.contains(ip) {
                let count = |normal: &Self| normal.strings.iter().filter(|(_, name)| name.starts_with("<ip:")).count();
                self.name(ip, |normal| format!("<ip:{}>", count(normal) + 1));
            }
        }
    }

    /// Replaces within a text.
    pub fn text(&mut self, text: &str) -> String {
        let patterns = self.patterns.clone();
        let mut text = text.to_owned();
        let mut strings: Vec<&(String, String)> = self.strings.iter().collect();
        strings.sort_by_key(|(known, _)| Reverse(known.chars().count()));
        for (known, name) in strings {
            text = text.replace(known, name);
        }
        let text = patterns.access.replace_all(&text, "kube-api-access-<gen>");
        let text = patterns.uuid.replace_all(&text, |found: &Captures<'_>| self.uid(&found[0]));
        let text = patterns.time.replace_all(&text, |found: &Captures<'_>| time(found));
        let text = patterns.too_old.replace_all(&text, "too old resource version: $1 (<rv>)");
        let text = patterns.too_large.replace_all(&text, "$1<rv>");
        let text = patterns.version.replace_all(&text, |found: &Captures<'_>| {
            let version = &found[2];
            let name = if self.versions.contains_key(version) { self.version(version) } else { version.to_owned() };
            format!("{}{name}", &found[1])
        });
        let text = patterns.in_record.replace_all(&text, |found: &Captures<'_>| {
            let parts: Vec<&str> = found.iter().skip(1).flatten().map(|part| part.as_str()).collect();
            let [before, version, after] = parts[..] else { return found[0].to_owned() };
            let named = self.versions.contains_key(version) || !before.contains("precondition");
            let name = if named { self.version(version) } else { version.to_owned() };
            format!("{before}{name}{after}")
        });
        let ports = self.ports.iter();
        ports.fold(text.into_owned(), |text, (port, name)| replace_number(&text, *port, name))
    }

    /// Hides the ages in a table.
    fn table(&mut self, table: &mut Map<String, Value>) {
        let columns =
            table.get("columnDefinitions").filter(|columns| columns.as_array().is_some_and(|c| !c.is_empty()));
        if let Some(columns) = columns {
            self.columns.insert(columns.as_array().map_or(0, Vec::len), columns.clone());
        }
        let columns = columns.cloned();
        for row in table.get_mut("rows").and_then(Value::as_array_mut).into_iter().flatten() {
            let Some(cells) = row.get_mut("cells").and_then(Value::as_array_mut) else { continue };
            let Some(columns) = columns.as_ref().or_else(|| self.columns.get(&cells.len())) else { continue };
            for (column, cell) in columns.as_array().into_iter().flatten().zip(cells) {
                let named = pointer(column, "/name").and_then(Value::as_str).is_some_and(|n| AGE_COLUMNS.contains(&n));
                let date = pointer(column, "/type").and_then(Value::as_str) == Some("date");
                if (named || date) && cell.as_str().is_some_and(|text| self.patterns.age.is_match(text)) {
                    *cell = "<age>".into();
                }
            }
        }
    }

    fn walk(&mut self, value: Value, loose: bool) -> Value {
        match value {
            Value::Object(map) => self.walk_map(map, loose),
            Value::Array(list) => list.into_iter().map(|item| self.walk(item, false)).collect(),
            Value::String(text) => self.text(&text).into(),
            other => other,
        }
    }

    fn walk_map(&mut self, mut map: Map<String, Value>, loose: bool) -> Value {
        sort_causes(&mut map);
        if map.get("kind").and_then(Value::as_str) == Some("Table") {
            self.table(&mut map);
        }
        let kind = map.get("kind").and_then(Value::as_str).unwrap_or_default();
        let list = map.get("items").is_some_and(Value::is_array) || map.contains_key("rows") || kind.ends_with("List");
        let bookmark = map.get("type").and_then(Value::as_str) == Some("BOOKMARK");
        let mut entries: Vec<(String, Value)> = map.into_iter().collect();
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        let walked: Vec<(String, Value)> = entries
            .into_iter()
            .map(|(key, value)| {
                let value = match (key.as_str(), value) {
                    ("metadata", value) if list => self.walk(value, true),
                    ("object", Value::Object(object)) if bookmark => self.walk_bookmark(object),
                    (_, value) => self.entry(&key, value, loose),
                };
                (key, value)
            })
            .collect();
        walked.into_iter().map(|(key, value)| (self.text(&key), value)).collect::<Map<_, _>>().into()
    }

    fn entry(&mut self, key: &str, value: Value, loose: bool) -> Value {
        match (key, value) {
            ("resourceVersion", Value::String(version)) if !matches!(version.as_str(), "" | "0") => {
                if loose {
                    "<rv>".into()
                } else {
                    self.version(&version).into()
                }
            }
            ("continue", Value::String(text)) if !text.is_empty() => "<continue>".into(),
            ("token", Value::String(text)) if text.matches('.').count() == 2 => "<token>".into(),
            ("managedFields", Value::Array(mut entries)) => {
                let text =
                    |entry: &Value, key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
                entries.sort_by_key(|entry| {
                    ["operation", "manager", "subresource", "apiVersion"].map(|key| text(entry, key))
                });
                self.walk(Value::Array(entries), false)
            }
            (key, value) if PORTS.contains(&key) => match value.as_i64().and_then(|port| self.ports.get(&port)) {
                Some(name) => name.clone().into(),
                None => self.walk(value, false),
            },
            (_, value) => self.walk(value, false),
        }
    }

    fn walk_bookmark(&mut self, mut object: Map<String, Value>) -> Value {
        let metadata = object.remove("metadata").map(|metadata| self.walk(metadata, true));
        let mut out: Map<String, Value> =
            object.into_iter().map(|(key, value)| (key, self.walk(value, false))).collect();
        out.insert("metadata".to_owned(), metadata.unwrap_or_default());
        Value::Object(out)
    }

    /// Replaces within an answer; with `sort_items` the items come in an order that no choice of a server changes.
    pub fn apply(&mut self, mut value: Value, sort_items: bool) -> Value {
        self.scan(&value);
        if sort_items {
            for key in ["items", "rows"] {
                let Some(items) = value.get_mut(key).and_then(Value::as_array_mut) else { continue };
                let mut probe = Self { uids: BTreeMap::new(), versions: BTreeMap::new(), ..self.clone() };
                let patterns = self.patterns.clone();
                items.sort_by_cached_key(|item| {
                    let text = probe.walk(item.clone(), false).to_string();
                    patterns.masked.replace_all(&text, "<>").into_owned()
                });
            }
        }
        self.walk(value, false)
    }
}

fn sorted(map: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_by_key(|(key, _)| *key);
    entries
}

fn time(found: &Captures<'_>) -> String {
    let second = found[0].get(..19).map(|text| format!("{text}Z")).and_then(|text| text.parse::<Timestamp>().ok());
    let near = second.is_some_and(|second| (Timestamp::now().as_second() - second.as_second()).abs() < NEAR);
    match (near, found.get(1)) {
        (false, _) => found[0].to_owned(),
        (true, None) => "<time>".to_owned(),
        (true, Some(_)) => "<microtime>".to_owned(),
    }
}

/// Replaces a number where it stands as a word.
fn replace_number(text: &str, number: i64, name: &str) -> String {
    let number = number.to_string();
    let word = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let mut out = String::new();
    let mut rest = text;
    while let Some(place) = rest.find(&number) {
        let (before, after) = (&rest[..place], &rest[place + number.len()..]);
        let last = before.as_bytes().last().or(out.as_bytes().last());
        let inside = word(last) || word(after.as_bytes().first());
        out.push_str(before);
        out.push_str(if inside { &number } else { name });
        rest = after;
    }
    out + rest
}

/// Sorts what the real server lists in no fixed order: the managers of a conflict, and the errors of a custom
/// resource, whose properties it visits in no order.
fn sort_causes(map: &mut Map<String, Value>) {
    let text =
        |map: &Map<String, Value>, key: &str| map.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (reason, message) = (text(map, "reason"), text(map, "message"));
    let field = |cause: &Value, key: &str| cause.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    if reason == "Conflict" && message.starts_with("Apply failed with") {
        let (head, rest) = message.split_once(": ").unwrap_or((&message, ""));
        let message = format!("{head}: {}", sort_conflicts(rest));
        map.insert("message".to_owned(), message.into());
        if let Some(causes) = map.get_mut("details").and_then(|d| d.get_mut("causes")).and_then(Value::as_array_mut) {
            causes.sort_by_key(|cause| (field(cause, "field"), field(cause, "message")));
        }
    }
    let custom = map.get("details").is_some_and(|details| field(details, "group").contains(".example.com"));
    if reason == "Invalid" && custom {
        let Some(causes) = map.get_mut("details").and_then(|d| d.get_mut("causes")).and_then(Value::as_array_mut)
        else {
            return;
        };
        let say = |cause: &Value| format!("{}: {}", field(cause, "field"), field(cause, "message"));
        let mut texts: Vec<String> = causes.iter().map(say).collect();
        let end = format!("[{}]", texts.join(", "));
        if let Some(head) = message.strip_suffix(&end).filter(|_| texts.len() > 1) {
            causes.sort_by_key(say);
            texts.sort();
            map.insert("message".to_owned(), format!("{head}[{}]", texts.join(", ")).into());
        }
    }
}

/// Sorts the paragraphs that start with `conflict with` or `conflicts with`.
fn sort_conflicts(text: &str) -> String {
    let mut parts: Vec<String> = Vec::new();
    for line in text.split('\n') {
        let starts = line.starts_with("conflict with ") || line.starts_with("conflicts with ");
        match parts.last_mut() {
            Some(part) if !starts => {
                part.push('\n');
                part.push_str(line);
            }
            _ => parts.push(line.to_owned()),
        }
    }
    parts.sort();
    parts.join("\n")
}

/// Prints JSON with a blank after each comma and colon: the form in which bodies are sent and in which what was sent is
/// searched for ports.
pub fn print(value: &Body, out: &mut String) {
    match value {
        Body::List(list) => {
            out.push('[');
            for (index, item) in list.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                print(item, out);
            }
            out.push(']');
        }
        Body::Map(map) => {
            out.push('{');
            for (index, (key, item)) in map.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                out.push_str(&lockstep_object::to_json(&Body::from(key)));
                out.push_str(": ");
                print(item, out);
            }
            out.push('}');
        }
        leaf => out.push_str(&lockstep_object::to_json(leaf)),
    }
}
