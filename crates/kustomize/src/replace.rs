//! The field `replacements`: a value from one resource into fields of others.

use regex::Regex;

use crate::{
    Limits,
    error::{Error, quote},
    id::ResId,
    json,
    kustomization::{FieldOptions, ReplacementField, SourceSelector, TargetSelector},
    node::{Node, Scalar, Shared},
    path::{self, Kind},
    read,
    resource::Resource,
    scalar::Rules,
    select::Patterns,
    show,
};

const DEFAULT_PATH: &str = "metadata.name";

/// Applies replacements in order.
pub(crate) fn apply(resources: &mut [Resource], rules: &[ReplacementField], limits: &Limits) -> Result<(), Error> {
    if !rules.is_empty() {
        // Paths into annotations find the map that kustomize keeps its memory in.
        resources.iter_mut().for_each(Resource::show_memory);
    }
    for rule in rules {
        let Some(targets) = &rule.targets else { return Err(incomplete()) };
        let mut value = match (&rule.source_value, &rule.source) {
            (None, None) => return Err(incomplete()),
            (Some(_), Some(_)) => return Err(Error::new("value and resource selectors are mutually exclusive")),
            (Some(text), None) => Node::open(text),
            (None, Some(source)) => source_value(resources, source)?,
        };
        value.each_shared(&mut |scalar| scalar.shared = Shared::default());
        for target in targets {
            replace(resources, &value, target, limits)?;
            resources.iter_mut().for_each(Resource::unite_shared);
        }
    }
    Ok(())
}

fn incomplete() -> Error {
    Error::new("replacements must specify a source and at least one target")
}

/// The ids by which replacements find a resource: the present one, then the former ones.
fn ids(resource: &Resource) -> Vec<ResId> {
    let mut ids = vec![ResId { cluster_scoped: false, ..resource.id() }];
    ids.extend(resource.previous_ids());
    ids
}

fn source_value(resources: &[Resource], source: &SourceSelector) -> Result<Node, Error> {
    let selector = source.id();
    let shown = || {
        let mut shown = selector.to_string();
        if !source.field_path.is_empty() {
            shown = format!("{shown}:{}", source.field_path);
        }
        match &source.options {
            Some(options) if !options.delimiter.is_empty() || options.create => {
                format!("{shown}:{}({}), create={}", options.delimiter, options.index, options.create)
            }
            _ => shown,
        }
    };
    let mut found = resources.iter().filter(|resource| ids(resource).iter().any(|id| id.is_selected_by(&selector)));
    let Some(resource) = found.next() else { return Err(Error::new(format!("nothing selected by {}", shown()))) };
    if found.next().is_some() {
        return Err(Error::new(format!("multiple matches for selector {}", shown())));
    }
    let field_path = if source.field_path.is_empty() { DEFAULT_PATH } else { &source.field_path };
    let value = path::lookup(&resource.node, &path::split_smart(field_path))
        .map_err(|error| error.wrap("error looking up replacement source"))?
        .filter(|value| !value.is_empty());
    let Some(value) = value else {
        return Err(Error::new(format!("fieldPath `{field_path}` is missing for replacement source {selector}")));
    };
    refine(value, source.options.as_ref())
}

fn refine(value: &Node, options: Option<&FieldOptions>) -> Result<Node, Error> {
    let Some(options) = options.filter(|options| !options.delimiter.is_empty()) else { return Ok(value.clone()) };
    let Node::Scalar(scalar) = value else { return Err(not_scalar()) };
    let mut parts = scalar.text.split(&*options.delimiter);
    let part = usize::try_from(options.index).ok().and_then(|index| parts.nth(index));
    let Some(part) = part else {
        return Err(Error::new(format!("options.index {} is out of bounds for value {}", options.index, scalar.text)));
    };
    Ok(Node::Scalar(Scalar { text: part.into(), ..scalar.clone() }))
}

fn not_scalar() -> Error {
    Error::new("delimiter option can only be used with scalar nodes")
}

fn replace(resources: &mut [Resource], value: &Node, target: &TargetSelector, limits: &Limits) -> Result<(), Error> {
    let Some(select) = &target.select else { return Err(Error::new("target must specify resources to select")) };
    let wrapped = |error: Error| error.wrap("error creating target selector");
    let patterns = Patterns::new(select).map_err(wrapped)?;
    let labels = Patterns::with_labels(select)?;
    let mut rejects = Vec::new();
    for reject in &target.reject {
        let by_labels = !reject.annotation_selector.is_empty() || !reject.label_selector.is_empty();
        rejects.push((
            Patterns::new(reject).map_err(wrapped)?,
            reject.id().is_empty(),
            by_labels,
            Patterns::with_labels(reject)?,
        ));
    }
    let default = [DEFAULT_PATH.to_owned()];
    let paths = if target.field_paths.is_empty() { &default[..] } else { &target.field_paths };
    for resource in resources {
        if !labels.fits_labels(resource) {
            continue;
        }
        if rejects.iter().any(|(_, _, by_labels, labels)| *by_labels && labels.fits_labels(resource)) {
            continue;
        }
        let ids = ids(resource);
        let rejected =
            rejects.iter().any(|(patterns, empty, _, _)| !empty && ids.iter().any(|id| patterns.fits_id(id)));
        if rejected || !ids.iter().any(|id| patterns.fits_id(id)) {
            continue;
        }
        for path in paths {
            put(&mut resource.node, value, path, target.options.as_ref(), limits)?;
        }
    }
    Ok(())
}

fn put(
    node: &mut Node,
    value: &Node,
    field_path: &str,
    options: Option<&FieldOptions>,
    limits: &Limits,
) -> Result<(), Error> {
    let create = options.is_some_and(|options| options.create).then(|| Kind::of(value));
    let parts = path::split_smart(field_path);
    if put_in_text(node, value, &parts, create, limits) {
        return Ok(());
    }
    let unable = || {
        let or_create = if create.is_some() { " or create" } else { "" };
        format!("unable to find{or_create} field {} in replacement target", quote(field_path))
    };
    let mut set = |field: &mut Node| set_field(field, value, options);
    let found = visit(node, &parts, create, limits, &mut set).map_err(|error| match error {
        Failure::Path(error) => error.wrap(unable()),
        Failure::Set(error) => error,
    })?;
    if found == 0 { Err(Error::new(unable())) } else { Ok(()) }
}

fn set_field(field: &mut Node, value: &Node, options: Option<&FieldOptions>) -> Result<(), Error> {
    let mut value = value.clone();
    if let Some(options) = options.filter(|options| !options.delimiter.is_empty()) {
        let Node::Scalar(target) = &*field else { return Err(not_scalar()) };
        let mut parts: Vec<&str> = target.text.split(&*options.delimiter).collect();
        let text = value.text().to_owned();
        match usize::try_from(options.index) {
            Err(_) => parts.insert(0, &text),
            Ok(index) if index >= parts.len() => parts.push(&text),
            Ok(index) => parts[index] = &text,
        }
        let joined = parts.join(&options.delimiter);
        if let Node::Scalar(scalar) = &mut value {
            scalar.text = joined.into();
        }
    }
    assign(field, value);
    Ok(())
}

/// A scalar keeps its tag and takes the text; anything else is replaced.
fn assign(field: &mut Node, value: Node) {
    match field {
        Node::Scalar(scalar) => scalar.text = value.raw_text().into(),
        other => *other = value,
    }
}

enum Failure {
    Path(Error),
    Set(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Path(error)
    }
}

type Set<'s> = dyn FnMut(&mut Node) -> Result<(), Error> + 's;

/// Calls `set` for each field that the path finds, making what is missing if asked; returns how many there were.
fn visit(
    node: &mut Node,
    parts: &[Box<str>],
    create: Option<Kind>,
    limits: &Limits,
    set: &mut Set,
) -> Result<usize, Failure> {
    let Some((part, rest)) = parts.split_first() else {
        return set(node).map(|()| 1).map_err(Failure::Set);
    };
    let next = rest.first().map(|part| &**part);
    if let Some(place) = path::index(part) {
        let items = list(node)?;
        if let (true, Some(kind)) = (items.len() == place, create) {
            items.push(path::kind_before(next, kind).empty());
        }
        let length = items.len();
        let Some(item) = items.get_mut(place) else {
            return Err(Error::new(format!("index {place} specified but only {length} elements found")).into());
        };
        return visit(item, rest, create, limits, set);
    }
    if path::is_list_index(part) {
        return visit_matching(node, part, rest, create, limits, set);
    }
    if &**part == "*" {
        let mut found = 0;
        for item in list(node)? {
            found += visit(item, rest, create, limits, set)?;
        }
        return Ok(found);
    }
    visit_field(node, part, rest, create, limits, set)
}

fn visit_field(
    node: &mut Node,
    part: &str,
    rest: &[Box<str>],
    create: Option<Kind>,
    limits: &Limits,
    set: &mut Set,
) -> Result<usize, Failure> {
    if node.is_null() {
        return Ok(0);
    }
    if !matches!(node, Node::Map(_)) {
        return Err(show::wrong_kind("MappingNode", node).into());
    }
    if node.get(part).is_none() {
        let Some(kind) = create else { return Ok(0) };
        node.insert(part, path::kind_before(rest.first().map(|part| &**part), kind).empty());
    }
    let Some(field) = node.get_mut(part) else { return Ok(0) };
    if let (Node::Scalar(scalar), false) = (&*field, rest.is_empty()) {
        // The text is read as YAML and searched, but what is set in it there is lost, as in kustomize.
        let mut inner = read::document(&scalar.text, Rules::V3, limits)?.unwrap_or_default();
        return visit(&mut inner, rest, create, limits, set);
    }
    visit(field, rest, create, limits, set)
}

fn visit_matching(
    node: &mut Node,
    part: &str,
    rest: &[Box<str>],
    create: Option<Kind>,
    limits: &Limits,
    set: &mut Set,
) -> Result<usize, Failure> {
    let (key, pattern) = path::split_index(part)?;
    let regex = Regex::new(pattern).map_err(|_| Error::new(format!("error parsing regexp: `{pattern}`")))?;
    let fits = |item: &Node| {
        let shown = |node: &Node| show::to_text(node).trim().to_owned();
        if key.is_empty() {
            regex.is_match(&shown(item))
        } else {
            item.get(key).is_some_and(|value| regex.is_match(&shown(value)))
        }
    };
    let items = list(node)?;
    let mut found = 0;
    for item in items.iter_mut().filter(|item| fits(item)) {
        found += if key.is_empty() {
            set(item).map(|()| 1).map_err(Failure::Set)?
        } else {
            visit(item, rest, create, limits, set)?
        };
    }
    if found > 0 || create.is_none() {
        return Ok(found);
    }
    let made =
        if key.is_empty() { Node::open(pattern) } else { Node::Map(vec![(Scalar::open(key), Node::open(pattern))]) };
    items.push(made);
    match items.last_mut() {
        Some(item) if fits(item) && key.is_empty() => set(item).map(|()| 1).map_err(Failure::Set),
        Some(item) if fits(item) => visit(item, rest, create, limits, set),
        _ => Ok(0),
    }
}

fn list(node: &mut Node) -> Result<&mut Vec<Node>, Error> {
    match node {
        Node::List(items) => Ok(items),
        other => Err(show::wrong_kind("SequenceNode", other)),
    }
}

/// Sets a field inside a text that holds YAML or JSON; false if the path leads into no such text.
fn put_in_text(node: &mut Node, value: &Node, parts: &[Box<str>], create: Option<Kind>, limits: &Limits) -> bool {
    for at in 1..parts.len() {
        let Ok(Some(Node::Scalar(scalar))) = path::lookup(node, &parts[..at]) else { continue };
        let text = scalar.text.clone();
        let Ok(inner) = read::document(&text, Rules::V3, limits) else { continue };
        let Some(mut inner) = inner else { return false };
        let mut set = |field: &mut Node| {
            assign(field, value.clone());
            Ok(())
        };
        if !matches!(visit(&mut inner, &parts[at..], create, limits, &mut set), Ok(found) if found > 0) {
            return false;
        }
        let changed = if text.trim_start().starts_with(['{', '[']) {
            json_text(&inner, &text)
        } else {
            show::to_text(&inner).trim().to_owned()
        };
        if let Ok(Some(Node::Scalar(scalar))) = path::lookup_mut(node, &parts[..at]) {
            scalar.text = changed.into();
        }
        return true;
    }
    false
}

fn json_text(node: &Node, original: &str) -> String {
    let compact = json::to_text(node);
    if !(original.contains('\n') && original.contains("  ")) {
        return compact;
    }
    indented(&compact)
}

/// Lays out compact JSON with two spaces, as Go's `MarshalIndent` does.
fn indented(compact: &str) -> String {
    let mut out = String::with_capacity(compact.len() * 2);
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    let line = |depth: usize, out: &mut String| {
        out.push('\n');
        out.push_str(&"  ".repeat(depth));
    };
    let mut chars = compact.chars().peekable();
    while let Some(c) = chars.next() {
        if quoted {
            out.push(c);
            (quoted, escaped) = (escaped || c != '"', !escaped && c == '\\');
            continue;
        }
        match c {
            '{' | '[' => {
                out.push(c);
                if chars.peek().is_some_and(|next| matches!(next, '}' | ']')) {
                    out.extend(chars.next());
                } else {
                    depth += 1;
                    line(depth, &mut out);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(depth, &mut out);
                out.push(c);
            }
            ',' => {
                out.push(c);
                line(depth, &mut out);
            }
            ':' => out.push_str(": "),
            c => {
                quoted = c == '"';
                out.push(c);
            }
        }
    }
    out
}
