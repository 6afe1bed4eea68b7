//! Services, ingresses and claims.

use lockstep_object::{List, Map, Object, Value};

use super::{MANAGER, controlled, create, is_deleted, owner_reference, pods, update, write_status};
use crate::{
    build::{list_at, map, set_at, text_at},
    moment::Moment,
    select::Labels,
    server::Server,
};

const SLICES: &str = "discovery.k8s.io/endpointslices";

/// Gives a load balancer its address and keeps the EndpointSlice of a Service.
pub(super) fn service(server: &mut Server, moment: &mut Moment, object: &Object) {
    if is_deleted(object) {
        return;
    }
    let value = object.to_value();
    let waits = list_at(&value, &["status", "loadBalancer", "ingress"]).is_empty();
    if text_at(&value, &["spec", "type"]) == "LoadBalancer" && waits && server.settings.scheduler {
        let number = moment.draw() % 250 + 2;
        let entry = map! { "ip" => format!("203.0.113.{number}"), "ipMode" => "VIP" };
        let balancer = map! { "ingress" => vec![Value::Map(entry)] };
        write_status(server, moment, object, Value::Map(map! { "loadBalancer" => balancer }));
    }
    if let Some(selector) = value.at(&["spec", "selector"]).and_then(Value::as_map).filter(|map| !map.is_empty()) {
        slice(server, moment, object, &Labels::of_map(selector));
    }
}

fn slice(server: &mut Server, moment: &mut Moment, service: &Object, labels: &Labels) {
    let found: Vec<Object> = server
        .store
        .bucket("/pods")
        .into_iter()
        .flat_map(|bucket| bucket.range(Some(service.namespace())))
        .map(|(_, one)| one.object.clone())
        .filter(|pod| labels.matches(pod) && !pod.str_at(&["status", "podIP"]).is_empty())
        .collect();
    let endpoints: List = found.iter().map(endpoint).collect();
    let ports: List = list_at(&service.to_value(), &["spec", "ports"])
        .iter()
        .map(|port| {
            let number = port.get("targetPort").filter(|value| value.as_i64().is_some()).or_else(|| port.get("port"));
            map! {
                "name" => text_at(port, &["name"]), "protocol" => text_at(port, &["protocol"]),
                "port" => number.cloned().unwrap_or_default(),
            }
        })
        .collect();
    let existing = controlled(server, SLICES, service).into_iter().next();
    match existing {
        Some(old) => {
            let mut new = old.clone();
            new.root_mut().insert("endpoints", if endpoints.is_empty() { Value::Null } else { endpoints.into() });
            new.root_mut().insert("ports", ports);
            update(server, moment, &old, new, "", "endpoint-slice-controller");
        }
        None => {
            let mut labels = service.at(&["metadata", "labels"]).and_then(Value::as_map).cloned().unwrap_or_default();
            labels.insert("endpointslice.kubernetes.io/managed-by", "endpointslice-controller.k8s.io");
            labels.insert("kubernetes.io/service-name", service.name());
            let metadata = map! {
                "generateName" => format!("{}-", service.name()), "namespace" => service.namespace(), "labels" => labels,
                "ownerReferences" => vec![owner_reference(service)],
            };
            let slice = map! {
                "apiVersion" => "discovery.k8s.io/v1", "kind" => "EndpointSlice", "metadata" => metadata,
                "addressType" => "IPv4", "endpoints" => endpoints, "ports" => ports,
            };
            create(server, moment, SLICES, Object::new(slice));
        }
    }
}

fn endpoint(pod: &Object) -> Map {
    let ready = pods::is_ready(pod);
    let target = map! {
        "kind" => "Pod", "namespace" => pod.namespace(), "name" => pod.name(), "uid" => crate::strategy::uid_of(pod),
    };
    map! {
        "addresses" => crate::build::texts([pod.str_at(&["status", "podIP"])]),
        "conditions" => map! { "ready" => ready, "serving" => ready, "terminating" => is_deleted(pod) },
        "targetRef" => target, "nodeName" => pod.str_at(&["spec", "nodeName"]),
    }
}

/// Gives an Ingress its address.
pub(super) fn ingress(server: &mut Server, moment: &mut Moment, object: &Object) {
    let waits = list_at(&object.to_value(), &["status", "loadBalancer", "ingress"]).is_empty();
    if waits && !is_deleted(object) && server.settings.scheduler {
        let balancer = map! { "ingress" => vec![Value::Map(map! { "ip" => "203.0.113.1" })] };
        write_status(server, moment, object, Value::Map(map! { "loadBalancer" => balancer }));
    }
}

/// Binds a claim to a volume that is made for it.
pub(super) fn claim(server: &mut Server, moment: &mut Moment, object: &Object) {
    if is_deleted(object) || object.str_at(&["status", "phase"]) != "Pending" || !server.settings.scheduler {
        return;
    }
    let name = format!("pvc-{}", crate::strategy::uid_of(object));
    let spec = object.at(&["spec"]).cloned().unwrap_or_default();
    let modes = spec.get("accessModes").cloned().unwrap_or_default();
    let capacity = spec.at(&["resources", "requests"]).cloned().unwrap_or_default();
    if server.store.get("/persistentvolumes", "", &name).is_none() {
        let reference = map! {
            "kind" => "PersistentVolumeClaim", "apiVersion" => "v1", "namespace" => object.namespace(), "name" => object.name(),
            "uid" => crate::strategy::uid_of(object),
        };
        let mut volume = map! {
            "capacity" => capacity.clone(), "accessModes" => modes.clone(), "claimRef" => reference,
            "persistentVolumeReclaimPolicy" => "Delete", "hostPath" => map! { "path" => format!("/simulated/{name}") },
        };
        if let Some(class) = spec.get("storageClassName") {
            volume.insert("storageClassName", class.clone());
        }
        let metadata = map! { "name" => name.as_str(), "ownerReferences" => vec![] as Vec<Value> };
        let volume =
            map! { "apiVersion" => "v1", "kind" => "PersistentVolume", "metadata" => metadata, "spec" => volume };
        if let Some(created) = create(server, moment, "/persistentvolumes", Object::new(volume)) {
            write_status(server, moment, &created, Value::Map(map! { "phase" => "Bound" }));
        }
    }
    let mut new = object.clone();
    set_at(new.root_mut(), &["spec", "volumeName"], name);
    update(server, moment, object, new, "", MANAGER);
    let Some(current) =
        server.store.get("/persistentvolumeclaims", object.namespace(), object.name()).map(|one| one.object.clone())
    else {
        return;
    };
    let status = map! { "phase" => "Bound", "accessModes" => modes, "capacity" => capacity };
    write_status(server, moment, &current, Value::Map(status));
}
