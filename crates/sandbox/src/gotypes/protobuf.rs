//! Bodies in Kubernetes' protobuf become JSON at the door, so that the server knows one form only.
//!
//! kubectl's typed commands (`create deployment`, `create token`, `auth can-i`) and controllers of
//! controller-runtime send them. Answers are JSON, which those clients accept beside protobuf.

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::{SignedDuration, Timestamp};
use lockstep_object::{List, Map, Value, from_json, to_json};

use super::{Field, Shape, TYPES};
use crate::moment::{micro_text, time_text};

/// What every body in protobuf begins with.
const MAGIC: &[u8] = b"k8s\0";
/// How deep messages may nest: more than any kind does.
const DEPTH: usize = 64;

/// Why a body cannot be read.
type Broken = &'static str;

/// Turns a body in protobuf into JSON.
///
/// # Errors
/// Says why if it is none, or of a kind that has no form in protobuf.
pub(crate) fn to_json_body(body: &[u8]) -> Result<Vec<u8>, String> {
    let message = body.strip_prefix(MAGIC).ok_or("provided data does not appear to be a protobuf message")?;
    let (mut api_version, mut kind, mut raw): (&str, &str, &[u8]) = ("", "", &[]);
    for part in Parts(message) {
        match part? {
            (1, Wire::Bytes(meta)) => {
                for part in Parts(meta) {
                    match part? {
                        (1, wire) => api_version = wire.text()?,
                        (2, wire) => kind = wire.text()?,
                        _ => {}
                    }
                }
            }
            (2, Wire::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let place = TYPES
        .of_kind(api_version, kind)
        .ok_or_else(|| format!("no kind \"{kind}\" is registered for version \"{api_version}\" in protobuf"))?;
    let mut object = Map::new();
    object.insert("apiVersion", api_version);
    object.insert("kind", kind);
    for (key, value) in structure(place, raw, DEPTH)?.iter() {
        object.insert(key, value.clone());
    }
    Ok(to_json(&Value::Map(object)).into_bytes())
}

/// A value as it is on the wire.
#[derive(Clone, Copy)]
enum Wire<'a> {
    Number(u64),
    Fixed(u64),
    Bytes(&'a [u8]),
}

impl<'a> Wire<'a> {
    fn bytes(self) -> Result<&'a [u8], Broken> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err("a field has the wrong wire type"),
        }
    }

    fn text(self) -> Result<&'a str, Broken> {
        std::str::from_utf8(self.bytes()?).map_err(|_| "a string is not UTF-8")
    }

    fn number(self) -> Result<i64, Broken> {
        match self {
            // Signed numbers are sent as they are in memory.
            Self::Number(number) => Ok(number.cast_signed()),
            _ => Err("a field has the wrong wire type"),
        }
    }
}

/// Walks the fields of a message.
struct Parts<'a>(&'a [u8]);

impl<'a> Parts<'a> {
    fn varint(&mut self) -> Result<u64, Broken> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first().ok_or("a message ends early")?;
            self.0 = rest;
            number |= u64::from(byte & 0x7F) << shift;
            if *byte < 0x80 {
                return Ok(number);
            }
        }
        Err("a number is too long")
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Broken> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or("a message ends early")?;
        self.0 = rest;
        Ok(taken)
    }

    fn part(&mut self) -> Result<(u64, Wire<'a>), Broken> {
        let key = self.varint()?;
        let wire = match key & 7 {
            0 => Wire::Number(self.varint()?),
            1 => Wire::Fixed(self.take(8)?.try_into().map(u64::from_le_bytes).map_err(|_| "a message ends early")?),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| "a field is too long")?;
                Wire::Bytes(self.take(length)?)
            }
            5 => Wire::Fixed(
                self.take(4)?
                    .try_into()
                    .map(|four| u64::from(u32::from_le_bytes(four)))
                    .map_err(|_| "a message ends early")?,
            ),
            _ => return Err("an unknown wire type"),
        };
        Ok((key >> 3, wire))
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Result<(u64, Wire<'a>), Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let part = self.part();
        if part.is_err() {
            self.0 = &[];
        }
        Some(part)
    }
}

fn structure(place: usize, bytes: &[u8], depth: usize) -> Result<Map, Broken> {
    let depth = depth.checked_sub(1).ok_or("messages nest too deep")?;
    let known = TYPES.structure(place).ok_or("an unknown type")?;
    let mut out = Map::new();
    for part in Parts(bytes) {
        let (number, wire) = part?;
        let Some(field) = known.fields.iter().find(|field| field.number == number && number != 0) else { continue };
        if field.inline {
            let Shape::Struct(inner) = unpointed(&field.shape) else { continue };
            for (key, value) in structure(*inner, wire.bytes()?, depth)?.iter() {
                out.insert(key, value.clone());
            }
            continue;
        }
        add(&mut out, field, wire, depth)?;
    }
    Ok(out)
}

fn unpointed(shape: &Shape) -> &Shape {
    match shape {
        Shape::Pointer(inner) => inner,
        other => other,
    }
}

/// Puts what a field brings into a map, as Go's JSON would show it.
fn add(out: &mut Map, field: &Field, wire: Wire<'_>, depth: usize) -> Result<(), Broken> {
    match &field.shape {
        Shape::List(inner) => {
            let mut list = out.get(field.json).and_then(Value::as_list).cloned().unwrap_or_default();
            list.push(single(inner, wire, depth)?);
            out.insert(field.json, Value::List(list));
        }
        Shape::Map(inner) => {
            let (mut key, mut value) = ("", None);
            for part in Parts(wire.bytes()?) {
                match part? {
                    (1, wire) => key = wire.text()?,
                    (2, wire) => value = Some(single(inner, wire, depth)?),
                    _ => {}
                }
            }
            // An empty value may be left out on the wire.
            let value = match value {
                Some(value) => value,
                None if **inner == Shape::Text || **inner == Shape::Bytes => "".into(),
                None => single(inner, Wire::Bytes(&[]), depth)?,
            };
            out.map_entry(field.json).insert(key, value);
        }
        Shape::Pointer(inner) => {
            let value = single(inner, wire, depth)?;
            out.insert(field.json, value);
        }
        shape => {
            let value = single(shape, wire, depth)?;
            let keeps_zero = !field.omit_empty && !matches!(shape, Shape::Struct(_));
            if !value.is_null() && (keeps_zero || !is_zero(&value)) {
                out.insert(field.json, value);
            }
        }
    }
    Ok(())
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) | Value::Int(0) => true,
        Value::Text(text) => text.is_empty(),
        Value::Map(map) => map.is_empty(),
        Value::List(list) => list.is_empty(),
        _ => false,
    }
}

fn single(shape: &Shape, wire: Wire<'_>, depth: usize) -> Result<Value, Broken> {
    Ok(match shape {
        Shape::Pointer(inner) => single(inner, wire, depth)?,
        Shape::Text => wire.text()?.into(),
        Shape::Bool => (wire.number()? != 0).into(),
        Shape::Int => wire.number()?.into(),
        Shape::Float => match wire {
            Wire::Fixed(bits) => f64::from_bits(bits).into(),
            _ => return Err("a field has the wrong wire type"),
        },
        Shape::Bytes => BASE64_STANDARD.encode(wire.bytes()?).into(),
        Shape::Struct(place) => Value::Map(structure(*place, wire.bytes()?, depth)?),
        Shape::Texts => {
            let mut list = List::new();
            for part in Parts(wire.bytes()?) {
                list.push(part?.1.text()?);
            }
            Value::List(list)
        }
        Shape::Time => instant(wire)?.map_or(Value::Null, |time| time_text(time).into()),
        Shape::MicroTime => instant(wire)?.map_or(Value::Null, |time| micro_text(time).into()),
        Shape::Duration => {
            let nanos = numbers(wire, [1, 0])?[0];
            format!("{}ms", SignedDuration::from_nanos(nanos).as_millis()).into()
        }
        Shape::Quantity => first(wire, 1)?.map_or(Ok("0"), Wire::text)?.into(),
        Shape::IntOrString => {
            let [kind, number] = numbers(wire, [1, 2])?;
            if kind == 0 { number.into() } else { first(wire, 3)?.map_or(Ok(""), Wire::text)?.into() }
        }
        Shape::Raw | Shape::FieldsV1 => {
            let raw = first(wire, 1)?.map_or(Ok(&[][..]), Wire::bytes)?;
            if raw.is_empty() { Value::Null } else { from_json(raw).map_err(|_| "raw JSON that cannot be read")? }
        }
        Shape::List(_) | Shape::Map(_) => return Err("a list inside a list"),
    })
}

/// Returns the last field of that number in a message.
fn first<'a>(wire: Wire<'a>, number: u64) -> Result<Option<Wire<'a>>, Broken> {
    let mut found = None;
    for part in Parts(wire.bytes()?) {
        let (known, wire) = part?;
        if known == number {
            found = Some(wire);
        }
    }
    Ok(found)
}

/// Returns two numbers of a message, 0 for what is not there.
fn numbers(wire: Wire<'_>, fields: [u64; 2]) -> Result<[i64; 2], Broken> {
    let one = |field| first(wire, field)?.map_or(Ok(0), Wire::number);
    Ok([one(fields[0])?, one(fields[1])?])
}

/// Reads seconds and nanoseconds since 1970; none if both are 0, as Go does.
fn instant(wire: Wire<'_>) -> Result<Option<Timestamp>, Broken> {
    let [seconds, nanos] = numbers(wire, [1, 2])?;
    if (seconds, nanos) == (0, 0) {
        return Ok(None);
    }
    let nanos = i32::try_from(nanos).map_err(|_| "a time out of range")?;
    Timestamp::new(seconds, nanos).map(Some).map_err(|_| "a time out of range")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2, u8::try_from(bytes.len()).unwrap()];
        out.extend_from_slice(bytes);
        out
    }

    fn body(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
        let meta = [field(1, api_version.as_bytes()), field(2, kind.as_bytes())].concat();
        [MAGIC.to_vec(), field(1, &meta), field(2, raw)].concat()
    }

    #[test]
    fn a_config_map_is_read() {
        // As kubectl 1.32 sends `create configmap a --from-literal=k=v`: empty fields are written out.
        let metadata =
            [field(1, b"a"), field(2, b""), field(8, b""), field(11, &[field(1, b"l"), field(2, b"x")].concat())];
        let data = [field(1, b"k"), field(2, b"v")].concat();
        let raw = [field(1, &metadata.concat()), field(2, &data)].concat();
        let json = to_json_body(&body("v1", "ConfigMap", &raw)).unwrap();
        let expect =
            r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","labels":{"l":"x"}},"data":{"k":"v"}}"#;
        assert_eq!(String::from_utf8(json).unwrap(), expect);
    }

    #[test]
    fn what_is_broken_is_refused_at_any_place() {
        let metadata = [field(1, b"a"), field(8, &[8, 1])].concat();
        let whole = body("v1", "Secret", &[field(1, &metadata), field(2, &field(1, b"k"))].concat());
        assert!(to_json_body(&whole).is_ok());
        for length in 0..whole.len() {
            // A cut is an error or a smaller message, never a panic.
            let _cut = to_json_body(&whole[..length]);
            let mut changed = whole.clone();
            changed[length] = changed[length].wrapping_add(101);
            let _changed = to_json_body(&changed);
        }
        assert!(to_json_body(b"{}").is_err());
        assert!(to_json_body(&body("v1", "Nothing", b"")).unwrap_err().contains("Nothing"));
    }
}
