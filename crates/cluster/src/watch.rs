//! A watch that survives.

use std::{collections::HashSet, time::Duration};

use bytes::BytesMut;
use http::Request;
use http_body_util::BodyExt;
use kube::client::Body;
use lockstep_object::{Object, Value, from_json};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{Cluster, Error, Resource, Verb};

/// What a watch tells.
#[derive(Debug)]
pub enum WatchEvent {
    /// The object is as told.
    Live(Object),
    /// The object went; its last state.
    Gone(Object),
    /// Everything that was there when the watch began has been told; nothing else is there.
    Synced {
        /// The uids of all objects.
        uids: HashSet<String>,
        /// The version of the list, as a number; what came after it is not in it.
        version: u64,
    },
    /// The watch cannot go on for now; it is tried again.
    Failed(Error),
}

/// A watch over all objects of a resource that a label selector chooses.
///
/// # Guarantees
/// After every [`WatchEvent::Synced`] the events told so far are the whole truth. Objects that went while there
/// was no connection are missing in the next `Synced`.
pub struct Watch {
    cluster: Cluster,
    resource: Resource,
    /// The namespace; all if it is empty.
    namespace: String,
    /// What chooses the objects, as parameters of the query.
    selector: String,
    /// Where to go on; empty: from the beginning.
    version: String,
    stream: Option<Stream>,
    uids: Option<HashSet<String>>,
    pause: Duration,
}

struct Stream {
    body: Body,
    buffer: BytesMut,
    /// How much of the buffer holds no line end.
    searched: usize,
}

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// The server ends a watch after as long, so that a dead connection is noticed even if the network says nothing.
const SECONDS: u32 = 290;

impl Watch {
    /// Returns a watch; it opens its connection when it is first asked.
    pub fn new(cluster: Cluster, resource: Resource, selector: &str) -> Self {
        Self {
            cluster,
            resource,
            namespace: String::new(),
            selector: format!("labelSelector={}", percent_encoded(selector)),
            version: String::new(),
            stream: None,
            uids: None,
            pause: FIRST_PAUSE,
        }
    }

    /// Returns a watch over one object.
    pub fn one(cluster: Cluster, resource: Resource, namespace: &str, name: &str) -> Self {
        let selector = format!("fieldSelector={}", percent_encoded(&format!("metadata.name={name}")));
        Self { namespace: namespace.to_owned(), selector, ..Self::new(cluster, resource, "") }
    }

    /// Waits for the next event.
    pub async fn next(&mut self) -> WatchEvent {
        loop {
            match self.advance().await {
                Ok(Some(event)) => {
                    self.pause = FIRST_PAUSE;
                    return event;
                }
                Ok(None) => {}
                Err(error) => {
                    self.stream = None;
                    if error.code() == Some(410) {
                        self.version.clear();
                        continue;
                    }
                    tokio::time::sleep(self.pause).await;
                    self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                    return WatchEvent::Failed(error);
                }
            }
        }
    }

    async fn advance(&mut self) -> Result<Option<WatchEvent>, Error> {
        let Some(stream) = &mut self.stream else {
            self.stream = Some(self.open().await?);
            return Ok(None);
        };
        match stream.line().await? {
            Some(line) => self.take(&line),
            None => {
                self.stream = None;
                Ok(None)
            }
        }
    }

    async fn open(&mut self) -> Result<Stream, Error> {
        let mut uri = format!(
            "{}?watch=true&allowWatchBookmarks=true&timeoutSeconds={SECONDS}&{}",
            self.resource.collection(&self.namespace),
            self.selector
        );
        if self.version.is_empty() {
            uri.push_str("&sendInitialEvents=true&resourceVersionMatch=NotOlderThan");
            self.uids = Some(HashSet::new());
        } else {
            uri.push_str(&format!("&resourceVersion={}", self.version));
        }
        self.cluster.counts().add(Verb::Watch);
        let request = Request::get(uri).body(Body::empty()).map_err(|error| Error::Settings(error.to_string()))?;
        let response = self.cluster.client().send(request).await?;
        let code = response.status().as_u16();
        let body = response.into_body();
        if code == 200 {
            return Ok(Stream { body, buffer: BytesMut::new(), searched: 0 });
        }
        let bytes = body.collect().await?.to_bytes();
        Err(Error::from_answer(code, &bytes))
    }

    fn take(&mut self, line: &[u8]) -> Result<Option<WatchEvent>, Error> {
        let event =
            from_json(line).map_err(|error| Error::Unreachable(format!("a watch event is no JSON: {error}")))?;
        let kind = event.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        let Some(Ok(object)) = event.get("object").cloned().map(Object::try_from) else { return Ok(None) };
        if kind == "ERROR" {
            let code = object.at(&["code"]).and_then(Value::as_i64).and_then(|code| u16::try_from(code).ok());
            return Err(Error::Answer {
                code: code.unwrap_or(500),
                reason: object.str_at(&["reason"]).to_owned(),
                message: object.str_at(&["message"]).to_owned(),
            });
        }
        let version = object.str_at(&["metadata", "resourceVersion"]).to_owned();
        if self.uids.is_none() || kind == "BOOKMARK" {
            // While the initial events come in, their versions are in no order: only the bookmark at their end counts.
            self.version = version;
        }
        Ok(match kind.as_str() {
            "ADDED" | "MODIFIED" => {
                if let Some(uids) = &mut self.uids {
                    uids.insert(object.str_at(&["metadata", "uid"]).to_owned());
                }
                Some(WatchEvent::Live(object))
            }
            "DELETED" => {
                if let Some(uids) = &mut self.uids {
                    uids.remove(object.str_at(&["metadata", "uid"]));
                }
                Some(WatchEvent::Gone(object))
            }
            "BOOKMARK" if object.annotation("k8s.io/initial-events-end") == Some("true") => {
                let version = self.version.parse().unwrap_or(u64::MAX);
                self.uids.take().map(|uids| WatchEvent::Synced { uids, version })
            }
            _ => None,
        })
    }
}

impl Stream {
    /// Waits for the next line; nothing at the end.
    async fn line(&mut self) -> Result<Option<Vec<u8>>, Error> {
        loop {
            if let Some(place) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(self.searched + place + 1);
                self.searched = 0;
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                return Ok(Some(line.to_vec()));
            }
            self.searched = self.buffer.len();
            match self.body.frame().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(error.into()),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
            }
        }
    }
}

/// What needs no escape in a query: RFC 3986's unreserved characters.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn percent_encoded(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}
