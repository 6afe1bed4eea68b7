//! Disruption budgets, autoscalers, quotas, limit ranges, priorities and leases.

use crate::{names, quantity::nanos, status::go_quote};

use super::{
    field::{Causes, Field, Subject},
    resources, selector, workloads,
};

/// Checks a PodDisruptionBudget.
pub(crate) fn budget(new: &Subject<'_>, _old: Option<&Subject<'_>>, out: &mut Causes) {
    let spec = Field::of(new, "spec");
    let (least, most) = (spec.at("minAvailable"), spec.at("maxUnavailable"));
    if least.is_set() && most.is_set() {
        let part = |field: &Field<'_>| crate::gofmt::bad_value(field.value);
        let shown = format!(
            "{{\"MinAvailable\":{},\"Selector\":{},\"MaxUnavailable\":{},\"UnhealthyPodEvictionPolicy\":{}}}",
            part(&least),
            part(&spec.at("selector")),
            part(&most),
            part(&spec.at("unhealthyPodEvictionPolicy"))
        );
        out.push(spec.invalid_as(&shown, "minAvailable and maxUnavailable cannot be both set"));
    }
    for field in [least, most].iter().filter(|field| field.is_set()) {
        workloads::count_or_percent(field, out);
        workloads::at_most_all(field, out);
    }
    selector::check(&spec.at("selector"), out);
    spec.at("unhealthyPodEvictionPolicy").one_of_if_set(&["AlwaysAllow", "IfHealthyBudget"], out);
}

/// The words of quotas for which pods they count.
const SCOPES: [&str; 7] = [
    "BestEffort",
    "CrossNamespacePodAffinity",
    "NotBestEffort",
    "NotTerminating",
    "PriorityClass",
    "Terminating",
    "VolumeAttributesClass",
];

/// Checks a ResourceQuota.
pub(crate) fn quota(new: &Subject<'_>, old: Option<&Subject<'_>>, out: &mut Causes) {
    let spec = Field::of(new, "spec");
    for (name, amount) in spec.at("hard").entries() {
        resources::quota_name(&amount, name, out);
        resources::amount(&amount, name, out);
    }
    let scopes = spec.at("scopes");
    let texts = scopes.texts();
    for scope in &texts {
        if !SCOPES.contains(scope) {
            out.push(scopes.invalid("unsupported scope"));
        }
        for (name, _) in spec.at("hard").entries() {
            if SCOPES.contains(scope) && !scope_fits(scope, name) {
                out.push(scopes.invalid("unsupported scope applied to resource"));
            }
        }
    }
    for pair in [["BestEffort", "NotBestEffort"], ["Terminating", "NotTerminating"]] {
        if pair.iter().all(|scope| texts.contains(scope)) {
            out.push(scopes.invalid("conflicting scopes"));
        }
    }
    scope_selector(&spec.at("scopeSelector"), out);
    if let Some(old) = old {
        scopes.immutable(&Field::of(old, "spec").at("scopes"), out);
    }
}

/// Tells whether a scope says anything about a resource.
fn scope_fits(scope: &str, resource: &str) -> bool {
    match scope {
        "BestEffort" => resource == "pods",
        "VolumeAttributesClass" => matches!(resource, "persistentvolumeclaims" | "requests.storage"),
        _ => {
            let base = resource.trim_start_matches("requests.").trim_start_matches("limits.");
            matches!(base, "pods" | "cpu" | "memory" | "ephemeral-storage") || base.starts_with("hugepages-")
        }
    }
}

fn scope_selector(selector: &Field<'_>, out: &mut Causes) {
    for requirement in selector.at("matchExpressions").items() {
        let list = format!("{}.matchExpressions", selector.path);
        let part = |key: &str| requirement.at(key).named(format!("{list}.{key}"));
        let (scope, operator, values) = (part("scopeName"), part("operator"), part("values"));
        if !SCOPES.contains(&scope.text()) {
            out.push(scope.invalid_as(&go_quote(scope.text()), "unsupported scope"));
        }
        match operator.text() {
            "In" | "NotIn" if values.is_empty() => {
                let text = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
                out.push(values.required(text));
            }
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                let text = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
                out.push(values.invalid(text));
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            text => out.push(operator.invalid_as(&go_quote(text), "not a valid selector operator")),
        }
    }
}

/// Checks a LimitRange.
pub(crate) fn limit_range(new: &Subject<'_>, _old: Option<&Subject<'_>>, out: &mut Causes) {
    let mut kinds: Vec<&str> = Vec::new();
    for limit in Field::of(new, "spec").at("limits").items() {
        let kind = limit.at("type");
        let problems = names::label_key(kind.text());
        let standard = ["Pod", "Container", "PersistentVolumeClaim"].contains(&kind.text());
        if problems.is_empty() && !kind.text().contains('/') && !standard {
            out.push(kind.invalid("must be a standard limit type or fully qualified"));
        }
        kind.problems(problems, out);
        if kinds.contains(&kind.text()) {
            out.push(kind.duplicate());
        }
        kinds.push(kind.text());
        check_limit(&limit, kind.text(), out);
    }
}

fn check_limit(limit: &Field<'_>, kind: &str, out: &mut Causes) {
    let mut keys: Vec<&str> = Vec::new();
    for part in ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"] {
        let amounts = limit.at(part);
        if kind == "Pod" && part.starts_with("default") {
            if !amounts.is_empty() {
                out.push(amounts.forbidden("may not be specified when `type` is 'Pod'"));
            }
            continue;
        }
        if part == "maxLimitRequestRatio" && kind == "PersistentVolumeClaim" {
            let given = ["min", "max"].iter().any(|bound| limit.at(bound).at("storage").is_set());
            if !given {
                let text = "either minimum or maximum storage value is required, but neither was provided";
                out.push(limit.at("limits").required(text));
            }
        }
        for (name, amount) in amounts.entries() {
            resources::limit_name(&amount, kind, name, out);
            if !keys.contains(&name) {
                keys.push(name);
            }
        }
    }
    keys.sort_unstable();
    for name in keys {
        check_bounds(limit, kind, name, out);
    }
}

/// Checks that the bounds of a resource follow each other.
fn check_bounds(limit: &Field<'_>, kind: &str, name: &str, out: &mut Causes) {
    let part = |key: &str| {
        let field = limit.at(key).key(name);
        let absent = !field.is_set() || (kind == "Pod" && key.starts_with("default"));
        (!absent).then(|| (resources::shown(&resources::quantity_text(&field)), field))
    };
    let (min, max, default, request) = (part("min"), part("max"), part("default"), part("defaultRequest"));
    type Bound<'a> = Option<(String, Field<'a>)>;
    let mut above = |low: &Bound<'_>, high: &Bound<'_>, at: &Bound<'_>, words: [&str; 2]| {
        let (Some((low, _)), Some((high, _)), Some((shown, place))) = (low, high, at) else { return };
        if nanos(low) > nanos(high) {
            let text = format!("{} value {low} is greater than {} value {high}", words[0], words[1]);
            out.push(place.invalid_as(&go_quote(shown), &text));
        }
    };
    above(&min, &max, &min, ["min", "max"]);
    above(&min, &request, &request, ["min", "default request"]);
    above(&request, &max, &request, ["default request", "max"]);
    above(&request, &default, &request, ["default request", "default limit"]);
    // The server shows the least, not the default, here.
    let default_place =
        default.as_ref().zip(min.as_ref()).map(|((_, place), (least, _))| (least.clone(), place.clone()));
    above(&min, &default, &default_place, ["min", "default"]);
    above(&default, &max, &default, ["default", "max"]);
    let ratio = limit.at("maxLimitRequestRatio").key(name);
    if ratio.is_set() && nanos(&resources::quantity_text(&ratio)) < 1_000_000_000 {
        let shown = resources::shown(&resources::quantity_text(&ratio));
        out.push(ratio.invalid_as(&go_quote(&shown), &format!("ratio {shown} is less than 1")));
    }
}

/// Checks a PriorityClass.
pub(crate) fn priority_class(new: &Subject<'_>, old: Option<&Subject<'_>>, out: &mut Causes) {
    let value = Field::of(new, "value");
    let policy = Field::of(new, "preemptionPolicy");
    if let Some(old) = old {
        if Field::of(old, "value").number() != value.number() {
            out.push(value.forbidden("may not be changed in an update."));
        }
        policy.immutable(&Field::of(old, "preemptionPolicy"), out);
        return;
    }
    let name = Field::metadata(new, "name");
    let known = ["system-cluster-critical", "system-node-critical"].contains(&name.text());
    if name.text().starts_with("system-") {
        if !known {
            out.push(name.forbidden(&format!(
                "priority class names with 'system-' prefix are reserved for system use only. error: {} is not a known system priority class",
                name.text()
            )));
        }
    } else if value.number() > 1_000_000_000 {
        out.push(value.forbidden("maximum allowed value of a user defined priority is 1000000000"));
    }
    policy.one_of_if_set(&["PreemptLowerPriority", "Never"], out);
}

/// Checks a Lease.
pub(crate) fn lease(new: &Subject<'_>, _old: Option<&Subject<'_>>, out: &mut Causes) {
    let spec = Field::of(new, "spec");
    let duration = spec.at("leaseDurationSeconds");
    if duration.is_set() {
        duration.positive(out);
    }
    spec.at("leaseTransitions").nonnegative(out);
    let holder = spec.at("preferredHolder");
    if !holder.text().is_empty() && spec.at("strategy").text().is_empty() {
        out.push(holder.forbidden("may only be specified if `strategy` is defined"));
    }
}

/// Checks a RuntimeClass.
pub(crate) fn runtime_class(new: &Subject<'_>, old: Option<&Subject<'_>>, out: &mut Causes) {
    let handler = Field::of(new, "handler");
    if let Some(old) = old {
        handler.immutable(&Field::of(old, "handler"), out);
    }
    if handler.text().is_empty() {
        out.push(handler.required(""));
    } else {
        handler.label(out);
    }
}
