//! Random requests: whatever comes, the server answers with a `Status`, and never with an internal error.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use lockstep_sandbox::{Options, Sandbox};
use proptest::{prelude::*, test_runner::TestRunner};
use tower::ServiceExt;

/// Starts of paths, each of something that the server knows or nearly knows.
const PATHS: &[&str] = &[
    "/api/v1/namespaces/default/pods",
    "/api/v1/namespaces/default/pods/p",
    "/api/v1/namespaces/default/pods/p/status",
    "/api/v1/namespaces/default/pods/p/eviction",
    "/api/v1/namespaces/default/services",
    "/api/v1/namespaces/default/services/s",
    "/api/v1/namespaces/default/configmaps/c",
    "/api/v1/namespaces/default/limitranges",
    "/api/v1/namespaces/default/resourcequotas",
    "/api/v1/namespaces/fuzz",
    "/api/v1/namespaces",
    "/api/v1/nodes",
    "/apis/apps/v1/namespaces/default/deployments",
    "/apis/apps/v1/namespaces/default/deployments/d",
    "/apis/apps/v1/namespaces/default/deployments/d/scale",
    "/apis/apps/v1/namespaces/default/statefulsets",
    "/apis/batch/v1/namespaces/default/jobs",
    "/apis/batch/v1/namespaces/default/cronjobs",
    "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers",
    "/apis/networking.k8s.io/v1/namespaces/default/ingresses",
    "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies",
    "/apis/policy/v1/namespaces/default/poddisruptionbudgets",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
    "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    "/openapi/v3",
    "/apis",
    "/",
];
const METHODS: &[&str] = &["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "NOPE"];
const TYPES: &[&str] = &[
    "application/json",
    "application/yaml",
    "application/merge-patch+json",
    "application/json-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
    "application/vnd.kubernetes.protobuf",
    "text/plain",
];
/// Keys that mean something, so that bodies come past the first check.
const KEYS: &[&str] = &[
    "apiVersion",
    "kind",
    "metadata",
    "name",
    "namespace",
    "labels",
    "annotations",
    "managedFields",
    "ownerReferences",
    "finalizers",
    "resourceVersion",
    "spec",
    "status",
    "template",
    "containers",
    "image",
    "env",
    "valueFrom",
    "ports",
    "containerPort",
    "volumes",
    "configMap",
    "resources",
    "limits",
    "cpu",
    "selector",
    "matchLabels",
    "matchExpressions",
    "replicas",
    "strategy",
    "rules",
    "data",
    "type",
    "items",
    "$patch",
    "$retainKeys",
    "versions",
    "schema",
    "openAPIV3Schema",
    "properties",
    "default",
    "x-kubernetes-validations",
    "rule",
    "names",
    "plural",
    "group",
    "scope",
    "schedule",
    "jobTemplate",
    "affinity",
    "tolerations",
    "limits",
    "hard",
    "metrics",
    "behavior",
];
const WORDS: &[&str] = &[
    "",
    "a",
    "v1",
    "apps/v1",
    "Pod",
    "Deployment",
    "Service",
    "CustomResourceDefinition",
    "default",
    "p",
    "d",
    "0",
    "-1",
    "1Gi",
    "9999999999999999999",
    "50%",
    "None",
    "ClusterIP",
    "Always",
    "self.a[",
    "{{",
    "\u{0}",
    "é",
    "a/b",
    "a.b.c/d",
    "2020-01-01T00:00:00Z",
    "10.0.0.1",
    "::1",
    "*/5 * * * *",
    "object",
];

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|truth| truth.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f32>().prop_filter("JSON has only finite numbers", |n| n.is_finite()).prop_map(|n| format!("{n:e}")),
        prop::sample::select(WORDS).prop_map(|word| serde_json::to_string(word).unwrap()),
    ];
    leaf.prop_recursive(7, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec((prop::sample::select(KEYS), inner), 0..6).prop_map(|entries| {
                let entries: Vec<String> = entries.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
                format!("{{{}}}", entries.join(","))
            }),
        ]
    })
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => json().prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..64),
        1 => (1_usize..20_000).prop_map(|depth| "[".repeat(depth).into_bytes()),
        1 => (1_usize..5_000).prop_map(|depth| "{\"a\":".repeat(depth).into_bytes()),
        1 => (1_usize..2_000).prop_map(|depth| format!("{}1", "- ".repeat(depth)).into_bytes()),
    ]
}

fn query() -> impl Strategy<Value = String> {
    let keys = &[
        "fieldManager",
        "force",
        "dryRun",
        "fieldValidation",
        "limit",
        "continue",
        "resourceVersion",
        "labelSelector",
        "fieldSelector",
        "pretty",
        "propagationPolicy",
        "resourceVersionMatch",
        "timeoutSeconds",
    ];
    let values = &["", "1", "true", "All", "Strict", "-1", "a=b", "a in (", "x", "%00", "%", "Orphan", "NotOlderThan"];
    let pair = (prop::sample::select(keys), prop::sample::select(values));
    prop::collection::vec(pair, 0..3)
        .prop_map(|pairs| pairs.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("&"))
}

async fn send(sandbox: &Sandbox, method: &str, uri: &str, kind: &str, body: Vec<u8>) -> (u16, Bytes) {
    let request = http::Request::builder().method(method).uri(uri).header("content-type", kind);
    let request = request.body(Full::new(Bytes::from(body))).unwrap();
    let response = sandbox.service().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    (status, response.into_body().collect().await.unwrap().to_bytes())
}

fn sandbox() -> Sandbox {
    Sandbox::new(Options { bare: true, seed: Some(1), ..Options::default() }).unwrap()
}

#[test]
fn random_requests_get_an_answer_and_break_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let sandbox = sandbox();
    let mut runner = TestRunner::new(ProptestConfig { cases: 1500, failure_persistence: None, ..Default::default() });
    let request =
        (prop::sample::select(METHODS), prop::sample::select(PATHS), query(), prop::sample::select(TYPES), body());
    let outcome = runner.run(&request, |(method, path, query, kind, body)| {
        let uri = format!("{path}?{query}");
        let Ok(uri) = uri.parse::<http::Uri>() else { return Ok(()) };
        let (status, answer) = runtime.block_on(send(&sandbox, method, &uri.to_string(), kind, body));
        prop_assert!(status >= 200, "{method} {path}: {status}");
        if status >= 500 {
            // Some errors of clients are 500 in the real server too; they must say why.
            let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap_or_default();
            prop_assert_eq!(answer["kind"].as_str(), Some("Status"));
            prop_assert!(answer["message"].as_str().is_some_and(|message| !message.is_empty()));
        }
        Ok(())
    });
    outcome.unwrap();
    let (status, _) = runtime.block_on(send(&sandbox, "GET", "/api/v1/namespaces", "application/json", Vec::new()));
    assert_eq!(status, 200, "the server still answers");
}

#[test]
fn a_body_above_three_megabytes_is_too_large() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let body = vec![b' '; 3 * 1024 * 1024 + 1];
    let path = "/api/v1/namespaces/default/configmaps";
    let (status, answer) = runtime.block_on(send(&sandbox(), "POST", path, "application/json", body));
    assert_eq!(status, 413);
    let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["reason"], "RequestEntityTooLarge");
}
