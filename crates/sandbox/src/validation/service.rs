//! Services.

use std::collections::BTreeSet;

use crate::status::go_quote;

use super::{
    address,
    field::{Causes, Field, Subject},
};

const HINTS: &str = "service.kubernetes.io/topology-aware-hints";
const MODE: &str = "service.kubernetes.io/topology-mode";
/// The longest time that a client sticks to a pod.
const AFFINITY_LIMIT: i64 = 86_400;

/// Checks a Service.
pub(crate) fn check(new: &Subject<'_>, old: Option<&Subject<'_>>, out: &mut Causes) {
    let spec = Field::of(new, "spec");
    if let Some(old) = old {
        fixed_addresses(&Field::of(old, "spec"), &spec, out);
    }
    annotations(new, out);
    let kind = spec.at("type");
    let ports = spec.at("ports");
    if ports.is_empty() && !is_headless(&spec) && kind.text() != "ExternalName" {
        out.push(ports.required(""));
    }
    by_type(&spec, out);
    check_ports(&ports, out);
    spec.at("selector").labels(out);
    session(&spec, out);
    addresses(&spec, out);
    for ip in spec.at("externalIPs").items() {
        if address::ip(&ip, out) {
            address::endpoint(&ip, out);
        }
    }
    kind.one_of(&["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"], out);
    doubles(&spec, out);
    balancer(&spec, out);
    traffic(&spec, out);
}

/// Checks the status of a Service.
pub(crate) fn status(new: &Subject<'_>, _old: Option<&Subject<'_>>, out: &mut Causes) {
    let ingress = Field::of(new, "status").at("loadBalancer").at("ingress");
    if !ingress.is_empty() && Field::of(new, "spec").at("type").text() != "LoadBalancer" {
        out.push(ingress.forbidden("may only be used when `spec.type` is 'LoadBalancer'"));
    }
    for entry in ingress.items() {
        let (ip, host) = (entry.at("ip"), entry.at("hostname"));
        if !ip.text().is_empty() {
            address::ip(&ip, out);
        }
        if !host.text().is_empty() {
            host.subdomain(out);
            if address::parse(host.text()).is_some() {
                out.push(host.invalid("must be a DNS name, not an IP address"));
            }
        }
    }
}

fn is_headless(spec: &Field<'_>) -> bool {
    spec.at("clusterIP").text() == "None" || spec.at("clusterIPs").texts().first() == Some(&"None")
}

fn fixed_addresses(old: &Field<'_>, new: &Field<'_>, out: &mut Causes) {
    let external = |spec: &Field<'_>| spec.at("type").text() == "ExternalName";
    if external(old) || external(new) || (is_headless(old) && is_headless(new)) {
        return;
    }
    let (before, after) = (old.at("clusterIPs").texts(), new.at("clusterIPs"));
    let now = after.texts();
    let first = after.named(format!("{}[0]", after.path));
    if now.is_empty() && !before.is_empty() {
        out.push(first.invalid_as(&crate::gofmt::bad_value(after.value), "primary clusterIP can not be unset"));
        return;
    }
    for (place, _) in before.iter().zip(&now).enumerate().filter(|(_, (a, b))| a != b) {
        let at = after.named(format!("{}[{place}]", after.path));
        out.push(at.invalid("may not change once set"));
    }
}

fn annotations(object: &Subject<'_>, out: &mut Causes) {
    let all = Field::metadata(object, "annotations");
    let (hints, mode) = (all.key(HINTS), all.key(MODE));
    if hints.is_set() && mode.is_set() && hints.text() != mode.text() {
        out.push(mode.invalid(&format!("must match annotations[{HINTS}] when both are specified")));
    }
}

fn by_type(spec: &Field<'_>, out: &mut Causes) {
    match spec.at("type").text() {
        kind @ ("LoadBalancer" | "NodePort") if is_headless(spec) => {
            let first = Field { path: format!("{}[0]", spec.at("clusterIPs").path).into(), ..spec.at("clusterIP") };
            out.push(first.invalid(&format!("may not be set to 'None' for {kind} services")));
        }
        "ExternalName" => {
            for key in ["clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
                let field = spec.at(key);
                if !field.is_empty() {
                    out.push(field.forbidden("may not be set for ExternalName services"));
                }
            }
            let name = spec.at("externalName");
            let text = name.text().strip_suffix('.').unwrap_or(name.text());
            if text.is_empty() {
                out.push(name.required(""));
            } else {
                let problems = crate::names::subdomain(text);
                out.extend(problems.iter().map(|problem| name.invalid_as(&go_quote(text), problem)));
            }
        }
        _ => {}
    }
}

fn check_ports(ports: &Field<'_>, out: &mut Causes) {
    let all = ports.items();
    let mut names = BTreeSet::new();
    for port in &all {
        let name = port.at("name");
        if name.text().is_empty() {
            if all.len() > 1 {
                out.push(name.required(""));
            }
        } else {
            name.label(out);
            if !names.insert(name.text()) {
                out.push(name.duplicate());
            }
        }
        port.at("port").port(out);
        port.at("protocol").one_of(&["SCTP", "TCP", "UDP"], out);
        if port.at("targetPort").is_set() {
            port.at("targetPort").port_or_name(out);
        }
        if port.at("appProtocol").is_set() {
            port.at("appProtocol").qualified(out);
        }
    }
}

fn session(spec: &Field<'_>, out: &mut Causes) {
    let (affinity, config) = (spec.at("sessionAffinity"), spec.at("sessionAffinityConfig"));
    affinity.one_of(&["ClientIP", "None"], out);
    if affinity.text() == "None" && config.is_set() {
        out.push(config.forbidden("must not be set when session affinity is None"));
    }
    let timeout = config.down(&["clientIP", "timeoutSeconds"]);
    if affinity.text() == "ClientIP" && timeout.is_set() && !(1..=AFFINITY_LIMIT).contains(&timeout.number()) {
        out.push(timeout.invalid(&format!("must be greater than 0 and less than {AFFINITY_LIMIT}")));
    }
}

fn addresses(spec: &Field<'_>, out: &mut Causes) {
    if spec.at("type").text() == "ExternalName" {
        return;
    }
    let (one, all) = (spec.at("clusterIP"), spec.at("clusterIPs"));
    let texts = all.texts();
    if one.text().is_empty() {
        if !texts.is_empty() {
            out.push(all.invalid("must be empty when `clusterIP` is not specified"));
        }
    } else if texts.first() != Some(&one.text()) && !texts.is_empty() {
        out.push(all.invalid("first value must match `clusterIP`"));
    }
    let mut seen = BTreeSet::new();
    for family in spec.at("ipFamilies").items() {
        family.one_of(&["IPv4", "IPv6"], out);
        if !seen.insert(family.text()) {
            out.push(family.duplicate());
        }
    }
    spec.at("ipFamilyPolicy").one_of_if_set(&["PreferDualStack", "RequireDualStack", "SingleStack"], out);
    let mut fine = true;
    for (place, ip) in all.items().iter().enumerate() {
        if place == 0 && ip.text() == "None" {
            if texts.len() > 1 {
                fine = false;
                out.push(all.invalid("'None' must be the first and only value"));
            }
            continue;
        }
        fine &= address::ip(ip, out);
    }
    if texts.len() > 2 {
        out.push(all.invalid("may only hold up to 2 values"));
    }
    if fine {
        families(spec, &texts, out);
    }
}

fn families(spec: &Field<'_>, addresses: &[&str], out: &mut Causes) {
    let all = spec.at("clusterIPs");
    let wide = |text: &str| text.contains(':');
    if addresses.len() > 1 && addresses.iter().filter(|ip| wide(ip)).count() != 1 {
        out.push(all.invalid("may specify no more than one IP for each IP family"));
    }
    if is_headless(spec) {
        return;
    }
    for (place, (ip, family)) in all.items().iter().zip(spec.at("ipFamilies").texts()).enumerate() {
        let expected = if wide(ip.text()) { "IPv6" } else { "IPv4" };
        if family != expected {
            out.push(ip.invalid(&format!("expected an {family} value as indicated by `ipFamilies[{place}]`")));
        }
    }
}

fn doubles(spec: &Field<'_>, out: &mut Causes) {
    let ports = spec.at("ports").items();
    if spec.at("type").text() == "ClusterIP" {
        for port in ports.iter().map(|port| port.at("nodePort")).filter(|port| port.number() != 0) {
            out.push(port.forbidden("may not be used when `type` is 'ClusterIP'"));
        }
    }
    let mut nodes = BTreeSet::new();
    for port in ports.iter().filter(|port| port.at("nodePort").number() != 0) {
        if !nodes.insert((port.at("protocol").text(), port.at("nodePort").number())) {
            out.push(port.at("nodePort").duplicate());
        }
    }
    let mut numbers = BTreeSet::new();
    for port in &ports {
        let (protocol, number) = (port.at("protocol").text(), port.at("port").number());
        if !numbers.insert((protocol, number)) {
            let shown = format!(
                "{{\"Name\":\"\",\"Protocol\":{},\"AppProtocol\":null,\"Port\":{number},\"TargetPort\":0,\"NodePort\":0}}",
                go_quote(protocol)
            );
            out.push(port.duplicate_as(&shown));
        }
    }
}

fn balancer(spec: &Field<'_>, out: &mut Causes) {
    const TEXT: &str = "may only be used when `type` is 'LoadBalancer'";
    let balanced = spec.at("type").text() == "LoadBalancer";
    let ranges = spec.at("loadBalancerSourceRanges").named(format!("{}.LoadBalancerSourceRanges", spec.path));
    if !ranges.is_empty() {
        if !balanced {
            out.push(ranges.forbidden(TEXT));
        }
        for range in ranges.items() {
            address::range(&range, out);
        }
    }
    let allocate = spec.at("allocateLoadBalancerNodePorts");
    if allocate.is_set() && !balanced {
        out.push(allocate.forbidden(TEXT));
    }
    let class = spec.at("loadBalancerClass");
    if class.is_set() && !balanced {
        out.push(class.forbidden(TEXT));
    } else if class.is_set() {
        class.qualified(out);
    }
}

fn traffic(spec: &Field<'_>, out: &mut Causes) {
    let kind = spec.at("type").text();
    let external = spec.at("externalTrafficPolicy");
    let accessible =
        ["LoadBalancer", "NodePort"].contains(&kind) || (kind == "ClusterIP" && !spec.at("externalIPs").is_empty());
    if !accessible {
        if !external.text().is_empty() {
            out.push(external.invalid("may only be set for externally-accessible services"));
        }
    } else {
        external.one_of_if_set(&["Cluster", "Local"], out);
    }
    let health = spec.at("healthCheckNodePort");
    if health.number() != 0 && !(kind == "LoadBalancer" && external.text() == "Local") {
        let text = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
        out.push(health.invalid(text));
    } else if health.number() != 0 {
        health.port(out);
    }
    spec.at("internalTrafficPolicy").one_of_if_set(&["Cluster", "Local"], out);
    spec.at("trafficDistribution").one_of_if_set(&["PreferClose", "PreferSameZone", "PreferSameNode"], out);
}
