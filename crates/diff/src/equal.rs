//! When two values are the same to Kubernetes.

use lockstep_object::{Path, Quantity, Step, Value};

/// Where two values stand.
pub struct Place<'a> {
    /// The path.
    pub path: &'a Path,
    /// The kind is Kubernetes' own: fields with their zero value are dropped by the server.
    pub native: bool,
}

/// Maps whose values are quantities.
const QUANTITY_MAPS: [&str; 13] = [
    "limits",
    "requests",
    "capacity",
    "hard",
    "used",
    "allocatable",
    "overhead",
    "podFixed",
    "default",
    "defaultRequest",
    "max",
    "min",
    "maxLimitRequestRatio",
];

/// Fields that are quantities.
const QUANTITIES: [&str; 7] =
    ["sizeLimit", "storage", "averageValue", "value", "divisor", "storageCapacity", "maximumVolumeSize"];

/// Maps of texts that belong to the user; nothing in them is ever dropped or written in another way.
const TEXTS: [&str; 9] =
    ["labels", "annotations", "data", "stringData", "binaryData", "matchLabels", "nodeSelector", "env", "args"];

impl Place<'_> {
    fn fields(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.path.steps().iter().filter_map(|step| match step {
            Step::Field(key) => Some(key.as_str()),
            _ => None,
        })
    }

    fn is_text(&self) -> bool {
        self.fields().any(|field| TEXTS.contains(&field))
    }

    fn is_quantity(&self) -> bool {
        let mut fields = self.fields().rev();
        let last = fields.next().unwrap_or_default();
        QUANTITIES.contains(&last) || fields.next().is_some_and(|parent| QUANTITY_MAPS.contains(&parent))
    }

    fn is_ca_bundle(&self) -> bool {
        self.fields().next_back() == Some("caBundle")
    }
}

/// Tells whether two values that are not both maps or both lists mean the same.
pub fn same_scalar(place: &Place<'_>, after: &Value, before: &Value) -> bool {
    if after == before {
        return true;
    }
    // A placeholder that an injector fills in: empty, or a lone line feed.
    if place.is_ca_bundle() && matches!(after.as_str(), Some("" | "Cg==")) {
        return true;
    }
    if place.is_text() {
        return false;
    }
    if let (Some(a), Some(b)) = (after.as_f64(), before.as_f64()) {
        return a == b;
    }
    if is_zero(place, after) && is_zero(place, before) {
        return true;
    }
    (place.is_quantity() && same_quantity(after, before)) || same_duration(after, before)
}

/// Tells whether a value says no more than if it were missing.
pub fn is_empty_form(place: &Place<'_>, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Map(map) => map.is_empty(),
        Value::List(items) => items.is_empty(),
        value => is_zero(place, value),
    }
}

/// The zero values that the server of a native kind drops.
fn is_zero(place: &Place<'_>, value: &Value) -> bool {
    if place.is_ca_bundle() && matches!(value.as_str(), Some("" | "Cg==")) {
        return true;
    }
    if !place.native || place.is_text() {
        return value.is_null();
    }
    // A count of zero is not dropped: fields like `replicas` and `minReadySeconds` say something with it.
    matches!(value, Value::Null | Value::Bool(false)) || value.as_str() == Some("")
}

fn same_quantity(a: &Value, b: &Value) -> bool {
    match (quantity(a), quantity(b)) {
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}

fn quantity(value: &Value) -> Option<Quantity> {
    match value {
        Value::Text(text) => text.parse().ok(),
        Value::Int(_) | Value::UInt(_) | Value::Float(_) => lockstep_object::to_json(value).parse().ok(),
        _ => None,
    }
}

fn same_duration(a: &Value, b: &Value) -> bool {
    match (a.as_str().and_then(duration), b.as_str().and_then(duration)) {
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}

/// Reads a duration as Go writes them: `1h30m`, `90s`, `1.5h`; in nanoseconds.
fn duration(text: &str) -> Option<i128> {
    if text.len() > 40 {
        return None;
    }
    let mut rest = text;
    let mut total = 0i128;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(digits);
        let (unit, scale) = [
            ("ns", 1),
            ("us", 1_000),
            ("µs", 1_000),
            ("ms", 1_000_000),
            ("s", 1_000_000_000),
            ("m", 60_000_000_000),
            ("h", 3_600_000_000_000i128),
        ]
        .into_iter()
        .find(|(unit, _)| after.starts_with(unit) && !after[unit.len()..].starts_with(|c: char| c.is_alphabetic()))?;
        total = total.checked_add((number.parse::<f64>().ok()? * scale as f64) as i128)?;
        rest = &after[unit.len()..];
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(path: &[&str], a: &str, b: &str) -> bool {
        let path: Path = path.iter().map(|field| Step::Field((*field).into())).collect();
        let value = |json: &str| lockstep_object::from_json(json.as_bytes()).unwrap();
        same_scalar(&Place { path: &path, native: true }, &value(a), &value(b))
    }

    #[test]
    fn amounts_are_the_same_however_written_where_amounts_stand() {
        assert!(same(&["resources", "limits", "cpu"], "\"1000m\"", "\"1\""));
        assert!(same(&["resources", "limits", "cpu"], "1", "\"1\""));
        assert!(!same(&["resources", "limits", "cpu"], "\"1001m\"", "\"1\""));
        assert!(!same(&["metadata", "labels", "cpu"], "\"1000m\"", "\"1\""));
    }

    #[test]
    fn durations_are_the_same_however_written_but_not_in_texts() {
        assert!(same(&["spec", "duration"], "\"2160h\"", "\"2160h0m0s\""));
        assert!(same(&["spec", "interval"], "\"60s\"", "\"1m\""));
        assert!(!same(&["data", "interval"], "\"60s\"", "\"1m\""));
        assert!(!same(&["spec", "interval"], "\"60s\"", "\"2m\""));
    }

    #[test]
    fn numbers_are_the_same_with_and_without_a_point() {
        assert!(same(&["spec", "weight"], "1.0", "1"));
        assert!(!same(&["spec", "port"], "80", "\"80\""));
    }
}
