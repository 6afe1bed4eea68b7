//! `/scale`: the replicas of an object as a `Scale`, whatever the object's kind.
//!
//! Who owns the replicas is told in both directions as `ScaleHandler` of apimachinery's `managedfields` does: a
//! manager who owns them owns `spec.replicas` of the Scale, and who takes them through the Scale takes them from the
//! object's managers, with an entry that has no time.

use std::sync::{Arc, OnceLock};

use lockstep_merge::apply::{Element, FieldSet, Managed, OwnedFields};
use lockstep_object::{Map, Object, Value};

use crate::{
    build::{int_at, map, set_at},
    catalog::Resource,
    jsonpath, managed,
    options::{WriteKind, WriteOptions},
    patching::PatchKind,
    server::{Call, Reply, Server},
    status::{Cause, Failure, Outcome},
    subresources::selector_text,
    writing::Write,
};

const API_VERSION: &str = "autoscaling/v1";

impl Server {
    pub(crate) fn get_scale(&mut self, call: &Call<'_>) -> Outcome<Reply> {
        let found = self.find(call)?;
        Ok(Reply::value(200, call.accepted, &scale_of(&call.resource, &found.object)))
    }

    pub(crate) fn update_scale(&mut self, call: &mut Call<'_>) -> Outcome<Reply> {
        let options = WriteOptions::parse(call.query, WriteKind::Update, call.agent())?;
        let scale = self.decode_body(call, options.validation)?;
        let parent = self.find(call)?.object.clone();
        let shown = self.owned_scale(&call.resource, &parent);
        self.write_scale(call, options, &parent, &shown, Change::Update(scale))
    }

    pub(crate) fn patch_scale(&mut self, call: &mut Call<'_>) -> Outcome<Reply> {
        let kind = PatchKind::of(call)?;
        let parent = self.find(call)?.object.clone();
        let shown = self.owned_scale(&call.resource, &parent);
        if kind == PatchKind::Apply {
            let options = WriteOptions::parse(call.query, WriteKind::Apply, call.agent())?;
            let value = crate::patching::read_apply(call, options.validation)?;
            let applied = crate::patching::check_applied(call, &self.body_kind(call), value)?;
            return self.write_scale(call, options, &parent, &shown, Change::Apply(applied));
        }
        let options = WriteOptions::parse(call.query, WriteKind::Patch, call.agent())?;
        let target = self.body_kind(call);
        let decoded = self.patched(call, kind, &shown.to_value(), &target, options.validation)?;
        self.write_scale(call, options, &parent, &shown, Change::Update(decoded.object))
    }

    /// Puts a Scale's replicas and their owners into the object.
    fn write_scale(
        &mut self,
        call: &mut Call<'_>,
        options: WriteOptions,
        parent: &Object,
        shown: &Object,
        change: Change,
    ) -> Outcome<Reply> {
        let resource = call.resource.clone();
        let mut write = Write::of(call, options);
        write.resource = Arc::new(scale_resource(&resource));
        let scale = match change {
            Change::Update(mut scale) => {
                managed::on_write(self, &write, Some(shown), &mut scale);
                scale
            }
            Change::Apply(applied) => {
                let merged = managed::apply(self, &write, Some(shown), &applied)?;
                Object::try_from(merged.object).unwrap_or_default()
            }
        };
        write.resource = resource.clone();
        write.applied = true;
        let stored = check(&write.name, &scale).and_then(|()| {
            let mut object = parent.clone();
            set_replicas(&resource, &mut object, replicas(&scale));
            object.metadata_mut().insert("resourceVersion", scale.str_at(&["metadata", "resourceVersion"]).to_owned());
            let uid = scale.str_at(&["metadata", "uid"]);
            if !uid.is_empty() {
                object.metadata_mut().insert("uid", uid.to_owned());
            }
            self.take_owners(&resource, parent, &scale, &mut object);
            self.replace(&mut write, parent, object)
        });
        let warnings = std::mem::take(&mut write.warnings);
        call.warnings.extend(warnings);
        Ok(Reply::value(200, call.accepted, &scale_of(&resource, &stored?)))
    }

    /// Returns the Scale of an object with the managers who own its replicas.
    fn owned_scale(&self, resource: &Resource, object: &Object) -> Object {
        let mut scale = Object::try_from(scale_of(resource, object)).unwrap_or_default();
        let (managed, times) = managed::decode(object).unwrap_or_default();
        let mut owners = Managed::new();
        for (key, fields) in managed.iter() {
            if self.replicas_path(resource, &fields.version).is_some_and(|path| fields.set.has(&path)) {
                owners.insert(key.clone(), owning(&scale_path(), API_VERSION, fields.applied));
            }
        }
        managed::store(self, &mut scale, &owners, &times);
        scale
    }

    /// Gives the replicas to the managers who own those of the Scale.
    fn take_owners(&self, resource: &Resource, parent: &Object, scale: &Object, object: &mut Object) {
        let (managed, times) = managed::decode(parent).unwrap_or_default();
        let (mut of_scale, _) = managed::decode(scale).unwrap_or_default();
        let mut kept = Managed::new();
        for (key, fields) in managed.iter() {
            let Some(path) = self.replicas_path(resource, &fields.version) else { continue };
            let mut fields = fields.clone();
            if fields.set.has(&path) && of_scale.remove(key).is_none() {
                fields.set = fields.set.difference(&set_of(&path));
            }
            if !fields.set.is_empty() {
                kept.insert(key.clone(), fields);
            }
        }
        if let Some(path) = self.replicas_path(resource, &resource.api_version()) {
            for (key, fields) in of_scale.iter() {
                kept.insert(key.clone(), owning(&path, &resource.api_version(), fields.applied));
            }
        }
        managed::store(self, object, &kept, &times);
    }

    /// Returns where the replicas are in a version of the kind; `None` if it is not served.
    fn replicas_path(&self, resource: &Resource, api_version: &str) -> Option<Vec<Element>> {
        let served = managed::find_version(&self.catalog, resource, api_version)?;
        let path = spec_path(served);
        Some(path.split('.').filter(|key| !key.is_empty()).map(Element::field).collect())
    }
}

/// What a request makes of a Scale.
enum Change {
    /// It becomes this one.
    Update(Object),
    /// This is applied to it.
    Apply(Object),
}

/// The kind as which the requests of `/scale` are merged.
fn scale_resource(parent: &Resource) -> Resource {
    Resource {
        group: "autoscaling".to_owned(),
        version: "v1".to_owned(),
        kind: "Scale".to_owned(),
        custom: None,
        empty: OnceLock::new(),
        ..parent.clone()
    }
}

fn scale_path() -> Vec<Element> {
    ["spec", "replicas"].map(Element::field).to_vec()
}

fn set_of(path: &[Element]) -> FieldSet {
    let mut set = FieldSet::new();
    set.insert(path);
    set
}

fn owning(path: &[Element], version: &str, applied: bool) -> OwnedFields {
    OwnedFields { set: set_of(path), version: version.to_owned(), applied }
}

fn replicas(scale: &Object) -> i64 {
    scale.at(&["spec", "replicas"]).and_then(Value::as_i64).unwrap_or_default()
}

fn check(name: &str, scale: &Object) -> Outcome<()> {
    if !scale.name().is_empty() && scale.name() != name {
        let text = format!("the name of the object ({}) does not match the name on the URL ({name})", scale.name());
        return Err(Failure::bad_request(text));
    }
    let replicas = replicas(scale);
    if replicas < 0 {
        let cause = Cause::invalid("spec.replicas", &replicas.to_string(), "must be greater than or equal to 0");
        return Err(Failure::invalid("autoscaling", "Scale", name, &[cause]));
    }
    Ok(())
}

/// Shows the scale of an object.
fn scale_of(resource: &Resource, object: &Object) -> Value {
    let value = object.to_value();
    let mut metadata = Map::new();
    for key in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(entry) = value.at(&["metadata", key]) {
            metadata.insert(key, entry.clone());
        }
    }
    let wanted = replicas_of(resource, object);
    let (present, selector) = match resource.custom.as_ref().and_then(|custom| custom.version.scale.as_ref()) {
        Some(scale) => (
            jsonpath::integer(object, &scale.status_replicas).unwrap_or_default(),
            if scale.selector.is_empty() { String::new() } else { jsonpath::text(object, &scale.selector) },
        ),
        None => (
            int_at(&value, &["status", "replicas"]).unwrap_or_default(),
            selector_text(value.at(&["spec", "selector"])),
        ),
    };
    let mut spec = Map::new();
    if wanted != 0 {
        spec.insert("replicas", wanted);
    }
    let mut status = map! { "replicas" => present };
    if !selector.is_empty() {
        status.insert("selector", selector);
    }
    Value::Map(map! {
        "kind" => "Scale", "apiVersion" => API_VERSION, "metadata" => metadata, "spec" => spec, "status" => status,
    })
}

/// Returns the wanted replicas of an object.
pub(crate) fn replicas_of(resource: &Resource, object: &Object) -> i64 {
    match resource.custom.as_ref().and_then(|custom| custom.version.scale.as_ref()) {
        Some(scale) => jsonpath::integer(object, &scale.spec_replicas),
        None => int_at(&object.to_value(), &["spec", "replicas"]),
    }
    .unwrap_or_default()
}

/// Where the wanted replicas are: `.spec.replicas`, or what the definition says.
fn spec_path(resource: &Resource) -> String {
    let custom = resource.custom.as_ref().and_then(|custom| custom.version.scale.as_ref());
    custom.map_or_else(|| ".spec.replicas".to_owned(), |scale| scale.spec_replicas.to_string())
}

/// Sets the wanted replicas of an object.
pub(crate) fn set_replicas(resource: &Resource, object: &mut Object, replicas: i64) {
    let path = spec_path(resource);
    let keys: Vec<&str> = path.split('.').filter(|key| !key.is_empty()).collect();
    set_at(object.root_mut(), &keys, replicas);
}
