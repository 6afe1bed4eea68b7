//! Watches: a place in the history of a resource, and what a client wants to see of it.
//!
//! A watch holds no queue. It remembers the version it has seen and asks the store for what came after,
//! so a thousand slow watchers cost nothing but their cursor; one that falls behind the history ends
//! with `410 Expired`, as a slow watcher of the real server does.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use lockstep_object::{Object, Value, write_json};

use crate::{
    build::map,
    catalog::Resource,
    negotiate::{Accepted, Form},
    options::ListOptions,
    reading::{check_fields, parse_version},
    server::{Call, Reply, ReplyBody, Server},
    status::{Failure, Outcome},
    store::{Change, Event, Stored},
    strategy,
};

/// How many changes are looked at in one go, so that one watcher does not hold the server.
const BATCH: usize = 256;
/// How many bytes are put together for one piece of a stream: a client that does not read holds about as many.
const PIECE: usize = 32 << 10;
/// How often a client that asked for bookmarks gets one.
const BOOKMARK_SECONDS: i64 = 60;

/// A watch that a client holds.
pub(crate) struct Watch {
    resource: Arc<Resource>,
    namespace: Option<String>,
    name: Option<String>,
    options: ListOptions,
    accepted: Accepted,
    include: String,
    seen: u64,
    initial: VecDeque<Arc<Stored>>,
    /// The bookmark that ends the initial events is still to come.
    announce: bool,
    header_sent: bool,
    last_bookmark: Timestamp,
    /// When the watch ends.
    pub(crate) deadline: Timestamp,
    failure: Option<Failure>,
    done: bool,
}

/// What a watch yields.
pub(crate) enum Next {
    /// Lines to send.
    Lines(Bytes),
    /// Nothing yet, but there is more to look at.
    Again,
    /// Nothing for now.
    Wait,
    /// The end.
    End,
}

impl Server {
    pub(crate) fn watch(&mut self, call: &mut Call<'_>) -> Outcome<Reply> {
        let mut options = ListOptions::parse(call.query)?;
        options.watch = true;
        check_fields(&call.resource, &options.fields)?;
        let asked = options.version.as_deref().map(parse_version).transpose().map_err(Failure::plain)?;
        let now = call.moment.now();
        let seconds = match options.timeout {
            Some(seconds) if seconds > 0 => seconds.min(86_400),
            // The server's own choice: between half an hour and an hour.
            _ => 1800 + i64::try_from(call.moment.draw() % 1800).unwrap_or_default(),
        };
        let from_now = matches!(asked, None | Some(0));
        let initial = options.initial_events == Some(true) || (from_now && options.initial_events.is_none());
        let mut watch = Watch {
            resource: call.resource.clone(),
            namespace: call.path.namespace.clone(),
            name: call.path.name.clone(),
            accepted: call.accepted,
            include: call.query.get("includeObject").unwrap_or_default().to_owned(),
            seen: if from_now || initial { self.store.version() } else { asked.unwrap_or_default() },
            initial: VecDeque::new(),
            announce: options.initial_events == Some(true) && options.bookmarks,
            header_sent: false,
            last_bookmark: now,
            deadline: now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(now),
            failure: None,
            done: false,
            options,
        };
        if initial && let Some(bucket) = self.store.bucket(&call.resource.store) {
            let range = bucket.range(watch.namespace.as_deref());
            watch.initial =
                range.filter(|(_, stored)| watch.selects(&stored.object)).map(|(_, one)| one.clone()).collect();
        }
        let mut reply = Reply::empty(200);
        reply.content_type = call.accepted.content_type();
        reply.body = ReplyBody::Watch(Box::new(watch));
        Ok(reply)
    }
}

impl Watch {
    pub(crate) fn store(&self) -> &Arc<str> {
        &self.resource.store
    }

    fn selects(&self, object: &Object) -> bool {
        self.namespace.as_deref().is_none_or(|namespace| object.namespace() == namespace)
            && self.name.as_deref().is_none_or(|name| object.name() == name)
            && self.options.labels.matches(object)
            && self.options.fields.matches(|field| strategy::field(&self.resource, object, field))
    }

    /// Returns when the watch wants to be asked again even if nothing happened.
    pub(crate) fn wake(&self) -> Timestamp {
        if !self.options.bookmarks {
            return self.deadline;
        }
        let bookmark = self.last_bookmark.checked_add(SignedDuration::from_secs(BOOKMARK_SECONDS));
        bookmark.map_or(self.deadline, |bookmark| bookmark.min(self.deadline))
    }

    /// Takes what is to be sent now.
    pub(crate) fn next(&mut self, server: &Server, now: Timestamp) -> Next {
        if self.done {
            return Next::End;
        }
        let mut out = Lines::default();
        self.take_initial(server, now, &mut out);
        let behind = self.initial.is_empty() && self.take_changes(server, now, &mut out);
        if now >= self.deadline && self.failure.is_none() && self.initial.is_empty() {
            if self.options.bookmarks && !self.announce && !behind {
                self.bookmark(server, now, false, &mut out);
            }
            self.done = true;
        } else if now >= self.wake() && self.initial.is_empty() && self.options.bookmarks && !behind {
            self.bookmark(server, now, false, &mut out);
        }
        if let Some(failure) = self.failure.take() {
            out.push("ERROR", &failure.to_value());
            self.done = true;
        }
        match out.take() {
            Some(lines) => Next::Lines(lines),
            None if self.done => Next::End,
            None if behind => Next::Again,
            None => Next::Wait,
        }
    }

    fn take_initial(&mut self, server: &Server, now: Timestamp, out: &mut Lines) {
        while out.len() < PIECE {
            let Some(stored) = self.initial.pop_front() else { break };
            let line = self.encode(&stored.object, now);
            out.push("ADDED", &line);
        }
        if self.announce && self.initial.is_empty() {
            self.announce = false;
            self.bookmark(server, now, true, out);
        }
    }

    /// Takes changes up to a piece. Tells whether there may be more.
    fn take_changes(&mut self, server: &Server, now: Timestamp, out: &mut Lines) -> bool {
        let Some(bucket) = server.store.bucket(&self.resource.store) else {
            // The resource is gone: the stream ends, as after the deletion of a CRD.
            self.done = true;
            return false;
        };
        let Some(events) = bucket.since(self.seen) else {
            let message = format!("too old resource version: {} ({})", self.seen, server.store.version());
            self.failure = Some(Failure::new(410, "Expired", message));
            return false;
        };
        for (count, event) in events.enumerate() {
            if count == BATCH || out.len() >= PIECE {
                return true;
            }
            self.seen = event.version;
            self.push_event(event, now, out);
        }
        false
    }

    /// Sends a change as it looks through the selector: what leaves it is deleted, what enters it is added.
    fn push_event(&mut self, event: &Event, now: Timestamp, out: &mut Lines) {
        let before = event.previous.as_ref().is_some_and(|previous| self.selects(&previous.object));
        let after = event.change != Change::Deleted && self.selects(&event.stored.object);
        let seen = match (before, after) {
            (false, true) => Change::Added,
            (true, true) => Change::Modified,
            (true, false) => Change::Deleted,
            (false, false) => return,
        };
        if seen == Change::Deleted && event.change != Change::Deleted {
            // What left the selector is shown as it was, with the version of the change.
            let Some(previous) = &event.previous else { return };
            let mut object = previous.object.clone();
            object.metadata_mut().insert("resourceVersion", event.version.to_string());
            let line = self.encode(&object, now);
            out.push(word(seen), &line);
            return;
        }
        let as_stored = || crate::versions::is_stored_form(&self.resource, &event.stored.object);
        if seen == event.change && self.accepted.form == Form::Object && as_stored() {
            out.share(event.line.get_or_init(|| {
                line(word(seen), &event.stored.object.to_value()).into_bytes().into_boxed_slice().into()
            }));
            return;
        }
        let line = self.encode(&event.stored.object, now);
        out.push(word(seen), &line);
    }

    fn encode(&mut self, object: &Object, now: Timestamp) -> Value {
        let value = crate::versions::show(&self.resource, object);
        match self.accepted.form {
            Form::Object => value,
            Form::Metadata | Form::MetadataList => crate::table::metadata_of(&value, self.accepted.meta.version()),
            Form::Table => {
                let version = object.str_at(&["metadata", "resourceVersion"]).to_owned();
                let header = !std::mem::replace(&mut self.header_sent, true);
                let metadata = map! { "resourceVersion" => version };
                let look =
                    crate::table::Look { include: &self.include, version: self.accepted.meta.version(), header, now };
                crate::table::table(&self.resource, &[value], metadata, look).unwrap_or_default()
            }
        }
    }

    fn bookmark(&mut self, server: &Server, now: Timestamp, initial_end: bool, out: &mut Lines) {
        self.last_bookmark = now;
        // What happened since the initial events were gathered is still to come.
        let version = if initial_end { self.seen } else { server.store.version() };
        let mut metadata = map! { "resourceVersion" => version.to_string() };
        if initial_end {
            metadata.insert("annotations", map! { "k8s.io/initial-events-end" => "true" });
        }
        let object = map! {
            "kind" => self.resource.kind.as_str(), "apiVersion" => self.resource.api_version(), "metadata" => metadata,
        };
        let value = crate::decode::zero_fields(server, &self.resource, Object::new(object));
        let value = match self.accepted.form {
            Form::Object => value.into_value(),
            Form::Metadata | Form::MetadataList => {
                crate::table::metadata_of(&value.into_value(), self.accepted.meta.version())
            }
            Form::Table => self.encode(&value, now),
        };
        out.push("BOOKMARK", &value);
    }
}

fn word(change: Change) -> &'static str {
    match change {
        Change::Added => "ADDED",
        Change::Modified => "MODIFIED",
        Change::Deleted => "DELETED",
    }
}

fn line(word: &str, object: &Value) -> String {
    let mut line = format!("{{\"type\":\"{word}\",\"object\":");
    write_json(&mut line, object);
    line.push_str("}\n");
    line
}

/// The lines of one piece. A single one that others see, too, is not copied.
#[derive(Default)]
struct Lines {
    shared: Bytes,
    own: Vec<u8>,
}

impl Lines {
    fn len(&self) -> usize {
        self.shared.len() + self.own.len()
    }

    fn share(&mut self, line: &Bytes) {
        if self.len() == 0 {
            self.shared = line.clone();
        } else {
            self.copy(line);
        }
    }

    fn push(&mut self, word: &str, object: &Value) {
        self.copy(line(word, object).as_bytes());
    }

    fn copy(&mut self, line: &[u8]) {
        self.own.extend_from_slice(&std::mem::take(&mut self.shared));
        self.own.extend_from_slice(line);
    }

    fn take(self) -> Option<Bytes> {
        let lines = if self.own.is_empty() { self.shared } else { self.own.into() };
        (!lines.is_empty()).then_some(lines)
    }
}
