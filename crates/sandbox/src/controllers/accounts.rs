//! ServiceAccounts: what each namespace has, and the Secrets that hold a token.

use base64::{Engine, prelude::BASE64_STANDARD};
use lockstep_object::{Map, Object};

use super::{MANAGER, delete, is_deleted, update};
use crate::{build::map, moment::Moment, server::Server, store::Name, strategy::uid_of};

const NAME: &str = "kubernetes.io/service-account.name";
const UID: &str = "kubernetes.io/service-account.uid";
/// Ten years: the tokens of Secrets do not end in a real cluster.
const SECONDS: i64 = 10 * 365 * 86_400;

/// Tells whether an object is one that every namespace has.
pub(super) fn belongs_to_namespace(store: &str, name: &Name) -> bool {
    matches!((store, &*name.name), ("/serviceaccounts", "default") | ("/configmaps", "kube-root-ca.crt"))
}

/// Fills in a Secret of type `service-account-token`; without its account it goes.
pub(super) fn token_secret(server: &mut Server, moment: &mut Moment, object: &Object) {
    if object.str_at(&["type"]) != "kubernetes.io/service-account-token" || is_deleted(object) {
        return;
    }
    let Some(name) = object.annotation(NAME) else { return };
    let account = server.store.get("/serviceaccounts", object.namespace(), name).map(|one| one.object.clone());
    let known = object.annotation(UID);
    let Some(account) = account.filter(|account| known.is_none_or(|uid| uid == uid_of(account))) else {
        delete(server, moment, object);
        return;
    };
    let mut new = object.clone();
    new.set_annotation(UID, uid_of(&account));
    let token = match object.at(&["data", "token"]) {
        Some(token) => token.clone(),
        None => {
            let audience = ["https://kubernetes.default.svc".to_owned()];
            let made = server.account_token(object.namespace(), name, uid_of(&account), &audience, SECONDS, moment);
            BASE64_STANDARD.encode(made).into()
        }
    };
    let data: Map = map! {
        "ca.crt" => BASE64_STANDARD.encode(&server.access.certificate),
        "namespace" => BASE64_STANDARD.encode(object.namespace()), "token" => token,
    };
    let own = new.root_mut().map_entry("data");
    for (key, value) in data.iter() {
        own.insert(key, value.clone());
    }
    update(server, moment, object, new, "", MANAGER);
}
