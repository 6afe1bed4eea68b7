//! What a request asks for: path, query and headers taken apart.

use std::sync::OnceLock;

use bytes::Bytes;
use http::HeaderMap;

/// A request in full; the body is read.
#[derive(Clone, Debug)]
pub struct Request {
    /// The HTTP method, also one that HTTP does not know.
    pub method: String,
    /// The path as sent.
    pub path: String,
    /// The query as sent, without the question mark.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, unpacked.
    pub body: Bytes,
    /// The user that the client's certificate names, if it sent one that our CA signed.
    pub certificate: Option<crate::access::User>,
    /// Path and query taken apart, when somebody first asked.
    pub(crate) parsed: OnceLock<(Target, Query)>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn query(&self) -> &Query {
        &self.parsed().1
    }

    /// What the path means.
    pub(crate) fn target(&self) -> &Target {
        &self.parsed().0
    }

    fn parsed(&self) -> &(Target, Query) {
        self.parsed.get_or_init(|| (target(&self.path), Query(parse_query(&self.query))))
    }
}

/// The parameters of a query.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Reads a boolean as `runtime.Convert_Slice_string_To_bool` does: present and not `0` or `false` is true.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| !matches!(value.to_lowercase().as_str(), "0" | "false"))
    }
}

fn parse_query(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key, true), decode(value, true))
        })
        .collect()
}

/// Undoes percent-encoding; what is no UTF-8 afterwards is replaced.
pub(crate) fn decode(text: &str, plus: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut place = 0;
    while place < bytes.len() {
        let hex = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match bytes[place] {
            b'+' if plus => out.push(b' '),
            b'%' => match (hex(place + 1), hex(place + 2)) {
                (Some(high), Some(low)) => {
                    out.push((high * 16 + low) as u8);
                    place += 2;
                }
                _ => out.push(b'%'),
            },
            byte => out.push(byte),
        }
        place += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// A path below `/api/v1` or `/apis/<group>/<version>`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ResourcePath {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) namespace: Option<String>,
    pub(crate) resource: String,
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<String>,
    /// What follows the subresource.
    pub(crate) rest: Vec<String>,
    /// The old prefix `/watch/`.
    pub(crate) watch: bool,
}

/// What a path means.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Target {
    /// A resource.
    Resource(ResourcePath),
    /// `/api/v1` or `/apis/apps/v1`: the list of resources; group and version.
    Version(String, String),
    /// `/apis/apps`.
    Group(String),
    /// Anything else.
    Other,
}

/// Takes a path apart.
fn target(path: &str) -> Target {
    let segments: Vec<String> = path.trim_start_matches('/').split('/').map(|part| decode(part, false)).collect();
    let mut parts: &[String] = &segments;
    if parts.last().is_some_and(String::is_empty) {
        parts = &parts[..parts.len() - 1];
    }
    if path.starts_with("//") {
        return Target::Other;
    }
    let words: Vec<&str> = parts.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["api", "v1"] => Target::Version(String::new(), "v1".into()),
        ["api", "v1", rest @ ..] => resource_path("", "v1", rest),
        ["apis", group] if !group.is_empty() => Target::Group((*group).into()),
        ["apis", group, version] if !group.is_empty() => Target::Version((*group).into(), (*version).into()),
        ["apis", group, version, rest @ ..] if !group.is_empty() => resource_path(group, version, rest),
        _ => Target::Other,
    }
}

fn resource_path(group: &str, version: &str, parts: &[&str]) -> Target {
    let mut path = ResourcePath { group: group.into(), version: version.into(), ..ResourcePath::default() };
    let mut parts = parts;
    if let ["watch", rest @ ..] = parts
        && !rest.is_empty()
    {
        path.watch = true;
        parts = rest;
    }
    match parts {
        ["namespaces", namespace, sub @ ("status" | "finalize"), rest @ ..] if group.is_empty() => {
            path.resource = "namespaces".into();
            path.name = Some((*namespace).into());
            path.subresource = Some((*sub).into());
            path.rest = rest.iter().map(|part| (*part).to_owned()).collect();
        }
        ["namespaces", namespace, resource, rest @ ..] => {
            path.namespace = Some((*namespace).into());
            fill(&mut path, resource, rest);
        }
        [resource, rest @ ..] => fill(&mut path, resource, rest),
        [] => return Target::Other,
    }
    Target::Resource(path)
}

fn fill(path: &mut ResourcePath, resource: &str, rest: &[&str]) {
    path.resource = resource.into();
    path.name = rest.first().map(|name| (*name).to_owned());
    path.subresource = rest.get(1).map(|name| (*name).to_owned());
    path.rest = rest.iter().skip(2).map(|part| (*part).to_owned()).collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expect: (&str, Option<&str>, &str, Option<&str>, Option<&str>)) {
        let Target::Resource(got) = target(path) else { panic!("{path} is no resource") };
        let got = (got.group, got.namespace, got.resource, got.name, got.subresource);
        let own = |text: Option<&str>| text.map(str::to_owned);
        assert_eq!(
            got,
            (expect.0.to_owned(), own(expect.1), expect.2.to_owned(), own(expect.3), own(expect.4)),
            "{path}"
        );
    }

    #[test]
    fn paths_are_taken_apart() {
        check("/api/v1/namespaces/a/pods/b/log", ("", Some("a"), "pods", Some("b"), Some("log")));
        check("/api/v1/namespaces/a", ("", None, "namespaces", Some("a"), None));
        check("/api/v1/namespaces/a/finalize", ("", None, "namespaces", Some("a"), Some("finalize")));
        check("/apis/apps/v1/deployments", ("apps", None, "deployments", None, None));
        check("/api/v1/namespaces/n/configmaps/a%2Eb/", ("", Some("n"), "configmaps", Some("a.b"), None));
        assert_eq!(target("/apis/apps"), Target::Group("apps".into()));
        assert_eq!(target("/healthz"), Target::Other);
        assert_eq!(target("//api/v1/pods"), Target::Other);
    }
}
