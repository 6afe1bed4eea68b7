//! Create, update and patch.

use std::sync::Arc;

use lockstep_object::{Object, Value};

use crate::{
    catalog::Resource,
    decode::{Decoded, decode},
    document::Document,
    managed,
    moment::Moment,
    names,
    options::{FieldValidation, WriteKind, WriteOptions},
    server::{Call, Reply, Server},
    status::{Cause, Failure, Outcome},
    strategy, versions,
};

/// What a write needs to know beside the object.
pub(crate) struct Write<'a> {
    pub(crate) resource: Arc<Resource>,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) subresource: Option<String>,
    pub(crate) options: WriteOptions,
    pub(crate) moment: &'a mut Moment,
    pub(crate) warnings: Vec<String>,
    /// The managed fields are those of an apply already.
    pub(crate) applied: bool,
}

impl<'a> Write<'a> {
    pub(crate) fn of<'c>(call: &'a mut Call<'c>, options: WriteOptions) -> Write<'a>
    where
        'c: 'a,
    {
        Write {
            resource: call.resource.clone(),
            namespace: call.namespace().to_owned(),
            name: call.name().to_owned(),
            subresource: call.path.subresource.clone(),
            options,
            warnings: Vec::new(),
            applied: false,
            moment: &mut *call.moment,
        }
    }

    fn not_found(&self) -> Failure {
        Failure::not_found(&self.resource.group, &self.resource.plural, &self.name)
    }
}

/// The kinds of body that a write takes.
const BODY_TYPES: &str = "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf";

/// Reads the `Content-Type` without its parameters; none is JSON.
pub(crate) fn media_type(call: &Call<'_>) -> String {
    let header = call.request.header("content-type").unwrap_or_default();
    header.split(';').next().unwrap_or_default().trim().to_owned()
}

/// Parses the body by its type.
pub(crate) fn parse_body(call: &Call<'_>) -> Outcome<Document> {
    match media_type(call).as_str() {
        "" | "application/json" => Document::json(&call.request.body).map_err(|error| {
            let error = error.trim_end();
            let kind = &call.resource.kind;
            let start = excerpt(&call.request.body);
            Failure::bad_request(format!(
                "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; json parse error: {error} ({start})"
            ))
        }),
        "application/yaml" => Document::yaml(&call.request.body),
        _ => Err(Failure::new(415, "UnsupportedMediaType", BODY_TYPES)),
    }
}

/// The beginning of a body as error texts show it.
fn excerpt(body: &[u8]) -> String {
    if body.is_empty() {
        return "<empty>".to_owned();
    }
    let text = String::from_utf8_lossy(&body[..body.len().min(30)]).into_owned();
    let printable = body.first().is_some_and(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
    let text =
        if printable { text } else { body[..body.len().min(30)].iter().map(|byte| format!("{byte:02x}")).collect() };
    if body.len() > 30 { format!("{text} ...") } else { text }
}

impl Server {
    /// Decodes a body into an object of the resource's kind (or the subresource's).
    pub(crate) fn decode_body(&self, call: &mut Call<'_>, validation: FieldValidation) -> Outcome<Object> {
        let mut document = parse_body(call)?;
        let target = self.body_kind(call);
        check_kind(self, call, &mut document, &target)?;
        let decoded = self.decode_as(&call.resource, &target, document)?;
        self.complain(call, &target.kind, decoded, validation)
    }

    /// Turns the complaints of strict decoding into warnings or an error.
    fn complain(
        &self,
        call: &mut Call<'_>,
        kind: &str,
        decoded: Decoded,
        validation: FieldValidation,
    ) -> Outcome<Object> {
        match validation {
            FieldValidation::Ignore => {}
            FieldValidation::Warn => {
                let words = decoded.complaints.iter().map(|complaint| crate::patching::yaml_warning(complaint));
                call.warnings.extend(words);
            }
            FieldValidation::Strict if decoded.complaints.is_empty() => {}
            FieldValidation::Strict => {
                let version = &call.resource.version;
                let complaints = decoded.complaints.join(", ");
                return Err(Failure::bad_request(if call.resource.is_custom() {
                    format!("strict decoding error: {complaints}")
                } else {
                    format!(
                        "{kind} in version \"{version}\" cannot be handled as a {kind}: strict decoding error: {complaints}"
                    )
                }));
            }
        }
        Ok(decoded.object)
    }

    /// Decodes a document as built-in struct or by the structural schema of a custom resource.
    pub(crate) fn decode_as(&self, resource: &Resource, target: &BodyKind, document: Document) -> Outcome<Decoded> {
        if let Some(custom) = resource.custom.as_ref().filter(|_| target.kind == resource.kind) {
            return crate::crd::decode(&self.types, resource, custom, document);
        }
        let Some(root) = self.types.root(&target.group, &target.version, &target.kind) else {
            let object = Object::try_from(document.value).unwrap_or_default();
            return Ok(Decoded { object, complaints: Vec::new() });
        };
        decode(&self.types, &root, document).map_err(|error| {
            let (kind, version) = (&target.kind, &target.version);
            Failure::bad_request(format!("{kind} in version \"{version}\" cannot be handled as a {kind}: {error}"))
        })
    }

    /// Names the kind that a body must have.
    pub(crate) fn body_kind(&self, call: &Call<'_>) -> BodyKind {
        let resource = &call.resource;
        let sub = call.path.subresource.as_deref().and_then(|name| resource.subresource(name));
        let own = |text: &str, other: &str| if text.is_empty() { other.to_owned() } else { text.to_owned() };
        match sub {
            Some(sub) => BodyKind {
                group: if sub.version.is_empty() { resource.group.clone() } else { sub.group.clone() },
                version: own(&sub.version, &resource.version),
                kind: own(&sub.kind, &resource.kind),
            },
            None => BodyKind {
                group: resource.group.clone(),
                version: resource.version.clone(),
                kind: resource.kind.clone(),
            },
        }
    }

    pub(crate) fn create(&mut self, call: &mut Call<'_>) -> Outcome<Reply> {
        if crate::reviews::is_review(&call.resource) {
            return self.review(call);
        }
        let options = WriteOptions::parse(call.query, WriteKind::Create, call.agent())?;
        let object = self.decode_body(call, options.validation)?;
        let object = place_in_namespace(call, object)?;
        if call.resource.is("", "bindings") {
            return self.bind(call, object);
        }
        let mut write = Write::of(call, options);
        let result = self.create_object(&mut write, object);
        let warnings = std::mem::take(&mut write.warnings);
        call.warnings.extend(warnings);
        let created = result?;
        self.reply_object(call, 201, &created)
    }

    /// Creates an object that is decoded and stands in its namespace; returns it as stored.
    pub(crate) fn create_object(&mut self, write: &mut Write<'_>, mut object: Object) -> Outcome<Object> {
        let resource = write.resource.clone();
        // What was applied has its defaults.
        if !write.applied {
            crate::defaults::apply(&resource, &mut object);
        }
        self.fill_metadata(write, &mut object)?;
        if !write.applied {
            managed::on_write(self, write, None, &mut object);
        }
        self.admit_create(write, &mut object)?;
        generate_name(write, &mut object);
        strategy::prepare_create(&resource, &mut object);
        self.prepare_kind_create(write, &mut object)?;
        let mut causes = names::check_metadata(&object, resource.namespaced, strategy::name_rule(&resource));
        causes.extend(self.validate_create(write, &object));
        if !causes.is_empty() {
            return Err(Failure::invalid(&resource.group, &resource.kind, object.name(), &causes));
        }
        if let Some(existing) = self.store.get(&resource.store, &write.namespace, object.name()) {
            return Err(already_there(&resource, &existing.object));
        }
        self.admit_validated(write, None, &object)?;
        crate::advice::on_create(&resource, &object, &mut write.warnings);
        let object = self.without_empty_lists(&resource, versions::store_form(&resource, object));
        if write.options.dry_run {
            return Ok(object);
        }
        let stored = self.store.put(&resource.store, object);
        let object = stored.object.clone();
        self.after_write(write, None, &object);
        Ok(object)
    }

    /// Sets what the server owns of the metadata.
    fn fill_metadata(&mut self, write: &mut Write<'_>, object: &mut Object) -> Outcome<()> {
        let metadata = object.metadata_mut();
        for key in ["selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "resourceVersion"] {
            if key == "resourceVersion"
                && metadata.get(key).and_then(Value::as_str).is_some_and(|text| !text.is_empty())
            {
                return Err(Failure::plain("resourceVersion should not be set on objects to be created"));
            }
            metadata.remove(key);
        }
        metadata.insert("uid", write.moment.uid());
        metadata.insert("creationTimestamp", write.moment.seconds());
        Ok(())
    }

    pub(crate) fn update(&mut self, call: &mut Call<'_>) -> Outcome<Reply> {
        let options = WriteOptions::parse(call.query, WriteKind::Update, call.agent())?;
        let object = self.decode_body(call, options.validation)?;
        let object = place_in_namespace(call, object)?;
        let sent_name = object.name().to_owned();
        if sent_name.is_empty() && call.path.subresource.is_none() {
            let text = format!(
                "the name of the object ({} based on URL) was undeterminable: name must be provided",
                call.name()
            );
            return Err(Failure::bad_request(text));
        }
        if sent_name != call.name() {
            let text =
                format!("the name of the object ({sent_name}) does not match the name on the URL ({})", call.name());
            return Err(Failure::bad_request(text));
        }
        let mut write = Write::of(call, options);
        let result = self.update_object(&mut write, object);
        let warnings = std::mem::take(&mut write.warnings);
        call.warnings.extend(warnings);
        let (code, updated) = result?;
        self.reply_object(call, code, &updated)
    }

    /// Replaces an object; returns the code and the object as stored.
    pub(crate) fn update_object(&mut self, write: &mut Write<'_>, mut object: Object) -> Outcome<(u16, Object)> {
        let resource = write.resource.clone();
        let existing = self.store.get(&resource.store, &write.namespace, &write.name).cloned();
        let Some(existing) = existing else {
            if strategy::creates_on_update(&resource) && write.subresource.is_none() {
                object.metadata_mut().remove("resourceVersion");
                return self.create_object(write, object).map(|created| (201, created));
            }
            return Err(write.not_found());
        };
        crate::defaults::apply(&resource, &mut object);
        let stored = self.replace(write, &existing.object, object)?;
        Ok((200, stored))
    }

    /// Puts a changed object in the place of `old`: the common end of update, patch and apply.
    pub(crate) fn replace(&mut self, write: &mut Write<'_>, old: &Object, mut new: Object) -> Outcome<Object> {
        let resource = write.resource.clone();
        if !write.applied {
            managed::on_write(self, write, Some(old), &mut new);
        }
        let mut new = versions::store_form(&resource, new);
        check_preconditions(&resource, old, &new)?;
        if !strategy::updates_unconditionally(&resource) && new.str_at(&["metadata", "resourceVersion"]).is_empty() {
            let cause = Cause::invalid("metadata.resourceVersion", "0", "must be specified for an update");
            return Err(Failure::invalid(&resource.group, &resource.plural, new.name(), &[cause]));
        }
        self.admit_update(write, old, &mut new)?;
        keep_system_metadata(old, &mut new);
        match write.subresource.as_deref() {
            Some("status" | "approval") => strategy::prepare_status(&resource, old, &mut new),
            Some("ephemeralcontainers") => strategy::prepare_ephemeral(old, &mut new),
            _ => strategy::prepare_update(&resource, old, &mut new),
        }
        self.prepare_kind_update(write, old, &mut new)?;
        if write.subresource.as_deref() != Some("status") {
            strategy::count_generation(&resource, old, &mut new);
        }
        let mut causes = self.validate_metadata_update(old, &new);
        causes.extend(self.validate_update(write, old, &new));
        if !causes.is_empty() {
            return Err(Failure::invalid(&resource.group, &resource.kind, new.name(), &causes));
        }
        self.admit_validated(write, Some(old), &new)?;
        crate::advice::on_update(&resource, old, &new, &mut write.warnings);
        let new = self.without_empty_lists(&resource, new);
        self.store_changed(write, old, new)
    }

    /// Stores a changed object unless nothing changed; the last finalizer of a deleted object removes it.
    pub(crate) fn store_changed(&mut self, write: &mut Write<'_>, old: &Object, mut new: Object) -> Outcome<Object> {
        let resource = write.resource.clone();
        new.metadata_mut().insert("resourceVersion", old.str_at(&["metadata", "resourceVersion"]).to_owned());
        if managed::equal_but_times(old, &new) {
            return Ok(old.clone());
        }
        if write.options.dry_run {
            return Ok(new);
        }
        if self.is_finished_deletion(&resource, &new) {
            self.store.remove(&resource.store, &write.namespace, &write.name);
            self.after_delete(&resource, &new, write.moment);
            return Ok(new);
        }
        let stored = self.store.put(&resource.store, new);
        let object = stored.object.clone();
        self.after_write(write, Some(old), &object);
        Ok(object)
    }

    /// Brings an object of a built-in kind into the form in which storage gives it back.
    fn without_empty_lists(&self, resource: &Resource, mut object: Object) -> Object {
        if resource.is_custom() || resource.group == "apiextensions.k8s.io" {
            return object;
        }
        let (group, version) = object.api_version().rsplit_once('/').unwrap_or(("", object.api_version()));
        let Some(root) = self.types.root(group, version, object.kind()) else { return object };
        crate::decode::forget_empty_lists(&self.types, &root, object.root_mut());
        object
    }

    fn is_finished_deletion(&self, resource: &Resource, object: &Object) -> bool {
        let deleted = object.at(&["metadata", "deletionTimestamp"]).is_some();
        let finalizers =
            object.at(&["metadata", "finalizers"]).and_then(Value::as_list).is_some_and(|list| !list.is_empty());
        let grace = object.at(&["metadata", "deletionGracePeriodSeconds"]).and_then(Value::as_i64).unwrap_or_default();
        let namespace = resource.is("", "namespaces")
            && object.at(&["spec", "finalizers"]).and_then(Value::as_list).is_some_and(|list| !list.is_empty());
        deleted && !finalizers && grace == 0 && !namespace
    }

    fn validate_metadata_update(&self, old: &Object, new: &Object) -> Vec<Cause> {
        let mut causes = Vec::new();
        crate::immutable::check_metadata(old, new, &mut causes);
        names::check_mutable_metadata(new, &mut causes);
        // The server checks metadata for all kinds and then once more for each.
        causes.extend(causes.clone());
        causes
    }
}

/// The kind that a body must have.
#[derive(Clone, Debug)]
pub(crate) struct BodyKind {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) kind: String,
}

impl BodyKind {
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }
}

/// Checks apiVersion and kind of a body, and fills in what is left out.
fn check_kind(server: &Server, call: &Call<'_>, document: &mut Document, target: &BodyKind) -> Outcome<()> {
    let kind = &target.kind;
    for key in ["apiVersion", "kind"] {
        if let Some(value) = document.value.get(key).filter(|value| !value.is_null() && value.as_str().is_none()) {
            let what = match value {
                Value::Bool(_) => "bool",
                Value::List(_) => "array",
                Value::Map(_) => "object",
                _ => "number",
            };
            let start = excerpt(&call.request.body);
            return Err(Failure::bad_request(format!(
                "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; json parse error: json: cannot unmarshal {what} into Go struct field .{key} of type string ({start})"
            )));
        }
    }
    let Some(map) = document.value.as_map_mut() else {
        return wrong_shape(call, kind, &document.value);
    };
    let api_version = map.get("apiVersion").and_then(Value::as_str).unwrap_or_default().to_owned();
    let sent_kind = map.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    let expected = target.api_version();
    if api_version.matches('/').count() > 1 {
        let start = excerpt(&call.request.body);
        return Err(Failure::bad_request(format!(
            "the object provided is unrecognized (must be of type {kind}): unexpected GroupVersion string: {api_version} ({start})"
        )));
    }
    if call.resource.is_custom() && (api_version.is_empty() || sent_kind.is_empty()) {
        return Err(missing_type(call, &sent_kind));
    }
    let wrong_kind = !sent_kind.is_empty() && sent_kind != *kind;
    if wrong_kind {
        return Err(wrong_kind_failure(server, &api_version, &sent_kind, target));
    }
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", &api_version));
    let known = server.catalog.version(group, version).is_some() || is_old_version(server, group, version);
    if !api_version.is_empty() && !known && !call.resource.is_custom() {
        return Err(wrong_kind_failure(server, &api_version, kind, target));
    }
    if !api_version.is_empty() && api_version != expected {
        let text =
            format!("the API version in the data ({api_version}) does not match the expected API version ({expected})");
        return Err(Failure::bad_request(text));
    }
    map.insert("apiVersion", expected);
    map.insert("kind", kind.as_str());
    Ok(())
}

/// Tells whether a version is no longer served but still known to the server's scheme, as `apps/v1beta1` is.
fn is_old_version(server: &Server, group: &str, version: &str) -> bool {
    let known = group == "extensions" || (!group.is_empty() && server.catalog.group(group).is_some());
    known && (version.contains("beta") || version.contains("alpha"))
}

fn missing_type(call: &Call<'_>, kind: &str) -> Failure {
    let what = if kind.is_empty() { "Object 'Kind' is missing" } else { "Object 'apiVersion' is missing" };
    let body = String::from_utf8_lossy(&call.request.body);
    Failure::bad_request(format!("{what} in '{body}'"))
}

fn wrong_shape(call: &Call<'_>, kind: &str, value: &Value) -> Outcome<()> {
    let what = match value {
        Value::Null if call.request.body.is_empty() => {
            return Err(Failure::bad_request(format!(
                "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; json parse error: unexpected end of JSON input (<empty>)"
            )));
        }
        Value::Null => return Ok(()),
        Value::Bool(_) => "bool",
        Value::Text(_) => "string",
        Value::List(_) => "array",
        _ => "number",
    };
    let start = excerpt(&call.request.body);
    Err(Failure::bad_request(format!(
        "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; json parse error: json: cannot unmarshal {what} into Go value of type struct {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }} ({start})"
    )))
}

fn wrong_kind_failure(server: &Server, api_version: &str, sent: &str, target: &BodyKind) -> Failure {
    let kind = &target.kind;
    let api_version = if api_version.is_empty() { target.api_version() } else { api_version.to_owned() };
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", &api_version));
    let lists = sent.strip_suffix("List").is_some_and(|item| server.catalog.kind(group, version, item).is_some());
    let known = server.catalog.kind(group, version, sent).is_some() || lists || (group.is_empty() && sent == "List");
    let internal = if target.group.is_empty() { "core" } else { target.group.split('.').next().unwrap_or_default() };
    let text = if known {
        format!(
            "{sent} in version \"{version}\" cannot be handled as a {kind}: converting ({version}.{sent}) to ({internal}.{kind}): unknown conversion"
        )
    } else {
        format!(
            "{sent} in version \"{version}\" cannot be handled as a {kind}: no kind \"{sent}\" is registered for version \"{api_version}\" in scheme \"pkg/runtime/scheme.go:111\""
        )
    };
    Failure::bad_request(text)
}

/// Puts an object into the namespace of the path; another one is refused.
fn place_in_namespace(call: &Call<'_>, mut object: Object) -> Outcome<Object> {
    if !call.resource.namespaced {
        object.metadata_mut().remove("namespace");
        return Ok(object);
    }
    let sent = object.namespace();
    if !sent.is_empty() && sent != call.namespace() {
        return Err(Failure::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    object.set_namespace(call.namespace());
    Ok(object)
}

fn generate_name(write: &mut Write<'_>, object: &mut Object) {
    let prefix = object.str_at(&["metadata", "generateName"]).to_owned();
    if object.name().is_empty() && !prefix.is_empty() {
        let mut end = prefix.len().min(58);
        while !prefix.is_char_boundary(end) {
            end -= 1;
        }
        object.metadata_mut().insert("name", format!("{}{}", &prefix[..end], write.moment.suffix()));
    }
}

fn already_there(resource: &Resource, existing: &Object) -> Failure {
    if existing.at(&["metadata", "deletionTimestamp"]).is_some() {
        return Failure::already_exists(&resource.group, &resource.plural, existing.name())
            .prefixed("object is being deleted: ");
    }
    Failure::already_exists(&resource.group, &resource.plural, existing.name())
}

/// Checks the uid and version that a write names.
fn check_preconditions(resource: &Resource, old: &Object, new: &Object) -> Outcome<()> {
    let conflict = |why: &str| Failure::conflict(&resource.group, &resource.plural, old.name(), why);
    let uid = new.str_at(&["metadata", "uid"]);
    if !uid.is_empty() && uid != strategy::uid_of(old) {
        let why = format!(
            "StorageError: invalid object, Code: 4, Key: {}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            strategy::registry_key(resource, old),
            strategy::uid_of(old)
        );
        return Err(conflict(&why));
    }
    let version = new.str_at(&["metadata", "resourceVersion"]);
    if version.is_empty() || version == "0" {
        return Ok(());
    }
    if version.parse::<u64>().is_err() {
        let quoted = crate::status::go_quote(version);
        return Err(Failure::plain(format!("strconv.ParseUint: parsing {quoted}: invalid syntax")));
    }
    if version != old.str_at(&["metadata", "resourceVersion"]) {
        return Err(conflict(
            "the object has been modified; please apply your changes to the latest version and try again",
        ));
    }
    Ok(())
}

/// What the server owns of the metadata stays as it was.
fn keep_system_metadata(old: &Object, new: &mut Object) {
    for key in ["uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"] {
        match old.at(&["metadata", key]) {
            Some(value) => {
                let value = value.clone();
                new.metadata_mut().insert(key, value);
            }
            _ => {
                new.metadata_mut().remove(key);
            }
        }
    }
    if new.at(&["metadata", "generation"]).is_none()
        && let Some(generation) = old.at(&["metadata", "generation"]).cloned()
    {
        new.metadata_mut().insert("generation", generation);
    }
}
