//! Subcharts of one release: conditions, tags, aliases, imported values.

use std::sync::Arc;

use lockstep_gotmpl::{Map, Value};

use crate::{
    chart::Parts,
    coalesce::{Nulls, coalesce, merge_tables},
    error::{Error, ErrorKind},
    metadata::{Dependency, Metadata},
    plain::{Plain, deep_copy_map},
    semver::is_compatible,
    values::{path_value, table},
};

/// A chart in the tree of one release: what was parsed is shared, names, values and dependencies are the release's own.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) parts: Arc<Parts>,
    pub(crate) metadata: Metadata,
    values: Option<Map>,
    dependencies: Vec<Node>,
}

impl Node {
    /// Makes the tree of a chart as it was loaded.
    pub(crate) fn new(parts: &Arc<Parts>) -> Self {
        Self {
            parts: parts.clone(),
            metadata: parts.metadata.clone(),
            values: None,
            dependencies: parts.dependencies.iter().map(Self::new).collect(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.metadata.name
    }

    pub(crate) fn dependencies(&self) -> &[Self] {
        &self.dependencies
    }

    /// Gives a fresh copy of the chart's own values.
    pub(crate) fn default_values(&self) -> Map {
        match &self.values {
            Some(values) => deep_copy_map(values),
            None => self.parts.values.to_map(),
        }
    }

    pub(crate) fn is_library(&self) -> bool {
        self.metadata.kind.eq_ignore_ascii_case("library")
    }
}

/// Removes what is switched off and imports values from children, as Helm's `ProcessDependencies`.
pub(crate) fn process(chart: &mut Node, values: &Map, warnings: &mut Vec<String>) -> Result<(), Error> {
    enable(chart, values, "", warnings).and_then(|()| import_all(chart, warnings)).map_err(|error| {
        let message = error.message().to_owned();
        Error::new(ErrorKind::Dependencies, message).context("chart dependencies processing failed: ")
    })
}

fn enable(chart: &mut Node, values: &Map, path: &str, warnings: &mut Vec<String>) -> Result<(), Error> {
    if chart.metadata.dependencies.is_empty() {
        return Ok(());
    }
    resolve_aliases(chart);
    for dependency in &mut chart.metadata.dependencies {
        dependency.enabled = true;
    }
    let joined = coalesce(chart, values, Nulls::Remove, warnings)?;
    switch_by_tags(&mut chart.metadata.dependencies, &joined, warnings);
    switch_by_conditions(&mut chart.metadata.dependencies, &joined, path, warnings);
    let off: Vec<String> = chart.metadata.dependencies.iter().filter(|d| !d.enabled).map(|d| d.name.clone()).collect();
    chart.dependencies.retain(|child| !off.iter().any(|name| name == child.name()));
    chart.metadata.dependencies.retain(|dependency| !off.contains(&dependency.name));
    for child in &mut chart.dependencies {
        let path = format!("{path}{}.", child.name());
        enable(child, &joined, &path, warnings)?;
    }
    Ok(())
}

/// Puts the charts that dependencies name (again for each alias) after those that nobody names.
fn resolve_aliases(chart: &mut Node) {
    let named = |child: &Node, dependency: &Dependency| {
        child.name() == dependency.name && is_compatible(&dependency.version, &child.metadata.version)
    };
    let requirements = &mut chart.metadata.dependencies;
    let unnamed = chart.dependencies.iter().filter(|child| !requirements.iter().any(|d| named(child, d)));
    let mut children: Vec<Node> = unnamed.cloned().collect();
    for dependency in requirements {
        if let Some(found) = chart.dependencies.iter().find(|child| named(child, dependency)) {
            let mut child = found.clone();
            if !dependency.alias.is_empty() {
                child.metadata.name.clone_from(&dependency.alias);
            }
            children.push(child);
        }
        if !dependency.alias.is_empty() {
            dependency.name.clone_from(&dependency.alias);
        }
    }
    chart.dependencies = children;
}

fn switch_by_tags(dependencies: &mut [Dependency], values: &Map, warnings: &mut Vec<String>) {
    let Some(tags) = table(values, ["tags"]) else { return };
    for dependency in dependencies {
        let (mut on, mut off) = (false, false);
        for tag in &dependency.tags {
            match tags.get(tag) {
                None => {}
                Some(Value::Bool(truth)) => *(if truth { &mut on } else { &mut off }) = true,
                Some(_) => warnings.push(format!("returned non-bool value tag={tag} chart={}", dependency.name)),
            }
        }
        dependency.enabled = on || !off;
    }
}

fn switch_by_conditions(dependencies: &mut [Dependency], values: &Map, path: &str, warnings: &mut Vec<String>) {
    for dependency in dependencies {
        for condition in dependency.condition.trim().split(',').filter(|condition| !condition.is_empty()) {
            match path_value(values, &format!("{path}{condition}")) {
                None => {}
                Some(Value::Bool(truth)) => {
                    dependency.enabled = truth;
                    break;
                }
                Some(_) => {
                    warnings.push(format!("returned non-bool value path={condition} chart={}", dependency.name));
                }
            }
        }
    }
}

fn import_all(chart: &mut Node, warnings: &mut Vec<String>) -> Result<(), Error> {
    for child in &mut chart.dependencies {
        import_all(child, warnings)?;
    }
    import(chart, warnings)
}

/// Takes over values that `import-values` names; a chart with dependencies also takes over their defaults.
fn import(chart: &mut Node, warnings: &mut Vec<String>) -> Result<(), Error> {
    if chart.metadata.dependencies.is_empty() {
        return Ok(());
    }
    let joined = coalesce(chart, &Map::new(), Nulls::Keep, warnings)?;
    let imported = Map::new();
    for dependency in &mut chart.metadata.dependencies {
        let mut known = Vec::new();
        for wanted in &dependency.import_values {
            let (child, parent) = match wanted {
                Plain::Text(name) => (format!("exports.{name}"), ".".to_owned()),
                Plain::Map(entries) => (entry_text(entries, "child"), entry_text(entries, "parent")),
                _ => continue,
            };
            known.push(Plain::Map(vec![
                ("child".into(), Plain::Text(child.as_str().into())),
                ("parent".into(), Plain::Text(parent.as_str().into())),
            ]));
            let path = std::iter::once(dependency.name.as_str()).chain(child.split('.'));
            match table(&joined, path.flat_map(|part| part.split('.'))) {
                None => warnings.push(format!("ImportValues missing table from chart {}: {child}", dependency.name)),
                Some(found) => merge_tables(&imported, &nest(&parent, found), Nulls::Keep, warnings),
            }
        }
        dependency.import_values = known;
    }
    if imported.is_empty() {
        chart.values = Some(joined);
        return Ok(());
    }
    let values = deep_copy_map(&joined);
    merge_tables(&values, &imported, Nulls::Keep, warnings);
    chart.values = Some(values);
    Ok(())
}

fn entry_text(entries: &[(lockstep_gotmpl::Str, Plain)], key: &str) -> String {
    let value = entries.iter().find(|(known, _)| *known == *key).map_or(Value::Nil, |(_, value)| value.to_value());
    lockstep_gotmpl::print::sprintf("%v", &[value]).to_string()
}

/// Puts a map below a dotted path; `.` is the root.
fn nest(path: &str, map: Map) -> Map {
    if path == "." {
        return map;
    }
    path.rsplit('.').fold(map, |inner, key| [(key, Value::Map(inner))].into_iter().collect())
}
