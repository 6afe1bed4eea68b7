//! Namespaces, nodes and events.

use super::{
    field::{Causes, Field, Subject},
    pod,
};

/// Checks a Namespace.
pub(crate) fn namespace(new: &Subject<'_>, _old: Option<&Subject<'_>>, out: &mut Causes) {
    let finalizers = Field::of(new, "spec").at("finalizers");
    for name in finalizers.items() {
        let field = name.named(finalizers.path.clone());
        field.qualified(out);
        if !name.text().contains('/') && !["kubernetes", "orphan", "foregroundDeletion"].contains(&name.text()) {
            out.push(field.invalid("name is neither a standard finalizer name nor is it fully qualified"));
        }
    }
}

/// Checks the status of a Namespace.
pub(crate) fn namespace_status(new: &Subject<'_>, _old: Option<&Subject<'_>>, out: &mut Causes) {
    let phase = Field::of(new, "status").at("phase").named("status.Phase".to_owned());
    let shown = crate::status::go_quote(phase.text());
    if Field::metadata(new, "deletionTimestamp").is_set() {
        if phase.text() != "Terminating" {
            out.push(phase.invalid_as(&shown, "may only be 'Terminating' if `deletionTimestamp` is not empty"));
        }
    } else if phase.text() != "Active" {
        out.push(phase.invalid_as(&shown, "may only be 'Active' if `deletionTimestamp` is empty"));
    }
}

/// Checks a Node.
pub(crate) fn node(new: &Subject<'_>, old: Option<&Subject<'_>>, out: &mut Causes) {
    let spec = Field::of(new, "spec");
    pod::taints(&spec.at("taints").named("metadata.taints".to_owned()), out);
    let Some(old) = old else { return };
    let before = Field::of(old, "spec");
    for (key, words) in [("podCIDRs", "podCIDR"), ("providerID", "providerID")] {
        if !before.at(key).is_empty() && before.at(key).value != spec.at(key).value {
            let text = format!("node updates may not change {words} except from \"\" to valid");
            out.push(spec.at(key).forbidden(&text));
        }
    }
}

/// Checks an Event.
pub(crate) fn event(new: &Subject<'_>, _old: Option<&Subject<'_>>, out: &mut Causes) {
    let involved = Field::of(new, "involvedObject").at("namespace");
    let own = new.namespace();
    let of_cluster = involved.text().is_empty() && ["default", "kube-system"].contains(&own);
    if involved.text() != own && !of_cluster {
        out.push(involved.invalid_as(&crate::status::go_quote(involved.text()), "does not match event.namespace"));
    }
    if Field::of(new, "eventTime").is_set() {
        for key in ["reportingComponent", "reportingInstance", "action", "reason"] {
            let field = Field::of(new, key);
            let name = if key == "reportingComponent" { "reportingController" } else { key };
            field.named(name.to_owned()).needed(out);
        }
    }
}

/// Checks an Event of `events.k8s.io`.
pub(crate) fn new_event(new: &Subject<'_>, old: Option<&Subject<'_>>, out: &mut Causes) {
    if let Some(old) = old {
        return fixed_event(old, new, out);
    }
    let regarding = Field::of(new, "regarding").at("namespace").named("involvedObject.namespace".to_owned());
    let own = new.namespace();
    if regarding.text() != own && !(regarding.text().is_empty() && ["default", "kube-system"].contains(&own)) {
        out.push(regarding.invalid_as(&crate::status::go_quote(regarding.text()), "does not match event.namespace"));
    }
    let time = Field::of(new, "eventTime");
    time.needed(out);
    let kind = Field::of(new, "type");
    if !["Normal", "Warning"].contains(&kind.text()) {
        let shown = crate::status::go_quote(kind.text());
        out.push(kind.invalid_as(&shown, &format!("has invalid value: {}", kind.text())));
    }
    if time.is_set() {
        for key in ["reportingController", "reportingInstance", "action", "reason"] {
            Field::of(new, key).needed(out);
        }
    }
}

/// What may not change of an event through `events.k8s.io`: all but its metadata and series. The server looks at the
/// reason twice.
const FIXED: [&str; 14] = [
    "involvedObject",
    "reason",
    "message",
    "source",
    "firstTimestamp",
    "lastTimestamp",
    "count",
    "reason",
    "type",
    "eventTime",
    "action",
    "related",
    "reportingComponent",
    "reportingInstance",
];

/// Checks a changed event, which is in its stored form.
fn fixed_event(old: &Subject<'_>, new: &Subject<'_>, out: &mut Causes) {
    for key in FIXED {
        let name = if key == "reportingComponent" { "reportingController" } else { key };
        Field::of(new, key).named(name.to_owned()).immutable(&Field::of(old, key), out);
    }
}
