//! `lockstep render` of charts: what `helm template` prints.

use std::path::{Path, PathBuf};

use anyhow::Context;
use lockstep_helm::{Chart, Options, Place, Release, Rendered, UserValues};
use lockstep_object::{self as object, Diagnostic, Object, yaml};
use lockstep_sources::disk;

use crate::arguments;

/// Tells whether a path is that of a chart: an archive, or a folder with a `Chart.yaml`.
pub(crate) fn is_chart(path: &Path) -> bool {
    if path.is_dir() { path.join("Chart.yaml").is_file() } else { is_archive(path) }
}

fn is_archive(path: &Path) -> bool {
    path.to_str().is_some_and(|path| path.ends_with(".tgz") || path.ends_with(".tar.gz"))
}

/// Renders a chart of the disk; warnings are told.
pub(crate) fn rendered(path: &Path, arguments: &arguments::Chart) -> anyhow::Result<Rendered> {
    let chart = load(path)?;
    let release = Release {
        name: arguments.name.clone(),
        namespace: arguments.namespace.clone(),
        revision: 1,
        is_upgrade: arguments.is_upgrade,
    };
    let options = Options {
        values: user_values(arguments)?,
        kube_version: arguments.kube_version.clone(),
        api_versions: arguments.api_versions.clone(),
        include_crds: arguments.include_crds,
        no_hooks: arguments.no_hooks,
        skip_tests: arguments.skip_tests,
        skip_schema_validation: arguments.skip_schema_validation,
        show_only: arguments.show_only.clone(),
        sub_notes: arguments.render_subchart_notes,
        trace: arguments.explain.is_some(),
        // What is random is the same each time; certificates are valid from now on.
        seed: lockstep_render::CHART_SEED,
        now: now(),
        ..Options::default()
    };
    let rendered = lockstep_helm::render(&chart, &release, &options).map_err(|error| anyhow::anyhow!("{error}"))?;
    for warning in &rendered.warnings {
        eprintln!("warning: {}", warning.trim());
    }
    Ok(rendered)
}

/// Gives the time that charts see where there is no commit that tells it, in seconds since 1970.
pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

fn load(path: &Path) -> anyhow::Result<Chart> {
    let chart = if path.is_dir() {
        let real = std::fs::canonicalize(path).with_context(|| format!("cannot open {}", path.display()))?;
        let inside = real.to_str().with_context(|| format!("{} is not a name in UTF-8", real.display()))?;
        Chart::from_folder(&disk().reader(), inside.trim_start_matches('/'))
    } else {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        Chart::from_archive(&bytes)
    };
    chart.map_err(|error| anyhow::anyhow!("{error}"))
}

fn user_values(arguments: &arguments::Chart) -> anyhow::Result<UserValues> {
    let files = arguments.values.iter().map(|path| Ok((path.display().to_string(), read_values(path)?)));
    Ok(UserValues {
        files: files.collect::<anyhow::Result<_>>()?,
        set_json: arguments.set_json.clone(),
        set: arguments.set.clone(),
        set_string: arguments.set_string.clone(),
        set_file: set_files(&arguments.set_file)?,
        set_literal: arguments.set_literal.clone(),
    })
}

/// Reads a values file; `-` is standard input.
fn read_values(path: &Path) -> anyhow::Result<String> {
    if path == Path::new("-") {
        return std::io::read_to_string(std::io::stdin()).context("cannot read values from standard input");
    }
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Reads the files of `--set-file KEY=FILE[,KEY=FILE…]`.
fn set_files(expressions: &[String]) -> anyhow::Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    for expression in expressions.iter().flat_map(|expression| expression.split(',')) {
        let (key, path) = expression
            .split_once('=')
            .with_context(|| format!("failed parsing --set-file data: key {expression:?} has no value"))?;
        let path = PathBuf::from(path);
        let content = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        files.push((key.to_owned(), content));
    }
    Ok(files)
}

/// Words where a line or field comes from.
pub(crate) fn explain(rendered: &Rendered, query: &str) -> anyhow::Result<String> {
    let explanation = rendered.explain(query).map_err(anyhow::Error::msg)?;
    let mut out = format!("{}\n", explanation.line);
    for writer in &explanation.writers {
        let Place { file, line, column } = &writer.place;
        let action = writer.action.as_deref().unwrap_or("the template's own text");
        out.push_str(&format!("  from {file}:{line}:{column}  {action}\n"));
        for value in &writer.values {
            let source = value.source.as_deref().unwrap_or("no file or flag");
            out.push_str(&format!("    .Values.{} set by {source}\n", value.path));
        }
    }
    Ok(out)
}

/// Gives the objects of a rendered chart with the templates they come from.
pub(crate) fn objects(rendered: &Rendered) -> (Vec<(Object, object::Place)>, Vec<Diagnostic>) {
    let mut all = (Vec::new(), Vec::new());
    let definitions = rendered.crds.iter().map(|crd| (&crd.source, &crd.text));
    let hooks = rendered.hooks.iter().map(|hook| &hook.manifest);
    let manifests = rendered.manifests.iter().chain(hooks).map(|manifest| (&manifest.source, &manifest.text));
    for (source, text) in definitions.chain(manifests) {
        let (objects, diagnostics) = yaml::parse_objects(source, text);
        all.0.extend(objects.into_iter().map(|(object, _)| (object, object::Place::file(source.clone()))));
        all.1.extend(diagnostics);
    }
    all
}
