//! What is kept of a live object: facts, not the object.

use jiff::Timestamp;
use lockstep_api::{API_VERSION, APP_LABEL, FIELD_MANAGER, HOOK_RUN};
use lockstep_diff::owned_digest;
use lockstep_health::{Health, Rules, Status};
use lockstep_object::{Object, Text, Value};

use crate::Marks;

/// The facts of a live object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// The server's id.
    pub uid: Text,
    /// The server's version, as a number where it is one; older events are ignored by it.
    pub version: u64,
    /// The digest of the fields that we own, as stored; 0 if we own none.
    pub owned: u64,
    /// How well it is.
    pub status: Status,
    /// Why.
    pub message: Box<str>,
    /// The App that it belongs to, by its label.
    pub app: Option<Text>,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Its finalizers in words, while it is being deleted.
    pub finalizers: Box<str>,
    /// What its annotations ask for.
    pub marks: Marks,
    /// The sync that a hook ran for.
    pub hook_run: Option<Text>,
}

impl Live {
    /// Looks at an object.
    pub fn of(object: &Object, rules: &Rules, now: Timestamp) -> Self {
        let marks = Marks::of(object);
        let health = match object.kind() {
            _ if marks.ignore_health => Health::new(Status::Healthy, ""),
            "App" if object.api_version() == API_VERSION => health_of_app(object),
            // Many controllers publish no address, and waiting for one is what Argo CD's users turn off by hand;
            // kstatus does not wait for it either.
            "Ingress" => Health::new(Status::Healthy, ""),
            _ => rules.assess(object, now).unwrap_or_else(|| Health::new(Status::Healthy, "")),
        };
        Self {
            uid: object.str_at(&["metadata", "uid"]).into(),
            version: Self::version_of(object),
            owned: owned_digest(object, FIELD_MANAGER).unwrap_or_default(),
            status: health.status,
            message: health.message.into(),
            app: object.label(APP_LABEL).map(Text::from),
            finalizers: finalizers_of(object).into(),
            deleting: object.at(&["metadata", "deletionTimestamp"]).is_some(),
            marks,
            hook_run: object.annotation(HOOK_RUN).map(Text::from),
        }
    }

    /// Returns the server's version of an object as a number.
    pub fn version_of(object: &Object) -> u64 {
        object.str_at(&["metadata", "resourceVersion"]).parse().unwrap_or_default()
    }
}

fn finalizers_of(object: &Object) -> String {
    if object.at(&["metadata", "deletionTimestamp"]).is_none() {
        return String::new();
    }
    let names = object.at(&["metadata", "finalizers"]).and_then(Value::as_list);
    names.into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
}

/// Judges an App that belongs to another App by its own conditions.
fn health_of_app(app: &Object) -> Health {
    let conditions = app.at(&["status", "conditions"]).and_then(Value::as_list);
    let is = |kind: &str| {
        let found = conditions.into_iter().flatten().find(|one| one.get("type").and_then(Value::as_str) == Some(kind));
        found.and_then(|one| one.get("status")).and_then(Value::as_str) == Some("True")
    };
    let message = app.str_at(&["status", "message"]);
    let current = app.at(&["status", "observedGeneration"]) == app.at(&["metadata", "generation"]);
    match () {
        () if is("Ready") && current => Health::new(Status::Healthy, ""),
        () if is("Stalled") || app.str_at(&["status", "phase"]) == "Failed" => Health::new(Status::Degraded, message),
        () => Health::new(Status::Progressing, message),
    }
}
