//! Where a rendered line comes from: the template, the action, and the files of the values that the action read.

use std::collections::{BTreeMap, HashMap};

use lockstep_gotmpl::{Map, Span, Value};
use lockstep_object::{self as object, yaml};

use crate::{
    coalesce::GLOBAL,
    dependencies::Node,
    error::Place,
    manifest::Manifest,
    plain::Plain,
    render::Rendered,
    strvals::{self, Mode},
    values::{self, UserValues},
};

/// Where a line comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The line, as it was rendered.
    pub line: String,
    /// What wrote the line, in its order.
    pub writers: Vec<Writer>,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writer {
    /// Where it stands.
    pub place: Place,
    /// The action; none for the template's own text.
    pub action: Option<String>,
    /// The values that the action read, also through templates that it included.
    pub values: Vec<ValueOrigin>,
}

/// Where a value was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueOrigin {
    /// The path in `.Values` of the root chart.
    pub path: String,
    /// What sets it: `--set …`, a file with its line; none when no file or flag does.
    pub source: Option<String>,
}

/// The record of a rendering: explained only when somebody asks.
pub(crate) struct Trace {
    files: BTreeMap<String, (String, Vec<Span>)>,
    /// The paths of the maps of the values by their addresses, as they were before the templates ran.
    paths: HashMap<usize, Vec<String>>,
    user: UserValues,
    chart: ChartValues,
}

/// The texts of `values.yaml` of a chart and those below it, by the names of this release.
struct ChartValues {
    name: String,
    text: String,
    children: Vec<ChartValues>,
}

impl ChartValues {
    fn new(chart: &Node) -> Self {
        let text = chart.parts.values_text.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
        let children = chart.dependencies().iter().map(Self::new).collect();
        Self { name: chart.name().to_owned(), text: text.into_owned(), children }
    }
}

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trace").finish_non_exhaustive()
    }
}

impl Trace {
    pub(crate) fn new(chart: &Node, user: &UserValues, values: &Map) -> Self {
        let mut paths = HashMap::new();
        find_paths(&Value::Map(values.clone()), &mut Vec::new(), &mut paths);
        Self { files: BTreeMap::new(), paths, user: user.clone(), chart: ChartValues::new(chart) }
    }

    /// Takes the record of one template.
    pub(crate) fn take(&mut self, path: &str, text: &str, spans: Vec<Span>) {
        self.files.insert(path.to_owned(), (text.to_owned(), spans));
    }

    fn explain(&self, source: &str, line: usize) -> Option<Explanation> {
        let (text, spans) = self.files.get(source)?;
        let before: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
        let line = text[before..].lines().next()?;
        let (begin, end) = (before + line.len() - line.trim_start().len(), before + line.len());
        let overlapping = spans.iter().filter(|span| span.output.start < end && span.output.end > begin);
        let writers = overlapping.map(|span| {
            let place = span.place(begin.max(span.output.start));
            let place = Place { file: place.file, line: place.line, column: place.column };
            Writer { place, action: span.action.clone(), values: self.values(span) }
        });
        Some(Explanation { line: line.trim_end().to_owned(), writers: writers.collect() })
    }

    fn values(&self, span: &Span) -> Vec<ValueOrigin> {
        let mut paths: Vec<Vec<String>> = Vec::new();
        for (map, key) in &span.reads {
            let Some(path) = self.paths.get(map) else { continue };
            let path: Vec<String> = path.iter().cloned().chain([key.to_string()]).collect();
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        // `.Values.a.b` reads `a` too: only the ends of paths tell something.
        let is_end =
            |path: &&Vec<String>| !paths.iter().any(|other| other.len() > path.len() && other.starts_with(path));
        let ends = paths.iter().filter(is_end);
        ends.map(|path| ValueOrigin { path: path.join("."), source: self.origin(path) }).collect()
    }

    /// Finds what sets a value: flags before files, later files before earlier ones, a chart before its subcharts.
    fn origin(&self, path: &[String]) -> Option<String> {
        flag(&self.user, path).or_else(|| file(&self.user, path)).or_else(|| chart_file(&self.chart, path, ""))
    }
}

/// Lists the paths of all maps in the values by their addresses.
fn find_paths(value: &Value, path: &mut Vec<String>, paths: &mut HashMap<usize, Vec<String>>) {
    /// Deeper values are not explained.
    const MAX_DEPTH: usize = 64;
    if path.len() > MAX_DEPTH {
        return;
    }
    match value {
        Value::Map(map) => {
            if paths.contains_key(&map.address()) {
                return;
            }
            paths.insert(map.address(), path.clone());
            for (key, inner) in map.entries() {
                path.push(key.to_string());
                find_paths(&inner, path, paths);
                path.pop();
            }
        }
        Value::List(list) => {
            for (at, inner) in list.items().iter().enumerate() {
                path.push(at.to_string());
                find_paths(inner, path, paths);
                path.pop();
            }
        }
        _ => {}
    }
}

fn flag(user: &UserValues, path: &[String]) -> Option<String> {
    let UserValues { set_literal, set_file, set_string, set, set_json, .. } = user;
    let files: Vec<String> = set_file.iter().map(|(key, _)| format!("{key}=file")).collect();
    let kinds = [
        ("--set-literal", set_literal, Mode::Literal),
        ("--set-file", &files, Mode::File("".into())),
        ("--set-string", set_string, Mode::Text),
        ("--set", set, Mode::Typed),
        ("--set-json", set_json, Mode::Json),
    ];
    kinds.into_iter().find_map(|(flag, expressions, mode)| {
        let sets = |text: &&String| {
            let values = Map::new();
            let parsed = match &mode {
                Mode::Json => values::apply_json(text, values).ok(),
                mode => strvals::apply(text, mode, &values).ok().map(|()| values),
            };
            parsed.is_some_and(|values| contains(&values, path))
        };
        expressions.iter().rev().find(sets).map(|text| format!("{flag} {text}"))
    })
}

fn file(user: &UserValues, path: &[String]) -> Option<String> {
    user.files.iter().rev().find_map(|(name, text)| Some(format!("{name}:{}", line_of(text, path)?)))
}

/// Finds a value in `values.yaml` of a chart, else in that of the subchart that the path leads to.
fn chart_file(chart: &ChartValues, path: &[String], folder: &str) -> Option<String> {
    if let Some(line) = line_of(&chart.text, path) {
        return Some(format!("{folder}{}/values.yaml:{line}", chart.name));
    }
    let (first, rest) = path.split_first()?;
    let child = chart.children.iter().find(|child| child.name == *first)?;
    chart_file(child, rest, &format!("{folder}{}/charts/", chart.name)).or_else(|| {
        // Globals of a subchart are those of the charts above.
        let global = rest.first().is_some_and(|key| key == GLOBAL);
        global.then(|| line_of(&chart.text, rest)).flatten().map(|line| format!("{}/values.yaml:{line}", chart.name))
    })
}

/// Tells the line of a value in a values file, if the file has it.
fn line_of(text: &str, path: &[String]) -> Option<u32> {
    let steps: Vec<&str> = path.iter().map(String::as_str).collect();
    steps.iter().try_fold(&values::load(text).ok()?, |value, step| match value {
        Plain::Map(entries) => {
            entries.iter().find(|(key, _)| key.as_bytes() == step.as_bytes()).map(|(_, value)| value)
        }
        Plain::List(items) => items.get(step.parse::<usize>().ok()?),
        _ => None,
    })?;
    Some(yaml::locate(text, 0, &steps)?.line)
}

fn contains(values: &Map, path: &[String]) -> bool {
    path.iter()
        .try_fold(Value::Map(values.clone()), |value, step| match value {
            Value::Map(map) => map.get(step),
            Value::List(list) => list.items().get(step.parse::<usize>().ok()?).cloned(),
            _ => None,
        })
        .is_some()
}

impl Rendered {
    /// Tells where something comes from: a line of [`Rendered::template_output`] by its number, or a field as
    /// `Kind/name.path.to[0].field`. Needs [`crate::Options::trace`].
    ///
    /// # Errors
    /// A text for the user when there is no such line, object or field.
    pub fn explain(&self, query: &str) -> Result<Explanation, String> {
        let (source, line) = match query.parse::<usize>() {
            Ok(number) => {
                self.rendered_line(number).ok_or_else(|| format!("line {number} is not that of a template"))?
            }
            Err(_) => self.field_line(query)?,
        };
        let explained = self.trace.as_ref().and_then(|trace| trace.explain(source, line));
        explained.ok_or_else(|| format!("line {line} of {source} was not traced"))
    }

    /// Finds the template of a printed line, and the line in what that template rendered.
    fn rendered_line(&self, number: usize) -> Option<(&str, usize)> {
        let output = self.template_output();
        let lines: Vec<&str> = output.lines().collect();
        let head = lines.get(..number)?.iter().rposition(|line| line.starts_with("# Source: "))?;
        let source = lines[head].strip_prefix("# Source: ")?;
        let document = lines[..head].iter().filter(|line| **line == lines[head]).count();
        let manifest = self.documents().filter(|manifest| manifest.source == source).nth(document)?;
        Some((&manifest.source, manifest.line + (number - 1).checked_sub(head + 1)?))
    }

    fn field_line(&self, query: &str) -> Result<(&str, usize), String> {
        let named = |manifest: &Manifest| {
            let name = format!("{}/{}", manifest.kind, manifest.name);
            let rest = query.strip_prefix(&name)?;
            (rest.is_empty() || rest.starts_with(['.', '['])).then_some((name.len(), rest.len()))
        };
        let found =
            self.documents().filter_map(|manifest| Some((named(manifest)?, manifest))).max_by_key(|(len, _)| len.0);
        let ((_, rest), manifest) = found.ok_or_else(|| format!("the chart renders no object for {query}"))?;
        let steps = steps(&query[query.len() - rest..]);
        let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        let document = yaml::parse(&manifest.text).unwrap_or_default();
        let value = steps.iter().try_fold(&document, |value, step| match value {
            object::Value::Map(map) => map.get(step),
            object::Value::List(items) => items.get(step.parse::<usize>().ok()?),
            _ => None,
        });
        let place = value.and_then(|_| yaml::locate(&manifest.text, 0, &steps));
        let place =
            place.ok_or_else(|| format!("{}/{} has no field {}", manifest.kind, manifest.name, steps.join(".")))?;
        Ok((&manifest.source, manifest.line + (place.line as usize).saturating_sub(1)))
    }

    fn documents(&self) -> impl Iterator<Item = &Manifest> {
        self.manifests.iter().chain(self.hooks.iter().map(|hook| &hook.manifest))
    }
}

/// Splits `.a.b[0]["c.d"]` into keys and indices.
fn steps(path: &str) -> Vec<String> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix("[\"")
            && let Some((key, after)) = inner.split_once("\"]")
        {
            steps.push(key.to_owned());
            rest = after;
            continue;
        }
        rest = rest.trim_start_matches(['.', '[']);
        let end = rest.find(['.', '[', ']']).unwrap_or(rest.len());
        steps.push(rest[..end].to_owned());
        rest = rest[end..].trim_start_matches(']');
    }
    steps
}
