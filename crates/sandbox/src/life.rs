//! What follows from writes: namespaces, definitions, owners.

use lockstep_object::{Object, Value};

use crate::{
    build::{map, set_at, texts},
    catalog::Resource,
    crd,
    moment::Moment,
    options::DeleteOptions,
    server::Server,
    status::{Cause, Failure, Outcome},
    writing::Write,
};

const NAMESPACES: &str = "/namespaces";

impl Server {
    /// Makes what every server has: the first namespaces, roles, the service of the server itself.
    pub(crate) fn bootstrap(&mut self, moment: &mut Moment) {
        for name in ["default", "kube-node-lease", "kube-public", "kube-system"] {
            if self.store.get(NAMESPACES, "", name).is_none() {
                let metadata = map! {
                    "name" => name, "uid" => moment.uid(), "creationTimestamp" => moment.seconds(),
                    "labels" => map! { "kubernetes.io/metadata.name" => name },
                };
                let object = map! {
                    "apiVersion" => "v1", "kind" => "Namespace", "metadata" => metadata,
                    "spec" => map! { "finalizers" => texts(["kubernetes"]) }, "status" => map! { "phase" => "Active" },
                };
                let stored = self.store.put(&NAMESPACES.into(), Object::new(object));
                self.fill_namespace(&stored.object, moment);
            }
        }
        crate::bootstrap::roles(self, moment);
        if self.settings.controllers {
            crate::bootstrap::nodes(self, moment);
        }
    }

    /// Refuses objects for a namespace that is not there or goes.
    pub(crate) fn check_namespace(&self, write: &Write<'_>, object: &Object) -> Outcome<()> {
        let resource = &write.resource;
        if !resource.namespaced || crate::reviews::is_review(resource) {
            return Ok(());
        }
        let Some(namespace) = self.store.get(NAMESPACES, "", &write.namespace) else {
            return Err(Failure::not_found("", "namespaces", &write.namespace));
        };
        if namespace.object.at(&["metadata", "deletionTimestamp"]).is_none() {
            return Ok(());
        }
        let why =
            format!("unable to create new content in namespace {} because it is being terminated", write.namespace);
        let failure = Failure::forbidden(&resource.group, &resource.plural, object.name(), &why);
        let cause = Cause::new(
            "NamespaceTerminating",
            "metadata.namespace",
            format!("namespace {} is being terminated", write.namespace),
        );
        Err(failure.with_cause(&cause))
    }

    /// Does what follows from a write.
    pub(crate) fn after_write(&mut self, write: &mut Write<'_>, old: Option<&Object>, new: &Object) {
        if write.resource.is("apiextensions.k8s.io", "customresourcedefinitions") {
            if new.at(&["metadata", "deletionTimestamp"]).is_some() {
                self.finish_definition(new.name(), write.moment);
            } else {
                self.establish(new.name(), write.moment);
            }
        }
        if write.resource.is("", "namespaces") && old.is_none() {
            self.fill_namespace(new, write.moment);
        }
    }

    /// A new namespace has an account and the certificate of the server; a bare server does without.
    pub(crate) fn fill_namespace(&mut self, namespace: &Object, moment: &mut Moment) {
        if self.settings.bare {
            return;
        }
        let name = namespace.name();
        let make = |kind: &str, own: &str, moment: &mut Moment| {
            let metadata = map! {
                "name" => own, "namespace" => name, "uid" => moment.uid(), "creationTimestamp" => moment.seconds(),
            };
            map! { "apiVersion" => "v1", "kind" => kind, "metadata" => metadata }
        };
        if self.store.get("/serviceaccounts", name, "default").is_none() {
            let account = make("ServiceAccount", "default", moment);
            self.store.put(&"/serviceaccounts".into(), Object::new(account));
        }
        if self.store.get("/configmaps", name, "kube-root-ca.crt").is_none() {
            let mut config = make("ConfigMap", "kube-root-ca.crt", moment);
            let about = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.";
            set_at(&mut config, &["metadata", "annotations", "kubernetes.io/description"], about);
            config.insert("data", map! { "ca.crt" => self.access.certificate.as_str() });
            self.store.put(&"/configmaps".into(), Object::new(config));
        }
    }

    /// Does what follows from an object being gone.
    pub(crate) fn after_delete(&mut self, resource: &Resource, object: &Object, moment: &mut Moment) {
        if resource.is("apiextensions.k8s.io", "customresourcedefinitions") {
            self.rebuild_custom();
        }
        if resource.is_custom() {
            let definition = format!("{}.{}", resource.plural, resource.group);
            let going = self.store.get(crd::STORE, "", &definition);
            if going.is_some_and(|going| going.object.at(&["metadata", "deletionTimestamp"]).is_some())
                && self.store.bucket(&resource.store).is_some_and(|bucket| bucket.len() == 0)
            {
                self.finish_definition(&definition, moment);
            }
        }
        let _ = object;
    }

    /// Does what follows from an object being marked for deletion.
    pub(crate) fn after_mark(&mut self, resource: &Resource, object: &Object, moment: &mut Moment) {
        if resource.is("apiextensions.k8s.io", "customresourcedefinitions") {
            self.finish_definition(object.name(), moment);
        }
    }

    /// Deletes every object of a namespace; returns how many are left because somebody holds them.
    pub(crate) fn empty_namespace(&mut self, namespace: &str, moment: &mut Moment) -> usize {
        let resources: Vec<_> = self.catalog.stored().filter(|resource| resource.namespaced).cloned().collect();
        let mut left = 0;
        for resource in resources {
            let names: Vec<_> = self
                .store
                .bucket(&resource.store)
                .into_iter()
                .flat_map(|b| b.range(Some(namespace)))
                .map(|(n, _)| n.clone())
                .collect();
            for name in names {
                let options = DeleteOptions { grace: Some(0), ..DeleteOptions::default() };
                match self.delete_object(&resource, namespace, &name.name, &options, moment) {
                    Ok(deleted) if deleted.gone => {}
                    _ => left += 1,
                }
            }
        }
        left
    }
}

impl Failure {
    /// Adds a cause to the details.
    pub(crate) fn with_cause(self, cause: &Cause) -> Self {
        let value = map! {
            "reason" => cause.reason, "message" => cause.message.as_str(), "field" => cause.field.as_str(),
        };
        let mut details = self.details();
        details.insert("causes", vec![Value::Map(value)]);
        self.with_details(details)
    }
}
