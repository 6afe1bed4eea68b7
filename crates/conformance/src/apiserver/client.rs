//! Requests of steps, sent to the server in process.

use std::{io::Write, time::Duration};

use anyhow::Context;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body_util::{BodyExt, Full};
use lockstep_sandbox::{SandboxBody, SandboxService};
use serde_json::Value;
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};
use tower::ServiceExt;

use super::{
    compare::pointer,
    scenario::{Saved, Step},
};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(70);

/// A client of the server.
#[derive(Clone)]
pub struct Client {
    service: SandboxService,
    token: &'static str,
}

/// An answer in full.
#[derive(Clone, PartialEq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// Returns a header as text.
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).map(latin)
    }
}

/// Reads a header as HTTP/1.1 does: each byte is a character.
fn latin(value: &HeaderValue) -> String {
    value.as_bytes().iter().map(|byte| char::from(*byte)).collect()
}

/// Returns the warnings among headers.
pub fn warnings(headers: &HeaderMap) -> Vec<String> {
    headers.get_all("warning").iter().map(latin).collect()
}

impl Client {
    /// Makes a client that sends this token where a step has no other.
    pub fn new(service: SandboxService, token: &'static str) -> Self {
        Self { service, token }
    }

    /// Sends the request of a step and reads the answer.
    pub async fn call(&self, step: &Step, saved: &Saved) -> anyhow::Result<Answer> {
        let head = step.text("method") == Some("HEAD");
        let answer = async {
            let (parts, body) = self.send(step, saved).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            let body = if head { Bytes::new() } else { body };
            anyhow::Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
        };
        tokio::time::timeout(PATIENCE, answer).await.context("no answer in time")?
    }

    async fn send(&self, step: &Step, saved: &Saved) -> anyhow::Result<http::Response<SandboxBody>> {
        let mut headers = HeaderMap::new();
        let token = format!("Bearer {}", self.token);
        for (name, value) in
            [("accept", "application/json"), ("user-agent", "conformance/1.0"), ("authorization", &token)]
        {
            headers.insert(name, HeaderValue::from_str(value)?);
        }
        for (name, value) in step.fields.get("headers").and_then(Value::as_object).into_iter().flatten() {
            let name = HeaderName::from_bytes(name.as_bytes())?;
            match value.as_str() {
                Some(value) => headers.insert(name, HeaderValue::from_bytes(value.as_bytes())?),
                None => headers.remove(name),
            };
        }
        let body = body(step, saved, &mut headers)?;
        let mut request = http::Request::builder()
            .method(step.text("method").unwrap_or("GET"))
            .uri(saved.fill(step.text("path").unwrap_or_default())?)
            .body(Full::new(Bytes::from(body)))?;
        *request.headers_mut() = headers;
        self.service.clone().oneshot(request).await.map_err(|error| anyhow::anyhow!("{error}"))
    }

    /// Opens the stream of a step.
    pub async fn watch(&self, step: &Step, saved: &Saved) -> anyhow::Result<Watch> {
        let sent = tokio::time::timeout(PATIENCE, self.send(step, saved)).await;
        let (parts, body) = sent.context("no answer in time")??.into_parts();
        let (sender, events) = mpsc::unbounded_channel();
        let reader = tokio::spawn(read_events(body, sender));
        Ok(Watch { status: parts.status.as_u16(), headers: parts.headers, events, reader })
    }
}

fn body(step: &Step, saved: &Saved, headers: &mut HeaderMap) -> anyhow::Result<Vec<u8>> {
    let body = if let Some(body) = &step.body {
        headers.entry("content-type").or_insert(HeaderValue::from_static("application/json"));
        let mut text = String::new();
        super::normal::print(&saved.fill_body(body)?, &mut text);
        text.into_bytes()
    } else if let Some(text) = step.text("bodyText") {
        saved.fill(text)?.into_bytes()
    } else {
        let parts = step.fields.get("bodyParts").and_then(Value::as_array);
        let part = |part: &Value| {
            let times = part.get(1).and_then(Value::as_u64).and_then(|times| usize::try_from(times).ok());
            part.get(0).and_then(Value::as_str).unwrap_or_default().repeat(times.unwrap_or_default())
        };
        parts.into_iter().flatten().map(part).collect::<String>().into_bytes()
    };
    if !step.flag("gzipBody") {
        return Ok(body);
    }
    headers.insert("content-encoding", HeaderValue::from_static("gzip"));
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(&body)?;
    Ok(packer.finish()?)
}

/// Cuts a stream into lines and reads each as an event.
async fn read_events(mut body: SandboxBody, events: mpsc::UnboundedSender<Value>) {
    let mut pending = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        pending.extend_from_slice(frame.data_ref().map(Bytes::as_ref).unwrap_or_default());
        while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = pending.drain(..=end).collect();
            if let Ok(event) = serde_json::from_slice(&line)
                && events.send(event).is_err()
            {
                return;
            }
        }
    }
    if let Ok(event) = serde_json::from_slice(&pending) {
        // Nobody is left to hear of it if this fails.
        events.send(event).ok();
    }
}

/// A stream of events; it ends when dropped.
pub struct Watch {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    events: mpsc::UnboundedReceiver<Value>,
    reader: JoinHandle<()>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Watch {
    /// Returns the next `count` events, or with `None` all to the end, and whether the stream ended.
    pub async fn collect(&mut self, count: Option<usize>, patience: Duration, bookmarks: bool) -> (Vec<Value>, bool) {
        let until = Instant::now() + patience;
        let mut out = Vec::new();
        while count.is_none_or(|count| out.len() < count) {
            let event = match tokio::time::timeout_at(until, self.events.recv()).await {
                Err(_) => break,
                Ok(None) => return (out, true),
                Ok(Some(event)) => event,
            };
            let bookmark = event.get("type").and_then(Value::as_str) == Some("BOOKMARK");
            // A server may send one at any time.
            let stray = bookmark && !bookmarks && truthless(pointer(&event, "/object/metadata/annotations"));
            if !stray {
                out.push(event);
            }
        }
        (out, false)
    }
}

fn truthless(value: Option<&Value>) -> bool {
    value.is_none_or(|value| value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty))
}
