//! Config maps and secrets from literals, files and lists of variables, and the suffix by their content.

use base64::Engine as _;
use sha2::{Digest as _, Sha256};

use crate::{
    error::{Error, quote},
    json,
    kustomization::{GeneratorArgs, GeneratorOptions},
    loader::Loader,
    node::{Node, Scalar, Style},
    resource::{Behavior, Resource, string_node},
    scalar::Tag,
};

/// Makes a config map.
pub(crate) fn config_map(loader: &Loader, args: &GeneratorArgs) -> Result<Resource, Error> {
    let mut node = base(args, "ConfigMap")?;
    for (key, bytes) in data(loader, args)? {
        let (field, value) = match String::from_utf8(bytes) {
            Ok(text) => ("data", text_node(&text)),
            Err(error) => ("binaryData", text_node(&base64_lines(error.as_bytes()))),
        };
        if let Some(map) = node.map_at(field) {
            map.insert(&key, value);
        }
    }
    Ok(finish(node, args))
}

/// Makes a secret of this type (`Opaque` if empty).
pub(crate) fn secret(loader: &Loader, args: &GeneratorArgs, kind: &str) -> Result<Resource, Error> {
    let mut node = base(args, "Secret")?;
    node.insert("type", Node::string(if kind.is_empty() { "Opaque" } else { kind }));
    let values = data(loader, args)?;
    if let Some(map) = node.map_at("data") {
        values.iter().for_each(|(key, bytes)| map.insert(key, text_node(&base64_lines(bytes))));
    }
    Ok(finish(node, args))
}

fn text_node(text: &str) -> Node {
    let style = if text.contains('\n') { Style::Literal } else { Style::Plain };
    Node::Scalar(Scalar::new(text, Tag::Str, style))
}

fn base(args: &GeneratorArgs, kind: &str) -> Result<Node, Error> {
    if args.name.is_empty() {
        return Err(Error::new("a configmap must have a name"));
    }
    let mut metadata = Node::map();
    metadata.insert("name", string_node(&args.name));
    if !args.namespace.is_empty() {
        metadata.insert("namespace", string_node(&args.namespace));
    }
    let mut node = Node::map();
    node.insert("apiVersion", Node::string("v1"));
    node.insert("kind", Node::string(kind));
    node.insert("metadata", metadata);
    Ok(node)
}

fn finish(node: Node, args: &GeneratorArgs) -> Resource {
    let mut resource = Resource::new(node);
    let defaults = GeneratorOptions::default();
    let options = args.options.as_ref().unwrap_or(&defaults);
    for (field, texts) in [("labels", &options.labels), ("annotations", &options.annotations)] {
        if !texts.is_empty() {
            let texts = texts.iter().map(|(key, value)| (key.as_str().into(), value.as_str().into()));
            resource.set_texts(field, texts.collect());
        }
    }
    if options.immutable {
        let truth = Scalar::new("true", Tag::Bool, Style::Plain);
        resource.node.insert("immutable", Node::Scalar(truth));
    }
    resource.memory.generated = true;
    resource.memory.behavior = Behavior::parse(&args.behavior);
    resource.memory.needs_hash = !options.disable_name_suffix_hash;
    resource
}

type Pair = (String, Vec<u8>);

/// Collects the values, sorted by key.
fn data(loader: &Loader, args: &GeneratorArgs) -> Result<Vec<Pair>, Error> {
    let loading = |error: Error| error.wrap("loading KV pairs");
    let list = |items: &[String]| format!("[{}]", items.join(" "));
    let mut pairs: Vec<Pair> = Vec::new();
    for path in &args.envs {
        let wrapped = |error: Error| loading(error.wrap(format!("env source files: {}", list(&args.envs))));
        let content = loader.load(path).map_err(wrapped)?;
        pairs.extend(env_lines(&content).map_err(wrapped)?);
    }
    for literal in &args.literals {
        let wrapped = |error: Error| loading(error.wrap(format!("literal sources {}", list(&args.literals))));
        pairs.push(literal_pair(literal).map_err(wrapped)?);
    }
    for source in &args.files {
        let wrapped = |error: Error| loading(error.wrap(format!("file sources: {}", list(&args.files))));
        let (key, path) = file_source(source).map_err(wrapped)?;
        pairs.push((key, loader.load(&path).map_err(wrapped)?));
    }
    let mut known = std::collections::HashSet::new();
    for (key, _) in &pairs {
        if !known.insert(key.as_str()) {
            return Err(Error::new(format!("configmap {} illegally repeats the key `{key}`", args.name)));
        }
    }
    pairs.sort();
    Ok(pairs)
}

fn literal_pair(source: &str) -> Result<Pair, Error> {
    let wrong = || Error::new(format!("invalid literal source {source}, expected key=value"));
    let (key, value) = source.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or_else(wrong)?;
    let quoted = |mark: char| value.len() >= 2 && value.starts_with(mark) && value.ends_with(mark);
    let value = if quoted('"') || quoted('\'') { &value[1..value.len() - 1] } else { value };
    Ok((key.to_owned(), value.as_bytes().to_vec()))
}

fn env_lines(content: &[u8]) -> Result<Vec<Pair>, Error> {
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    let mut pairs = Vec::new();
    for line in content.split(|b| *b == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Ok(line) = std::str::from_utf8(line) else {
            let bytes: Vec<String> = line.iter().map(u8::to_string).collect();
            let text = String::from_utf8_lossy(line);
            return Err(Error::new(format!("line [{}] has invalid utf8 bytes : {text}", bytes.join(" "))));
        };
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        if !key.is_empty() {
            pairs.push((key.to_owned(), value.as_bytes().to_vec()));
        }
    }
    Ok(pairs)
}

fn file_source(source: &str) -> Result<(String, String), Error> {
    let quoted = quote(source);
    match source.matches('=').count() {
        0 => {
            let trimmed = source.trim_end_matches('/');
            let base = trimmed.rsplit('/').next().unwrap_or(trimmed);
            Ok((base.to_owned(), source.to_owned()))
        }
        1 => match source.split_once('=').unwrap_or((source, "")) {
            ("", path) => Err(Error::new(format!("missing key name for file path {} in source {quoted}", quote(path)))),
            (key, "") => Err(Error::new(format!("missing file path for key name {} in source {quoted}", quote(key)))),
            (key, path) => Ok((key.to_owned(), path.to_owned())),
        },
        _ => Err(Error::new(format!("source {quoted} key name or file path contains '='"))),
    }
}

/// Encodes in lines of 70 characters if the text is longer than one of them.
fn base64_lines(bytes: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(bytes);
    if text.len() < 70 {
        return text;
    }
    let mut out = String::with_capacity(text.len() + text.len() / 70 + 1);
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, left) = rest.split_at(rest.len().min(70));
        out.push_str(line);
        out.push('\n');
        rest = left;
    }
    out
}

/// Returns the suffix for the name of a config map or secret with this content.
///
/// # Errors
/// go-yaml's about a text that begins with a tab, which it cannot read back from its own block.
pub(crate) fn hash(node: &Node) -> Result<String, Error> {
    for field in ["data", "binaryData", "stringData"] {
        let mut line = 1;
        for (_, value) in node.get(field).map_or(&[][..], Node::entries) {
            let text = value.raw_text();
            if text.starts_with('\t') && text.contains('\n') {
                let what = "found a tab character where an indentation space is expected";
                return Err(Error::new(format!("yaml: line {}: {what}", line.max(2))));
            }
            line += if crate::print::is_block(text) { 1 + text.lines().count() } else { 1 };
        }
    }
    let kind = node.get("kind").map_or("", Node::raw_text);
    let text = match kind {
        "ConfigMap" => hashed(node, kind, &["data"], "binaryData"),
        "Secret" => hashed(node, kind, &["data", "type"], "stringData"),
        _ => json::to_text(node),
    };
    let digest = Sha256::digest(text.as_bytes());
    let hex: String = digest.iter().take(5).map(|byte| format!("{byte:02x}")).collect();
    let encoded = hex
        .chars()
        .map(|c| match c {
            '0' => 'g',
            '1' => 'h',
            '3' => 'k',
            'a' => 'm',
            'e' => 't',
            c => c,
        })
        .collect();
    Ok(encoded)
}

fn hashed(node: &Node, kind: &str, fields: &[&str], optional: &str) -> String {
    let value = |field: &str| match node.get(field) {
        None => Node::string(""),
        Some(Node::Scalar(scalar)) => Node::string(&scalar.text),
        Some(other) => other.clone(),
    };
    let mut map = Node::map();
    map.insert("kind", Node::string(kind));
    // The name is looked up under a path that never exists, so it is always empty.
    map.insert("name", Node::string(""));
    fields.iter().for_each(|field| map.insert(field, value(field)));
    if let Some(extra @ Node::Map(_)) = node.get(optional) {
        map.insert(optional, extra.clone());
    }
    json::to_text(&map)
}
