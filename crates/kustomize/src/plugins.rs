//! The plugins that are built into kustomize, configured by the fields `generators`, `transformers` and `validators`.

use std::collections::BTreeMap;

use crate::{
    config::{FieldSpec, specs},
    decode::{Decode, decode_yaml, record},
    error::Error,
    generate, helm,
    kustomization::{
        FieldSpecArgs, GeneratorArgs, HelmChart, Image, Patch, PatchArgs, ReplacementField, Replica, SecretArgs,
        Selector,
    },
    loader::Loader,
    node::Node,
    origin::Origin,
    patch, print, read,
    resource::Resource,
    scalar::Rules,
    select::select,
    steps::{self, Action, Step},
    target::{Gathered, Shared, Target},
    transform::{self, Affix, NamespaceOptions, Subjects},
};

/// A generator plugin, configured.
pub(crate) struct Generator {
    make: Make,
    /// What `originAnnotations` say about what it makes.
    pub(crate) origin: Option<Origin>,
}

enum Make {
    ConfigMap(GeneratorArgs),
    Secret(GeneratorArgs, String),
    Chart(Box<HelmChart>, String),
    Policy(PolicyArgs),
}

record! {
    PolicyArgs "IAMPolicyGeneratorArgs" "types.IAMPolicyGeneratorArgs" {
        cloud: String = "cloud",
        kubernetes_service: Named = "kubernetesService",
        service_account: Account = "serviceAccount",
    }
}

record! {
    Named "KubernetesService" "types.KubernetesService" {
        name: String = "name",
        namespace: String = "namespace",
    }
}

record! {
    Account "ServiceAccount" "types.ServiceAccount" {
        name: String = "name",
        project: String = "projectId",
    }
}

record! {
    NamespaceArgs "NamespaceTransformerPlugin" "builtins.NamespaceTransformerPlugin" {
        metadata: crate::kustomization::Metadata = "metadata",
        field_specs: Vec<FieldSpecArgs> = "fieldSpecs",
        unset_only: bool = "unsetOnly",
        subjects: String = "setRoleBindingSubjects",
    }
}

record! {
    AffixArgs "PrefixTransformerPlugin" "builtins.PrefixTransformerPlugin" {
        prefix: String = "prefix",
        suffix: String = "suffix",
        field_specs: Option<Vec<FieldSpecArgs>> = "fieldSpecs",
    }
}

record! {
    EntriesArgs "LabelTransformerPlugin" "builtins.LabelTransformerPlugin" {
        labels: BTreeMap<String, String> = "labels",
        annotations: BTreeMap<String, String> = "annotations",
        field_specs: Vec<FieldSpecArgs> = "fieldSpecs",
    }
}

record! {
    ImageArgs "ImageTagTransformerPlugin" "builtins.ImageTagTransformerPlugin" {
        image: Image = "imageTag",
        field_specs: Vec<FieldSpecArgs> = "fieldSpecs",
    }
}

record! {
    ReplicaArgs "ReplicaCountTransformerPlugin" "builtins.ReplicaCountTransformerPlugin" {
        replica: Replica = "replica",
        field_specs: Vec<FieldSpecArgs> = "fieldSpecs",
    }
}

record! {
    PatchPluginArgs "PatchTransformerPlugin" "builtins.PatchTransformerPlugin" {
        path: String = "path",
        patch: String = "patch",
        json: String = "jsonOp",
        target: Option<Selector> = "target",
        options: Option<PatchArgs> = "options",
        paths: Vec<String> = "paths",
        patches: String = "patches",
    }
}

record! {
    ReplacementArgs "ReplacementTransformerPlugin" "builtins.ReplacementTransformerPlugin" {
        replacements: Vec<ReplacementField> = "replacements",
    }
}

record! {
    /// The plugin `ValueAddTransformer`.
    ValueAdd "ValueAddTransformerPlugin" "builtins.ValueAddTransformerPlugin" {
        value: String = "value",
        targets: Vec<ValueTarget> = "targets",
        target_file_path: String = "targetFilePath",
    }
}

record! {
    ValueTarget "Target" "builtins.Target" {
        selector: Option<Selector> = "selector",
        field_path: String = "fieldPath",
        position: i64 = "filePathPosition",
    }
}

impl ValueAdd {
    fn read(mut self, loader: &Loader, shared: &Shared) -> Result<Self, Error> {
        self.value = self.value.trim().to_owned();
        if self.value.is_empty() {
            loader.root().rsplit('/').next().unwrap_or_default().clone_into(&mut self.value);
        }
        if !self.target_file_path.is_empty() {
            let text = loader.load_text(&self.target_file_path)?;
            let node = read::document(&text, Rules::V2, &shared.context.options.limits)?.unwrap_or_default();
            self.targets.extend(decode_yaml::<Self>(&node, false)?.targets);
        }
        if self.targets.is_empty() {
            return Err(Error::new("must specify at least one target"));
        }
        for target in &self.targets {
            if target.field_path.is_empty() {
                return Err(Error::new("fieldPath cannot be empty"));
            }
            if target.position < 0 {
                return Err(Error::new(format!("value of FilePathPosition ({}) cannot be negative", target.position)));
            }
        }
        Ok(self)
    }

    /// Sets the value in every target.
    pub(crate) fn apply(&self, resources: &mut [Resource]) -> Result<(), Error> {
        for target in &self.targets {
            let places = match &target.selector {
                Some(selector) => select(resources, selector)?,
                None => (0..resources.len()).collect(),
            };
            for place in places {
                let node = &mut resources[place].node;
                if target.field_path == "metadata/namespace" {
                    let options = NamespaceOptions { namespace: self.value.clone(), ..NamespaceOptions::default() };
                    transform::set_namespace(node, &options, &[])?;
                } else {
                    transform::add_value(node, &self.value, &target.field_path, target.position)?;
                }
            }
        }
        Ok(())
    }
}

/// Reads the plugins of the field `generators`.
pub(crate) fn generators(target: &Target, shared: &mut Shared) -> Result<Vec<Generator>, Error> {
    let failed = |error: Error| error.wrap("failed to load generator");
    let configured = configurations(target, &target.kustomization.generators, "generator", shared)?;
    configured.iter().map(|plugin| generator(plugin, target, shared).map_err(failed)).collect()
}

/// Reads the plugins of the field `transformers` or `validators`.
pub(crate) fn transformers(target: &Target, entries: &[String], shared: &mut Shared) -> Result<Vec<Step>, Error> {
    let mut steps = Vec::new();
    for plugin in configurations(target, entries, "transformer", shared)? {
        let origin = plugin_origin(&plugin);
        let id = plugin.id();
        check_builtin(&plugin)?;
        let actions = actions(&plugin, target, shared).map_err(|error| {
            if error.message().starts_with("unable to load builtin") {
                error
            } else {
                error.wrap(format!("plugin {id} fails configuration"))
            }
        })?;
        steps.extend(actions.into_iter().map(|action| Step { action, origin: origin.clone() }));
    }
    Ok(steps)
}

/// Reads configurations: each entry is one itself, or a file or folder with some.
fn configurations(
    target: &Target,
    entries: &[String],
    what: &str,
    shared: &mut Shared,
) -> Result<Vec<Resource>, Error> {
    let mut gathered = Gathered::default();
    let mut paths = Vec::new();
    for entry in entries {
        match shared.context.resources(entry) {
            Ok(mut inline) => {
                if let Some(origin) = &target.origin {
                    inline.iter_mut().for_each(|plugin| plugin.memory.origin = Some(origin.append(target.file_name)));
                }
                crate::context::append(&mut gathered.resources, inline)
                    .map_err(|error| error.wrap(format!("configuring external {what}")))?;
            }
            Err(_) => paths.push(entry.clone()),
        }
    }
    target.add_resources(&mut gathered, &paths, shared)?;
    Ok(gathered.resources)
}

fn plugin_origin(plugin: &Resource) -> Option<Origin> {
    plugin.memory.origin.as_ref().map(|origin| Origin {
        configured_in: origin.path.clone(),
        configured_by: [
            plugin.api_version().to_owned(),
            plugin.kind().to_owned(),
            plugin.name().to_owned(),
            plugin.namespace().to_owned(),
        ],
        path: String::new(),
        ..origin.clone()
    })
}

fn check_builtin(plugin: &Resource) -> Result<(), Error> {
    if plugin.api_version() == "builtin" {
        return Ok(());
    }
    let kind = plugin.original_id().gvk.kind;
    Err(Error::new(format!("external plugins disabled; unable to load external plugin '{kind}'")))
}

fn arguments<T: Decode>(plugin: &Resource) -> Result<T, Error> {
    // The configuration is printed and read again by YAML's older rules.
    let text = print::to_text(&plugin.node);
    let node = read::document(&text, Rules::V2, &crate::Limits::default())?.unwrap_or_default();
    decode_yaml(&node, false)
}

fn generator(plugin: &Resource, target: &Target, shared: &Shared) -> Result<Generator, Error> {
    check_builtin(plugin)?;
    let id = plugin.id();
    let failed = |error: Error| error.wrap(format!("plugin {id} fails configuration"));
    let fill = |mut args: GeneratorArgs| {
        if args.name.is_empty() {
            plugin.name().clone_into(&mut args.name);
        }
        if args.namespace.is_empty() {
            plugin.namespace().clone_into(&mut args.namespace);
        }
        args
    };
    let make = match plugin.kind() {
        "ConfigMapGenerator" => Make::ConfigMap(fill(arguments(plugin).map_err(failed)?)),
        "SecretGenerator" => {
            let args: SecretArgs = arguments(plugin).map_err(failed)?;
            Make::Secret(fill(args.common()), args.kind)
        }
        "HelmChartInflationGenerator" => {
            let chart: HelmChart = arguments(plugin).map_err(failed)?;
            let globals: crate::kustomization::HelmGlobals = arguments(plugin).map_err(failed)?;
            let chart = helm::check(&chart, &target.loader, shared).map_err(failed)?;
            Make::Chart(Box::new(chart), globals.chart_home)
        }
        "IAMPolicyGenerator" => Make::Policy(arguments(plugin).map_err(failed)?),
        kind if TRANSFORMERS.contains(&kind) => return Err(Error::new(format!("plugin {id} not a generator"))),
        _ => return Err(Error::new(format!("unable to load builtin {}", plugin.gvk()))),
    };
    Ok(Generator { make, origin: plugin_origin(plugin) })
}

impl Generator {
    /// Makes the resources.
    pub(crate) fn generate(&self, loader: &Loader, shared: &Shared) -> Result<Vec<Resource>, Error> {
        match &self.make {
            Make::ConfigMap(args) => Ok(vec![generate::config_map(loader, args)?]),
            Make::Secret(args, kind) => Ok(vec![generate::secret(loader, args, kind)?]),
            Make::Chart(chart, home) => helm::render_at(chart, home, loader, shared),
            Make::Policy(args) => policy(args).map(|resource| vec![resource]),
        }
    }
}

fn policy(args: &PolicyArgs) -> Result<Resource, Error> {
    if args.cloud != "gke" {
        return Err(Error::new(format!("cloud provider {} not supported yet", args.cloud)));
    }
    let mut annotations = Node::map();
    let account = format!("{}@{}.iam.gserviceaccount.com", args.service_account.name, args.service_account.project);
    annotations.insert("iam.gke.io/gcp-service-account", Node::open(&account));
    let mut metadata = Node::map();
    metadata.insert("annotations", annotations);
    metadata.insert("name", Node::open(&args.kubernetes_service.name));
    if !args.kubernetes_service.namespace.is_empty() {
        metadata.insert("namespace", Node::open(&args.kubernetes_service.namespace));
    }
    let mut node = Node::map();
    node.insert("apiVersion", Node::string("v1"));
    node.insert("kind", Node::string("ServiceAccount"));
    node.insert("metadata", metadata);
    Ok(Resource::new(node))
}

const GENERATORS: [&str; 4] =
    ["ConfigMapGenerator", "SecretGenerator", "HelmChartInflationGenerator", "IAMPolicyGenerator"];

const TRANSFORMERS: [&str; 14] = [
    "AnnotationsTransformer",
    "HashTransformer",
    "ImageTagTransformer",
    "LabelTransformer",
    "NamespaceTransformer",
    "PatchJson6902Transformer",
    "PatchStrategicMergeTransformer",
    "PatchTransformer",
    "PrefixSuffixTransformer",
    "PrefixTransformer",
    "SuffixTransformer",
    "ReplacementTransformer",
    "ReplicaCountTransformer",
    "ValueAddTransformer",
];

fn actions(plugin: &Resource, target: &Target, shared: &Shared) -> Result<Vec<Action>, Error> {
    let loader = &target.loader;
    Ok(vec![match plugin.kind() {
        "HashTransformer" => Action::Hashes,
        "AnnotationsTransformer" | "LabelTransformer" => {
            let args: EntriesArgs = arguments(plugin)?;
            let texts = if plugin.kind() == "LabelTransformer" { args.labels } else { args.annotations };
            Action::Entries(texts, specs(&args.field_specs))
        }
        "ImageTagTransformer" => {
            let args: ImageArgs = arguments(plugin)?;
            Action::Image(args.image, specs(&args.field_specs))
        }
        "ReplicaCountTransformer" => {
            let args: ReplicaArgs = arguments(plugin)?;
            Action::Replicas(args.replica, specs(&args.field_specs))
        }
        "NamespaceTransformer" => namespace(plugin)?,
        "PrefixTransformer" | "SuffixTransformer" | "PrefixSuffixTransformer" => return affixes(plugin),
        "PatchTransformer" | "PatchJson6902Transformer" | "PatchStrategicMergeTransformer" => {
            patch_action(plugin, loader, shared)?
        }
        "ReplacementTransformer" => {
            let args: ReplacementArgs = arguments(plugin)?;
            Action::Replacements(steps::replacements(loader, &args.replacements, shared)?)
        }
        "ValueAddTransformer" => Action::AddValue(arguments::<ValueAdd>(plugin)?.read(loader, shared)?),
        kind if GENERATORS.contains(&kind) => {
            return Err(Error::new(format!("plugin {} not a transformer", plugin.original_id())));
        }
        _ => return Err(Error::new(format!("unable to load builtin {}", plugin.gvk()))),
    }])
}

fn namespace(plugin: &Resource) -> Result<Action, Error> {
    let args: NamespaceArgs =
        arguments(plugin).map_err(|error: Error| error.wrap("unmarshalling NamespaceTransformer config"))?;
    let options = NamespaceOptions {
        namespace: args.metadata.namespace,
        unset_only: args.unset_only,
        subjects: Subjects::parse(&args.subjects)?,
    };
    Ok(Action::Namespace(options, specs(&args.field_specs)))
}

fn affixes(plugin: &Resource) -> Result<Vec<Action>, Error> {
    let args: AffixArgs = arguments(plugin)?;
    let Some(fields) = &args.field_specs else {
        return Err(Error::new("fieldSpecs is not expected to be nil"));
    };
    let specs: Vec<FieldSpec> = specs(fields);
    let prefix = Action::Affix(Affix::Prefix, args.prefix, specs.clone());
    let suffix = Action::Affix(Affix::Suffix, args.suffix, specs);
    Ok(match plugin.kind() {
        "PrefixTransformer" => vec![prefix],
        "SuffixTransformer" => vec![suffix],
        _ => vec![prefix, suffix],
    })
}

fn patch_action(plugin: &Resource, loader: &Loader, shared: &Shared) -> Result<Action, Error> {
    let args: PatchPluginArgs = arguments(plugin)?;
    let options = args.options;
    let ready = match plugin.kind() {
        "PatchTransformer" => {
            let entry = Patch { path: args.path, patch: args.patch, target: args.target, options };
            patch::read(loader, &entry, &shared.context)?
        }
        "PatchJson6902Transformer" => {
            let entry = Patch { path: args.path, patch: args.json, target: args.target, options };
            patch::read_json(loader, &entry, &shared.context)?
        }
        _ => {
            if args.paths.is_empty() && args.patches.is_empty() {
                return Err(Error::new("empty file path and empty patch content"));
            }
            let mut merges = Vec::new();
            if !args.paths.is_empty() {
                merges.push(patch::read_merges(loader, &args.paths, &shared.context)?);
            }
            let mut all: Vec<Resource> = merges.into_iter().flat_map(patch::Ready::into_merges).collect();
            if !args.patches.is_empty() {
                all.extend(shared.context.resources(&args.patches)?);
            }
            patch::Ready::Merges(all)
        }
    };
    Ok(Action::Patch(ready))
}
