//! URLs, as Go's `net/url` takes them apart and writes them.

use super::{NIL_POINTER, Result, add, args};
use crate::{
    fmt::quote,
    functions::Functions,
    types::Type,
    value::{Map, Value},
};

pub(super) fn register(f: &mut Functions) {
    add(f, &["urlParse"], &[Type::Str], |_, a| {
        let text = args::text(a, 0).to_text().into_owned();
        let url = parse(&text).map_err(|error| format!("unable to parse url: {error}"))?;
        Ok(Value::Map(url.to_map()))
    });
    add(f, &["urlJoin"], &[Type::MAP], |_, a| join(&args::map(a, 0)));
}

#[derive(Default)]
struct Url {
    scheme: String,
    opaque: String,
    user: Option<String>,
    host: String,
    path: Vec<u8>,
    query: String,
    fragment: Vec<u8>,
    omit_host: bool,
}

/// The parts of a URL, which escape differently.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Path,
    Host,
    User,
    Fragment,
}

fn parse(text: &str) -> std::result::Result<Url, String> {
    let (body, fragment) = text.split_once('#').unwrap_or((text, ""));
    let mut url = parse_body(body).map_err(|error| format!("parse {}: {error}", quote(body)))?;
    url.fragment = unescape(fragment, Part::Fragment).map_err(|error| format!("parse {}: {error}", quote(text)))?;
    Ok(url)
}

fn parse_body(text: &str) -> std::result::Result<Url, String> {
    if text.bytes().any(|b| b < b' ' || b == 0x7f) {
        return Err("net/url: invalid control character in URL".to_owned());
    }
    let mut url = Url::default();
    if text == "*" {
        url.path = b"*".to_vec();
        return Ok(url);
    }
    let (scheme, rest) = split_scheme(text)?;
    url.scheme = scheme.to_ascii_lowercase();
    let (mut rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    url.query = query.to_owned();
    if !rest.starts_with('/') {
        if !url.scheme.is_empty() {
            url.opaque = rest.to_owned();
            return Ok(url);
        }
        if rest.split('/').next().is_some_and(|segment| segment.contains(':')) {
            return Err("first path segment in URL cannot contain colon".to_owned());
        }
    }
    if (!url.scheme.is_empty() || !rest.starts_with("///")) && rest.starts_with("//") {
        let authority = &rest[2..];
        let end = authority.find('/').unwrap_or(authority.len());
        rest = &authority[end..];
        url.authority(&authority[..end])?;
    } else if !url.scheme.is_empty() && rest.starts_with('/') {
        url.omit_host = true;
    }
    url.path = unescape(rest, Part::Path)?;
    Ok(url)
}

fn split_scheme(text: &str) -> std::result::Result<(&str, &str), String> {
    for (i, byte) in text.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if i > 0 => {}
            b':' if i == 0 => return Err("missing protocol scheme".to_owned()),
            b':' => return Ok((&text[..i], &text[i + 1..])),
            _ => break,
        }
    }
    Ok(("", text))
}

fn valid_port(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
}

fn host(text: &str) -> std::result::Result<String, String> {
    let port = if text.starts_with('[') {
        let end = text.rfind(']').ok_or("missing ']' in host")?;
        &text[end + 1..]
    } else {
        text.rfind(':').map_or("", |at| &text[at..])
    };
    if !valid_port(port) {
        return Err(format!("invalid port {} after host", quote(port)));
    }
    unescape(text, Part::Host).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

impl Url {
    fn authority(&mut self, text: &str) -> std::result::Result<(), String> {
        let Some(at) = text.rfind('@') else {
            self.host = host(text)?;
            return Ok(());
        };
        self.host = host(&text[at + 1..])?;
        let info = &text[..at];
        let valid = |c: char| c.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(c);
        if !info.chars().all(valid) {
            return Err("net/url: invalid userinfo".to_owned());
        }
        let parts: std::result::Result<Vec<String>, String> = info
            .splitn(2, ':')
            .map(|part| unescape(part, Part::User).map(|bytes| escaped(&bytes, Part::User)))
            .collect();
        self.user = Some(parts?.join(":"));
        Ok(())
    }

    fn hostname(&self) -> &str {
        let name = match self.host.rfind(':') {
            Some(at) if valid_port(&self.host[at..]) => &self.host[..at],
            _ => &self.host,
        };
        name.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(name)
    }

    fn to_map(&self) -> Map {
        [
            ("scheme", Value::from(self.scheme.as_str())),
            ("host", self.host.as_str().into()),
            ("hostname", self.hostname().into()),
            ("path", Value::Str(self.path.clone().into())),
            ("query", self.query.as_str().into()),
            ("opaque", self.opaque.as_str().into()),
            ("fragment", Value::Str(self.fragment.clone().into())),
            ("userinfo", self.user.clone().unwrap_or_default().into()),
        ]
        .into_iter()
        .collect()
    }

    fn text(&self) -> String {
        let mut out = String::new();
        if !self.scheme.is_empty() {
            out.push_str(&self.scheme);
            out.push(':');
        }
        if self.opaque.is_empty() {
            self.hierarchy(&mut out);
        } else {
            out.push_str(&self.opaque);
        }
        if !self.query.is_empty() {
            out.push('?');
            out.push_str(&self.query);
        }
        if !self.fragment.is_empty() {
            out.push('#');
            out.push_str(&escaped(&self.fragment, Part::Fragment));
        }
        out
    }

    fn hierarchy(&self, out: &mut String) {
        let named = !self.host.is_empty() || self.user.is_some();
        if named || !self.scheme.is_empty() && !self.omit_host {
            if named || !self.path.is_empty() {
                out.push_str("//");
            }
            if let Some(user) = &self.user {
                out.push_str(user);
                out.push('@');
            }
            out.push_str(&escaped(self.host.as_bytes(), Part::Host));
        }
        let path = if self.path == b"*" { "*".to_owned() } else { escaped(&self.path, Part::Path) };
        if !path.is_empty() && !path.starts_with('/') && !self.host.is_empty() {
            out.push('/');
        }
        if out.is_empty() && path.split('/').next().is_some_and(|segment| segment.contains(':')) {
            out.push_str("./");
        }
        out.push_str(&path);
    }
}

fn join(map: &Map) -> Result {
    let part = |key: &str| match map.get(key) {
        None => Ok(String::new()),
        Some(Value::Str(text)) => Ok(text.to_string()),
        Some(Value::Nil | Value::Invalid) => Err(NIL_POINTER.to_owned()),
        Some(other) => {
            Err(format!("unable to parse {key} key, must be of type string, but {} found", other.kind().name()))
        }
    };
    let mut url = Url {
        scheme: part("scheme")?,
        host: part("host")?,
        path: part("path")?.into_bytes(),
        query: part("query")?,
        opaque: part("opaque")?,
        fragment: part("fragment")?.into_bytes(),
        ..Url::default()
    };
    let user = part("userinfo")?;
    if !user.is_empty() {
        let parsed = parse(&format!("proto://{user}@host"))
            .map_err(|error| format!("unable to parse userinfo in dict: {error}"))?;
        url.user = parsed.user;
    }
    Ok(url.text().into())
}

/// Tells whether a byte is escaped in a part.
fn must_escape(byte: u8, part: Part) -> bool {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => false,
        b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b':' | b'[' | b']' | b'<'
        | b'>' | b'"'
            if part == Part::Host =>
        {
            false
        }
        b'$' | b'&' | b'+' | b',' | b'/' | b':' | b';' | b'=' | b'?' | b'@' => match part {
            Part::Path => byte == b'?',
            Part::User => matches!(byte, b'@' | b'/' | b'?' | b':'),
            Part::Fragment => false,
            Part::Host => true,
        },
        b'!' | b'(' | b')' | b'*' if part == Part::Fragment => false,
        _ => true,
    }
}

fn escaped(bytes: &[u8], part: Part) -> String {
    let mut out = String::with_capacity(bytes.len());
    for byte in bytes {
        if must_escape(*byte, part) {
            out.push_str(&format!("%{byte:02X}"));
        } else {
            out.push(char::from(*byte));
        }
    }
    out
}

fn unescape(text: &str, part: Part) -> std::result::Result<Vec<u8>, String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at).copied() {
        if byte == b'%' {
            let digits = text.get(at + 1..at + 3).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
            let code = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
            let allowed = code.filter(|code| part != Part::Host || *code >= 0x80 || *code == b'%');
            let Some(code) = allowed else {
                let shown = String::from_utf8_lossy(&bytes[at..bytes.len().min(at + 3)]).into_owned();
                return Err(format!("invalid URL escape {}", quote(&shown)));
            };
            out.push(code);
            at += 3;
            continue;
        }
        if part == Part::Host && byte.is_ascii() && must_escape(byte, part) {
            return Err(format!("invalid character {} in host name", quote(&char::from(byte).to_string())));
        }
        out.push(byte);
        at += 1;
    }
    Ok(out)
}
