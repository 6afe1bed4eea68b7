//! The forms of repository URLs, and when two of them mean the same repository.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;

use crate::{Error, ErrorKind, Result};

/// How a repository is reached.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Location {
    /// A folder of this machine.
    Local(PathBuf),
    /// The smart HTTP protocol. Credentials that stood in the URL are taken out of it.
    Http { url: String, user: Option<String>, password: Option<String> },
    /// The system's `ssh` program.
    Ssh { user: Option<String>, host: String, port: Option<u16>, path: String },
}

/// The pieces of `scheme://user:password@host:port/path`.
struct Parts<'a> {
    scheme: String,
    userinfo: Option<&'a str>,
    host: &'a str,
    port: Option<u16>,
    path: &'a str,
}

/// Recognises the form of a URL.
pub(crate) fn locate(url: &str) -> Result<Location> {
    let url = url.trim();
    let bad = |why: &str| Error::new(ErrorKind::BadUrl, format!("{:?} is not a repository URL: {why}", redact(url)));
    if url.is_empty() || url.contains(['\0', '\n', '\r']) {
        return Err(bad("it is empty or has control characters"));
    }
    if let Some(path) = url.strip_prefix("file://") {
        let path = path.strip_prefix("localhost").unwrap_or(path);
        return if path.starts_with('/') {
            Ok(Location::Local(decode(path).into()))
        } else {
            Err(bad("file:// wants an absolute path"))
        };
    }
    if url.contains("://") {
        let parts = split(url).ok_or_else(|| bad("it has no host"))?;
        return match parts.scheme.as_str() {
            "http" | "https" => Ok(http(&parts)),
            "ssh" | "git+ssh" | "ssh+git" => {
                ssh(&parts).ok_or_else(|| bad("host and path must be there and not start with a dash"))
            }
            other => Err(bad(&format!("the scheme {other:?} is not supported"))
                .hint("use a folder, https://, http://, ssh:// or user@host:path")),
        };
    }
    if let Some((user, host, path)) = scp_like(url) {
        if host.starts_with('-') || path.starts_with('-') || path.is_empty() {
            return Err(bad("host and path must be there and not start with a dash"));
        }
        return Ok(Location::Ssh {
            user: user.map(str::to_owned),
            host: host.to_owned(),
            port: None,
            path: path.to_owned(),
        });
    }
    Ok(Location::Local(url.into()))
}

/// Splits `user@host:path`. What has a slash before the colon is a path, as Git reads it.
fn scp_like(url: &str) -> Option<(Option<&str>, &str, &str)> {
    let (front, path) = url.split_once(':')?;
    if front.contains('/') || front.is_empty() || front.starts_with('.') {
        return None;
    }
    Some(match front.rsplit_once('@') {
        Some((user, host)) => (Some(user), host, path),
        None => (None, front, path),
    })
}

fn split(url: &str) -> Option<Parts<'_>> {
    let (scheme, rest) = url.split_once("://")?;
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let (userinfo, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
    let ends_in_port = |(_, port): &(&str, &str)| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let (host, port) = match host.rsplit_once(':').filter(ends_in_port) {
        Some((host, port)) => (host, Some(port.parse().ok()?)),
        None => (host.strip_suffix(':').unwrap_or(host), None),
    };
    (!host.is_empty()).then(|| Parts { scheme: scheme.to_ascii_lowercase(), userinfo, host, port, path })
}

fn http(parts: &Parts<'_>) -> Location {
    let (user, password) = match parts.userinfo.map(|info| info.split_once(':').unwrap_or((info, ""))) {
        Some((user, "")) => (Some(decode(user)), None),
        Some((user, password)) => (Some(decode(user)), Some(decode(password))),
        None => (None, None),
    };
    let port = parts.port.map(|port| format!(":{port}")).unwrap_or_default();
    let path = parts.path.split(['?', '#']).next().unwrap_or("").trim_end_matches('/');
    Location::Http { url: format!("{}://{}{port}{path}", parts.scheme, parts.host), user, password }
}

fn ssh(parts: &Parts<'_>) -> Option<Location> {
    let path = decode(parts.path);
    let path = path.strip_prefix("/~").map_or(path.clone(), |rest| format!("~{rest}"));
    let user = parts.userinfo.map(|info| decode(info.split(':').next().unwrap_or(info)));
    let dashed = parts.host.starts_with('-') || user.as_ref().is_some_and(|user| user.starts_with('-'));
    let host = parts.host.trim_start_matches('[').trim_end_matches(']').to_owned();
    (!dashed && path.len() > 1).then_some(Location::Ssh { user, host, port: parts.port, path })
}

/// Returns the host that credentials belong to.
pub(crate) fn host(location: &Location) -> Option<String> {
    match location {
        Location::Local(_) => None,
        Location::Http { url, .. } => split(url).map(|parts| parts.host.to_ascii_lowercase()),
        Location::Ssh { host, .. } => Some(host.to_ascii_lowercase()),
    }
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Returns the URL without user and password, for messages and file names.
pub fn redact(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let end = rest.find('/').unwrap_or(rest.len());
            let host = rest[..end].rsplit_once('@').map_or(&rest[..end], |(_, host)| host);
            format!("{scheme}://{host}{}", &rest[end..])
        }
        None => url.to_owned(),
    }
}

/// Tells whether two URLs mean the same repository: scheme, user, default port, letter case of the host,
/// a final `.git` and slashes do not count. A webhook names a repository in one form, an app in another.
pub fn same_repository(left: &str, right: &str) -> bool {
    canonical(left) == canonical(right)
}

fn canonical(url: &str) -> String {
    let trim = |path: &str| path.trim_matches('/').trim_end_matches(".git").trim_end_matches('/').to_owned();
    match locate(url) {
        Ok(Location::Http { url, .. }) => {
            let Some(parts) = split(&url) else { return url };
            let port = parts.port.filter(|port| !matches!(port, 80 | 443)).map(|port| format!(":{port}"));
            format!("{}{}/{}", parts.host.to_ascii_lowercase(), port.unwrap_or_default(), trim(&decode(parts.path)))
        }
        // An ssh port tells nothing about the repository: the same server has another one for https.
        Ok(Location::Ssh { host, path, .. }) => format!("{}/{}", host.to_ascii_lowercase(), trim(&path)),
        Ok(Location::Local(path)) => format!("file:///{}", trim(&path.to_string_lossy())),
        Err(_) => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_url_is_recognised() {
        let ssh = |user: &str, host: &str, port, path: &str| Location::Ssh {
            user: (!user.is_empty()).then(|| user.to_owned()),
            host: host.into(),
            port,
            path: path.into(),
        };
        let http = |url: &str, user: Option<&str>, password: Option<&str>| Location::Http {
            url: url.into(),
            user: user.map(str::to_owned),
            password: password.map(str::to_owned),
        };
        let cases = [
            ("/srv/repo", Location::Local("/srv/repo".into())),
            ("./repo:x", Location::Local("./repo:x".into())),
            ("file:///srv/my%20repo.git", Location::Local("/srv/my repo.git".into())),
            ("https://host/a/b.git/", http("https://host/a/b.git", None, None)),
            ("HTTPS://me:p%40ss@host:8443/a", http("https://host:8443/a", Some("me"), Some("p@ss"))),
            ("git@host:a/b.git", ssh("git", "host", None, "a/b.git")),
            ("ssh://git@host:2222/a/b.git", ssh("git", "host", Some(2222), "/a/b.git")),
            ("ssh://host/~me/b.git", ssh("", "host", None, "~me/b.git")),
        ];
        for (url, expect) in cases {
            assert_eq!(locate(url).unwrap(), expect, "{url}");
        }
    }

    #[test]
    fn urls_that_could_become_options_or_unknown_schemes_are_refused() {
        for url in
            ["", "ssh://-oProxyCommand=x/a", "git@-x:a", "git@host:-a", "ftp://host/a", "https:///a", "file://relative"]
        {
            assert_eq!(locate(url).unwrap_err().kind(), ErrorKind::BadUrl, "{url}");
        }
    }

    #[test]
    fn variants_of_one_repository_are_equal() {
        let variants = [
            "https://Host.example/org/repo.git",
            "https://user:pw@host.example/org/repo",
            "http://host.example:80/org/repo/",
            "git@host.example:org/repo.git",
            "ssh://git@host.example:2222/org/repo",
        ];
        for variant in variants {
            assert!(same_repository(variants[0], variant), "{variant}");
        }
        for other in ["https://host.example/org/repo2", "https://host.example:8080/org/repo", "/org/repo"] {
            assert!(!same_repository(variants[0], other), "{other}");
        }
        assert!(same_repository("/srv/a.git", "file:///srv/a"));
    }

    #[test]
    fn credentials_are_taken_out_of_urls() {
        assert_eq!(redact("https://me:secret@host/a"), "https://host/a");
    }
}
