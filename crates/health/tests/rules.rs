//! What holds for every rule of the library.
#![allow(clippy::unwrap_used, clippy::panic)]

use lockstep_health::{Health, Rules, Status, Timestamp};
use lockstep_object::{Map, Object, Value, from_json};

fn object(kind: &str, rest: &str) -> Object {
    let (group, kind) = kind.rsplit_once('/').unwrap();
    let group = group.replace("_.", "some.");
    let Ok(Value::Map(mut root)) = from_json(rest.as_bytes()) else { panic!("{rest}") };
    root.insert("apiVersion", format!("{group}/v1"));
    root.insert("kind", kind.replace('_', "Thing"));
    Object::new(root)
}

fn kinds_with_builtin(rules: &Rules) -> Vec<String> {
    let builtin = ["apps/Deployment", "apps/StatefulSet", "apps/DaemonSet", "apps/ReplicaSet", "batch/Job"];
    rules.kinds().into_iter().chain(builtin.map(str::to_owned)).collect()
}

#[test]
fn no_rule_breaks_on_an_object_of_an_odd_shape() {
    let rules = Rules::builtin();
    let odd =
        ["null", "1", "-1.5", "true", "\"x\"", "[]", "[null, 1, \"x\", {}, []]", "{}", "{\"type\": 1, \"status\": []}"];
    for kind in kinds_with_builtin(&rules) {
        for value in odd {
            for shape in [
                format!("{{\"status\": {value}, \"spec\": {value}, \"metadata\": {value}}}"),
                format!(
                    "{{\"status\": {{\"conditions\": {value}, \"phase\": {value}, \"state\": {value}, \"parents\": {value}}}}}"
                ),
                format!(
                    "{{\"status\": {{\"conditions\": [{value}, {value}], \"observedGeneration\": {value}}}, \"metadata\": {{\"generation\": 1}}}}"
                ),
            ] {
                // The verdict is the rule's business; that there is an end is ours.
                let verdict = rules.assess(&object(&kind, &shape), Timestamp::UNIX_EPOCH);
                assert!(verdict.is_none_or(|health| health.message.len() < 10_000), "{kind} {shape}");
            }
        }
    }
}

#[test]
fn an_object_that_is_being_deleted_is_progressing_whatever_its_kind() {
    let rules = Rules::builtin();
    for kind in kinds_with_builtin(&rules) {
        let object =
            object(&kind, r#"{"metadata": {"name": "x", "deletionTimestamp": "2026-01-01T00:00:00Z"}, "status": {}}"#);
        let verdict = rules.assess(&object, Timestamp::UNIX_EPOCH).map(|health| health.status);
        assert_eq!(verdict, Some(Status::Progressing), "{kind}");
    }
}

#[test]
fn a_huge_object_ends_the_rule_and_not_the_process() {
    let conditions: Vec<Value> = (0..120_000)
        .map(|number| {
            Value::Map([("type", format!("T{number}")), ("status", "False".to_owned())].into_iter().collect::<Map>())
        })
        .collect();
    let mut huge = object("operators.coreos.com/Subscription", r#"{"status": {}}"#);
    huge.root_mut().map_entry("status").insert("conditions", conditions);
    let verdict = Rules::builtin().assess(&huge, Timestamp::UNIX_EPOCH);
    assert_eq!(verdict, Some(Health::new(Status::Unknown, "the health rule takes too long on this object")));
}

#[test]
fn a_kind_that_nobody_knows_has_no_verdict() {
    let object = object("example.com/Widget", r#"{"status": {"phase": "Broken"}}"#);
    assert_eq!(Rules::builtin().assess(&object, Timestamp::UNIX_EPOCH), None);
}
