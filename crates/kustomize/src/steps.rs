//! The generators and transformations of a kustomization: those of its fields, and the built-in plugins that the
//! fields `generators` and `transformers` configure.

use crate::{
    config::{Config, FieldSpec, merge_specs},
    context::Absorber,
    error::Error,
    generate, helm,
    id::Gvk,
    image,
    kustomization::{GeneratorArgs, GeneratorOptions, Image, Patch, ReplacementField, Replica},
    loader::Loader,
    node::Node,
    origin::Origin,
    patch::{self, Ready},
    plugins, print, replace,
    resource::Resource,
    scalar::Rules,
    target::{Gathered, Shared, Target, add_generated},
    transform::{self, Affix, NamespaceOptions},
};

use std::collections::BTreeMap;

/// A transformation, ready to run.
pub(crate) struct Step {
    pub(crate) action: Action,
    /// What `transformerAnnotations` say about it.
    pub(crate) origin: Option<Origin>,
}

/// What a transformation does.
pub(crate) enum Action {
    Patch(Ready),
    Namespace(NamespaceOptions, Vec<FieldSpec>),
    Affix(Affix, String, Vec<FieldSpec>),
    Entries(BTreeMap<String, String>, Vec<FieldSpec>),
    Replicas(Replica, Vec<FieldSpec>),
    Image(Image, Vec<FieldSpec>),
    Replacements(Vec<ReplacementField>),
    Hashes,
    AddValue(plugins::ValueAdd),
}

impl Step {
    /// Runs the transformation.
    pub(crate) fn apply(&self, resources: &mut Vec<Resource>, shared: &Shared) -> Result<(), Error> {
        match &self.action {
            Action::Patch(patch) => patch.apply(resources, &shared.schema()),
            Action::Namespace(options, specs) => transform::namespace(resources, options, specs),
            Action::Affix(which, text, specs) => transform::affix(resources, text, *which, specs),
            Action::Entries(texts, specs) => transform::entries(resources, texts, specs),
            Action::Replicas(rule, specs) => transform::replicas(resources, rule, specs),
            Action::Image(rule, specs) => image::change(resources, rule, specs),
            Action::Replacements(rules) => replace::apply(resources, rules, &shared.context.options.limits),
            Action::Hashes => transform::hashes(resources),
            Action::AddValue(value) => value.apply(resources),
        }
    }
}

/// Says which plugin could not be configured, and with what.
pub(crate) fn trouble<'k>(kind: &'k str, config: &Node) -> impl Fn(Error) -> Error + use<'k> {
    let shown = print::to_text(config);
    move |error| error.wrap(format!("trouble configuring builtin {kind} with config: `\n{shown}`"))
}

/// Runs the generators of a kustomization.
pub(crate) fn generate(target: &Target, gathered: &mut Gathered, shared: &mut Shared) -> Result<(), Error> {
    let kustomization = &target.kustomization;
    let global = kustomization.generator_options.as_ref();
    let charts = helm::prepare(target, shared)?;
    let plugins = plugins::generators(target, shared).map_err(|error| error.wrap("loading generator plugins"))?;
    let nothing = kustomization.config_map_generator.is_empty() && kustomization.secret_generator.is_empty();
    if nothing && charts.is_empty() && plugins.is_empty() {
        return Ok(());
    }
    let mut into = Absorber::new(&mut gathered.resources);
    let origin = |kind: &str| target.origin.as_ref().map(|origin| origin.of_builtin(target.file_name, kind));
    let with_global = |args: &GeneratorArgs| GeneratorArgs {
        options: GeneratorOptions::with_global(args.options.as_ref(), global),
        ..args.clone()
    };
    for args in &kustomization.config_map_generator {
        let made = generate::config_map(&target.loader, &with_global(args))?;
        add_generated(&mut into, vec![made], origin("ConfigMapGenerator").as_ref())?;
    }
    for args in &kustomization.secret_generator {
        let made = generate::secret(&target.loader, &with_global(&args.common()), &args.kind)?;
        add_generated(&mut into, vec![made], origin("SecretGenerator").as_ref())?;
    }
    for chart in &charts {
        let made = helm::render(chart, &target.loader, shared)?;
        add_generated(&mut into, made, origin("HelmChartInflationGenerator").as_ref())?;
    }
    for plugin in &plugins {
        let made = plugin.generate(&target.loader, shared)?;
        add_generated(&mut into, made, plugin.origin.as_ref())?;
    }
    Ok(())
}

/// Prepares the transformations of a kustomization.
pub(crate) fn transformations(target: &Target, config: &Config, shared: &mut Shared) -> Result<Vec<Step>, Error> {
    let kustomization = &target.kustomization;
    let mut steps = Steps { target, steps: Vec::new() };
    patches(&mut steps, shared)?;
    if !kustomization.namespace.is_empty() {
        let options = NamespaceOptions { namespace: kustomization.namespace.clone(), ..NamespaceOptions::default() };
        steps.push("NamespaceTransformer", Action::Namespace(options, config.namespace.clone()));
    }
    for (which, text, specs) in [
        (Affix::Prefix, &kustomization.name_prefix, &config.name_prefix),
        (Affix::Suffix, &kustomization.name_suffix, &config.name_suffix),
    ] {
        if !text.is_empty() {
            let kind = if which == Affix::Prefix { "PrefixTransformer" } else { "SuffixTransformer" };
            steps.push(kind, Action::Affix(which, text.clone(), specs.clone()));
        }
    }
    labels(&mut steps, config)?;
    if !kustomization.common_annotations.is_empty() {
        let action = Action::Entries(kustomization.common_annotations.clone(), config.common_annotations.clone());
        steps.push("AnnotationsTransformer", action);
    }
    for patch in &kustomization.patches_json_6902 {
        let wrapped = trouble("PatchJson6902Transformer", &json_config(patch));
        let ready = patch::read_json(&target.loader, patch, &shared.context).map_err(wrapped)?;
        steps.push("PatchJson6902Transformer", Action::Patch(ready));
    }
    for rule in &kustomization.replicas {
        steps.push("ReplicaCountTransformer", Action::Replicas(rule.clone(), config.replicas.clone()));
    }
    for rule in &kustomization.images {
        steps.push("ImageTagTransformer", Action::Image(rule.clone(), config.images.clone()));
    }
    if !kustomization.replacements.is_empty() {
        let rules = replacements(&target.loader, &kustomization.replacements, shared).map_err(|error| {
            trouble("ReplacementTransformer", &replacements_config(&kustomization.replacements))(error)
        })?;
        steps.push("ReplacementTransformer", Action::Replacements(rules));
    }
    let mut steps = steps.steps;
    steps.extend(external(target, &kustomization.transformers, shared)?);
    Ok(steps)
}

/// Prepares the transformations that the field `transformers` or `validators` names.
pub(crate) fn external(target: &Target, entries: &[String], shared: &mut Shared) -> Result<Vec<Step>, Error> {
    plugins::transformers(target, entries, shared)
}

struct Steps<'t, 'a> {
    target: &'t Target<'a>,
    steps: Vec<Step>,
}

impl Steps<'_, '_> {
    fn push(&mut self, kind: &str, action: Action) {
        let origin = self.target.origin.as_ref().map(|origin| origin.of_builtin(self.target.file_name, kind));
        self.steps.push(Step { action, origin });
    }
}

fn patches(steps: &mut Steps, shared: &Shared) -> Result<(), Error> {
    let target = steps.target;
    let merges = &target.kustomization.patches_strategic_merge;
    if !merges.is_empty() {
        let mut config = Node::map();
        config.insert("paths", Node::List(merges.iter().map(|path| Node::string(path)).collect()));
        let wrapped = trouble("PatchStrategicMergeTransformer", &config);
        let ready = patch::read_merges(&target.loader, merges, &shared.context).map_err(wrapped)?;
        steps.push("PatchStrategicMergeTransformer", Action::Patch(ready));
    }
    for patch in &target.kustomization.patches {
        let read = patch::read(&target.loader, patch, &shared.context);
        let ready = read.map_err(|error| trouble("PatchTransformer", &patch::config(patch))(error))?;
        steps.push("PatchTransformer", Action::Patch(ready));
    }
    Ok(())
}

fn labels(steps: &mut Steps, config: &Config) -> Result<(), Error> {
    let kustomization = &steps.target.kustomization;
    if kustomization.labels.is_empty() && kustomization.common_labels.is_empty() {
        return Ok(());
    }
    let failed = |error: Error| error.wrap("failed to merge labels");
    for label in &kustomization.labels {
        let mut specs = crate::config::specs(&label.fields);
        merge_specs(&mut specs, &config.labels).map_err(failed)?;
        if label.include_selectors {
            merge_specs(&mut specs, &config.common_labels).map_err(failed)?;
        } else {
            if label.include_templates {
                merge_specs(&mut specs, &config.template_labels)
                    .map_err(|error| error.wrap("failed to merge template fieldSpec"))?;
            }
            let own = FieldSpec::new(Gvk::default(), "metadata/labels", true);
            merge_specs(&mut specs, &[own]).map_err(failed)?;
        }
        steps.push("LabelTransformer", Action::Entries(label.pairs.clone(), specs));
    }
    let action = Action::Entries(kustomization.common_labels.clone(), config.common_labels.clone());
    steps.push("LabelTransformer", action);
    Ok(())
}

fn json_config(patch: &Patch) -> Node {
    let mut node = patch::config(&Patch { options: None, ..patch.clone() });
    if let Some(text) = node.remove("patch") {
        node.insert("jsonOp", text);
    }
    node
}

/// Shows the files of the field `replacements`, the entries whose reading can fail.
fn replacements_config(entries: &[ReplacementField]) -> Node {
    let shown = entries.iter().map(|entry| {
        let mut node = Node::map();
        if !entry.path.is_empty() {
            node.insert("path", Node::string(&entry.path));
        }
        node
    });
    let mut config = Node::map();
    config.insert("Replacements", Node::List(shown.collect()));
    config
}

/// Reads the files that replacements name.
pub(crate) fn replacements(
    loader: &Loader,
    entries: &[ReplacementField],
    shared: &Shared,
) -> Result<Vec<ReplacementField>, Error> {
    let mut rules = Vec::new();
    for entry in entries {
        if entry.path.is_empty() {
            rules.push(entry.clone());
            continue;
        }
        if entry.source.is_some() || entry.targets.as_ref().is_some_and(|targets| !targets.is_empty()) {
            return Err(Error::new("cannot specify both path and inline replacement"));
        }
        let text = loader.load_text(&entry.path)?;
        let node = crate::read::document(&text, Rules::V2, &shared.context.options.limits)
            .map_err(|error| error.wrap("error converting YAML to JSON").at(&loader.join(&entry.path), 0))?
            .unwrap_or_default();
        match &node {
            Node::List(_) => rules.extend(crate::decode::decode_yaml::<Vec<ReplacementField>>(&node, false)?),
            Node::Map(_) => rules.push(crate::decode::decode_yaml(&node, false)?),
            _ => {
                let kind = if node.is_null() { "invalid" } else { "string" };
                return Err(Error::new(format!(
                    "unsupported replacement type encountered within replacement path: {kind}"
                )));
            }
        }
    }
    Ok(rules)
}
