//! PATCH: JSON patch, merge patch, strategic merge patch and server-side apply.

use lockstep_merge::{json_patch, merge_patch, strategic};
use lockstep_object::{Gvk, Object, Value, to_json};

use crate::{
    decode::Decoded,
    document::Document,
    managed,
    options::{FieldValidation, WriteKind, WriteOptions},
    server::{Call, Reply, Server},
    status::{Cause, Failure, Outcome},
    versions,
    writing::{Write, media_type},
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
        let options = WriteOptions::parse(&call.query, WriteKind::Patch, call.agent())?;
        let existing = self.find(call)?;
        let shown = versions::show(&call.resource, &existing.object);
        let target = crate::writing::BodyKind {
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
        target: &crate::writing::BodyKind,
        validation: FieldValidation,
    ) -> Outcome<Decoded> {
        let document = parse_patch(call, kind)?;
        let mut complaints: Vec<String> = document
            .duplicates
            .iter()
            .map(|one| {
                let path = if one.parent.is_empty() { one.key.clone() } else { format!("{}.{}", one.parent, one.key) };
                if kind == PatchKind::Json {
                    format!("json patch duplicate field {}", crate::status::go_quote(&path))
                } else {
                    format!("duplicate field {}", crate::status::go_quote(&path))
                }
            })
            .collect();
        let result = self.run_patch(kind, shown, &document.value, target)?;
        let shown_error = |result: &Value, patch: &Value| match kind {
            PatchKind::Strategic => crate::gofmt::go_map(patch),
            _ => to_json(result),
        };
        let root = self.types.root(&target.group, &target.version, &target.kind);
        let decoded = match (&call.resource.custom, root) {
            (Some(custom), _) if target.kind == call.resource.kind => {
                let whole = Document { value: result.clone(), ..Document::default() };
                crate::crd::decode(&self.types, &call.resource, custom, whole)?
            }
            (_, Some(root)) => crate::decode::normalize(&self.types, &root, result.clone()).map_err(|error| {
                let text = shown_error(&result, &document.value);
                let error = if kind == PatchKind::Strategic { unconverted(&error) } else { error };
                invalid_patch(&text, &error)
            })?,
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
                let text = shown_error(&result, &document.value);
                return Err(invalid_patch(&text, &format!("strict decoding error: {}", complaints.join(", "))));
            }
        }
        Ok(Decoded { object: decoded.object, complaints: Vec::new() })
    }

    fn run_patch(
        &self,
        kind: PatchKind,
        shown: &Value,
        patch: &Value,
        target: &crate::writing::BodyKind,
    ) -> Outcome<Value> {
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
        let options = WriteOptions::parse(&call.query, WriteKind::Apply, call.agent())?;
        let applied = read_apply(call, options.validation)?;
        let existing = self.store.get(&call.resource.store, call.namespace(), call.name()).cloned();
        let resource = call.resource.clone();
        if existing.is_none() {
            if call.path.subresource.is_some() {
                return Err(call.not_found());
            }
            self.authorize_apply_create(call)?;
        }
        let applied = check_applied(call, applied)?;
        let mut write = Write::of(call, options);
        let result = self.apply_object(&mut write, existing.as_ref().map(|stored| &stored.object), applied);
        let warnings = std::mem::take(&mut write.warnings);
        call.warnings.extend(warnings);
        let _ = resource;
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

/// The words of a warning about keys that are there twice, without those of an error.
pub(crate) fn yaml_warning(message: &str) -> String {
    message.trim_start_matches("yaml: unmarshal errors:").trim_start().to_owned()
}

/// Checks kind, name and namespace of what is applied.
fn check_applied(call: &Call<'_>, value: Value) -> Outcome<Object> {
    if value.as_map().is_none() && !value.is_null() {
        let what = go_type(&value);
        return Err(Failure::bad_request(format!(
            "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {what} into Go value of type map[string]interface {{}}"
        )));
    }
    let object = Object::try_from(value).unwrap_or_default();
    let expected = call.resource.api_version();
    let (api_version, kind) = (object.api_version().to_owned(), object.kind().to_owned());
    if api_version != expected || kind != call.resource.kind {
        let gvk = Gvk::from_api_version(&api_version, &kind);
        let (group, version) = (gvk.group.as_str(), gvk.version.as_str());
        if kind.is_empty() || api_version.is_empty() || call.path.subresource.is_none() || kind != call.resource.kind {
            return Err(Failure::plain(format!("invalid object type: {group}/{version}, Kind={kind}")));
        }
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
