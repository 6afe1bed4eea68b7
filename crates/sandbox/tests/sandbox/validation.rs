//! What is refused, in the words of kube-apiserver 1.36.

use super::send;
use lockstep_object::Value;
use lockstep_sandbox::{Options, Sandbox};

/// Path, body, message.
const REFUSED: &[(&str, &str, &str)] = &[
    (
        "/apis/apps/v1/namespaces/default/deployments",
        r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d"}}"#,
        "Deployment.apps \"d\" is invalid: [spec.selector: Required value, spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`, spec.template.spec.containers: Required value]",
    ),
    (
        "/api/v1/namespaces/default/pods",
        r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i","ports":[{"containerPort":70000,"protocol":"HTTP"}]}]}}"#,
        "Pod \"p\" is invalid: [spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive, spec.containers[0].ports[0].protocol: Unsupported value: \"HTTP\": supported values: \"SCTP\", \"TCP\", \"UDP\"]",
    ),
    (
        "/api/v1/namespaces/default/pods",
        r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i","resources":{"requests":{"cpu":"2"},"limits":{"cpu":"1"}}}]}}"#,
        "Pod \"p\" is invalid: spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1",
    ),
    (
        "/api/v1/namespaces/default/services",
        r#"{"apiVersion":"v1","kind":"Service","metadata":{"name":"s"},"spec":{"selector":{"app":"a"}}}"#,
        "Service \"s\" is invalid: spec.ports: Required value",
    ),
    (
        "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings",
        r#"{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"RoleBinding","metadata":{"name":"b"}}"#,
        "RoleBinding.rbac.authorization.k8s.io \"b\" is invalid: [roleRef.kind: Unsupported value: \"\": supported values: \"Role\", \"ClusterRole\", roleRef.name: Required value]",
    ),
    (
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        r#"{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"gadgets.example.com"},"spec":{"group":"example.com","scope":"Namespaced","names":{"plural":"gadgets","kind":"Gadget"},"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object","properties":{"spec":{}}}}}]}}"#,
        "CustomResourceDefinition.apiextensions.k8s.io \"gadgets.example.com\" is invalid: spec.validation.openAPIV3Schema.properties[spec].type: Required value: must not be empty for specified object fields",
    ),
];

const DEFINITION: &str = r#"{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"gadgets.example.com"},"spec":{"group":"example.com","scope":"Namespaced","names":{"plural":"gadgets","kind":"Gadget"},"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object","properties":{"spec":{"type":"object","properties":{"size":{"type":"integer","maximum":9,"x-kubernetes-validations":[{"rule":"self >= oldSelf","message":"may only grow"}]}}}}}}}]}}"#;

fn message(status: &Value) -> &str {
    status.get("message").and_then(Value::as_str).unwrap_or_default()
}

#[tokio::test]
async fn objects_are_refused_in_the_servers_words() {
    let sandbox = Sandbox::new(Options { seed: Some(1), bare: true, ..Options::default() }).unwrap();
    for (path, body, expect) in REFUSED {
        let (code, status) = send(&sandbox, "POST", path, "application/json", body).await;
        assert_eq!((code, message(&status)), (422, *expect), "{path} {body}");
    }
}

#[tokio::test]
async fn custom_resources_keep_to_schema_and_rules() {
    let sandbox = Sandbox::new(Options { seed: Some(1), bare: true, ..Options::default() }).unwrap();
    let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    assert_eq!(send(&sandbox, "POST", definitions, "application/json", DEFINITION).await.0, 201);
    let gadgets = "/apis/example.com/v1/namespaces/default/gadgets";
    let gadget = |size: i64| {
        format!(
            "{{\"apiVersion\":\"example.com/v1\",\"kind\":\"Gadget\",\"metadata\":{{\"name\":\"g\"}},\"spec\":{{\"size\":{size}}}}}"
        )
    };
    let (_, status) = send(&sandbox, "POST", gadgets, "application/json", &gadget(10)).await;
    let expect = "Gadget.example.com \"g\" is invalid: spec.size: Invalid value: 10: spec.size in body should be less than or equal to 9";
    assert_eq!(message(&status), expect);
    assert_eq!(send(&sandbox, "POST", gadgets, "application/json", &gadget(3)).await.0, 201);
    let one = format!("{gadgets}/g");
    let patch = r#"{"spec":{"size":2}}"#;
    let (_, status) = send(&sandbox, "PATCH", &one, "application/merge-patch+json", patch).await;
    assert_eq!(message(&status), "Gadget.example.com \"g\" is invalid: spec.size: Invalid value: 2: may only grow");
}
