//! Services, what stands behind them and what leads to them.

use lockstep_object::Value;

use super::{
    Cell::{Age, Labels, Name, Selector, Text, TextOr, With},
    Kinds, Row, or, plain, with_more,
};
use crate::build::{int_at, list_at, text_at};

pub(super) const KINDS: Kinds = &[
    (
        "",
        "services",
        &[
            Name,
            Text("spec.type"),
            With(|row| row.list("spec.clusterIPs").first().map_or_else(|| "<none>".into(), |ip| plain(ip).into())),
            With(external_address),
            With(service_ports),
            Age,
            Labels("spec.selector"),
        ],
    ),
    ("", "endpoints", &[Name, With(endpoints), Age]),
    ("discovery.k8s.io", "endpointslices", &[Name, Text("addressType"), With(slice_ports), With(slice_addresses), Age]),
    (
        "networking.k8s.io",
        "ingresses",
        &[
            Name,
            TextOr("spec.ingressClassName", "<none>"),
            With(hosts),
            With(|row| balancer(row).into()),
            With(|row| if row.list("spec.tls").is_empty() { "80".into() } else { "80, 443".into() }),
            Age,
        ],
    ),
    ("networking.k8s.io", "ingressclasses", &[With(class_name), Text("spec.controller"), With(class_parameters), Age]),
    ("networking.k8s.io", "networkpolicies", &[Name, Selector("spec.podSelector"), Age]),
    ("networking.k8s.io", "ipaddresses", &[Name, With(address_parent), Age]),
    (
        "networking.k8s.io",
        "servicecidrs",
        &[Name, With(|row| row.list("spec.cidrs").iter().map(plain).collect::<Vec<_>>().join(",").into()), Age],
    ),
];

/// The addresses of a load balancer, sorted.
fn balancer(row: &Row<'_>) -> String {
    let mut found: Vec<&str> = row
        .list("status.loadBalancer.ingress")
        .iter()
        .map(|one| match text_at(one, &["ip"]) {
            "" => text_at(one, &["hostname"]),
            ip => ip,
        })
        .filter(|address| !address.is_empty())
        .collect();
    found.sort_unstable();
    found.dedup();
    found.join(",")
}

fn external_address(row: &Row<'_>) -> Value {
    let set: Vec<String> = row.list("spec.externalIPs").iter().map(plain).collect();
    match row.text("spec.type") {
        "ClusterIP" | "NodePort" => or(&set.join(","), "<none>"),
        "LoadBalancer" => {
            let given = balancer(row);
            let all: Vec<String> = Some(given).filter(|text| !text.is_empty()).into_iter().chain(set).collect();
            or(&all.join(","), "<pending>")
        }
        "ExternalName" => row.text("spec.externalName").into(),
        _ => "<unknown>".into(),
    }
}

fn service_ports(row: &Row<'_>) -> Value {
    let word = |port: &Value| {
        let (number, protocol) = (int_at(port, &["port"]).unwrap_or_default(), text_at(port, &["protocol"]));
        match int_at(port, &["nodePort"]) {
            Some(node @ 1..) => format!("{number}:{node}/{protocol}"),
            _ => format!("{number}/{protocol}"),
        }
    };
    or(&row.list("spec.ports").iter().map(word).collect::<Vec<_>>().join(","), "<none>")
}

fn endpoints(row: &Row<'_>) -> Value {
    let subsets = row.list("subsets");
    if subsets.is_empty() {
        return "<none>".into();
    }
    let mut words = Vec::new();
    for subset in subsets {
        let addresses = || list_at(subset, &["addresses"]).iter().map(|one| text_at(one, &["ip"]));
        let ports = list_at(subset, &["ports"]);
        if ports.is_empty() {
            words.extend(addresses().map(str::to_owned));
        }
        for port in ports {
            let number = int_at(port, &["port"]).unwrap_or_default();
            words.extend(
                addresses()
                    .map(|ip| if ip.contains(':') { format!("[{ip}]:{number}") } else { format!("{ip}:{number}") }),
            );
        }
    }
    with_more(&words).into()
}

fn slice_ports(row: &Row<'_>) -> Value {
    let word = |port: &Value| match (int_at(port, &["port"]), port.get("name").and_then(Value::as_str)) {
        (Some(number), _) => number.to_string(),
        (None, Some(name)) => name.to_owned(),
        (None, None) => "*".to_owned(),
    };
    or(&with_more(&row.list("ports").iter().map(word).collect::<Vec<_>>()), "<unset>")
}

fn slice_addresses(row: &Row<'_>) -> Value {
    let all = row.list("endpoints").iter().flat_map(|one| list_at(one, &["addresses"])).map(plain);
    or(&with_more(&all.collect::<Vec<_>>()), "<unset>")
}

/// The hosts of the first three rules.
fn hosts(row: &Row<'_>) -> Value {
    const MOST: usize = 3;
    let rules = row.list("spec.rules");
    let named = rules.iter().map(|rule| text_at(rule, &["host"])).filter(|host| !host.is_empty());
    let mut shown: Vec<&str> = named.collect();
    // A fourth named host, or any rule behind three of them, is only counted.
    let more = shown.len() >= MOST && rules.len() > MOST;
    shown.truncate(MOST);
    match (shown.is_empty(), more) {
        (true, _) => "*".into(),
        (false, true) => format!("{} + {} more...", shown.join(","), rules.len() - MOST).into(),
        (false, false) => shown.join(",").into(),
    }
}

fn class_name(row: &Row<'_>) -> Value {
    let default = row.annotation("ingressclass.kubernetes.io/is-default-class") == Some("true");
    format!("{}{}", row.text("metadata.name"), if default { " (default)" } else { "" }).into()
}

fn class_parameters(row: &Row<'_>) -> Value {
    let Some(parameters) = row.at("spec.parameters") else { return "<none>".into() };
    let (kind, name) = (text_at(parameters, &["kind"]), text_at(parameters, &["name"]));
    match parameters.get("apiGroup").and_then(Value::as_str) {
        Some(group) => format!("{kind}.{group}/{name}").into(),
        None => format!("{kind}/{name}").into(),
    }
}

fn address_parent(row: &Row<'_>) -> Value {
    let Some(parent) = row.at("spec.parentRef") else { return "<none>".into() };
    let field = |key: &str| text_at(parent, &[key]);
    let mut text = field("resource").to_lowercase();
    for (mark, key) in [('.', "group"), ('/', "namespace")] {
        if !field(key).is_empty() {
            text.push(mark);
            text.push_str(field(key));
        }
    }
    format!("{text}/{}", field("name")).into()
}
