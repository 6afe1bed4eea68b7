//! Paths into a value.

use std::fmt;

use crate::{Key, Value};

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Into a map.
    Field(Key),
    /// Into a list, by position.
    Index(usize),
    /// Into a list whose items have these keys, as `[name=web]`; values as they print.
    Item(Vec<(Key, String)>),
}

/// A path into a value; displays as Kubernetes' errors do: `spec.containers[0].image`, `metadata.labels[a/b]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Path(Vec<Step>);

impl Path {
    /// Returns the path of the root.
    pub fn root() -> Self {
        Self::default()
    }

    /// Returns the steps.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// Returns this path with a field added.
    #[must_use]
    pub fn field(&self, name: impl Into<Key>) -> Self {
        self.with(Step::Field(name.into()))
    }

    /// Returns this path with a position added.
    #[must_use]
    pub fn index(&self, place: usize) -> Self {
        self.with(Step::Index(place))
    }

    /// Returns this path with a step added.
    #[must_use]
    pub fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// Adds a step.
    pub fn push(&mut self, step: Step) {
        self.0.push(step);
    }

    /// Removes the last step.
    pub fn pop(&mut self) -> Option<Step> {
        self.0.pop()
    }

    /// Reads a JSON pointer (RFC 6901): `/spec/containers/0`; digits are positions only in lists, so they stay fields here.
    pub fn from_pointer(pointer: &str) -> Option<Vec<String>> {
        if pointer.is_empty() {
            return Some(Vec::new());
        }
        let parts = pointer.strip_prefix('/')?.split('/');
        Some(parts.map(|part| part.replace("~1", "/").replace("~0", "~")).collect())
    }

    /// Follows the path from `value`.
    pub fn find<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        self.0.iter().try_fold(value, |value, step| match step {
            Step::Field(key) => value.get(key),
            Step::Index(place) => value.as_list()?.get(*place),
            Step::Item(keys) => value.as_list()?.iter().find(|item| has_keys(item, keys)),
        })
    }
}

fn has_keys(item: &Value, keys: &[(Key, String)]) -> bool {
    keys.iter().all(|(key, wanted)| match item.get(key) {
        Some(Value::Text(text)) => text.as_str() == wanted,
        Some(other) => crate::to_json(other) == *wanted,
        None => false,
    })
}

impl FromIterator<Step> for Path {
    fn from_iter<I: IntoIterator<Item = Step>>(steps: I) -> Self {
        Self(steps.into_iter().collect())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, step) in self.0.iter().enumerate() {
            match step {
                Step::Field(key) if key.contains(['.', '/']) => write!(f, "[{key}]")?,
                Step::Field(key) if place == 0 => f.write_str(key)?,
                Step::Field(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Item(keys) => {
                    let words: Vec<String> = match keys.as_slice() {
                        [(key, value)] if key == "name" => vec![value.clone()],
                        keys => keys.iter().map(|(key, value)| format!("{key}={value}")).collect(),
                    };
                    write!(f, "[{}]", words.join(","))?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_as_kubernetes_writes_them() {
        let path = Path::root().field("spec").field("containers").index(0).field("image");
        assert_eq!(path.to_string(), "spec.containers[0].image");
        assert_eq!(Path::root().field("metadata").field("labels").field("a/b").to_string(), "metadata.labels[a/b]");
        let item = Path::root().field("containers").with(Step::Item(vec![("name".into(), "web".into())]));
        assert_eq!(item.to_string(), "containers[web]");
    }
}
