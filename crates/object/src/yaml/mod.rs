//! YAML 1.1 as Kubernetes reads and writes it: the rules of `sigs.k8s.io/yaml` v1.6.0.
//!
//! That library reads with Go's yaml.v2 (`yes`, `on` and `y` are booleans, `0777` is octal), turns
//! the result into JSON (keys become strings, `1.0` becomes `1`) and prints with yaml.v2 too.
//! Error messages are Go's, so that what users know from other tools is found again.

mod build;
mod events;
mod float;
mod locate;
mod objects;
mod print;
mod print_scalar;
mod resolve;
mod scan;
mod skim;
mod sort;
#[cfg(test)]
mod tests;
mod timestamp;

use crate::{Diagnostic, Object, Place, Value};

pub use locate::locate;

/// One document of a YAML stream with the place where it starts.
#[derive(Clone, Debug)]
pub struct Document {
    /// The value.
    pub value: Value,
    /// Where the document's first node stands.
    pub place: Place,
}

/// How to read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Duplicate keys are errors instead of "the last wins".
    pub strict: bool,
}

/// The deepest nesting that is read; Go stops at 10,000, and nothing real has more than 100.
pub const MAX_DEPTH: usize = 256;

/// Reads the first document of a text as `YAMLToJSON` does; an empty text is null.
///
/// The message of an error is Go's (`yaml: line 2: did not find expected key`), its place is exact.
pub fn parse(text: &str) -> Result<Value, Box<Diagnostic>> {
    parse_with(text, Options::default())
}

/// Reads the first document of a text; with `strict` as `YAMLToJSONStrict` does.
pub fn parse_with(text: &str, options: Options) -> Result<Value, Box<Diagnostic>> {
    let mut documents = build::Documents::new("", text, options);
    Ok(documents.next_document()?.map_or(Value::Null, |document| document.value))
}

/// Reads the first document of a text as [`parse`] does, with the same errors, but if it is a map only those of its entries are
/// sure to be there whose keys are kept: to skim a document takes half the time.
///
/// # Errors
/// As [`parse`].
pub fn parse_head(text: &str, keep: impl Fn(&str) -> bool) -> Result<Value, Box<Diagnostic>> {
    skim::skim(text, keep).map_or_else(|| parse(text), Ok)
}

/// Reads every document of a stream; documents that are empty, only comments or null are left out.
pub fn parse_all(file: &str, text: &str, options: Options) -> Result<Vec<Document>, Box<Diagnostic>> {
    let mut documents = build::Documents::new(file, text, options);
    let mut found = Vec::new();
    while let Some(document) = documents.next_document()? {
        if !document.value.is_null() {
            found.push(document);
        }
    }
    Ok(found)
}

/// Reads a manifest file (YAML or JSON, many documents, `List` kinds opened) into objects with their places.
///
/// What cannot be an object is left out and told in a diagnostic with its place and what to do.
pub fn parse_objects(file: &str, text: &str) -> (Vec<(Object, Place)>, Vec<Diagnostic>) {
    objects::parse_objects(file, text)
}

/// Prints a value as `sigs.k8s.io/yaml` marshals it: keys in yaml.v2's natural order, two spaces,
/// lists not indented below their key, lines folded at a space after column 80.
pub fn print(value: &Value) -> String {
    print::print(value)
}
