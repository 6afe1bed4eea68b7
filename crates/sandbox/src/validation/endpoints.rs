//! Endpoints and EndpointSlices.

use std::collections::BTreeSet;

use super::{
    address,
    field::{Causes, Field, Subject},
};

const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];

/// Checks an EndpointSlice.
pub(crate) fn slice(new: &Subject<'_>, old: Option<&Subject<'_>>, out: &mut Causes) {
    let kind = Field::of(new, "addressType");
    kind.one_of(&["FQDN", "IPv4", "IPv6"], out);
    let mut names = BTreeSet::new();
    for port in Field::of(new, "ports").items() {
        let name = port.at("name");
        if !name.text().is_empty() {
            name.label(out);
        }
        if !names.insert(name.text()) {
            out.push(name.duplicate_as(&crate::status::go_quote(name.text())));
        }
        port.at("protocol").one_of_if_set(&PROTOCOLS, out);
        if port.at("appProtocol").is_set() {
            port.at("appProtocol").qualified(out);
        }
    }
    let endpoints = Field::of(new, "endpoints");
    if old.is_none_or(|old| Field::of(old, "endpoints").value != endpoints.value) {
        check_endpoints(&endpoints, kind.text(), out);
    }
    if let Some(old) = old {
        kind.immutable(&Field::of(old, "addressType"), out);
    }
}

fn check_endpoints(list: &Field<'_>, kind: &str, out: &mut Causes) {
    let all = list.items();
    if all.len() > 1000 {
        out.push(list.too_many(all.len(), 1000));
        return;
    }
    for endpoint in all {
        let addresses = endpoint.at("addresses");
        if addresses.is_empty() {
            out.push(addresses.required("must contain at least 1 address"));
        } else if addresses.items().len() > 100 {
            out.push(addresses.too_many(addresses.items().len(), 100));
        }
        for one in addresses.items() {
            let shown = crate::status::go_quote(one.text());
            match kind {
                "IPv4" | "IPv6" if address::ip(&one, out) => {
                    if one.text().contains(':') != (kind == "IPv6") {
                        out.push(addresses.invalid_as(&shown, &format!("must be an {kind} address")));
                    }
                    address::endpoint(&one, out);
                }
                "FQDN" => {
                    one.subdomain(out);
                    if !one.text().contains('.') {
                        out.push(one.invalid("should be a domain with at least two segments separated by dots"));
                    }
                }
                _ => {}
            }
        }
        for (key, label) in [("nodeName", false), ("hostname", true)] {
            let field = endpoint.at(key);
            if field.is_set() {
                if label { field.label(out) } else { field.subdomain(out) }
            }
        }
    }
}

/// Checks Endpoints.
pub(crate) fn endpoints(new: &Subject<'_>, _old: Option<&Subject<'_>>, out: &mut Causes) {
    for subset in Field::of(new, "subsets").items() {
        let (ready, waiting) = (subset.at("addresses"), subset.at("notReadyAddresses"));
        if ready.is_empty() && waiting.is_empty() {
            out.push(subset.required("must specify `addresses` or `notReadyAddresses`"));
        }
        for address_field in ready.items().into_iter().chain(waiting.items()) {
            let ip = address_field.at("ip");
            address::ip(&ip, out);
            if !address_field.at("hostname").text().is_empty() {
                address_field.at("hostname").label(out);
            }
            if address_field.at("nodeName").is_set() {
                address_field.at("nodeName").subdomain(out);
            }
            address::endpoint(&ip, out);
        }
        let ports = subset.at("ports").items();
        for port in &ports {
            let name = port.at("name");
            if name.text().is_empty() {
                if ports.len() > 1 {
                    out.push(name.required(""));
                }
            } else {
                name.label(out);
            }
            port.at("port").port(out);
            port.at("protocol").one_of(&PROTOCOLS, out);
        }
    }
}
