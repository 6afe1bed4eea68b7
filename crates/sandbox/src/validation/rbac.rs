//! Roles and their bindings.

use crate::{names, status::go_quote};

use super::{
    field::{Causes, Field, Subject},
    selector,
};

const GROUP: &str = "rbac.authorization.k8s.io";

/// Checks a Role.
pub(crate) fn role(new: &Subject<'_>, _old: Option<&Subject<'_>>, out: &mut Causes) {
    for rule in Field::of(new, "rules").items() {
        check_rule(&rule, true, out);
    }
}

/// Checks a ClusterRole.
pub(crate) fn cluster_role(new: &Subject<'_>, _old: Option<&Subject<'_>>, out: &mut Causes) {
    for rule in Field::of(new, "rules").items() {
        check_rule(&rule, false, out);
    }
    let aggregation = Field::of(new, "aggregationRule");
    let selectors = aggregation.at("clusterRoleSelectors");
    if aggregation.is_set() && selectors.is_empty() {
        out.push(selectors.required("at least one clusterRoleSelector required if aggregationRule is non-nil"));
    }
    for item in selectors.items() {
        selector::check(&item, out);
    }
}

fn check_rule(rule: &Field<'_>, namespaced: bool, out: &mut Causes) {
    let (verbs, urls) = (rule.at("verbs"), rule.at("nonResourceURLs"));
    if verbs.is_empty() {
        out.push(verbs.required("verbs must contain at least one value"));
    }
    let (groups, resources) = (rule.at("apiGroups"), rule.at("resources"));
    if !urls.is_empty() {
        if namespaced {
            out.push(urls.invalid("namespaced rules cannot apply to non-resource URLs"));
        }
        if !groups.is_empty() || !resources.is_empty() || !rule.at("resourceNames").is_empty() {
            out.push(urls.invalid("rules cannot apply to both regular resources and non-resource URLs"));
        }
        return;
    }
    if groups.is_empty() {
        out.push(groups.required("resource rules must supply at least one api group"));
    }
    if resources.is_empty() {
        out.push(resources.required("resource rules must supply at least one resource"));
    }
}

/// Checks a RoleBinding.
pub(crate) fn role_binding(new: &Subject<'_>, old: Option<&Subject<'_>>, out: &mut Causes) {
    binding(new, old, &["Role", "ClusterRole"], true, out);
}

/// Checks a ClusterRoleBinding.
pub(crate) fn cluster_role_binding(new: &Subject<'_>, old: Option<&Subject<'_>>, out: &mut Causes) {
    binding(new, old, &["ClusterRole"], false, out);
}

fn binding(new: &Subject<'_>, old: Option<&Subject<'_>>, kinds: &[&str], namespaced: bool, out: &mut Causes) {
    let role = Field::of(new, "roleRef");
    if role.at("apiGroup").text() != GROUP {
        out.push(role.at("apiGroup").unsupported(&[GROUP]));
    }
    if !kinds.contains(&role.at("kind").text()) {
        out.push(role.at("kind").unsupported(kinds));
    }
    let name = role.at("name");
    if name.text().is_empty() {
        out.push(name.required(""));
    } else {
        name.problems(names::path_segment(name.text()), out);
    }
    for subject in Field::of(new, "subjects").items() {
        check_subject(&subject, namespaced, out);
    }
    if let Some(old) = old
        && Field::of(old, "roleRef").value != role.value
    {
        let part = |key: &str| go_quote(role.at(key).text());
        let shown =
            format!("{{\"APIGroup\":{},\"Kind\":{},\"Name\":{}}}", part("apiGroup"), part("kind"), part("name"));
        out.push(role.invalid_as(&shown, "cannot change roleRef"));
    }
}

fn check_subject(subject: &Field<'_>, namespaced: bool, out: &mut Causes) {
    let (name, group, kind) = (subject.at("name"), subject.at("apiGroup"), subject.at("kind"));
    if name.text().is_empty() {
        out.push(name.required(""));
    }
    match kind.text() {
        "ServiceAccount" => {
            if !name.text().is_empty() {
                name.subdomain(out);
            }
            if !group.text().is_empty() {
                out.push(group.unsupported(&[""]));
            }
            if !namespaced && subject.at("namespace").text().is_empty() {
                out.push(subject.at("namespace").required(""));
            }
        }
        "User" | "Group" => {
            if group.text() != GROUP {
                out.push(group.unsupported(&[GROUP]));
            }
        }
        _ => out.push(kind.unsupported(&["ServiceAccount", "User", "Group"])),
    }
}
