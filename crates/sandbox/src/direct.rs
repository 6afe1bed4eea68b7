//! The server without HTTP and without a runtime, for simulations that hold the time themselves.

use std::sync::OnceLock;

use bytes::Bytes;

use crate::{
    access::User,
    request::Request,
    sandbox::Sandbox,
    server::ReplyBody,
    watching::{Next, Watch},
};

/// An answer.
pub struct Answer {
    /// The HTTP status.
    pub code: u16,
    /// The body.
    pub body: AnswerBody,
}

/// The body of an answer.
pub enum AnswerBody {
    /// All of it.
    Bytes(Bytes),
    /// A stream of events.
    Watch(Watching),
}

/// A watch that is asked for its events instead of waking anybody.
pub struct Watching {
    sandbox: Sandbox,
    watch: Box<Watch>,
}

impl Watching {
    /// Returns the lines that are there by now, empty if there is none; nothing at the end of the watch.
    pub fn poll(&mut self) -> Option<Vec<u8>> {
        let now = self.sandbox.now();
        let server = self.sandbox.lock();
        let mut found = Vec::new();
        loop {
            match self.watch.next(&server, now) {
                Next::Lines(lines) => found.extend_from_slice(&lines),
                Next::Again => {}
                Next::Wait => return Some(found),
                Next::End => return (!found.is_empty()).then_some(found),
            }
        }
    }
}

impl Request {
    /// Returns a request as the user `admin` sends it; `target` is the path with its query.
    pub fn as_admin(method: &str, target: &str, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut headers = http::HeaderMap::new();
        if !content_type.is_empty() {
            headers.insert("content-type", http::HeaderValue::from_static(content_type));
        }
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body: body.into(),
            certificate: Some(User::new("admin", &["system:masters"])),
            parsed: OnceLock::new(),
        }
    }
}

impl Sandbox {
    /// Answers a request; no fault that was set is considered.
    pub fn answer(&self, request: &Request) -> Answer {
        let reply = self.handle(request);
        let body = match reply.body {
            ReplyBody::Bytes(bytes) => AnswerBody::Bytes(bytes),
            ReplyBody::List(pieces) => {
                let mut whole = Vec::new();
                pieces.for_each(|piece| whole.extend_from_slice(&piece));
                AnswerBody::Bytes(whole.into())
            }
            ReplyBody::Watch(watch) => AnswerBody::Watch(Watching { sandbox: self.clone(), watch }),
        };
        Answer { code: reply.code, body }
    }
}
