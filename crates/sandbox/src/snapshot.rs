//! All objects as YAML: what a person can read, keep in Git and start a server from.

use lockstep_object::{Object, yaml};

use crate::{crd, sandbox::StartError, server::Server};

impl Server {
    /// Prints all objects, definitions first, in the order of their resources and names.
    pub(crate) fn snapshot(&self) -> String {
        let mut text = String::new();
        let (definitions, others): (Vec<_>, Vec<_>) =
            self.store.buckets().partition(|(store, _)| &***store == crd::STORE);
        for (_, bucket) in definitions.into_iter().chain(others) {
            for (_, stored) in bucket.range(None) {
                text.push_str("---\n");
                text.push_str(&yaml::print(&stored.object.to_value()));
            }
        }
        text
    }

    /// Puts the objects of a snapshot into the store; versions are given anew.
    ///
    /// # Errors
    /// If the text is no YAML, or an object is of a kind that nobody serves.
    pub(crate) fn load_snapshot(&mut self, text: &str) -> Result<usize, StartError> {
        let (objects, problems) = yaml::parse_objects("snapshot", text);
        if let Some(problem) = problems.first() {
            return Err(StartError(format!("the snapshot cannot be read: {problem}")));
        }
        let (definitions, others): (Vec<Object>, Vec<Object>) = objects
            .into_iter()
            .map(|(object, _)| object)
            .partition(|object| object.kind() == "CustomResourceDefinition");
        let count = definitions.len() + others.len();
        for object in definitions {
            self.store.put(&crd::STORE.into(), object);
        }
        self.rebuild_custom();
        for object in others {
            let gvk = object.gvk();
            let resource = self.catalog.kind(&gvk.group, &gvk.version, &gvk.kind).ok_or_else(|| {
                StartError(format!(
                    "the snapshot has a {} {} that this server does not serve",
                    gvk.api_version(),
                    gvk.kind
                ))
            })?;
            let store = resource.store.clone();
            self.store.put(&store, object);
        }
        Ok(count)
    }
}
