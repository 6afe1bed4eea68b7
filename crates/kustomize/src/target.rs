//! Builds one kustomization: its resources, generators, components and transformations, in kustomize's order.

use std::{collections::HashSet, sync::Arc};

use crate::{
    config::{self, Config},
    context::{Absorber, Context, append_known, check_unique, known_ids},
    error::{Error, quote},
    id::ResId,
    json,
    kustomization::Kustomization,
    loader::{Loader, shown},
    nameref,
    origin::Origin,
    read,
    resource::Resource,
    scalar::Rules,
    schema::MergeSchema,
    steps::{self, Step},
    transform,
    vars::{self, Vars},
};

/// What a build has gathered so far.
#[derive(Default)]
pub(crate) struct Gathered {
    pub(crate) resources: Vec<Resource>,
    pub(crate) config: Arc<Config>,
    pub(crate) vars: Vars,
}

/// What all kustomizations of one build share.
pub(crate) struct Shared<'a> {
    pub(crate) context: Context<'a>,
    /// The schema that the first `openapi` field on the way set.
    pub(crate) schema: Option<Arc<MergeSchema>>,
    /// Whether a kind came by that the built-in schema does not have.
    pub(crate) saw_unknown: bool,
    pub(crate) warnings: Vec<String>,
    /// How many folders may still be opened.
    pub(crate) folders_left: usize,
}

impl Shared<'_> {
    pub(crate) fn schema(&self) -> Arc<MergeSchema> {
        self.schema.clone().unwrap_or_else(MergeSchema::built_in)
    }
}

/// A kustomization that was read.
pub(crate) struct Target<'a> {
    pub(crate) loader: Loader<'a>,
    pub(crate) kustomization: Kustomization,
    pub(crate) file_name: &'static str,
    /// Where we are, if somebody asked for origins.
    pub(crate) origin: Option<Origin>,
    /// The namespace that charts inherit.
    pub(crate) chart_namespace: String,
}

const FILE_NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// The kind of annotation or local resource that never leaves a build.
const LOCAL: &str = "config.kubernetes.io/local-config";

impl<'a> Target<'a> {
    /// Reads the kustomization of the loader's folder.
    pub(crate) fn read(loader: Loader<'a>, shared: &mut Shared) -> Result<Self, Error> {
        let found: Vec<(&'static str, Vec<u8>)> =
            FILE_NAMES.iter().filter_map(|name| loader.load(name).ok().map(|bytes| (*name, bytes))).collect();
        let root = loader.shown_root();
        let (file_name, bytes) = match &found[..] {
            [(name, bytes)] => (*name, bytes),
            [] => {
                let names = "'kustomization.yaml', 'kustomization.yml' or 'Kustomization'";
                return Err(Error::new(format!("unable to find one of {names} in directory '{root}'")));
            }
            _ => return Err(Error::new(format!("Found multiple kustomization files under: {root}\n"))),
        };
        let path = loader.join(file_name);
        let text = String::from_utf8_lossy(bytes);
        let (kustomization, warnings) = Kustomization::read(&text, &shared.context.options.limits)
            .and_then(|(kustomization, warnings)| kustomization.check(&root).map(|()| (kustomization, warnings)))
            .map_err(|error| error.at(&path, 0))?;
        shared.warnings.extend(warnings);
        Ok(Self { loader, kustomization, file_name, origin: None, chart_namespace: String::new() })
    }

    /// Builds the kustomization as the root of a build.
    pub(crate) fn build(mut self, shared: &mut Shared) -> Result<Vec<Resource>, Error> {
        self.set_schema(shared, true)?;
        if !self.kustomization.build_metadata.is_empty() {
            self.origin = Some(Origin::default());
        }
        let mut gathered = self.gather(Gathered::default(), shared)?;
        transform::hashes(&mut gathered.resources)?;
        nameref::update(&mut gathered.resources, &gathered.config.name_reference)?;
        vars::resolve(&mut gathered.resources, &gathered.vars, &gathered.config.var_reference)?;
        gathered.resources.retain(|resource| {
            let local = resource.node.at(&["metadata", "annotations", LOCAL]);
            local.is_none_or(|value| value.text() == "false") && !resource.node.is_empty()
        });
        Ok(gathered.resources)
    }

    /// Gathers what the kustomization makes, on top of what there is (a component changes that too).
    fn gather(&self, mut gathered: Gathered, shared: &mut Shared) -> Result<Gathered, Error> {
        let kustomization = &self.kustomization;
        let limits = &shared.context.options.limits;
        self.add_resources(&mut gathered, &kustomization.resources, shared)
            .map_err(|error| error.wrap("accumulating resources"))?;
        let mut table = Config::default_table();
        if !kustomization.configurations.is_empty() {
            table = Arc::new(table.merged(&Config::load(&self.loader, &kustomization.configurations, limits)?)?);
        }
        gathered.config = config::merge_shared(&gathered.config, &table)?;
        let crds = config::from_crds(&self.loader, &kustomization.crds, limits)
            .map_err(|error| error.wrap(format!("loading CRDs [{}]", kustomization.crds.join(" "))))?;
        gathered.config = config::merge_shared(&gathered.config, &Arc::new(crds))?;
        steps::generate(self, &mut gathered, shared)?;
        gathered = self.add_components(gathered, shared).map_err(|error| error.wrap("accumulating components"))?;
        let steps = steps::transformations(self, &gathered.config, shared)?;
        run(&steps, &mut gathered.resources, shared)?;
        self.validate(&mut gathered, shared)?;
        vars::declare(&mut gathered.vars, &mut gathered.resources, &kustomization.vars)
            .map_err(|error| error.wrap(format!("merging vars {}", vars::shown(&kustomization.vars))))?;
        Ok(gathered)
    }

    /// Adds files and folders, each tried as a file first.
    pub(crate) fn add_resources(
        &self,
        gathered: &mut Gathered,
        paths: &[String],
        shared: &mut Shared,
    ) -> Result<(), Error> {
        let mut known = known_ids(&gathered.resources);
        for path in paths {
            let Err(as_file) = self.add_file(gathered, &mut known, path, shared) else { continue };
            if as_file.is_remote() {
                return Err(as_file);
            }
            let place = as_file.place().cloned();
            let wrapped = |error: Error| {
                let error = error.wrap(format!("accumulation err='{as_file}'"));
                match &place {
                    Some(place) => error.at(&place.file, place.line),
                    None => error,
                }
            };
            let loader = match self.loader.child(path) {
                Ok(loader) => loader,
                Err(_) if as_file.is_malformed() => return Err(as_file),
                Err(error) => return Err(wrapped(error)),
            };
            let mut inner = self.add_folder(Gathered::default(), loader, path, false, shared).map_err(wrapped)?;
            let root = std::mem::take(&mut inner.root);
            merge(gathered, &mut known, inner.gathered)
                .map_err(|error| wrapped(error.wrap(format!("recursed merging from path '{root}'"))))?;
        }
        Ok(())
    }

    fn add_file(
        &self,
        gathered: &mut Gathered,
        known: &mut HashSet<ResId>,
        path: &str,
        shared: &mut Shared,
    ) -> Result<(), Error> {
        let mut resources = shared
            .context
            .file(&self.loader, path)
            .map_err(|error| error.wrap(format!("accumulating resources from '{path}'")))?;
        let schema = MergeSchema::built_in();
        shared.saw_unknown |= resources.iter().any(|resource| !schema.knows(resource.api_version(), resource.kind()));
        if let Some(origin) = &self.origin {
            let origin = origin.append(path);
            resources.iter_mut().for_each(|resource| resource.memory.origin = Some(origin.clone()));
        }
        append_known(&mut gathered.resources, known, resources)
            .map_err(|error| error.wrap(format!("merging resources from '{path}'")).at(&self.loader.join(path), 0))
    }

    fn add_components(&self, mut gathered: Gathered, shared: &mut Shared) -> Result<Gathered, Error> {
        for path in &self.kustomization.components {
            let loader = self.loader.child(path).map_err(|error| quoted(error, "loader.New"))?;
            gathered = self
                .add_folder(gathered, loader, path, true, shared)
                .map_err(|error| quoted(error, "accumulateDirectory:"))?
                .gathered;
        }
        Ok(gathered)
    }

    fn add_folder(
        &self,
        start: Gathered,
        loader: Loader<'a>,
        path: &str,
        component: bool,
        shared: &mut Shared,
    ) -> Result<Folder, Error> {
        shared.folders_left = shared
            .folders_left
            .checked_sub(1)
            .ok_or_else(|| Error::new("too many folders with kustomizations in one build"))?;
        let root = shown(loader.root());
        let mut inner = Target::read(loader, shared)
            .map_err(|error| error.wrap(format!("couldn't make target for path '{root}'")))?;
        inner.kustomization.build_metadata.clone_from(&self.kustomization.build_metadata);
        inner.origin = self.origin.as_ref().map(|origin| origin.append(path));
        let own = &self.kustomization.namespace;
        inner.chart_namespace.clone_from(if own.is_empty() { &self.chart_namespace } else { own });
        inner.set_schema(shared, false)?;
        match (component, inner.kustomization.is_component()) {
            (true, false) => {
                let kind = &inner.kustomization.kind;
                return Err(Error::new(format!("expected kind 'Component' for path '{root}' but got '{kind}'")));
            }
            (false, true) => return Err(Error::new(format!("expected kind != 'Component' for path '{root}'"))),
            _ => {}
        }
        let mut gathered = inner
            .gather(start, shared)
            .map_err(|error| error.wrap(format!("recursed accumulation of path '{root}'")))?;
        if component {
            // kustomize goes on with a new accumulator, which takes up what the component leaves.
            gathered.config = config::merge_shared(&Arc::default(), &gathered.config)?;
            check_unique(&gathered.resources)
                .map_err(|error| error.wrap(format!("recursed merging from path '{root}'")))?;
        }
        Ok(Folder { gathered, root })
    }

    /// Reads the field `openapi`; the first one on the way from the root holds.
    fn set_schema(&self, shared: &mut Shared, root: bool) -> Result<(), Error> {
        let field = &self.kustomization.openapi;
        let document = match field.get("path") {
            Some(path) => Some(self.loader.load_text(path)?),
            None => None,
        };
        if shared.schema.is_some() && !root {
            return Ok(());
        }
        let version = field.get("version");
        if let Some(text) = document {
            if version.is_some() {
                return Err(Error::new("builtin version and custom schema provided, cannot use both"));
            }
            let document = read::document(&text, Rules::V2, &shared.context.options.limits)?.unwrap_or_default();
            // kustomize loads its own schema too once it has looked for a kind that its short table lacks.
            let on_built_in = shared.saw_unknown;
            shared.schema = Some(Arc::new(MergeSchema::from_open_api(&document, on_built_in)));
        } else if let Some(version) = version.filter(|version| !version.is_empty()) {
            if version != "v1.21.2" {
                return Err(Error::new("the specified OpenAPI version is not built in"));
            }
            shared.schema = Some(MergeSchema::built_in());
        }
        Ok(())
    }

    /// Runs the validators: transformers that may add the label `validated-by` and nothing else.
    fn validate(&self, gathered: &mut Gathered, shared: &mut Shared) -> Result<(), Error> {
        let validators = steps::external(self, &self.kustomization.validators, shared)?;
        for validator in &validators {
            let before = gathered.resources.clone();
            validator.apply(&mut gathered.resources, shared)?;
            let changed = |text: String| Error::new(format!("validator shouldn't modify the resource map: {text}"));
            if before.len() != gathered.resources.len() {
                return Err(changed("lists have different number of entries".to_owned()));
            }
            for (old, new) in before.iter().zip(&gathered.resources) {
                nodes_equal(old, new).map_err(changed)?;
            }
        }
        Ok(())
    }
}

/// The label that a validator leaves.
const VALIDATED_BY: &str = "validated-by";

/// Compares a resource with what a validator has made of it, in the words of kustomize's `ErrorIfNotEqualSets`.
fn nodes_equal(old: &Resource, new: &Resource) -> Result<(), String> {
    let mut new = new.clone();
    let mut labels = new.texts("labels");
    let validated = labels.iter().any(|(key, _)| &**key == VALIDATED_BY);
    if validated {
        labels.retain(|(key, _)| &**key != VALIDATED_BY);
        new.set_texts("labels", labels);
    }
    // kustomize compares the nodes' places in the file, too: labels that are written again are no longer the same.
    if old.node == new.node && !(validated && old.node.at(&["metadata", "labels"]).is_some()) {
        return Ok(());
    }
    let json = |resource: &Resource| json::to_text(&resource.with_internal_annotations());
    let resource = "&resource.Resource{RNode:yaml.RNode{fieldPath:[]string(nil), value:(*yaml.Node)(0xADDR), \
                    ShouldKeep:false, Match:[]string(nil)}, refVarNames:[]string(nil)}";
    Err(format!("nodes unequal: \n -- {},\n -- {}\n\n--\n{resource}\n------\n{resource}\n", json(old), json(&new)))
}

struct Folder {
    gathered: Gathered,
    root: String,
}

fn quoted(error: Error, prefix: &str) -> Error {
    error.reword(|text| format!("{prefix} {}", quote(text)))
}

fn merge(into: &mut Gathered, known: &mut HashSet<ResId>, from: Gathered) -> Result<(), Error> {
    append_known(&mut into.resources, known, from.resources)?;
    into.config = config::merge_shared(&into.config, &from.config)?;
    vars::merge(&mut into.vars, &from.vars)
}

/// Runs transformations in order.
pub(crate) fn run(steps: &[Step], resources: &mut Vec<Resource>, shared: &Shared) -> Result<(), Error> {
    for step in steps {
        step.apply(resources, shared)?;
        if let Some(origin) = &step.origin {
            for resource in resources.iter_mut() {
                resource.part_annotations();
                match &resource.memory.origin {
                    None => resource.memory.origin = Some(origin.clone()),
                    Some(_) => resource.memory.transformations.push(origin.clone()),
                }
            }
        }
        resources.retain(|resource| !resource.node.is_empty());
    }
    Ok(())
}

/// Adds generated resources.
pub(crate) fn add_generated(
    into: &mut Absorber,
    mut made: Vec<Resource>,
    origin: Option<&Origin>,
) -> Result<(), Error> {
    // kustomize prints two pointers here; the second one, to the origin, is nil unless somebody asked for origins.
    let shown = if origin.is_some() { "&{0xADDR 0xADDR}" } else { "&{0xADDR <nil>}" };
    for resource in &mut made {
        if resource.memory.origin.is_none() {
            resource.memory.origin = origin.cloned();
        }
    }
    made.into_iter()
        .try_for_each(|resource| into.add(resource))
        .map_err(|error| error.wrap(format!("merging from generator {shown}")))
}
