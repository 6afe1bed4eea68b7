//! Autoscalers.

use lockstep_object::{Object, Value, from_json};

use crate::{Health, Status};

/// Where `autoscaling/v1` keeps the conditions that later versions have in the status.
const CONDITIONS_ANNOTATION: &str = "autoscaling.alpha.kubernetes.io/conditions";

/// Conditions that say that scaling does not work: type and reason.
const FAILURES: [(&str, &str); 8] = [
    ("AbleToScale", "FailedGetScale"),
    ("AbleToScale", "FailedUpdateScale"),
    ("ScalingActive", "FailedGetResourceMetric"),
    ("ScalingActive", "FailedGetObjectMetric"),
    ("ScalingActive", "FailedGetPodsMetric"),
    ("ScalingActive", "FailedGetExternalMetric"),
    ("ScalingActive", "FailedComputeMetricsReplicas"),
    ("ScalingActive", "InvalidSelector"),
];

/// Judges a `HorizontalPodAutoscaler` of any version.
pub fn autoscaler(object: &Object) -> Health {
    match object.api_version() {
        "autoscaling/v1" => match object.annotation(CONDITIONS_ANNOTATION) {
            None => judge(&[]),
            Some(text) => match from_json(text.as_bytes()) {
                Ok(value) => judge(value.as_list().map_or(&[], |list| list)),
                Err(error) => {
                    Health::new(Status::Unknown, format!("failed to convert conditions annotation to typed: {error}"))
                }
            },
        },
        "autoscaling/v2" | "autoscaling/v2beta1" | "autoscaling/v2beta2" => {
            judge(object.at(&["status", "conditions"]).and_then(Value::as_list).map_or(&[], |list| list))
        }
        _ => Health::new(Status::Unknown, format!("unsupported HPA GVK: {}", object.gvk())),
    }
}

fn judge(conditions: &[Value]) -> Health {
    let text = |condition: &Value, key: &str| -> String {
        // The annotation has been written with names of both cases.
        let capital = || condition.get(&format!("{}{}", key[..1].to_uppercase(), &key[1..]));
        condition.get(key).or_else(capital).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let failed = |condition: &&Value| FAILURES.contains(&(&text(condition, "type"), &text(condition, "reason")));
    if let Some(condition) = conditions.iter().find(failed) {
        return Health::new(Status::Degraded, text(condition, "message"));
    }
    let works = |condition: &&Value| {
        matches!(text(condition, "type").as_str(), "AbleToScale" | "ScalingLimited")
            && text(condition, "status") == "True"
    };
    match conditions.iter().find(works) {
        Some(condition) => Health::new(Status::Healthy, text(condition, "message")),
        None => Health::new(Status::Progressing, "Waiting to Autoscale"),
    }
}
