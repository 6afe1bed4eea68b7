//! The table of API facts: every OpenAPI and discovery document of Kubernetes 1.36, without repetition.
//!
//! Layout (integers little-endian): the mark `LKT1`, the number of sections (u32), for each section the
//! length of its name (u16), the name, the packed and the plain length (u32 each), then the packed sections
//! (raw deflate) one after the other. Sections: `types` (one definition a line: name, tab, JSON), `roots`
//! (`group/version/kind`, tab, definition), `descriptions` (what people read of each definition, a line each),
//! `documents` (path, tab, the line numbers of its definitions), `discovery` (name, tab, JSON) and `openapi/PATH` (the document without its definitions).

use std::{
    borrow::Cow,
    collections::BTreeMap,
    io::{Read, Write},
    ops::Range,
    sync::{Arc, OnceLock},
};

use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};
use hashbrown::HashMap;
use lockstep_object::{Gvk, Value, from_json, to_json, to_json_html_safe};

use crate::{Resource, Type, descriptions, openapi, resource};

const MARK: &[u8; 4] = b"LKT1";
/// Stands in a document where its definitions were.
const HOLE: &str = "@schemas";
const BUILT_IN: &[u8] = include_bytes!("../data/kubernetes.bin");
/// No section is larger when unpacked; a damaged table cannot ask for more memory.
const MOST: u32 = 64 << 20;

/// The bytes are not a table, or a document is not what the API server writes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TableError(String);

/// The table; sections are unpacked when they are first needed.
#[derive(Debug)]
pub struct Table {
    bytes: Cow<'static, [u8]>,
    sections: BTreeMap<String, (Range<usize>, usize)>,
    definitions: OnceLock<Definitions>,
    roots: OnceLock<HashMap<String, Arc<str>>>,
    discovery: OnceLock<String>,
}

#[derive(Debug, Default)]
struct Definitions {
    text: String,
    lines: Vec<(Range<usize>, Range<usize>)>,
    by_name: HashMap<Arc<str>, usize>,
    types: Vec<OnceLock<Option<Arc<Type>>>>,
}

impl Table {
    /// Opens the table of this crate.
    pub fn built_in() -> Self {
        Self::open(Cow::Borrowed(BUILT_IN)).expect("the table is generated, and a test opens it")
    }

    /// Opens a table made by [`pack`].
    ///
    /// # Errors
    /// If the bytes have another layout.
    pub fn open(bytes: Cow<'static, [u8]>) -> Result<Self, TableError> {
        let sections = read_sections(&bytes).ok_or_else(|| TableError("not a table of API facts".into()))?;
        let (definitions, roots, discovery) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        Ok(Self { bytes, sections, definitions, roots, discovery })
    }

    /// Lists the paths of the OpenAPI documents, as `apis/apps/v1`.
    pub fn openapi_paths(&self) -> impl Iterator<Item = &str> {
        self.sections.keys().filter_map(|name| name.strip_prefix("openapi/"))
    }

    /// Returns an OpenAPI v3 document as JSON text; only schemas have descriptions.
    pub fn openapi(&self, path: &str) -> Option<String> {
        let frame = self.section(&format!("openapi/{path}"))?;
        let documents = self.section("documents")?;
        let lines = documents.lines().filter_map(|line| line.split_once('\t'));
        let (_, places) = lines.into_iter().find(|(name, _)| *name == path)?;
        let definitions = self.definitions();
        let descriptions = self.section("descriptions").unwrap_or_default();
        let descriptions: Vec<&str> = descriptions.lines().collect();
        let mut schemas = String::from("{");
        for place in places.split_whitespace().filter_map(|place| place.parse::<usize>().ok()) {
            let (name, json) = definitions.lines.get(place)?;
            if schemas.len() > 1 {
                schemas.push(',');
            }
            let json = &definitions.text[json.clone()];
            let described = descriptions.get(place).and_then(|text| describe(json, text));
            let json = described.as_deref().unwrap_or(json);
            schemas.push_str(&format!("\"{}\":{json}", &definitions.text[name.clone()]));
        }
        schemas.push('}');
        Some(frame.replacen(&format!("\"{HOLE}\""), &schemas, 1))
    }

    /// Returns a discovery document as JSON text: `api`, `apis`, `aggregated-api`, `aggregated-apis`, or a
    /// group and version as `v1` and `apps/v1`.
    pub fn discovery(&self, name: &str) -> Option<&str> {
        self.discovery_text()
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .find(|(known, _)| *known == name)
            .map(|(_, json)| json)
    }

    /// Returns the definition with this name as JSON text.
    pub fn definition(&self, name: &str) -> Option<&str> {
        let definitions = self.definitions();
        let place = *definitions.by_name.get(name)?;
        Some(&definitions.text[definitions.lines[place].1.clone()])
    }

    /// Returns the name of the definition of a kind.
    pub fn root_name(&self, gvk: &Gvk) -> Option<Arc<str>> {
        let roots = self.roots.get_or_init(|| {
            let text = self.section("roots").unwrap_or_default();
            text.lines().filter_map(|line| line.split_once('\t')).map(|(gvk, name)| (gvk.into(), name.into())).collect()
        });
        roots.get(&format!("{}/{}/{}", gvk.group.as_str(), gvk.version.as_str(), gvk.kind.as_str())).cloned()
    }

    /// Returns the type of a definition.
    pub(crate) fn named_type(&self, name: &str) -> Option<Arc<Type>> {
        let definitions = self.definitions();
        let place = *definitions.by_name.get(name)?;
        let read = || {
            let json = &definitions.text[definitions.lines[place].1.clone()];
            from_json(json.as_bytes()).ok().map(|schema| Arc::new(openapi::definition(name, &schema)))
        };
        definitions.types[place].get_or_init(read).clone()
    }

    /// Returns every kind that discovery names, in its order.
    pub(crate) fn resources(&self) -> Vec<Arc<Resource>> {
        let group_versions = self.discovery_text().lines().filter_map(|line| line.split_once('\t'));
        let lists = group_versions.filter_map(|(_, json)| from_json(json.as_bytes()).ok());
        lists.flat_map(|list| resource::of_discovery(&list)).map(Arc::new).collect()
    }

    fn discovery_text(&self) -> &str {
        self.discovery.get_or_init(|| self.section("discovery").unwrap_or_default())
    }

    fn definitions(&self) -> &Definitions {
        self.definitions.get_or_init(|| Definitions::read(self.section("types").unwrap_or_default()))
    }

    fn section(&self, name: &str) -> Option<String> {
        let (place, plain) = self.sections.get(name)?;
        let mut text = String::with_capacity(*plain);
        DeflateDecoder::new(self.bytes.get(place.clone())?).take(u64::from(MOST)).read_to_string(&mut text).ok()?;
        Some(text)
    }
}

/// Puts the descriptions into a definition, if there are any.
fn describe(json: &str, descriptions: &str) -> Option<String> {
    if descriptions.is_empty() {
        return None;
    }
    let mut schema = from_json(json.as_bytes()).ok()?;
    descriptions::put(&mut schema, &from_json(descriptions.as_bytes()).ok()?);
    Some(to_json(&schema))
}

impl Definitions {
    fn read(text: String) -> Self {
        let mut read = Self::default();
        let mut start = 0;
        for line in text.lines() {
            if let Some(tab) = line.find('\t') {
                read.by_name.entry(line[..tab].into()).or_insert(read.lines.len());
                read.lines.push((start..start + tab, start + tab + 1..start + line.len()));
                read.types.push(OnceLock::new());
            }
            start += line.len() + 1;
        }
        read.text = text;
        read
    }
}

fn read_sections(bytes: &[u8]) -> Option<BTreeMap<String, (Range<usize>, usize)>> {
    let mut rest = bytes.strip_prefix(MARK)?;
    let mut take = |length: usize| {
        let (taken, after) = rest.split_at_checked(length)?;
        rest = after;
        Some(taken)
    };
    let count = u32::from_le_bytes(take(4)?.try_into().ok()?);
    let mut named = Vec::new();
    for _ in 0..count {
        let length = u16::from_le_bytes(take(2)?.try_into().ok()?);
        let name = String::from_utf8(take(length.into())?.to_vec()).ok()?;
        let packed = u32::from_le_bytes(take(4)?.try_into().ok()?);
        let plain = u32::from_le_bytes(take(4)?.try_into().ok()?).min(MOST);
        named.push((name, packed as usize, plain as usize));
    }
    let mut start = bytes.len() - rest.len();
    let mut sections = BTreeMap::new();
    for (name, packed, plain) in named {
        let end = start.checked_add(packed).filter(|end| *end <= bytes.len())?;
        sections.insert(name, (start..end, plain));
        start = end;
    }
    Some(sections)
}

/// A document's name and text.
pub type Document = (String, Vec<u8>);

/// Packs the documents of an API server: OpenAPI v3 by path (`apis/apps/v1`), discovery by name (see [`Table::discovery`]),
/// in the order in which kinds shall be listed.
///
/// # Errors
/// If a document is not JSON, or would not be printed again as it was.
pub fn pack(openapi: &[Document], discovery: &[Document]) -> Result<Vec<u8>, TableError> {
    let mut packing = Packing::default();
    for (path, text) in openapi {
        packing.add_document(path, parsed(path, text)?);
    }
    let mut lines = String::new();
    for (name, text) in discovery {
        lines.push_str(&format!("{name}\t{}\n", to_json(&parsed(name, text)?)));
    }
    packing.sections.push(("discovery".into(), lines));
    packing.finish()
}

fn parsed(name: &str, text: &[u8]) -> Result<Value, TableError> {
    let value = from_json(text).map_err(|error| TableError(format!("{name}: {error}")))?;
    let printed = [to_json(&value), to_json_html_safe(&value)];
    if printed.iter().all(|printed| printed.as_bytes() != text.trim_ascii()) {
        return Err(TableError(format!("{name}: the document is not compact JSON as Go prints it")));
    }
    Ok(value)
}

#[derive(Default)]
struct Packing {
    lines: Vec<String>,
    /// A line for each of `lines`.
    descriptions: Vec<String>,
    roots: BTreeMap<String, String>,
    documents: String,
    sections: Vec<(String, String)>,
}

impl Packing {
    fn add_document(&mut self, path: &str, mut document: Value) {
        let mut places = Vec::new();
        let components = document.as_map_mut().and_then(|root| root.get_mut("components"));
        if let Some(schemas) = components.and_then(Value::as_map_mut).and_then(|map| map.get_mut("schemas")) {
            for (name, schema) in schemas.as_map_mut().into_iter().flat_map(|map| map.iter_mut()) {
                places.push(self.add_definition(name, schema).to_string());
            }
            *schemas = Value::from(HOLE);
        }
        descriptions::drop_all(&mut document);
        self.documents.push_str(&format!("{path}\t{}\n", places.join(" ")));
        self.sections.push((format!("openapi/{path}"), to_json(&document)));
    }

    fn add_definition(&mut self, name: &str, schema: &mut Value) -> usize {
        let taken = schema.as_map_mut().map(descriptions::take).unwrap_or_default();
        for gvk in schema.get("x-kubernetes-group-version-kind").and_then(Value::as_list).iter().flat_map(|l| l.iter())
        {
            let part = |key| gvk.get(key).and_then(Value::as_str).unwrap_or_default();
            let gvk = format!("{}/{}/{}", part("group"), part("version"), part("kind"));
            self.roots.entry(gvk).or_insert_with(|| name.into());
        }
        let line = format!("{name}\t{}", to_json(schema));
        if let Some(known) = self.lines.iter().position(|known| *known == line) {
            return known;
        }
        self.lines.push(line);
        self.descriptions.push(if taken.is_empty() { String::new() } else { to_json(&Value::Map(taken)) });
        self.lines.len() - 1
    }

    fn finish(self) -> Result<Vec<u8>, TableError> {
        let roots: String = self.roots.iter().map(|(gvk, name)| format!("{gvk}\t{name}\n")).collect();
        let mut sections = vec![("types".to_owned(), self.lines.join("\n")), ("roots".into(), roots)];
        sections.push(("descriptions".into(), self.descriptions.join("\n")));
        sections.push(("documents".into(), self.documents));
        sections.extend(self.sections);
        let too_long = |_| TableError("a section is too long".into());
        let (mut head, mut body) = (MARK.to_vec(), Vec::new());
        head.extend(u32::try_from(sections.len()).map_err(too_long)?.to_le_bytes());
        for (name, text) in sections {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
            let packed = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
            let packed = packed.map_err(|error| TableError(error.to_string()))?;
            head.extend(u16::try_from(name.len()).map_err(too_long)?.to_le_bytes());
            head.extend(name.as_bytes());
            head.extend(u32::try_from(packed.len()).map_err(too_long)?.to_le_bytes());
            head.extend(u32::try_from(text.len()).map_err(too_long)?.to_le_bytes());
            body.extend(packed);
        }
        head.extend(body);
        Ok(head)
    }
}
