//! `lockstep install`: what a cluster needs to run Lockstep.

use lockstep_object::{Object, from_json, yaml};
use serde_json::{Value, json};

use crate::{End, arguments, connect};

pub(crate) async fn install(arguments: arguments::Install) -> anyhow::Result<End> {
    let manifests = manifests(&arguments.namespace, &arguments.image);
    if !arguments.apply {
        for (place, manifest) in manifests.iter().enumerate() {
            if place > 0 {
                println!("---");
            }
            print!("{}", yaml::print(&from_json(manifest.to_string().as_bytes())?));
        }
        return Ok(End::Done);
    }
    let cluster = connect::connect(&arguments.connection).await?;
    connect::install_crds(&cluster).await?;
    for manifest in manifests.iter().skip(lockstep_api::crds().len()) {
        let object = Object::try_from(from_json(manifest.to_string().as_bytes())?)?;
        cluster.apply(&object.key(), &object.gvk().version, manifest.to_string().as_bytes()).await?;
        eprintln!("applied {}", object.key());
    }
    Ok(End::Done)
}

fn manifests(namespace: &str, image: &str) -> Vec<Value> {
    let labels = json!({"app.kubernetes.io/name": "lockstep"});
    let meta = json!({"name": "lockstep", "namespace": namespace, "labels": labels});
    let mut manifests = lockstep_api::crds();
    manifests.extend([
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}),
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": "lockstep", "labels": labels},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": "lockstep", "namespace": namespace}],
        }),
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": meta,
            "spec": {"selector": labels, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
        }),
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta,
            "spec": {
                "replicas": 1, "strategy": {"type": "Recreate"}, "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "serviceAccountName": "lockstep",
                        "securityContext": {"runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
                        "volumes": [{"name": "cache", "emptyDir": {}}],
                        "containers": [{
                            "name": "lockstep", "image": image, "args": ["run"],
                            "ports": [{"name": "http", "containerPort": 8080}],
                            "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http"}},
                            "livenessProbe": {"httpGet": {"path": "/healthz", "port": "http"}},
                            "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
                            "securityContext": {
                                "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                                "capabilities": {"drop": ["ALL"]},
                            },
                            "volumeMounts": [{"name": "cache", "mountPath": "/var/cache/lockstep"}],
                        }],
                    },
                },
            },
        }),
    ]);
    manifests
}
