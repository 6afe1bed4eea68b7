//! What can go wrong with a chart, in Helm's own words.

use std::fmt;

/// An error of loading or rendering. `Display` prints what `helm template` prints after `Error: `, without the hint to use `--debug`.
#[derive(Clone, Debug)]
pub struct Error(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    kind: ErrorKind,
    context: String,
    message: String,
    place: Option<Place>,
}

/// What kind of input is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// A values file, or one of the `--set` family.
    Values,
    /// The chart's files.
    Chart,
    /// The chart is a library.
    NotInstallable,
    /// A dependency named in `Chart.yaml` is not in `charts/`.
    MissingDependency,
    /// The release's name.
    ReleaseName,
    /// Conditions, tags or imports of dependencies.
    Dependencies,
    /// The values do not fit together with the chart's.
    Coalesce,
    /// The values do not fit `values.schema.json`.
    Schema,
    /// The Kubernetes version is not a version, or not one that the chart supports.
    KubeVersion,
    /// A template.
    Template,
    /// A rendered text is not a manifest.
    Manifest,
    /// A path of `show_only` names no manifest.
    NotFound,
    /// A limit on work or size was met.
    Limit,
}

/// Where in a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The template's path, beginning with the chart's name.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The byte in the line, from 0, as Go counts.
    pub column: usize,
}

impl Error {
    /// Makes an error.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, context: String::new(), message: message.into(), place: None }))
    }

    /// Adds the words that Helm's commands put before the library's message.
    pub(crate) fn context(mut self, context: impl Into<String>) -> Self {
        self.0.context = context.into();
        self
    }

    pub(crate) fn at(mut self, place: Option<Place>) -> Self {
        self.0.place = place;
        self
    }

    /// Tells what kind of input is wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Gives the message of Helm's library, without what its commands put before it.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Tells where, for errors of templates.
    pub fn place(&self) -> Option<&Place> {
        self.0.place.as_ref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.context)?;
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {}
