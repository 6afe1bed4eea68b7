//! ConfigMaps and Secrets.

use base64::Engine;

use super::field::{Causes, Field, Subject, config_key};

/// The most that a ConfigMap or Secret holds.
const DATA_LIMIT: usize = 1024 * 1024;
/// What must be in Secrets of a type.
const NEEDED: &[(&str, &[&str])] = &[
    ("kubernetes.io/tls", &["tls.crt", "tls.key"]),
    ("kubernetes.io/dockercfg", &[".dockercfg"]),
    ("kubernetes.io/dockerconfigjson", &[".dockerconfigjson"]),
    ("kubernetes.io/ssh-auth", &["ssh-privatekey"]),
];
const FIXED: &str = "field is immutable when `immutable` is set";

fn bytes(field: &Field<'_>) -> Vec<u8> {
    base64::engine::general_purpose::STANDARD.decode(field.text()).unwrap_or_default()
}

/// Checks a ConfigMap.
pub(crate) fn config_map(new: &Subject<'_>, old: Option<&Subject<'_>>, out: &mut Causes) {
    unchanged(new, old, &["data", "binaryData"], out);
    let (data, binary) = (Field::of(new, "data"), Field::of(new, "binaryData"));
    let mut size = 0;
    for (key, value) in data.entries() {
        keyed(&value, key, out);
        if binary.key(key).is_set() {
            let shown = crate::status::go_quote(key);
            out.push(value.invalid_as(&shown, "duplicate of key present in binaryData"));
        }
        size += value.text().len();
    }
    for (key, value) in binary.entries() {
        keyed(&value, key, out);
        size += bytes(&value).len();
    }
    if size > DATA_LIMIT {
        out.push(data.named("[]".to_owned()).too_long(DATA_LIMIT));
    }
}

fn keyed(value: &Field<'_>, key: &str, out: &mut Causes) {
    let shown = crate::status::go_quote(key);
    out.extend(config_key(key).iter().map(|problem| value.invalid_as(&shown, problem)));
}

fn unchanged(new: &Subject<'_>, old: Option<&Subject<'_>>, keys: &[&str], out: &mut Causes) {
    let Some(old) = old.filter(|old| Field::of(old, "immutable").is_true()) else { return };
    if !Field::of(new, "immutable").is_true() {
        out.push(Field::of(new, "immutable").forbidden(FIXED));
    }
    for key in keys {
        let field = Field::of(new, key);
        if Field::of(old, key).value != field.value {
            out.push(field.forbidden(FIXED));
        }
    }
}

/// Checks a Secret.
pub(crate) fn secret(new: &Subject<'_>, old: Option<&Subject<'_>>, out: &mut Causes) {
    let kind = Field::of(new, "type");
    if let Some(old) = old {
        if Field::of(old, "type").value != kind.value {
            out.push(kind.invalid("field is immutable"));
        }
        unchanged(new, Some(old), &["data"], out);
    }
    let data = Field::of(new, "data");
    let mut size = 0;
    for (key, value) in data.entries() {
        keyed(&value, key, out);
        size += bytes(&value).len();
    }
    if size > DATA_LIMIT {
        out.push(data.too_long(DATA_LIMIT));
    }
    for key in NEEDED.iter().filter(|(known, _)| *known == kind.text()).flat_map(|(_, keys)| *keys) {
        let value = data.key(key);
        if !value.is_set() || (*key == "ssh-privatekey" && value.text().is_empty()) {
            out.push(value.required(""));
        } else if key.starts_with(".docker")
            && let Some(problem) = json_problem(&bytes(&value))
        {
            out.push(value.invalid_as("\"<secret contents redacted>\"", &problem));
        }
    }
    match kind.text() {
        "kubernetes.io/service-account-token" => {
            let name = Field::metadata(new, "annotations").key("kubernetes.io/service-account.name");
            if name.text().is_empty() {
                out.push(name.required(""));
            }
        }
        "kubernetes.io/basic-auth" => {
            let (user, password) = (data.key("username"), data.key("password"));
            if !user.is_set() && !password.is_set() {
                out.push(user.required(""));
                out.push(password.required(""));
            }
        }
        _ => {}
    }
}

/// Says why a text is not a JSON object, in the words of Go's decoder.
fn json_problem(text: &[u8]) -> Option<String> {
    let what = match crate::document::Document::json(text) {
        Err(problem) => return Some(problem),
        Ok(document) => match document.value {
            lockstep_object::Value::Map(_) | lockstep_object::Value::Null => return None,
            lockstep_object::Value::Text(_) => "string",
            lockstep_object::Value::List(_) => "array",
            lockstep_object::Value::Bool(_) => "bool",
            _ => "number",
        },
    };
    Some(format!("json: cannot unmarshal {what} into Go value of type map[string]interface {{}}"))
}
