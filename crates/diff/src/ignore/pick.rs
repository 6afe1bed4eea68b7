//! Steps to what is taken away.

use lockstep_object::{Key, Value, to_json};

/// A step.
#[derive(Clone, Debug)]
pub enum Pick {
    /// The field of a map, or the place of a list if it is a number.
    Part(String),
    /// The field of a map.
    Field(Key),
    /// The place of a list, negative from the end.
    Index(i64),
    /// Every item or value.
    All,
    /// The items with these values.
    Keys(Vec<(Key, String)>),
    /// The value itself, if it passes.
    Where(Test),
}

/// What a value must pass.
#[derive(Clone, Debug)]
pub enum Test {
    /// Both.
    And(Box<Test>, Box<Test>),
    /// One.
    Or(Box<Test>, Box<Test>),
    /// The contrary.
    Not(Box<Test>),
    /// The value at a path is this one.
    Is(Vec<Key>, Value),
    /// The text at a path begins with this.
    Starts(Vec<Key>, String),
    /// The text at a path ends with this.
    Ends(Vec<Key>, String),
    /// The text at a path contains this.
    Contains(Vec<Key>, String),
    /// The text at a path matches.
    Matches(Vec<Key>, regex::Regex),
    /// There is something other than null or false at a path.
    True(Vec<Key>),
    /// The map at a path has a key.
    Has(Vec<Key>, String),
}

impl Test {
    fn passes(&self, value: &Value) -> bool {
        let at = |path: &[Key]| path.iter().try_fold(value, |value, key| value.get(key));
        let text = |path: &[Key]| at(path).and_then(Value::as_str).unwrap_or_default();
        match self {
            Self::And(a, b) => a.passes(value) && b.passes(value),
            Self::Or(a, b) => a.passes(value) || b.passes(value),
            Self::Not(test) => !test.passes(value),
            Self::Is(path, wanted) => at(path).unwrap_or(&Value::Null) == wanted,
            Self::Starts(path, prefix) => text(path).starts_with(prefix.as_str()),
            Self::Ends(path, suffix) => text(path).ends_with(suffix.as_str()),
            Self::Contains(path, part) => text(path).contains(part.as_str()),
            Self::Matches(path, pattern) => pattern.is_match(text(path)),
            Self::True(path) => !matches!(at(path), None | Some(Value::Null | Value::Bool(false))),
            Self::Has(path, key) => at(path).is_some_and(|value| value.get(key).is_some()),
        }
    }
}

/// Takes away what the steps lead to; true if that is the value itself.
pub fn delete(value: &mut Value, picks: &[Pick]) -> bool {
    let Some((pick, rest)) = picks.split_first() else { return true };
    match pick {
        Pick::Where(test) => return test.passes(value) && delete(value, rest),
        Pick::Field(key) => delete_field(value, key, rest),
        Pick::Part(part) => match (&*value, part.parse()) {
            (Value::List(_), Ok(index)) => delete_place(value, index, rest),
            _ => delete_field(value, part, rest),
        },
        Pick::Index(index) => delete_place(value, *index, rest),
        Pick::All => match value {
            Value::List(list) => list.edit(|items| items.retain_mut(|item| !delete(item, rest))),
            Value::Map(map) => map.retain(|_, item| !delete(item, rest)),
            _ => {}
        },
        Pick::Keys(keys) => {
            if let Value::List(list) = value {
                list.edit(|items| items.retain_mut(|item| !(has(item, keys) && delete(item, rest))));
            }
        }
    }
    false
}

fn delete_field(value: &mut Value, key: &str, rest: &[Pick]) {
    if let Value::Map(map) = value
        && let Some(child) = map.get_mut(key)
        && delete(child, rest)
    {
        map.remove(key);
    }
}

fn delete_place(value: &mut Value, index: i64, rest: &[Pick]) {
    let Value::List(list) = value else { return };
    let length = i64::try_from(list.len()).unwrap_or(i64::MAX);
    let Ok(place) = usize::try_from(if index < 0 { index.saturating_add(length) } else { index }) else { return };
    list.edit(|items| {
        if items.get_mut(place).is_some_and(|item| delete(item, rest)) {
            items.remove(place);
        }
    });
}

fn has(item: &Value, keys: &[(Key, String)]) -> bool {
    keys.iter().all(|(key, wanted)| match item.get(key) {
        Some(Value::Text(text)) => text.as_str() == wanted,
        Some(other) => to_json(other) == *wanted,
        None => false,
    })
}

/// Reads a path as [`lockstep_object::Path`] prints it, with `[key=value,…]`, `[0]` and `[*]`.
pub fn parse_path(text: &str) -> Option<Vec<Pick>> {
    let mut picks = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('[') {
            let (content, after) = inside.split_once(']')?;
            picks.push(bracket(content)?);
            rest = after.strip_prefix('.').unwrap_or(after);
            continue;
        }
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        if end == 0 {
            return None;
        }
        picks.push(Pick::Field(rest[..end].into()));
        rest = rest[end..].strip_prefix('.').unwrap_or(&rest[end..]);
    }
    (!picks.is_empty()).then_some(picks)
}

fn bracket(content: &str) -> Option<Pick> {
    if content == "*" {
        return Some(Pick::All);
    }
    if let Ok(index) = content.parse() {
        return Some(Pick::Index(index));
    }
    if content.is_empty() {
        return None;
    }
    if !content.contains('=') {
        return Some(Pick::Field(content.trim_matches('"').into()));
    }
    let pairs = content.split(',').map(|pair| pair.split_once('=').map(|(key, value)| (key.into(), value.to_owned())));
    pairs.collect::<Option<_>>().map(Pick::Keys)
}
