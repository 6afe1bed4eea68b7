//! A chart: read once, shared by all its releases.

use std::{collections::BTreeMap, sync::Arc};

use lockstep_files as files;
use lockstep_object as object;

use crate::{
    archive::{self, File, MAX_UNPACKED},
    decode::parse_yaml,
    error::{Error, ErrorKind},
    ignore::Rules,
    metadata::{Dependency, Metadata},
    plain::Plain,
    schema::SchemaFile,
    templates::Cache,
    values,
};

/// Archives inside archives, and charts inside charts, no deeper than this.
const MAX_DEPTH: usize = 32;

/// A chart with its subcharts. Clones share what was read, and the templates once they are parsed.
#[derive(Clone)]
pub struct Chart {
    pub(crate) parts: Arc<Parts>,
    pub(crate) parsed: Arc<Cache>,
    warnings: Arc<[String]>,
}

/// What was read of one chart.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub(crate) metadata: Metadata,
    pub(crate) templates: Vec<File>,
    pub(crate) values: Plain,
    /// The text of `values.yaml`, to tell the lines of values.
    pub(crate) values_text: Option<Arc<[u8]>>,
    pub(crate) schema: Option<SchemaFile>,
    /// Everything else, also `crds/`.
    pub(crate) files: Vec<File>,
    pub(crate) lock: Option<object::Value>,
    pub(crate) dependencies: Vec<Arc<Parts>>,
}

impl Chart {
    /// Reads a chart from a folder of a tree, without what its `.helmignore` names. `path` is the folder from the root.
    ///
    /// # Errors
    /// Helm's texts, of kind [`ErrorKind::Chart`].
    pub fn from_folder(reader: &files::Reader, path: &str) -> Result<Self, Error> {
        let marker = child_path(path, "Chart.yaml");
        if reader.read(&marker).is_err() {
            let message = format!("unable to detect chart at {marker}: open {marker}: no such file or directory");
            return Err(Error::new(ErrorKind::Chart, message));
        }
        let rules = match reader.read(&child_path(path, ".helmignore")) {
            Ok(text) => Rules::parse(&String::from_utf8_lossy(&text)),
            Err(_) => Rules::parse(""),
        };
        let rules = rules.map_err(|message| Error::new(ErrorKind::Chart, message))?;
        let mut walk = Walk { reader, rules, files: Vec::new(), budget: MAX_UNPACKED };
        walk.folder(path, "", 0)?;
        Self::from_loaded(walk.files)
    }

    /// Reads a chart from a gzipped tar.
    ///
    /// # Errors
    /// Helm's texts, of kind [`ErrorKind::Chart`]; of kind [`ErrorKind::Limit`] when it unpacks to more than 100 MiB.
    pub fn from_archive(bytes: &[u8]) -> Result<Self, Error> {
        Self::from_loaded(archive::unpack(bytes, &mut MAX_UNPACKED.clone())?)
    }

    /// Makes a chart from files: paths from the chart's folder, and contents.
    ///
    /// # Errors
    /// Helm's texts, of kind [`ErrorKind::Chart`].
    pub fn from_files<N: Into<String>>(files: impl IntoIterator<Item = (N, Vec<u8>)>) -> Result<Self, Error> {
        Self::from_loaded(files.into_iter().map(|(name, data)| File::new(name, &data)).collect())
    }

    fn from_loaded(files: Vec<File>) -> Result<Self, Error> {
        let mut loading = Loading { budget: MAX_UNPACKED, warnings: Vec::new() };
        let parts = loading.chart(files, 0)?;
        Ok(Self { parts: Arc::new(parts), parsed: Arc::default(), warnings: loading.warnings.into() })
    }

    /// Gives what `Chart.yaml` says.
    pub fn metadata(&self) -> &Metadata {
        &self.parts.metadata
    }

    /// Lists the dependencies that `Chart.yaml` names and `charts/` does not hold, each with the version that
    /// `Chart.lock` pins, if it does.
    pub fn missing_dependencies(&self) -> Vec<Dependency> {
        let is_there = |name: &str| self.parts.dependencies.iter().any(|child| child.metadata.name == name);
        let missing = self.parts.metadata.dependencies.iter().filter(|dependency| !is_there(&dependency.name));
        missing.map(|dependency| self.pinned(dependency)).collect()
    }

    fn pinned(&self, dependency: &Dependency) -> Dependency {
        let locked = self.parts.lock.as_ref().and_then(|lock| lock.get("dependencies")?.as_list());
        let text = |item: &object::Value, key: &str| item.get(key).and_then(object::Value::as_str).map(str::to_owned);
        let own = locked.into_iter().flat_map(|items| items.iter()).find(|item| {
            text(item, "name").as_ref() == Some(&dependency.name)
                && text(item, "repository").unwrap_or_default() == dependency.repository
        });
        let version = own.and_then(|item| text(item, "version")).unwrap_or_else(|| dependency.version.clone());
        Dependency { version, ..dependency.clone() }
    }

    /// Lists what Helm would warn about while loading.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

fn child_path(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

struct Walk<'a> {
    reader: &'a files::Reader,
    rules: Rules,
    files: Vec<File>,
    budget: u64,
}

impl Walk<'_> {
    fn folder(&mut self, root: &str, folder: &str, depth: usize) -> Result<(), Error> {
        let place = if folder.is_empty() { root.to_owned() } else { child_path(root, folder) };
        if depth > MAX_DEPTH * 2 {
            return Err(Error::new(ErrorKind::Limit, format!("{place}: the folders are nested too deep")));
        }
        let failed = |error: files::Error| Error::new(ErrorKind::Chart, error.to_string());
        let mut entries = self.reader.list(&place).map_err(failed)?;
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        for entry in entries {
            let path = child_path(folder, &entry.name);
            let is_folder = entry.kind == files::Kind::Folder;
            if self.rules.ignores(&path, is_folder) {
                continue;
            }
            let full = child_path(root, &path);
            match entry.kind {
                files::Kind::Folder => self.folder(root, &path, depth + 1)?,
                files::Kind::Submodule => {}
                _ => {
                    let data = self.reader.read(&full).map_err(failed)?;
                    self.budget = self.budget.checked_sub(data.len() as u64).ok_or_else(|| {
                        let message = format!("chart exceeds maximum decompressed size of {MAX_UNPACKED} bytes");
                        Error::new(ErrorKind::Limit, format!("error reading {path}: {message}"))
                    })?;
                    self.files.push(File::new(path, &data));
                }
            }
        }
        Ok(())
    }
}

struct Loading {
    budget: u64,
    warnings: Vec<String>,
}

impl Loading {
    fn chart(&mut self, files: Vec<File>, depth: usize) -> Result<Parts, Error> {
        if depth > MAX_DEPTH {
            return Err(Error::new(ErrorKind::Limit, "the charts are nested too deep"));
        }
        let mut parts = Parts::default();
        let mut has_metadata = false;
        for file in files.iter().filter(|file| file.name == "Chart.yaml") {
            decode(&mut parts.metadata, file)?;
            has_metadata = true;
            if parts.metadata.api_version.is_empty() {
                "v1".clone_into(&mut parts.metadata.api_version);
            }
        }
        let mut subcharts: BTreeMap<String, Vec<File>> = BTreeMap::new();
        for file in files {
            has_metadata |= matches!(file.name.as_str(), "requirements.yaml" | "requirements.lock");
            match file.name.strip_prefix("charts/") {
                Some(name) if !name.ends_with(".prov") => {
                    let folder = name.split('/').next().unwrap_or(name).to_owned();
                    let file = File { name: name.to_owned(), data: file.data };
                    subcharts.entry(folder).or_default().push(file);
                }
                _ => self.file(&mut parts, file)?,
            }
        }
        if !has_metadata {
            return Err(Error::new(ErrorKind::Chart, "Chart.yaml file is missing"));
        }
        parts.metadata.validate()?;
        for (name, files) in subcharts {
            if name.starts_with(['_', '.']) {
                continue;
            }
            let subchart = self.subchart(&name, files, &parts.metadata.name, depth + 1).map_err(|error| {
                let message = error.message();
                let message = if message.starts_with("error unpacking subchart tar") {
                    message.to_owned()
                } else {
                    format!("error unpacking subchart {name} in {}: {message}", parts.metadata.name)
                };
                Error::new(error.kind(), message)
            })?;
            parts.dependencies.push(Arc::new(subchart));
        }
        Ok(parts)
    }

    fn subchart(&mut self, name: &str, files: Vec<File>, parent: &str, depth: usize) -> Result<Parts, Error> {
        if name.ends_with(".tgz") {
            let file = &files[0];
            if file.name != name {
                let message = format!("error unpacking subchart tar in {parent}: expected {name}, got {}", file.name);
                return Err(Error::new(ErrorKind::Chart, message));
            }
            let files = archive::unpack(&file.data, &mut self.budget)?;
            return self.chart(files, depth);
        }
        let inner = files.into_iter().filter_map(|file| {
            let (_, rest) = file.name.split_once('/')?;
            Some(File { name: rest.to_owned(), data: file.data })
        });
        self.chart(inner.collect(), depth)
    }

    fn file(&mut self, parts: &mut Parts, file: File) -> Result<(), Error> {
        let is_v1 = parts.metadata.api_version == "v1";
        match file.name.as_str() {
            "Chart.yaml" => {}
            "Chart.lock" => parts.lock = Some(parse(&file)?),
            "values.yaml" => {
                let failed = |error| Error::new(ErrorKind::Chart, format!("cannot load values.yaml: {error}"));
                parts.values = values::load(&file.text()).map_err(failed)?;
                parts.values_text = Some(file.data);
            }
            "values.schema.json" => parts.schema = Some(SchemaFile::new(file.data)),
            "requirements.yaml" => {
                if !is_v1 {
                    self.warn("Dependencies are handled in Chart.yaml since apiVersion \"v2\". We recommend migrating dependencies to Chart.yaml.");
                }
                decode(&mut parts.metadata, &file)?;
                if is_v1 {
                    parts.files.push(file);
                }
            }
            "requirements.lock" => {
                parts.lock = Some(parse(&file)?);
                if is_v1 {
                    parts.files.push(file);
                } else {
                    self.warn("Dependency locking is handled in Chart.lock since apiVersion \"v2\". We recommend migrating to Chart.lock.");
                }
            }
            name if name.starts_with("templates/") => parts.templates.push(file),
            _ => parts.files.push(file),
        }
        Ok(())
    }

    fn warn(&mut self, message: &str) {
        self.warnings.push(format!("Warning: {message}"));
    }
}

fn parse(file: &File) -> Result<object::Value, Error> {
    parse_yaml(&file.text())
        .map_err(|error| Error::new(ErrorKind::Chart, format!("cannot load {}: {error}", file.name)))
}

fn decode(metadata: &mut Metadata, file: &File) -> Result<(), Error> {
    metadata
        .decode(&parse(file)?)
        .map_err(|error| Error::new(ErrorKind::Chart, format!("cannot load {}: {error}", file.name)))
}
