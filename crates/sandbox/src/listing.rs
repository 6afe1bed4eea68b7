//! The bodies of lists, encoded while they are sent: a list of ten thousand objects is never one text in memory.

use std::sync::Arc;

use bytes::Bytes;
use lockstep_object::{List, Map, Value, to_json, write_json};

use crate::{
    build::map,
    catalog::Resource,
    negotiate::{Encoding, Form},
    server::{Call, Reply, ReplyBody},
    store::Stored,
};

/// How many bytes are put together for one piece.
const PIECE: usize = 64 << 10;

/// Answers with a list of objects, or of their metadata.
pub(crate) fn reply(call: &Call<'_>, metadata: Map, items: Vec<Arc<Stored>>) -> Reply {
    let form = if call.accepted.form == Form::Object {
        Item::Object(call.resource.clone())
    } else {
        Item::Metadata(call.resource.clone(), call.accepted.meta.version())
    };
    let mut list = form.list(metadata);
    if call.accepted.encoding != Encoding::Json {
        let items: List = items.iter().map(|stored| form.show(stored)).collect();
        list.insert("items", items);
        return Reply::value(200, call.accepted, &Value::Map(list));
    }
    let mut pieces = Pieces::new(list, form, items);
    let mut reply = Reply::empty(200);
    reply.content_type = call.accepted.content_type();
    reply.body = match pieces.next() {
        // A short list is sent whole, with its length.
        Some(whole) if pieces.tail.is_empty() => ReplyBody::Bytes(whole),
        first => {
            pieces.first = first;
            ReplyBody::List(pieces)
        }
    };
    reply
}

/// What the items of a list are.
enum Item {
    /// Objects in the version of the resource.
    Object(Arc<Resource>),
    /// `PartialObjectMetadata` in a version of `meta.k8s.io`.
    Metadata(Arc<Resource>, &'static str),
}

impl Item {
    /// Makes the list without its items.
    fn list(&self, metadata: Map) -> Map {
        match self {
            Self::Object(resource) => map! {
                "kind" => resource.list_kind.as_str(), "apiVersion" => resource.api_version(), "metadata" => metadata,
            },
            Self::Metadata(_, version) => map! {
                "kind" => "PartialObjectMetadataList", "apiVersion" => format!("meta.k8s.io/{version}"),
                "metadata" => metadata,
            },
        }
    }

    fn show(&self, stored: &Stored) -> Value {
        match self {
            Self::Object(resource) => untyped(resource, crate::versions::show(resource, &stored.object)),
            Self::Metadata(resource, version) => {
                crate::table::metadata_of(&crate::versions::show(resource, &stored.object), version)
            }
        }
    }
}

/// Items of built-in lists stand without `apiVersion` and `kind`; those of custom resources keep them.
fn untyped(resource: &Resource, item: Value) -> Value {
    match item {
        Value::Map(map) if !resource.is_custom() => {
            let kept = map.iter().filter(|(key, _)| !matches!(key.as_str(), "apiVersion" | "kind"));
            Value::Map(kept.map(|(key, value)| (key.clone(), value.clone())).collect())
        }
        other => other,
    }
}

/// The pieces of a list's JSON. It holds the objects as they were, not their text.
pub(crate) struct Pieces {
    /// A piece that was made already.
    first: Option<Bytes>,
    /// What comes before the next item.
    head: String,
    item: Item,
    items: std::vec::IntoIter<Arc<Stored>>,
    /// What comes after the last item; empty after the end.
    tail: &'static str,
}

impl Pieces {
    fn new(list: Map, item: Item, items: Vec<Arc<Stored>>) -> Self {
        let mut head = to_json(&Value::Map(list));
        // The list's own closing bracket comes after the items.
        head.pop();
        head.push_str(",\"items\":[");
        Self { first: None, head, item, items: items.into_iter(), tail: "]}" }
    }
}

impl Iterator for Pieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        if self.tail.is_empty() {
            return None;
        }
        let mut piece = std::mem::take(&mut self.head);
        // No object is smaller than a few hundred bytes.
        piece.reserve(PIECE.min(512 * self.items.len()));
        while piece.len() < PIECE {
            let Some(stored) = self.items.next() else {
                piece.push_str(std::mem::take(&mut self.tail));
                break;
            };
            write_json(&mut piece, &self.item.show(&stored));
            if self.items.len() > 0 {
                piece.push(',');
            }
        }
        Some(piece.into())
    }
}
