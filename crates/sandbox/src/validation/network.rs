//! Ingresses, their classes, and network policies.

use crate::{gofmt::bad_value, names, status::go_quote};

use super::{
    address,
    field::{Causes, Field, Subject, port_name},
    selector,
};

const BAD_PARTS: [&str; 5] = ["//", "/./", "/../", "%2f", "%2F"];
const BAD_ENDS: [&str; 2] = ["/..", "/."];
const CLASS: &str = "kubernetes.io/ingress.class";
const WILDCARD_TEXT: &str = "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

/// Checks an Ingress.
pub(crate) fn ingress(new: &Subject<'_>, old: Option<&Subject<'_>>, out: &mut Causes) {
    let spec = Field::of(new, "spec");
    let (rules, backend_field) = (spec.at("rules"), spec.at("defaultBackend"));
    if rules.is_empty() && !backend_field.is_set() {
        let shown = bad_value(rules.value);
        out.push(spec.invalid_as(&shown, "either `defaultBackend` or `rules` must be specified"));
    }
    if backend_field.is_set() {
        backend(&backend_field, out);
    }
    for rule in rules.items() {
        host_of_rule(&rule.at("host"), out);
        let http = rule.at("http");
        if http.is_set() {
            if http.at("paths").is_empty() {
                out.push(http.at("paths").required(""));
            }
            for path in http.at("paths").items() {
                ingress_path(&path, out);
            }
        }
    }
    for tls in spec.at("tls").items() {
        for host in tls.at("hosts").items() {
            check_host(&host, out);
        }
        let secret = tls.at("secretName");
        if !secret.text().is_empty() {
            secret.subdomain(out);
        }
    }
    let class = spec.at("ingressClassName");
    if class.is_set() {
        class.subdomain(out);
    }
    let annotation = Field::metadata(new, "annotations").key(CLASS);
    if old.is_none() && annotation.is_set() && class.is_set() && annotation.text() != class.text() {
        let place = annotation.named(format!("annotations.{CLASS}"));
        out.push(place.invalid("must match `ingressClassName` when both are specified"));
    }
}

fn host_of_rule(host: &Field<'_>, out: &mut Causes) {
    if host.text().is_empty() {
        return;
    }
    if address::parse(host.text()).is_some() {
        out.push(host.invalid("must be a DNS name, not an IP address"));
    }
    check_host(host, out);
}

fn check_host(host: &Field<'_>, out: &mut Causes) {
    if host.text().contains('*') {
        let fine = host.text().strip_prefix("*.").is_some_and(|rest| names::subdomain(rest).is_empty());
        if !fine {
            out.push(host.invalid(WILDCARD_TEXT));
        }
    } else {
        host.subdomain(out);
    }
}

fn ingress_path(path: &Field<'_>, out: &mut Causes) {
    let (kind, text) = (path.at("pathType"), path.at("path"));
    let mut refuse = |problem: &str| out.push(text.invalid_as(&go_quote(text.text()), problem));
    match kind.text() {
        "" => {
            out.push(kind.required("pathType must be specified"));
            return;
        }
        "Exact" | "Prefix" => {
            if !text.text().starts_with('/') {
                refuse("must be an absolute path");
            }
            for part in BAD_PARTS.iter().filter(|part| text.text().contains(**part)) {
                refuse(&format!("must not contain '{part}'"));
            }
            for end in BAD_ENDS.iter().filter(|end| text.text().ends_with(**end)) {
                refuse(&format!("cannot end with '{end}'"));
            }
        }
        "ImplementationSpecific" => {
            if !text.text().is_empty() && !text.text().starts_with('/') {
                refuse("must be an absolute path");
            }
        }
        _ => out.push(kind.unsupported(&["Exact", "ImplementationSpecific", "Prefix"])),
    }
    backend(&path.at("backend"), out);
}

fn backend(backend: &Field<'_>, out: &mut Causes) {
    let (resource, service) = (backend.at("resource"), backend.at("service"));
    match (resource.is_set(), service.is_set()) {
        (true, true) => out.push(backend.invalid_as("\"\"", "cannot set both resource and service backends")),
        (true, false) => reference(&resource, out),
        (false, true) => {
            let name = service.at("name");
            if name.text().is_empty() {
                out.push(name.required(""));
            } else {
                name.label(out);
            }
            let (port, number) = (service.down(&["port", "name"]), service.down(&["port", "number"]));
            match (!port.text().is_empty(), number.number() != 0) {
                (true, true) => out.push(backend.invalid_as("\"\"", "cannot set both port name & port number")),
                (true, false) => port.problems(port_name(port.text()), out),
                (false, true) => number.port(out),
                (false, false) => out.push(backend.required("port name or number is required")),
            }
        }
        (false, false) => out.push(backend.invalid_as("\"\"", "resource or service backend is required")),
    }
}

/// Checks a reference to an object by group, kind and name.
fn reference(reference: &Field<'_>, out: &mut Causes) {
    let group = reference.at("apiGroup");
    if group.is_set() {
        group.subdomain(out);
    }
    for key in ["kind", "name"] {
        let field = reference.at(key);
        if field.text().is_empty() {
            out.push(field.required(""));
        } else {
            field.problems(names::path_segment(field.text()), out);
        }
    }
}

/// Checks an IngressClass.
pub(crate) fn ingress_class(new: &Subject<'_>, old: Option<&Subject<'_>>, out: &mut Causes) {
    let spec = Field::of(new, "spec");
    let controller = spec.at("controller");
    if let Some(old) = old {
        controller.immutable(&Field::of(old, "spec").at("controller"), out);
    }
    if controller.text().len() > 250 {
        out.push(controller.too_long(250));
    }
    domain_path(&controller, out);
    let parameters = spec.at("parameters");
    if parameters.is_set() {
        reference(&parameters, out);
        parameters.at("scope").one_of_if_set(&["Cluster", "Namespace"], out);
        let (scope, namespace) = (parameters.at("scope"), parameters.at("namespace"));
        if scope.text() == "Namespace" && !namespace.is_set() {
            out.push(namespace.required("`parameters.scope` is set to 'Namespace'"));
        }
        if scope.text() != "Namespace" && namespace.is_set() {
            out.push(namespace.forbidden("`parameters.scope` is set to 'Cluster'"));
        }
    }
}

/// Checks a path that starts with a domain, as `example.com/controller`.
fn domain_path(field: &Field<'_>, out: &mut Causes) {
    if field.text().is_empty() {
        out.push(field.required(""));
        return;
    }
    let Some((domain, path)) = field.text().split_once('/') else {
        out.push(field.invalid("must be a domain-prefixed path (such as \"acme.io/foo\")"));
        return;
    };
    for problem in names::subdomain(domain) {
        out.push(field.invalid_as(&go_quote(domain), &problem));
    }
    if path.is_empty() || !path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:".contains(&b)) {
        let text = "Invalid path (e.g. '/foo', regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')";
        out.push(field.invalid_as(&go_quote(path), text));
    }
}

/// Checks a NetworkPolicy.
pub(crate) fn policy(new: &Subject<'_>, _old: Option<&Subject<'_>>, out: &mut Causes) {
    let spec = Field::of(new, "spec");
    selector::check(&spec.at("podSelector"), out);
    for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
        for rule in spec.at(direction).items() {
            for port in rule.at("ports").items() {
                policy_port(&port, out);
            }
            for peer in rule.at(peers).items() {
                policy_peer(&peer, out);
            }
        }
    }
    let types = spec.at("policyTypes");
    if types.items().len() > 2 {
        out.push(types.invalid("may not specify more than two policyTypes"));
        return;
    }
    for kind in types.items() {
        kind.one_of_if_set(&["Ingress", "Egress"], out);
    }
}

fn policy_port(port: &Field<'_>, out: &mut Causes) {
    port.at("protocol").one_of_if_set(&["TCP", "UDP", "SCTP"], out);
    let (number, end) = (port.at("port"), port.at("endPort"));
    if !number.is_set() {
        if end.is_set() {
            out.push(end.invalid("may not be specified when `port` is not specified"));
        }
    } else if let Some(name) = number.value.as_str() {
        if end.is_set() {
            out.push(end.invalid("may not be specified when `port` is non-numeric"));
        }
        number.problems(port_name(name), out);
    } else {
        number.port(out);
        if end.is_set() {
            if end.number() < number.number() {
                let shown = number.number().to_string();
                out.push(end.invalid_as(&shown, "must be greater than or equal to `port`"));
            }
            end.port(out);
        }
    }
}

fn policy_peer(peer: &Field<'_>, out: &mut Causes) {
    let mut selectors = 0;
    for key in ["podSelector", "namespaceSelector"] {
        if peer.at(key).is_set() {
            selectors += 1;
            selector::check(&peer.at(key), out);
        }
    }
    let block = peer.at("ipBlock");
    if block.is_set() {
        let range = block.at("cidr");
        if range.text().is_empty() {
            out.push(range.required(""));
        } else {
            address::range(&range, out);
            excepted(&block, out);
        }
        if selectors > 0 {
            out.push(peer.forbidden("may not specify both ipBlock and another peer"));
        }
    } else if selectors == 0 {
        out.push(peer.required("must specify a peer"));
    }
}

fn excepted(block: &Field<'_>, out: &mut Causes) {
    let Some(outer) = address::parse_range(block.at("cidr").text()) else { return };
    for except in block.at("except").items() {
        address::range(&except, out);
        if let Some(inner) = address::parse_range(except.text())
            && !address::strictly_contains(outer, inner)
        {
            out.push(except.invalid("must be a strict subset of `cidr`"));
        }
    }
}
