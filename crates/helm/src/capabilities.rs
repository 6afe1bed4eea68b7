//! What a chart is told about the cluster and about Helm: `.Capabilities`.

use std::{any::Any, rc::Rc, sync::LazyLock};

use lockstep_gotmpl::{Context, FuncError, Kind, Object, Signature, Str, Type, Value};

use crate::metadata::quote;

/// The Helm version that charts see.
const HELM_VERSION: &str = "v4.3";
const GO_VERSION: &str = "go1.26.8";
const KUBE_CLIENT_VERSION: &str = "v1.37";
/// The Kubernetes version that Helm 4.3.1 assumes without a cluster.
const DEFAULT_KUBE_VERSION: &str = "v1.37.0";

/// The API versions that Helm 4.3.1 assumes without a cluster.
pub fn default_api_versions() -> impl Iterator<Item = &'static str> {
    include_str!("api_versions.txt").lines()
}

/// A Kubernetes version as Helm keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubeVersion {
    /// As it was given, with a `v` before it: `v1.33.4-gke.1245000`.
    pub version: String,
    /// Only the numbers, for constraints: `v1.33.4`.
    pub normalized: String,
    /// The first number.
    pub major: String,
    /// The second number.
    pub minor: String,
}

impl KubeVersion {
    /// Parses as `helm template --kube-version` does.
    ///
    /// # Errors
    /// The text of apimachinery's `ParseGeneric`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let trimmed = text.trim();
        let unprefixed = trimmed.strip_prefix('v').unwrap_or(trimmed);
        let end = unprefixed.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(unprefixed.len());
        // The numbers end at the last digit that is followed by no further number.
        let numbers = unprefixed[..end].trim_end_matches('.');
        if numbers.is_empty() || numbers.starts_with('.') || numbers.contains("..") {
            return Err(format!("could not parse {} as version", quote(text)));
        }
        let components: Vec<&str> = numbers.split('.').collect();
        if components.len() < 2 {
            return Err(format!("illegal version string {}", quote(text)));
        }
        if components[0].len() > 1 && components[0].starts_with('0') {
            let part = quote(components[0]);
            return Err(format!("illegal zero-prefixed version component {part} in {}", quote(text)));
        }
        let mut parsed = Vec::new();
        for component in components {
            let number = component.parse::<u64>().map_err(|_| {
                let part = quote(component);
                let reason = format!("strconv.ParseUint: parsing {part}: value out of range");
                format!("illegal non-numeric version component {part} in {}: {reason}", quote(text))
            })?;
            parsed.push(number.to_string());
        }
        let version = if text.starts_with('v') { text.to_owned() } else { format!("v{text}") };
        let normalized = format!("v{}", parsed.join("."));
        Ok(Self { version, normalized, major: parsed[0].clone(), minor: parsed[1].clone() })
    }
}

impl Default for KubeVersion {
    fn default() -> Self {
        Self::parse(DEFAULT_KUBE_VERSION).expect("a constant version")
    }
}

/// `*common.Capabilities`.
pub(crate) struct Capabilities {
    kube: Rc<Version>,
    apis: Rc<VersionSet>,
    helm: Rc<BuildInfo>,
}

impl Capabilities {
    pub(crate) fn new(kube: KubeVersion, extra: &[String], defaults: bool) -> Self {
        let defaults = default_api_versions().filter(|_| defaults).map(Str::from);
        let apis = defaults.chain(extra.iter().map(|v| v.as_str().into())).collect();
        Self { kube: Rc::new(Version(kube)), apis: Rc::new(VersionSet(apis)), helm: Rc::new(BuildInfo) }
    }
}

impl Object for Capabilities {
    fn type_name(&self) -> &str {
        "*common.Capabilities"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn kind(&self) -> Kind {
        Kind::Pointer
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("KubeVersion", Value::Native(self.kube.clone())),
            ("APIVersions", Value::Native(self.apis.clone())),
            ("HelmVersion", Value::Native(self.helm.clone())),
        ]
    }
}

static NO_PARAMETERS: LazyLock<Signature> = LazyLock::new(Signature::default);
static ONE_TEXT: LazyLock<Signature> = LazyLock::new(|| Signature::new(&[Type::Str]));

struct Version(KubeVersion);

impl Object for Version {
    fn type_name(&self) -> &str {
        "common.KubeVersion"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        let text = |text: &str| Value::from(text);
        vec![("Version", text(&self.0.version)), ("Major", text(&self.0.major)), ("Minor", text(&self.0.minor))]
    }

    fn shown(&self) -> Vec<(&'static str, Value)> {
        let mut fields = self.fields();
        fields.insert(1, ("normalizedVersion", Value::from(self.0.normalized.as_str())));
        fields
    }

    fn method(&self, name: &str) -> Option<&Signature> {
        matches!(name, "String" | "GitVersion").then(|| &*NO_PARAMETERS)
    }

    fn call(&self, name: &str, _: &[Value], _: &mut Context) -> Result<Value, FuncError> {
        Ok(Value::from(if name == "String" { self.0.normalized.as_str() } else { self.0.version.as_str() }))
    }

    fn printed(&self) -> Option<Str> {
        Some(self.0.normalized.as_str().into())
    }
}

struct VersionSet(Vec<Str>);

impl Object for VersionSet {
    fn type_name(&self) -> &str {
        "common.VersionSet"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn kind(&self) -> Kind {
        Kind::Slice
    }

    fn entries(&self) -> Option<Vec<(Value, Value)>> {
        let item = |(at, text): (usize, &Str)| (Value::Int(i64::try_from(at).unwrap_or(0)), Value::Str(text.clone()));
        Some(self.0.iter().enumerate().map(item).collect())
    }

    fn method(&self, name: &str) -> Option<&Signature> {
        (name == "Has").then(|| &*ONE_TEXT)
    }

    fn call(&self, _: &str, args: &[Value], _: &mut Context) -> Result<Value, FuncError> {
        Ok(Value::Bool(args.first().and_then(Value::as_str).is_some_and(|wanted| self.0.contains(wanted))))
    }
}

struct BuildInfo;

impl Object for BuildInfo {
    fn type_name(&self) -> &str {
        "version.BuildInfo"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("Version", Value::from(HELM_VERSION)),
            ("GitCommit", Value::from("")),
            ("GitTreeState", Value::from("")),
            ("GoVersion", Value::from(GO_VERSION)),
            ("KubeClientVersion", Value::from(KUBE_CLIENT_VERSION)),
        ]
    }

    fn marshal(&self) -> Option<Value> {
        Some(Value::native(TaggedBuildInfo))
    }
}

/// The build information under the names that JSON has for it, empty fields left out.
struct TaggedBuildInfo;

impl Object for TaggedBuildInfo {
    fn type_name(&self) -> &str {
        "version.BuildInfo"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("version", Value::from(HELM_VERSION)),
            ("go_version", Value::from(GO_VERSION)),
            ("kube_client_version", Value::from(KUBE_CLIENT_VERSION)),
        ]
    }
}
