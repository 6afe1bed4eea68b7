//! LimitRange and ResourceQuota: the admission plugins LimitRanger and ResourceQuota for pods.

use std::collections::BTreeMap;

use lockstep_object::{Map, Object, Value};

use crate::{
    build::{list_at, set_at, text_at},
    quantity::{canonical, nanos},
    server::Server,
    status::{Failure, Outcome},
};

const RANGES: &str = "/limitranges";
const QUOTAS: &str = "/resourcequotas";
const ANNOTATION: &str = "kubernetes.io/limit-ranger";
/// The parts of a pod that have resources of their own, and the words for them.
const CONTAINERS: [(&str, &str); 2] = [("containers", "container"), ("initContainers", "init container")];

fn of_namespace(server: &Server, store: &str, namespace: &str) -> Vec<Value> {
    let bucket = server.store.bucket(store);
    let all = bucket.into_iter().flat_map(|bucket| bucket.range(Some(namespace)));
    all.map(|(_, stored)| stored.object.to_value()).collect()
}

/// Fills in what a LimitRange says and refuses what it forbids.
pub(crate) fn limit_defaults(server: &Server, namespace: &str, pod: &mut Object) -> Outcome<()> {
    for range in of_namespace(server, RANGES, namespace) {
        let limits = list_at(&range, &["spec", "limits"]);
        fill(limits, pod);
        let mut problems = Vec::new();
        for limit in limits {
            match text_at(limit, &["type"]) {
                "Container" => container_problems(limit, pod, &mut problems),
                "Pod" => bound_problems("Pod", limit, &pod_sum(pod), &mut problems),
                _ => {}
            }
        }
        match problems.as_slice() {
            [] => {}
            [one] => return Err(Failure::forbidden("", "pods", pod.name(), one)),
            many => return Err(Failure::forbidden("", "pods", pod.name(), &format!("[{}]", many.join(", ")))),
        }
    }
    Ok(())
}

/// Sets the requests and limits that containers leave out, and says so in an annotation.
fn fill(limits: &[Value], pod: &mut Object) {
    let Some(limit) = limits.iter().find(|limit| text_at(limit, &["type"]) == "Container") else { return };
    let mut said = Vec::new();
    for (part, words) in CONTAINERS {
        let mut containers = list_at(&pod.to_value(), &["spec", part]).to_vec();
        for container in &mut containers {
            let name = text_at(container, &["name"]).to_owned();
            let Some(container) = container.as_map_mut() else { continue };
            for (kind, from, word) in [("requests", "defaultRequest", "request"), ("limits", "default", "limit")] {
                let set = fill_one(container, kind, limit.get(from));
                if !set.is_empty() {
                    said.push(format!("{} {word} for {words} {name}", set.join(", ")));
                }
            }
        }
        if !containers.is_empty() {
            set_at(pod.root_mut(), &["spec", part], containers);
        }
    }
    if !said.is_empty() {
        let text = format!("LimitRanger plugin set: {}", said.join("; "));
        set_at(pod.root_mut(), &["metadata", "annotations", ANNOTATION], text);
    }
}

fn fill_one(container: &mut Map, kind: &str, defaults: Option<&Value>) -> Vec<String> {
    let mut set = Vec::new();
    for (name, amount) in defaults.and_then(Value::as_map).into_iter().flat_map(Map::iter) {
        let resources = container.map_entry("resources").map_entry(kind);
        if !resources.contains_key(name) {
            resources.insert(name.clone(), amount.clone());
            resources.sort_keys();
            set.push(name.to_string());
        }
    }
    set.sort();
    set
}

type Amounts = BTreeMap<(String, &'static str), i128>;

fn amounts(container: &Value) -> Amounts {
    let mut found = Amounts::new();
    for (kind, word) in [("requests", "request"), ("limits", "limit")] {
        let map = container.at(&["resources", kind]).and_then(Value::as_map);
        for (name, amount) in map.into_iter().flat_map(Map::iter) {
            found.insert((name.to_string(), word), nanos(amount.as_str().unwrap_or_default()));
        }
    }
    found
}

fn pod_sum(pod: &Object) -> Amounts {
    let mut sum = Amounts::new();
    for container in list_at(&pod.to_value(), &["spec", "containers"]) {
        for (key, amount) in amounts(container) {
            *sum.entry(key).or_default() += amount;
        }
    }
    sum
}

fn container_problems(limit: &Value, pod: &Object, problems: &mut Vec<String>) {
    let value = pod.to_value();
    for container in CONTAINERS.iter().flat_map(|(part, _)| list_at(&value, &["spec", part])) {
        bound_problems("Container", limit, &amounts(container), problems);
    }
}

fn shown(amount: i128) -> String {
    canonical(&format!("{}n", amount)).unwrap_or_else(|_| amount.to_string())
}

fn bound_problems(what: &str, limit: &Value, asked: &Amounts, problems: &mut Vec<String>) {
    let of = |name: &str, word: &'static str| asked.get(&(name.to_owned(), word)).copied();
    for (name, bound) in sorted(limit.get("min")) {
        let least = nanos(&bound);
        match (of(&name, "request"), of(&name, "limit")) {
            (None, None) => {
                problems.push(format!("minimum {name} usage per {what} is {bound}.  No request is specified"))
            }
            (Some(request), _) if request < least => {
                problems.push(format!("minimum {name} usage per {what} is {bound}, but request is {}", shown(request)));
            }
            (_, Some(most)) if most < least => {
                problems.push(format!("minimum {name} usage per {what} is {bound}, but limit is {}", shown(most)));
            }
            _ => {}
        }
    }
    for (name, bound) in sorted(limit.get("max")) {
        let most = nanos(&bound);
        match (of(&name, "request"), of(&name, "limit")) {
            (_, None) => problems.push(format!("maximum {name} usage per {what} is {bound}.  No limit is specified")),
            (_, Some(limit)) if limit > most => {
                problems.push(format!("maximum {name} usage per {what} is {bound}, but limit is {}", shown(limit)));
            }
            (Some(request), _) if request > most => {
                problems.push(format!("maximum {name} usage per {what} is {bound}, but request is {}", shown(request)));
            }
            _ => {}
        }
    }
}

fn sorted(amounts: Option<&Value>) -> Vec<(String, String)> {
    let map = amounts.and_then(Value::as_map);
    let mut all: Vec<(String, String)> = map
        .into_iter()
        .flat_map(Map::iter)
        .map(|(name, amount)| (name.to_string(), amount.as_str().unwrap_or_default().to_owned()))
        .collect();
    all.sort();
    all
}

/// Refuses a pod beyond a quota.
pub(crate) fn check_pod(server: &Server, namespace: &str, pod: &Object) -> Outcome<()> {
    let asked = usage(pod);
    for quota in of_namespace(server, QUOTAS, namespace) {
        if !list_at(&quota, &["spec", "scopes"]).is_empty() || quota.at(&["spec", "scopeSelector"]).is_some() {
            continue;
        }
        let name = text_at(&quota, &["metadata", "name"]);
        let hard = sorted(quota.at(&["spec", "hard"]));
        let missing: Vec<&str> = hard
            .iter()
            .map(|(resource, _)| resource.as_str())
            .filter(|resource| is_compute(resource) && !asked.contains_key(alias(resource)))
            .collect();
        if !missing.is_empty() {
            let containers = list_at(&pod.to_value(), &["spec", "containers"]).to_vec();
            let names: Vec<&str> = containers.iter().map(|container| text_at(container, &["name"])).collect();
            let needs: Vec<String> = missing.iter().map(|one| format!("{one} for: {}", names.join(","))).collect();
            let text = format!("failed quota: {name}: must specify {}", needs.join("; "));
            return Err(Failure::forbidden("", "pods", pod.name(), &text));
        }
        exceeded(server, namespace, pod, name, &hard, &asked)?;
    }
    Ok(())
}

fn exceeded(
    server: &Server,
    namespace: &str,
    pod: &Object,
    quota: &str,
    hard: &[(String, String)],
    asked: &BTreeMap<String, i128>,
) -> Outcome<()> {
    let mut used: BTreeMap<String, i128> = BTreeMap::new();
    for other in of_namespace(server, "/pods", namespace) {
        let Ok(other) = Object::try_from(other) else { continue };
        if ["Succeeded", "Failed"].contains(&other.str_at(&["status", "phase"])) {
            continue;
        }
        for (name, amount) in usage(&other) {
            *used.entry(name).or_default() += amount;
        }
    }
    let (mut requested, mut taken, mut limited) = (Vec::new(), Vec::new(), Vec::new());
    for (resource, bound) in hard {
        let key = alias(resource);
        let (Some(want), have) = (asked.get(key).copied(), used.get(key).copied().unwrap_or_default()) else {
            continue;
        };
        if want > 0 && have + want > nanos(bound) {
            requested.push(format!("{resource}={}", shown(want)));
            taken.push(format!("{resource}={}", shown(have)));
            limited.push(format!("{resource}={bound}"));
        }
    }
    if requested.is_empty() {
        return Ok(());
    }
    let text = format!(
        "exceeded quota: {quota}, requested: {}, used: {}, limited: {}",
        requested.join(","),
        taken.join(","),
        limited.join(",")
    );
    Err(Failure::forbidden("", "pods", pod.name(), &text))
}

/// The names under which a quota may mean the same.
fn alias(resource: &str) -> &str {
    match resource {
        "cpu" => "requests.cpu",
        "memory" => "requests.memory",
        "count/pods" => "pods",
        other => other,
    }
}

fn is_compute(resource: &str) -> bool {
    matches!(alias(resource), "requests.cpu" | "requests.memory" | "limits.cpu" | "limits.memory")
}

/// What a pod counts for.
fn usage(pod: &Object) -> BTreeMap<String, i128> {
    let mut found = BTreeMap::from([("pods".to_owned(), 1_000_000_000)]);
    for ((name, word), amount) in pod_sum(pod) {
        *found.entry(format!("{word}s.{name}")).or_default() += amount;
    }
    found
}
