//! The fields of `kustomization.yaml`, version 5.8.

use std::collections::BTreeMap;

use crate::{
    Limits,
    decode::{decode, record},
    error::Error,
    id::{Gvk, ResId},
    node::Node,
    read,
    scalar::Rules,
};

type Texts = BTreeMap<String, String>;

record! {
    /// A file `kustomization.yaml`.
    Kustomization "Kustomization" "types.Kustomization" {
        api_version: String = "apiVersion" as "TypeMeta.apiVersion",
        kind: String = "kind" as "TypeMeta.kind",
        metadata: Option<Metadata> = "metadata",
        openapi: Texts = "openapi",
        name_prefix: String = "namePrefix",
        name_suffix: String = "nameSuffix",
        namespace: String = "namespace",
        common_labels: Texts = "commonLabels",
        labels: Vec<Label> = "labels",
        common_annotations: Texts = "commonAnnotations",
        patches_strategic_merge: Vec<String> = "patchesStrategicMerge",
        patches_json_6902: Vec<Patch> = "patchesJson6902",
        patches: Vec<Patch> = "patches",
        images: Vec<Image> = "images",
        image_tags: Vec<Image> = "imageTags",
        replacements: Vec<ReplacementField> = "replacements",
        replicas: Vec<Replica> = "replicas",
        vars: Vec<Var> = "vars",
        sort_options: Option<SortOptions> = "sortOptions",
        resources: Vec<String> = "resources",
        components: Vec<String> = "components",
        crds: Vec<String> = "crds",
        bases: Vec<String> = "bases",
        config_map_generator: Vec<GeneratorArgs> = "configMapGenerator",
        secret_generator: Vec<SecretArgs> = "secretGenerator",
        helm_globals: Option<HelmGlobals> = "helmGlobals",
        helm_charts: Vec<HelmChart> = "helmCharts",
        helm_chart_inflation_generator: Vec<HelmChartArgs> = "helmChartInflationGenerator",
        generator_options: Option<GeneratorOptions> = "generatorOptions",
        configurations: Vec<String> = "configurations",
        generators: Vec<String> = "generators",
        transformers: Vec<String> = "transformers",
        validators: Vec<String> = "validators",
        build_metadata: Vec<String> = "buildMetadata",
    }
}

record! {
    Metadata "ObjectMeta" "types.ObjectMeta" {
        name: String = "name",
        namespace: String = "namespace",
        labels: Texts = "labels",
        annotations: Texts = "annotations",
    }
}

record! {
    Label "Label" "types.Label" {
        pairs: Texts = "pairs",
        include_selectors: bool = "includeSelectors",
        include_templates: bool = "includeTemplates",
        fields: Vec<FieldSpecArgs> = "fields",
    }
}

record! {
    /// A field specification as files write it.
    FieldSpecArgs "FieldSpec" "types.FieldSpec" {
        group: String = "group" as "Gvk.group",
        version: String = "version" as "Gvk.version",
        kind: String = "kind" as "Gvk.kind",
        path: String = "path",
        create: bool = "create",
    }
}

record! {
    Patch "Patch" "types.Patch" {
        path: String = "path",
        patch: String = "patch",
        target: Option<Selector> = "target",
        options: Option<PatchArgs> = "options",
    }
}

record! {
    PatchArgs "PatchArgs" "types.PatchArgs" {
        allow_name_change: bool = "allowNameChange",
        allow_kind_change: bool = "allowKindChange",
    }
}

record! {
    /// Picks resources by patterns.
    Selector "Selector" "types.Selector" {
        group: String = "group" as "ResId.Gvk.group",
        version: String = "version" as "ResId.Gvk.version",
        kind: String = "kind" as "ResId.Gvk.kind",
        name: String = "name" as "ResId.name",
        namespace: String = "namespace" as "ResId.namespace",
        annotation_selector: String = "annotationSelector",
        label_selector: String = "labelSelector",
    }
}

impl Selector {
    pub(crate) fn id(&self) -> ResId {
        ResId {
            gvk: Gvk::new(&self.group, &self.version, &self.kind),
            name: self.name.as_str().into(),
            namespace: self.namespace.as_str().into(),
            cluster_scoped: false,
        }
    }
}

record! {
    Image "Image" "types.Image" {
        name: String = "name",
        new_name: String = "newName",
        tag_suffix: String = "tagSuffix",
        new_tag: String = "newTag",
        digest: String = "digest",
    }
}

record! {
    ReplacementField "ReplacementField" "types.ReplacementField" {
        source: Option<SourceSelector> = "source" as "Replacement.source",
        targets: Option<Vec<TargetSelector>> = "targets" as "Replacement.targets",
        source_value: Option<String> = "sourceValue" as "Replacement.sourceValue",
        path: String = "path",
    }
}

record! {
    SourceSelector "SourceSelector" "types.SourceSelector" {
        group: String = "group" as "ResId.Gvk.group",
        version: String = "version" as "ResId.Gvk.version",
        kind: String = "kind" as "ResId.Gvk.kind",
        name: String = "name" as "ResId.name",
        namespace: String = "namespace" as "ResId.namespace",
        field_path: String = "fieldPath",
        options: Option<FieldOptions> = "options",
    }
}

impl SourceSelector {
    pub(crate) fn id(&self) -> ResId {
        ResId {
            gvk: Gvk::new(&self.group, &self.version, &self.kind),
            name: self.name.as_str().into(),
            namespace: self.namespace.as_str().into(),
            cluster_scoped: false,
        }
    }
}

record! {
    TargetSelector "TargetSelector" "types.TargetSelector" {
        select: Option<Selector> = "select",
        reject: Vec<Selector> = "reject",
        field_paths: Vec<String> = "fieldPaths",
        options: Option<FieldOptions> = "options",
    }
}

record! {
    FieldOptions "FieldOptions" "types.FieldOptions" {
        delimiter: String = "delimiter",
        index: i64 = "index",
        encoding: String = "encoding",
        create: bool = "create",
    }
}

record! {
    Replica "Replica" "types.Replica" {
        name: String = "name",
        count: i64 = "count",
    }
}

record! {
    /// A variable; `vars` is the old form of replacements.
    Var "Var" "types.Var" {
        name: String = "name",
        object: VarTarget = "objref",
        field: FieldSelector = "fieldref",
    }
}

record! {
    VarTarget "Target" "types.Target" {
        api_version: String = "apiVersion",
        group: String = "group" as "Gvk.group",
        version: String = "version" as "Gvk.version",
        kind: String = "kind" as "Gvk.kind",
        name: String = "name",
        namespace: String = "namespace",
    }
}

record! {
    FieldSelector "FieldSelector" "types.FieldSelector" {
        field_path: String = "fieldPath",
    }
}

record! {
    SortOptions "SortOptions" "types.SortOptions" {
        order: String = "order",
        legacy: Option<LegacySortOptions> = "legacySortOptions",
    }
}

record! {
    LegacySortOptions "LegacySortOptions" "types.LegacySortOptions" {
        first: Vec<String> = "orderFirst",
        last: Vec<String> = "orderLast",
    }
}

record! {
    GeneratorArgs "ConfigMapArgs" "types.ConfigMapArgs" {
        namespace: String = "namespace" as "GeneratorArgs.namespace",
        name: String = "name" as "GeneratorArgs.name",
        behavior: String = "behavior" as "GeneratorArgs.behavior",
        literals: Vec<String> = "literals" as "GeneratorArgs.KvPairSources.literals",
        files: Vec<String> = "files" as "GeneratorArgs.KvPairSources.files",
        envs: Vec<String> = "envs" as "GeneratorArgs.KvPairSources.envs",
        env: String = "env" as "GeneratorArgs.KvPairSources.env",
        options: Option<GeneratorOptions> = "options" as "GeneratorArgs.options",
    }
}

record! {
    SecretArgs "SecretArgs" "types.SecretArgs" {
        namespace: String = "namespace" as "GeneratorArgs.namespace",
        name: String = "name" as "GeneratorArgs.name",
        behavior: String = "behavior" as "GeneratorArgs.behavior",
        literals: Vec<String> = "literals" as "GeneratorArgs.KvPairSources.literals",
        files: Vec<String> = "files" as "GeneratorArgs.KvPairSources.files",
        envs: Vec<String> = "envs" as "GeneratorArgs.KvPairSources.envs",
        env: String = "env" as "GeneratorArgs.KvPairSources.env",
        options: Option<GeneratorOptions> = "options" as "GeneratorArgs.options",
        kind: String = "type",
    }
}

impl SecretArgs {
    /// Returns the fields that a secret shares with a config map.
    pub(crate) fn common(&self) -> GeneratorArgs {
        let Self { namespace, name, behavior, literals, files, envs, env, options, kind: _ } = self.clone();
        GeneratorArgs { namespace, name, behavior, literals, files, envs, env, options }
    }
}

record! {
    GeneratorOptions "GeneratorOptions" "types.GeneratorOptions" {
        labels: Texts = "labels",
        annotations: Texts = "annotations",
        disable_name_suffix_hash: bool = "disableNameSuffixHash",
        immutable: bool = "immutable",
    }
}

impl GeneratorOptions {
    /// Adds the options that hold for all generators of the file; the own ones win.
    pub(crate) fn with_global(own: Option<&Self>, global: Option<&Self>) -> Option<Self> {
        let Some(global) = global else { return own.cloned() };
        let mut merged = own.cloned().unwrap_or_default();
        for (mine, theirs) in [(&mut merged.labels, &global.labels), (&mut merged.annotations, &global.annotations)] {
            theirs.iter().for_each(|(key, value)| {
                mine.entry(key.clone()).or_insert_with(|| value.clone());
            });
        }
        merged.disable_name_suffix_hash |= global.disable_name_suffix_hash;
        merged.immutable |= global.immutable;
        Some(merged)
    }
}

record! {
    HelmGlobals "HelmGlobals" "types.HelmGlobals" {
        chart_home: String = "chartHome",
        config_home: String = "configHome",
    }
}

record! {
    HelmChart "HelmChart" "types.HelmChart" {
        name: String = "name",
        version: String = "version",
        repo: String = "repo",
        release_name: String = "releaseName",
        namespace: String = "namespace",
        additional_values_files: Vec<String> = "additionalValuesFiles",
        values_file: String = "valuesFile",
        values_inline: Node = "valuesInline",
        values_merge: String = "valuesMerge",
        include_crds: bool = "includeCRDs",
        skip_hooks: bool = "skipHooks",
        api_versions: Vec<String> = "apiVersions",
        kube_version: String = "kubeVersion",
        name_template: String = "nameTemplate",
        skip_tests: bool = "skipTests",
        debug: bool = "debug",
        devel: bool = "devel",
    }
}

record! {
    HelmChartArgs "HelmChartArgs" "types.HelmChartArgs" {
        chart_name: String = "chartName",
        chart_version: String = "chartVersion",
        chart_repo_url: String = "chartRepoUrl",
        chart_home: String = "chartHome",
        chart_repo_name: String = "chartRepoName",
        helm_bin: String = "helmBin",
        helm_home: String = "helmHome",
        values: String = "values",
        values_local: Node = "valuesLocal",
        values_merge: String = "valuesMerge",
        release_name: String = "releaseName",
        release_namespace: String = "releaseNamespace",
        extra_args: Vec<String> = "extraArgs",
    }
}

const COMPONENT: &str = "Component";

impl Kustomization {
    /// Reads a file's text, with the warnings about old fields.
    pub(crate) fn read(text: &str, limits: &Limits) -> Result<(Self, Vec<String>), Error> {
        let invalid = |error: Error| error.wrap("invalid Kustomization");
        let node = read::document(text, Rules::V2, limits).map_err(invalid)?.unwrap_or_default();
        let mut read: Self = decode(&node, true).map_err(invalid)?;
        let warnings = read.deprecations(&node);
        read.fix();
        if read.is_blank() {
            return Err(Error::new("kustomization.yaml is empty"));
        }
        Ok((read, warnings))
    }

    pub(crate) fn is_component(&self) -> bool {
        self.kind == COMPONENT
    }

    fn deprecations(&self, node: &Node) -> Vec<String> {
        const FIX: &str = "Run 'kustomize edit fix' to update your Kustomization automatically.";
        let old = [
            ("bases", "resources", ""),
            ("commonLabels", "labels", ""),
            ("imageTags", "images", ""),
            ("patchesJson6902", "patches", ""),
            ("patchesStrategicMerge", "patches", ""),
            ("vars", "replacements", "[EXPERIMENTAL] "),
        ];
        let used = |field: &str| node.get(field).is_some_and(|value| !value.is_null());
        old.iter()
            .filter(|(field, _, _)| used(field))
            .map(|(field, new, note)| {
                format!("# Warning: '{field}' is deprecated. Please use '{new}' instead. {note}{FIX}")
            })
            .collect()
    }

    /// Brings old fields into their new form.
    fn fix(&mut self) {
        if self.kind.is_empty() {
            "Kustomization".clone_into(&mut self.kind);
        }
        if self.api_version.is_empty() {
            let version = if self.is_component() { "v1alpha1" } else { "v1beta1" };
            self.api_version = format!("kustomize.config.k8s.io/{version}");
        }
        self.resources.append(&mut self.bases);
        self.images.append(&mut self.image_tags);
        let envs = self.config_map_generator.iter_mut().map(|args| (&mut args.envs, &mut args.env));
        let secrets = self.secret_generator.iter_mut().map(|args| (&mut args.envs, &mut args.env));
        for (envs, env) in envs.chain(secrets) {
            if !env.is_empty() {
                envs.push(std::mem::take(env));
            }
        }
        let mut globals = HelmGlobals::default();
        for old in std::mem::take(&mut self.helm_chart_inflation_generator) {
            if !old.helm_home.is_empty() {
                globals.config_home.clone_from(&old.helm_home);
            }
            if !old.chart_home.is_empty() {
                globals.chart_home.clone_from(&old.chart_home);
            }
            self.helm_charts.push(HelmChart {
                name: old.chart_name,
                version: old.chart_version,
                repo: old.chart_repo_url,
                values_file: old.values,
                values_inline: old.values_local,
                values_merge: old.values_merge,
                release_name: old.release_name,
                ..HelmChart::default()
            });
        }
        if self.helm_globals.is_none() && globals != HelmGlobals::default() {
            self.helm_globals = Some(globals);
        }
    }

    fn is_blank(&self) -> bool {
        let blank = Self { api_version: self.api_version.clone(), kind: self.kind.clone(), ..Self::default() };
        *self == blank
    }

    /// Checks kind and version; `root` is where the file lies, for the text.
    pub(crate) fn check(&self, root: &str) -> Result<(), Error> {
        let mut wrong = Vec::new();
        if self.kind != "Kustomization" && !self.is_component() {
            wrong.push("kind should be Kustomization or Component".to_owned());
        }
        let version = if self.is_component() { "v1alpha1" } else { "v1beta1" };
        let required = format!("kustomize.config.k8s.io/{version}");
        if self.api_version != required {
            wrong.push(format!("apiVersion for {} should be {required}", self.kind));
        }
        if wrong.is_empty() {
            return Ok(());
        }
        Err(Error::new(format!("Failed to read kustomization file under {root}:\n{}", wrong.join("\n"))))
    }
}
