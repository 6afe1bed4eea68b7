//! The roles that every API server comes with.

use lockstep_object::{List, Object, Value};

use crate::{
    build::{map, texts},
    moment::Moment,
    server::Server,
};

const ROLES: &str = "rbac.authorization.k8s.io/clusterroles";
const BINDINGS: &str = "rbac.authorization.k8s.io/clusterrolebindings";

fn rule(verbs: &[&str], groups: &[&str], resources: &[&str]) -> Value {
    Value::Map(map! {
        "verbs" => texts(verbs.iter().copied()), "apiGroups" => texts(groups.iter().copied()),
        "resources" => texts(resources.iter().copied()),
    })
}

fn path_rule(verbs: &[&str], paths: &[&str]) -> Value {
    Value::Map(map! { "verbs" => texts(verbs.iter().copied()), "nonResourceURLs" => texts(paths.iter().copied()) })
}

/// Makes the roles if they are not there.
pub(crate) fn roles(server: &mut Server, moment: &mut Moment) {
    let read = ["get", "list", "watch"];
    let write = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
    let work = ["", "apps", "batch", "autoscaling", "networking.k8s.io", "policy", "discovery.k8s.io", "events.k8s.io"];
    let rbac = ["rbac.authorization.k8s.io"];
    let all = [
        ("cluster-admin", vec![rule(&["*"], &["*"], &["*"]), path_rule(&["*"], &["*"])]),
        ("admin", vec![rule(&write, &work, &["*"]), rule(&write, &rbac, &["roles", "rolebindings"])]),
        ("edit", vec![rule(&write, &work, &["*"])]),
        ("view", vec![rule(&read, &work, VIEWED)]),
    ];
    for (name, rules) in all {
        put(server, moment, ROLES, "ClusterRole", name, |object| {
            object.root_mut().insert("rules", rules.into_iter().collect::<List>());
        });
    }
    put(server, moment, BINDINGS, "ClusterRoleBinding", "cluster-admin", |object| {
        let group = "rbac.authorization.k8s.io";
        let reference = map! { "apiGroup" => group, "kind" => "ClusterRole", "name" => "cluster-admin" };
        let subject = map! { "apiGroup" => group, "kind" => "Group", "name" => "system:masters" };
        object.root_mut().insert("roleRef", reference);
        object.root_mut().insert("subjects", vec![Value::Map(subject)]);
    });
}

/// What the role `view` shows: everything but secrets.
const VIEWED: &[&str] = &[
    "configmaps",
    "endpoints",
    "events",
    "limitranges",
    "namespaces",
    "persistentvolumeclaims",
    "pods",
    "pods/log",
    "pods/status",
    "replicationcontrollers",
    "resourcequotas",
    "serviceaccounts",
    "services",
    "controllerrevisions",
    "daemonsets",
    "deployments",
    "deployments/scale",
    "replicasets",
    "replicasets/scale",
    "statefulsets",
    "statefulsets/scale",
    "cronjobs",
    "jobs",
    "horizontalpodautoscalers",
    "ingresses",
    "networkpolicies",
    "poddisruptionbudgets",
    "endpointslices",
];

fn put(server: &mut Server, moment: &mut Moment, store: &str, kind: &str, name: &str, fill: impl FnOnce(&mut Object)) {
    if server.store.get(store, "", name).is_some() {
        return;
    }
    let metadata = map! {
        "name" => name, "uid" => moment.uid(), "creationTimestamp" => moment.seconds(),
        "labels" => map! { "kubernetes.io/bootstrapping" => "rbac-defaults" },
        "annotations" => map! { "rbac.authorization.kubernetes.io/autoupdate" => "true" },
    };
    let mut object =
        Object::new(map! { "apiVersion" => "rbac.authorization.k8s.io/v1", "kind" => kind, "metadata" => metadata });
    fill(&mut object);
    server.store.put(&store.into(), object);
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
