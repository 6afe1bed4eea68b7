//! PATCH: JSON patch, merge patch, strategic merge patch and server-side apply.

use lockstep_merge::{json_patch, merge_patch, strategic};
use lockstep_object::{Gvk, Object, Value, to_json};

use crate::{
    decode::Decoded,
    document::Document,
    managed,
    options::{FieldValidation, WriteKind, WriteOptions},
    server::{Call, Reply, Server},
    status::{Cause, Failure, Outcome, go_quote},
    versions,
    writing::{BodyKind, Write, media_type},
};

/// Why a patch was refused before it was tried: the operations of a JSON patch are limited as the server's are.
const JSON_PATCH_LIMIT: usize = 10_000;

/// How the body of a PATCH is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PatchKind {
    Json,
    Merge,
    Strategic,
    Apply,
}

impl PatchKind {
    pub(crate) fn of(call: &Call<'_>) -> Outcome<Self> {
        match media_type(call).as_str() {
            "application/json-patch+json" => Ok(Self::Json),
            "application/merge-patch+json" => Ok(Self::Merge),
            "application/strategic-merge-patch+json" if !call.resource.is_custom() => Ok(Self::Strategic),
            "application/apply-patch+yaml" => Ok(Self::Apply),
            "application/strategic-merge-patch+json" => Err(Failure::new(
                415,
                "UnsupportedMediaType",
                "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
            )),
            _ => Err(Failure::new(415, "UnsupportedMediaType", "415: Unsupported Media Type")
                .with_details(lockstep_object::Map::new())),
        }
    }
}

impl Server {
    pub(crate) fn patch(&mut self, call: &mut Call<'_>) -> Outcome<Reply> {
        let (code, object) = self.patch_object(call)?;
        self.reply_object(call, code, &object)
    }

    fn patch_object(&mut self, call: &mut Call<'_>) -> Outcome<(u16, Object)> {
        let kind = PatchKind::of(call)?;
        if kind == PatchKind::Apply {
            return self.apply(call);
        }
        let options = WriteOptions::parse(call.query, WriteKind::Patch, call.agent())?;
        let existing = self.find(call)?;
        let shown = versions::show(&call.resource, &existing.object);
        let target = BodyKind {
            group: call.resource.group.clone(),
            version: call.resource.version.clone(),
            kind: call.resource.kind.clone(),
        };
        let decoded = self.patched(call, kind, &shown, &target, options.validation)?;
        let mut object = decoded.object;
        check_identity(call, &object)?;
        crate::defaults::apply(&call.resource, &mut object);
        let mut write = Write::of(call, options);
        let result = self.replace(&mut write, &existing.object, object);
        let warnings = std::mem::take(&mut write.warnings);
        call.warnings.extend(warnings);
        Ok((200, result?))
    }

    /// Applies a patch to a shown object and decodes the result.
    pub(crate) fn patched(
        &self,
        call: &mut Call<'_>,
        kind: PatchKind,
        shown: &Value,
        target: &BodyKind,
        validation: FieldValidation,
    ) -> Outcome<Decoded> {
        let document = parse_patch(call, kind)?;
        let mut complaints: Vec<String> = document
            .duplicates
            .iter()
            .map(|one| {
                let path = if one.parent.is_empty() { one.key.clone() } else { format!("{}.{}", one.parent, one.key) };
                if kind == PatchKind::Json {
                    format!("json patch duplicate field {}", go_quote(&path))
                } else {
                    format!("duplicate field {}", go_quote(&path))
                }
            })
            .collect();
        let result = &self.run_patch(kind, shown, &document.value, target)?;
        let refused = |error: &str| {
            let text = match kind {
                PatchKind::Strategic => crate::gofmt::go_map(&document.value),
                _ => to_json(&as_printed(kind, shown, &document.value, result, target)),
            };
            invalid_patch(&text, error)
        };
        let result = with_kind(result, target).map_err(|error| refused(&error))?;
        let root = self.types.root(&target.group, &target.version, &target.kind);
        let decoded = match (&call.resource.custom, root) {
            (Some(custom), _) if target.kind == call.resource.kind => {
                let whole = Document { value: result.clone(), ..Document::default() };
                crate::crd::decode(&self.types, &call.resource, custom, whole)?
            }
            (_, Some(root)) => crate::decode::normalize(&self.types, &root, result.clone())
                .map_err(|error| refused(&if kind == PatchKind::Strategic { unconverted(&error) } else { error }))?,
            _ => Decoded { object: Object::try_from(result.clone()).unwrap_or_default(), complaints: Vec::new() },
        };
        let mut decoded = decoded;
        // An empty list takes the managed fields away; decoding leaves it out.
        let fields = result.at(&["metadata", "managedFields"]).and_then(Value::as_list);
        if fields.is_some_and(|fields| fields.is_empty()) {
            decoded.object.metadata_mut().insert("managedFields", Vec::<Value>::new());
        }
        complaints.extend(decoded.complaints);
        match validation {
            FieldValidation::Ignore => {}
            FieldValidation::Warn => call.warnings.extend(complaints),
            FieldValidation::Strict if complaints.is_empty() => {}
            FieldValidation::Strict => {
                return Err(refused(&format!("strict decoding error: {}", complaints.join(", "))));
            }
        }
        Ok(Decoded { object: decoded.object, complaints: Vec::new() })
    }

    fn run_patch(&self, kind: PatchKind, shown: &Value, patch: &Value, target: &BodyKind) -> Outcome<Value> {
        match kind {
            PatchKind::Json => {
                let operations = patch.as_list().map_or(0, |list| list.len());
                if operations > JSON_PATCH_LIMIT {
                    return Err(Failure::new(
                        413,
                        "RequestEntityTooLarge",
                        format!(
                            "Request entity too large: The allowed maximum operations in a JSON patch is {JSON_PATCH_LIMIT}, got {operations}"
                        ),
                    ));
                }
                json_patch::apply(shown, patch).map_err(|error| json_patch_failure(&error.0))
            }
            PatchKind::Merge => Ok(merge_patch::apply(shown, patch)),
            PatchKind::Strategic => {
                let root = self.schema.root_type(&Gvk::new(&target.group, &target.version, &target.kind));
                let schema = strategic::Schema { types: self.schema.types(), root: &root };
                strategic::apply(shown, patch, schema).map_err(|error| strategic_failure(&error.0))
            }
            PatchKind::Apply => Ok(patch.clone()),
        }
    }

    /// Server-side apply.
    fn apply(&mut self, call: &mut Call<'_>) -> Outcome<(u16, Object)> {
        let options = WriteOptions::parse(call.query, WriteKind::Apply, call.agent())?;
        let applied = read_apply(call, options.validation)?;
        let existing = self.store.get(&call.resource.store, call.namespace(), call.name()).cloned();
        if existing.is_none() {
            if call.path.subresource.is_some() {
                return Err(call.not_found());
            }
            self.authorize_apply_create(call)?;
        }
        let applied = check_applied(call, &self.body_kind(call), applied)?;
        let mut write = Write::of(call, options);
        let result = self.apply_object(&mut write, existing.as_ref().map(|stored| &stored.object), applied);
        let warnings = std::mem::take(&mut write.warnings);
        call.warnings.extend(warnings);
        result
    }

    fn apply_object(
        &mut self,
        write: &mut Write<'_>,
        existing: Option<&Object>,
        applied: Object,
    ) -> Outcome<(u16, Object)> {
        let resource = write.resource.clone();
        let outcome = managed::apply(self, write, existing, &applied)?;
        if let Some(old) = existing.filter(|_| outcome.unchanged) {
            self.admit_validated(write, Some(old), old)?;
            crate::advice::on_update(&resource, old, old, &mut write.warnings);
            return Ok((200, old.clone()));
        }
        // What the result shares with it would be copied when it is written.
        drop(applied);
        let mut merged = self.settle(&resource, outcome.object)?;
        merged.metadata_mut().insert("name", write.name.as_str());
        if resource.namespaced {
            merged.set_namespace(&write.namespace);
        }
        write.applied = true;
        match existing {
            None => {
                let mut object = merged;
                object.metadata_mut().remove("resourceVersion");
                let created = self.create_object(write, object)?;
                Ok((201, created))
            }
            Some(old) => {
                let stored = self.replace(write, old, merged)?;
                Ok((200, stored))
            }
        }
    }

    /// Brings a merged object into the form that decoding gives it.
    pub(crate) fn settle(&self, resource: &crate::catalog::Resource, value: Value) -> Outcome<Object> {
        let mut object = match (&resource.custom, self.types.root(&resource.group, &resource.version, &resource.kind)) {
            (Some(custom), _) => {
                let whole = Document { value, ..Document::default() };
                crate::crd::decode(&self.types, resource, custom, whole)?.object
            }
            (None, Some(root)) => {
                crate::decode::normalize(&self.types, &root, value)
                    .map_err(|error| {
                        let kind = &resource.kind;
                        Failure::plain(format!(
                            "{kind} in version \"{}\" cannot be handled as a {kind}: {error}",
                            resource.version
                        ))
                    })?
                    .object
            }
            (None, None) => Object::try_from(value).unwrap_or_default(),
        };
        crate::defaults::apply(resource, &mut object);
        Ok(object)
    }
}

/// Checks that a patched object still is of its kind; what a patch takes away is filled in again.
fn with_kind(result: &Value, target: &BodyKind) -> Result<Value, String> {
    let mut result = result.clone();
    let expected = target.api_version();
    let Some(map) = result.as_map_mut() else { return Ok(result) };
    for (key, value) in [("apiVersion", expected.as_str()), ("kind", target.kind.as_str())] {
        let text = map.get(key).and_then(Value::as_str).unwrap_or_default();
        if text.is_empty() {
            map.insert(key, value);
        }
    }
    let text = |key: &str| map.get(key).and_then(Value::as_str).unwrap_or_default();
    let (version, kind) = (text("apiVersion"), text("kind"));
    if version != expected || kind != target.kind {
        return Err(format!(
            "no kind {} is registered for version {} in scheme \"pkg/runtime/scheme.go:111\"",
            go_quote(kind),
            go_quote(version)
        ));
    }
    Ok(result)
}

/// Returns a patched object with its keys as the server prints them: those of the object are in the order of its
/// struct, but maps that the patch went through are sorted.
fn as_printed(kind: PatchKind, shown: &Value, patch: &Value, result: &Value, target: &BodyKind) -> Value {
    let mut printed = result.clone();
    crate::gotypes::in_go_order(&target.api_version(), &target.kind, &mut printed);
    match kind {
        PatchKind::Merge => sort_merged(&mut printed, Some(shown), patch),
        _ => sort_operated(&mut printed, patch),
    }
    printed
}

/// Sorts the maps that a merge patch went through.
fn sort_merged(printed: &mut Value, before: Option<&Value>, patch: &Value) {
    let (Value::Map(map), Some(entries)) = (&mut *printed, patch.as_map()) else { return };
    map.sort_keys();
    for (key, value) in entries.iter() {
        let known = before.and_then(|before| before.get(key)).filter(|known| !known.is_null());
        let Some(own) = map.get_mut(key) else { continue };
        match known {
            Some(_) if value.as_map().is_some() => sort_merged(own, known, value),
            Some(_) => *own = value.clone(),
            None => crate::gotypes::sort(own),
        }
    }
}

/// Sorts the maps through which the operations of a JSON patch went.
fn sort_operated(printed: &mut Value, patch: &Value) {
    for operation in patch.as_list().into_iter().flat_map(|operations| operations.iter()) {
        for pointer in ["path", "from"].map(|key| operation.get(key).and_then(Value::as_str)).into_iter().flatten() {
            let parents = pointer.rsplit_once('/').map_or("", |(parents, _)| parents);
            let mut at = Some(&mut *printed);
            for step in parents.split('/').skip(1).map(Some).chain([None]) {
                let Some(here) = at.take() else { break };
                if let Value::Map(map) = &mut *here {
                    map.sort_keys();
                }
                at = step.and_then(|step| below(here, step));
            }
        }
    }
}

/// Goes one step of a JSON pointer down.
fn below<'a>(value: &'a mut Value, step: &str) -> Option<&'a mut Value> {
    match value {
        Value::Map(map) => map.get_mut(&step.replace("~1", "/").replace("~0", "~")),
        Value::List(items) => items.make_mut().get_mut(step.parse::<usize>().ok()?),
        _ => None,
    }
}

/// The words of the converter that reads the result of a strategic merge, which is not the one that reads JSON.
fn unconverted(error: &str) -> String {
    let wanted = error.strip_prefix("json: cannot unmarshal ").and_then(|rest| rest.rsplit_once(" of type "));
    match wanted {
        Some((_, kind @ ("string" | "bool" | "int32" | "int64"))) => format!("unrecognized type: {kind}"),
        _ => error.to_owned(),
    }
}

fn parse_patch(call: &Call<'_>, kind: PatchKind) -> Outcome<Document> {
    let body = &call.request.body;
    let document = Document::json(body).map_err(|error| match kind {
        PatchKind::Json => Failure::bad_request(format!("error decoding patch: {error}")),
        PatchKind::Merge | PatchKind::Strategic => Failure::bad_request(format!("error decoding patch: {error}")),
        PatchKind::Apply => Failure::bad_request(error),
    })?;
    let what = go_type(&document.value);
    match kind {
        PatchKind::Json if document.value.as_list().is_none() && !document.value.is_null() => {
            Err(Failure::bad_request(format!(
                "error decoding patch: json: cannot unmarshal {what} into Go value of type jsonpatch.Patch"
            )))
        }
        PatchKind::Merge | PatchKind::Strategic if document.value.as_map().is_none() && !document.value.is_null() => {
            Err(Failure::bad_request(format!(
                "error decoding patch: json: cannot unmarshal {what} into Go value of type map[string]interface {{}}"
            )))
        }
        _ => Ok(document),
    }
}

fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Text(_) => "string",
        Value::List(_) => "array",
        Value::Map(_) => "object",
        _ => "number",
    }
}

fn json_patch_failure(error: &str) -> Failure {
    Failure::new(422, "Invalid", format!("the server rejected our request due to an error in our request: {error}"))
}

fn strategic_failure(error: &str) -> Failure {
    Failure::plain(error)
}

/// ` "" is invalid: patch: Invalid value: …`: the server has no kind at hand there.
fn invalid_patch(value: &str, error: &str) -> Failure {
    let cause = Cause::invalid_text("patch", value, error);
    Failure::invalid("", "", "", &[cause])
}

/// Name and namespace of a patched object stay.
fn check_identity(call: &Call<'_>, object: &Object) -> Outcome<()> {
    if object.name().is_empty() {
        let name = call.name();
        let text = format!("the name of the object ({name} based on URL) was undeterminable: name must be provided");
        return Err(Failure::bad_request(text));
    }
    if object.name() != call.name() {
        let text =
            format!("the name of the object ({}) does not match the name on the URL ({})", object.name(), call.name());
        return Err(Failure::bad_request(text));
    }
    if call.resource.namespaced && object.namespace() != call.namespace() {
        return Err(Failure::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    Ok(())
}

/// Reads the body of an apply.
pub(crate) fn read_apply(call: &mut Call<'_>, validation: FieldValidation) -> Outcome<Value> {
    let body = call.request.body.clone();
    if let Some(value) = plain_json(&body) {
        return Ok(value);
    }
    let text = std::str::from_utf8(&body)
        .map_err(|_| Failure::bad_request("error decoding YAML: yaml: invalid leading UTF-8 octet"))?;
    let value = lockstep_object::yaml::parse(text).map_err(|error| {
        Failure::bad_request(format!("error decoding YAML: error converting YAML to JSON: {}", error.message))
    })?;
    let strict = lockstep_object::yaml::parse_all("", text, lockstep_object::yaml::Options { strict: true });
    if let Err(error) = strict {
        match validation {
            FieldValidation::Ignore => {}
            FieldValidation::Warn => call.warnings.push(yaml_warning(&error.message)),
            FieldValidation::Strict => {
                return Err(Failure::bad_request(format!(
                    "error strict decoding YAML: error converting YAML to JSON: {}",
                    error.message
                )));
            }
        }
    }
    Ok(value)
}

/// Reads a body that is JSON and means the same as YAML, which takes a third of the time: no key is there twice, no
/// number has a point or an exponent, nothing is escaped by number, no tab stands between words.
fn plain_json(body: &[u8]) -> Option<Value> {
    if body.first() != Some(&b'{') || body.contains(&b'\t') || has_escaped_numbers(body) {
        return None;
    }
    let document = Document::json(body).ok().filter(|document| document.duplicates.is_empty())?;
    (!has_floats(&document.value)).then_some(document.value)
}

fn has_escaped_numbers(body: &[u8]) -> bool {
    body.contains(&b'\\') && body.windows(2).any(|two| two == b"\\u")
}

fn has_floats(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Text(_) => false,
        Value::List(items) => items.iter().any(has_floats),
        Value::Map(map) => map.iter().any(|(_, value)| has_floats(value)),
        number => number.as_i64().is_none(),
    }
}

/// The words of a warning about keys that are there twice, without those of an error.
pub(crate) fn yaml_warning(message: &str) -> String {
    message.trim_start_matches("yaml: unmarshal errors:").trim_start().to_owned()
}

/// Checks kind, name and namespace of what is applied.
pub(crate) fn check_applied(call: &Call<'_>, target: &BodyKind, value: Value) -> Outcome<Object> {
    if value.as_map().is_none() && !value.is_null() {
        let what = go_type(&value);
        return Err(Failure::bad_request(format!(
            "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {what} into Go value of type map[string]interface {{}}"
        )));
    }
    let object = Object::try_from(value).unwrap_or_default();
    if object.api_version() != target.api_version() || object.kind() != target.kind {
        let Gvk { group, version, kind } = object.gvk();
        return Err(Failure::plain(format!("invalid object type: {group}/{version}, Kind={kind}")));
    }
    if object.at(&["metadata", "managedFields"]).is_some_and(|fields| !fields.is_null()) {
        return Err(Failure::bad_request("metadata.managedFields must be nil"));
    }
    if !object.name().is_empty() && object.name() != call.name() {
        let text =
            format!("the name of the object ({}) does not match the name on the URL ({})", object.name(), call.name());
        return Err(Failure::bad_request(text));
    }
    let elsewhere = !object.namespace().is_empty() && object.namespace() != call.namespace();
    if call.resource.namespaced && elsewhere {
        return Err(Failure::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    Ok(object)
}
