//! Names and amounts of resources.

use crate::{
    names,
    quantity::{canonical, nanos},
    status::go_quote,
};

use super::field::{Causes, Field};

const UNIT: i128 = 1_000_000_000;

/// What a quota counts in whole numbers.
const WHOLE: [&str; 9] = [
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
];
/// What a quota may limit without a domain in the name.
const QUOTA: [&str; 19] = [
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.storage",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "persistentvolumeclaims",
    "configmaps",
    "services.nodeports",
    "services.loadbalancers",
];

fn is_huge(name: &str) -> bool {
    name.starts_with("hugepages-") || name.starts_with("requests.hugepages-")
}

fn is_quota(name: &str) -> bool {
    QUOTA.contains(&name) || is_huge(name)
}

/// Tells whether a resource needs no domain in its name: what a quota may limit, and the size of a claim.
fn is_standard(name: &str) -> bool {
    name == "storage" || is_quota(name)
}

/// Tells whether a name belongs to Kubernetes itself.
fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

fn is_extended(name: &str) -> bool {
    !is_native(name) && !name.starts_with("requests.") && names::label_key(&format!("requests.{name}")).is_empty()
}

/// Tells whether more may be asked for than there is.
fn may_overcommit(name: &str) -> bool {
    is_native(name) && !name.starts_with("hugepages-")
}

/// Tells whether amounts are whole numbers.
pub(crate) fn is_whole(name: &str) -> bool {
    WHOLE.contains(&name) || is_extended(name)
}

fn name_problems(field: &Field<'_>, name: &str, out: &mut Causes) -> bool {
    let problems = names::label_key(name);
    let shown = go_quote(name);
    out.extend(problems.iter().map(|problem| field.invalid_as(&shown, problem)));
    if !problems.is_empty() {
        return false;
    }
    if !name.contains('/') && !is_standard(name) {
        out.push(field.invalid_as(&shown, "must be a standard resource type or fully qualified"));
    }
    true
}

/// Checks the name of a resource of a container.
pub(crate) fn container_name(field: &Field<'_>, name: &str, out: &mut Causes) {
    name_problems(field, name, out);
    let shown = go_quote(name);
    if !name.contains('/') {
        if !["cpu", "memory", "ephemeral-storage"].contains(&name) && !name.starts_with("hugepages-") {
            out.push(field.invalid_as(&shown, "must be a standard resource for containers"));
        }
    } else if !is_native(name) && !is_extended(name) {
        out.push(field.invalid_as(&shown, "doesn't follow extended resource name standard"));
    }
}

/// Checks the name of a resource that a quota limits.
pub(crate) fn quota_name(field: &Field<'_>, name: &str, out: &mut Causes) {
    name_problems(field, name, out);
    if !name.contains('/') && !is_quota(name) {
        out.push(field.invalid_as(&go_quote(name), "must be a standard resource for quota"));
    }
}

/// Checks the name of a resource in a LimitRange.
pub(crate) fn limit_name(field: &Field<'_>, kind: &str, name: &str, out: &mut Causes) {
    match kind {
        "Pod" | "Container" => container_name(field, name, out),
        _ => {
            name_problems(field, name, out);
        }
    }
}

/// Shows an amount as the server prints it.
pub(crate) fn shown(text: &str) -> String {
    canonical(text).unwrap_or_else(|_| text.to_owned())
}

/// Checks that an amount is not negative, and whole where it must be.
pub(crate) fn amount(field: &Field<'_>, name: &str, out: &mut Causes) {
    let text = quantity_text(field);
    let amount = nanos(&text);
    let quoted = go_quote(&shown(&text));
    if amount < 0 {
        out.push(field.invalid_as(&quoted, "must be greater than or equal to 0"));
    }
    if is_whole(name) && amount % UNIT != 0 {
        out.push(field.invalid_as(&quoted, "must be an integer"));
    }
}

/// Checks that an amount is above zero.
pub(crate) fn positive_amount(field: &Field<'_>, out: &mut Causes) -> bool {
    let text = quantity_text(field);
    let fine = nanos(&text) > 0;
    if !fine {
        out.push(field.invalid_as(&go_quote(&shown(&text)), "must be greater than zero"));
    }
    fine
}

/// Reads an amount, which JSON may also hold as a number.
pub(crate) fn quantity_text(field: &Field<'_>) -> String {
    field.value.as_str().map_or_else(|| lockstep_object::to_json(field.value), str::to_owned)
}

/// Checks what a container asks for and is limited to.
pub(crate) fn requirements(field: &Field<'_>, out: &mut Causes) {
    let (limits, requests) = (field.at("limits"), field.at("requests"));
    for (name, limit) in limits.entries() {
        container_name(&limit, name, out);
        amount(&limit, name, out);
    }
    for (name, request) in requests.entries() {
        container_name(&request, name, out);
        amount(&request, name, out);
        let limit = limits.key(name);
        if limit.is_set() {
            let (wanted, bound) = (quantity_text(&request), quantity_text(&limit));
            let quoted = go_quote(&shown(&wanted));
            if nanos(&wanted) != nanos(&bound) && !may_overcommit(name) {
                let text = format!("must be equal to {name} limit of {}", shown(&bound));
                out.push(requests.invalid_as(&quoted, &text));
            } else if nanos(&wanted) > nanos(&bound) {
                let text = format!("must be less than or equal to {name} limit of {}", shown(&bound));
                out.push(requests.invalid_as(&quoted, &text));
            }
        } else if !may_overcommit(name) {
            out.push(limits.required("Limit must be set for non overcommitable resources"));
        }
    }
    let all: Vec<&str> = limits.entries().into_iter().chain(requests.entries()).map(|(name, _)| name).collect();
    let huge = all.iter().any(|name| name.starts_with("hugepages-"));
    if huge && !all.contains(&"cpu") && !all.contains(&"memory") {
        out.push(field.forbidden("HugePages require cpu or memory"));
    }
}
