//! JSON patch (RFC 6902) as the API server reads it (evanphx/json-patch 4): negative indexes count from the
//! end, and `replace` of a missing key adds it.

use lockstep_object::{Map, Value, to_json};

/// Why a patch cannot be applied; the text is the one of the library that the API server uses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PatchError(pub String);

impl PatchError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// All that `copy` operations of one patch may add, in bytes of JSON; the API server allows the size of a request.
const MOST_COPIED: usize = 3 << 20;

const MISSING: &str = "missing value";

/// Applies a patch (a list of operations) to a document.
///
/// # Errors
/// If the patch is no list of operations, an operation does not fit, or a test fails.
pub fn apply(document: &Value, patch: &Value) -> Result<Value, PatchError> {
    let not_a_patch = |value: &Value, wanted: &str| {
        let found = if value.type_name() == "integer" { "number" } else { value.type_name() };
        PatchError::new(format!("json: cannot unmarshal {found} into Go value of type {wanted}"))
    };
    let operations = match patch {
        Value::List(operations) => operations.clone(),
        Value::Null => Default::default(),
        other => return Err(not_a_patch(other, "jsonpatch.Patch")),
    };
    if !matches!(document, Value::Map(_) | Value::List(_)) {
        return Err(not_a_patch(document, "jsonpatch.partialDoc"));
    }
    let mut patched = document.clone();
    let mut copied = 0;
    for operation in &operations {
        let Value::Map(operation) = operation else { return Err(not_a_patch(operation, "jsonpatch.Operation")) };
        perform(&mut patched, &Operation(operation), &mut copied).map_err(PatchError)?;
    }
    Ok(patched)
}

struct Operation<'p>(&'p Map);

impl Operation<'_> {
    fn kind(&self) -> &str {
        self.0.get("op").and_then(Value::as_str).unwrap_or("unknown")
    }

    /// Returns `path` or `from`. Some operations say in full what is missing.
    fn text(&self, field: &str) -> Result<&str, String> {
        let kind = self.kind();
        let in_full = field == "from" || matches!(kind, "replace" | "move" | "test");
        let reason = if in_full {
            format!("operation{} missing {field} field: {MISSING}", if field == "from" { "," } else { "" })
        } else {
            MISSING.into()
        };
        let found = self.0.get(field).and_then(Value::as_str);
        found.ok_or_else(|| format!("{kind} operation failed to decode {field}: {reason}"))
    }

    fn value(&self) -> Value {
        self.0.get("value").cloned().unwrap_or_default()
    }
}

fn perform(document: &mut Value, operation: &Operation<'_>, copied: &mut usize) -> Result<(), String> {
    match operation.kind() {
        "add" => {
            let path = operation.text("path")?;
            let missing = || format!("add operation does not apply: doc is missing path: \"{path}\": {MISSING}");
            let (container, key) = find(document, path).ok_or_else(missing)?;
            container.add(&key, operation.value()).map_err(|error| format!("error in add for path: '{path}': {error}"))
        }
        "remove" => {
            let path = operation.text("path")?;
            let missing = || format!("remove operation does not apply: doc is missing path: \"{path}\": {MISSING}");
            let (container, key) = find(document, path).ok_or_else(missing)?;
            container.remove(&key).map(|_| ()).map_err(|error| format!("error in remove for path: '{path}': {error}"))
        }
        "replace" => replace(document, operation),
        "move" => {
            let from = operation.text("from")?;
            let missing = || format!("move operation does not apply: doc is missing from path: {from}: {MISSING}");
            let (container, key) = find(document, from).ok_or_else(missing)?;
            let in_key = |error| format!("error in move for path: '{key}': {error}");
            let value = container.remove(&key).map_err(in_key)?;
            put(document, operation, value, |path, error| format!("error in move for path: '{path}': {error}"))
        }
        "copy" => {
            let from = operation.text("from")?;
            let missing = || format!("copy operation does not apply: doc is missing from path: {from}: {MISSING}");
            let (container, key) = find(document, from).ok_or_else(missing)?;
            let value = container.get(&key).map_err(|error| format!("error in copy for from: '{from}': {error}"))?;
            let value = value.unwrap_or_default();
            *copied += to_json(&value).len();
            if *copied > MOST_COPIED {
                let words = "Unable to complete the copy, the accumulated size increase of copy is";
                return Err(format!("{words} {copied}, exceeding the limit {MOST_COPIED}"));
            }
            put(document, operation, value, |_, error| format!("error while adding value during copy: {error}"))
        }
        "test" => test(document, operation),
        other => Err(format!("Unexpected kind: {other}")),
    }
}

/// Adds what was moved or copied.
fn put(
    document: &mut Value,
    operation: &Operation<'_>,
    value: Value,
    failed: impl Fn(&str, String) -> String,
) -> Result<(), String> {
    let (kind, path) = (operation.kind(), operation.text("path")?);
    let missing = || format!("{kind} operation does not apply: doc is missing destination path: {path}: {MISSING}");
    let (container, key) = find(document, path).ok_or_else(missing)?;
    container.add(&key, value).map_err(|error| failed(path, error))
}

fn replace(document: &mut Value, operation: &Operation<'_>) -> Result<(), String> {
    let path = operation.text("path")?;
    if path.is_empty() {
        // The odd end is how Go prints the cause that is not there.
        let value = operation.value();
        if !matches!(value, Value::Map(_) | Value::List(_)) {
            return Err("replace operation value must be object or array: %!w(<nil>)".into());
        }
        *document = value;
        return Ok(());
    }
    let missing = |what: &str| format!("replace operation does not apply: doc is missing {what}: {path}: {MISSING}");
    let (container, key) = find(document, path).ok_or_else(|| missing("path"))?;
    container.get(&key).map_err(|_| missing("key"))?;
    container.set(&key, operation.value()).map_err(|error| format!("error in remove for path: '{path}': {error}"))
}

fn test(document: &mut Value, operation: &Operation<'_>) -> Result<(), String> {
    let path = operation.text("path")?;
    let found = if path.is_empty() {
        document.clone()
    } else {
        let missing = || format!("test operation does not apply: is missing path: {path}: {MISSING}");
        let (container, key) = find(document, path).ok_or_else(missing)?;
        let found = container.get(&key).map_err(|error| format!("error in test for path: '{path}': {error}"))?;
        found.unwrap_or_default()
    };
    if found == operation.value() { Ok(()) } else { Err(format!("testing value {path} failed: test failed")) }
}

/// A map or list that an operation changes.
enum Container<'d> {
    Map(&'d mut Map),
    List(&'d mut lockstep_object::List),
}

/// Follows all but the last part of a pointer. What stands before the first slash is ignored, as the library does.
fn find<'d>(document: &'d mut Value, path: &str) -> Option<(Container<'d>, String)> {
    let decode = |part: &str| part.replace("~1", "/").replace("~0", "~");
    let mut parts: Vec<String> = path.split('/').skip(1).map(decode).collect();
    let key = parts.pop()?;
    let mut current = document;
    for part in parts {
        current = match current {
            Value::Map(map) => map.get_mut(&part)?,
            Value::List(list) => {
                let place = place_in(&part, list.len()).ok()?;
                list.make_mut().get_mut(place)?
            }
            _ => return None,
        };
    }
    let container = match current {
        Value::Map(map) => Container::Map(map),
        Value::List(list) => Container::List(list),
        _ => return None,
    };
    Some((container, key))
}

fn number(key: &str) -> Result<i64, String> {
    let range = key.trim_start_matches(['+', '-']).bytes().all(|byte| byte.is_ascii_digit()) && key.len() > 18;
    let reason = if range { "value out of range" } else { "invalid syntax" };
    key.parse().map_err(|_| format!("strconv.Atoi: parsing {}: {reason}", crate::words::quoted(key)))
}

/// Finds the place of an index in a list of this length; negative ones count from the end.
fn place_in(key: &str, length: usize) -> Result<usize, String> {
    let index = number(key)?;
    place(index, length).ok_or_else(|| format!("Unable to access invalid index: {index}: invalid index referenced"))
}

fn place(index: i64, length: usize) -> Option<usize> {
    let length = i64::try_from(length).ok()?;
    let place = if index < 0 { index + length } else { index };
    usize::try_from(place).ok().filter(|_| place < length)
}

impl Container<'_> {
    fn get(&self, key: &str) -> Result<Option<Value>, String> {
        match self {
            Self::Map(map) => Ok(map.get(key).cloned()),
            Self::List(list) => Ok(list.get(place_in(key, list.len())?).cloned()),
        }
    }

    fn set(self, key: &str, value: Value) -> Result<(), String> {
        match self {
            Self::Map(map) => {
                map.insert(key, value);
            }
            Self::List(list) => {
                let place = place_in(key, list.len())?;
                list.make_mut()[place] = value;
            }
        }
        Ok(())
    }

    fn add(self, key: &str, value: Value) -> Result<(), String> {
        match self {
            Self::Map(map) => {
                map.insert(key, value);
            }
            Self::List(list) if key == "-" => list.push(value),
            Self::List(list) => {
                let index =
                    number(key).map_err(|error| format!("value was not a proper array index: '{key}': {error}"))?;
                let invalid = || format!("Unable to access invalid index: {index}: invalid index referenced");
                let place = place(index, list.len() + 1).ok_or_else(invalid)?;
                list.edit(|items| items.insert(place, value));
            }
        }
        Ok(())
    }

    fn remove(self, key: &str) -> Result<Value, String> {
        match self {
            Self::Map(map) => {
                let missing = || format!("Unable to remove nonexistent key: {key}: {MISSING}");
                map.remove(key).ok_or_else(missing)
            }
            Self::List(list) => {
                let place = place_in(key, list.len())?;
                Ok(list.edit(|items| items.remove(place)))
            }
        }
    }
}
