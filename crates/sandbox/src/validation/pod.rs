//! Pods and the templates of pods.

use std::collections::BTreeMap;

use lockstep_object::Value;

use crate::{names, status::go_quote};

use super::{
    address, affinity,
    containers::{self, Surroundings},
    field::{Causes, Field, Subject},
    security, selector, volumes,
};

const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// Checks a pod.
pub(crate) fn check(new: &Subject<'_>, old: Option<&Subject<'_>>, out: &mut Causes) {
    let spec_field = Field::of(new, "spec");
    spec(&spec_field, out);
    if spec_field.at("serviceAccountName").text().is_empty() {
        token_without_account(&spec_field, out);
    }
    match old {
        None => {
            let ephemeral = spec_field.at("ephemeralContainers");
            if !ephemeral.is_empty() {
                out.push(ephemeral.forbidden("cannot be set on create"));
            }
            let node = spec_field.at("nodeName");
            if !node.text().is_empty() && !spec_field.at("schedulingGates").is_empty() {
                out.push(node.forbidden("cannot be set until all schedulingGates have been cleared"));
            }
        }
        Some(old) => update(&Field::of(old, "spec"), &spec_field, out),
    }
}

fn token_without_account(spec: &Field<'_>, out: &mut Causes) {
    let sources =
        spec.at("volumes").items().into_iter().flat_map(|volume| volume.at("projected").at("sources").items());
    for token in sources.map(|source| source.at("serviceAccountToken")).filter(Field::is_set) {
        out.push(token.forbidden("must not be specified when serviceAccountName is not set"));
    }
}

/// Fields of a running pod that may change.
const CHANGEABLE: [&str; 3] = ["activeDeadlineSeconds", "tolerations", "schedulingGates"];

fn update(old: &Field<'_>, new: &Field<'_>, out: &mut Causes) {
    for key in ["containers", "initContainers"] {
        let (before, after) = (old.at(key).items(), new.at(key));
        if before.len() != after.items().len() {
            out.push(after.forbidden("pod updates may not add or remove containers"));
            return;
        }
    }
    let (deadline, before) = (new.at("activeDeadlineSeconds"), old.at("activeDeadlineSeconds"));
    if let (Some(now), Some(then)) = (deadline.int(), before.int())
        && then < now
    {
        out.push(deadline.invalid("must be less than or equal to previous value"));
        return;
    }
    if before.is_set() && !deadline.is_set() {
        out.push(deadline.invalid("must not update from a positive integer to nil value"));
    }
    tolerations_added(&old.at("tolerations"), &new.at("tolerations"), out);
    let munged = munged(old.value, new.value);
    if munged != *old.value {
        let fields = "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
        let form = |spec: &Value| crate::gotypes::internal_form("v1.PodSpec", spec);
        let difference = crate::gofmt::difference(&form(old.value), &form(&munged));
        out.push(new.forbidden(&format!("pod updates may not change fields other than {fields}\n{difference}")));
    }
}

fn tolerations_added(old: &Field<'_>, new: &Field<'_>, out: &mut Causes) {
    let after = new.items();
    let kept = |before: &Field<'_>| after.iter().any(|now| same_toleration(before.value, now.value));
    if !old.items().iter().all(kept) {
        out.push(new.forbidden("existing toleration can not be modified except its tolerationSeconds"));
    }
}

fn same_toleration(a: &Value, b: &Value) -> bool {
    ["key", "operator", "value", "effect"].iter().all(|key| a.get(key) == b.get(key))
}

/// Returns the new spec with the fields of the old one that a pod may change.
fn munged(old: &Value, new: &Value) -> Value {
    let mut map = new.as_map().cloned().unwrap_or_default();
    for key in CHANGEABLE {
        match old.get(key) {
            Some(value) => map.insert(key, value.clone()),
            None => map.remove(key),
        };
    }
    for key in ["containers", "initContainers"] {
        let before = old.get(key).and_then(Value::as_list);
        let Some(list) = map.get_mut(key).and_then(Value::as_list_mut) else { continue };
        for (place, container) in list.make_mut().iter_mut().enumerate() {
            let image = before.and_then(|before| before.get(place)).and_then(|before| before.get("image"));
            if let (Some(container), Some(image)) = (container.as_map_mut(), image) {
                container.insert("image", image.clone());
            }
        }
    }
    Value::Map(map)
}

/// Checks a template of pods.
pub(crate) fn template(template: &Field<'_>, out: &mut Causes) {
    template_with(template, Vec::new(), out);
}

/// Checks a template of pods whose pods get further volumes.
pub(crate) fn template_with(template: &Field<'_>, more: Vec<Field<'_>>, out: &mut Causes) {
    template.at("metadata").at("labels").named(format!("{}.labels", template.path)).labels(out);
    if let Some(annotations) = template.at("metadata").at("annotations").value.as_map() {
        names::check_annotations(annotations, &format!("{}.annotations", template.path), out);
    }
    let spec = template.at("spec");
    spec_with(&spec, more, out);
    let ephemeral = spec.at("ephemeralContainers");
    if !ephemeral.is_empty() {
        out.push(ephemeral.forbidden("ephemeral containers not allowed in pod template"));
    }
}

fn spec(field: &Field<'_>, out: &mut Causes) {
    spec_with(field, Vec::new(), out);
}

fn spec_with<'a>(spec: &Field<'a>, more: Vec<Field<'a>>, out: &mut Causes) {
    let known: BTreeMap<String, Field<'a>> = if more.is_empty() {
        volumes::check(&spec.at("volumes"), out)
    } else {
        let named: Vec<&str> = more.iter().map(|volume| volume.at("name").text()).collect();
        let own = spec.at("volumes").items().into_iter().filter(|volume| !named.contains(&volume.at("name").text()));
        let all = more.clone().into_iter().chain(own).enumerate();
        let placed = all.map(|(place, volume)| volume.named(format!("{}.volumes[{place}]", spec.path)));
        volumes::check_fields(placed.collect(), out)
    };
    let pod = Surroundings {
        volumes: known,
        grace: spec.at("terminationGracePeriodSeconds").int(),
        restart: spec.at("restartPolicy").text().to_owned(),
    };
    containers::check(&spec.at("containers"), &pod, out);
    containers::check_initial(&spec.at("initContainers"), &spec.at("containers"), &pod, out);
    host_network(spec, out);
    spec.at("restartPolicy").one_of_if_set(&["Always", "OnFailure", "Never"], out);
    spec.at("dnsPolicy").one_of_if_set(&["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"], out);
    spec.at("nodeSelector").labels(out);
    security::of_pod(spec, out);
    affinity::check(&spec.at("affinity"), out);
    dns(spec, out);
    for gate in spec.at("readinessGates").items() {
        gate.at("conditionType").qualified(out);
    }
    gates(&spec.at("schedulingGates"), out);
    spread(&spec.at("topologySpreadConstraints"), out);
    places(spec, out);
}

/// Checks where and as whom a pod runs.
fn places(spec: &Field<'_>, out: &mut Causes) {
    for key in ["serviceAccountName", "nodeName"] {
        let field = spec.at(key);
        if !field.text().is_empty() {
            field.subdomain(out);
        }
    }
    let deadline = spec.at("activeDeadlineSeconds");
    if deadline.int().is_some_and(|seconds| !(1..=i64::from(i32::MAX)).contains(&seconds)) {
        out.push(deadline.invalid("must be between 1 and 2147483647, inclusive"));
    }
    for key in ["hostname", "subdomain"] {
        let field = spec.at(key);
        if !field.text().is_empty() {
            field.label(out);
        }
    }
    tolerations(&spec.at("tolerations"), out);
    for alias in spec.at("hostAliases").items() {
        address::ip(&alias.at("ip"), out);
        for host in alias.at("hostnames").items() {
            host.subdomain(out);
        }
    }
    for key in ["priorityClassName", "runtimeClassName"] {
        let field = spec.at(key);
        if !field.text().is_empty() {
            field.subdomain(out);
        }
    }
    spec.at("preemptionPolicy").one_of_if_set(&["PreemptLowerPriority", "Never"], out);
    let system = spec.at("os").at("name");
    if spec.at("os").is_set() {
        system.one_of(&["linux", "windows"], out);
    }
}

fn host_network(spec: &Field<'_>, out: &mut Causes) {
    if !spec.at("hostNetwork").is_true() {
        return;
    }
    for port in spec.at("containers").items().iter().flat_map(|container| container.at("ports").items()) {
        let host = port.at("hostPort");
        if host.number() != 0 && host.number() != port.at("containerPort").number() {
            out.push(host.invalid("must match `containerPort` when `hostNetwork` is true"));
        }
    }
}

fn dns(spec: &Field<'_>, out: &mut Causes) {
    let config = spec.at("dnsConfig");
    let servers = config.at("nameservers");
    if spec.at("dnsPolicy").text() == "None" {
        if !config.is_set() {
            out.push(config.required("must provide `dnsConfig` when `dnsPolicy` is None"));
            return;
        }
        if servers.is_empty() {
            out.push(servers.required("must provide at least one DNS nameserver when `dnsPolicy` is None"));
            return;
        }
    }
    if servers.items().len() > 3 {
        out.push(servers.invalid("must not have more than 3 nameservers"));
    }
    for server in servers.items() {
        address::ip(&server, out);
    }
    let searches = config.at("searches");
    if searches.items().len() > 32 {
        out.push(searches.invalid("must not have more than 32 search paths"));
    }
    if searches.texts().join(" ").len() > 2048 {
        out.push(searches.invalid("must not have more than 2048 characters (including spaces) in the search list"));
    }
    for search in searches.items() {
        let text = search.text().strip_suffix('.').unwrap_or(search.text());
        if search.text() != "." {
            let problems = names::subdomain(&text.replace('_', "a"));
            out.extend(problems.iter().map(|problem| search.invalid_as(&go_quote(text), problem)));
        }
    }
    for option in config.at("options").items() {
        if option.at("name").text().is_empty() {
            out.push(option.required("must not be empty"));
        }
    }
}

fn gates(list: &Field<'_>, out: &mut Causes) {
    let mut known: Vec<&str> = Vec::new();
    for gate in list.items() {
        let name = gate.at("name").named(gate.path.clone());
        name.qualified(out);
        if known.contains(&name.text()) {
            out.push(name.duplicate());
        }
        known.push(name.text());
    }
}

fn spread(list: &Field<'_>, out: &mut Causes) {
    let all = list.items();
    for (place, constraint) in all.iter().enumerate() {
        constraint.at("maxSkew").positive(out);
        let (key, when) = (constraint.at("topologyKey"), constraint.at("whenUnsatisfiable"));
        if key.text().is_empty() {
            out.push(key.required("can not be empty"));
        }
        if !["DoNotSchedule", "ScheduleAnyway"].contains(&when.text()) {
            out.push(when.unsupported(&["DoNotSchedule", "ScheduleAnyway"]));
        }
        let again = |other: &Field<'_>| {
            other.at("topologyKey").text() == key.text() && other.at("whenUnsatisfiable").text() == when.text()
        };
        if all[place + 1..].iter().any(again) {
            let both = format!("{{{}, {}}}", key.text(), when.text());
            out.push(constraint.at("{topologyKey, whenUnsatisfiable}").duplicate_as(&go_quote(&both)));
        }
        let domains = constraint.at("minDomains");
        if domains.is_set() {
            domains.positive(out);
            if when.text() != "DoNotSchedule" {
                let text = format!("can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {}", when.text());
                out.push(domains.invalid(&text));
            }
        }
        for key in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
            constraint.at(key).one_of_if_set(&["Honor", "Ignore"], out);
        }
        selector::check(&constraint.at("labelSelector"), out);
    }
}

/// Checks tolerations.
fn tolerations(list: &Field<'_>, out: &mut Causes) {
    for toleration in list.items() {
        let part = |key: &str| toleration.at(key);
        let (key, operator, value, effect) = (part("key"), part("operator"), part("value"), part("effect"));
        let shown = |field: &Field<'_>| go_quote(field.text());
        if !key.text().is_empty() {
            key.qualified(out);
        } else if operator.text() != "Exists" {
            let text = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            out.push(operator.invalid_as(&shown(&operator), text));
        }
        if part("tolerationSeconds").is_set() && effect.text() != "NoExecute" {
            let text = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            out.push(effect.invalid_as(&shown(&effect), text));
        }
        match operator.text() {
            "Equal" | "" => {
                let problems = names::label_value(value.text());
                if !problems.is_empty() {
                    out.push(operator.invalid_as(&shown(&value), &problems.join(";")));
                }
            }
            "Exists" if !value.text().is_empty() => {
                out.push(operator.invalid_as(&shown(&value), "value must be empty when `operator` is 'Exists'"));
            }
            "Exists" => {}
            "Lt" | "Gt" => out.push(operator.unsupported(&["Equal", "Exists", "Lt", "Gt"])),
            _ => out.push(operator.unsupported(&["Equal", "Exists"])),
        }
        if !effect.text().is_empty() {
            effect.one_of(&EFFECTS, out);
        }
    }
}

/// Checks the taints of a node.
pub(crate) fn taints(list: &Field<'_>, out: &mut Causes) {
    let mut known: Vec<(&str, &str)> = Vec::new();
    for taint in list.items() {
        let (key, value, effect) = (taint.at("key"), taint.at("value"), taint.at("effect"));
        key.qualified(out);
        let problems = names::label_value(value.text());
        if !problems.is_empty() {
            out.push(value.invalid(&problems.join(";")));
        }
        effect.one_of(&EFFECTS, out);
        if known.contains(&(key.text(), effect.text())) {
            let mut cause = taint.duplicate();
            cause.message.push_str(": taints must be unique by key and effect pair");
            out.push(cause);
        }
        known.push((key.text(), effect.text()));
    }
}
