//! Watches, as their clients read them.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use lockstep_sandbox::{Options, Sandbox, SandboxBody};
use tower::ServiceExt;

use crate::{CONFIGS, send};

async fn watch(sandbox: &Sandbox, query: &str) -> SandboxBody {
    let request = Request::get(format!("{CONFIGS}?watch=1&{query}")).body(Full::new(Bytes::new())).unwrap();
    let response = sandbox.service().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    response.into_body()
}

/// Reads the next piece; nobody else wakes the watch, so nothing to read is an error at once.
async fn piece(body: &mut SandboxBody) -> String {
    let frame = tokio::time::timeout(std::time::Duration::from_secs(10), body.frame()).await;
    let frame = frame.expect("the watch stands still").expect("the watch ended").unwrap();
    String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap()
}

async fn create(sandbox: &Sandbox, name: &str, data: &str) {
    let body =
        format!(r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"{name}"}},"data":{{"x":"{data}"}}}}"#);
    assert_eq!(send(sandbox, "POST", CONFIGS, "application/json", &body).await.0, 201);
}

#[tokio::test]
async fn a_selector_that_passes_over_many_changes_still_finds_the_one_behind_them() {
    let sandbox = Sandbox::new(Options { seed: Some(1), ..Options::default() }).unwrap();
    let mut body = watch(&sandbox, "fieldSelector=metadata.name%3Dwanted").await;
    for number in 0..1000 {
        create(&sandbox, &format!("c{number}"), "").await;
    }
    create(&sandbox, "wanted", "").await;
    assert!(piece(&mut body).await.contains(r#""name":"wanted""#));
}

#[tokio::test]
async fn pieces_of_a_watch_are_short_and_nothing_is_missing() {
    let sandbox = Sandbox::new(Options { seed: Some(1), ..Options::default() }).unwrap();
    let data = "x".repeat(1000);
    for number in 0..50 {
        create(&sandbox, &format!("c{number:03}"), &data).await;
    }
    let mut body = watch(&sandbox, "").await;
    for number in 50..200 {
        create(&sandbox, &format!("c{number:03}"), &data).await;
    }
    let mut names = Vec::new();
    while names.len() < 200 {
        let piece = piece(&mut body).await;
        assert!(piece.len() < 40_000, "{}", piece.len());
        let found = piece.split(r#""metadata":{"name":""#).skip(1).map(|rest| rest[..4].to_owned());
        names.extend(found.filter(|name| name.starts_with('c')));
    }
    assert!(names.iter().eq(&(0..200).map(|number| format!("c{number:03}")).collect::<Vec<_>>()), "{names:?}");
}
