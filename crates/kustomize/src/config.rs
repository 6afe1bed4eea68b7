//! Where the transformations apply: kustomize's table of fields, and what `configurations` and `crds` add to it.

use std::sync::{Arc, LazyLock};

use crate::{
    Limits,
    decode::{decode_yaml, record},
    error::Error,
    id::{self, Gvk},
    kustomization::FieldSpecArgs,
    loader::Loader,
    node::Node,
    read,
    scalar::Rules,
};

/// A field of some kinds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FieldSpec {
    /// The kinds; empty parts match all.
    pub(crate) gvk: Gvk,
    /// The path as written, parts divided by `/`.
    pub(crate) path: Box<str>,
    /// The parts of the path.
    pub(crate) parts: Arc<[Box<str>]>,
    /// Whether the field is made when it is missing.
    pub(crate) create: bool,
}

impl FieldSpec {
    pub(crate) fn new(gvk: Gvk, path: &str, create: bool) -> Self {
        Self { gvk, path: path.into(), parts: crate::path::split(path, '/').into(), create }
    }

    fn of(args: &FieldSpecArgs) -> Self {
        Self::new(Gvk::new(&args.group, &args.version, &args.kind), &args.path, args.create)
    }
}

/// Turns the field specifications of a file into their working form.
pub(crate) fn specs(args: &[FieldSpecArgs]) -> Vec<FieldSpec> {
    args.iter().map(FieldSpec::of).collect()
}

/// The fields that hold the name of a kind of resource.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NameReference {
    /// The kind that is named.
    pub(crate) target: Gvk,
    /// Where its name stands.
    pub(crate) referrers: Vec<FieldSpec>,
}

/// The fields of all transformations.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Config {
    pub(crate) name_prefix: Vec<FieldSpec>,
    pub(crate) name_suffix: Vec<FieldSpec>,
    pub(crate) namespace: Vec<FieldSpec>,
    pub(crate) common_labels: Vec<FieldSpec>,
    pub(crate) labels: Vec<FieldSpec>,
    pub(crate) template_labels: Vec<FieldSpec>,
    pub(crate) common_annotations: Vec<FieldSpec>,
    pub(crate) name_reference: Vec<NameReference>,
    pub(crate) var_reference: Vec<FieldSpec>,
    pub(crate) images: Vec<FieldSpec>,
    pub(crate) replicas: Vec<FieldSpec>,
}

static DEFAULT: LazyLock<Arc<Config>> = LazyLock::new(|| Arc::new(Config::parse(include_str!("field_specs.txt"))));

record! {
    ConfigArgs "TransformerConfig" "builtinconfig.TransformerConfig" {
        name_prefix: Vec<FieldSpecArgs> = "namePrefix",
        name_suffix: Vec<FieldSpecArgs> = "nameSuffix",
        namespace: Vec<FieldSpecArgs> = "namespace",
        common_labels: Vec<FieldSpecArgs> = "commonLabels",
        labels: Vec<FieldSpecArgs> = "labels",
        template_labels: Vec<FieldSpecArgs> = "templateLabels",
        common_annotations: Vec<FieldSpecArgs> = "commonAnnotations",
        name_reference: Vec<NameReferenceArgs> = "nameReference",
        var_reference: Vec<FieldSpecArgs> = "varReference",
        images: Vec<FieldSpecArgs> = "images",
        replicas: Vec<FieldSpecArgs> = "replicas",
    }
}

record! {
    NameReferenceArgs "NameBackReferences" "builtinconfig.NameBackReferences" {
        group: String = "group" as "Gvk.group",
        version: String = "version" as "Gvk.version",
        kind: String = "kind" as "Gvk.kind",
        field_specs: Vec<FieldSpecArgs> = "fieldSpecs",
    }
}

impl Config {
    /// Returns kustomize's own table.
    pub(crate) fn default_table() -> Arc<Self> {
        Arc::clone(&DEFAULT)
    }

    fn parse(table: &str) -> Self {
        let mut config = Self::default();
        let mut section = "";
        for line in table.lines().filter(|line| !line.starts_with('#')) {
            let words: Vec<&str> = line.split(' ').map(|word| if word == "-" { "" } else { word }).collect();
            match words[..] {
                [name] => section = name,
                ["=", kind, group, version] => config
                    .name_reference
                    .push(NameReference { target: Gvk::new(group, version, kind), referrers: Vec::new() }),
                [kind, group, version, create, path] => {
                    let spec = FieldSpec::new(Gvk::new(group, version, kind), path, create == "+");
                    match (section, config.name_reference.last_mut()) {
                        ("nameReference", Some(reference)) => reference.referrers.push(spec),
                        _ => config.section(section).into_iter().for_each(|specs| specs.push(spec.clone())),
                    }
                }
                _ => {}
            }
        }
        config.sort();
        // Fields that stand twice are merged.
        Self::default().merged(&config).unwrap_or(config)
    }

    fn section(&mut self, name: &str) -> Option<&mut Vec<FieldSpec>> {
        Some(match name {
            "namePrefix" => &mut self.name_prefix,
            "nameSuffix" => &mut self.name_suffix,
            "namespace" => &mut self.namespace,
            "commonLabels" => &mut self.common_labels,
            "labels" => &mut self.labels,
            "templateLabels" => &mut self.template_labels,
            "commonAnnotations" => &mut self.common_annotations,
            "varReference" => &mut self.var_reference,
            "images" => &mut self.images,
            "replicas" => &mut self.replicas,
            _ => return None,
        })
    }

    fn sort(&mut self) {
        for name in SECTIONS {
            if let Some(specs) = self.section(name.0) {
                specs.sort_by(|a, b| id::compare(&a.gvk, &b.gvk));
            }
        }
        self.name_reference.sort_by(|a, b| id::compare(&a.target, &b.target));
    }

    /// Reads the files of `configurations`.
    pub(crate) fn load(loader: &Loader, paths: &[String], limits: &Limits) -> Result<Self, Error> {
        let mut config = Self::default();
        for path in paths {
            let text = loader.load_text(path)?;
            let node = read::document(&text, Rules::V2, limits)
                .map_err(|error| error.wrap("error converting YAML to JSON"))?
                .unwrap_or_default();
            let args: ConfigArgs = decode_yaml(&node, true)?;
            let mut read = Self::from_args(&args);
            read.sort();
            config = config.merged(&read)?;
        }
        Ok(config)
    }

    fn from_args(args: &ConfigArgs) -> Self {
        let reference = |args: &NameReferenceArgs| NameReference {
            target: Gvk::new(&args.group, &args.version, &args.kind),
            referrers: specs(&args.field_specs),
        };
        Self {
            name_prefix: specs(&args.name_prefix),
            name_suffix: specs(&args.name_suffix),
            namespace: specs(&args.namespace),
            common_labels: specs(&args.common_labels),
            labels: specs(&args.labels),
            template_labels: specs(&args.template_labels),
            common_annotations: specs(&args.common_annotations),
            name_reference: args.name_reference.iter().map(reference).collect(),
            var_reference: specs(&args.var_reference),
            images: specs(&args.images),
            replicas: specs(&args.replicas),
        }
    }

    /// Adds what another table has; the same field must not be made here and not there.
    pub(crate) fn merged(&self, other: &Self) -> Result<Self, Error> {
        let (mut merged, mut other) = (self.clone(), other.clone());
        for (name, shown) in SECTIONS {
            if let (Some(into), Some(from)) = (merged.section(name), other.section(name)) {
                merge_specs(into, from).map_err(|error| error.wrap(format!("failed to merge {shown} fieldSpec")))?;
            }
        }
        for reference in &other.name_reference {
            match merged.name_reference.iter_mut().find(|known| known.target == reference.target) {
                Some(known) => merge_specs(&mut known.referrers, &reference.referrers)
                    .map_err(|error| error.wrap("failed to merge NameReference fieldSpec"))?,
                None => merged.name_reference.push(reference.clone()),
            }
        }
        merged.sort();
        Ok(merged)
    }
}

/// Merges tables without a copy where one side adds nothing.
pub(crate) fn merge_shared(a: &Arc<Config>, b: &Arc<Config>) -> Result<Arc<Config>, Error> {
    if Arc::ptr_eq(a, b) || **b == Config::default() {
        return Ok(Arc::clone(a));
    }
    if **a == Config::default() && Arc::ptr_eq(b, &DEFAULT) {
        return Ok(Arc::clone(b));
    }
    a.merged(b).map(Arc::new)
}

/// The sections with the names that errors give them.
const SECTIONS: [(&str, &str); 10] = [
    ("namePrefix", "NamePrefix"),
    ("nameSuffix", "NameSuffix"),
    ("namespace", "NameSpace"),
    ("commonAnnotations", "CommonAnnotations"),
    ("commonLabels", "CommonLabels"),
    ("labels", "Labels"),
    ("templateLabels", "TemplateLabels"),
    ("varReference", "VarReference"),
    ("images", "Images"),
    ("replicas", "Replicas"),
];

/// Adds field specifications that are not there yet.
pub(crate) fn merge_specs(into: &mut Vec<FieldSpec>, from: &[FieldSpec]) -> Result<(), Error> {
    for spec in from {
        match into.iter().find(|known| known.gvk.is_selected(&spec.gvk) && known.path == spec.path) {
            Some(known) if known.create != spec.create => return Err(Error::new("conflicting fieldspecs")),
            Some(_) => {}
            None => into.push(spec.clone()),
        }
    }
    Ok(())
}

/// Reads the files of `crds`: OpenAPI definitions whose extensions mark names, labels and references.
pub(crate) fn from_crds(loader: &Loader, paths: &[String], limits: &Limits) -> Result<Config, Error> {
    let mut config = Config::default();
    for path in paths {
        let text = loader.load_text(path)?;
        let unreadable = |error: Error| error.wrap(format!("unable to parse open API definition from '{path}'"));
        let definitions = read::document(&text, Rules::V2, limits).map_err(unreadable)?.unwrap_or_default();
        for (name, definition) in definitions.entries() {
            let properties = |key: &str| {
                definition.at(&["Schema", "properties", key]).or_else(|| definition.at(&["schema", "properties", key]))
            };
            if ["kind", "apiVersion", "metadata"].iter().all(|key| properties(key).is_some()) {
                let kind = name.text.rsplit('.').next().unwrap_or(&name.text);
                let mut found = Config::default();
                mark(&mut found, &Gvk::new("", "", kind), &definitions, &name.text, &mut Vec::new());
                found.sort();
                config = config.merged(&found)?;
            }
        }
    }
    Ok(config)
}

fn mark(config: &mut Config, gvk: &Gvk, definitions: &Node, name: &str, path: &mut Vec<String>) {
    let Some(definition) = definitions.get(name).filter(|_| path.len() < 32) else { return };
    let schema = definition.get("Schema").or_else(|| definition.get("schema"));
    let properties = schema.and_then(|schema| schema.get("properties")).map_or(&[][..], Node::entries);
    for (property, details) in properties {
        path.push(property.text.to_string());
        let spec = |path: &[String]| FieldSpec::new(gvk.clone(), &path.join("/"), false);
        let has = |key: &str| details.get(key).is_some();
        let text = |key: &str| details.get(key).map(Node::text);
        if has("x-kubernetes-annotation") {
            config.common_annotations.push(spec(path));
        }
        if has("x-kubernetes-label-selector") {
            config.common_labels.push(spec(path));
        }
        if has("x-kubernetes-identity") {
            config.name_prefix.push(spec(path));
        }
        if let (Some(version), Some(kind)) =
            (text("x-kubernetes-object-ref-api-version"), text("x-kubernetes-object-ref-kind"))
        {
            path.push(text("x-kubernetes-object-ref-name-key").unwrap_or("name").to_owned());
            let referrers = vec![spec(path)];
            config.name_reference.push(NameReference { target: Gvk::new("", version, kind), referrers });
            path.pop();
        }
        if let Some(reference) = text("$ref") {
            mark(config, gvk, definitions, reference, path);
        }
        path.pop();
    }
}
