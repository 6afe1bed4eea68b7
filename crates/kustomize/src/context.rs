//! What every part of a build needs: the options, and how resources are read.

use std::collections::{HashMap, HashSet};

use crate::{
    Options,
    error::Error,
    id::ResId,
    loader::Loader,
    node::Node,
    read,
    resource::{Behavior, Resource},
};

/// What every part of a build needs.
pub(crate) struct Context<'a> {
    pub(crate) options: &'a Options<'a>,
}

impl Context<'_> {
    /// Reads the resources of a text; `List` kinds are opened.
    pub(crate) fn resources(&self, text: &str) -> Result<Vec<Resource>, Error> {
        let mut queue: std::collections::VecDeque<Node> = valid(read::documents(text, &self.options.limits)?)?.into();
        let mut out = Vec::with_capacity(queue.len());
        while let Some(node) = queue.pop_front() {
            let kind = node.get("kind").map_or("", Node::raw_text);
            if !kind.ends_with("List") || node.get("items").is_none() {
                out.push(Resource::new(node));
                continue;
            }
            let kind = kind.to_owned();
            match node.get("items") {
                Some(Node::List(items)) => queue.extend(valid(items.clone())?),
                Some(items) if items.is_null() => {}
                _ => return Err(Error::new(format!("expected array in {kind}/items, but found string"))),
            }
        }
        Ok(out)
    }

    /// Reads the resources of a file; ids must be unique in it.
    pub(crate) fn file(&self, loader: &Loader, path: &str) -> Result<Vec<Resource>, Error> {
        let text = loader.load_text(path)?;
        let full = loader.join(path);
        let resources = self.resources(&text).map_err(|error| name_file(error, path).at(&full, 0))?;
        check_unique(&resources).map_err(|error| error.at(&full, 0))?;
        Ok(resources)
    }
}

/// Names the file in errors of YAML's syntax.
pub(crate) fn name_file(error: Error, path: &str) -> Error {
    if error.is_malformed() { error.reword(|text| format!("{text} in File: {path}")) } else { error }
}

fn valid(nodes: Vec<Node>) -> Result<Vec<Node>, Error> {
    let kept: Vec<Node> = nodes.into_iter().filter(|node| !node.is_empty()).collect();
    kept.iter().try_for_each(Resource::validate)?;
    Ok(kept)
}

fn registered(id: &ResId) -> Error {
    Error::new(format!("may not add resource with an already registered id: {id}"))
}

/// Checks that no two resources have one id.
pub(crate) fn check_unique(resources: &[Resource]) -> Result<(), Error> {
    let mut known = HashSet::with_capacity(resources.len());
    for resource in resources {
        if !known.insert(normal(resource.id())) {
            return Err(registered(&resource.id()));
        }
    }
    Ok(())
}

/// Brings ids that name the same resource into the same form.
fn normal(id: ResId) -> ResId {
    let namespace = id.effective_namespace().into();
    ResId { namespace, cluster_scoped: false, ..id }
}

/// Returns the ids of resources, to add further ones with [`append_known`].
pub(crate) fn known_ids(resources: &[Resource]) -> HashSet<ResId> {
    resources.iter().map(|resource| normal(resource.id())).collect()
}

/// Adds resources whose ids must be new.
pub(crate) fn append(into: &mut Vec<Resource>, from: Vec<Resource>) -> Result<(), Error> {
    let mut known = known_ids(into);
    append_known(into, &mut known, from)
}

/// Adds resources whose ids must not be among the known ones.
pub(crate) fn append_known(
    into: &mut Vec<Resource>,
    known: &mut HashSet<ResId>,
    from: Vec<Resource>,
) -> Result<(), Error> {
    for resource in from {
        if !known.insert(normal(resource.id())) {
            return Err(registered(&resource.id()));
        }
        into.push(resource);
    }
    Ok(())
}

/// Adds generated resources: new ones, or merged into or put in the place of those that exist. It finds them by the ids
/// that they have and had, so that many generators do not each look at all resources.
pub(crate) struct Absorber<'r> {
    into: &'r mut Vec<Resource>,
    places: HashMap<ResId, Vec<usize>>,
}

impl<'r> Absorber<'r> {
    pub(crate) fn new(into: &'r mut Vec<Resource>) -> Self {
        let mut places = HashMap::with_capacity(into.len());
        for (place, resource) in into.iter().enumerate() {
            note(&mut places, place, resource);
        }
        Self { into, places }
    }

    /// Adds one resource.
    pub(crate) fn add(&mut self, mut resource: Resource) -> Result<(), Error> {
        let id = resource.id();
        let places = self.places.get(&normal(id.clone())).map_or(&[][..], Vec::as_slice);
        let behavior = resource.memory.behavior;
        match (places, behavior) {
            ([], Behavior::Merge | Behavior::Replace) => {
                Err(Error::new(format!("id {} does not exist; cannot merge or replace", id.to_go())))
            }
            ([], _) => {
                note(&mut self.places, self.into.len(), &resource);
                self.into.push(resource);
                Ok(())
            }
            (&[place], Behavior::Replace | Behavior::Merge) => {
                let old = &self.into[place];
                let origin = old.memory.origin.clone();
                resource.take_metadata_of(old);
                if behavior == Behavior::Merge {
                    resource.merge_data_of(old, "data");
                    resource.merge_data_of(old, "binaryData");
                    resource.memory.origin = origin.or(resource.memory.origin.take());
                }
                self.put(place, resource);
                Ok(())
            }
            ([_], behavior) => Err(Error::new(format!(
                "id {} exists; can not use behavior: '{}', behavior must be merge or replace",
                id.to_go(),
                behavior.name()
            ))),
            (several, _) => {
                let shown = several.iter().map(|place| self.into[*place].with_internal_annotations());
                let shown: Vec<String> = shown.map(|node| crate::json::to_text(&node)).collect();
                let shown = shown.join(" ");
                Err(Error::new(format!("found multiple objects [{shown}] that could accept merge of {id}")))
            }
        }
    }

    /// Puts a resource in the place of another.
    fn put(&mut self, place: usize, resource: Resource) {
        for id in ids(&self.into[place]) {
            if let Some(places) = self.places.get_mut(&id) {
                places.retain(|known| *known != place);
            }
        }
        note(&mut self.places, place, &resource);
        self.into[place] = resource;
    }
}

/// Makes a resource known by all its ids; one that was emptied has none.
fn note(places: &mut HashMap<ResId, Vec<usize>>, place: usize, resource: &Resource) {
    for id in ids(resource) {
        let known = places.entry(id).or_default();
        // Errors name the places in the order of the resources.
        if let Err(at) = known.binary_search(&place) {
            known.insert(at, place);
        }
    }
}

/// Returns the ids that a resource has and had.
fn ids(resource: &Resource) -> impl Iterator<Item = ResId> {
    let all = (!resource.node.is_empty()).then(|| std::iter::once(resource.id()).chain(resource.previous_ids()));
    all.into_iter().flatten().map(normal)
}

/// Groups places of resources by a former name.
pub(crate) fn by_previous_name(resources: &[Resource]) -> HashMap<Box<str>, Vec<usize>> {
    let mut places: HashMap<Box<str>, Vec<usize>> = HashMap::new();
    for (place, resource) in resources.iter().enumerate() {
        for previous in &resource.memory.previous {
            let known = places.entry(previous.name.clone()).or_default();
            if known.last() != Some(&place) {
                known.push(place);
            }
        }
    }
    places
}
