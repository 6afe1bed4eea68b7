//! What a comparison leaves out because the user says so.

mod jq;
mod managers;
mod pick;

use std::str::FromStr;

use lockstep_object::{Map, Object, Path, Value};

use pick::{Pick, delete};

/// A rule of what to leave out. Which objects it is about is the caller's business.
#[derive(Clone, Debug)]
pub struct Ignore(Rule);

#[derive(Clone, Debug)]
enum Rule {
    /// One alternative after the other is taken away.
    Picks(Vec<Vec<Pick>>),
    /// What these managers own in the live object.
    Managers(Vec<String>),
}

/// The text is no rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IgnoreError {
    /// A JSON pointer begins with a slash.
    #[error("{0:?} is no JSON pointer: one begins with `/`, as `/spec/replicas`")]
    Pointer(String),
    /// The jq expression is no path, or uses what is not supported.
    #[error(
        "{expression:?}: {message}; supported are paths, `[]`, `[0]`, `[\"key\"]`, and `select` with ==, !=, and, or, not, startswith, endswith, contains, test and has"
    )]
    Jq {
        /// The expression.
        expression: String,
        /// What is wrong.
        message: String,
    },
    /// The path cannot be read.
    #[error("{0:?} is no path: one is like `spec.template.spec.containers[name=web].image`")]
    Path(String),
}

impl Ignore {
    /// Reads a JSON pointer (RFC 6901), as Argo CD's `jsonPointers`.
    ///
    /// # Errors
    /// The text does not begin with a slash.
    pub fn pointer(text: &str) -> Result<Self, IgnoreError> {
        let parts = Path::from_pointer(text).filter(|parts| !parts.is_empty());
        let parts = parts.ok_or_else(|| IgnoreError::Pointer(text.to_owned()))?;
        Ok(Self(Rule::Picks(vec![parts.into_iter().map(Pick::Part).collect()])))
    }

    /// Reads a jq path expression, as Argo CD's `jqPathExpressions`.
    ///
    /// # Errors
    /// The expression is no path, or uses more of jq than paths and `select`.
    pub fn jq(text: &str) -> Result<Self, IgnoreError> {
        let picks = jq::parse(text).map_err(|message| IgnoreError::Jq { expression: text.to_owned(), message })?;
        Ok(Self(Rule::Picks(picks)))
    }

    /// Reads a path with list items by their keys: `spec.template.spec.containers[name=web].image`, `rules[0]`,
    /// `metadata.annotations[example.com/a]`, `containers[*].image`.
    ///
    /// # Errors
    /// A bracket is left open, or a name is empty.
    pub fn path(text: &str) -> Result<Self, IgnoreError> {
        let picks = pick::parse_path(text).ok_or_else(|| IgnoreError::Path(text.to_owned()))?;
        Ok(Self(Rule::Picks(vec![picks])))
    }

    /// Leaves out what these field managers own, as Argo CD's `managedFieldsManagers`.
    pub fn managers(names: impl IntoIterator<Item = String>) -> Self {
        Self(Rule::Managers(names.into_iter().collect()))
    }

    /// Takes what the rule is about away from both sides.
    pub(crate) fn apply(&self, after: &mut Map, before: &mut Map, live: &Object) {
        let sides = [after, before];
        for side in sides {
            let mut value = Value::Map(std::mem::take(side));
            match &self.0 {
                Rule::Picks(alternatives) => {
                    for picks in alternatives {
                        delete(&mut value, picks);
                    }
                }
                Rule::Managers(names) => {
                    for set in crate::owned::all_sets_of(live, names) {
                        managers::delete(&mut value, &set, 0);
                    }
                }
            }
            if let Value::Map(map) = value {
                *side = map;
            }
        }
    }
}

/// Reads a rule by how it begins: `/` a pointer, `.` a jq expression, else a path.
impl FromStr for Ignore {
    type Err = IgnoreError;

    fn from_str(text: &str) -> Result<Self, IgnoreError> {
        match text.as_bytes().first() {
            Some(b'/') => Self::pointer(text),
            Some(b'.') => Self::jq(text),
            _ => Self::path(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use lockstep_object::{from_json, to_json};

    use super::*;

    fn check(rule: &str, object: &str, expected: &str) {
        let map = |json: &str| from_json(json.as_bytes()).unwrap().as_map().unwrap().clone();
        let (mut after, mut before) = (map(object), map(object));
        rule.parse::<Ignore>().unwrap().apply(&mut after, &mut before, &Object::default());
        assert_eq!(to_json(&Value::Map(after)), to_json(&Value::Map(map(expected))), "{rule}");
    }

    #[test]
    fn rules_take_away_what_they_name() {
        let object =
            r#"{"spec":{"replicas":1,"a/b":1,"containers":[{"name":"web","image":"x"},{"name":"log","image":"y"}]}}"#;
        check(
            "/spec/replicas",
            object,
            r#"{"spec":{"a/b":1,"containers":[{"name":"web","image":"x"},{"name":"log","image":"y"}]}}"#,
        );
        check("/spec/containers/1", r#"{"spec":{"containers":[1,2]}}"#, r#"{"spec":{"containers":[1]}}"#);
        check("/spec/a~1b", r#"{"spec":{"a/b":1}}"#, r#"{"spec":{}}"#);
        check(
            "spec.containers[name=web].image",
            r#"{"spec":{"containers":[{"name":"web","image":"x"}]}}"#,
            r#"{"spec":{"containers":[{"name":"web"}]}}"#,
        );
        check(
            "spec.containers[*].image",
            r#"{"spec":{"containers":[{"image":"x"},{"image":"y"}]}}"#,
            r#"{"spec":{"containers":[{},{}]}}"#,
        );
        check(
            "metadata.annotations[example.com/a]",
            r#"{"metadata":{"annotations":{"example.com/a":"1"}}}"#,
            r#"{"metadata":{"annotations":{}}}"#,
        );
        check("spec.missing.field", r#"{"spec":{}}"#, r#"{"spec":{}}"#);
    }

    #[test]
    fn jq_paths_take_away_what_they_name() {
        let object = r#"{"spec":{"c":[{"name":"web","image":"x"},{"name":"log","image":"y"}]}}"#;
        check(".spec.c[].image", object, r#"{"spec":{"c":[{"name":"web"},{"name":"log"}]}}"#);
        check(".spec.c[0]", object, r#"{"spec":{"c":[{"name":"log","image":"y"}]}}"#);
        check(r#".spec.c[] | select(.name == "web")"#, object, r#"{"spec":{"c":[{"name":"log","image":"y"}]}}"#);
        check(
            r#".spec.c[]? | select(.name | startswith("w")).image"#,
            object,
            r#"{"spec":{"c":[{"name":"web"},{"name":"log","image":"y"}]}}"#,
        );
        check(r#".spec.c[] | select(.name == "log" or .image == "x")"#, object, r#"{"spec":{"c":[]}}"#);
        check(
            r#".metadata.labels["a/b"]"#,
            r#"{"metadata":{"labels":{"a/b":"1","c":"2"}}}"#,
            r#"{"metadata":{"labels":{"c":"2"}}}"#,
        );
        check(".data, .spec", r#"{"data":1,"spec":2,"x":3}"#, r#"{"x":3}"#);
    }

    #[test]
    fn what_is_no_rule_says_why() {
        for text in [".spec.c[", ".spec | length", ".spec | select(", "a[", ".a | select(.b > 1)"] {
            match text.parse::<Ignore>() {
                Ok(rule) => panic!("{text} is read as {rule:?}"),
                Err(error) => assert!(error.to_string().contains(text), "{error}"),
            }
        }
    }
}
