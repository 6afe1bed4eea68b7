//! OpenAPI version 2 in protobuf, as far as clients read it.
//!
//! Helm and kubectl ask it whether `fieldValidation` is known for a kind that is not in version 3 yet: one of a
//! definition made a moment ago. So each kind has its path with a patch that knows the parameter, and nothing else.

use crate::{
    catalog::{Catalog, Resource},
    server::Reply,
};

/// What it is sent as: the name that clients ask for is none that Go's parser of media types takes.
const PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// Tells whether a client wants it in protobuf, by the new name or the old one.
pub(crate) fn is_wanted(accept: &str) -> bool {
    accept.contains("com.github.proto-openapi.spec.v2@v1.0+protobuf") || accept.contains(PROTOBUF)
}

/// Answers with the document.
pub(crate) fn reply(catalog: &Catalog) -> Reply {
    let mut paths = Vec::new();
    for resource in catalog.groups().flat_map(|group| &group.versions).flat_map(|version| &version.resources) {
        if resource.has_verb("patch") {
            field(&mut paths, 2, &path(resource));
        }
    }
    let mut info = Vec::new();
    field(&mut info, 1, b"Kubernetes");
    field(&mut info, 2, b"v1.36.3");
    let mut document = Vec::new();
    field(&mut document, 1, b"2.0");
    field(&mut document, 2, &info);
    field(&mut document, 8, &paths);
    Reply::bytes(200, PROTOBUF, document)
}

/// `NamedPathItem`: the path of one object with its patch.
fn path(resource: &Resource) -> Vec<u8> {
    let base =
        if resource.group.is_empty() { "/api/v1".to_owned() } else { format!("/apis/{}", resource.api_version()) };
    let namespace = if resource.namespaced { "/namespaces/{namespace}" } else { "" };
    let mut operation = Vec::new();
    // From the inside: the name in QueryParameterSubSchema, NonBodyParameter, Parameter, ParametersItem, Operation.
    let parameter = [4, 3, 2, 1].iter().fold(b"fieldValidation".to_vec(), |inner, number| {
        let mut out = Vec::new();
        field(&mut out, *number, &inner);
        out
    });
    field(&mut operation, 8, &parameter);
    let mut value = Vec::new();
    let kind = format!("group: {:?}\nkind: {:?}\nversion: {:?}\n", resource.group, resource.kind, resource.version);
    field(&mut value, 2, kind.as_bytes());
    let mut extension = Vec::new();
    field(&mut extension, 1, b"x-kubernetes-group-version-kind");
    field(&mut extension, 2, &value);
    field(&mut operation, 13, &extension);
    let mut item = Vec::new();
    field(&mut item, 8, &operation);
    let mut named = Vec::new();
    field(&mut named, 1, format!("{base}{namespace}/{}/{{name}}", resource.plural).as_bytes());
    field(&mut named, 2, &item);
    named
}

/// Appends a field that holds bytes.
fn field(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    out.push(number << 3 | 2);
    let mut length = bytes.len();
    while length >= 0x80 {
        out.push(u8::try_from(length & 0x7F).unwrap_or_default() | 0x80);
        length >>= 7;
    }
    out.push(u8::try_from(length).unwrap_or_default());
    out.extend_from_slice(bytes);
}
