//! Reads manifest files into objects and says what keeps a document from being one.

use super::{Options, build::Documents, locate, locate::locate_items};
use crate::{Diagnostic, List, Object, Place, Value, from_json};

/// After so many problems of one file, further ones are placed at their document: to find a place costs a pass.
const PLACED: usize = 100;

pub(super) fn parse_objects(file: &str, text: &str) -> (Vec<(Object, Place)>, Vec<Diagnostic>) {
    let mut reader = Reader { file, text, objects: Vec::new(), diagnostics: Vec::new() };
    match json(text) {
        Some(value) => reader.document(value, 0, Place { file: file.to_owned(), line: 1, column: 1 }),
        None => reader.stream(),
    }
    (reader.objects, reader.diagnostics)
}

/// Reads a text that is one JSON object; YAML refuses some escapes that JSON has.
fn json(text: &str) -> Option<Value> {
    let text = text.trim_start_matches('\u{feff}');
    text.trim_start().starts_with('{').then(|| from_json(text.as_bytes()).ok())?
}

struct Reader<'t> {
    file: &'t str,
    text: &'t str,
    objects: Vec<(Object, Place)>,
    diagnostics: Vec<Diagnostic>,
}

/// Where something stands: the document, the path in it, and a place that is near.
struct At<'p> {
    document: usize,
    path: Vec<&'p str>,
    place: Place,
}

impl Reader<'_> {
    fn stream(&mut self) {
        let mut documents = Documents::new(self.file, self.text, Options::default());
        for number in 0.. {
            match documents.next_document() {
                Ok(Some(document)) if document.value.is_null() => {}
                Ok(Some(document)) => self.document(document.value, number, document.place),
                Ok(None) => return,
                Err(diagnostic) => {
                    self.diagnostics.push(with_hint(*diagnostic, self.text));
                    return;
                }
            }
        }
    }

    fn document(&mut self, value: Value, document: usize, place: Place) {
        let at = At { document, path: Vec::new(), place };
        let Some(items) = items_of_list(&value).cloned() else {
            self.object(value, &at);
            return;
        };
        let places = locate_items(self.text, document);
        for (index, item) in items.into_iter().enumerate() {
            let place = places.get(index).map_or_else(|| at.place.clone(), |place| self.in_file(place.clone()));
            let index = index.to_string();
            self.object(item, &At { document, path: vec!["items", &index], place });
        }
    }

    fn object(&mut self, value: Value, at: &At) {
        let Value::Map(root) = value else {
            let message = format!("a manifest is a map with apiVersion, kind and metadata, but this is {}", a(&value));
            self.error(at, &[], message, "separate the documents of a file with lines of three dashes");
            return;
        };
        let object = Object::new(root);
        let before = self.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
        self.check_type(&object, at);
        self.check_name(&object, at);
        for field in ["labels", "annotations"] {
            self.check_texts(&object, field, at);
        }
        let after = self.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
        if before == after {
            self.objects.push((object, at.place.clone()));
        }
    }

    fn check_type(&mut self, object: &Object, at: &At) {
        for (field, example) in [("apiVersion", "apiVersion: apps/v1"), ("kind", "kind: Deployment")] {
            match object.root().get(field) {
                Some(Value::Text(text)) if !text.is_empty() => {}
                None | Some(Value::Null | Value::Text(_)) => {
                    self.error(at, &[], format!("{field} is not set"), format!("add it, as in `{example}`"));
                }
                Some(other) => {
                    let message = format!("{field} must be a string, but is {}", a(other));
                    self.error(at, &[field], message, format!("write it as in `{example}`"));
                }
            }
        }
    }

    fn check_name(&mut self, object: &Object, at: &At) {
        let metadata = object.root().get("metadata");
        if let Some(other) = metadata.filter(|value| !matches!(value, Value::Map(_) | Value::Null)) {
            self.error(
                at,
                &["metadata"],
                format!("metadata must be a map, but is {}", a(other)),
                "indent its fields below it",
            );
            return;
        }
        let field = |name: &str| metadata.and_then(|metadata| metadata.get(name)).filter(|value| !value.is_null());
        for name in ["name", "namespace", "generateName"] {
            if let Some(value) = field(name).filter(|value| value.as_str().is_none()) {
                let message = format!("metadata.{name} must be a string, but is {}", a(value));
                self.error(at, &["metadata", name], message, format!("put it in quotes: `{name}: {}`", quoted(value)));
                return;
            }
        }
        if ["name", "generateName"].iter().all(|name| field(name).and_then(Value::as_str).is_none_or(str::is_empty)) {
            let path: &[&str] = if metadata.is_some() { &["metadata"] } else { &[] };
            self.error(at, path, "metadata.name is not set".to_owned(), "give the object a name below metadata");
        }
    }

    fn check_texts(&mut self, object: &Object, field: &str, at: &At) {
        let Some(value) = object.at(&["metadata", field]) else { return };
        let map = match value {
            Value::Map(map) => map,
            Value::Null => return,
            other => {
                let message = format!("metadata.{field} must be a map of strings, but is {}", a(other));
                self.error(at, &["metadata", field], message, "write one `key: \"value\"` a line below it");
                return;
            }
        };
        for (key, value) in map.iter() {
            let path = ["metadata", field, key.as_str()];
            match value {
                Value::Text(_) => {}
                Value::Null => {
                    let message = format!("metadata.{field}[{key}] has no value; it is taken as empty");
                    let place = self.find(at, &path);
                    self.diagnostics.push(Diagnostic::warning(place, message).hint(format!("write `{key}: \"\"`")));
                }
                other => {
                    let message = format!("metadata.{field}[{key}] must be a string, but is {}", a(other));
                    let hint = match other {
                        Value::Map(_) | Value::List(_) => {
                            "write the value as one string, for instance as JSON in quotes".to_owned()
                        }
                        other => format!("put the value in quotes: `{key}: {}`", quoted(other)),
                    };
                    self.error(at, &path, message, hint);
                }
            }
        }
    }

    fn error(&mut self, at: &At, path: &[&str], message: String, hint: impl Into<String>) {
        let place = self.find(at, path);
        self.diagnostics.push(Diagnostic::error(place, message).hint(hint));
    }

    fn find(&self, at: &At, path: &[&str]) -> Place {
        if path.is_empty() || self.diagnostics.len() > PLACED {
            return at.place.clone();
        }
        let whole: Vec<&str> = at.path.iter().chain(path).copied().collect();
        locate(self.text, at.document, &whole).map_or_else(|| at.place.clone(), |place| self.in_file(place))
    }

    fn in_file(&self, place: Place) -> Place {
        Place { file: self.file.to_owned(), ..place }
    }
}

/// Returns the items of a `List`, or of a kind like `ConfigMapList` if they all say what they are.
fn items_of_list(value: &Value) -> Option<&List> {
    let kind = value.get("kind")?.as_str()?;
    let items = value.get("items")?.as_list()?;
    if kind == "List" && value.get("apiVersion").and_then(Value::as_str) == Some("v1") {
        return Some(items);
    }
    let typed =
        |item: &Value| ["apiVersion", "kind"].iter().all(|field| item.get(field).and_then(Value::as_str).is_some());
    (kind.ends_with("List") && !items.is_empty() && items.iter().all(typed)).then_some(items)
}

fn a(value: &Value) -> &'static str {
    match value {
        Value::Null => "empty",
        Value::Bool(_) => "a boolean",
        Value::Int(_) | Value::UInt(_) | Value::Float(_) => "a number",
        Value::Text(_) => "a string",
        Value::List(_) => "a list",
        Value::Map(_) => "a map",
    }
}

fn quoted(value: &Value) -> String {
    format!("\"{}\"", super::print(value).trim_end())
}

/// Adds what to do about the syntax errors that are made most.
fn with_hint(diagnostic: Diagnostic, text: &str) -> Diagnostic {
    let line =
        diagnostic.place.line.checked_sub(1).and_then(|line| text.lines().nth(line as usize)).unwrap_or_default();
    if line.trim_start_matches(' ').starts_with('\t') {
        return diagnostic.hint("indent with spaces; YAML does not take tabs");
    }
    if line.contains("{{") {
        return diagnostic.hint("this looks like a template; put it where it is rendered, or put the braces in quotes");
    }
    if diagnostic.message.contains("mapping values are not allowed") {
        return diagnostic.hint("check the indentation, or put a value that has `: ` in quotes");
    }
    diagnostic
}
