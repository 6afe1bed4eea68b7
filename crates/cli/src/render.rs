//! `lockstep render`: the objects of a folder.

use std::path::Path;

use anyhow::Context;
use lockstep_files::{FileTree, Kind};
use lockstep_object::{Diagnostic, Object, Place, to_json_pretty, yaml};
use lockstep_render::{HelmValues, RenderSpec, SourceKind, kustomize_build, recognise, template_output};

use crate::{
    End,
    arguments::{self, Output},
};

pub(crate) fn render(arguments: &arguments::Render) -> anyhow::Result<End> {
    if arguments.output == Output::Yaml {
        return print_as_the_tools_do(arguments);
    }
    let objects = objects_of(&arguments.folder)?;
    match arguments.output {
        Output::Json => {
            let items: Vec<_> = objects.iter().map(|(object, _)| object.to_value()).collect();
            println!("{}", to_json_pretty(&items.into(), "  "));
        }
        Output::Name => objects.iter().for_each(|(object, _)| println!("{}", object.key())),
        Output::Yaml | Output::Wide => print_objects(&objects),
    }
    Ok(End::Done)
}

/// Prints the bytes of `kustomize build` or `helm template` where the folder is theirs, else the objects.
fn print_as_the_tools_do(arguments: &arguments::Render) -> anyhow::Result<End> {
    let reader = tree_of(&arguments.folder)?.reader();
    let printed = match recognise(&reader, "")? {
        SourceKind::Plain => {
            print_objects(&objects_of(&arguments.folder)?);
            return Ok(End::Done);
        }
        SourceKind::Kustomize => kustomize_build(&reader, ""),
        SourceKind::Helm => {
            let values = HelmValues { files: Vec::new(), text: read_values(&arguments.values)? };
            let (name, namespace) = (arguments.name.clone(), arguments.namespace.clone());
            template_output(&reader, &RenderSpec { path: String::new(), name, namespace, values })
        }
    };
    match printed {
        Ok(text) => print!("{text}"),
        Err(diagnostic) => report(&[*diagnostic])?,
    }
    Ok(End::Done)
}

fn read_values(file: &Option<std::path::PathBuf>) -> anyhow::Result<String> {
    match file {
        Some(file) => std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display())),
        None => Ok(String::new()),
    }
}

fn print_objects(objects: &[(Object, Place)]) {
    for (place, (object, _)) in objects.iter().enumerate() {
        if place > 0 {
            println!("---");
        }
        print!("{}", yaml::print(&object.to_value()));
    }
}

/// Renders a folder of the disk; what is wrong with it is told, and an error ends it.
pub(crate) fn objects_of(folder: &Path) -> anyhow::Result<Vec<(Object, Place)>> {
    let tree = tree_of(folder)?;
    let rendered = lockstep_render::render(&tree.reader(), &RenderSpec::default());
    report(&rendered.diagnostics)?;
    anyhow::ensure!(!rendered.objects.is_empty(), "{} holds no objects", folder.display());
    Ok(rendered.objects)
}

/// Tells diagnostics; fails if one is an error.
pub(crate) fn report(diagnostics: &[Diagnostic]) -> anyhow::Result<()> {
    for diagnostic in diagnostics {
        let word = if diagnostic.is_error() { "error" } else { "warning" };
        eprintln!("{word}: {diagnostic}");
        if let Some(hint) = &diagnostic.hint {
            eprintln!("hint: {hint}");
        }
    }
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
    anyhow::ensure!(errors == 0, "the folder cannot be rendered: {errors} error{}", if errors == 1 { "" } else { "s" });
    Ok(())
}

/// Reads a folder of the disk into a tree, without `.git`.
fn tree_of(folder: &Path) -> anyhow::Result<FileTree> {
    let mut entries = Vec::new();
    let mut folders = vec![(folder.to_owned(), String::new())];
    while let Some((path, inside)) = folders.pop() {
        let listing = std::fs::read_dir(&path).with_context(|| format!("cannot open the folder {}", path.display()))?;
        for entry in listing {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let below = if inside.is_empty() { name.clone() } else { format!("{inside}/{name}") };
            let kind = entry.file_type()?;
            if kind.is_dir() {
                if name != ".git" {
                    folders.push((entry.path(), below));
                }
            } else if kind.is_symlink() {
                let target = std::fs::read_link(entry.path())?.to_string_lossy().into_owned();
                entries.push((below, Kind::Link, target.into_bytes().into()));
            } else if kind.is_file() {
                let bytes =
                    std::fs::read(entry.path()).with_context(|| format!("cannot read {}", entry.path().display()))?;
                entries.push((below, Kind::File, bytes.into()));
            }
        }
    }
    Ok(FileTree::from_entries(entries)?)
}
