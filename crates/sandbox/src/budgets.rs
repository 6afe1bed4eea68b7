//! Disruption budgets: which evictions they allow, and what an eviction takes from them.

use lockstep_object::{Map, Object, Value};

use crate::{
    build::{int_at, list_at, map, set_at, text_at},
    moment::Moment,
    select::Labels,
    server::Server,
    status::{Failure, Outcome},
};

const STORE: &str = "policy/poddisruptionbudgets";
const REFUSED: &str = "Cannot evict pod as it would violate the pod's disruption budget.";
/// Who writes the status of a budget when a pod is evicted.
const MANAGER: &str = "kube-apiserver";

impl Server {
    /// Takes an eviction of a pod from the budget that covers it, or refuses it.
    pub(crate) fn spend_budget(
        &mut self,
        namespace: &str,
        pod: &Object,
        dry_run: bool,
        moment: &mut Moment,
    ) -> Outcome<()> {
        let phase = pod.str_at(&["status", "phase"]);
        if matches!(phase, "Pending" | "Succeeded" | "Failed") || pod.at(&["metadata", "deletionTimestamp"]).is_some() {
            return Ok(());
        }
        let budgets = self.budgets_of(namespace, pod);
        let budget = match budgets.as_slice() {
            [] => return Ok(()),
            [budget] => budget,
            _ => {
                return Err(Failure::internal(
                    "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
                ));
            }
        };
        if is_unready_and_free(pod, budget) {
            return Ok(());
        }
        let spent = spend(budget, pod.name(), &moment.seconds())?;
        if !dry_run {
            let mut spent = spent;
            crate::managed::record_status(self, budget, &mut spent, MANAGER, &moment.seconds());
            self.store.put(&STORE.into(), spent);
        }
        Ok(())
    }

    fn budgets_of(&self, namespace: &str, pod: &Object) -> Vec<Object> {
        let selects = |budget: &Object| {
            let selector = budget.to_value().at(&["spec", "selector"]).and_then(Labels::of_selector);
            selector.is_some_and(|labels| labels.matches(pod))
        };
        let all = self.store.bucket(STORE).into_iter().flat_map(|bucket| bucket.range(Some(namespace)));
        all.map(|(_, stored)| stored.object.clone()).filter(selects).collect()
    }
}

/// Tells whether a pod that is not ready may go without counting: always if the budget says so, else while enough
/// others are healthy.
fn is_unready_and_free(pod: &Object, budget: &Object) -> bool {
    let pod = pod.to_value();
    let ready = |one: &Value| text_at(one, &["type"]) == "Ready" && text_at(one, &["status"]) == "True";
    if list_at(&pod, &["status", "conditions"]).iter().any(ready) {
        return false;
    }
    let budget = budget.to_value();
    let count = |key: &str| int_at(&budget, &["status", key]).unwrap_or_default();
    text_at(&budget, &["spec", "unhealthyPodEvictionPolicy"]) == "AlwaysAllow"
        || (count("desiredHealthy") > 0 && count("currentHealthy") >= count("desiredHealthy"))
}

/// Returns the budget after one eviction.
fn spend(budget: &Object, pod: &str, time: &str) -> Outcome<Object> {
    let value = budget.to_value();
    let count = |key: &str| int_at(&value, &["status", key]).unwrap_or_default();
    let name = budget.name();
    let generation = int_at(&value, &["metadata", "generation"]).unwrap_or_default();
    if count("observedGeneration") < generation {
        return Err(refused(
            &format!("The disruption budget {name} is still being processed by the server."),
            Some(10),
        ));
    }
    let left = count("disruptionsAllowed");
    if left < 0 {
        return Err(Failure::forbidden("policy", "poddisruptionbudget", name, "pdb disruptions allowed is negative"));
    }
    if left == 0 {
        let (wanted, healthy) = (count("desiredHealthy"), count("currentHealthy"));
        let words = format!("The disruption budget {name} needs {wanted} healthy pods and has {healthy} currently");
        return Err(refused(&words, None));
    }
    let mut spent = budget.clone();
    set_at(spent.root_mut(), &["status", "disruptionsAllowed"], left - 1);
    set_at(spent.root_mut(), &["status", "disruptedPods", pod], time.to_owned());
    if left == 1 {
        let condition = map! {
            "type" => "DisruptionAllowed", "status" => "False", "observedGeneration" => generation,
            "lastTransitionTime" => time, "reason" => "InsufficientPods", "message" => "",
        };
        let others = list_at(&value, &["status", "conditions"]).iter();
        let mut conditions: Vec<Value> =
            others.filter(|one| text_at(one, &["type"]) != "DisruptionAllowed").cloned().collect();
        conditions.push(Value::Map(condition));
        set_at(spent.root_mut(), &["status", "conditions"], conditions);
    }
    Ok(spent)
}

fn refused(message: &str, retry_after: Option<i64>) -> Failure {
    let cause = map! { "reason" => "DisruptionBudget", "message" => message };
    let mut details: Map = map! { "causes" => vec![Value::Map(cause)] };
    if let Some(seconds) = retry_after {
        details.insert("retryAfterSeconds", seconds);
    }
    Failure::new(429, "TooManyRequests", REFUSED).with_details(details)
}
