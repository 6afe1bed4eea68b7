//! The entry: options in, objects and bytes out.

use std::{collections::BTreeMap, sync::OnceLock};

use lockstep_files::{FileTree, Reader};
use lockstep_object::Object;

use crate::{
    RemoteAddress,
    context::Context,
    error::Error,
    gosyntax::check_printable,
    kustomization::{Image, Kustomization, Label, Patch, Replica, Selector},
    loader::Loader,
    node::{Node, Scalar},
    print,
    resource::Resource,
    scalar::{Number, Tag, Timestamp, number},
    target::{Shared, Target},
    transform,
};

/// Which files a kustomization may read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LoadRestrictor {
    /// Files in or below its folder (`LoadRestrictionsRootOnly`, the default of kustomize).
    #[default]
    RootOnly,
    /// Any file of the tree (`LoadRestrictionsNone`).
    None,
}

/// The order of the output, unless `sortOptions` says otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Reorder {
    /// The order of the input: the library's default, and Flux's.
    #[default]
    None,
    /// Namespaces and definitions first, webhooks last: the command line's default, and Argo CD's.
    Legacy,
}

/// What bounds a build, so that hostile input ends in an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Nodes of one YAML document, aliases counted as often as they are used.
    pub nodes: usize,
    /// Folders with kustomizations in one build.
    pub folders: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { nodes: 4_000_000, folders: 10_000 }
    }
}

/// How to build.
#[derive(Clone, Copy, Default)]
pub struct Options<'a> {
    /// Which files may be read.
    pub load_restrictor: LoadRestrictor,
    /// Whether `helmCharts` are allowed (`--enable-helm`).
    pub enable_helm: bool,
    /// The order of the output.
    pub reorder: Reorder,
    /// Whether every object gets the label `app.kubernetes.io/managed-by`.
    pub add_managed_by_label: bool,
    /// Renders charts; without it they are refused.
    pub charts: Option<&'a dyn ChartRenderer>,
    /// Opens remote bases; without it they are refused.
    pub remote: Option<&'a dyn RemoteBases>,
    /// What bounds the build.
    pub limits: Limits,
}

/// A chart that a kustomization asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Chart {
    /// The chart's folder in the tree.
    pub path: String,
    /// The release's name; empty: one is made up (`--generate-name`).
    pub release_name: String,
    /// A template for the name, or empty.
    pub name_template: String,
    /// The release's namespace, or empty.
    pub namespace: String,
    /// Texts of values files, the later ones win.
    pub values: Vec<String>,
    /// API versions that templates may ask for.
    pub api_versions: Vec<String>,
    /// The version of Kubernetes that templates see, or empty.
    pub kube_version: String,
    /// Whether custom resource definitions are printed too.
    pub include_crds: bool,
    /// Whether hooks are left out.
    pub skip_hooks: bool,
    /// Whether tests are left out.
    pub skip_tests: bool,
}

/// Renders charts (`helm template`).
pub trait ChartRenderer: Sync {
    /// Returns the manifests as text.
    ///
    /// # Errors
    /// The text of helm's error.
    fn render(&self, reader: &Reader, chart: &Chart) -> Result<String, String>;
}

/// Why a remote base could not be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoteError {
    /// It is not fetched yet: who builds fetches it and builds again.
    Pending,
    /// It cannot be fetched: why.
    Failed(String),
}

/// Gives what lies outside of the tree. Nothing is fetched during a build: what is not there yet is
/// [`RemoteError::Pending`], and whoever builds notes the address, fetches it and builds again.
pub trait RemoteBases: Sync {
    /// Returns the files of a repository.
    ///
    /// # Errors
    /// It is not there yet, or never will be.
    fn open(&self, address: &RemoteAddress) -> Result<FileTree, RemoteError>;

    /// Returns one file that is named by an `http(s)` URL.
    ///
    /// # Errors
    /// It is not there yet, or never will be.
    fn file(&self, url: &str) -> Result<Vec<u8>, RemoteError>;
}

/// Changes to the root kustomization that an app asks for, made without touching its file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Overlay {
    /// Rules for images; they take the place of rules of the same name.
    pub images: Vec<ImageOverride>,
    /// Patches, after those of the file.
    pub patches: Vec<PatchOverride>,
    /// Folders of components, after those of the file.
    pub components: Vec<String>,
    /// Whether components of this overlay that are not there are left out.
    pub ignore_missing_components: bool,
    /// Takes the place of `namePrefix`.
    pub name_prefix: Option<String>,
    /// Takes the place of `nameSuffix`.
    pub name_suffix: Option<String>,
    /// Takes the place of `namespace`.
    pub namespace: Option<String>,
    /// Labels for all objects and their templates, not for selectors.
    pub labels: BTreeMap<String, String>,
    /// Annotations for all objects.
    pub annotations: BTreeMap<String, String>,
    /// Numbers of replicas by the resource's name.
    pub replicas: Vec<(String, i64)>,
}

/// A rule for images; empty parts stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ImageOverride {
    /// The image's name, without a tag.
    pub name: String,
    /// The new name.
    pub new_name: String,
    /// The new tag.
    pub new_tag: String,
    /// The new digest.
    pub digest: String,
}

/// A patch: a strategic merge or a JSON patch, as text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PatchOverride {
    /// The patch.
    pub patch: String,
    /// What it is for; without it, the object that the patch names.
    pub target: Option<TargetOverride>,
}

/// Picks the objects of a patch; all parts are patterns, empty ones match all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TargetOverride {
    /// The group.
    pub group: String,
    /// The version.
    pub version: String,
    /// The kind.
    pub kind: String,
    /// The name.
    pub name: String,
    /// The namespace.
    pub namespace: String,
    /// A label selector.
    pub label_selector: String,
    /// An annotation selector.
    pub annotation_selector: String,
}

/// What a build has made.
#[derive(Debug)]
pub struct Build {
    resources: Vec<Resource>,
    objects: OnceLock<Vec<Object>>,
    /// Warnings about old fields, as kustomize prints them.
    pub warnings: Vec<String>,
}

/// Builds the kustomization in the folder `root` of the reader's tree (`""` is the top).
///
/// # Errors
/// The text of kustomize 5.8.1, with file and line where they are known.
pub fn build(reader: &Reader, root: &str, options: &Options) -> Result<Build, Error> {
    build_with_overlay(reader, root, options, &Overlay::default())
}

/// Builds the kustomization in the folder `root`, changed by an overlay.
///
/// # Errors
/// As [`build`].
pub fn build_with_overlay(reader: &Reader, root: &str, options: &Options, overlay: &Overlay) -> Result<Build, Error> {
    let loader = Loader::new(reader.clone(), root, options.load_restrictor, options.remote)?;
    let mut shared = Shared {
        context: Context { options },
        schema: None,
        saw_unknown: false,
        warnings: Vec::new(),
        folders_left: options.limits.folders,
    };
    let mut target = Target::read(loader, &mut shared)?;
    overlay.change(&mut target)?;
    let Kustomization { sort_options, build_metadata, .. } = target.kustomization.clone();
    let mut resources = target.build(&mut shared)?;
    if sort_options.is_some() || options.reorder == Reorder::Legacy {
        transform::sort(&mut resources, sort_options.as_ref())?;
    }
    let asked = |name: &str| build_metadata.iter().any(|option| option == name);
    if options.add_managed_by_label || asked("managedByLabel") {
        let label = BTreeMap::from([(MANAGED_BY.to_owned(), VERSION.to_owned())]);
        let spec = crate::config::FieldSpec::new(crate::id::Gvk::default(), "metadata/labels", true);
        transform::entries(&mut resources, &label, &[spec])?;
    }
    for resource in &mut resources {
        resource.settle_annotations(asked("originAnnotations"), asked("transformerAnnotations"));
        check_printable(&resource.node)?;
    }
    Ok(Build { resources, objects: OnceLock::new(), warnings: shared.warnings })
}

const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
const VERSION: &str = "kustomize-v5.8.1";

impl Build {
    /// Returns the objects in the order of the output.
    pub fn objects(&self) -> &[Object] {
        self.objects.get_or_init(|| self.resources.iter().filter_map(|resource| object(&resource.node)).collect())
    }

    /// Returns the bytes that `kustomize build` prints.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for (place, resource) in self.resources.iter().enumerate() {
            if place > 0 {
                out.push_str("---\n");
            }
            print::object(&resource.node, &mut out);
        }
        out
    }
}

fn object(node: &Node) -> Option<Object> {
    match value(node) {
        lockstep_object::Value::Map(root) => Some(Object::new(root)),
        _ => None,
    }
}

fn value(node: &Node) -> lockstep_object::Value {
    use lockstep_object::Value;
    match node {
        Node::Map(entries) => Value::Map(
            entries.iter().map(|(key, entry)| (lockstep_object::Key::new(&key.text), value(entry))).collect(),
        ),
        Node::List(items) => Value::from(items.iter().map(value).collect::<Vec<Value>>()),
        Node::Scalar(scalar) => scalar_value(scalar),
    }
}

fn scalar_value(scalar: &Scalar) -> lockstep_object::Value {
    use lockstep_object::Value;
    match scalar.settled() {
        Tag::Null => Value::Null,
        Tag::Bool => Value::Bool(crate::read::bool_value(&scalar.text)),
        Tag::Int | Tag::Float => match number(&scalar.text) {
            Some(Number::Int(number)) => Value::Int(number),
            Some(Number::UInt(number)) => Value::from(number),
            Some(Number::Float(number)) if number.fract() == 0.0 && number.abs() < 9e15 => Value::Int(number as i64),
            Some(Number::Float(number)) => Value::Float(number),
            None => Value::from(&*scalar.text),
        },
        Tag::Time => match Timestamp::parse(&scalar.text) {
            Some(time) => Value::from(time.to_json()),
            None => Value::from(&*scalar.text),
        },
        Tag::Binary => Value::from(print::binary(&scalar.text)),
        _ => Value::from(&*scalar.printed()),
    }
}

impl Overlay {
    fn change(&self, target: &mut Target) -> Result<(), Error> {
        let components = self.components_of(&target.loader)?;
        let kustomization = &mut target.kustomization;
        for image in &self.images {
            let rule = Image {
                name: image.name.clone(),
                new_name: image.new_name.clone(),
                new_tag: image.new_tag.clone(),
                digest: image.digest.clone(),
                tag_suffix: String::new(),
            };
            match kustomization.images.iter_mut().find(|known| known.name == rule.name) {
                Some(known) => *known = rule,
                None => kustomization.images.push(rule),
            }
        }
        kustomization.patches.extend(self.patches.iter().map(PatchOverride::entry));
        kustomization.components.extend(components);
        for (field, value) in [
            (&mut kustomization.name_prefix, &self.name_prefix),
            (&mut kustomization.name_suffix, &self.name_suffix),
            (&mut kustomization.namespace, &self.namespace),
        ] {
            if let Some(value) = value {
                field.clone_from(value);
            }
        }
        if !self.labels.is_empty() {
            let label = Label { pairs: self.labels.clone(), include_templates: true, ..Label::default() };
            kustomization.labels.push(label);
        }
        kustomization.common_annotations.extend(self.annotations.clone());
        for (name, count) in &self.replicas {
            match kustomization.replicas.iter_mut().find(|known| known.name == *name) {
                Some(known) => known.count = *count,
                None => kustomization.replicas.push(Replica { name: name.clone(), count: *count }),
            }
        }
        Ok(())
    }

    fn components_of(&self, loader: &Loader) -> Result<Vec<String>, Error> {
        let mut components = self.components.clone();
        if self.ignore_missing_components {
            let mut missing = Vec::new();
            for path in components.iter().filter(|path| RemoteAddress::parse(path).is_none()) {
                if loader.kind(&loader.join(path))?.is_none() {
                    missing.push(path.clone());
                }
            }
            components.retain(|path| !missing.contains(path));
        }
        Ok(components)
    }
}

impl PatchOverride {
    fn entry(&self) -> Patch {
        let target = self.target.as_ref().map(|target| Selector {
            group: target.group.clone(),
            version: target.version.clone(),
            kind: target.kind.clone(),
            name: target.name.clone(),
            namespace: target.namespace.clone(),
            annotation_selector: target.annotation_selector.clone(),
            label_selector: target.label_selector.clone(),
        });
        Patch { patch: self.patch.clone(), target, ..Patch::default() }
    }
}
