//! HorizontalPodAutoscalers, in the form of `autoscaling/v2`.

use crate::{names, quantity::nanos, status::go_quote};

use super::{
    field::{Causes, Field, Subject},
    resources,
};

/// The kinds of metrics: type, field.
const SOURCES: [(&str, &str); 5] = [
    ("Object", "object"),
    ("External", "external"),
    ("Pods", "pods"),
    ("Resource", "resource"),
    ("ContainerResource", "containerResource"),
];
const TYPES: [&str; 5] = ["ContainerResource", "External", "Object", "Pods", "Resource"];
/// The longest window, and the longest period, in seconds.
const WINDOW_LIMIT: i64 = 3600;
const PERIOD_LIMIT: i64 = 1800;

/// Checks an autoscaler.
pub(crate) fn check(new: &Subject<'_>, _old: Option<&Subject<'_>>, out: &mut Causes) {
    let spec = Field::of(new, "spec");
    let (least, most) = (spec.at("minReplicas"), spec.at("maxReplicas"));
    if least.int().is_some_and(|count| count < 1) {
        out.push(least.invalid("must be greater than or equal to 1"));
    }
    if most.number() == 0 {
        out.push(most.required("must be set and greater than 0"));
    } else if most.number() < 0 {
        out.push(most.invalid("must be greater than or equal to 1"));
    }
    if least.int().is_some_and(|count| most.number() < count) {
        let shown = most.number().to_string();
        out.push(most.invalid_as(&shown, "must be greater than or equal to `minReplicas`"));
    }
    reference(&spec.at("scaleTargetRef"), out);
    for metric in spec.at("metrics").items() {
        check_metric(&metric, out);
    }
    for direction in ["scaleUp", "scaleDown"] {
        let rules = spec.at("behavior").at(direction);
        if rules.is_set() {
            check_rules(&rules, out);
        }
    }
}

/// Checks the status of an autoscaler.
pub(crate) fn status(new: &Subject<'_>, _old: Option<&Subject<'_>>, out: &mut Causes) {
    Field::of(new, "status").nonnegatives(&["currentReplicas", "desiredReplicas"], out);
}

fn segment(field: &Field<'_>, detail: &str, out: &mut Causes) {
    if field.text().is_empty() {
        out.push(field.required(detail));
    } else {
        field.problems(names::path_segment(field.text()), out);
    }
}

fn reference(target: &Field<'_>, out: &mut Causes) {
    segment(&target.at("kind"), "", out);
    segment(&target.at("name"), "", out);
    let version = target.at("apiVersion");
    if version.text().matches('/').count() > 1 {
        out.push(version.invalid(&format!("unexpected GroupVersion string: {}", version.text())));
    }
}

fn check_metric(metric: &Field<'_>, out: &mut Causes) {
    let kind = metric.at("type");
    if kind.text().is_empty() {
        out.push(kind.required("must specify a metric source type"));
    }
    if !TYPES.contains(&kind.text()) {
        out.push(kind.unsupported(&TYPES));
    }
    let given: Vec<&str> = SOURCES.into_iter().map(|(_, key)| key).filter(|key| metric.at(key).is_set()).collect();
    if let Some(first) = given.first() {
        check_source(&metric.at(first), first, out);
    }
    match SOURCES.iter().find(|(known, _)| *known == kind.text()) {
        Some((_, expected)) => {
            if !metric.at(expected).is_set() {
                out.push(metric.at(expected).required("must populate information for the given metric source"));
            }
            if given.len() != 1 {
                for other in given.iter().filter(|key| *key != expected) {
                    out.push(metric.at(other).forbidden("must populate the given metric source only"));
                }
            }
        }
        None => out.push(kind.unsupported(&TYPES)),
    }
}

fn check_source(source: &Field<'_>, kind: &str, out: &mut Causes) {
    let target = source.at("target");
    match kind {
        "object" => {
            reference(&source.at("describedObject"), out);
            segment(&source.at("metric").at("name"), "must specify a metric name", out);
        }
        "external" | "pods" => segment(&source.at("metric").at("name"), "must specify a metric name", out),
        _ => {
            let name = source.at("name");
            if name.text().is_empty() {
                out.push(name.required("must specify a resource name"));
            } else if kind == "containerResource" {
                resources::container_name(&name, name.text(), out);
            }
            if kind == "containerResource" && source.at("container").text().is_empty() {
                out.push(source.at("container").required("must specify a container"));
            }
        }
    }
    check_target(&target, out);
    let (value, average, use_of) = (target.at("value"), target.at("averageValue"), target.at("averageUtilization"));
    match kind {
        "object" if !value.is_set() && !average.is_set() => {
            out.push(average.required("must set either a target value or averageValue"));
        }
        "external" if !value.is_set() && !average.is_set() => {
            out.push(average.required("must set either a target value for metric or a per-pod target"));
        }
        "external" if value.is_set() && average.is_set() => {
            out.push(value.forbidden("may not set both a target value for metric and a per-pod target"));
        }
        "pods" if !average.is_set() => {
            out.push(average.required("must specify a positive target averageValue"));
        }
        "resource" | "containerResource" if !use_of.is_set() && !average.is_set() => {
            out.push(use_of.required("must set either a target raw value or a target utilization"));
        }
        "resource" | "containerResource" if use_of.is_set() && average.is_set() => {
            out.push(average.forbidden("may not set both a target raw value and a target utilization"));
        }
        _ => {}
    }
}

fn check_target(target: &Field<'_>, out: &mut Causes) {
    let kind = target.at("type");
    if kind.text().is_empty() {
        out.push(kind.required("must specify a metric target type"));
    }
    if !["Utilization", "Value", "AverageValue"].contains(&kind.text()) {
        let shown = go_quote(kind.text());
        out.push(kind.invalid_as(&shown, "must be either Utilization, Value, or AverageValue"));
    }
    for key in ["value", "averageValue"] {
        let amount = target.at(key);
        if amount.is_set() && nanos(&resources::quantity_text(&amount)) <= 0 {
            let shown = go_quote(&resources::shown(&resources::quantity_text(&amount)));
            out.push(amount.invalid_as(&shown, "must be positive"));
        }
    }
    let share = target.at("averageUtilization");
    if share.int().is_some_and(|share| share < 1) {
        out.push(share.invalid("must be greater than 0"));
    }
}

fn check_rules(rules: &Field<'_>, out: &mut Causes) {
    let window = rules.at("stabilizationWindowSeconds");
    if window.number() < 0 {
        out.push(window.invalid("must be greater than or equal to zero"));
    }
    if window.number() > WINDOW_LIMIT {
        out.push(window.invalid(&format!("must be less than or equal to {WINDOW_LIMIT}")));
    }
    rules.at("selectPolicy").one_of_if_set(&["Disabled", "Max", "Min"], out);
    let policies = rules.at("policies");
    if policies.is_empty() {
        out.push(policies.required("must specify at least one Policy"));
    }
    for policy in policies.items() {
        let kind = policy.at("type");
        if !["Pods", "Percent"].contains(&kind.text()) {
            out.push(kind.unsupported(&["Percent", "Pods"]));
        }
        for key in ["value", "periodSeconds"] {
            let number = policy.at(key);
            if number.number() <= 0 {
                out.push(number.invalid_as(&number.number().to_string(), "must be greater than zero"));
            }
        }
        let period = policy.at("periodSeconds");
        if period.number() > PERIOD_LIMIT {
            out.push(period.invalid(&format!("must be less than or equal to {PERIOD_LIMIT}")));
        }
    }
}
