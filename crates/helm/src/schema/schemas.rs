//! The schemas of a document: drafts, references, patterns.

use std::collections::HashMap;

use lockstep_object::Value;
use percent_encoding::percent_decode_str;
use regex::Regex;

const URL: &str = "file:///values.schema.json";
const MAX_DEPTH: usize = 256;
const TYPES: &[&str] = &["array", "boolean", "integer", "null", "number", "object", "string"];

/// A document whose references are known to lead somewhere and whose patterns are compiled.
pub(super) struct Schemas<'a> {
    pub(super) root: &'a Value,
    /// 4, 6, 7, 2019 or 2020.
    pub(super) draft: u16,
    anchors: HashMap<&'a str, &'a Value>,
    patterns: HashMap<&'a str, Regex>,
}

impl<'a> Schemas<'a> {
    /// Reads a document; the error is the compiler's text.
    pub(super) fn new(root: &'a Value) -> Result<Self, String> {
        let draft = root.get("$schema").and_then(Value::as_str).map_or(2020, draft_of);
        let mut schemas = Self { root, draft, anchors: HashMap::new(), patterns: HashMap::new() };
        schemas.check_types(root, "", 0)?;
        schemas.collect_anchors(root, 0);
        schemas.compile(root, 0)?;
        Ok(schemas)
    }

    pub(super) fn pattern(&self, pattern: &str) -> Option<&Regex> {
        self.patterns.get(pattern)
    }

    /// Follows a reference inside the document.
    pub(super) fn resolve(&self, reference: &str) -> Result<&'a Value, String> {
        let (url, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let own = self.root.get("$id").or_else(|| self.root.get("id")).and_then(Value::as_str).unwrap_or_default();
        if !url.is_empty() && url != own && url != URL {
            if let Some(found) = self.anchors.get(url) {
                return Ok(found);
            }
            return Err(format!("failing loading {url:?}: references to other documents are refused"));
        }
        let fragment = percent_decode_str(fragment).decode_utf8_lossy();
        if fragment.is_empty() {
            return Ok(self.root);
        }
        if let Some(pointer) = fragment.strip_prefix('/') {
            return follow(self.root, pointer).ok_or_else(|| format!("json-pointer in \"{URL}#/{pointer}\" not found"));
        }
        let missing = || format!("anchor in {reference:?} not found in schema \"{URL}\"");
        self.anchors.get(&*fragment).copied().ok_or_else(missing)
    }

    fn collect_anchors(&mut self, schema: &'a Value, depth: usize) {
        if depth > MAX_DEPTH {
            return;
        }
        match schema {
            Value::Map(map) => {
                for keyword in ["$anchor", "$dynamicAnchor", "$id", "id"] {
                    if let Some(name) = map.get(keyword).and_then(Value::as_str) {
                        self.anchors.entry(name.strip_prefix('#').unwrap_or(name)).or_insert(schema);
                    }
                }
                map.values().for_each(|inner| self.collect_anchors(inner, depth + 1));
            }
            Value::List(items) => items.iter().for_each(|item| self.collect_anchors(item, depth + 1)),
            _ => {}
        }
    }

    /// Compiles patterns and checks references.
    fn compile(&mut self, value: &'a Value, depth: usize) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err("the schema is nested too deep".into());
        }
        match value {
            Value::Map(map) => {
                for (key, inner) in map.iter() {
                    match (key.as_str(), inner) {
                        ("pattern", Value::Text(pattern)) => self.add_pattern(pattern.as_str())?,
                        ("$ref", Value::Text(reference)) => {
                            self.resolve(reference)?;
                        }
                        ("patternProperties", Value::Map(patterns)) => {
                            for (pattern, schema) in patterns.iter() {
                                self.add_pattern(pattern.as_str())?;
                                self.compile(schema, depth + 1)?;
                            }
                        }
                        ("enum" | "const" | "default" | "examples", _) => {}
                        _ => self.compile(inner, depth + 1)?,
                    }
                }
                Ok(())
            }
            Value::List(items) => items.iter().try_for_each(|item| self.compile(item, depth + 1)),
            _ => Ok(()),
        }
    }

    fn add_pattern(&mut self, pattern: &'a str) -> Result<(), String> {
        if self.patterns.contains_key(pattern) {
            return Ok(());
        }
        match regex::RegexBuilder::new(pattern).size_limit(1 << 20).build() {
            Ok(regex) => {
                self.patterns.insert(pattern, regex);
                Ok(())
            }
            Err(error) => Err(format!("invalid regex {pattern:?} at \"{URL}#\": {error}")),
        }
    }

    /// Checks the one rule of the meta schema that people break: the names of types.
    fn check_types(&self, schema: &Value, at: &str, depth: usize) -> Result<(), String> {
        let Value::Map(map) = schema else { return Ok(()) };
        if depth > MAX_DEPTH {
            return Err("the schema is nested too deep".into());
        }
        if let Some(Value::Text(name)) = map.get("type")
            && !TYPES.contains(&name.as_str())
        {
            return Err(self.wrong_type(at));
        }
        for keyword in ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"] {
            for (name, schema) in map.get(keyword).and_then(Value::as_map).into_iter().flat_map(|m| m.iter()) {
                self.check_types(schema, &format!("{at}/{keyword}/{name}"), depth + 1)?;
            }
        }
        for keyword in ["items", "not", "if", "then", "else", "additionalProperties", "contains", "propertyNames"] {
            if let Some(schema) = map.get(keyword) {
                self.check_types(schema, &format!("{at}/{keyword}"), depth + 1)?;
            }
        }
        for keyword in ["allOf", "anyOf", "oneOf", "prefixItems"] {
            for (n, schema) in map.get(keyword).and_then(Value::as_list).into_iter().flat_map(|l| l.iter().enumerate())
            {
                self.check_types(schema, &format!("{at}/{keyword}/{n}"), depth + 1)?;
            }
        }
        Ok(())
    }

    fn wrong_type(&self, at: &str) -> String {
        let names = TYPES.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
        let (meta, lines) = match self.draft {
            4 => ("http://json-schema.org/draft-04/schema", false),
            6 => ("http://json-schema.org/draft-06/schema", false),
            7 => ("http://json-schema.org/draft-07/schema", false),
            2019 => ("https://json-schema.org/draft/2019-09/schema", true),
            _ => ("https://json-schema.org/draft/2020-12/schema", true),
        };
        let head = format!("\"{URL}#\" is not valid against metaschema: jsonschema validation failed with '{meta}#'\n");
        let pad = if lines { "  " } else { "" };
        let all_of = if lines { "- at '': 'allOf' failed\n" } else { "" };
        format!(
            "{head}{all_of}{pad}- at '{at}/type': 'anyOf' failed\n{pad}  - at '{at}/type': value must be one of {names}\n\
             {pad}  - at '{at}/type': got string, want array"
        )
    }
}

fn draft_of(url: &str) -> u16 {
    let url = url.trim_end_matches('#');
    [("draft-04", 4), ("draft-06", 6), ("draft-07", 7), ("2019-09", 2019)]
        .into_iter()
        .find(|(name, _)| url.contains(name))
        .map_or(2020, |(_, draft)| draft)
}

fn follow<'a>(root: &'a Value, pointer: &str) -> Option<&'a Value> {
    pointer.split('/').try_fold(root, |value, token| {
        let token = token.replace("~1", "/").replace("~0", "~");
        match value {
            Value::Map(map) => map.get(&token),
            Value::List(items) => items.get(token.parse::<usize>().ok()?),
            _ => None,
        }
    })
}
