//! Credentials of sources, from Secrets.

use base64::Engine;
use lockstep_cluster::Cluster;
use lockstep_engine::{Problem, ProblemKind};
use lockstep_object::Object;
use lockstep_sources::{Credentials, docker_credentials};

/// The label of Secrets with credentials for every source below their `url`.
const LABEL: &str = "lockstep.dev/credentials";

/// Finds the credentials of a source: those of the named Secret, else those whose `url` is the longest prefix.
///
/// # Errors
/// The Secret is missing or may not be read.
pub async fn credentials(
    cluster: &Cluster,
    namespace: &str,
    url: &str,
    secret: Option<&str>,
) -> Result<Credentials, Problem> {
    let failed = |message: String| Problem::new(ProblemKind::SourceFailed, message);
    if let Some(name) = secret {
        let path = format!("/api/v1/namespaces/{namespace}/secrets/{name}");
        let secret = cluster.get(&path).await;
        return match secret {
            Ok(secret) => Ok(credentials_of(&secret, url)),
            Err(error) => Err(failed(format!("the Secret {namespace}/{name} with the credentials: {error}"))),
        };
    }
    if !url.contains("://") && !url.contains('@') || url.starts_with("file://") {
        return Ok(Credentials::default());
    }
    let path = format!("/api/v1/namespaces/{namespace}/secrets?labelSelector={LABEL}");
    let list = cluster.get(&path).await.map_err(|error| failed(format!("Secrets with credentials: {error}")))?;
    let items = list.at(&["items"]).and_then(|items| items.as_list().cloned()).unwrap_or_default();
    let secrets = items.into_iter().filter_map(|item| Object::try_from(item).ok());
    let best = secrets.filter(|secret| text_of(secret, "url").is_some_and(|prefix| leads_to(&prefix, url)));
    let best = best.max_by_key(|secret| text_of(secret, "url").map(|url| url.len()));
    Ok(best.map(|secret| credentials_of(&secret, url)).unwrap_or_default())
}

/// Tells whether a URL lies below another: `https://host/org` leads to `https://host/org/a`, not to `https://host/organ`.
fn leads_to(prefix: &str, url: &str) -> bool {
    let prefix = prefix.trim_end_matches('/');
    let rest = url.strip_prefix(prefix).filter(|_| !prefix.is_empty());
    rest.is_some_and(|rest| {
        rest.is_empty() || rest.starts_with(['/', '?']) || prefix.ends_with(':') || is_scp_host(prefix, rest)
    })
}

/// `git@host` leads to `git@host:org/a`.
fn is_scp_host(prefix: &str, rest: &str) -> bool {
    !prefix.contains("://") && rest.starts_with(':')
}

/// Reads the keys that Argo CD's and Flux's Secrets use, and those of a Docker configuration.
fn credentials_of(secret: &Object, url: &str) -> Credentials {
    let first = |keys: &[&str]| keys.iter().find_map(|key| text_of(secret, key));
    let docker = text_of(secret, ".dockerconfigjson").and_then(|config| docker_credentials(&config, url));
    let docker = docker.unwrap_or_default();
    Credentials {
        username: first(&["username"]).or(docker.username),
        password: first(&["password"]).or(docker.password),
        bearer: first(&["bearerToken", "token"]),
        identity: first(&["identity", "sshPrivateKey", "ssh-privatekey"]),
        known_hosts: first(&["known_hosts", "knownHosts"]),
        ca_bundle: first(&["ca.crt", "caFile"]),
    }
}

fn text_of(secret: &Object, key: &str) -> Option<String> {
    let encoded = secret.at(&["data", key])?.as_str()?;
    let bytes = base64::engine::general_purpose::STANDARD.decode(encoded).ok()?;
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_do_not_lead_to_hosts_and_folders_with_longer_names() {
        let cases = [
            ("https://host", "https://host/a", true),
            ("https://host/", "https://host/a", true),
            ("https://host/org", "https://host/org", true),
            ("https://host", "https://host.evil/a", false),
            ("https://host/org", "https://host/organ/a", false),
            ("https://host", "https://host@evil/a", false),
            ("git@host", "git@host:org/a", true),
            ("git@host:org", "git@host:org/a", true),
            ("oci://ghcr.io", "oci://ghcr.io/charts/a", true),
            ("", "https://host/a", false),
        ];
        for (prefix, url, expect) in cases {
            assert_eq!(leads_to(prefix, url), expect, "{prefix} {url}");
        }
    }
}
