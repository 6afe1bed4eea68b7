//! A place in an object, and the errors that it can have.

use lockstep_object::{Object, Value};

use super::place::Path;
use crate::{
    gofmt::bad_value,
    names,
    status::{Cause, go_quote},
};

/// The errors found so far.
pub(crate) type Causes = Vec<Cause>;

/// What stands where nothing stands.
static NOTHING: Value = Value::Null;

/// An object that is looked at, and whether anybody wants to know where its fields are.
pub(crate) struct Subject<'a> {
    object: &'a Object,
    path: Path,
}

impl<'a> Subject<'a> {
    /// Returns the subject with the paths of its fields.
    pub(crate) fn with_paths(object: &'a Object) -> Self {
        Self { object, path: Path::from("") }
    }

    /// Returns the subject without paths: enough to learn whether there is anything to say.
    pub(crate) fn without_paths(object: &'a Object) -> Self {
        Self { object, path: Path::Unsaid }
    }
}

impl std::ops::Deref for Subject<'_> {
    type Target = Object;
    fn deref(&self) -> &Object {
        self.object
    }
}

/// A value and its path as field errors name it. What is absent is null.
#[derive(Clone)]
pub(crate) struct Field<'a> {
    pub(crate) value: &'a Value,
    pub(crate) path: Path,
}

impl<'a> Field<'a> {
    /// Returns a field at the top of an object.
    pub(crate) fn of(subject: &Subject<'a>, key: &str) -> Self {
        Self { value: subject.object.root().get(key).unwrap_or(&NOTHING), path: subject.path.below(key) }
    }

    /// Returns `metadata.<key>`.
    pub(crate) fn metadata(subject: &Subject<'a>, key: &str) -> Self {
        Self::of(subject, "metadata").at(key)
    }

    /// Returns a value at a path of its own.
    pub(crate) fn placed(value: &'a Value, path: impl Into<Path>) -> Self {
        Self { value, path: path.into() }
    }

    /// Returns the field below.
    pub(crate) fn at(&self, key: &str) -> Self {
        Self { value: self.value.get(key).unwrap_or(&NOTHING), path: self.path.below(key) }
    }

    /// Returns the field some levels below.
    pub(crate) fn down(&self, keys: &[&str]) -> Self {
        keys.iter().fold(self.clone(), |field, key| field.at(key))
    }

    /// Returns the entry of a map, named in brackets.
    pub(crate) fn key(&self, key: &str) -> Self {
        Self { value: self.value.get(key).unwrap_or(&NOTHING), path: self.path.with(["[", key, "]"]) }
    }

    /// Returns the same value under another path.
    pub(crate) fn named(&self, path: impl Into<Path>) -> Self {
        Self { value: self.value, path: self.path.reworded(path) }
    }

    /// Returns the items of a list.
    pub(crate) fn items(&self) -> Vec<Self> {
        let list = self.value.as_list().map(|list| &**list).unwrap_or_default();
        let item =
            |(place, value): (usize, &'a Value)| Self { value, path: self.path.with(["[", &place.to_string(), "]"]) };
        list.iter().enumerate().map(item).collect()
    }

    /// Returns the entries of a map in the order of their keys, named in brackets.
    pub(crate) fn entries(&self) -> Vec<(&'a str, Self)> {
        let Some(map) = self.value.as_map() else { return Vec::new() };
        let entry = |(key, value): (&'a lockstep_object::Key, &'a Value)| {
            (key.as_str(), Self { value, path: self.path.with(["[", key, "]"]) })
        };
        let mut entries: Vec<_> = map.iter().map(entry).collect();
        entries.sort_by_key(|(key, _)| *key);
        entries
    }

    /// Returns the text, empty if it is none.
    pub(crate) fn text(&self) -> &'a str {
        self.value.as_str().unwrap_or_default()
    }

    /// Returns the integer.
    pub(crate) fn int(&self) -> Option<i64> {
        self.value.as_i64()
    }

    /// Returns the integer, 0 if there is none.
    pub(crate) fn number(&self) -> i64 {
        self.int().unwrap_or_default()
    }

    /// Tells whether there is anything.
    pub(crate) fn is_set(&self) -> bool {
        !self.value.is_null()
    }

    /// Tells whether it is true.
    pub(crate) fn is_true(&self) -> bool {
        self.value.as_bool() == Some(true)
    }

    /// Tells whether there is nothing: null, an empty text, list or map.
    pub(crate) fn is_empty(&self) -> bool {
        match self.value {
            Value::Null => true,
            Value::Text(text) => text.is_empty(),
            Value::List(list) => list.is_empty(),
            Value::Map(map) => map.is_empty(),
            _ => false,
        }
    }

    /// Returns the texts of a list.
    pub(crate) fn texts(&self) -> Vec<&'a str> {
        let list = self.value.as_list().map(|list| &**list).unwrap_or_default();
        list.iter().filter_map(Value::as_str).collect()
    }

    /// `Required value`, with a detail unless it is empty.
    pub(crate) fn required(&self, detail: &str) -> Cause {
        Cause::required(&*self.path, detail)
    }

    /// `Invalid value`, showing the value.
    pub(crate) fn invalid(&self, detail: &str) -> Cause {
        Cause::invalid(&*self.path, &bad_value(self.value), detail)
    }

    /// `Invalid value`, showing something else.
    pub(crate) fn invalid_as(&self, shown: &str, detail: &str) -> Cause {
        Cause::invalid(&*self.path, shown, detail)
    }

    /// `Forbidden`.
    pub(crate) fn forbidden(&self, detail: &str) -> Cause {
        Cause::forbidden(&*self.path, detail)
    }

    /// `Duplicate value`.
    pub(crate) fn duplicate(&self) -> Cause {
        self.duplicate_as(&bad_value(self.value))
    }

    /// `Duplicate value`, showing something else.
    pub(crate) fn duplicate_as(&self, shown: &str) -> Cause {
        Cause::new("FieldValueDuplicate", &*self.path, format!("Duplicate value: {shown}"))
    }

    /// `Not found`.
    pub(crate) fn not_found(&self) -> Cause {
        Cause::new("FieldValueNotFound", &*self.path, format!("Not found: {}", bad_value(self.value)))
    }

    /// `Unsupported value`.
    pub(crate) fn unsupported(&self, supported: &[&str]) -> Cause {
        let shown = if self.is_set() { bad_value(self.value) } else { go_quote("") };
        self.unsupported_as(&shown, supported)
    }

    /// `Unsupported value`, showing something else.
    pub(crate) fn unsupported_as(&self, shown: &str, supported: &[&str]) -> Cause {
        let words: Vec<String> = supported.iter().map(|word| go_quote(word)).collect();
        let text = format!("Unsupported value: {shown}: supported values: {}", words.join(", "));
        Cause::new("FieldValueNotSupported", &*self.path, text)
    }

    /// `Too long` in bytes.
    pub(crate) fn too_long(&self, limit: usize) -> Cause {
        let text = format!("Too long: may not be more than {limit} bytes");
        Cause::new("FieldValueTooLong", &*self.path, text)
    }

    /// `Too many` items.
    pub(crate) fn too_many(&self, found: usize, limit: usize) -> Cause {
        let text = format!("Too many: {found}: must have at most {limit} items");
        Cause::new("FieldValueTooMany", &*self.path, text)
    }

    /// Adds an `Invalid value` for each problem.
    pub(crate) fn problems(&self, problems: Vec<String>, out: &mut Causes) {
        out.extend(problems.iter().map(|problem| self.text_problem(problem)));
    }

    fn text_problem(&self, problem: &str) -> Cause {
        let shown = if self.is_set() { bad_value(self.value) } else { go_quote("") };
        self.invalid_as(&shown, problem)
    }

    /// Checks that an integer, if there is one, is not negative.
    pub(crate) fn nonnegative(&self, out: &mut Causes) {
        if self.int().is_some_and(|number| number < 0) {
            out.push(self.invalid("must be greater than or equal to 0"));
        }
    }

    /// Checks that an integer is there and not zero or less.
    pub(crate) fn positive(&self, out: &mut Causes) {
        if self.number() <= 0 {
            out.push(self.invalid_as(&self.number().to_string(), "must be greater than 0"));
        }
    }

    /// Checks several integers below.
    pub(crate) fn nonnegatives(&self, keys: &[&str], out: &mut Causes) {
        keys.iter().for_each(|key| self.at(key).nonnegative(out));
    }

    /// Checks that a text is one of these; an absent or empty one is missing.
    pub(crate) fn one_of(&self, supported: &[&str], out: &mut Causes) {
        if self.text().is_empty() {
            out.push(self.required(""));
        } else if !supported.contains(&self.text()) {
            out.push(self.unsupported(supported));
        }
    }

    /// Checks that a text, if it is there, is one of these.
    pub(crate) fn one_of_if_set(&self, supported: &[&str], out: &mut Causes) {
        if self.is_set() && !supported.contains(&self.text()) {
            out.push(self.unsupported(supported));
        }
    }

    /// Checks that something is there.
    pub(crate) fn needed(&self, out: &mut Causes) {
        if self.is_empty() {
            out.push(self.required(""));
        }
    }

    /// Checks that a number is a port.
    pub(crate) fn port(&self, out: &mut Causes) {
        if !(1..=65_535).contains(&self.number()) {
            out.push(self.invalid_as(&self.number().to_string(), "must be between 1 and 65535, inclusive"));
        }
    }

    /// Checks that a value is a port or the name of one.
    pub(crate) fn port_or_name(&self, out: &mut Causes) {
        match self.value.as_str() {
            Some(name) => self.problems(port_name(name), out),
            None => self.port(out),
        }
    }

    /// Checks an RFC 1123 label.
    pub(crate) fn label(&self, out: &mut Causes) {
        self.problems(names::label(self.text()), out);
    }

    /// Checks an RFC 1123 subdomain.
    pub(crate) fn subdomain(&self, out: &mut Causes) {
        self.problems(names::subdomain(self.text()), out);
    }

    /// Checks a qualified name, as the keys of labels are.
    pub(crate) fn qualified(&self, out: &mut Causes) {
        self.problems(names::label_key(self.text()), out);
    }

    /// Checks a map of labels.
    pub(crate) fn labels(&self, out: &mut Causes) {
        if let Some(labels) = self.value.as_map() {
            names::check_labels(labels, &self.path, out);
        }
    }

    /// Checks that a value is the same as before.
    pub(crate) fn immutable(&self, old: &Field<'_>, out: &mut Causes) {
        if self.value != old.value {
            out.push(self.invalid("field is immutable"));
        }
    }
}

/// Says what is wrong with the name of a port (IANA_SVC_NAME).
pub(crate) fn port_name(name: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if name.len() > 15 {
        problems.push("must be no more than 15 characters");
    }
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
        problems.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
    }
    if !name.bytes().any(|b| b.is_ascii_lowercase()) {
        problems.push("must contain at least one letter (a-z)");
    }
    if name.contains("--") {
        problems.push("must not contain consecutive hyphens");
    }
    if name.starts_with('-') || name.ends_with('-') {
        problems.push("must not begin or end with a hyphen");
    }
    problems.into_iter().map(str::to_owned).collect()
}

/// Says what is wrong with the key of a ConfigMap or Secret.
pub(crate) fn config_key(key: &str) -> Vec<String> {
    const TEXT: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
    let mut problems = Vec::new();
    if key.len() > 253 {
        problems.push("must be no more than 253 characters".to_owned());
    }
    if key.is_empty() || !key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)) {
        problems.push(TEXT.to_owned());
    }
    match key {
        "." => problems.push("must not be '.'".to_owned()),
        ".." => problems.push("must not be '..'".to_owned()),
        key if key.starts_with("..") => problems.push("must not start with '..'".to_owned()),
        _ => {}
    }
    problems
}
