//! Recorded scenarios, and the values that their steps save and use.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, bail};
use lockstep_object::{List, Map, Value as Body};
use serde_json::Value;

/// A recording: requests in order and what the real server answered.
pub struct Scenario {
    /// The name, which is also that of its namespace.
    pub name: String,
    /// What it is about.
    pub topic: String,
    /// The steps.
    pub steps: Vec<Step>,
}

/// One step of a scenario.
pub struct Step {
    /// All of it.
    pub fields: Value,
    /// The body apart, since its order of keys matters.
    pub body: Option<Body>,
}

impl Scenario {
    /// Reads a file; nothing if it is JSON without steps.
    pub fn read(path: &Path) -> anyhow::Result<Option<Self>> {
        let text = std::fs::read(path).with_context(|| path.display().to_string())?;
        let fields: Value = serde_json::from_slice(&text).with_context(|| path.display().to_string())?;
        let Some(steps) = fields.get("steps").and_then(Value::as_array) else { return Ok(None) };
        let ordered = lockstep_object::from_json(&text).with_context(|| path.display().to_string())?;
        let ordered = ordered.get("steps").and_then(Body::as_list).cloned().unwrap_or_default();
        let text_at = |key: &str| fields.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let step = |(step, ordered): (&Value, &Body)| Step { fields: step.clone(), body: ordered.get("body").cloned() };
        let steps = steps.iter().zip(ordered.iter()).map(step).collect();
        Ok(Some(Self { name: text_at("name"), topic: text_at("topic"), steps }))
    }
}

impl Step {
    /// Returns the text of a field.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.fields.get(key)?.as_str()
    }

    /// Returns the number of seconds in a field.
    pub fn seconds(&self, key: &str) -> Option<f64> {
        self.fields.get(key)?.as_f64()
    }

    /// Tells whether a field is there and true.
    pub fn flag(&self, key: &str) -> bool {
        self.fields.get(key).and_then(Value::as_bool).unwrap_or_default()
    }

    /// Returns the JSON pointers in a field.
    pub fn pointers(&self, key: &str) -> Vec<&str> {
        let list = self.fields.get(key).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).collect()
    }
}

/// The values that were saved from answers.
#[derive(Default)]
pub struct Saved(BTreeMap<String, Value>);

impl Saved {
    /// Keeps a value.
    pub fn keep(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    /// Puts the values into a text: `{{name}}`, `{{name|q}}` percent-encoded, `{{repeat:TEXT:TIMES}}`.
    pub fn fill(&self, text: &str) -> anyhow::Result<String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((inner, behind)) = after.split_once("}}") else { break };
            out.push_str(before);
            out.push_str(&self.one(inner)?);
            rest = behind;
        }
        out.push_str(rest);
        Ok(out)
    }

    fn one(&self, inner: &str) -> anyhow::Result<String> {
        if let Some(repeat) = inner.strip_prefix("repeat:") {
            let (text, times) = repeat.split_once(':').context("a repeat has a count")?;
            return Ok(text.repeat(times.parse()?));
        }
        let (name, quoted) = inner.strip_suffix("|q").map_or((inner, false), |name| (name, true));
        let text = match self.0.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => bail!("no value saved as {name:?}"),
        };
        Ok(if quoted { quote(&text) } else { text })
    }

    /// Puts the values into all texts and keys of a body; `{{int:name}}` becomes a number.
    pub fn fill_body(&self, body: &Body) -> anyhow::Result<Body> {
        Ok(match body {
            Body::Text(text) => {
                let number = text.strip_prefix("{{int:").and_then(|rest| rest.strip_suffix("}}"));
                match number {
                    Some(name) => self.one(name)?.parse::<i64>()?.into(),
                    None => self.fill(text)?.into(),
                }
            }
            Body::List(list) => {
                Body::List(list.iter().map(|item| self.fill_body(item)).collect::<anyhow::Result<List>>()?)
            }
            Body::Map(map) => {
                let mut out = Map::new();
                for (key, value) in map.iter() {
                    out.insert(self.fill(key)?.as_str(), self.fill_body(value)?);
                }
                Body::Map(out)
            }
            other => other.clone(),
        })
    }
}

/// Percent-encodes all but letters, digits and `_.-~`.
fn quote(text: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-~".contains(&byte);
    text.bytes().map(|byte| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
