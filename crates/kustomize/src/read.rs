//! Reads YAML into the tree: events by libyaml's algorithm (which go-yaml shares), scalars by [`Rules`].

use std::collections::HashMap;

use libyaml_safer::{Event, EventData, Parser, ScalarStyle};

use crate::{
    Limits,
    error::Error,
    node::{Node, Scalar, Style},
    scalar::{Number, Rules, Tag, number, resolve},
};

/// Deeper nesting is refused; go-yaml stops at 10,000, no real file comes near 100.
const MAX_DEPTH: usize = 256;

/// Reads the manifests of a file as kustomize does: documents are cut at lines of `---`, aliases and merge keys are
/// resolved, a single `List` is opened. Documents without content are left out.
pub(crate) fn documents(text: &str, limits: &Limits) -> Result<Vec<Node>, Error> {
    let normalised;
    let text = if text.contains("\r\n") {
        normalised = text.replace("\r\n", "\n");
        &normalised
    } else {
        text
    };
    let parts = split_documents(text)?;
    let single = parts.len() == 1;
    let mut out = Vec::new();
    for (line, part) in parts {
        let read = match crate::fast::document(part, Rules::V3) {
            Some(node) => Ok(Some(node)),
            None => document(part, Rules::V3, limits),
        };
        let Some(node) = read.map_err(|error| error.wrap("MalformedYAMLError").malformed().at("", line))? else {
            continue;
        };
        if node.is_null() {
            continue;
        }
        let kind = node.get("kind").map_or("", Node::text);
        if single && (kind == "List" || kind == "ResourceList") {
            if let Some(items) = node.get("items") {
                out.extend(items.items().iter().cloned());
                continue;
            }
            if node.get("functionConfig").is_some() {
                continue;
            }
        }
        out.push(node);
    }
    Ok(out)
}

/// Cuts a stream at `\n---.*\n`; each part with the line it starts on.
fn split_documents(text: &str) -> Result<Vec<(u32, &str)>, Error> {
    let mut parts = Vec::new();
    if text.is_empty() {
        return Ok(parts);
    }
    let (mut start, mut from, mut line) = (0, 0, 1);
    while let Some(found) = text[from..].find("\n---") {
        let at = from + found;
        let Some(end) = text[at + 4..].find('\n').map(|end| at + 4 + end) else { break };
        let rest = text[at + 4..end].trim();
        if !rest.is_empty() && !rest.starts_with('#') {
            return Err(Error::new(format!("invalid document separator: {}", text[at..=end].trim())));
        }
        // The newline before the dashes belongs to the part.
        parts.push((line, &text[start..=at]));
        line += u32::try_from(text[start..=end].matches('\n').count()).unwrap_or(0);
        start = end + 1;
        from = start;
    }
    parts.push((line, &text[start..]));
    Ok(parts)
}

/// Reads the first document of a text; nothing if there is none. Aliases and merge keys are resolved.
pub(crate) fn document(text: &str, rules: Rules, limits: &Limits) -> Result<Option<Node>, Error> {
    let mut bytes = text.as_bytes().to_vec();
    // The parser must not meet the end inside a scalar.
    if !text.ends_with('\n') {
        bytes.push(b'\n');
    }
    let mut input = bytes.as_slice();
    let mut parser = Parser::new();
    parser.set_input_string(&mut input);
    let mut reader = Reader {
        parser,
        rules,
        anchors: HashMap::new(),
        budget: limits.nodes.max(1),
        depth: 0,
        open_line: has_open_line(text).then(|| text.matches('\n').count() as u64),
        last_line: if text.ends_with('\n') { u64::MAX } else { text.matches('\n').count() as u64 },
    };
    loop {
        match reader.next()?.data {
            EventData::StreamStart { .. } => {}
            EventData::DocumentStart { .. } => {
                let event = reader.next()?;
                let node = reader.node(event)?;
                // What follows must be well formed up to the document's end, as go-yaml demands.
                reader.next()?;
                return Ok(Some(node));
            }
            _ => return Ok(None),
        }
    }
}

/// Tells whether the last line has content and no newline.
fn has_open_line(text: &str) -> bool {
    text.rsplit('\n').next().is_some_and(|line| !line.trim_matches(' ').is_empty())
}

struct Reader<'r> {
    parser: Parser<&'r mut &'r [u8]>,
    rules: Rules,
    anchors: HashMap<String, Option<(Node, usize)>>,
    budget: usize,
    depth: usize,
    /// The last line, if it has content that no newline ends.
    open_line: Option<u64>,
    /// The last line of the text, which the newline that was added must not move.
    last_line: u64,
}

impl Reader<'_> {
    fn next(&mut self) -> Result<Event, Error> {
        self.parser.parse().map_err(|error| syntax_error(&error, self.rules, self.last_line))
    }

    fn spend(&mut self, nodes: usize) -> Result<(), Error> {
        self.budget =
            self.budget.checked_sub(nodes).ok_or_else(|| Error::new("yaml: document contains excessive aliasing"))?;
        Ok(())
    }

    fn node(&mut self, event: Event) -> Result<Node, Error> {
        self.spend(1)?;
        let line = event.start_mark.line + 1;
        let (anchor, node) = match event.data {
            EventData::Alias { anchor } => return self.alias(&anchor),
            EventData::Scalar { anchor, tag, mut value, style, .. } => {
                let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                if block && self.open_line.is_some_and(|line| event.end_mark.line > line) && value.ends_with('\n') {
                    value.pop();
                }
                (anchor, Node::Scalar(self.scalar(tag.as_deref(), &value, style)))
            }
            EventData::SequenceStart { anchor, .. } => {
                self.announce(anchor.as_deref());
                (anchor, self.list()?)
            }
            EventData::MappingStart { anchor, .. } => {
                self.announce(anchor.as_deref());
                (anchor, self.map()?)
            }
            _ => return Err(Error::new(format!("yaml: line {line}: did not find expected node content"))),
        };
        if let Some(anchor) = anchor {
            let size = node.size();
            self.anchors.insert(anchor, Some((node.clone(), size)));
        }
        Ok(node)
    }

    /// Makes an anchor known while its value is still read: an alias to it there contains itself.
    fn announce(&mut self, anchor: Option<&str>) {
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor.to_owned(), None);
        }
    }

    fn alias(&mut self, anchor: &str) -> Result<Node, Error> {
        match self.anchors.get(anchor) {
            Some(Some((node, size))) => {
                let (node, size) = (node.clone(), *size);
                self.spend(size)?;
                Ok(node)
            }
            Some(None) => Err(Error::new(format!("yaml: anchor '{anchor}' value contains itself"))),
            None => Err(Error::new(format!("yaml: unknown anchor '{anchor}' referenced"))),
        }
    }

    fn deeper(&mut self) -> Result<(), Error> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(Error::new("yaml: exceeded max depth")) } else { Ok(()) }
    }

    fn list(&mut self) -> Result<Node, Error> {
        self.deeper()?;
        let mut items = Vec::new();
        loop {
            let event = self.next()?;
            if matches!(event.data, EventData::SequenceEnd) {
                break;
            }
            items.push(self.node(event)?);
        }
        self.depth -= 1;
        Ok(Node::List(items))
    }

    fn map(&mut self) -> Result<Node, Error> {
        self.deeper()?;
        let mut entries: Vec<(Scalar, Node)> = Vec::new();
        let mut merges: Vec<Node> = Vec::new();
        loop {
            let event = self.next()?;
            if matches!(event.data, EventData::MappingEnd) {
                break;
            }
            let line = event.start_mark.line + 1;
            let key = match self.node(event)? {
                Node::Scalar(key) => key,
                key if self.rules == Rules::V2 => {
                    let shown = crate::gosyntax::syntax(&key, false);
                    return Err(Error::new(format!("yaml: invalid map key: {shown}")));
                }
                _ => return Err(Error::new(format!("yaml: line {line}: invalid map key"))),
            };
            let event = self.next()?;
            let value = self.node(event)?;
            match self.rules {
                Rules::V3 if key.tag == Tag::Merge && !merges.is_empty() => {
                    return Err(Error::new("duplicate merge key"));
                }
                Rules::V3 if key.tag == Tag::Merge => merges = merge_sources(value)?,
                Rules::V2 if key.tag == Tag::Merge => {
                    for source in merge_sources(value)? {
                        source.entries().iter().for_each(|(key, value)| put(&mut entries, key.clone(), value.clone()));
                    }
                }
                Rules::V3 => entries.push((key, value)),
                Rules::V2 => put(&mut entries, json_key(key), value),
            }
        }
        self.depth -= 1;
        // The map's own keys win over merged ones, the first of several sources over the later ones.
        for source in merges.into_iter().rev() {
            let Node::Map(merged) = source else { continue };
            for (key, value) in merged {
                if !entries.iter().any(|(known, _)| known.text == key.text) {
                    entries.push((key, value));
                }
            }
        }
        Ok(Node::Map(entries))
    }

    fn scalar(&self, tag: Option<&str>, text: &str, style: ScalarStyle) -> Scalar {
        let style = match style {
            ScalarStyle::SingleQuoted => Style::Single,
            ScalarStyle::DoubleQuoted => Style::Double,
            ScalarStyle::Literal => Style::Literal,
            ScalarStyle::Folded => Style::Folded,
            _ => Style::Plain,
        };
        let explicit = tag.is_some_and(|tag| tag != "!");
        let tag = match tag {
            Some("!") | None if style == Style::Plain && text == "<<" => Tag::Merge,
            Some("!") | None if style == Style::Plain => resolve(text, self.rules),
            Some("!") | None => Tag::Str,
            Some(tag) => explicit_tag(tag),
        };
        // An explicit tag is printed too, so quotes do not make it a string.
        let style = if explicit { Style::Plain } else { style };
        Scalar::new(text, tag, style)
    }
}

fn explicit_tag(tag: &str) -> Tag {
    match tag.strip_prefix("tag:yaml.org,2002:").unwrap_or(tag) {
        "str" => Tag::Str,
        "int" => Tag::Int,
        "float" => Tag::Float,
        "bool" => Tag::Bool,
        "null" => Tag::Null,
        "timestamp" => Tag::Time,
        "binary" => Tag::Binary,
        _ => Tag::Other,
    }
}

/// The maps that a merge key names, the strongest last.
fn merge_sources(value: Node) -> Result<Vec<Node>, Error> {
    match value {
        Node::Map(_) => Ok(vec![value]),
        Node::List(items) => {
            let mut sources = Vec::new();
            for item in items {
                match item {
                    Node::Map(_) => sources.insert(0, item),
                    _ => return Err(Error::new("map merge requires map or sequence of maps as the value")),
                }
            }
            Ok(sources)
        }
        Node::Scalar(_) => Err(Error::new("map merge requires map or sequence of maps as the value")),
    }
}

/// Sets a key; of equal keys the last wins.
pub(crate) fn put(entries: &mut Vec<(Scalar, Node)>, key: Scalar, value: Node) {
    match entries.iter_mut().find(|(known, _)| known.text == key.text) {
        Some((_, known)) => *known = value,
        None => entries.push((key, value)),
    }
}

/// Turns a key that is no string into the one that `sigs.k8s.io/yaml` puts in its place.
pub(crate) fn json_key(key: Scalar) -> Scalar {
    let text = match key.tag {
        Tag::Bool => bool_value(&key.text).to_string(),
        Tag::Int | Tag::Float => match number(&key.text) {
            Some(Number::Int(value)) => value.to_string(),
            Some(Number::UInt(value)) => value.to_string(),
            Some(Number::Float(value)) => crate::scalar::go_float_g(value),
            None => return key,
        },
        _ => return key,
    };
    Scalar::string(&text)
}

/// Reads a boolean of either rules.
pub(crate) fn bool_value(text: &str) -> bool {
    matches!(text.as_bytes().first(), Some(b't' | b'T' | b'y' | b'Y')) || matches!(text, "on" | "On" | "ON")
}

/// Words a syntax error as go-yaml does, its line counted the way it counts.
fn syntax_error(error: &libyaml_safer::Error, rules: Rules, last_line: u64) -> Error {
    let scanner = error.kind() == libyaml_safer::ErrorKind::Scanner;
    let context = error.context_mark().map_or(0, |mark| mark.line.min(last_line));
    let problem = error.problem_mark().map_or(0, |mark| mark.line.min(last_line));
    let (first, second) = if rules == Rules::V3 { (context, problem) } else { (problem, context) };
    // go-yaml v2 counts a scanner's line from one only for the problem's own mark.
    let counted = match (first, second) {
        (0, 0) => 0,
        (0, second) => second + u64::from(scanner && rules == Rules::V3),
        (first, _) => first + u64::from(scanner),
    };
    let what = error.problem();
    let text = if counted == 0 { format!("yaml: {what}") } else { format!("yaml: line {counted}: {what}") };
    Error::new(text).at("", u32::try_from(problem + 1).unwrap_or(0))
}
