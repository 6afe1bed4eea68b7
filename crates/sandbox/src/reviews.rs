//! Kinds that are questions: nothing is stored, the answer is the object with a status.

use lockstep_object::{List, Map, Object, Value};

use crate::{
    access::{Attributes, User},
    build::{list_at, map, text_at, texts},
    catalog::Resource,
    options::{WriteKind, WriteOptions},
    server::{Call, Reply, Server},
    status::{Failure, Outcome},
};

/// Tells whether objects of the kind are answered instead of stored.
pub(crate) fn is_review(resource: &Resource) -> bool {
    matches!(resource.group.as_str(), "authorization.k8s.io" | "authentication.k8s.io")
}

impl Server {
    pub(crate) fn review(&mut self, call: &mut Call<'_>) -> Outcome<Reply> {
        let options = WriteOptions::parse(call.query, WriteKind::Create, call.agent())?;
        let mut object = self.decode_body(call, options.validation)?;
        let spec = object.root().get("spec").cloned().unwrap_or_default();
        let status = match call.resource.plural.as_str() {
            "selfsubjectaccessreviews" => {
                let user = call.user.clone();
                check_access_spec(call, &spec, &object)?;
                self.access_status(&user, &spec)
            }
            "subjectaccessreviews" | "localsubjectaccessreviews" => {
                check_access_spec(call, &spec, &object)?;
                let groups: Vec<&str> = list_at(&spec, &["groups"]).iter().filter_map(Value::as_str).collect();
                let user = User::new(text_at(&spec, &["user"]), &groups);
                self.access_status(&user, &spec)
            }
            "selfsubjectrulesreviews" => self.rules_status(&call.user, text_at(&spec, &["namespace"])),
            "selfsubjectreviews" => map! { "userInfo" => user_info(&call.user) },
            "tokenreviews" => self.token_status(call, &spec),
            _ => Map::new(),
        };
        if !call.namespace().is_empty() {
            object.set_namespace(call.namespace());
        }
        if call.resource.plural != "selfsubjectreviews" {
            crate::managed::on_review(self, call, &options, &mut object);
        }
        object.root_mut().insert("status", status);
        if call.resource.plural == "selfsubjectreviews" {
            let now = call.moment.seconds();
            object.metadata_mut().insert("creationTimestamp", now);
        }
        self.reply_object(call, 201, &object)
    }

    fn access_status(&self, user: &User, spec: &Value) -> Map {
        let allowed = match (spec.get("resourceAttributes"), spec.get("nonResourceAttributes")) {
            (Some(wanted), _) => {
                let attributes = Attributes {
                    verb: text_at(wanted, &["verb"]),
                    group: text_at(wanted, &["group"]),
                    resource: text_at(wanted, &["resource"]),
                    subresource: text_at(wanted, &["subresource"]),
                    namespace: text_at(wanted, &["namespace"]),
                    name: text_at(wanted, &["name"]),
                };
                self.allows(user, &attributes)
            }
            (None, Some(wanted)) => self.allows_path(user, text_at(wanted, &["verb"]), text_at(wanted, &["path"])),
            _ => false,
        };
        let mut status = map! { "allowed" => allowed };
        if allowed && !user.is_master() {
            let reason = self.reason_of(user, spec.get("resourceAttributes"));
            if !reason.is_empty() {
                status.insert("reason", reason);
            }
        }
        status
    }

    /// Words which binding allows it, as the RBAC authorizer does.
    fn reason_of(&self, user: &User, wanted: Option<&Value>) -> String {
        let Some(wanted) = wanted else { return String::new() };
        let namespace = text_at(wanted, &["namespace"]);
        let attributes = Attributes {
            verb: text_at(wanted, &["verb"]),
            group: text_at(wanted, &["group"]),
            resource: text_at(wanted, &["resource"]),
            subresource: text_at(wanted, &["subresource"]),
            namespace,
            name: text_at(wanted, &["name"]),
        };
        self.allowing_binding(user, &attributes).unwrap_or_default()
    }

    fn rules_status(&self, user: &User, namespace: &str) -> Map {
        let rules = if user.is_master() { master_rules() } else { self.rules_of(user, namespace) };
        let (paths, resources): (Vec<Value>, Vec<Value>) =
            rules.into_iter().partition(|rule| !list_at(rule, &["nonResourceURLs"]).is_empty());
        map! {
            "resourceRules" => resources.into_iter().collect::<List>(),
            "nonResourceRules" => paths.into_iter().collect::<List>(),
            "incomplete" => false,
        }
    }

    fn token_status(&self, call: &Call<'_>, spec: &Value) -> Map {
        match self.user_of_token(text_at(spec, &["token"]), call.moment) {
            Some(user) => {
                let mut user = user;
                user.groups.push("system:authenticated".to_owned());
                map! {
                    "authenticated" => true, "user" => user_info(&user),
                    "audiences" => texts(["https://kubernetes.default.svc"]),
                }
            }
            None => map! { "user" => Map::new(), "error" => "[invalid bearer token, unknown]" },
        }
    }
}

fn check_access_spec(call: &Call<'_>, spec: &Value, object: &Object) -> Outcome<()> {
    let (resource, path) = (spec.get("resourceAttributes"), spec.get("nonResourceAttributes"));
    let mut causes = Vec::new();
    if resource.is_some() && path.is_some() {
        let text = "cannot be specified in combination with resourceAttributes";
        causes.push(crate::status::Cause::invalid(
            "spec.nonResourceAttributes",
            &path.map(shown_path).unwrap_or_default(),
            text,
        ));
    } else if resource.is_none() && path.is_none() {
        causes.push(crate::status::Cause::invalid(
            "spec.resourceAttributes",
            "null",
            "exactly one of nonResourceAttributes or resourceAttributes must be specified",
        ));
    }
    if call.resource.plural != "selfsubjectaccessreviews"
        && text_at(spec, &["user"]).is_empty()
        && list_at(spec, &["groups"]).is_empty()
    {
        causes.push(crate::status::Cause::invalid_text(
            "spec.user",
            "",
            "at least one of user or group must be specified",
        ));
    }
    if causes.is_empty() {
        return Ok(());
    }
    // The server names no kind here.
    Err(Failure::invalid(&call.resource.group, "", object.name(), &causes))
}

/// Shows attributes as the server's own struct prints as JSON.
fn shown_path(path: &Value) -> String {
    let part = |key: &str| crate::status::go_quote(text_at(path, &[key]));
    format!("{{\"Path\":{},\"Verb\":{}}}", part("path"), part("verb"))
}

fn master_rules() -> Vec<Value> {
    vec![
        Value::Map(map! { "verbs" => texts(["*"]), "apiGroups" => texts(["*"]), "resources" => texts(["*"]) }),
        Value::Map(map! { "verbs" => texts(["*"]), "nonResourceURLs" => texts(["*"]) }),
    ]
}

fn user_info(user: &User) -> Map {
    let mut info = map! { "username" => user.name.as_str() };
    if !user.uid.is_empty() {
        info.insert("uid", user.uid.as_str());
    }
    if !user.groups.is_empty() {
        info.insert("groups", texts(user.groups.iter().map(String::as_str)));
    }
    info
}
