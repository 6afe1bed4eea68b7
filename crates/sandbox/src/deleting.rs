//! Delete and deletecollection.

use lockstep_object::{List, Object, Value};

use crate::{
    build::{map, set_at, text_at},
    catalog::Resource,
    document::Document,
    moment::Moment,
    options::{DeleteOptions, ListOptions, Propagation},
    reading::check_fields,
    server::{Call, Reply, Server, success},
    status::{Failure, Outcome},
    strategy,
};

/// What a deletion did.
pub(crate) struct Deleted {
    pub(crate) object: Object,
    /// The object is gone, not only marked.
    pub(crate) gone: bool,
}

impl Server {
    pub(crate) fn delete(&mut self, call: &mut Call<'_>) -> Outcome<Reply> {
        let options = self.delete_options(call)?;
        let resource = call.resource.clone();
        let (namespace, name) = (call.namespace().to_owned(), call.name().to_owned());
        if options.propagation.is_none() && resource.is("batch", "jobs") {
            call.warnings.push(
                "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning".to_owned(),
            );
        }
        let deleted = self.delete_object(&resource, &namespace, &name, &options, call.moment)?;
        if deleted.gone && !strategy::answers_deleted_object(&resource) {
            let mut details = map! { "name" => name.as_str() };
            if !resource.group.is_empty() {
                details.insert("group", resource.group.as_str());
            }
            details.insert("kind", resource.plural.as_str());
            details.insert("uid", strategy::uid_of(&deleted.object));
            return Ok(Reply::value(200, call.accepted, &success(details)));
        }
        self.reply_object(call, 200, &deleted.object)
    }

    fn delete_options(&self, call: &Call<'_>) -> Outcome<DeleteOptions> {
        if call.request.body.is_empty() {
            return DeleteOptions::parse(None, call.query);
        }
        let json = crate::writing::media_type(call) != "application/yaml";
        let document = if json {
            Document::json(&call.request.body).map_err(|error| {
                Failure::bad_request(format!("couldn't get version/kind; json parse error: {error}"))
            })?
        } else {
            Document::yaml(&call.request.body)?
        };
        let (kind, version) = (text_at(&document.value, &["kind"]), text_at(&document.value, &["apiVersion"]));
        if !kind.is_empty() && kind != "DeleteOptions" {
            let text = format!(
                "no kind \"{kind}\" is registered for version \"{version}\" in scheme \"pkg/runtime/scheme.go:111\""
            );
            return Err(Failure::bad_request(text));
        }
        DeleteOptions::parse(Some(&document.value), call.query)
    }

    /// Deletes an object, or marks it for deletion if somebody holds it.
    pub(crate) fn delete_object(
        &mut self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
        moment: &mut Moment,
    ) -> Outcome<Deleted> {
        let found = self.store.get(&resource.store, namespace, name).cloned();
        let found = found.ok_or_else(|| Failure::not_found(&resource.group, &resource.plural, name))?;
        let object = found.object.clone();
        check_preconditions(resource, &object, options)?;
        self.admit_delete(resource, &object)?;
        let already = object.at(&["metadata", "deletionTimestamp"]).is_some();
        let grace = grace_seconds(resource, &object, options);
        let mut marked = object.clone();
        let finalizers = finalizers_after(resource, &object, options);
        set_finalizers(&mut marked, &finalizers);
        // A definition goes after its objects.
        let definition = resource.is("apiextensions.k8s.io", "customresourcedefinitions") && !already;
        let held = !finalizers.is_empty() || grace > 0 || namespace_held(resource, &object) || definition;
        if !already {
            set_at(marked.root_mut(), &["metadata", "deletionTimestamp"], moment.after(grace));
            // Namespaces are marked by a hand of their own, which knows no grace.
            if !resource.is("", "namespaces") {
                set_at(marked.root_mut(), &["metadata", "deletionGracePeriodSeconds"], grace);
            }
            if let Some(generation) = object.at(&["metadata", "generation"]).and_then(Value::as_i64).filter(|g| *g > 0)
            {
                set_at(marked.root_mut(), &["metadata", "generation"], generation + 1);
            }
            if resource.is("", "namespaces") {
                set_at(marked.root_mut(), &["status", "phase"], "Terminating");
            }
            if resource.is("apiextensions.k8s.io", "customresourcedefinitions") {
                crate::crd::mark_terminating(&mut marked, &moment.seconds());
            }
        } else {
            let known =
                object.at(&["metadata", "deletionGracePeriodSeconds"]).and_then(Value::as_i64).unwrap_or_default();
            if grace < known {
                set_at(marked.root_mut(), &["metadata", "deletionTimestamp"], moment.after(grace));
                set_at(marked.root_mut(), &["metadata", "deletionGracePeriodSeconds"], grace);
            }
        }
        if !held {
            if options.dry_run {
                return Ok(Deleted { object: self.answer_of_gone(resource, object, marked), gone: true });
            }
            let removed = self.store.remove(&resource.store, namespace, name);
            self.after_delete(resource, &object, moment);
            let mut answer = self.answer_of_gone(resource, object, marked);
            if let Some(removed) = removed {
                answer.metadata_mut().insert("resourceVersion", removed.version.to_string());
            }
            return Ok(Deleted { object: answer, gone: true });
        }
        if options.dry_run {
            return Ok(Deleted { object: marked, gone: false });
        }
        if marked == object {
            return Ok(Deleted { object, gone: false });
        }
        let stored = self.store.put(&resource.store, marked);
        let object = stored.object.clone();
        self.after_mark(resource, &object, moment);
        Ok(Deleted { object, gone: false })
    }

    /// Kinds with graceful deletion answer with the marked object even when it goes at once.
    fn answer_of_gone(&self, resource: &Resource, object: Object, marked: Object) -> Object {
        if resource.is("", "pods") { marked } else { object }
    }

    pub(crate) fn delete_collection(&mut self, call: &mut Call<'_>) -> Outcome<Reply> {
        let list = ListOptions::parse(call.query)?;
        check_fields(&call.resource, &list.fields)?;
        let options = self.delete_options(call)?;
        let resource = call.resource.clone();
        let page = self.page(&resource, call.path.namespace.as_deref(), &list)?;
        let version = self.store.version();
        let mut items = Vec::new();
        for stored in page.items {
            let (namespace, name) = (stored.object.namespace().to_owned(), stored.object.name().to_owned());
            match self.delete_object(&resource, &namespace, &name, &options, call.moment) {
                Ok(_) => {
                    let mut value = crate::versions::show(&resource, &stored.object);
                    if let (Value::Map(map), false) = (&mut value, resource.is_custom()) {
                        map.remove("apiVersion");
                        map.remove("kind");
                    }
                    items.push(value);
                }
                Err(failure) if failure.code() == 404 => {}
                Err(failure) => return Err(failure),
            }
        }
        let mut metadata = map! { "resourceVersion" => version.to_string() };
        if resource.is_custom() {
            metadata.insert("continue", "");
        }
        let value = map! {
            "kind" => resource.list_kind.as_str(), "apiVersion" => resource.api_version(),
            "metadata" => metadata, "items" => items.into_iter().collect::<List>(),
        };
        Ok(Reply::value(200, call.accepted, &Value::Map(value)))
    }
}

/// Namespaces are marked by a store of their own, with words of its own.
fn namespace_preconditions(object: &Object, options: &DeleteOptions) -> Outcome<()> {
    let version = object.str_at(&["metadata", "resourceVersion"]);
    for (what, wanted, have) in [
        ("UID", options.uid.as_deref(), strategy::uid_of(object)),
        ("ResourceVersion", options.version.as_deref(), version),
    ] {
        if let Some(wanted) = wanted.filter(|wanted| *wanted != have) {
            let why = format!("Precondition failed: {what} in precondition: {wanted}, {what} in object meta: {have}");
            return Err(Failure::conflict("", "namespaces", object.name(), &why));
        }
    }
    Ok(())
}

fn check_preconditions(resource: &Resource, object: &Object, options: &DeleteOptions) -> Outcome<()> {
    // The storage names the Go type here, not the resource.
    let refuse = |what: &str, given: &str, have: &str| {
        let why = format!(
            "the {what} in the precondition ({given}) does not match the {what} in record ({have}). The object might have been deleted and then recreated"
        );
        let name = object.name();
        let message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": {why}",
            crate::status::qualified(&resource.kind, &resource.group)
        );
        let mut details = map! { "name" => name };
        if !resource.group.is_empty() {
            details.insert("group", resource.group.as_str());
        }
        details.insert("kind", resource.kind.as_str());
        Err(Failure::new(409, "Conflict", message).with_details(details))
    };
    let (uid, version) = (strategy::uid_of(object), object.str_at(&["metadata", "resourceVersion"]));
    if resource.is("", "namespaces") {
        return namespace_preconditions(object, options);
    }
    if let Some(wanted) = options.uid.as_deref().filter(|wanted| *wanted != uid) {
        return refuse("UID", wanted, uid);
    }
    if let Some(wanted) = options.version.as_deref().filter(|wanted| *wanted != version) {
        return refuse("ResourceVersion", wanted, version);
    }
    Ok(())
}

/// Only pods are given time to end: what the request or the pod says, nothing if no node runs it.
fn grace_seconds(resource: &Resource, object: &Object, options: &DeleteOptions) -> i64 {
    if !resource.is("", "pods") {
        return 0;
    }
    let phase = object.str_at(&["status", "phase"]);
    if object.str_at(&["spec", "nodeName"]).is_empty() || phase == "Succeeded" || phase == "Failed" {
        return 0;
    }
    let own = object.at(&["spec", "terminationGracePeriodSeconds"]).and_then(Value::as_i64);
    options.grace.or(own).unwrap_or(30).max(0)
}

fn namespace_held(resource: &Resource, object: &Object) -> bool {
    resource.is("", "namespaces")
        && object.at(&["spec", "finalizers"]).and_then(Value::as_list).is_some_and(|list| !list.is_empty())
}

/// The finalizers that an object has once it is marked: propagation adds or removes those of the garbage collector.
fn finalizers_after(resource: &Resource, object: &Object, options: &DeleteOptions) -> Vec<String> {
    let names = object.at(&["metadata", "finalizers"]).and_then(Value::as_list);
    let mut names: Vec<String> =
        names.into_iter().flat_map(|list| list.iter()).filter_map(Value::as_str).map(str::to_owned).collect();
    // Pods have no dependents worth orphaning by default; jobs keep their pods unless told otherwise.
    let orphans = resource.is("batch", "jobs") || resource.is("", "replicationcontrollers");
    let default = if orphans { Some(Propagation::Orphan) } else { None };
    let had_orphan = names.iter().any(|name| name == "orphan");
    let had_foreground = names.iter().any(|name| name == "foregroundDeletion");
    let (orphan, foreground) = match options.propagation {
        Some(Propagation::Orphan) => (true, false),
        Some(Propagation::Foreground) => (false, true),
        Some(Propagation::Background) => (false, false),
        None if had_orphan || had_foreground => (had_orphan, had_foreground),
        None => (default == Some(Propagation::Orphan), false),
    };
    names.retain(|name| (name != "orphan" || orphan) && (name != "foregroundDeletion" || foreground));
    if orphan && !had_orphan {
        names.push("orphan".to_owned());
    }
    if foreground && !had_foreground {
        names.push("foregroundDeletion".to_owned());
    }
    names
}

pub(crate) fn set_finalizers(object: &mut Object, names: &[String]) {
    if names.is_empty() {
        object.metadata_mut().remove("finalizers");
    } else {
        object.metadata_mut().insert("finalizers", crate::build::texts(names.iter().map(String::as_str)));
    }
}
