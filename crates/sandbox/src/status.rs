//! The `Status` answers of a Kubernetes API server.

pub(crate) use lockstep_object::go::quoted as go_quote;
use lockstep_object::{List, Map, Value};

use crate::build::map;

/// A request that failed: an HTTP code with the `Status` that explains it.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure(Box<Inner>);

#[derive(Clone, Debug, PartialEq)]
struct Inner {
    code: u16,
    reason: &'static str,
    message: String,
    details: Option<Map>,
    warnings: Vec<String>,
}

/// The result of handling a request.
pub(crate) type Outcome<T> = Result<T, Failure>;

/// One invalid field, as `field.Error` of apimachinery.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cause {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    pub(crate) field: String,
}

impl Cause {
    pub(crate) fn new(reason: &'static str, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), field: field.into() }
    }

    /// `Invalid value: <value>: <detail>`; the value as Go's `%v` or quoted.
    pub(crate) fn invalid(field: impl Into<String>, value: &str, detail: &str) -> Self {
        Self::new("FieldValueInvalid", field, format!("Invalid value: {value}: {detail}"))
    }

    /// An invalid string.
    pub(crate) fn invalid_text(field: impl Into<String>, value: &str, detail: &str) -> Self {
        Self::invalid(field, &go_quote(value), detail)
    }

    pub(crate) fn required(field: impl Into<String>, detail: &str) -> Self {
        let message = if detail.is_empty() { "Required value".to_owned() } else { format!("Required value: {detail}") };
        Self::new("FieldValueRequired", field, message)
    }

    pub(crate) fn forbidden(field: impl Into<String>, detail: &str) -> Self {
        Self::new("FieldValueForbidden", field, format!("Forbidden: {detail}"))
    }

    pub(crate) fn not_supported(field: impl Into<String>, value: &str, supported: &[&str]) -> Self {
        let words: Vec<String> = supported.iter().map(|word| go_quote(word)).collect();
        Self::new(
            "FieldValueNotSupported",
            field,
            format!("Unsupported value: {}: supported values: {}", go_quote(value), words.join(", ")),
        )
    }

    pub(crate) fn text(&self) -> String {
        format!("{}: {}", self.field, self.message)
    }

    fn to_value(&self) -> Value {
        Value::Map(map! { "reason" => self.reason, "message" => self.message.as_str(), "field" => self.field.as_str() })
    }
}

impl Failure {
    pub(crate) fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { code, reason, message: message.into(), details: None, warnings: Vec::new() }))
    }

    pub(crate) fn with_details(mut self, details: Map) -> Self {
        self.0.details = Some(details);
        self
    }

    /// Adds `Warning` headers to the answer.
    pub(crate) fn with_warnings(mut self, warnings: Vec<String>) -> Self {
        self.0.warnings = warnings;
        self
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(500, "InternalError", message)
    }

    /// An error without a reason, as the server makes of a plain Go error.
    pub(crate) fn plain(message: impl Into<String>) -> Self {
        Self::new(500, "", message)
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    /// The path is known to no handler.
    pub(crate) fn no_such_resource() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource").with_details(Map::new())
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
            .with_details(Map::new())
    }

    /// `configmaps "x" not found`.
    pub(crate) fn not_found(group: &str, resource: &str, name: &str) -> Self {
        let group = registry_group(group);
        Self::new(404, "NotFound", format!("{} \"{name}\" not found", qualified(resource, group)))
            .with_details(named(name, group, resource))
    }

    /// `configmaps "x" already exists`.
    pub(crate) fn already_exists(group: &str, resource: &str, name: &str) -> Self {
        let group = registry_group(group);
        Self::new(409, "AlreadyExists", format!("{} \"{name}\" already exists", qualified(resource, group)))
            .with_details(named(name, group, resource))
    }

    /// `Operation cannot be fulfilled on configmaps "x": …`.
    pub(crate) fn conflict(group: &str, resource: &str, name: &str, why: &str) -> Self {
        let group = registry_group(group);
        let message = format!("Operation cannot be fulfilled on {} \"{name}\": {why}", qualified(resource, group));
        Self::new(409, "Conflict", message).with_details(named(name, group, resource))
    }

    /// `configmaps "x" is forbidden: …`; without a name the quotes and the name are left out as the server does.
    pub(crate) fn forbidden(group: &str, resource: &str, name: &str, why: &str) -> Self {
        let what = qualified(resource, group);
        let message = match (what.is_empty(), name.is_empty()) {
            (true, _) => format!("forbidden: {why}"),
            (false, true) => format!("{what} is forbidden: {why}"),
            (false, false) => format!("{what} \"{name}\" is forbidden: {why}"),
        };
        Self::new(403, "Forbidden", message).with_details(named(name, group, resource))
    }

    /// `ConfigMap "x" is invalid: …` with the causes; several are in brackets.
    pub(crate) fn invalid(group: &str, kind: &str, name: &str, causes: &[Cause]) -> Self {
        let group = registry_group(group);
        let mut texts: Vec<String> = Vec::new();
        for cause in causes {
            let text = cause.text();
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        let summary = match texts.as_slice() {
            [] => "<nil>".to_owned(),
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let mut details = named(name, group, kind);
        if !causes.is_empty() {
            details.insert("causes", Value::List(causes.iter().map(Cause::to_value).collect::<List>()));
        }
        Self::new(422, "Invalid", format!("{} \"{name}\" is invalid: {summary}", qualified(kind, group)))
            .with_details(details)
    }

    pub(crate) fn code(&self) -> u16 {
        self.0.code
    }

    pub(crate) fn message(&self) -> &str {
        &self.0.message
    }

    pub(crate) fn warnings(&self) -> &[String] {
        &self.0.warnings
    }

    /// Returns the `Status` object.
    pub(crate) fn to_value(&self) -> Value {
        let mut status = map! {
            "kind" => "Status", "apiVersion" => "v1", "metadata" => Map::new(),
            "status" => "Failure", "message" => self.0.message.as_str(),
        };
        if !self.0.reason.is_empty() {
            status.insert("reason", self.0.reason);
        }
        if let Some(details) = &self.0.details {
            status.insert("details", details.clone());
        }
        status.insert("code", i64::from(self.0.code));
        Value::Map(status)
    }
}

/// Returns the group of the registry that serves a group: events are those of the core group through either door.
fn registry_group(group: &str) -> &str {
    if group == "events.k8s.io" { "" } else { group }
}

/// `deployments.apps`, or `pods` in the core group.
pub(crate) fn qualified(resource: &str, group: &str) -> String {
    if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") }
}

fn named(name: &str, group: &str, kind: &str) -> Map {
    let mut details = Map::new();
    for (key, text) in [("name", name), ("group", group), ("kind", kind)] {
        if !text.is_empty() {
            details.insert(key, text);
        }
    }
    details
}

impl Failure {
    /// Puts words before the message.
    pub(crate) fn prefixed(mut self, words: &str) -> Self {
        self.0.message = format!("{words}{}", self.0.message);
        self
    }
}

impl Failure {
    pub(crate) fn details(&self) -> Map {
        self.0.details.clone().unwrap_or_default()
    }
}

/// Names the usual reason of a code.
pub(crate) fn reason_of(code: u16) -> &'static str {
    match code {
        400 => "BadRequest",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        410 => "Expired",
        422 => "Invalid",
        429 => "TooManyRequests",
        500 => "InternalError",
        503 => "ServiceUnavailable",
        504 => "Timeout",
        _ => "",
    }
}
