//! `Chart.yaml` and `requirements.yaml`.

use lockstep_gotmpl as gotmpl;
pub(crate) use lockstep_gotmpl::quote;
use lockstep_object::Value;

use crate::{
    decode::{Decoder, Target, sorted},
    error::{Error, ErrorKind},
    plain::Plain,
    semver::Version,
};

/// What `Chart.yaml` says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    /// The chart's name.
    pub name: String,
    /// A page about it.
    pub home: String,
    /// Where its source is.
    pub sources: Vec<String>,
    /// Its version.
    pub version: String,
    /// One sentence about it.
    pub description: String,
    /// Words to find it by.
    pub keywords: Vec<String>,
    /// Who maintains it; null entries are refused by the check.
    pub maintainers: Vec<Maintainer>,
    /// A picture's address.
    pub icon: String,
    /// `v1` or `v2`.
    pub api_version: String,
    /// A path in the parent's values that switches it on.
    pub condition: String,
    /// Its tags.
    pub tags: String,
    /// The version of the software in it.
    pub app_version: String,
    /// Whether it should not be used any more.
    pub deprecated: bool,
    /// Annotations, sorted; `None` if there is no such field.
    pub annotations: Option<Vec<(String, String)>>,
    /// The Kubernetes versions that it works with, as a constraint.
    pub kube_version: String,
    /// The charts that it needs.
    pub dependencies: Vec<Dependency>,
    /// `application`, `library` or empty.
    pub kind: String,
    has_null_entry: Option<&'static str>,
}

/// A person or team.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Maintainer {
    /// The name.
    pub name: String,
    /// The mail address.
    pub email: String,
    /// A page.
    pub url: String,
}

/// A chart that a chart needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dependency {
    /// The chart's name; its alias once dependencies are processed.
    pub name: String,
    /// The versions that fit, as a constraint.
    pub version: String,
    /// Where it comes from.
    pub repository: String,
    /// Paths in the values that switch it on or off, by commas.
    pub condition: String,
    /// Tags that switch it on or off together with others.
    pub tags: Vec<String>,
    /// Whether it is switched on.
    pub enabled: bool,
    pub(crate) import_values: Vec<Plain>,
    /// The name it has in this chart.
    pub alias: String,
}

const NULL_MAINTAINER: &str = "maintainers must not contain empty or null nodes";
const NULL_DEPENDENCY: &str = "dependencies must not contain empty or null nodes";

impl Metadata {
    /// Reads `Chart.yaml` or `requirements.yaml` over what is there already. The error is Go's text.
    pub(crate) fn decode(&mut self, value: &Value) -> Result<(), String> {
        let mut decoder = Decoder::default();
        match value {
            Value::Null => {}
            Value::Map(map) => {
                for (key, value) in sorted(map) {
                    self.field(&mut decoder, key, value);
                }
            }
            _ => decoder.mismatch_root(value, "v2.Metadata"),
        }
        decoder.finish()
    }

    fn field(&mut self, decoder: &mut Decoder, key: &str, value: &Value) {
        let lower = key.to_ascii_lowercase();
        let at = |field: &'static str| Target { structure: "Metadata", field };
        match lower.as_str() {
            "name" => decoder.string(value, at("name"), &mut self.name),
            "home" => decoder.string(value, at("home"), &mut self.home),
            "sources" => decoder.strings(value, at("sources"), &mut self.sources),
            "version" => decoder.string(value, at("version"), &mut self.version),
            "description" => decoder.string(value, at("description"), &mut self.description),
            "keywords" => decoder.strings(value, at("keywords"), &mut self.keywords),
            "maintainers" => self.maintainers(decoder, value),
            "icon" => decoder.string(value, at("icon"), &mut self.icon),
            "apiversion" => decoder.string(value, at("apiVersion"), &mut self.api_version),
            "condition" => decoder.string(value, at("condition"), &mut self.condition),
            "tags" => decoder.string(value, at("tags"), &mut self.tags),
            "appversion" => decoder.string(value, at("appVersion"), &mut self.app_version),
            "deprecated" => decoder.boolean(value, at("deprecated"), &mut self.deprecated),
            "annotations" => decoder.string_map(value, at("annotations"), &mut self.annotations),
            "kubeversion" => decoder.string(value, at("kubeVersion"), &mut self.kube_version),
            "dependencies" => self.dependencies(decoder, value),
            "type" => decoder.string(value, at("type"), &mut self.kind),
            _ => {}
        }
    }

    fn maintainers(&mut self, decoder: &mut Decoder, value: &Value) {
        let target = Target { structure: "Metadata", field: "maintainers" };
        let mut null = None;
        decoder.list(value, target, "[]*v2.Maintainer", &mut self.maintainers, |decoder, item| {
            let mut maintainer = Maintainer::default();
            match item {
                Value::Null => null = Some(NULL_MAINTAINER),
                Value::Map(map) => {
                    for (key, value) in sorted(map) {
                        let at = |field: &'static str| Target { structure: "Maintainer", field };
                        match key.to_ascii_lowercase().as_str() {
                            "name" => decoder.string(value, at("maintainers.name"), &mut maintainer.name),
                            "email" => decoder.string(value, at("maintainers.email"), &mut maintainer.email),
                            "url" => decoder.string(value, at("maintainers.url"), &mut maintainer.url),
                            _ => {}
                        }
                    }
                }
                _ => decoder.mismatch(item, target, "v2.Maintainer"),
            }
            maintainer
        });
        self.has_null_entry = self.has_null_entry.or(null);
    }

    fn dependencies(&mut self, decoder: &mut Decoder, value: &Value) {
        let target = Target { structure: "Metadata", field: "dependencies" };
        let mut null = None;
        decoder.list(value, target, "[]*v2.Dependency", &mut self.dependencies, |decoder, item| {
            let mut dependency = Dependency::default();
            match item {
                Value::Null => null = Some(NULL_DEPENDENCY),
                Value::Map(map) => {
                    for (key, value) in sorted(map) {
                        dependency.field(decoder, key, value);
                    }
                }
                _ => decoder.mismatch(item, target, "v2.Dependency"),
            }
            dependency
        });
        self.has_null_entry = self.has_null_entry.or(null);
    }

    /// Cleans the texts of unprintable characters and checks what Helm's loader checks.
    pub(crate) fn validate(&mut self) -> Result<(), Error> {
        self.sanitize();
        let fail = |message: String| Err(Error::new(ErrorKind::Chart, format!("validation: {message}")));
        if self.api_version.is_empty() {
            return fail("chart.metadata.apiVersion is required".into());
        }
        if self.name.is_empty() {
            return fail("chart.metadata.name is required".into());
        }
        if self.name == "." || self.name == ".." {
            return fail(format!("chart.metadata.name {} is not allowed", quote(&self.name)));
        }
        if self.name.contains('/') {
            return fail(format!("chart.metadata.name {} is invalid", quote(&self.name)));
        }
        if self.version.is_empty() {
            return fail("chart.metadata.version is required".into());
        }
        if Version::parse(&self.version).is_none() {
            return fail(format!("chart.metadata.version {} is invalid", quote(&self.version)));
        }
        if !matches!(self.kind.as_str(), "" | "application" | "library") {
            return fail("chart.metadata.type must be application or library".into());
        }
        if let Some(message) = self.has_null_entry {
            return fail(message.into());
        }
        self.validate_dependencies().or_else(fail)
    }

    fn validate_dependencies(&self) -> Result<(), String> {
        let mut seen = std::collections::HashSet::new();
        for dependency in &self.dependencies {
            let allowed = dependency.alias.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
            if !allowed {
                return Err(format!("dependency {} has disallowed characters in the alias", quote(&dependency.name)));
            }
            let key = if dependency.alias.is_empty() { &dependency.name } else { &dependency.alias };
            if !seen.insert(key) {
                return Err(format!("more than one dependency with name or alias {}", quote(key)));
            }
        }
        Ok(())
    }

    fn sanitize(&mut self) {
        let texts = [
            &mut self.name,
            &mut self.description,
            &mut self.home,
            &mut self.icon,
            &mut self.condition,
            &mut self.tags,
            &mut self.app_version,
            &mut self.kube_version,
        ];
        texts.into_iter().chain(&mut self.sources).chain(&mut self.keywords).for_each(sanitize);
        for maintainer in &mut self.maintainers {
            [&mut maintainer.name, &mut maintainer.email, &mut maintainer.url].into_iter().for_each(sanitize);
        }
        for dependency in &mut self.dependencies {
            let Dependency { name, version, repository, condition, tags, .. } = dependency;
            [name, version, repository, condition].into_iter().chain(tags).for_each(sanitize);
        }
    }

    /// Makes the map that templates see as `.Chart`: the fields by their Go names, without `IsRoot`.
    pub(crate) fn to_map(&self) -> gotmpl::Map {
        let text = |text: &str| gotmpl::Value::str(text);
        let texts = |texts: &[String]| gotmpl::Value::list(texts.iter().map(|t| text(t)).collect());
        let annotations = match &self.annotations {
            None => gotmpl::Map::nil(gotmpl::Type::Str),
            Some(entries) => {
                let map = gotmpl::Map::typed(gotmpl::Type::Str, None);
                for (key, value) in entries {
                    map.insert(key.as_str(), text(value));
                }
                map
            }
        };
        [
            ("Name", text(&self.name)),
            ("Home", text(&self.home)),
            ("Sources", texts(&self.sources)),
            ("Version", text(&self.version)),
            ("Description", text(&self.description)),
            ("Keywords", texts(&self.keywords)),
            ("Maintainers", gotmpl::Value::list(self.maintainers.iter().map(Maintainer::to_value).collect())),
            ("Icon", text(&self.icon)),
            ("APIVersion", text(&self.api_version)),
            ("Condition", text(&self.condition)),
            ("Tags", text(&self.tags)),
            ("AppVersion", text(&self.app_version)),
            ("Deprecated", gotmpl::Value::Bool(self.deprecated)),
            ("Annotations", gotmpl::Value::Map(annotations)),
            ("KubeVersion", text(&self.kube_version)),
            ("Dependencies", gotmpl::Value::list(self.dependencies.iter().map(Dependency::to_value).collect())),
            ("Type", text(&self.kind)),
        ]
        .into_iter()
        .collect()
    }
}

impl Maintainer {
    fn to_value(&self) -> gotmpl::Value {
        let fields = [("Name", &self.name), ("Email", &self.email), ("URL", &self.url)];
        gotmpl::Value::Map(fields.into_iter().map(|(key, text)| (key, gotmpl::Value::str(text.as_str()))).collect())
    }
}

impl Dependency {
    fn field(&mut self, decoder: &mut Decoder, key: &str, value: &Value) {
        let at = |field: &'static str| Target { structure: "Dependency", field };
        match key.to_ascii_lowercase().as_str() {
            "name" => decoder.string(value, at("dependencies.name"), &mut self.name),
            "version" => decoder.string(value, at("dependencies.version"), &mut self.version),
            "repository" => decoder.string(value, at("dependencies.repository"), &mut self.repository),
            "condition" => decoder.string(value, at("dependencies.condition"), &mut self.condition),
            "tags" => decoder.strings(value, at("dependencies.tags"), &mut self.tags),
            "enabled" => decoder.boolean(value, at("dependencies.enabled"), &mut self.enabled),
            "import-values" => {
                let target = at("dependencies.import-values");
                decoder
                    .list(value, target, "[]interface {}", &mut self.import_values, |_, item| Plain::from_object(item));
            }
            "alias" => decoder.string(value, at("dependencies.alias"), &mut self.alias),
            _ => {}
        }
    }

    fn to_value(&self) -> gotmpl::Value {
        let text = |text: &str| gotmpl::Value::str(text);
        let fields = [
            ("Name", text(&self.name)),
            ("Version", text(&self.version)),
            ("Repository", text(&self.repository)),
            ("Condition", text(&self.condition)),
            ("Tags", gotmpl::Value::list(self.tags.iter().map(|tag| text(tag)).collect())),
            ("Enabled", gotmpl::Value::Bool(self.enabled)),
            ("ImportValues", gotmpl::Value::list(self.import_values.iter().map(Plain::to_value).collect())),
            ("Alias", text(&self.alias)),
        ];
        gotmpl::Value::Map(fields.into_iter().collect())
    }
}

/// Turns every kind of blank into a space and drops what cannot be printed.
fn sanitize(text: &mut String) {
    if text.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        return;
    }
    *text = text
        .chars()
        .filter_map(|c| if c.is_whitespace() { Some(' ') } else { Some(c).filter(|c| is_printable(*c)) })
        .collect();
}

fn is_printable(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e000}'..='\u{f8ff}')
}
