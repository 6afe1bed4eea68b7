//! Patches: strategic merges and JSON patches, for one target or for all that a selector picks.

use crate::{
    context::Context,
    error::{Error, quote},
    id::ResId,
    json6902::JsonPatch,
    kustomization::{Patch, Selector},
    loader::Loader,
    merge,
    node::Node,
    resource::Resource,
    schema::MergeSchema,
    select::select,
};

/// A patch ready to apply.
pub(crate) enum Ready {
    /// Strategic merges, each for the resource of its own id.
    Merges(Vec<Resource>),
    /// An entry of `patches` with strategic merges.
    Selected(Vec<Resource>, Option<Selector>, String),
    /// An entry of `patches` or `patchesJson6902` with a JSON patch.
    Json(JsonPatch, Option<Selector>, String, bool),
}

/// Reads an entry of `patches`.
pub(crate) fn read(loader: &Loader, patch: &Patch, context: &Context) -> Result<Ready, Error> {
    let inline = patch.patch.trim();
    let shown = || crate::print::to_text(&config(patch));
    let (text, source) = match (inline.is_empty(), patch.path.is_empty()) {
        (true, true) => return Err(Error::new(format!("must specify one of patch and path in\n{}", shown()))),
        (false, false) => {
            return Err(Error::new(format!("patch and path can't be set at the same time\n{}", shown())));
        }
        (false, true) => (inline.to_owned(), format!("[patch: {}]", quote(inline))),
        (true, false) => {
            let wrapped = |error: Error| error.wrap(format!("failed to get the patch file from path({})", patch.path));
            (loader.load_text(&patch.path).map_err(wrapped)?, format!("[path: {}]", quote(&patch.path)))
        }
    };
    let merges = context.resources(&text);
    let json = if text.is_empty() {
        Err(Error::new("empty json patch operations"))
    } else {
        JsonPatch::read(&text, &context.options.limits)
    };
    let both = matches!((&merges, &json), (Ok(merges), Ok(json)) if !merges.is_empty() && !json.is_empty());
    if both {
        return Err(Error::new(format!("illegally qualifies as both an SM and JSON patch: {source}")));
    }
    match (merges, json) {
        (Ok(mut merges), _) => {
            let options = patch.options.clone().unwrap_or_default();
            for merge in &mut merges {
                merge.memory.allow_name_change |= options.allow_name_change;
                merge.memory.allow_kind_change |= options.allow_kind_change;
                if options.allow_name_change || options.allow_kind_change {
                    // kustomize notes it among the annotations, which makes all of them texts.
                    merge.set_texts("annotations", merge.texts("annotations"));
                }
            }
            Ok(Ready::Selected(merges, patch.target.clone(), source))
        }
        (Err(_), Ok(json)) => Ok(Ready::Json(json, patch.target.clone(), format!("JSON patch {source}"), true)),
        (Err(error), Err(_)) => {
            let error = error.reword(|_| format!("unable to parse SM or JSON patch from {source}"));
            Err(if patch.path.is_empty() { error } else { error.at(&loader.join(&patch.path), 0) })
        }
    }
}

/// Reads an entry of `patchesJson6902`.
pub(crate) fn read_json(loader: &Loader, patch: &Patch, context: &Context) -> Result<Ready, Error> {
    let text = match (patch.path.is_empty(), patch.patch.is_empty()) {
        _ if patch.target.as_ref().is_none_or(|target| target.name.is_empty()) => {
            return Err(Error::new("must specify the target name"));
        }
        (true, true) => return Err(Error::new("empty file path and empty jsonOp")),
        (false, false) => return Err(Error::new("must specify a file path or jsonOp, not both")),
        (true, false) => patch.patch.clone(),
        (false, true) => {
            let text = loader.load_text(&patch.path)?;
            if text.is_empty() {
                return Err(Error::new(format!("patch file '{}' empty seems to be empty", patch.path)));
            }
            text
        }
    };
    let json = JsonPatch::read(&text, &context.options.limits)?;
    if json.is_empty() {
        return Err(Error::new(format!("patch appears to be empty; file={}, JsonOp={text}", patch.path)));
    }
    Ok(Ready::Json(json, patch.target.clone(), format!("patch {text}"), false))
}

/// Reads `patchesStrategicMerge`: each entry is a patch itself or a path.
pub(crate) fn read_merges(loader: &Loader, entries: &[String], context: &Context) -> Result<Ready, Error> {
    let mut merges = Vec::new();
    for entry in entries {
        match context.resources(entry) {
            Ok(read) => merges.extend(read),
            Err(_) => {
                let text = loader.load_text(entry)?;
                merges.extend(context.resources(&text).map_err(|error| crate::context::name_file(error, entry))?);
            }
        }
    }
    if merges.is_empty() {
        return Err(Error::new(format!("patch appears to be empty; files=[{}], Patch=", entries.join(" "))));
    }
    Ok(Ready::Merges(merges))
}

impl Ready {
    /// Returns the strategic merges.
    pub(crate) fn into_merges(self) -> Vec<Resource> {
        match self {
            Self::Merges(merges) | Self::Selected(merges, _, _) => merges,
            Self::Json(..) => Vec::new(),
        }
    }

    /// Applies the patch.
    pub(crate) fn apply(&self, resources: &mut Vec<Resource>, schema: &MergeSchema) -> Result<(), Error> {
        match self {
            Self::Merges(merges) => {
                for merge in merges {
                    let place = only_match(resources, &merge.original_id())?;
                    let id = resources[place].id();
                    merge_all(resources, &[id], merge, schema)?;
                }
                Ok(())
            }
            Self::Selected(merges, target, source) => selected(resources, merges, target.as_ref(), source, schema),
            Self::Json(patch, target, shown, remember) => {
                let Some(target) = target else {
                    return Err(Error::new(format!("must specify a target for {shown}")));
                };
                for place in select(resources, target)? {
                    let resource = &mut resources[place];
                    if *remember {
                        resource.store_previous_id();
                    }
                    resource.part_shared();
                    resource.show_memory();
                    patch.apply(&mut resource.node)?;
                    if patch.takes_annotations() {
                        resource.forget_origin();
                    }
                }
                Ok(())
            }
        }
    }
}

fn selected(
    resources: &mut Vec<Resource>,
    merges: &[Resource],
    target: Option<&Selector>,
    source: &str,
    schema: &MergeSchema,
) -> Result<(), Error> {
    let Some(target) = target else {
        for merge in merges {
            let id = merge.original_id();
            let place = only_match(resources, &id).map_err(|error| {
                error.wrap(format!("no resource matches strategic merge patch {}", quote(&id.to_string())))
            })?;
            merge_one(&mut resources[place], merge, schema)?;
        }
        return Ok(());
    };
    let patch = match merges {
        [] => return Ok(()),
        [patch] => patch,
        _ => {
            return Err(Error::new(format!(
                "Multiple Strategic-Merge Patches in one `patches` entry is not allowed to set `patches.target` field: \
                 {source}"
            )));
        }
    };
    let places = select(resources, target).map_err(|error| {
        let shown = format!("{}:a={}:l={}", target.id(), target.annotation_selector, target.label_selector);
        error.wrap(format!("unable to find patch target {} in `resources`", quote(&shown)))
    })?;
    let ids: Vec<ResId> = places.iter().map(|place| resources[*place].id()).collect();
    merge_all(resources, &ids, patch, schema)
}

/// Returns the place of the one resource that has, or had, an id.
fn only_match(resources: &[Resource], id: &ResId) -> Result<usize, Error> {
    let has = |resource: &Resource| !resource.node.is_empty() && resource.has_or_had(id);
    let mut places = resources.iter().enumerate().filter(|(_, resource)| has(resource)).map(|(place, _)| place);
    let why = match (places.next(), places.next()) {
        (Some(place), None) => return Ok(place),
        (Some(_), Some(_)) => "multiple matches",
        _ => "no matches",
    };
    Err(Error::new(format!("{why} for Id {id}; failed to find unique target for patch {id}")))
}

fn merge_all(
    resources: &mut Vec<Resource>,
    ids: &[ResId],
    patch: &Resource,
    schema: &MergeSchema,
) -> Result<(), Error> {
    let wanted: std::collections::HashSet<&ResId> = ids.iter().collect();
    for resource in resources.iter_mut() {
        if !wanted.contains(&resource.id()) {
            continue;
        }
        let mut copy = patch.clone();
        let gvk = resource.gvk();
        copy.node.insert("apiVersion", Node::open(&gvk.api_version()));
        copy.node.insert("kind", Node::open(patch.kind()));
        // kustomize takes these as texts and writes them again, so that a null is the text `null`.
        for field in ["labels", "annotations"] {
            copy.set_texts(field, patch.texts(field));
        }
        merge_one(resource, &copy, schema)?;
    }
    resources.retain(|resource| !resource.node.is_empty());
    crate::context::check_unique(resources)
}

fn merge_one(resource: &mut Resource, patch: &Resource, schema: &MergeSchema) -> Result<(), Error> {
    let (name, namespace, kind) =
        (resource.name().to_owned(), resource.namespace().to_owned(), resource.kind().to_owned());
    let (rename, rekind) = (patch.memory.allow_name_change, patch.memory.allow_kind_change);
    if rename || rekind {
        resource.store_previous_id();
        resource.memory.allow_name_change |= rename;
        resource.memory.allow_kind_change |= rekind;
    }
    let annotations = patch.node.at(&["metadata", "annotations"]);
    if annotations.is_some_and(|annotations| annotations.is_null() || annotations.get("$patch").is_some()) {
        // kustomize keeps its memory in annotations, so a patch that drops them drops it too.
        resource.memory.previous.clear();
        resource.memory.prefixes.clear();
        resource.memory.suffixes.clear();
        resource.memory.needs_hash = false;
        resource.forget_origin();
    }
    let merged = merge::merge(std::mem::take(&mut resource.node), patch.node.clone(), schema)?;
    resource.node = merged.unwrap_or_default();
    if resource.node.is_empty() {
        return Ok(());
    }
    if !rekind {
        resource.set_kind(&kind);
    }
    if !rename {
        resource.set_name(&name);
    }
    resource.set_namespace(&namespace);
    resource.unite_shared();
    Ok(())
}

/// Shows an entry of `patches` as the configuration of kustomize's plugin.
pub(crate) fn config(patch: &Patch) -> Node {
    let mut node = Node::map();
    let mut put = |key: &str, value: &str| {
        if !value.is_empty() {
            node.insert(key, Node::string(value));
        }
    };
    put("path", &patch.path);
    put("patch", &patch.patch);
    if let Some(target) = &patch.target {
        node.insert("target", target_node(target));
    }
    if let Some(options) = &patch.options {
        let mut shown = Node::map();
        let truth = || Node::open("true");
        if options.allow_name_change {
            shown.insert("allowNameChange", truth());
        }
        if options.allow_kind_change {
            shown.insert("allowKindChange", truth());
        }
        node.insert("options", shown);
    }
    node
}

/// Shows a selector.
pub(crate) fn target_node(target: &Selector) -> Node {
    let mut node = Node::map();
    for (key, value) in [
        ("group", &target.group),
        ("version", &target.version),
        ("kind", &target.kind),
        ("name", &target.name),
        ("namespace", &target.namespace),
        ("annotationSelector", &target.annotation_selector),
        ("labelSelector", &target.label_selector),
    ] {
        if !value.is_empty() {
            node.insert(key, Node::string(value));
        }
    }
    node
}
