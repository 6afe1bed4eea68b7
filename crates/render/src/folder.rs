//! Folders of plain manifests, and what else a folder can be.

use lockstep_files::{Error, Kind, Reader};
use lockstep_helm::Record;
use lockstep_kustomize::Overlay;
use lockstep_object::{Diagnostic, Object, Place, yaml};

use crate::{ChartContext, KustomizeSpec, Need, Remotes};

/// What is rendered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RenderSpec {
    /// The folder, from the root of the tree.
    pub path: String,
    /// The name of the release, where the folder is a chart.
    pub name: String,
    /// The namespace of the release.
    pub namespace: String,
    /// The values of a chart.
    pub values: HelmValues,
    /// How a kustomization is built.
    pub kustomize: KustomizeSpec,
}

/// The values of a chart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct HelmValues {
    /// Files, from the root of the tree; later ones win.
    pub files: Vec<String>,
    /// Files that may stand for one value or be missing; they win over `files`, later ones over earlier ones.
    pub from: Vec<ValuesFrom>,
    /// YAML text, which wins over all others.
    pub text: String,
}

/// A file with values that something else than the source's author wrote: a key of a ConfigMap or Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ValuesFrom {
    /// The file, from the root of the tree.
    pub path: String,
    /// Where among the values its content stands, as `auth.password`; empty when it is a whole values file.
    pub target: String,
    /// Whether it may be missing.
    pub optional: bool,
}

/// What a folder is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SourceKind {
    /// A folder of YAML and JSON manifests.
    #[default]
    Plain,
    /// A folder with a kustomization.
    Kustomize,
    /// A Helm chart.
    Helm,
}

/// The objects of a folder.
#[derive(Clone, Debug, Default)]
pub struct Rendered {
    /// What the folder is.
    pub kind: SourceKind,
    /// The objects with their places, in the order of files and documents.
    pub objects: Vec<(Object, Place)>,
    /// What is wrong; with an error among them the objects must not be used.
    pub diagnostics: Vec<Diagnostic>,
    /// What must be fetched before this can be rendered; there is an error among the diagnostics then.
    pub need: Option<Need>,
    /// Helm's record of the release, where one was asked for.
    pub record: Option<Box<Record>>,
    /// Whether a chart asked for the time: with another [`ChartContext::now`] the objects may be others.
    pub asked_now: bool,
}

/// The names of a kustomization file.
const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];
/// Kubernetes itself takes no larger request; 10 MB of manifests in one file are still read.
const LARGEST_FILE: usize = 32 << 20;

/// Tells what a folder is: a chart by its `Chart.yaml`, a kustomization by its file, else plain manifests.
pub fn recognise(reader: &Reader, path: &str) -> Result<SourceKind, Error> {
    let has = |name: &str| -> Result<bool, Error> {
        let path = lockstep_files::join(path, name)?;
        Ok(reader.kind(&path)?.is_some_and(Kind::is_file))
    };
    if has("Chart.yaml")? {
        return Ok(SourceKind::Helm);
    }
    for name in KUSTOMIZATIONS {
        if has(name)? {
            return Ok(SourceKind::Kustomize);
        }
    }
    Ok(SourceKind::Plain)
}

/// Renders a folder that names nothing outside of the tree. Bad files are diagnostics, not failures.
pub fn render(reader: &Reader, spec: &RenderSpec) -> Rendered {
    render_for(reader, spec, &Remotes::default(), &ChartContext::default())
}

/// Renders a folder with what was fetched for it; a chart is told what `context` says.
pub fn render_for(reader: &Reader, spec: &RenderSpec, remotes: &Remotes, context: &ChartContext) -> Rendered {
    match render_folder(reader, spec, remotes, context) {
        Ok(rendered) => rendered,
        Err(error) => {
            let place = Place::file(spec.path.clone());
            Rendered { diagnostics: vec![diagnostic(&error, place)], ..Rendered::default() }
        }
    }
}

fn diagnostic(error: &Error, place: Place) -> Diagnostic {
    match error {
        // These say their path themselves.
        Error::NotFound { .. } => {
            Diagnostic::error(Place::default(), error.to_string()).hint("check the path of the app's source")
        }
        Error::Escapes { .. } | Error::NotText { .. } => Diagnostic::error(Place::default(), error.to_string()),
        error => Diagnostic::error(place, error.to_string()),
    }
}

fn render_folder(
    reader: &Reader,
    spec: &RenderSpec,
    remotes: &Remotes,
    context: &ChartContext,
) -> Result<Rendered, Error> {
    let path = lockstep_files::join("", &spec.path)?;
    match reader.kind(&path)? {
        None => return Err(Error::NotFound { path }),
        Some(kind) if kind.is_file() => {
            let mut rendered = Rendered::default();
            read_manifest(reader, &path, &mut rendered);
            return Ok(rendered);
        }
        Some(_) => {}
    }
    let kind = recognise(reader, &path)?;
    let mut rendered = Rendered { kind, ..Rendered::default() };
    let asked = &spec.kustomize;
    match kind {
        SourceKind::Plain => read_plain(reader, &path, &mut rendered)?,
        SourceKind::Kustomize => crate::kustomization::read(reader, &path, asked, (remotes, context), &mut rendered),
        SourceKind::Helm => crate::chart::read(reader, &path, spec, context, &mut rendered),
    }
    if kind != SourceKind::Kustomize && asked.overlay != Overlay::default() {
        let message = "the source is no kustomization, so there is nothing that its kustomize options could change";
        let hint = "add a kustomization.yaml that lists the manifests, or remove spec.source.kustomize";
        rendered.diagnostics.push(Diagnostic::error(Place::file(path), message).hint(hint));
    }
    Ok(rendered)
}

/// Reads all manifests below a folder. Folders that are charts or kustomizations are sources of their own and left
/// out, and so is everything below a folder whose own files define Apps: those name their folders themselves.
fn read_plain(reader: &Reader, path: &str, rendered: &mut Rendered) -> Result<(), Error> {
    let mut folders = Vec::new();
    let before = rendered.objects.len();
    for entry in reader.list(path)? {
        if entry.name.starts_with('.') {
            continue;
        }
        let below = lockstep_files::join(path, &entry.name)?;
        match entry.kind {
            Kind::Folder => folders.push(below),
            Kind::File | Kind::Executable if is_manifest(&entry.name) => read_manifest(reader, &below, rendered),
            _ => {}
        }
    }
    if rendered.objects[before..].iter().any(|(object, _)| is_app(object)) {
        return Ok(());
    }
    for below in folders {
        match recognise(reader, &below)? {
            SourceKind::Plain => read_plain(reader, &below, rendered)?,
            _ => {
                let message = "the folder is a source of its own and was left out; make it an app by its path";
                rendered.diagnostics.push(Diagnostic::warning(Place::file(below), message));
            }
        }
    }
    Ok(())
}

fn is_app(object: &Object) -> bool {
    object.kind() == "App" && object.api_version().starts_with("lockstep.dev/")
}

fn is_manifest(name: &str) -> bool {
    [".yaml", ".yml", ".json"].iter().any(|extension| name.ends_with(extension))
}

fn read_manifest(reader: &Reader, path: &str, rendered: &mut Rendered) {
    let text = match reader.read(path) {
        Ok(bytes) if bytes.len() > LARGEST_FILE => {
            let message = format!("the file has {} MiB; at most {} are read", bytes.len() >> 20, LARGEST_FILE >> 20);
            rendered.diagnostics.push(Diagnostic::error(Place::file(path), message));
            return;
        }
        Ok(bytes) => bytes,
        Err(error) => {
            rendered.diagnostics.push(diagnostic(&error, Place::file(path)));
            return;
        }
    };
    if text.starts_with(b"version https://git-lfs.github.com/spec/") {
        let message = "the file is a Git LFS pointer; its content is not in the repository";
        rendered.diagnostics.push(Diagnostic::error(Place::file(path), message).hint("keep manifests out of LFS"));
        return;
    }
    let Ok(text) = std::str::from_utf8(&text) else {
        rendered.diagnostics.push(diagnostic(&Error::NotText { path: path.to_owned() }, Place::default()));
        return;
    };
    let (objects, diagnostics) = yaml::parse_objects(path, text);
    rendered.objects.extend(objects);
    rendered.diagnostics.extend(diagnostics);
}

#[cfg(test)]
mod tests {
    use lockstep_files::FileTree;

    use super::*;

    fn check(files: &[(&str, &str)], path: &str) -> Rendered {
        let tree = FileTree::from_files(files.iter().map(|(path, text)| (*path, text.as_bytes().to_vec()))).unwrap();
        render(&tree.reader(), &RenderSpec { path: path.to_owned(), ..RenderSpec::default() })
    }

    const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";

    #[test]
    fn manifests_of_all_folders_are_read_with_their_places() {
        let rendered = check(
            &[
                ("app/a.yaml", MAP),
                ("app/b/c.json", r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"}}"#),
                ("app/README.md", "x"),
                ("other.yaml", ":"),
            ],
            "app",
        );
        assert!(rendered.diagnostics.is_empty(), "{:?}", rendered.diagnostics);
        let places: Vec<&str> = rendered.objects.iter().map(|(_, place)| place.file.as_str()).collect();
        assert_eq!(places, ["app/a.yaml", "app/b/c.json"]);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let rendered = check(&[("app/a.yaml", "a: [\n")], "app");
        assert!(rendered.diagnostics[0].to_string().starts_with("app/a.yaml:"), "{}", rendered.diagnostics[0]);
        assert!(check(&[("a/a.yaml", MAP)], "b").diagnostics[0].is_error());
        assert!(check(&[("a.yaml", MAP)], "..").diagnostics[0].is_error());
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:x\nsize 1\n";
        assert!(check(&[("a.yaml", pointer)], "").diagnostics[0].message.contains("LFS"));
    }

    #[test]
    fn folders_beside_apps_belong_to_the_apps() {
        let app = "apiVersion: lockstep.dev/v1alpha1\nkind: App\nmetadata: {name: web}\nspec: {}\n";
        assert_eq!(check(&[("app/apps.yaml", app), ("app/web/a.yaml", MAP)], "app").objects.len(), 1);
    }

    #[test]
    fn a_kustomization_below_a_plain_folder_is_left_out_with_a_word() {
        let rendered = check(&[("app/a.yaml", MAP), ("app/k/kustomization.yaml", "")], "app");
        assert_eq!((rendered.objects.len(), rendered.diagnostics.len()), (1, 1));
        assert!(!rendered.diagnostics[0].is_error());
    }
}
