//! Who asks, and may they: tokens, client certificates, impersonation and RBAC.

use std::collections::HashMap;

use lockstep_object::Value;

use crate::{
    build::{list_at, text_at},
    moment::Moment,
    request::{Query, Request, ResourcePath},
    server::{Call, Server, verb_of},
    status::{Failure, Outcome},
};

/// Who makes a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// The name, as `admin` or `system:serviceaccount:ns:name`.
    pub name: String,
    /// The uid; empty if unknown.
    pub uid: String,
    /// The groups.
    pub groups: Vec<String>,
    /// Other facts by name.
    pub extra: Vec<(String, Vec<String>)>,
}

impl User {
    /// Returns a user in these groups.
    pub fn new(name: &str, groups: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            ..Self::default()
        }
    }

    pub(crate) fn is_master(&self) -> bool {
        self.groups.iter().any(|group| group == "system:masters")
    }

    fn anonymous() -> Self {
        Self::new("system:anonymous", &["system:unauthenticated"])
    }

    fn authenticated(mut self) -> Self {
        if !self.groups.iter().any(|group| group == "system:authenticated") {
            self.groups.push("system:authenticated".to_owned());
        }
        self
    }
}

/// The tokens that the server knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Access {
    pub(crate) tokens: HashMap<String, User>,
    /// Signs the tokens of ServiceAccounts.
    pub(crate) key: Vec<u8>,
    /// The certificate of the server as PEM, for ConfigMaps that hand it to pods.
    pub(crate) certificate: String,
}

/// What a request wants, as RBAC sees it.
pub(crate) struct Attributes<'a> {
    pub(crate) verb: &'a str,
    pub(crate) group: &'a str,
    pub(crate) resource: &'a str,
    pub(crate) subresource: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
}

impl Server {
    /// Finds who asks; a request without credentials is anonymous, one with wrong ones is refused.
    pub(crate) fn authenticate(&self, request: &Request, moment: &Moment) -> Outcome<User> {
        let user = match (request.header("authorization"), &request.certificate) {
            (Some(header), _) if !header.is_empty() => {
                let token = header.strip_prefix("Bearer ").unwrap_or_default().trim();
                self.user_of_token(token, moment).ok_or_else(Failure::unauthorized)?.authenticated()
            }
            (_, Some(user)) => user.clone().authenticated(),
            _ => User::anonymous(),
        };
        self.impersonate(request, user)
    }

    fn impersonate(&self, request: &Request, user: User) -> Outcome<User> {
        let Some(name) = request.header("impersonate-user") else {
            if request.headers.contains_key("impersonate-group") || request.headers.contains_key("impersonate-uid") {
                return Err(Failure::internal(
                    "Internal error occurred: requested [{Group  system:masters    }] without impersonating a user",
                ));
            }
            return Ok(user);
        };
        let groups: Vec<String> = request
            .headers
            .get_all("impersonate-group")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .map(str::to_owned)
            .collect();
        self.may_impersonate(&user, "users", name)?;
        for group in &groups {
            self.may_impersonate(&user, "groups", group)?;
        }
        let mut other = User::new(name, &[]);
        other.groups = groups;
        if let Some((namespace, _)) = name.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'))
            && other.groups.is_empty()
        {
            other.groups = vec!["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")];
        }
        if name == "system:anonymous" {
            other.groups.push("system:unauthenticated".to_owned());
            return Ok(other);
        }
        Ok(other.authenticated())
    }

    fn may_impersonate(&self, user: &User, resource: &str, name: &str) -> Outcome<()> {
        let attributes = Attributes { verb: "impersonate", group: "", resource, subresource: "", namespace: "", name };
        if self.allows(user, &attributes) {
            return Ok(());
        }
        Err(Failure::forbidden("", resource, name, &denial(user, &attributes)))
    }

    /// Checks a request that names no resource.
    pub(crate) fn authorize_path(&self, user: &User, request: &Request) -> Outcome<()> {
        let path = request.path.as_str();
        let verb = request.method.to_lowercase();
        if user.is_master() || self.allows_path(user, &verb, path) {
            return Ok(());
        }
        let why = format!("User \"{}\" cannot {verb} path \"{path}\"", user.name);
        Err(Failure::forbidden("", "", "", &why))
    }

    /// Checks a request for a resource.
    pub(crate) fn authorize_resource(
        &self,
        user: &User,
        request: &Request,
        query: &Query,
        path: &ResourcePath,
    ) -> Outcome<()> {
        if user.is_master() {
            return Ok(());
        }
        let verb = verb_of(request, path, query);
        // The namespace of a Namespace is itself.
        let own = if path.resource == "namespaces" && path.group.is_empty() { path.name.as_deref() } else { None };
        let attributes = Attributes {
            verb,
            group: &path.group,
            resource: &path.resource,
            subresource: path.subresource.as_deref().unwrap_or_default(),
            namespace: path.namespace.as_deref().or(own).unwrap_or_default(),
            name: path.name.as_deref().unwrap_or_default(),
        };
        self.authorize(user, &attributes)
    }

    /// Refuses what RBAC does not allow.
    pub(crate) fn authorize(&self, user: &User, attributes: &Attributes<'_>) -> Outcome<()> {
        if self.allows(user, attributes) {
            return Ok(());
        }
        let why = denial(user, attributes);
        Err(Failure::forbidden(attributes.group, attributes.resource, attributes.name, &why))
    }

    /// An apply that creates needs the verb create beside patch.
    pub(crate) fn authorize_apply_create(&self, call: &Call<'_>) -> Outcome<()> {
        let attributes = Attributes {
            verb: "create",
            group: &call.path.group,
            resource: &call.path.resource,
            subresource: "",
            namespace: call.namespace(),
            name: call.name(),
        };
        if call.user.is_master() {
            return Ok(());
        }
        self.authorize(&call.user, &attributes)
    }

    /// Tells whether RBAC allows it.
    pub(crate) fn allows(&self, user: &User, attributes: &Attributes<'_>) -> bool {
        user.is_master() || self.rules_of(user, attributes.namespace).iter().any(|rule| rule_allows(rule, attributes))
    }

    /// Tells whether RBAC allows a path.
    pub(crate) fn allows_path(&self, user: &User, verb: &str, path: &str) -> bool {
        if user.is_master() {
            return true;
        }
        let public = ["/healthz", "/livez", "/readyz", "/version", "/version/"];
        if verb == "get" && public.contains(&path) {
            return true;
        }
        let discovery = ["/api", "/apis", "/openapi", "/version", "/healthz", "/livez", "/readyz"];
        let authenticated = user.groups.iter().any(|group| group == "system:authenticated");
        if authenticated
            && verb == "get"
            && discovery.iter().any(|root| path == *root || path.starts_with(&format!("{root}/")))
        {
            return true;
        }
        self.rules_of(user, "").iter().any(|rule| {
            has(rule, "verbs", verb)
                && list_at(rule, &["nonResourceURLs"]).iter().filter_map(Value::as_str).any(|known| {
                    match known.strip_suffix('*') {
                        Some(prefix) => path.starts_with(prefix),
                        None => path == known,
                    }
                })
        })
    }

    /// Collects the rules that hold for a user in a namespace (empty: in the cluster).
    pub(crate) fn rules_of(&self, user: &User, namespace: &str) -> Vec<Value> {
        let mut rules = basic_rules(user);
        let bound = |store: &str, namespace: Option<&str>| -> Vec<Value> {
            let bucket = self.store.bucket(store);
            let bindings = bucket.into_iter().flat_map(|bucket| bucket.range(namespace));
            let mine = bindings.filter(|(_, stored)| binds(&stored.object.to_value(), user));
            mine.flat_map(|(_, stored)| self.rules_of_role(&stored.object.to_value(), stored.object.namespace()))
                .collect()
        };
        rules.extend(bound("rbac.authorization.k8s.io/clusterrolebindings", None));
        if !namespace.is_empty() {
            rules.extend(bound("rbac.authorization.k8s.io/rolebindings", Some(namespace)));
        }
        rules
    }

    fn rules_of_role(&self, binding: &Value, namespace: &str) -> Vec<Value> {
        let (kind, name) = (text_at(binding, &["roleRef", "kind"]), text_at(binding, &["roleRef", "name"]));
        let role = match kind {
            "Role" => self.store.get("rbac.authorization.k8s.io/roles", namespace, name),
            _ => self.store.get("rbac.authorization.k8s.io/clusterroles", "", name),
        };
        role.map(|role| list_at(&role.object.to_value(), &["rules"]).to_vec()).unwrap_or_default()
    }
}

/// What every signed-in user may: ask about himself.
fn basic_rules(user: &User) -> Vec<Value> {
    if !user.groups.iter().any(|group| group == "system:authenticated") {
        return Vec::new();
    }
    let one = |group: &str, resources: &[&str]| {
        Value::Map(crate::build::map! {
            "verbs" => crate::build::texts(["create"]), "apiGroups" => crate::build::texts([group]),
            "resources" => crate::build::texts(resources.iter().copied()),
        })
    };
    vec![
        one("authorization.k8s.io", &["selfsubjectaccessreviews", "selfsubjectrulesreviews"]),
        one("authentication.k8s.io", &["selfsubjectreviews"]),
    ]
}

fn binds(binding: &Value, user: &User) -> bool {
    list_at(binding, &["subjects"]).iter().any(|subject| {
        let name = text_at(subject, &["name"]);
        match text_at(subject, &["kind"]) {
            "User" => user.name == name,
            "Group" => user.groups.iter().any(|group| group == name),
            "ServiceAccount" => {
                let own = text_at(binding, &["metadata", "namespace"]);
                let namespace = Some(text_at(subject, &["namespace"])).filter(|ns| !ns.is_empty()).unwrap_or(own);
                user.name == format!("system:serviceaccount:{namespace}:{name}")
            }
            _ => false,
        }
    })
}

fn has(rule: &Value, key: &str, wanted: &str) -> bool {
    list_at(rule, &[key]).iter().filter_map(Value::as_str).any(|known| known == "*" || known == wanted)
}

/// Tells whether a rule allows it.
pub(crate) fn rule_allows(rule: &Value, wanted: &Attributes<'_>) -> bool {
    let full = if wanted.subresource.is_empty() {
        wanted.resource.to_owned()
    } else {
        format!("{}/{}", wanted.resource, wanted.subresource)
    };
    let resource = list_at(rule, &["resources"]).iter().filter_map(Value::as_str).any(|known| {
        known == "*"
            || known == full
            || (!wanted.subresource.is_empty() && known.strip_prefix("*/") == Some(wanted.subresource))
    });
    let names = list_at(rule, &["resourceNames"]);
    let named = names.is_empty() || names.iter().filter_map(Value::as_str).any(|known| known == wanted.name);
    has(rule, "verbs", wanted.verb) && has(rule, "apiGroups", wanted.group) && resource && named
}

/// Words a denial as the authorizer does.
pub(crate) fn denial(user: &User, wanted: &Attributes<'_>) -> String {
    let resource = if wanted.subresource.is_empty() {
        wanted.resource.to_owned()
    } else {
        format!("{}/{}", wanted.resource, wanted.subresource)
    };
    let place = if wanted.namespace.is_empty() {
        "at the cluster scope".to_owned()
    } else {
        format!("in the namespace \"{}\"", wanted.namespace)
    };
    format!(
        "User \"{}\" cannot {} resource \"{resource}\" in API group \"{}\" {place}",
        user.name, wanted.verb, wanted.group
    )
}

impl Server {
    /// Words which binding allows it: `RBAC: allowed by RoleBinding "b/ns" of Role "r" to User "u"`.
    pub(crate) fn allowing_binding(&self, user: &User, wanted: &Attributes<'_>) -> Option<String> {
        let kinds = [
            ("rbac.authorization.k8s.io/clusterrolebindings", "ClusterRoleBinding", None),
            ("rbac.authorization.k8s.io/rolebindings", "RoleBinding", Some(wanted.namespace)),
        ];
        for (store, kind, namespace) in kinds {
            if namespace == Some("") {
                continue;
            }
            for (name, stored) in self.store.bucket(store)?.range(namespace) {
                let binding = stored.object.to_value();
                let rules = self.rules_of_role(&binding, stored.object.namespace());
                if !binds(&binding, user) || !rules.iter().any(|rule| rule_allows(rule, wanted)) {
                    continue;
                }
                let subject = list_at(&binding, &["subjects"]).iter().find(|subject| {
                    binds(&Value::Map(crate::build::map! { "subjects" => vec![(*subject).clone()] }), user)
                        || text_at(subject, &["kind"]) == "ServiceAccount"
                })?;
                let place = if namespace.is_some() {
                    format!("{}/{}", name.name, name.namespace)
                } else {
                    name.name.to_string()
                };
                let who = match text_at(subject, &["kind"]) {
                    "ServiceAccount" => format!("{}/{}", text_at(subject, &["name"]), text_at(subject, &["namespace"])),
                    _ => text_at(subject, &["name"]).to_owned(),
                };
                return Some(format!(
                    "RBAC: allowed by {kind} \"{place}\" of {} \"{}\" to {} \"{who}\"",
                    text_at(&binding, &["roleRef", "kind"]),
                    text_at(&binding, &["roleRef", "name"]),
                    text_at(subject, &["kind"]),
                ));
            }
        }
        None
    }
}
