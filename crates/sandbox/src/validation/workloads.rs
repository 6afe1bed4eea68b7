//! Deployments, ReplicaSets, StatefulSets, DaemonSets and ReplicationControllers.

use lockstep_object::{Map, Value};

use crate::{gofmt::bad_value, status::go_quote};

use super::{
    claims,
    field::{Causes, Field, Subject},
    pod,
    selector::{self, Selection},
};

const PERCENT_TEXT: &str = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";
const MISMATCH: &str = "`selector` does not match template `labels`";

/// Checks a Deployment.
pub(crate) fn deployment(new: &Subject<'_>, old: Option<&Subject<'_>>, out: &mut Causes) {
    let spec = Field::of(new, "spec");
    spec.at("replicas").nonnegative(out);
    selected(&spec, "deployment", out);
    strategy(&spec.at("strategy"), out);
    spec.nonnegatives(&["minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"], out);
    let deadline = spec.at("progressDeadlineSeconds");
    if deadline.int().is_some_and(|seconds| seconds <= spec.at("minReadySeconds").number()) {
        out.push(deadline.invalid("must be greater than minReadySeconds"));
    }
    fixed_selector(&spec, old, out);
}

/// Checks the status of a Deployment.
pub(crate) fn deployment_status(new: &Subject<'_>, _old: Option<&Subject<'_>>, out: &mut Causes) {
    let status = Field::of(new, "status");
    let counts = ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas"];
    status.at("observedGeneration").nonnegative(out);
    status.nonnegatives(&counts, out);
    not_above(&status, &["updatedReplicas", "readyReplicas", "availableReplicas"], "replicas", out);
    not_above(&status, &["availableReplicas"], "readyReplicas", out);
}

/// Checks the status of a ReplicaSet.
pub(crate) fn replica_status(new: &Subject<'_>, _old: Option<&Subject<'_>>, out: &mut Causes) {
    let status = Field::of(new, "status");
    let counts = ["replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "observedGeneration"];
    status.nonnegatives(&counts, out);
    not_above(&status, &["fullyLabeledReplicas", "readyReplicas", "availableReplicas"], "replicas", out);
    not_above(&status, &["availableReplicas"], "readyReplicas", out);
}

/// Checks the status of a StatefulSet.
pub(crate) fn stateful_status(new: &Subject<'_>, _old: Option<&Subject<'_>>, out: &mut Causes) {
    let status = Field::of(new, "status");
    let counts = ["replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"];
    status.nonnegatives(&counts, out);
    not_above(&status, &["readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"], "replicas", out);
    not_above(&status, &["availableReplicas"], "readyReplicas", out);
}

/// Checks that counts are not above another; what is absent is 0.
fn not_above(status: &Field<'_>, keys: &[&str], bound: &str, out: &mut Causes) {
    for field in keys.iter().map(|key| status.at(key)) {
        if field.number() > status.at(bound).number() {
            let text = if bound == "replicas" { "status.replicas" } else { "readyReplicas" };
            out.push(field.invalid_as(&field.number().to_string(), &format!("cannot be greater than {text}")));
        }
    }
}

/// Checks a ReplicaSet.
pub(crate) fn replica_set(new: &Subject<'_>, old: Option<&Subject<'_>>, out: &mut Causes) {
    let spec = Field::of(new, "spec");
    spec.nonnegatives(&["replicas", "minReadySeconds"], out);
    selected(&spec, "deployment", out);
    fixed_selector(&spec, old, out);
}

fn fixed_selector(spec: &Field<'_>, old: Option<&Subject<'_>>, out: &mut Causes) {
    if let Some(old) = old {
        spec.at("selector").immutable(&Field::of(old, "spec").at("selector"), out);
    }
}

/// Checks the selector and the template that it selects.
fn selected(spec: &Field<'_>, kind: &str, out: &mut Causes) {
    let selection = check_selector(spec, kind, out);
    if matches!(selection, Selection::Broken) {
        out.push(spec.at("selector").invalid("invalid label selector"));
        return;
    }
    let template = spec.at("template");
    let labels = template.at("metadata").at("labels");
    if !selection.matches(labels.value) {
        out.push(labels.invalid(MISMATCH));
    }
    pod::template(&template, out);
    always_restarted(&template, "ReplicaSet", out);
}

fn check_selector(spec: &Field<'_>, kind: &str, out: &mut Causes) -> Selection {
    let field = spec.at("selector");
    if field.is_set() {
        selector::check(&field, out);
        if field.at("matchLabels").is_empty() && field.at("matchExpressions").is_empty() {
            out.push(field.invalid(&format!("empty selector is invalid for {kind}")));
        }
    } else {
        out.push(field.required(""));
    }
    selector::selection(&field)
}

/// The pods of controllers that keep them running have no end.
fn always_restarted(template: &Field<'_>, owner: &str, out: &mut Causes) {
    let policy = template.at("spec").at("restartPolicy");
    if policy.is_set() && policy.text() != "Always" {
        out.push(policy.unsupported(&["Always"]));
    }
    let deadline = template.at("spec").at("activeDeadlineSeconds");
    if deadline.is_set() {
        out.push(deadline.forbidden(&format!("activeDeadlineSeconds in {owner} is not Supported")));
    }
}

/// Shows a strategy as the server's own struct prints as JSON.
fn shown_strategy(strategy: &Field<'_>) -> String {
    let rolling = strategy.at("rollingUpdate");
    let part = |key: &str| bad_value(rolling.at(key).value);
    let rolling = if rolling.is_set() {
        format!("{{\"MaxUnavailable\":{},\"MaxSurge\":{}}}", part("maxUnavailable"), part("maxSurge"))
    } else {
        "null".to_owned()
    };
    format!("{{\"Type\":{},\"RollingUpdate\":{rolling}}}", go_quote(strategy.at("type").text()))
}

fn strategy(strategy: &Field<'_>, out: &mut Causes) {
    let rolling = strategy.at("rollingUpdate");
    match strategy.at("type").text() {
        "Recreate" => {
            if rolling.is_set() {
                out.push(rolling.forbidden("may not be specified when strategy `type` is 'Recreate'"));
            }
        }
        "RollingUpdate" => {
            let (unavailable, surge) = (rolling.at("maxUnavailable"), rolling.at("maxSurge"));
            count_or_percent(&unavailable, out);
            count_or_percent(&surge, out);
            if rolling.is_set() && amount(&unavailable) == 0 && amount(&surge) == 0 {
                out.push(unavailable.invalid("may not be 0 when `maxSurge` is 0"));
            }
            at_most_all(&unavailable, out);
        }
        // Where no spec was sent, nothing was filled in.
        "" => {}
        _ => out.push(strategy.unsupported_as(&shown_strategy(strategy), &["Recreate", "RollingUpdate"])),
    }
}

fn is_percent(text: &str) -> bool {
    text.strip_suffix('%').is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// Checks a count or a percentage.
pub(crate) fn count_or_percent(field: &Field<'_>, out: &mut Causes) {
    match field.value.as_str() {
        Some(text) if !is_percent(text) => out.push(field.invalid(PERCENT_TEXT)),
        Some(_) => {}
        None => field.nonnegative(out),
    }
}

/// Checks that a percentage is no more than all.
pub(crate) fn at_most_all(field: &Field<'_>, out: &mut Causes) {
    if is_percent(field.text()) && amount(field) > 100 {
        out.push(field.invalid("must not be greater than 100%"));
    }
}

/// Reads a count or the number of a percentage; 0 if it is neither.
fn amount(field: &Field<'_>) -> i64 {
    match field.value.as_str() {
        Some(text) if is_percent(text) => text.trim_end_matches('%').parse().unwrap_or(i64::MAX),
        Some(_) => 0,
        None => field.number(),
    }
}

/// Checks a StatefulSet.
pub(crate) fn stateful_set(new: &Subject<'_>, old: Option<&Subject<'_>>, out: &mut Causes) {
    let spec = Field::of(new, "spec");
    let management = spec.at("podManagementPolicy");
    if management.is_set() && !["OrderedReady", "Parallel"].contains(&management.text()) {
        out.push(management.invalid("must be 'OrderedReady' or 'Parallel'"));
    }
    stateful_update(&spec.at("updateStrategy"), out);
    for key in ["whenDeleted", "whenScaled"] {
        spec.at("persistentVolumeClaimRetentionPolicy").at(key).one_of_if_set(&["Retain", "Delete"], out);
    }
    let templates = spec.at("volumeClaimTemplates").items();
    if old.is_none() {
        for template in &templates {
            claims::spec(&template.at("spec"), out);
        }
    }
    spec.nonnegatives(&["replicas", "minReadySeconds"], out);
    let start = spec.down(&["ordinals", "start"]);
    start.nonnegative(out);
    let service = spec.at("serviceName");
    if old.is_none() && !service.text().is_empty() {
        service.label(out);
    }
    let selection = check_selector(&spec, "statefulset", out);
    if matches!(selection, Selection::Broken) {
        out.push(spec.at("selector").invalid(""));
    } else {
        stateful_template(&spec, &selection, &templates, out);
    }
    always_restarted(&spec.at("template"), "StatefulSet", out);
    if let Some(old) = old {
        stateful_fixed(&Field::of(old, "spec"), &spec, out);
    }
}

fn stateful_template(spec: &Field<'_>, selection: &Selection, templates: &[Field<'_>], out: &mut Causes) {
    let template = spec.at("template");
    let labels = template.at("metadata").at("labels");
    if !selection.matches(labels.value) {
        out.push(labels.invalid(MISMATCH));
    }
    let claims: Vec<Value> =
        templates.iter().map(|template| claim_volume(template.at("metadata").at("name").text())).collect();
    let more = claims.iter().map(|volume| Field::placed(volume, "")).collect();
    pod::template_with(&template, more, out);
}

/// The volume that a claim's template becomes.
fn claim_volume(name: &str) -> Value {
    let mut claim = Map::new();
    claim.insert("claimName", name);
    let mut volume = Map::new();
    volume.insert("name", name);
    volume.insert("persistentVolumeClaim", claim);
    Value::Map(volume)
}

fn stateful_update(strategy: &Field<'_>, out: &mut Causes) {
    let rolling = strategy.at("rollingUpdate");
    match strategy.at("type").text() {
        "OnDelete" if rolling.is_set() => {
            out.push(rolling.invalid("only allowed for updateStrategy 'RollingUpdate'"));
        }
        "RollingUpdate" => {
            rolling.at("partition").nonnegative(out);
            let unavailable = rolling.at("maxUnavailable");
            if unavailable.is_set() {
                count_or_percent(&unavailable, out);
                if amount(&unavailable) == 0 {
                    out.push(unavailable.invalid("cannot be 0"));
                }
                at_most_all(&unavailable, out);
            }
        }
        "OnDelete" | "" => {}
        kind => {
            let shown = format!("{{\"Type\":{},\"RollingUpdate\":{}}}", go_quote(kind), bad_value(rolling.value));
            out.push(strategy.invalid_as(&shown, "must be 'RollingUpdate' or 'OnDelete'"));
        }
    }
}

fn stateful_fixed(old: &Field<'_>, new: &Field<'_>, out: &mut Causes) {
    const FREE: [&str; 7] = [
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    ];
    let rest = |field: &Field<'_>| {
        let mut map = field.value.as_map().cloned().unwrap_or_default();
        map.retain(|key, _| !FREE.contains(&key.as_str()));
        map
    };
    if rest(old) != rest(new) {
        out.push(new.forbidden("updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"));
    }
}

/// Checks a DaemonSet.
pub(crate) fn daemon_set(new: &Subject<'_>, old: Option<&Subject<'_>>, out: &mut Causes) {
    let spec = Field::of(new, "spec");
    fixed_selector(&spec, old, out);
    let field = spec.at("selector");
    selector::check(&field, out);
    let selection = selector::selection(&field);
    let template = spec.at("template");
    let labels = template.at("metadata").at("labels");
    if !matches!(selection, Selection::Broken) && !selection.matches(labels.value) {
        out.push(labels.invalid(MISMATCH));
    }
    if matches!(selection, Selection::Everything) {
        out.push(field.invalid("empty selector is invalid for daemonset"));
    }
    pod::template(&template, out);
    always_restarted(&template, "DaemonSet", out);
    spec.at("minReadySeconds").nonnegative(out);
    daemon_update(&spec.at("updateStrategy"), out);
    spec.at("revisionHistoryLimit").nonnegative(out);
}

fn daemon_update(strategy: &Field<'_>, out: &mut Causes) {
    match strategy.at("type").text() {
        "RollingUpdate" => {
            let rolling = strategy.at("rollingUpdate");
            if !rolling.is_set() {
                out.push(rolling.required(""));
                return;
            }
            let (unavailable, surge) = (rolling.at("maxUnavailable"), rolling.at("maxSurge"));
            count_or_percent(&unavailable, out);
            count_or_percent(&surge, out);
            at_most_all(&unavailable, out);
            at_most_all(&surge, out);
            match (amount(&unavailable) != 0, amount(&surge) != 0) {
                (true, true) => out.push(surge.invalid("may not be set when maxUnavailable is non-zero")),
                (false, false) => out.push(unavailable.required("cannot be 0 when maxSurge is 0")),
                _ => {}
            }
        }
        "OnDelete" | "" => {}
        _ => out.push(strategy.unsupported_as(&shown_strategy(strategy), &["RollingUpdate", "OnDelete"])),
    }
}

/// Checks a ReplicationController.
pub(crate) fn replication_controller(new: &Subject<'_>, _old: Option<&Subject<'_>>, out: &mut Causes) {
    let spec = Field::of(new, "spec");
    spec.at("minReadySeconds").nonnegative(out);
    let labels = spec.at("selector");
    labels.needed(out);
    spec.at("replicas").nonnegative(out);
    let template = spec.at("template");
    if !template.is_set() {
        out.push(template.required(""));
        return;
    }
    let own = template.at("metadata").at("labels");
    let matches = labels.entries().iter().all(|(key, value)| own.value.get(key) == Some(value.value));
    if !labels.is_empty() && !matches {
        out.push(own.invalid(MISMATCH));
    }
    pod::template(&template, out);
    always_restarted(&template, "ReplicationController", out);
}
