//! Tokens of ServiceAccounts: signed texts that the server reads again.
//!
//! A token is a JWT in shape, signed with HMAC-SHA256 by a key that the server draws when it starts;
//! only this server reads it, so nobody needs a public key.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use lockstep_object::{Map, Value, from_json, to_json};
use sha2::{Digest, Sha256};

use crate::{
    access::User,
    build::{int_at, list_at, map, text_at},
    moment::Moment,
    server::Server,
    strategy,
};

/// Signs claims.
pub(crate) fn sign(claims: &Map, key: &[u8]) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let body = URL_SAFE_NO_PAD.encode(to_json(&Value::Map(claims.clone())));
    let signature = URL_SAFE_NO_PAD.encode(hmac(key, format!("{header}.{body}").as_bytes()));
    format!("{header}.{body}.{signature}")
}

/// Reads the claims of a token that `key` signed.
pub(crate) fn read(token: &str, key: &[u8]) -> Option<Value> {
    let (signed, signature) = token.rsplit_once('.')?;
    let expected = hmac(key, signed.as_bytes());
    let given = URL_SAFE_NO_PAD.decode(signature).ok()?;
    let differs =
        expected.iter().zip(&given).fold(given.len() ^ expected.len(), |sum, (a, b)| sum | usize::from(a ^ b));
    if differs != 0 {
        return None;
    }
    let (_, body) = signed.split_once('.')?;
    from_json(&URL_SAFE_NO_PAD.decode(body).ok()?).ok()
}

/// HMAC-SHA256 (RFC 2104).
fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0u8; 64];
    let key = if key.len() > 64 { Sha256::digest(key).to_vec() } else { key.to_vec() };
    block[..key.len()].copy_from_slice(&key);
    let pad = |byte: u8| block.map(|own| own ^ byte);
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().to_vec()
}

impl Server {
    /// Finds whose token it is.
    pub(crate) fn user_of_token(&self, token: &str, moment: &Moment) -> Option<User> {
        if let Some(user) = self.access.tokens.get(token) {
            return Some(user.clone());
        }
        let claims = read(token, &self.access.key)?;
        self.user_of_claims(&claims, moment.now())
    }

    fn user_of_claims(&self, claims: &Value, now: Timestamp) -> Option<User> {
        if int_at(claims, &["exp"]).is_some_and(|end| end < now.as_second()) {
            return None;
        }
        let account = claims.get("kubernetes.io")?;
        let namespace = text_at(account, &["namespace"]);
        let (name, uid) = (text_at(account, &["serviceaccount", "name"]), text_at(account, &["serviceaccount", "uid"]));
        let found = self.store.get("/serviceaccounts", namespace, name)?;
        if strategy::uid_of(&found.object) != uid {
            return None;
        }
        let mut user = User::new(
            &format!("system:serviceaccount:{namespace}:{name}"),
            &["system:serviceaccounts", &format!("system:serviceaccounts:{namespace}")],
        );
        user.uid = uid.to_owned();
        Some(user)
    }

    /// Makes a token for a ServiceAccount.
    pub(crate) fn account_token(
        &self,
        namespace: &str,
        name: &str,
        uid: &str,
        audiences: &[String],
        seconds: i64,
        moment: &mut Moment,
    ) -> String {
        let now = moment.now().as_second();
        let claims = map! {
            "aud" => crate::build::texts(audiences.iter().map(String::as_str)),
            "exp" => now + seconds, "iat" => now, "nbf" => now,
            "iss" => "https://kubernetes.default.svc", "jti" => moment.uid(),
            "kubernetes.io" => map! { "namespace" => namespace, "serviceaccount" => map! { "name" => name, "uid" => uid } },
            "sub" => format!("system:serviceaccount:{namespace}:{name}"),
        };
        sign(&claims, &self.access.key)
    }
}

/// Reads the audiences of a token request.
pub(crate) fn audiences(spec: &Value) -> Vec<String> {
    list_at(spec, &["audiences"]).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_with_its_key_only() {
        let token = sign(&map! { "a" => 1 }, b"key");
        assert_eq!(read(&token, b"key").unwrap().get("a"), Some(&Value::Int(1)));
        assert!(read(&token, b"other").is_none());
        assert!(read("a.b", b"key").is_none());
    }
}
