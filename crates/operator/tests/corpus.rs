//! What users of GitOps tools complain about, played on the sandbox: one file of `corpus/diff` a case.
//!
//! A case applies an object as we do, lets others write, and says what drift that is; where it ignores something, a
//! sync must leave the ignored value as it is.
#![allow(clippy::unwrap_used, clippy::panic)]

use http::Request;
use http_body_util::{BodyExt, Full};
use lockstep_diff::{Ignore, foreign_changes, line_of, respected};
use lockstep_object::{Map, Object, Value, from_json, to_json, yaml};
use lockstep_sandbox::{Options, Sandbox, SandboxService};
use tower::ServiceExt;

const MANAGER: &str = "lockstep";

struct Server(SandboxService, String);

impl Server {
    async fn patch(&self, path: &str, manager: &str, kind: &str, body: &Value) -> Object {
        let force = if kind == "apply-patch+yaml" { "&force=true" } else { "" };
        let request = Request::patch(format!("{path}?fieldManager={manager}{force}"))
            .header("content-type", format!("application/{kind}"))
            .header("authorization", format!("Bearer {}", self.1))
            .body(Full::new(std::io::Cursor::new(to_json(body))))
            .unwrap();
        let answer = self.0.clone().oneshot(request).await.unwrap();
        let status = answer.status();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(status.is_success(), "{path}: {status} {}", String::from_utf8_lossy(&bytes));
        Object::try_from(from_json(&bytes).unwrap()).unwrap()
    }

    async fn apply(&self, path: &str, object: &Object) -> Object {
        self.patch(path, MANAGER, "apply-patch+yaml", &object.to_value()).await
    }
}

fn texts(case: &Value, key: &str) -> Vec<String> {
    let list = case.get(key).and_then(Value::as_list).cloned().unwrap_or_default();
    list.iter().map(|item| item.as_str().unwrap().to_owned()).collect()
}

fn drift_of(desired: &Object, live: &Object, ignore: &[Ignore]) -> Vec<String> {
    let word = |one: &lockstep_diff::ForeignChange| {
        let by = one.author.as_ref().map(|author| author.manager.as_str()).unwrap_or_default();
        format!("{} ({by})", line_of(&one.change))
    };
    foreign_changes(desired, live, MANAGER, ignore).iter().map(word).collect()
}

async fn check(server: &Server, name: &str, case: &Value) {
    let desired = Object::try_from(case.get("apply").cloned().unwrap()).unwrap();
    let path = case.get("path").and_then(Value::as_str).unwrap();
    let mut live = server.apply(path, &desired).await;
    for write in case.get("writes").and_then(Value::as_list).cloned().unwrap_or_default().iter() {
        let manager = write.get("manager").and_then(Value::as_str).unwrap();
        live = server.patch(path, manager, "merge-patch+json", write.get("patch").unwrap()).await;
    }
    assert_eq!(drift_of(&desired, &live, &[]), texts(case, "drift"), "{name}");
    let ignore: Vec<Ignore> = texts(case, "ignore").iter().map(|rule| rule.parse().unwrap()).collect();
    if ignore.is_empty() {
        return;
    }
    assert_eq!(drift_of(&desired, &live, &ignore), Vec::<String>::new(), "{name}, ignored");
    let synced = server.apply(path, &respected(&desired, &live, MANAGER, &ignore)).await;
    if let Some(keeps) = case.get("keeps") {
        let keys: Vec<String> = texts(keeps, "path");
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        assert_eq!(synced.at(&keys), keeps.get("value"), "{name}: a sync leaves what is ignored");
    }
}

#[tokio::test]
async fn each_complaint_is_answered_as_its_file_says() {
    let sandbox = Sandbox::new(Options { controllers: false, ..Options::default() }).unwrap();
    let server = Server(sandbox.service(), sandbox.admin_token().to_owned());
    let namespace: Map = [("name", "corpus")].into_iter().collect();
    let namespace: Map =
        [("apiVersion", Value::from("v1")), ("kind", "Namespace".into()), ("metadata", Value::Map(namespace))]
            .into_iter()
            .collect();
    server.apply("/api/v1/namespaces/corpus", &Object::new(namespace)).await;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../corpus/diff");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 8);
    for file in files {
        let case = yaml::parse(&std::fs::read_to_string(&file).unwrap()).unwrap();
        check(&server, &file.file_stem().unwrap().to_string_lossy(), &case).await;
    }
}
