//! Addresses and node ports of Services.

use std::collections::BTreeSet;

use lockstep_object::{Map, Object, Value};

use crate::{
    build::{list_at, set_at, text_at, texts},
    server::Server,
    status::{Cause, Failure, Outcome},
    writing::Write,
};

const STORE: &str = "/services";

impl Server {
    /// Gives a Service its addresses and node ports, or takes them away when its type no longer has them.
    pub(crate) fn allocate_service(
        &mut self,
        write: &mut Write<'_>,
        old: Option<&Object>,
        new: &mut Object,
    ) -> Outcome<()> {
        let value = new.to_value();
        let kind = text_at(&value, &["spec", "type"]).to_owned();
        if kind == "ExternalName" {
            drop_addresses(new, old);
        } else {
            self.addresses(write, old, new)?;
        }
        self.node_ports(write, old, new, &kind)?;
        if old.is_none() {
            new.root_mut()
                .insert("status", lockstep_object::Map::from_iter([("loadBalancer", Value::Map(Map::new()))]));
        }
        Ok(())
    }

    fn addresses(&mut self, write: &mut Write<'_>, old: Option<&Object>, new: &mut Object) -> Outcome<()> {
        let before = old.map(|old| old.str_at(&["spec", "clusterIP"]).to_owned()).unwrap_or_default();
        let listed = list_at(&new.to_value(), &["spec", "clusterIPs"])
            .first()
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let mut wanted = new.str_at(&["spec", "clusterIP"]).to_owned();
        if wanted.is_empty() && !listed.is_empty() && old.is_none() {
            wanted = listed;
        }
        if wanted.is_empty() && !before.is_empty() {
            wanted = before.clone();
        }
        if wanted.is_empty() {
            wanted = self.free_address(write);
        } else if wanted != "None" && wanted != before {
            self.check_address(&wanted, new)?;
        }
        let spec = new.root_mut().map_entry("spec");
        spec.insert("clusterIP", wanted.as_str());
        spec.insert("clusterIPs", texts([wanted.as_str()]));
        if !spec.contains_key("ipFamilies") {
            let selects = spec.get("selector").and_then(Value::as_map).is_some_and(|map| !map.is_empty());
            let headless_without_selector = wanted == "None" && !selects;
            let families: &[&str] = if headless_without_selector { &["IPv4", "IPv6"] } else { &["IPv4"] };
            let policy = if headless_without_selector { "RequireDualStack" } else { "SingleStack" };
            let kept = old.and_then(|old| {
                Some((old.at(&["spec", "ipFamilies"])?.clone(), old.at(&["spec", "ipFamilyPolicy"])?.clone()))
            });
            let (families, policy) = kept.unwrap_or_else(|| (texts(families.iter().copied()), policy.into()));
            spec.insert("ipFamilies", families);
            spec.entry("ipFamilyPolicy", || policy);
        }
        spec.entry("ipFamilyPolicy", || "SingleStack".into());
        Ok(())
    }

    fn used_addresses(&self) -> BTreeSet<String> {
        let services = self.store.bucket(STORE).into_iter().flat_map(|bucket| bucket.range(None));
        services.map(|(_, one)| one.object.str_at(&["spec", "clusterIP"]).to_owned()).collect()
    }

    /// Draws an address of 10.96.0.0/16 that nobody has.
    fn free_address(&mut self, write: &mut Write<'_>) -> String {
        let used = self.used_addresses();
        for _ in 0..100_000 {
            let number = write.moment.draw() % 65_000 + 256;
            let address = format!("10.96.{}.{}", number / 256, number % 256);
            if !used.contains(&address) {
                return address;
            }
        }
        String::new()
    }

    fn check_address(&self, address: &str, service: &Object) -> Outcome<()> {
        let refuse = |text: &str| {
            let words = crate::status::go_quote(address);
            let cause = Cause::invalid("spec.clusterIPs", &format!("[{words}]"), text);
            Err(Failure::invalid("", "Service", service.name(), &[cause]))
        };
        let Ok(parsed) = address.parse::<std::net::Ipv4Addr>() else {
            return Ok(());
        };
        if parsed.octets()[..2] != [10, 96] {
            let text = format!(
                "failed to allocate IP {address}: the provided IP ({address}) is not in the valid range. The range of valid IPs is 10.96.0.0/16"
            );
            return refuse(&text);
        }
        if self.used_addresses().contains(address) {
            return refuse(&format!("failed to allocate IP {address}: provided IP is already allocated"));
        }
        Ok(())
    }

    fn node_ports(&mut self, write: &mut Write<'_>, old: Option<&Object>, new: &mut Object, kind: &str) -> Outcome<()> {
        let allocates = new.at(&["spec", "allocateLoadBalancerNodePorts"]).and_then(Value::as_bool) != Some(false);
        let needs = kind == "NodePort" || (kind == "LoadBalancer" && allocates);
        let before = old.map(|old| list_at(&old.to_value(), &["spec", "ports"]).to_vec()).unwrap_or_default();
        let mut used = self.used_ports(new);
        let name = new.name().to_owned();
        let Some(Value::List(ports)) = new.root_mut().map_entry("spec").get_mut("ports") else { return Ok(()) };
        let mut ports: Vec<Value> = ports.to_vec();
        for (place, port) in ports.iter_mut().enumerate() {
            let Value::Map(port) = port else { continue };
            let own = port.get("nodePort").and_then(Value::as_i64).filter(|number| *number > 0);
            if !needs {
                let kept = before.iter().any(|one| one.get("nodePort").and_then(Value::as_i64) == own);
                if own.is_some() && kept && kind == "ClusterIP" {
                    port.remove("nodePort");
                }
                continue;
            }
            if let Some(own) = own {
                let kept = before.iter().any(|one| one.get("nodePort").and_then(Value::as_i64) == Some(own));
                if !kept {
                    check_port(own, place, &used, &name)?;
                }
                continue;
            }
            let known = before.iter().find(|one| {
                one.get("port") == port.get("port")
                    && one.get("protocol") == port.get("protocol")
                    && one.get("name") == port.get("name")
            });
            let number = match known.and_then(|one| one.get("nodePort")).and_then(Value::as_i64) {
                Some(number) => number,
                None => free_port(write, &used),
            };
            used.insert(number);
            port.insert("nodePort", number);
        }
        set_at(new.root_mut(), &["spec", "ports"], ports);
        if let Some(old) = old.filter(|old| is_exposed(old) && !["NodePort", "LoadBalancer"].contains(&kind)) {
            let same = old.at(&["spec", "externalTrafficPolicy"]) == new.at(&["spec", "externalTrafficPolicy"]);
            if same {
                new.root_mut().map_entry("spec").remove("externalTrafficPolicy");
            }
        }
        let local = new.str_at(&["spec", "externalTrafficPolicy"]) == "Local";
        if kind == "LoadBalancer" && local && new.at(&["spec", "healthCheckNodePort"]).is_none() {
            let kept = old.and_then(|old| old.at(&["spec", "healthCheckNodePort"])).and_then(Value::as_i64);
            let number = kept.unwrap_or_else(|| free_port(write, &used));
            set_at(new.root_mut(), &["spec", "healthCheckNodePort"], number);
        }
        Ok(())
    }

    fn used_ports(&self, except: &Object) -> BTreeSet<i64> {
        let services = self.store.bucket(STORE).into_iter().flat_map(|bucket| bucket.range(None));
        let others = services
            .filter(|(_, one)| one.object.name() != except.name() || one.object.namespace() != except.namespace());
        others
            .flat_map(|(_, one)| list_at(&one.object.to_value(), &["spec", "ports"]).to_vec())
            .filter_map(|port| port.get("nodePort").and_then(Value::as_i64))
            .collect()
    }
}

fn is_exposed(service: &Object) -> bool {
    ["NodePort", "LoadBalancer"].contains(&service.str_at(&["spec", "type"]))
}

/// Refuses a node port that somebody has or nobody may have.
fn check_port(port: i64, place: usize, used: &BTreeSet<i64>, name: &str) -> Outcome<()> {
    let problem = if !(30_000..=32_767).contains(&port) {
        "provided port is not in the valid range. The range of valid ports is 30000-32767"
    } else if used.contains(&port) {
        "provided port is already allocated"
    } else {
        return Ok(());
    };
    let cause = Cause::invalid(format!("spec.ports[{place}].nodePort"), &port.to_string(), problem);
    Err(Failure::invalid("", "Service", name, &[cause]))
}

/// Draws a node port of 30000 to 32767 that nobody has.
fn free_port(write: &mut Write<'_>, used: &BTreeSet<i64>) -> i64 {
    for _ in 0..10_000 {
        let number = 30_000 + i64::try_from(write.moment.draw() % 2768).unwrap_or_default();
        if !used.contains(&number) {
            return number;
        }
    }
    0
}

fn drop_addresses(new: &mut Object, old: Option<&Object>) {
    let before = old.map(|old| old.str_at(&["spec", "clusterIP"]).to_owned()).unwrap_or_default();
    let same = new.str_at(&["spec", "clusterIP"]) == before;
    let spec = new.root_mut().map_entry("spec");
    if same {
        for key in ["clusterIP", "clusterIPs"] {
            spec.remove(key);
        }
    }
    if old.is_some() {
        for key in ["ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"] {
            spec.remove(key);
        }
    }
}
