//! What does not fit, as a tree, and how it is printed.

/// Something that does not fit.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    /// The JSON pointer of the value.
    pub(super) at: String,
    pub(super) message: String,
    pub(super) causes: Vec<Failure>,
    pub(super) kind: Kind,
}

/// What a failure stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One keyword.
    Keyword,
    /// Several keywords of one schema.
    Group,
    /// Whatever a reference leads to.
    Reference,
}

impl Failure {
    pub(super) fn new(at: String, message: impl Into<String>) -> Self {
        Self { at, message: message.into(), causes: Vec::new(), kind: Kind::Keyword }
    }
}

/// Prints failures, one a line, causes indented; ends with a line end.
pub(super) fn display(failures: &[Failure]) -> String {
    let mut out = String::new();
    failures.iter().for_each(|failure| print(&mut out, failure, 0));
    out
}

fn print(out: &mut String, failure: &Failure, indent: usize) {
    let is_transparent = failure.kind == Kind::Reference && failure.causes.len() == 1;
    if !is_transparent {
        out.push_str(&"  ".repeat(indent));
        out.push_str(&format!("- at {}: {}\n", quote(&failure.at), failure.message));
    }
    let indent = if is_transparent { indent } else { indent + 1 };
    failure.causes.iter().for_each(|cause| print(out, cause, indent));
}

/// Quotes with single quotes, and with Go's escapes otherwise.
pub(super) fn quote(text: &str) -> String {
    let quoted = crate::metadata::quote(text);
    let inner = &quoted[1..quoted.len() - 1];
    format!("'{}'", inner.replace("\\\"", "\"").replace('\'', "\\'"))
}
