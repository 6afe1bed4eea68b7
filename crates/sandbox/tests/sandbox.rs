//! The server as its clients meet it.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "sandbox/controller.rs"]
mod controller;
#[path = "sandbox/fuzz.rs"]
mod fuzz;
#[path = "sandbox/validation.rs"]
mod validation;
#[path = "sandbox/watching.rs"]
mod watching;

use std::time::Duration;

use http::Request;
use http_body_util::{BodyExt, Full};
use lockstep_object::{Value, from_json};
use lockstep_sandbox::{Options, Sandbox};
use tower::ServiceExt;

const CONFIG: &str = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"x":"1"}}"#;
const CONFIGS: &str = "/api/v1/namespaces/default/configmaps";

async fn send(sandbox: &Sandbox, method: &str, path: &str, kind: &str, body: &str) -> (u16, Value) {
    let request = Request::builder().method(method).uri(path).header("content-type", kind);
    let request = request.body(Full::new(bytes::Bytes::from(body.to_owned()))).unwrap();
    let response = sandbox.service().oneshot(request).await.unwrap();
    let code = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (code, from_json(&body).unwrap_or_default())
}

async fn get(sandbox: &Sandbox, path: &str) -> (u16, Value) {
    send(sandbox, "GET", path, "application/json", "").await
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let options = || Options { data: Some(folder.path().join("objects")), seed: Some(1), ..Options::default() };
    let first = Sandbox::new(options()).unwrap();
    assert_eq!(send(&first, "POST", CONFIGS, "application/json", CONFIG).await.0, 201);
    let before = get(&first, &format!("{CONFIGS}/a")).await;
    drop(first);
    let second = Sandbox::new(options()).unwrap();
    assert_eq!(get(&second, &format!("{CONFIGS}/a")).await, before);
}

#[tokio::test]
async fn kubeconfigs_and_tokens_of_accounts_outlive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let start = |seed| {
        let data = Some(folder.path().join("objects"));
        Sandbox::new(Options { data, seed: Some(seed), ..Options::default() }).unwrap()
    };
    let whoami = async |sandbox: &Sandbox, token: &str| {
        let request = Request::builder().method("POST").uri("/apis/authentication.k8s.io/v1/selfsubjectreviews");
        let request =
            request.header("authorization", format!("Bearer {token}")).header("content-type", "application/json");
        let body = r#"{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}"#;
        let request = request.body(Full::new(bytes::Bytes::from(body))).unwrap();
        let response = sandbox.service_as(None).oneshot(request).await.unwrap();
        let body = from_json(&response.into_body().collect().await.unwrap().to_bytes()).unwrap();
        body.at(&["status", "userInfo", "username"]).and_then(Value::as_str).map(str::to_owned)
    };
    let first = start(1);
    let account = r#"{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"robot"}}"#;
    let accounts = "/api/v1/namespaces/default/serviceaccounts";
    assert_eq!(send(&first, "POST", accounts, "application/json", account).await.0, 201);
    let request = r#"{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{}}"#;
    let made = send(&first, "POST", &format!("{accounts}/robot/token"), "application/json", request).await.1;
    let robot = made.at(&["status", "token"]).and_then(Value::as_str).unwrap().to_owned();
    let (authority, admin) = (first.authority().to_owned(), first.admin_token().to_owned());
    drop(first);
    let second = start(2);
    assert_eq!(second.authority(), authority);
    assert_eq!(whoami(&second, &admin).await.as_deref(), Some("admin"));
    assert_eq!(whoami(&second, &robot).await.as_deref(), Some("system:serviceaccount:default:robot"));
    assert_eq!(whoami(&second, "other").await, None);
}

const TARGET: &str = r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"replicas":REPLICAS,
    "selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},
    "spec":{"containers":[{"name":"web","image":"web:1"}]}}}}"#;
const AUTOSCALER: &str = r#"{"apiVersion":"autoscaling/v2","kind":"HorizontalPodAutoscaler","metadata":{"name":"web"},
    "spec":{"minReplicas":2,"maxReplicas":4,"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"web"},
    "metrics":[METRIC]}}"#;
const CPU: &str =
    r#"{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":99}}}"#;
const QUEUE: &str =
    r#"{"type":"External","external":{"metric":{"name":"queue"},"target":{"type":"Value","value":"1"}}}"#;

/// The target comes after its autoscaler, as in a sync without waves.
#[tokio::test]
async fn an_autoscaler_brings_its_target_within_its_limits() {
    let cases = [
        (1, CPU, 2, "True ReadyForNewScale, True ValidMetricFound, False DesiredWithinRange"),
        (3, CPU, 3, "True ReadyForNewScale, True ValidMetricFound, False DesiredWithinRange"),
        (9, CPU, 4, "True ReadyForNewScale, True ValidMetricFound, False DesiredWithinRange"),
        (0, CPU, 0, "True SucceededGetScale, False ScalingDisabled"),
        (9, QUEUE, 4, "True SucceededGetScale, False FailedGetExternalMetric"),
    ];
    for (replicas, metric, scaled, expected) in cases {
        let clock: lockstep_sandbox::Clock = std::sync::Arc::new(|| jiff::Timestamp::UNIX_EPOCH);
        let options = Options { controllers: true, seed: Some(1), clock: Some(clock), ..Options::default() };
        let sandbox = Sandbox::new(options).unwrap();
        let autoscalers = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers";
        let autoscaler = AUTOSCALER.replace("METRIC", metric);
        assert_eq!(send(&sandbox, "POST", autoscalers, "application/json", &autoscaler).await.0, 201);
        sandbox.step();
        let says = async || {
            let found = get(&sandbox, &format!("{autoscalers}/web")).await.1;
            let text = |one: &Value, key: &str| one.get(key).and_then(Value::as_str).unwrap().to_owned();
            let conditions = found.at(&["status", "conditions"]).and_then(Value::as_list).unwrap().iter();
            let said = conditions.map(|one| format!("{} {}", text(one, "status"), text(one, "reason")));
            said.collect::<Vec<_>>().join(", ")
        };
        assert_eq!(says().await, "False FailedGetScale");
        let deployments = "/apis/apps/v1/namespaces/default/deployments";
        let target = TARGET.replace("REPLICAS", &replicas.to_string());
        assert_eq!(send(&sandbox, "POST", deployments, "application/json", &target).await.0, 201);
        sandbox.step();
        let (_, target) = get(&sandbox, &format!("{deployments}/web")).await;
        assert_eq!(target.at(&["spec", "replicas"]), Some(&Value::Int(scaled)), "{replicas} {metric}");
        assert_eq!(says().await, expected, "{replicas} {metric}");
    }
}

#[tokio::test]
async fn two_appliers_of_one_field_conflict() {
    let sandbox = Sandbox::new(Options { seed: Some(1), ..Options::default() }).unwrap();
    let apply = |manager: &'static str, body: &'static str| {
        let sandbox = sandbox.clone();
        async move {
            let path = format!("{CONFIGS}/a?fieldManager={manager}");
            send(&sandbox, "PATCH", &path, "application/apply-patch+yaml", body).await
        }
    };
    assert_eq!(apply("one", CONFIG).await.0, 201);
    let other = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"x":"2"}}"#;
    let (code, status) = apply("two", other).await;
    assert_eq!(code, 409);
    let message = status.get("message").and_then(Value::as_str).unwrap();
    assert_eq!(message, "Apply failed with 1 conflict: conflict with \"one\": .data.x");
}

/// Two hours pass between two requests, so a write would show in the times.
#[tokio::test]
async fn what_is_applied_again_changes_nothing_and_what_differs_does() {
    let hours = std::sync::Arc::new(std::sync::atomic::AtomicI64::new(0));
    let passing = hours.clone();
    let clock: lockstep_sandbox::Clock = std::sync::Arc::new(move || {
        let seconds = passing.fetch_add(7200, std::sync::atomic::Ordering::Relaxed);
        jiff::Timestamp::from_second(seconds).unwrap()
    });
    let sandbox = Sandbox::new(Options { seed: Some(1), clock: Some(clock), ..Options::default() }).unwrap();
    let one = TARGET.replace("REPLICAS", "1");
    let reordered =
        one.replace(r#""apiVersion":"apps/v1","kind":"Deployment","#, r#""kind":"Deployment","apiVersion":"apps/v1","#);
    let fewer = one.replace(r#""replicas":1,"#, "");
    let stale = one.replace(r#""name":"web"},"spec":{"rep"#, r#""name":"web","resourceVersion":"1"},"spec":{"rep"#);
    // Who applies, what, the status code, and whether it is a write.
    let cases = [
        ("one", &one, 201, true),
        ("one", &one, 200, false),
        ("one", &reordered, 200, false),
        ("two", &one, 200, true),
        ("one", &one, 200, false),
        ("two", &one, 200, false),
        ("two", &stale, 409, false),
        ("two", &fewer, 200, true),
        ("one", &one, 200, false),
        ("one", &fewer, 200, true),
        ("two", &fewer, 200, false),
    ];
    let path = "/apis/apps/v1/namespaces/default/deployments/web";
    let mut known = Value::Null;
    for (place, (manager, body, expect, writes)) in cases.into_iter().enumerate() {
        let query = format!("{path}?fieldManager={manager}");
        let (code, answer) = send(&sandbox, "PATCH", &query, "application/apply-patch+yaml", body).await;
        assert_eq!(code, expect, "{place}: {answer:?}");
        let now = get(&sandbox, path).await.1;
        assert_eq!(now != known, writes, "{place}");
        assert!(code > 201 || answer == now, "{place}");
        known = now;
    }
}

#[tokio::test]
async fn a_deployment_becomes_available_when_the_controllers_step() {
    let clock: lockstep_sandbox::Clock = std::sync::Arc::new(|| "2026-01-01T00:00:00Z".parse().unwrap());
    let options = Options {
        controllers: true,
        kubelet_delay: Duration::ZERO,
        seed: Some(1),
        clock: Some(clock),
        ..Options::default()
    };
    let sandbox = Sandbox::new(options).unwrap();
    let body = r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"replicas":2,
        "selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},
        "spec":{"containers":[{"name":"c","image":"nginx:1"}]}}}}"#;
    let path = "/apis/apps/v1/namespaces/default/deployments";
    assert_eq!(send(&sandbox, "POST", path, "application/json", body).await.0, 201);
    for _ in 0..20 {
        sandbox.step();
    }
    let (_, found) = get(&sandbox, &format!("{path}/web")).await;
    assert_eq!(found.at(&["status", "availableReplicas"]), Some(&Value::Int(2)));
}

#[tokio::test]
async fn hostile_bodies_are_refused_and_not_a_crash() {
    let sandbox = Sandbox::new(Options { seed: Some(1), ..Options::default() }).unwrap();
    let deep = "[".repeat(100_000);
    for body in ["", "null", "[]", "{", "\u{0}", "{\"metadata\":{\"name\":1}}", deep.as_str()] {
        for (method, path) in [("POST", CONFIGS), ("PATCH", "/api/v1/namespaces/default/configmaps/a")] {
            for kind in
                ["application/json", "application/yaml", "application/apply-patch+yaml", "application/json-patch+json"]
            {
                let (code, _) = send(&sandbox, method, path, kind, body).await;
                assert!(code >= 400, "{method} {kind} {body:.20}: {code}");
            }
        }
    }
}
