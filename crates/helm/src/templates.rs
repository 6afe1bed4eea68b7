//! Templates of a chart and all below it: parsed once, run for each release.

use std::{
    collections::BTreeMap,
    rc::Rc,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use lockstep_gotmpl::{self as gotmpl, Context, Functions, Map, MissingKey, Str, Templates, Value};

use crate::{
    chart_files::ChartFiles,
    dependencies::Node,
    error::{Error, ErrorKind, Place},
    explain::Trace,
    functions::{self, State, WARN_END, WARN_START},
};

/// How many sets of parsed templates a chart keeps: one for each choice of subcharts that is in use.
const MAX_SETS: usize = 8;

/// What releases of one chart share.
#[derive(Default)]
pub(crate) struct Cache {
    functions: OnceLock<Arc<Functions>>,
    sets: Mutex<Vec<(Vec<Source>, Arc<Templates>)>>,
}

/// A template's path from the root chart, and its text.
#[derive(Clone, Debug)]
struct Source {
    path: Arc<str>,
    text: Arc<[u8]>,
}

impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path && (Arc::ptr_eq(&self.text, &other.text) || self.text == other.text)
    }
}

impl Cache {
    /// Gives the parsed templates of these sources; parses them in their order if nobody has.
    fn templates(&self, sources: &[Source]) -> Result<Arc<Templates>, Error> {
        let known = |sets: &[(Vec<Source>, Arc<Templates>)]| {
            sets.iter().find(|(known, _)| known == sources).map(|(_, templates)| templates.clone())
        };
        if let Some(templates) = known(&self.sets.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(templates);
        }
        let functions = self.functions.get_or_init(|| Arc::new(functions::all())).clone();
        let mut templates = Templates::new("gotpl", functions, MissingKey::Zero);
        for source in sources {
            let text = String::from_utf8_lossy(&source.text);
            templates.parse(&source.path, &text).map_err(|error| parse_error(&source.path, &error))?;
        }
        let templates = Arc::new(templates);
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        if sets.len() >= MAX_SETS {
            sets.remove(0);
        }
        sets.push((sources.to_vec(), templates.clone()));
        Ok(templates)
    }
}

/// What rendering needs besides the chart.
pub(crate) struct Input {
    /// `.Values` of the root chart.
    pub(crate) values: Map,
    /// `.Release`.
    pub(crate) release: Value,
    /// `.Capabilities`.
    pub(crate) capabilities: Value,
    pub(crate) state: State,
    pub(crate) options: gotmpl::Options,
}

/// What the templates gave.
pub(crate) struct Output {
    /// The rendered templates by path.
    pub(crate) files: BTreeMap<String, String>,
    /// Uses of functions that are not determined by their arguments.
    pub(crate) warnings: Vec<gotmpl::Warning>,
    /// Whether any of them asked for the time.
    pub(crate) asked_now: bool,
}

/// Renders every template but partials.
pub(crate) fn render(
    chart: &Node,
    cache: &Cache,
    input: Input,
    mut trace: Option<&mut Trace>,
) -> Result<Output, Error> {
    let mut scopes = Scopes { found: BTreeMap::new(), input: &input };
    scopes.chart(chart, chart.name(), None, true);
    let mut found: Vec<(String, Scope)> = scopes.found.into_iter().collect();
    found.sort_by(|(a, _), (b, _)| (depth(b), b).cmp(&(depth(a), a)));
    let sources: Vec<Source> =
        found.iter().map(|(path, scope)| Source { path: path.as_str().into(), text: scope.text.clone() }).collect();
    let templates = cache.templates(&sources)?;
    let mut context = Context::new(templates, &input.options);
    context.set_data(Rc::new(input.state));
    if trace.is_some() {
        context.start_trace();
    }
    let mut rendered = BTreeMap::new();
    let result = found.into_iter().try_for_each(|(path, scope)| {
        if path.rsplit('/').next().is_some_and(|base| base.starts_with('_')) {
            return Ok(());
        }
        let info = Map::typed(gotmpl::Type::Any, Some(VALUES));
        info.insert("Name", Value::from(path.as_str()));
        info.insert("BasePath", Value::from(scope.base));
        scope.dot.insert("Template", Value::Map(info));
        let output = context.execute(&path, &Value::Map(scope.dot)).map_err(|error| execution_error(&error))?;
        if let Some(trace) = &mut trace {
            trace.take(&path, &output.to_text(), context.take_spans());
        }
        rendered.insert(path, functions::strip_no_value(output).to_text().into_owned());
        Ok(())
    });
    let (warnings, asked_now) = (context.warnings().to_vec(), context.asked_now());
    context.break_cycles();
    result.map(|()| Output { files: rendered, warnings, asked_now })
}

fn depth(path: &str) -> usize {
    path.bytes().filter(|b| *b == b'/').count()
}

/// A template with what it sees.
struct Scope {
    text: Arc<[u8]>,
    dot: Map,
    base: String,
}

struct Scopes<'a> {
    found: BTreeMap<String, Scope>,
    input: &'a Input,
}

impl Scopes<'_> {
    /// Adds a chart's templates and those below it; gives the chart's dot.
    fn chart(&mut self, chart: &Node, path: &str, parent_values: Option<&Map>, is_root: bool) -> Map {
        // A subchart's values are the same map as the parent's entry: what one changes the other sees.
        let values = match parent_values {
            None => self.input.values.converted(Some(VALUES)),
            Some(parent) => match parent.get(chart.name()) {
                Some(Value::Map(values)) => values.converted(Some(VALUES)),
                _ => Map::typed(gotmpl::Type::Any, Some(VALUES)),
            },
        };
        let metadata = chart.metadata.to_map();
        metadata.insert("IsRoot", Value::Bool(is_root));
        let subcharts = Map::new();
        let entries: Map = [
            ("Chart", Value::Map(metadata)),
            ("Files", Value::native(ChartFiles::new(&chart.parts.files))),
            ("Release", self.input.release.clone()),
            ("Capabilities", self.input.capabilities.clone()),
            ("Values", Value::Map(values.clone())),
            ("Subcharts", Value::Map(subcharts.clone())),
        ]
        .into_iter()
        .collect();
        let dot = entries.converted(Some(VALUES));
        for child in chart.dependencies() {
            let inner = self.chart(child, &format!("{path}/charts/{}", child.name()), Some(&values), false);
            subcharts.insert(child.name(), Value::Map(inner));
        }
        for file in &chart.parts.templates {
            if chart.is_library() && !file.name.rsplit('/').next().is_some_and(|base| base.starts_with('_')) {
                continue;
            }
            let scope = Scope { text: file.data.clone(), dot: dot.clone(), base: format!("{path}/templates") };
            self.found.insert(format!("{path}/{}", file.name), scope);
        }
        entries
    }
}

/// Go's type of values, which messages of errors name.
const VALUES: &str = "common.Values";

/// Words an error of parsing as Helm's `cleanupParseError`.
fn parse_error(path: &str, error: &gotmpl::Error) -> Error {
    let text = error.to_string();
    let mut parts = text.split(": ");
    let message = match (parts.next(), parts.next()) {
        (Some(_), Some(location)) => {
            let last = text.rsplit(": ").next().unwrap_or_default();
            format!("parse error at ({location}): {last}")
        }
        _ => format!("parse error in ({path}): {text}"),
    };
    located(error, ErrorKind::Template, message)
}

/// Words an error of execution as Helm's `reformatExecErrorMsg`.
fn execution_error(error: &gotmpl::Error) -> Error {
    let text = error.to_string();
    if error.kind() == gotmpl::ErrorKind::Limit {
        return located(error, ErrorKind::Limit, text);
    }
    let mut parts = text.splitn(3, ": ");
    if let (Some(_), Some(location), Some(rest)) = (parts.next(), parts.next(), parts.next())
        && let Some(warning) = user_warning(rest)
    {
        return located(error, ErrorKind::Template, format!("execution error at ({location}): {warning}"));
    }
    let message = trace(&text).unwrap_or(text);
    located(error, ErrorKind::Template, message)
}

fn located(error: &gotmpl::Error, kind: ErrorKind, message: String) -> Error {
    let place = error.place().map(|place| Place { file: place.file.clone(), line: place.line, column: place.column });
    Error::new(kind, message).at(place)
}

/// Finds the message of `fail` or `required`.
fn user_warning(text: &str) -> Option<&str> {
    let start = text.find(WARN_START)? + WARN_START.len();
    let end = text.rfind(WARN_END)?;
    text.get(start..end)
}

/// Writes the chain of calls on lines of its own; `None` if a part of the chain is not a template's error.
fn trace(text: &str) -> Option<String> {
    let mut steps: Vec<String> = Vec::new();
    let mut current = text;
    loop {
        let step = trace_step(current)?;
        if steps.last() != Some(&step) {
            steps.push(step);
        }
        match inner_error(current) {
            Some(inner) => current = inner,
            None => return Some(steps.concat().trim().to_owned()),
        }
    }
}

fn trace_step(text: &str) -> Option<String> {
    let rest = text.strip_prefix("template: ")?;
    if rest.starts_with("no template ") {
        return Some(format!("{text}\n"));
    }
    let cut = |message: &str| message.find(" template:").map_or(message.len(), |at| at);
    if let Some((location, after)) = rest.split_once(": executing ")
        && let Some((name, after)) = after.strip_prefix('"').and_then(|after| after.split_once('"'))
        && let Some((code, message)) = after.strip_prefix(" at <").and_then(|after| after.split_once(">: "))
    {
        let message = &message[..cut(message)];
        let message = if message.is_empty() { String::new() } else { format!("{message}\n") };
        return Some(format!("{location}\n  executing \"{name}\" at <{code}>:\n    {message}"));
    }
    let (location, message) = rest.rsplit_once(": ")?;
    Some(format!("{location}\n  {}\n", &message[..cut(message)]))
}

/// Gives the error that a function returned, if the text is about a call.
fn inner_error(text: &str) -> Option<&str> {
    const CALL: &str = ">: error calling ";
    let mut from = text.find(" at <")?;
    loop {
        let at = from + text[from..].find(CALL)? + CALL.len();
        let (name, inner) = text[at..].split_once(": ")?;
        if name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.') {
            return Some(inner);
        }
        from = at;
    }
}

/// Tells whether a path is that of notes.
pub(crate) fn is_notes(path: &str) -> bool {
    path.ends_with("NOTES.txt")
}

/// Makes `.Release`.
pub(crate) fn release_value(entries: [(&str, Value); 6]) -> Value {
    Value::Map(entries.into_iter().map(|(key, value)| (Str::from(key), value)).collect())
}
