//! Plays one scenario.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::{
    client::{Answer, Client, Watch, warnings},
    compare::{at, differences, pointer, same},
    normal::{Normal, Patterns, is_uuid},
    scenario::{Saved, Scenario, Step},
};

/// Plays the steps in order; returns how the answers differ from the recorded ones.
pub async fn run(client: &Client, scenario: &Scenario, patterns: Arc<Patterns>) -> Vec<String> {
    let mut saved = Saved::default();
    saved.keep("ns", scenario.name.clone().into());
    saved.keep("scenario", scenario.name.clone().into());
    let mut player = Player { client, saved, normal: Normal::new(patterns), watches: BTreeMap::new() };
    let mut out = Vec::new();
    for (index, step) in scenario.steps.iter().enumerate() {
        let got = match player.step(step).await {
            Ok(got) => got,
            Err(error) => {
                out.push(format!("  step {index} stopped: {error:#}"));
                break;
            }
        };
        let mut found = Vec::new();
        let want = step.fields.get("expect").cloned().unwrap_or_else(|| json!({}));
        differences(&want, &got, "", &mut found);
        let place = step.text("path").or(step.text("collect")).unwrap_or_default();
        let place = format!("  step {index} {} {place}", step.text("method").unwrap_or_default());
        out.extend(found.into_iter().map(|difference| format!("{place}\n{difference}")));
    }
    out
}

struct Player<'a> {
    client: &'a Client,
    saved: Saved,
    normal: Normal,
    watches: BTreeMap<String, Watch>,
}

impl Player<'_> {
    async fn step(&mut self, step: &Step) -> anyhow::Result<Value> {
        if let Some(seconds) = step.seconds("sleep") {
            tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
            return Ok(json!({}));
        }
        if let Some(name) = step.text("watch") {
            return self.watch(step, name).await;
        }
        if let Some(name) = step.text("collect") {
            return self.collect(step, name).await;
        }
        self.request(step).await
    }

    async fn watch(&mut self, step: &Step, name: &str) -> anyhow::Result<Value> {
        self.normal.note_request(step, &self.saved)?;
        let watch = self.client.watch(step, &self.saved).await?;
        let kind = watch.headers.get("content-type").and_then(|value| value.to_str().ok());
        let mut got = json!({"status": watch.status, "contentType": kind});
        let warnings = warnings(&watch.headers);
        if !warnings.is_empty() {
            got["warnings"] = warnings.into();
        }
        self.watches.insert(name.to_owned(), watch);
        Ok(got)
    }

    async fn collect(&mut self, step: &Step, name: &str) -> anyhow::Result<Value> {
        let watch = self.watches.get_mut(name).context("the watch was opened")?;
        let count = step.fields.get("count").and_then(Value::as_u64).unwrap_or_default();
        let count = if step.flag("toEnd") { None } else { Some(usize::try_from(count)?) };
        let patience = Duration::from_secs_f64(step.seconds("timeout").unwrap_or(8.0));
        let (mut events, ended) = watch.collect(count, patience, step.flag("bookmarks")).await;
        if step.flag("sortEvents") {
            let text = |event: &Value, place: &str| at(event, place).as_str().unwrap_or_default().to_owned();
            events.sort_by_key(|event| (text(event, "/type"), text(event, "/object/metadata/name")));
        }
        let events = Value::Array(events);
        for (name, place) in pairs(step, "save") {
            self.saved.keep(name, at(&events, place));
        }
        let Value::Array(events) = events else { bail!("events are a list") };
        let mut events: Vec<Value> = events.into_iter().map(|event| self.normal.apply(event, false)).collect();
        for event in &mut events {
            for place in step.pointers("dropInEvents") {
                drop_at(event, place);
            }
        }
        let mut got = json!({"events": events});
        if step.flag("toEnd") {
            got["ended"] = ended.into();
        }
        Ok(got)
    }

    async fn request(&mut self, step: &Step) -> anyhow::Result<Value> {
        self.normal.note_request(step, &self.saved)?;
        let (answer, document) = self.answer(step).await?;
        for (name, place) in pairs(step, "save") {
            let value = document.as_ref().map(|document| at(document, place)).unwrap_or_default();
            if value.is_null() {
                bail!("nothing at {place} to save as {name:?} (status {})", answer.status);
            }
            if let Some(text) = value.as_str().filter(|text| is_uuid(text)) {
                self.normal.uid(text);
            }
            self.saved.keep(name, value);
        }
        if step.flag("statusOnly") {
            return Ok(json!({"status": answer.status}));
        }
        let mut got = self.head(step, &answer);
        if step.flag("noBody") {
            return Ok(Value::Object(got));
        }
        match document {
            Some(document) => {
                let normal = self.normal.apply(document, step.flag("sortItems"));
                got.insert("response".to_owned(), shorten(normal, step));
            }
            None if answer.body.is_empty() => {}
            None => {
                let text = String::from_utf8_lossy(&answer.body);
                got.insert("responseText".to_owned(), self.normal.text(&text).into());
            }
        }
        Ok(Value::Object(got))
    }

    fn head(&mut self, step: &Step, answer: &Answer) -> Map<String, Value> {
        let mut got = Map::new();
        got.insert("status".to_owned(), answer.status.into());
        if let Some(kind) = answer.header("content-type").filter(|kind| !kind.is_empty()) {
            got.insert("contentType".to_owned(), kind.into());
        }
        let warnings = warnings(&answer.headers);
        if !warnings.is_empty() {
            let texts: Vec<String> = warnings.iter().map(|text| self.normal.text(text)).collect();
            got.insert("warnings".to_owned(), texts.into());
        }
        for name in ["Retry-After", "Allow", "Location"] {
            if let Some(value) = answer.header(name).filter(|_| step.flag("recordHeaders")) {
                got.insert(name.to_owned(), value.into());
            }
        }
        got
    }

    /// Sends the request until the answer is the one that the step waits for.
    async fn answer(&self, step: &Step) -> anyhow::Result<(Answer, Option<Value>)> {
        let deadline = Instant::now() + Duration::from_secs_f64(step.seconds("timeout").unwrap_or(90.0));
        let mut last: Option<(Answer, Instant)> = None;
        loop {
            let answer = self.client.call(step, &self.saved).await?;
            let document = document(&answer);
            let late = Instant::now() > deadline;
            if answer.status == 429 && document.as_ref().is_some_and(is_initializing) && !late {
                tokio::time::sleep(Duration::from_millis(500)).await;
                continue;
            }
            let Some(until) = step.fields.get("until").and_then(Value::as_object) else {
                return Ok((answer, document));
            };
            if holds(until, answer.status, document.as_ref()) {
                let Some(stable) = until.get("stable").and_then(Value::as_f64) else { return Ok((answer, document)) };
                let same = |known: &Answer| known.status == answer.status && known.body == answer.body;
                match &last {
                    Some((known, since)) if same(known) => {
                        if since.elapsed() >= Duration::from_secs_f64(stable) {
                            return Ok((answer, document));
                        }
                    }
                    _ => last = Some((answer.clone(), Instant::now())),
                }
            }
            if late {
                let seen = document.unwrap_or_default().to_string();
                let seen: String = seen.chars().take(1200).collect();
                bail!("waited in vain for {}; last answer {} {seen}", Value::Object(until.clone()), answer.status);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Reads the body if it says that it is JSON.
fn document(answer: &Answer) -> Option<Value> {
    answer.header("content-type").filter(|kind| kind.contains("json"))?;
    serde_json::from_slice(&answer.body).ok()
}

/// Tells whether a custom resource's storage is not ready yet: clients then try again.
fn is_initializing(document: &Value) -> bool {
    at(document, "/message").as_str().is_some_and(|text| text.contains("initializing"))
}

fn holds(until: &Map<String, Value>, status: u16, document: Option<&Value>) -> bool {
    until.iter().filter(|(key, _)| *key != "stable").all(|(key, want)| {
        let got = if key == "status" {
            status.into()
        } else {
            document.map(|document| at(document, key)).unwrap_or_default()
        };
        if want == "*" { !got.is_null() } else { same(want, &got) || *want == got }
    })
}

fn pairs<'a>(step: &'a Step, key: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let map = step.fields.get(key).and_then(Value::as_object);
    map.into_iter().flatten().filter_map(|(name, place)| Some((name.as_str(), place.as_str()?)))
}

/// Keeps of an answer what was kept in the recording.
fn shorten(response: Value, step: &Step) -> Value {
    let pick = |value: &Value, places: &[&str]| -> Value {
        places.iter().map(|place| ((*place).to_owned(), at(value, place))).collect::<Map<_, _>>().into()
    };
    let mut response = response;
    let only = step.pointers("only");
    if !only.is_empty() {
        response = pick(&response, &only);
    }
    for place in step.pointers("drop") {
        drop_at(&mut response, place);
    }
    let each = step.pointers("each");
    if !each.is_empty() {
        let items = at(&response, "/items");
        response = items.as_array().into_iter().flatten().map(|item| pick(item, &each)).collect();
    }
    if let Some(find) = step.fields.get("find") {
        let list = at(&response, find.get("list").and_then(Value::as_str).unwrap_or_default());
        let wanted = find.get("match").and_then(Value::as_object).cloned().unwrap_or_default();
        let matches = |item: &&Value| wanted.iter().all(|(place, want)| same(&at(item, place), want));
        response = list.as_array().into_iter().flatten().filter(matches).cloned().collect();
    }
    response
}

/// Removes what a pointer names; its last part is taken as it is.
fn drop_at(document: &mut Value, place: &str) {
    let (parent, leaf) = place.rsplit_once('/').unwrap_or(("", place));
    if !parent.is_empty() && pointer(document, parent).is_none() {
        return;
    }
    // Indices count from the start here, as they do in all recordings.
    let target = if parent.is_empty() { Some(document) } else { document.pointer_mut(parent) };
    if let Some(Value::Object(map)) = target {
        map.remove(leaf);
    }
}
