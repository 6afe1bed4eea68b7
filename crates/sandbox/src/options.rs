//! The options of requests: list, create, update, patch and delete.

use lockstep_object::Value;

use crate::{
    build::{list_at, text_at},
    request::Query,
    select::{Fields, Labels},
    status::{Cause, Failure, Outcome, go_quote},
};

/// How a list or watch is narrowed.
#[derive(Clone, Debug, Default)]
pub(crate) struct ListOptions {
    pub(crate) labels: Labels,
    pub(crate) fields: Fields,
    pub(crate) limit: usize,
    pub(crate) resume: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) version_match: String,
    pub(crate) watch: bool,
    pub(crate) timeout: Option<i64>,
    pub(crate) bookmarks: bool,
    pub(crate) initial_events: Option<bool>,
}

fn number(query: &Query, name: &str) -> Outcome<Option<i64>> {
    let Some(text) = query.get(name).filter(|text| !text.is_empty()) else { return Ok(None) };
    let parsed = text.parse::<i64>();
    parsed
        .map(Some)
        .map_err(|_| Failure::bad_request(format!("strconv.ParseInt: parsing {}: invalid syntax", go_quote(text))))
}

impl ListOptions {
    pub(crate) fn parse(query: &Query) -> Outcome<Self> {
        let labels = Labels::parse(query.get("labelSelector").unwrap_or_default()).map_err(Failure::bad_request)?;
        let fields = Fields::parse(query.get("fieldSelector").unwrap_or_default()).map_err(Failure::bad_request)?;
        let text = |name: &str| query.get(name).filter(|value| !value.is_empty()).map(str::to_owned);
        let options = Self {
            labels,
            fields,
            limit: usize::try_from(number(query, "limit")?.unwrap_or_default()).unwrap_or_default(),
            resume: text("continue"),
            version: text("resourceVersion"),
            version_match: text("resourceVersionMatch").unwrap_or_default(),
            watch: query.flag("watch"),
            timeout: number(query, "timeoutSeconds")?,
            bookmarks: query.flag("allowWatchBookmarks"),
            initial_events: query.get("sendInitialEvents").map(|_| query.flag("sendInitialEvents")),
        };
        options.validate()?;
        Ok(options)
    }

    /// Checks the combinations as `ValidateListOptions` does.
    fn validate(&self) -> Outcome<()> {
        let causes = if self.watch { self.watch_causes() } else { self.list_causes() };
        if causes.is_empty() { Ok(()) } else { Err(Failure::invalid("meta.k8s.io", "ListOptions", "", &causes)) }
    }

    fn watch_causes(&self) -> Vec<Cause> {
        let field = "resourceVersionMatch";
        let mut causes = Vec::new();
        match self.initial_events {
            Some(_) if self.version_match != "NotOlderThan" => {
                causes.push(Cause::forbidden(
                    field,
                    "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
                ));
            }
            None if !self.version_match.is_empty() => {
                causes.push(Cause::forbidden(
                    field,
                    "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
                ));
            }
            _ => {}
        }
        if !self.version_match.is_empty() {
            if self.version_match != "NotOlderThan" {
                causes.push(Cause::not_supported(field, &self.version_match, &["NotOlderThan"]));
            }
            if self.resume.is_some() {
                causes.push(Cause::forbidden(field, "resourceVersionMatch is forbidden when continue is provided"));
            }
        }
        causes
    }

    fn list_causes(&self) -> Vec<Cause> {
        let field = "resourceVersionMatch";
        let mut causes = Vec::new();
        if self.initial_events.is_some() {
            causes.push(Cause::forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
        }
        if self.version_match.is_empty() {
            return causes;
        }
        if self.version.is_none() {
            causes
                .push(Cause::forbidden(field, "resourceVersionMatch is forbidden unless resourceVersion is provided"));
        }
        if self.resume.is_some() {
            causes.push(Cause::forbidden(field, "resourceVersionMatch is forbidden when continue is provided"));
        }
        if !matches!(self.version_match.as_str(), "Exact" | "NotOlderThan") {
            causes.push(Cause::not_supported(field, &self.version_match, &["Exact", "NotOlderThan", ""]));
        }
        if self.version_match == "Exact" && self.version.as_deref() == Some("0") {
            let text = "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
            causes.push(Cause::forbidden(field, text));
        }
        causes
    }
}

/// What is done about fields that are not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldValidation {
    Ignore,
    Warn,
    Strict,
}

/// The options of a write.
#[derive(Clone, Debug)]
pub(crate) struct WriteOptions {
    pub(crate) dry_run: bool,
    pub(crate) manager: String,
    pub(crate) force: Option<bool>,
    pub(crate) validation: FieldValidation,
}

/// Which write the options belong to; the name is that of the options' kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteKind {
    Create,
    Update,
    Patch,
    Apply,
}

impl WriteKind {
    fn options_kind(self) -> &'static str {
        match self {
            Self::Create => "CreateOptions",
            Self::Update => "UpdateOptions",
            Self::Patch | Self::Apply => "PatchOptions",
        }
    }
}

impl WriteOptions {
    /// Reads the options of a write; `agent` is the `User-Agent`, from which the manager's name is taken if none is given.
    pub(crate) fn parse(query: &Query, kind: WriteKind, agent: &str) -> Outcome<Self> {
        let mut causes = Vec::new();
        let patch = matches!(kind, WriteKind::Patch | WriteKind::Apply);
        let force = query.get("force").filter(|_| patch).map(|_| query.flag("force"));
        if kind == WriteKind::Patch && force.is_some() {
            causes.push(Cause::forbidden("force", "may not be specified for non-apply patch"));
        }
        let manager = query.get("fieldManager").unwrap_or_default();
        if manager.is_empty() && kind == WriteKind::Apply {
            causes.push(Cause::required("fieldManager", "is required for apply patch"));
        }
        check_manager(manager, &mut causes);
        let dry_run = check_dry_run(&query.all("dryRun").collect::<Vec<_>>(), &mut causes);
        let validation = match query.get("fieldValidation").unwrap_or_default() {
            "" | "Warn" => FieldValidation::Warn,
            "Ignore" => FieldValidation::Ignore,
            "Strict" => FieldValidation::Strict,
            other => {
                causes.push(Cause::not_supported("fieldValidation", other, &["", "Ignore", "Strict", "Warn"]));
                FieldValidation::Warn
            }
        };
        if !causes.is_empty() {
            return Err(Failure::invalid("meta.k8s.io", kind.options_kind(), "", &causes));
        }
        let manager = if manager.is_empty() { manager_of_agent(agent) } else { manager.to_owned() };
        Ok(Self { dry_run, manager, force, validation })
    }
}

fn check_manager(manager: &str, causes: &mut Vec<Cause>) {
    if manager.len() > 128 {
        causes.push(Cause::new("FieldValueTooLong", "fieldManager", "Too long: may not be more than 128 bytes"));
    }
    // The server only takes printable characters.
    for (place, c) in manager.chars().enumerate() {
        if c.is_control() {
            let text = format!("invalid character {} (at position {place})", code_point(c));
            causes.push(Cause::invalid_text("fieldManager", manager, &text));
        }
    }
}

fn code_point(c: char) -> String {
    format!("U+{:04X}", c as u32)
}

fn check_dry_run(values: &[&str], causes: &mut Vec<Cause>) -> bool {
    if values.iter().any(|value| *value != "All") {
        let words: Vec<String> = values.iter().map(|value| go_quote(value)).collect();
        let text = format!("Unsupported value: [{}]: supported values: \"All\"", words.join(","));
        causes.push(Cause::new("FieldValueNotSupported", "dryRun", text));
    }
    !values.is_empty()
}

/// Takes the manager's name from a `User-Agent`: what stands before the first slash, at most 128 bytes.
pub(crate) fn manager_of_agent(agent: &str) -> String {
    let first = agent.split('/').next().unwrap_or_default();
    let printable: String = first.chars().filter(|c| !c.is_control()).collect();
    let mut end = printable.len().min(128);
    while !printable.is_char_boundary(end) {
        end -= 1;
    }
    match &printable[..end] {
        "" => "unknown".to_owned(),
        name => name.to_owned(),
    }
}

/// What happens to what an object owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Propagation {
    Orphan,
    Background,
    Foreground,
}

/// The options of a deletion.
#[derive(Clone, Debug, Default)]
pub(crate) struct DeleteOptions {
    pub(crate) dry_run: bool,
    pub(crate) grace: Option<i64>,
    pub(crate) propagation: Option<Propagation>,
    pub(crate) uid: Option<String>,
    pub(crate) version: Option<String>,
}

impl DeleteOptions {
    /// Reads the options from a body, or from the query if there is none.
    pub(crate) fn parse(body: Option<&Value>, query: &Query) -> Outcome<Self> {
        let mut options = Self::default();
        let (dry, policy, orphan): (Vec<String>, Option<String>, Option<bool>);
        if let Some(body) = body {
            dry = list_at(body, &["dryRun"]).iter().filter_map(Value::as_str).map(str::to_owned).collect();
            policy = body.get("propagationPolicy").and_then(Value::as_str).map(str::to_owned);
            orphan = body.get("orphanDependents").and_then(Value::as_bool);
            options.grace = body.get("gracePeriodSeconds").and_then(Value::as_i64);
            let owned =
                |key: &str| Some(text_at(body, &["preconditions", key]).to_owned()).filter(|text| !text.is_empty());
            options.uid = owned("uid");
            options.version = owned("resourceVersion");
        } else {
            dry = query.all("dryRun").map(str::to_owned).collect();
            policy = query.get("propagationPolicy").map(str::to_owned);
            orphan = query.get("orphanDependents").map(|_| query.flag("orphanDependents"));
            options.grace = number(query, "gracePeriodSeconds")?;
        }
        let mut causes = Vec::new();
        if let (Some(policy), Some(_)) = (&policy, orphan) {
            let text = "orphanDependents and deletionPropagation cannot be both set";
            causes.push(Cause::invalid_text("propagationPolicy", policy, text));
        }
        options.propagation = match (policy.as_deref(), orphan) {
            (None, None) => None,
            (Some("Foreground"), _) => Some(Propagation::Foreground),
            (Some("Background"), _) | (None, Some(false)) => Some(Propagation::Background),
            (Some("Orphan"), _) | (None, Some(true)) => Some(Propagation::Orphan),
            (Some(other), _) => {
                let known = ["Foreground", "Background", "Orphan", "nil"];
                causes.push(Cause::not_supported("propagationPolicy", other, &known));
                None
            }
        };
        options.dry_run = check_dry_run(&dry.iter().map(String::as_str).collect::<Vec<_>>(), &mut causes);
        if causes.is_empty() { Ok(options) } else { Err(Failure::invalid("meta.k8s.io", "DeleteOptions", "", &causes)) }
    }
}
