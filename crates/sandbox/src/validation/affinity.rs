//! Affinity of pods to nodes and to other pods.

use crate::names;

use super::{
    field::{Causes, Field},
    selector,
};

/// Checks an affinity.
pub(crate) fn check(affinity: &Field<'_>, out: &mut Causes) {
    nodes(&affinity.at("nodeAffinity"), out);
    for key in ["podAffinity", "podAntiAffinity"] {
        let pods = affinity.at(key);
        for term in pods.at("requiredDuringSchedulingIgnoredDuringExecution").items() {
            pod_term(&term, out);
        }
        for term in pods.at("preferredDuringSchedulingIgnoredDuringExecution").items() {
            weight(&term, out);
            pod_term(&term.at("podAffinityTerm"), out);
        }
    }
}

fn weight(term: &Field<'_>, out: &mut Causes) {
    let weight = term.at("weight");
    if !(1..=100).contains(&weight.number()) {
        out.push(weight.invalid_as(&weight.number().to_string(), "must be in the range 1-100"));
    }
}

fn nodes(affinity: &Field<'_>, out: &mut Causes) {
    let required = affinity.at("requiredDuringSchedulingIgnoredDuringExecution");
    if required.is_set() {
        node_selector(&required, out);
    }
    for term in affinity.at("preferredDuringSchedulingIgnoredDuringExecution").items() {
        weight(&term, out);
        node_term(&term.at("preference"), out);
    }
}

/// Checks a selector of nodes.
pub(crate) fn node_selector(selector: &Field<'_>, out: &mut Causes) {
    let terms = selector.at("nodeSelectorTerms");
    if terms.is_empty() {
        out.push(terms.required("must have at least one node selector term"));
    }
    for term in terms.items() {
        node_term(&term, out);
    }
}

fn node_term(term: &Field<'_>, out: &mut Causes) {
    for requirement in term.at("matchExpressions").items() {
        let (operator, values, key) = (requirement.at("operator"), requirement.at("values"), requirement.at("key"));
        match operator.text() {
            "In" | "NotIn" if values.is_empty() => {
                out.push(values.required("must be specified when `operator` is 'In' or 'NotIn'"));
            }
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                out.push(values.forbidden("may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
            }
            "Gt" | "Lt" if values.items().len() != 1 => {
                out.push(values.required("must be specified single value when `operator` is 'Lt' or 'Gt'"));
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
            text => out.push(operator.invalid_as(&crate::status::go_quote(text), "not a valid selector operator")),
        }
        key.problems(names::label_key(key.text()), out);
        for value in values.items() {
            value.problems(names::label_value(value.text()), out);
        }
    }
    for requirement in term.at("matchFields").items() {
        let (operator, values, key) = (requirement.at("operator"), requirement.at("values"), requirement.at("key"));
        if !["In", "NotIn"].contains(&operator.text()) {
            let shown = crate::status::go_quote(operator.text());
            out.push(operator.invalid_as(&shown, "not a valid selector operator"));
        } else if values.items().len() != 1 {
            let text = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
            out.push(values.required(text));
        }
        if key.text() != "metadata.name" {
            out.push(key.invalid("not a valid field selector key"));
        }
    }
}

fn pod_term(term: &Field<'_>, out: &mut Causes) {
    selector::check(&term.at("labelSelector"), out);
    selector::check(&term.at("namespaceSelector"), out);
    for name in term.at("namespaces").items() {
        name.named(format!("{}.namespace", term.path)).label(out);
    }
    let key = term.at("topologyKey");
    if key.text().is_empty() {
        out.push(key.required("can not be empty"));
    }
    key.qualified(out);
}
