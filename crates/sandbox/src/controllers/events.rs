//! Events: what happened, in the words that people know from a cluster.
//!
//! The same thing happening again counts up, and an event is kept for an hour after its last time, as by a real server.
//! They are written without managed fields, which nobody reads of them.

use std::time::Duration;

use lockstep_object::{Object, Value};
use sha2::{Digest, Sha256};

use super::later;
use crate::{
    build::{int_at, map},
    moment::Moment,
    server::Server,
    strategy::uid_of,
};

pub(super) const STORE: &str = "/events";
/// kube-apiserver's `--event-ttl`.
const KEPT: Duration = Duration::from_secs(3600);

/// What happened to an object.
pub(super) struct Event<'a> {
    /// Who says so, as `deployment-controller`.
    pub(super) component: &'a str,
    /// The field that it is about, as `spec.containers{web}`; empty for the whole object.
    pub(super) field: &'a str,
    pub(super) warning: bool,
    pub(super) reason: &'a str,
    pub(super) message: &'a str,
}

impl<'a> Event<'a> {
    /// Something usual.
    pub(super) fn normal(component: &'a str, reason: &'a str, message: &'a str) -> Self {
        Self { component, field: "", warning: false, reason, message }
    }

    /// Something that somebody should look at.
    pub(super) fn warning(component: &'a str, reason: &'a str, message: &'a str) -> Self {
        Self { warning: true, ..Self::normal(component, reason, message) }
    }
}

/// Tells what happened to an object.
pub(super) fn tell(server: &mut Server, moment: &mut Moment, about: &Object, event: &Event<'_>) {
    // Objects of the cluster have their events in `default`.
    let namespace = if about.namespace().is_empty() { "default" } else { about.namespace() };
    let name = format!("{}.{}", about.name(), digest(about, event));
    let time = moment.seconds();
    if let Some(known) = server.store.get(STORE, namespace, &name).cloned() {
        let mut again = known.object.clone();
        let count = int_at(&again.to_value(), &["count"]).unwrap_or(1);
        again.root_mut().insert("count", count + 1);
        again.root_mut().insert("lastTimestamp", time);
        server.store.put(&STORE.into(), again);
        return;
    }
    let metadata = map! {
        "name" => name, "namespace" => namespace, "uid" => moment.uid(), "creationTimestamp" => time.as_str(),
    };
    let mut involved = map! {
        "kind" => about.kind(), "namespace" => about.namespace(), "name" => about.name(), "uid" => uid_of(about),
        "apiVersion" => about.api_version(), "resourceVersion" => about.str_at(&["metadata", "resourceVersion"]),
    };
    if !event.field.is_empty() {
        involved.insert("fieldPath", event.field);
    }
    let mut source = map! { "component" => event.component };
    if event.component == super::KUBELET {
        source.insert("host", about.str_at(&["spec", "nodeName"]));
    }
    let object = map! {
        "apiVersion" => "v1", "kind" => "Event", "metadata" => metadata, "involvedObject" => involved,
        "reason" => event.reason, "message" => event.message, "source" => source, "firstTimestamp" => time.as_str(),
        "lastTimestamp" => time, "count" => 1, "type" => if event.warning { "Warning" } else { "Normal" },
        "eventTime" => Value::Null, "reportingComponent" => event.component, "reportingInstance" => "",
    };
    let stored = server.store.put(&STORE.into(), Object::new(object));
    later(server, moment, KEPT, &stored.object, STORE);
}

/// Names what happens again by the same name.
fn digest(about: &Object, event: &Event<'_>) -> String {
    let text = format!("{}\0{}\0{}\0{}", uid_of(about), event.field, event.reason, event.message);
    Sha256::digest(text)[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Forgets an event whose time is over.
pub(super) fn expire(server: &mut Server, moment: &mut Moment, event: &Object) {
    let last = event.str_at(&["lastTimestamp"]).parse::<jiff::Timestamp>().unwrap_or(moment.now());
    let age = u64::try_from(moment.now().as_second() - last.as_second()).unwrap_or_default();
    match KEPT.checked_sub(Duration::from_secs(age)).filter(|left| !left.is_zero()) {
        Some(left) => later(server, moment, left, event, STORE),
        None => drop(server.store.remove(&STORE.into(), event.namespace(), event.name())),
    }
}
