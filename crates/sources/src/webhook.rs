//! Push events of Git hosts: who pushed what, read from a webhook's headers and body. Pure.
//!
//! What counts is only which repository shall be looked at: the news itself is then read from the repository.

use hmac::{Hmac, Mac};
use serde_json::Value;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::{Error, ErrorKind, Result};

/// A push, as a Git host tells it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Push {
    /// All URLs under which the repository may be known: web page, https, ssh.
    pub urls: Vec<String>,
    /// The full name of the branch or tag (`refs/heads/main`); none where several were pushed or the event is only a greeting.
    pub reference: Option<String>,
    /// The new commit; none where the branch was deleted or it is not told.
    pub commit: Option<String>,
}

/// The Git hosts whose events are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Host {
    GitHub,
    GitLab,
    Gitea,
    BitbucketCloud,
    BitbucketServer,
}

/// Reads a push event. `headers` are names and values as they came. With a secret, the event must prove that it knows it:
/// by an HMAC-SHA256 of the body (GitHub, Gitea, Bitbucket) or the token in its header (GitLab). Comparisons take equal time.
pub fn parse(headers: &[(String, String)], body: &[u8], secret: Option<&str>) -> Result<Push> {
    let header =
        |name: &str| headers.iter().find(|header| header.0.eq_ignore_ascii_case(name)).map(|header| header.1.trim());
    let (host, event) = host(&header).ok_or_else(|| {
        Error::new(ErrorKind::BadWebhook, "the request is not a webhook of GitHub, GitLab, Gitea or Bitbucket")
    })?;
    if let Some(secret) = secret {
        check(host, &header, body, secret)?;
    }
    if matches!(event, "ping" | "diagnostics:ping") {
        return Ok(Push::default());
    }
    if !matches!(
        event,
        "push" | "Push Hook" | "Tag Push Hook" | "repo:push" | "repo:refs_changed" | "create" | "delete"
    ) {
        return Err(Error::new(ErrorKind::BadWebhook, format!("the event {event:?} is not a push"))
            .hint("send push events only"));
    }
    let body: Value = serde_json::from_slice(body).map_err(|error| {
        Error::new(ErrorKind::BadWebhook, format!("the body is not JSON: {error}"))
            .hint("set the content type to application/json")
    })?;
    let push = match host {
        Host::GitHub | Host::Gitea => github(&body),
        Host::GitLab => gitlab(&body),
        Host::BitbucketCloud => bitbucket_cloud(&body),
        Host::BitbucketServer => bitbucket_server(&body),
    };
    if push.urls.is_empty() {
        Err(Error::new(ErrorKind::BadWebhook, "the event names no repository"))
    } else {
        Ok(push)
    }
}

fn host<'a>(header: &impl Fn(&str) -> Option<&'a str>) -> Option<(Host, &'a str)> {
    // Gitea and Forgejo send GitHub's header, too.
    let gitea = header("X-Gitea-Event").or_else(|| header("X-Forgejo-Event")).or_else(|| header("X-Gogs-Event"));
    let github = || header("X-GitHub-Event").map(|event| (Host::GitHub, event));
    let gitlab = || header("X-Gitlab-Event").map(|event| (Host::GitLab, event));
    let bitbucket = || {
        let event = header("X-Event-Key")?;
        // The cloud names each hook, the server does not.
        Some((
            if event.starts_with("repo:refs") || event.starts_with("diagnostics") {
                Host::BitbucketServer
            } else {
                Host::BitbucketCloud
            },
            event,
        ))
    };
    gitea.map(|event| (Host::Gitea, event)).or_else(github).or_else(gitlab).or_else(bitbucket)
}

fn check<'a>(host: Host, header: &impl Fn(&str) -> Option<&'a str>, body: &[u8], secret: &str) -> Result<()> {
    let wrong = |what: &str| {
        Err(Error::new(ErrorKind::BadSignature, format!("the webhook's {what}"))
            .hint("set the same secret on both sides"))
    };
    if host == Host::GitLab {
        return match header("X-Gitlab-Token") {
            Some(token) if bool::from(token.as_bytes().ct_eq(secret.as_bytes())) => Ok(()),
            Some(_) => wrong("token is wrong"),
            None => wrong("token is missing"),
        };
    }
    let names =
        ["X-Hub-Signature-256", "X-Gitea-Signature", "X-Forgejo-Signature", "X-Gogs-Signature", "X-Hub-Signature"];
    let Some(signature) = names.iter().find_map(|name| header(name)) else { return wrong("signature is missing") };
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
        .map_err(|error| Error::new(ErrorKind::BadSignature, format!("the secret cannot be used: {error}")))?;
    mac.update(body);
    match decode_hex(signature.strip_prefix("sha256=").unwrap_or(signature)) {
        Some(signature) if mac.verify_slice(&signature).is_ok() => Ok(()),
        _ => wrong("signature is wrong"),
    }
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

fn texts(body: &Value, pointers: &[&str]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for text in pointers.iter().filter_map(|pointer| body.pointer(pointer)?.as_str()).filter(|text| !text.is_empty()) {
        if !found.iter().any(|other| other == text) {
            found.push(text.to_owned());
        }
    }
    found
}

fn text(body: &Value, pointer: &str) -> Option<String> {
    body.pointer(pointer)?.as_str().map(str::to_owned)
}

/// No commit: forty zeros stand for "deleted".
fn commit(body: &Value, pointer: &str) -> Option<String> {
    text(body, pointer).filter(|id| id.bytes().any(|byte| byte != b'0'))
}

fn github(body: &Value) -> Push {
    let urls = [
        "/repository/clone_url",
        "/repository/ssh_url",
        "/repository/html_url",
        "/repository/git_url",
        "/repository/svn_url",
    ];
    // A tag's "create" event has the short name.
    let reference = text(body, "/ref").map(|name| match text(body, "/ref_type").as_deref() {
        Some("tag") => format!("refs/tags/{name}"),
        Some("branch") => format!("refs/heads/{name}"),
        _ => name,
    });
    Push { urls: texts(body, &urls), reference, commit: commit(body, "/after") }
}

fn gitlab(body: &Value) -> Push {
    let urls = [
        "/project/git_http_url",
        "/project/git_ssh_url",
        "/project/web_url",
        "/repository/git_http_url",
        "/repository/git_ssh_url",
        "/repository/url",
    ];
    Push {
        urls: texts(body, &urls),
        reference: text(body, "/ref"),
        commit: commit(body, "/checkout_sha").or_else(|| commit(body, "/after")),
    }
}

fn only(changes: Option<&Value>) -> Option<&Value> {
    changes?.as_array().filter(|changes| changes.len() == 1)?.first()
}

fn bitbucket_cloud(body: &Value) -> Push {
    let change = only(body.pointer("/push/changes")).cloned().unwrap_or_default();
    let side = if change.pointer("/new").is_some_and(Value::is_object) { "/new" } else { "/old" };
    let prefix =
        if text(&change, &format!("{side}/type")).as_deref() == Some("tag") { "refs/tags/" } else { "refs/heads/" };
    let mut urls = texts(body, &["/repository/links/html/href"]);
    // Only the web page's address is told; the ssh form follows from the full name.
    urls.extend(text(body, "/repository/full_name").map(|name| format!("git@bitbucket.org:{name}.git")));
    Push {
        urls,
        reference: text(&change, &format!("{side}/name")).map(|name| format!("{prefix}{name}")),
        commit: text(&change, "/new/target/hash"),
    }
}

fn bitbucket_server(body: &Value) -> Push {
    let change = only(body.pointer("/changes")).cloned().unwrap_or_default();
    let links = body.pointer("/repository/links/clone").and_then(Value::as_array).into_iter().flatten();
    let urls = links.filter_map(|link| text(link, "/href")).collect();
    Push {
        urls,
        reference: text(&change, "/ref/id").or_else(|| text(&change, "/refId")),
        commit: commit(&change, "/toHash"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "59b20b8d5c6ff8d09518454d4dd8b7b30f095ab5";

    fn headers(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn sign(secret: &str, body: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(body.as_bytes());
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn check(header: (&str, &str), body: &str, url: &str) {
        let push = parse(&headers(&[header]), body.as_bytes(), None).unwrap();
        assert!(push.urls.iter().any(|found| crate::same_repository(found, url)), "{push:?}");
        assert_eq!(push.reference.as_deref(), Some("refs/heads/main"), "{header:?}");
        assert_eq!(push.commit.as_deref(), Some(COMMIT), "{header:?}");
    }

    #[test]
    fn the_push_events_of_all_hosts_are_understood() {
        let github = format!(
            r#"{{"ref":"refs/heads/main","after":"{COMMIT}","repository":{{"clone_url":"https://github.com/org/repo.git","ssh_url":"git@github.com:org/repo.git"}}}}"#
        );
        check(("x-github-event", "push"), &github, "ssh://git@github.com/org/repo");
        check(("X-Gitea-Event", "push"), &github, "https://github.com/org/repo");
        let gitlab = format!(
            r#"{{"ref":"refs/heads/main","checkout_sha":"{COMMIT}","project":{{"git_http_url":"https://gitlab.example/org/repo.git"}}}}"#
        );
        check(("X-Gitlab-Event", "Push Hook"), &gitlab, "git@gitlab.example:org/repo.git");
        let cloud = format!(
            r#"{{"push":{{"changes":[{{"new":{{"type":"branch","name":"main","target":{{"hash":"{COMMIT}"}}}}}}]}},"repository":{{"full_name":"org/repo","links":{{"html":{{"href":"https://bitbucket.org/org/repo"}}}}}}}}"#
        );
        check(("X-Event-Key", "repo:push"), &cloud, "git@bitbucket.org:org/repo.git");
        let server = format!(
            r#"{{"changes":[{{"ref":{{"id":"refs/heads/main"}},"toHash":"{COMMIT}"}}],"repository":{{"links":{{"clone":[{{"href":"ssh://git@bb.example:7999/org/repo.git"}}]}}}}}}"#
        );
        check(("X-Event-Key", "repo:refs_changed"), &server, "ssh://git@bb.example:7999/org/repo.git");
    }

    #[test]
    fn only_who_knows_the_secret_is_heard() {
        let body = r#"{"ref":"refs/heads/main","repository":{"clone_url":"https://h/r.git"}}"#;
        let right = format!("sha256={}", sign("s3cret", body));
        let github = |signature: &str| headers(&[("X-GitHub-Event", "push"), ("X-Hub-Signature-256", signature)]);
        assert!(parse(&github(&right), body.as_bytes(), Some("s3cret")).is_ok());
        for signature in [right.replace('a', "b").as_str(), "sha256=", "sha256=zz", "é"] {
            let error = parse(&github(signature), body.as_bytes(), Some("s3cret")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BadSignature, "{signature}");
        }
        let unsigned = parse(&headers(&[("X-GitHub-Event", "push")]), body.as_bytes(), Some("s3cret")).unwrap_err();
        assert_eq!(unsigned.kind(), ErrorKind::BadSignature);
        let gitlab = |token: &str| headers(&[("X-Gitlab-Event", "Push Hook"), ("X-Gitlab-Token", token)]);
        let body = r#"{"project":{"web_url":"https://h/r"}}"#;
        assert!(parse(&gitlab("s3cret"), body.as_bytes(), Some("s3cret")).is_ok());
        assert!(parse(&gitlab("other"), body.as_bytes(), Some("s3cret")).is_err());
    }

    #[test]
    fn other_events_and_other_bodies_are_told_by_name() {
        let kinds = [
            (headers(&[]), "{}"),
            (headers(&[("X-GitHub-Event", "issues")]), "{}"),
            (headers(&[("X-GitHub-Event", "push")]), "no json"),
            (headers(&[("X-GitHub-Event", "push")]), "[]"),
        ];
        for (headers, body) in kinds {
            assert_eq!(
                parse(&headers, body.as_bytes(), None).unwrap_err().kind(),
                ErrorKind::BadWebhook,
                "{headers:?}"
            );
        }
        assert_eq!(parse(&headers(&[("X-GitHub-Event", "ping")]), b"{}", None).unwrap(), Push::default());
    }
}
