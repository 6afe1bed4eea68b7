//! Charts of a kustomization: checks and values here, the rendering through [`ChartRenderer`](crate::ChartRenderer).

use crate::{
    Chart,
    error::Error,
    kustomization::{HelmChart, HelmGlobals},
    loader::{Loader, clean},
    merge,
    node::Node,
    print, read,
    resource::Resource,
    scalar::Rules,
    schema::MergeSchema,
    steps::trouble,
    target::{Shared, Target},
};

/// A chart, checked.
pub(crate) struct Prepared {
    chart: HelmChart,
    home: String,
}

/// Checks the charts of a kustomization.
pub(crate) fn prepare(target: &Target, shared: &Shared) -> Result<Vec<Prepared>, Error> {
    let kustomization = &target.kustomization;
    let globals = kustomization.helm_globals.clone().unwrap_or_default();
    let mut prepared = Vec::new();
    for chart in &kustomization.helm_charts {
        let mut chart = chart.clone();
        if chart.namespace.is_empty() {
            let own = &kustomization.namespace;
            chart.namespace.clone_from(if own.is_empty() { &target.chart_namespace } else { own });
        }
        let checked = check(&chart, &target.loader, shared)
            .map_err(|error| trouble("HelmChartInflationGenerator", &config(&chart, &globals))(error))?;
        prepared.push(Prepared { chart: checked, home: globals.chart_home.clone() });
    }
    Ok(prepared)
}

/// Checks one chart and fills in what is left out.
pub(crate) fn check(chart: &HelmChart, loader: &Loader, shared: &Shared) -> Result<HelmChart, Error> {
    if !shared.context.options.enable_helm {
        return Err(Error::new("must specify --enable-helm"));
    }
    let mut chart = chart.clone();
    if chart.name.is_empty() {
        return Err(Error::new("chart name cannot be empty"));
    }
    for file in &chart.additional_values_files {
        loader.load(file).map_err(|error| error.wrap("could not load additionalValuesFile"))?;
    }
    match chart.values_merge.as_str() {
        "" => "override".clone_into(&mut chart.values_merge),
        "merge" | "override" | "replace" => {}
        _ => return Err(Error::new("valuesMerge must be one of [merge override replace]")),
    }
    Ok(chart)
}

/// The folder that holds the chart's folder.
fn folder(chart: &HelmChart, home: &str, loader: &Loader) -> String {
    let home = loader.join(if home.is_empty() { "charts" } else { home });
    if chart.version.is_empty() || chart.repo.is_empty() {
        home
    } else {
        format!("{home}/{}-{}", chart.name, chart.version)
    }
}

/// Renders a chart of the field `helmCharts`.
pub(crate) fn render(prepared: &Prepared, loader: &Loader, shared: &Shared) -> Result<Vec<Resource>, Error> {
    render_at(&prepared.chart, &prepared.home, loader, shared)
}

/// Renders a chart that lies below `home`.
pub(crate) fn render_at(
    chart: &HelmChart,
    home: &str,
    loader: &Loader,
    shared: &Shared,
) -> Result<Vec<Resource>, Error> {
    let path = clean(&format!("{}/{}", folder(chart, home, loader), chart.name));
    if loader.kind(&path)? != Some(lockstep_files::Kind::Folder) {
        if chart.repo.is_empty() {
            return Err(Error::new("no repo specified for pull, no chart found at ''"));
        }
        return Err(Error::new(format!(
            "the chart {} of {} is not in the tree; remote charts are not pulled here",
            chart.name, chart.repo
        )));
    }
    let mut values = Vec::new();
    values.push(own_values(chart, &path, loader, shared)?);
    for file in &chart.additional_values_files {
        values.push(loader.load_text(file)?);
    }
    let Some(renderer) = shared.context.options.charts else {
        return Err(Error::new("charts are not rendered here"));
    };
    let rendered = renderer
        .render(
            loader.reader(),
            &Chart {
                path,
                release_name: chart.release_name.clone(),
                name_template: chart.name_template.clone(),
                namespace: chart.namespace.clone(),
                values,
                api_versions: chart.api_versions.clone(),
                kube_version: chart.kube_version.clone(),
                include_crds: chart.include_crds,
                skip_hooks: chart.skip_hooks,
                skip_tests: chart.skip_tests,
            },
        )
        .map_err(Error::new)?;
    let mut resources = shared.context.resources(&rendered)?;
    crate::context::check_unique(&resources)?;
    resources.iter_mut().for_each(|resource| resource.memory.from_chart = true);
    Ok(resources)
}

/// The values file, merged with the values that stand in the kustomization.
fn own_values(chart: &HelmChart, path: &str, loader: &Loader, shared: &Shared) -> Result<String, Error> {
    let file = || {
        if chart.values_file.is_empty() {
            let bytes = loader.load_full(&format!("{path}/values.yaml"))?;
            return Ok(String::from_utf8_lossy(&bytes).into_owned());
        }
        loader.load_text(&chart.values_file)
    };
    if chart.values_inline.is_empty() {
        return file();
    }
    if chart.values_merge == "replace" {
        return Ok(print::to_text(&chart.values_inline));
    }
    let file = read::document(&file()?, Rules::V3, &shared.context.options.limits)?.unwrap_or_else(Node::map);
    let inline = chart.values_inline.clone();
    let (below, above) = if chart.values_merge == "override" { (file, inline) } else { (inline, file) };
    let merged = merge::merge(below, above, &MergeSchema::default())?.unwrap_or_else(Node::map);
    Ok(print::to_text(&merged))
}

/// Shows a chart as the configuration of kustomize's plugin.
fn config(chart: &HelmChart, globals: &HelmGlobals) -> Node {
    let mut node = Node::map();
    for (key, value) in [
        ("chartHome", &globals.chart_home),
        ("configHome", &globals.config_home),
        ("kubeVersion", &chart.kube_version),
        ("name", &chart.name),
        ("nameTemplate", &chart.name_template),
        ("namespace", &chart.namespace),
        ("releaseName", &chart.release_name),
        ("repo", &chart.repo),
        ("valuesFile", &chart.values_file),
        ("valuesMerge", &chart.values_merge),
        ("version", &chart.version),
    ] {
        if !value.is_empty() {
            node.insert(key, Node::string(value));
        }
    }
    for (key, truth) in [
        ("debug", chart.debug),
        ("devel", chart.devel),
        ("includeCRDs", chart.include_crds),
        ("skipHooks", chart.skip_hooks),
        ("skipTests", chart.skip_tests),
    ] {
        if truth {
            node.insert(key, Node::open("true"));
        }
    }
    for (key, items) in
        [("additionalValuesFiles", &chart.additional_values_files), ("apiVersions", &chart.api_versions)]
    {
        if !items.is_empty() {
            node.insert(key, Node::List(items.iter().map(|item| Node::string(item)).collect()));
        }
    }
    if !chart.values_inline.is_empty() {
        node.insert("valuesInline", chart.values_inline.clone());
    }
    node
}
