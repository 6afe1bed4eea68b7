//! The kinds that Kubernetes brings, judged as Argo CD 3.6's engine does.

mod autoscaling;
mod pods;
mod workloads;

use lockstep_object::{Object, Value};

use crate::{Health, Status};

/// Keeps a hook until its phase is over; such a hook is judged although it is being deleted.
const HOOK_FINALIZER: &str = "argocd.argoproj.io/hook-finalizer";

/// Tells whether an object is being deleted and is no hook that waits for its phase.
pub fn is_leaving(object: &Object) -> bool {
    if object.str_at(&["metadata", "deletionTimestamp"]).is_empty() {
        return false;
    }
    let finalizers = object.at(&["metadata", "finalizers"]).and_then(Value::as_list);
    !finalizers.is_some_and(|list| list.iter().any(|name| name.as_str() == Some(HOOK_FINALIZER)))
}

/// Returns the verdict on an object that is being deleted.
pub fn pending_deletion() -> Health {
    Health::new(Status::Progressing, "Pending deletion")
}

/// Judges an object of a built-in kind; `None` for every other kind.
pub fn judge(object: &Object, group: &str) -> Option<Health> {
    let version = object.api_version().rsplit('/').next().unwrap_or_default();
    let judge: fn(&Object) -> Health = match (group, object.kind()) {
        ("apps", "Deployment" | "StatefulSet" | "ReplicaSet" | "DaemonSet") if version != "v1" => unsupported,
        ("", "Pod" | "PersistentVolumeClaim" | "Service") if version != "v1" => unsupported,
        ("batch", "Job") if version != "v1" => unsupported,
        ("apps", "Deployment") => workloads::deployment,
        ("apps", "StatefulSet") => workloads::stateful_set,
        ("apps", "ReplicaSet") => workloads::replica_set,
        ("apps", "DaemonSet") => workloads::daemon_set,
        ("batch", "Job") => workloads::job,
        ("", "Pod") => pods::pod,
        ("", "PersistentVolumeClaim") => claim,
        ("", "Service") => service,
        ("networking.k8s.io" | "extensions", "Ingress") => ingress,
        ("autoscaling", "HorizontalPodAutoscaler") => autoscaling::autoscaler,
        ("apiregistration.k8s.io", "APIService") => api_service,
        ("argoproj.io", "Workflow") => workflow,
        _ => return None,
    };
    Some(if is_leaving(object) { pending_deletion() } else { judge(object) })
}

fn unsupported(object: &Object) -> Health {
    Health::new(Status::Unknown, format!("unsupported {} GVK: {}", object.kind(), object.gvk()))
}

/// Walks the conditions of an object's status.
pub(crate) fn conditions(object: &Object) -> impl Iterator<Item = Condition<'_>> {
    let list = object.at(&["status", "conditions"]).and_then(Value::as_list).map_or(&[][..], |list| list);
    list.iter().map(Condition)
}

/// A condition of an object's status.
#[derive(Clone, Copy)]
pub(crate) struct Condition<'a>(&'a Value);

impl<'a> Condition<'a> {
    fn text(self, key: &str) -> &'a str {
        self.0.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn kind(self) -> &'a str {
        self.text("type")
    }

    pub(crate) fn status(self) -> &'a str {
        self.text("status")
    }

    pub(crate) fn reason(self) -> &'a str {
        self.text("reason")
    }

    pub(crate) fn message(self) -> &'a str {
        self.text("message")
    }
}

fn claim(object: &Object) -> Health {
    let status = match object.str_at(&["status", "phase"]) {
        "Lost" => Status::Degraded,
        "Pending" => Status::Progressing,
        "Bound" => Status::Healthy,
        _ => Status::Unknown,
    };
    Health::new(status, "")
}

fn service(object: &Object) -> Health {
    if object.str_at(&["spec", "type"]) == "LoadBalancer" {
        return Health::new(balanced(object), "");
    }
    Health::new(Status::Healthy, "")
}

fn ingress(object: &Object) -> Health {
    Health::new(balanced(object), "")
}

/// Healthy once a load balancer has an address.
fn balanced(object: &Object) -> Status {
    let addresses = object.at(&["status", "loadBalancer", "ingress"]).and_then(Value::as_list);
    if addresses.is_some_and(|list| !list.is_empty()) { Status::Healthy } else { Status::Progressing }
}

fn api_service(object: &Object) -> Health {
    match conditions(object).find(|condition| condition.kind() == "Available") {
        None => Health::new(Status::Progressing, "Waiting to be processed"),
        Some(condition) => {
            let status = if condition.status() == "True" { Status::Healthy } else { Status::Progressing };
            Health::new(status, format!("{}: {}", condition.reason(), condition.message()))
        }
    }
}

fn workflow(object: &Object) -> Health {
    let status = match object.str_at(&["status", "phase"]) {
        "" | "Pending" | "Running" => Status::Progressing,
        "Succeeded" => Status::Healthy,
        "Failed" | "Error" => Status::Degraded,
        _ => Status::Unknown,
    };
    Health::new(status, object.str_at(&["status", "message"]))
}
