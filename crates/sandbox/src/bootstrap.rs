//! The roles that every API server comes with.

use std::sync::Arc;

use lockstep_object::{Object, Value, from_json};

use crate::{
    build::{list_at, map, text_at},
    moment::Moment,
    server::Server,
};

/// The default roles and bindings of kube-apiserver 1.36, aggregated ones filled in: name, namespace, labels and what
/// the kind has. Recorded from a real cluster.
const RECORDED: &[u8] = include_bytes!("../data/roles.json");
const GROUP: &str = "rbac.authorization.k8s.io";

/// Makes the roles and bindings that are not there.
pub(crate) fn roles(server: &mut Server, moment: &mut Moment) {
    let recorded = from_json(RECORDED).unwrap_or_default();
    for (plural, kind) in [
        ("clusterroles", "ClusterRole"),
        ("clusterrolebindings", "ClusterRoleBinding"),
        ("roles", "Role"),
        ("rolebindings", "RoleBinding"),
    ] {
        let store: Arc<str> = format!("{GROUP}/{plural}").into();
        for entry in list_at(&recorded, &[plural]) {
            let (name, namespace) = (text_at(entry, &["name"]), text_at(entry, &["namespace"]));
            if server.store.get(&store, namespace, name).is_none() {
                server.store.put(&store, role(entry, kind, moment));
            }
        }
    }
}

/// Makes one of them.
fn role(entry: &Value, kind: &str, moment: &mut Moment) -> Object {
    let mut labels = entry.get("labels").and_then(Value::as_map).cloned().unwrap_or_default();
    labels.insert("kubernetes.io/bootstrapping", "rbac-defaults");
    let mut metadata = map! {
        "name" => text_at(entry, &["name"]), "uid" => moment.uid(), "creationTimestamp" => moment.seconds(),
        "labels" => labels, "annotations" => map! { "rbac.authorization.kubernetes.io/autoupdate" => "true" },
    };
    let namespace = text_at(entry, &["namespace"]);
    if !namespace.is_empty() {
        metadata.insert("namespace", namespace);
    }
    let mut object = map! { "apiVersion" => format!("{GROUP}/v1"), "kind" => kind, "metadata" => metadata };
    for key in ["aggregationRule", "rules", "roleRef", "subjects"] {
        if let Some(value) = entry.get(key) {
            object.insert(key, value.clone());
        }
    }
    Object::new(object)
}

/// Makes the nodes that pretend to run pods.
pub(crate) fn nodes(server: &mut Server, moment: &mut Moment) {
    for name in server.settings.nodes.clone() {
        if server.store.get("/nodes", "", &name).is_some() {
            continue;
        }
        let time = moment.seconds();
        let ready = map! {
            "type" => "Ready", "status" => "True", "lastHeartbeatTime" => time.as_str(), "lastTransitionTime" => time.as_str(),
            "reason" => "KubeletReady", "message" => "kubelet is posting ready status",
        };
        let amounts = || map! { "cpu" => "32", "memory" => "256Gi", "pods" => "10000" };
        let labels = map! { "kubernetes.io/hostname" => name.as_str(), "kubernetes.io/os" => "linux", "kubernetes.io/arch" => "amd64" };
        let metadata =
            map! { "name" => name.as_str(), "uid" => moment.uid(), "creationTimestamp" => time, "labels" => labels };
        let info = map! { "kubeletVersion" => "v1.36.3", "operatingSystem" => "linux", "architecture" => "amd64" };
        let status = map! {
            "capacity" => amounts(), "allocatable" => amounts(), "conditions" => vec![Value::Map(ready)], "nodeInfo" => info,
        };
        let node = map! { "apiVersion" => "v1", "kind" => "Node", "metadata" => metadata, "spec" => lockstep_object::Map::new(), "status" => status };
        server.store.put(&"/nodes".into(), Object::new(node));
    }
}
