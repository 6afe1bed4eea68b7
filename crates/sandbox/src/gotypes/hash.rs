//! The hashes in the names of ReplicaSets, ControllerRevisions and their pods.
//!
//! `controller.ComputeHash` prints a pod template as a Go value, field for field with its types, and hashes the
//! text with FNV-1a; `history.HashControllerRevision` hashes the JSON of a patch with FNV-1. Both are shown as the
//! digits of the number, each replaced by a letter that cannot form words (`rand.SafeEncodeString`).

use lockstep_object::{Map, Value, to_json};

use super::{Field, Shape, TYPES, sort};

const OFFSET: u32 = 0x811C_9DC5;
const PRIME: u32 = 0x0100_0193;
const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// Returns the hash of a pod template with all defaults (label `pod-template-hash`).
pub(crate) fn template_hash(template: &Value) -> String {
    let mut text = String::new();
    if let Some(place) = TYPES.named("v1.PodTemplateSpec") {
        text.push_str("(v1.PodTemplateSpec)");
        structure(&mut text, place, Some(template));
    }
    let sum = text.bytes().fold(OFFSET, |sum, byte| (sum ^ u32::from(byte)).wrapping_mul(PRIME));
    letters(sum)
}

/// Returns the hash of the data of a ControllerRevision of which there is no other: the count of collisions is hashed too.
pub(crate) fn revision_hash(data: &Value) -> String {
    let mut sorted = data.clone();
    sort(&mut sorted);
    // Go escapes what HTML would read.
    let text = to_json(&sorted).replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026") + "0";
    letters(text.bytes().fold(OFFSET, |sum, byte| sum.wrapping_mul(PRIME) ^ u32::from(byte)))
}

fn letters(sum: u32) -> String {
    sum.to_string().bytes().map(|digit| char::from(LETTERS[usize::from(digit) % LETTERS.len()])).collect()
}

fn structure(out: &mut String, place: usize, value: Option<&Value>) {
    out.push('{');
    for (count, field) in TYPES.structure(place).into_iter().flat_map(|known| &known.fields).enumerate() {
        if count > 0 {
            out.push(' ');
        }
        out.push_str(field.go);
        out.push(':');
        let own = if field.inline { value } else { value.and_then(|value| value.get(field.json)) };
        typed(out, field, own.filter(|own| !own.is_null()));
    }
    out.push('}');
}

/// Prints a field with its type. A pointer is printed as what it points at; the type tells.
fn typed(out: &mut String, field: &Field, value: Option<&Value>) {
    out.push('(');
    out.push_str(field.go_type);
    out.push(')');
    match &field.shape {
        Shape::Pointer(inner) => match value.filter(|value| !field.inline || touches(inner, value)) {
            Some(value) => untyped(out, inner, Some(value)),
            None => out.push_str("<nil>"),
        },
        shape => untyped(out, shape, value),
    }
}

/// Tells whether a value has fields of an inlined struct.
fn touches(shape: &Shape, value: &Value) -> bool {
    let Shape::Struct(place) = shape else { return true };
    let fields = TYPES.structure(*place).into_iter().flat_map(|known| &known.fields);
    fields.into_iter().any(|field| value.get(field.json).is_some())
}

fn untyped(out: &mut String, shape: &Shape, value: Option<&Value>) {
    let empty = |value: &&Value| match value {
        Value::Map(map) => map.is_empty(),
        Value::List(list) => list.is_empty(),
        _ => false,
    };
    match shape {
        Shape::Pointer(inner) => match value {
            Some(value) => untyped(out, inner, Some(value)),
            None => out.push_str("<nil>"),
        },
        Shape::Text => out.push_str(value.and_then(Value::as_str).unwrap_or_default()),
        Shape::Bool => out.push_str(if value.and_then(Value::as_bool) == Some(true) { "true" } else { "false" }),
        Shape::Int | Shape::Float => {
            let number = value.map_or_else(|| "0".to_owned(), to_json);
            out.push_str(&number);
        }
        Shape::Struct(place) => structure(out, *place, value),
        // What comes from storage has no empty lists and maps.
        Shape::List(inner) => match value.filter(|value| !empty(value)).and_then(Value::as_list) {
            Some(items) => list(out, inner, items),
            None => out.push_str("<nil>"),
        },
        Shape::Map(inner) => match value.filter(|value| !empty(value)).and_then(Value::as_map) {
            Some(entries) => map(out, inner, entries),
            None => out.push_str("<nil>"),
        },
        Shape::Quantity => quantity(out, value.map_or_else(|| "0".to_owned(), crate::printers::plain).as_str()),
        Shape::IntOrString => int_or_string(out, value),
        // A template is created at no time.
        Shape::Time => out.push_str("{Time:(time.Time){wall:(uint64)0 ext:(int64)0 loc:(*time.Location)<nil>}}"),
        Shape::Bytes | Shape::Texts | Shape::MicroTime | Shape::Duration | Shape::Raw | Shape::FieldsV1 => {
            out.push_str("<nil>")
        }
    }
}

fn list(out: &mut String, shape: &Shape, items: &[Value]) {
    out.push('[');
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            out.push(' ');
        }
        untyped(out, shape, Some(item));
    }
    out.push(']');
}

fn map(out: &mut String, shape: &Shape, entries: &Map) {
    let mut sorted: Vec<(&str, &Value)> = entries.iter().map(|(key, value)| (&**key, value)).collect();
    sorted.sort_unstable_by_key(|(key, _)| *key);
    out.push_str("map[");
    for (place, (key, value)) in sorted.into_iter().enumerate() {
        if place > 0 {
            out.push(' ');
        }
        out.push_str(key);
        out.push(':');
        untyped(out, shape, Some(value));
    }
    out.push(']');
}

fn int_or_string(out: &mut String, value: Option<&Value>) {
    let (kind, number, text) = match value {
        Some(Value::Text(text)) => (1, 0, text.to_string()),
        Some(value) => (0, value.as_i64().unwrap_or_default(), String::new()),
        None => (0, 0, String::new()),
    };
    out.push_str(&format!("{{Type:(intstr.Type){kind} IntVal:(int32){number} StrVal:(string){text}}}"));
}

/// Prints a quantity as `resource.ParseQuantity` leaves it: the text is kept where it is known to be canonical.
fn quantity(out: &mut String, text: &str) {
    let (number, suffix) =
        text.split_at(text.find(|c: char| !matches!(c, '0'..='9' | '.' | '-' | '+')).unwrap_or(text.len()));
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{}{part}", whole.trim_start_matches(['-', '+']));
    let decimal = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"].iter().position(|known| *known == suffix);
    let binary = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].iter().position(|known| *known == suffix);
    let sign = if number.starts_with('-') { -1 } else { 1 };
    let value: i64 = digits.parse::<i64>().unwrap_or_default() * sign;
    let shift = |place: usize| i64::try_from(place).unwrap_or_default();
    let part_length = shift(part.len());
    let (amount, scale, format, canonical) = match (decimal, binary) {
        _ if text == "0" => (0, 0, "DecimalSI", true),
        (None, Some(place)) => (value.saturating_mul(1 << (10 * (place + 1))), 0, "BinarySI", value & 7 != 0),
        (decimal, _) => {
            // What is none of the suffixes is an exponent: e3.
            let exponent = suffix.trim_start_matches(['e', 'E']).parse().unwrap_or_default();
            let scale = decimal.map_or(exponent, |place| shift(place) * 3 - 9) - part_length;
            let canonical = scale % 3 == 0 && !digits.ends_with("000") && !digits.starts_with('0');
            (value, scale, if decimal.is_some() { "DecimalSI" } else { "DecimalExponent" }, canonical)
        }
    };
    let kept = if canonical { text } else { "" };
    out.push_str(&format!(
        "{{i:(resource.int64Amount){{value:(int64){amount} scale:(resource.Scale){scale}}} d:(resource.infDecAmount){{Dec:(*inf.Dec)<nil>}} s:(string){kept} Format:(resource.Format){format}}}"
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(labels: &str, spec: &str, container: &str) -> Value {
        let defaults =
            r#""resources":{},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File""#;
        let text = format!(
            r#"{{"metadata":{{"labels":{labels}}},"spec":{{"containers":[{{"name":"c",{container},{defaults}}}],"restartPolicy":"Always",
            "terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst",{spec}"securityContext":{{}},"schedulerName":"default-scheduler"}}}}"#
        );
        lockstep_object::from_json(text.as_bytes()).unwrap()
    }

    #[test]
    fn templates_hash_as_the_deployment_controller_of_1_36_does() {
        let node = r#""nodeName":"kwok-0","#;
        let always = r#""image":"nginx","imagePullPolicy":"Always""#;
        let tagged = r#""image":"nginx:2","imagePullPolicy":"IfNotPresent""#;
        for (labels, spec, container, expect) in
            [(r#"{"app":"web","x":"y"}"#, node, always, "d4fd4d84c"), (r#"{"app":"a"}"#, node, tagged, "564f5f95f7")]
        {
            assert_eq!(template_hash(&template(labels, spec, container)), expect, "{labels} {container}");
        }
    }

    #[test]
    fn revisions_hash_as_the_stateful_set_controller_of_1_36_does() {
        let mut template =
            template(r#"{"app":"a"}"#, r#""nodeName":"kwok-0","#, r#""image":"nginx","imagePullPolicy":"Always""#);
        template.as_map_mut().unwrap().insert("$patch", "replace");
        let data = Value::Map(crate::build::map! { "spec" => crate::build::map! { "template" => template } });
        assert_eq!(revision_hash(&data), "844ff86bf");
    }

    #[test]
    fn quantities_print_as_go_parses_them() {
        for (text, expect) in [
            (
                "100m",
                "value:(int64)100 scale:(resource.Scale)-3} d:(resource.infDecAmount){Dec:(*inf.Dec)<nil>} s:(string)100m Format:(resource.Format)DecimalSI}",
            ),
            (
                "128Mi",
                "value:(int64)134217728 scale:(resource.Scale)0} d:(resource.infDecAmount){Dec:(*inf.Dec)<nil>} s:(string) Format:(resource.Format)BinarySI}",
            ),
            (
                "0",
                "value:(int64)0 scale:(resource.Scale)0} d:(resource.infDecAmount){Dec:(*inf.Dec)<nil>} s:(string)0 Format:(resource.Format)DecimalSI}",
            ),
        ] {
            let mut out = String::new();
            quantity(&mut out, text);
            assert_eq!(out, format!("{{i:(resource.int64Amount){{{expect}"), "{text}");
        }
    }
}
