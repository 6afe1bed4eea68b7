//! PodDisruptionBudgets: how many pods they count.

use lockstep_object::{Object, Value};

use super::{condition, pods, write_status};
use crate::{
    build::{int_at, map},
    moment::Moment,
    select::Labels,
    server::Server,
};

fn generation(object: &Object) -> i64 {
    int_at(&object.to_value(), &["metadata", "generation"]).unwrap_or_default()
}

/// Counts the pods of a PodDisruptionBudget.
pub(super) fn budget(server: &mut Server, moment: &mut Moment, object: &Object) {
    let value = object.to_value();
    let labels = value.at(&["spec", "selector"]).and_then(Labels::of_selector);
    let pods: Vec<Object> = server
        .store
        .bucket("/pods")
        .into_iter()
        .flat_map(|bucket| bucket.range(Some(object.namespace())))
        .map(|(_, one)| one.object.clone())
        .filter(|pod| labels.as_ref().is_some_and(|labels| labels.matches(pod)))
        .collect();
    let expected = i64::try_from(pods.len()).unwrap_or_default();
    let healthy = i64::try_from(pods.iter().filter(|pod| pods::is_ready(pod)).count()).unwrap_or_default();
    let part = |value: Option<&Value>| match value {
        Some(Value::Int(number)) => Some(*number),
        Some(Value::Text(text)) => {
            text.trim_end_matches('%').parse::<i64>().ok().map(|share| (expected * share + 99) / 100)
        }
        _ => None,
    };
    let desired = match (part(value.at(&["spec", "minAvailable"])), part(value.at(&["spec", "maxUnavailable"]))) {
        (Some(least), _) => least,
        (None, Some(most)) => (expected - most).max(0),
        _ => (expected - 1).max(0),
    };
    let allowed = (healthy - desired).max(0);
    let allowed = if expected == 0 { 0 } else { allowed };
    let old = object.root().get("status").cloned().unwrap_or_default();
    let reason = if allowed > 0 { "SufficientPods" } else { "InsufficientPods" };
    let mut made = condition(&old, "DisruptionAllowed", allowed > 0, reason, "", moment, false);
    if let Value::Map(made) = &mut made {
        made.insert("observedGeneration", generation(object));
    }
    let status = map! {
        "observedGeneration" => generation(object), "disruptionsAllowed" => allowed, "currentHealthy" => healthy,
        "desiredHealthy" => desired, "expectedPods" => expected, "conditions" => vec![made],
    };
    write_status(server, moment, object, Value::Map(status));
}
