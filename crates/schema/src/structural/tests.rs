use lockstep_object::{from_json, to_json};

use super::*;

fn schema() -> Structural {
    let text = r#"{"type":"object","properties":{"spec":{"type":"object","required":["must"],"properties":{
        "must":{"type":"string"},
        "count":{"type":"integer","minimum":1,"maximum":5,"default":2},
        "port":{"x-kubernetes-int-or-string":true},
        "kind":{"type":"string","enum":["A","B"]},
        "free":{"type":"object","x-kubernetes-preserve-unknown-fields":true,"properties":{"known":{"type":"object"}}},
        "inner":{"type":"object","properties":{"x":{"type":"string","default":"d"}}},
        "never":{"type":"string"},
        "maybe":{"type":"string","nullable":true},
        "list":{"type":"array","x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["k"],"maxItems":2,
            "items":{"type":"object","properties":{"k":{"type":"string"},"v":{"type":"integer"}}}},
        "either":{"oneOf":[{"type":"string"},{"type":"string","minLength":3}]},
        "object":{"type":"object","x-kubernetes-embedded-resource":true}
    }}}}"#;
    Structural::of_object(&from_json(text.as_bytes()).unwrap())
}

fn value(json: &str) -> Value {
    from_json(json.as_bytes()).unwrap()
}

fn check(spec: &str, expect: &[&str]) {
    let object = value(&format!(r#"{{"apiVersion":"x/v1","kind":"X","metadata":{{}},"spec":{spec}}}"#));
    let found: Vec<String> = schema().validate(&object).iter().map(|e| format!("{}: {}", e.field, e.message)).collect();
    assert_eq!(found, expect);
}

#[test]
fn errors_are_worded_as_the_api_server_does() {
    check(r#"{"must":"x","count":3,"port":"http"}"#, &[]);
    check("{}", &["spec.must: Required value"]);
    check(r#""x""#, &[r#"spec: Invalid value: "string": spec in body must be of type object: "string""#]);
    check(
        r#"{"must":1}"#,
        &[r#"spec.must: Invalid value: "integer": spec.must in body must be of type string: "integer""#],
    );
    check(
        r#"{"must":"x","count":9,"kind":"C"}"#,
        &[
            "spec.count: Invalid value: 9: spec.count in body should be less than or equal to 5",
            r#"spec.kind: Unsupported value: "C": supported values: "A", "B""#,
        ],
    );
    check(
        r#"{"must":"x","port":true}"#,
        &[r#"spec.port: Invalid value: "boolean": spec.port in body must be of type integer,string: "boolean""#],
    );
    check(
        r#"{"must":"x","list":[{"k":"a"},{"k":"a"},{"k":"b"}]}"#,
        &["spec.list: Too many: 3: must have at most 2 items", r#"spec.list[1]: Duplicate value: {"k":"a"}"#],
    );
    check(
        r#"{"must":"x","either":"long"}"#,
        &[
            r#"<nil>: Invalid value: "": "spec.either" must validate one and only one schema (oneOf). Found 2 valid alternatives"#,
        ],
    );
    check(r#"{"must":"x","object":{"kind":"K"}}"#, &["spec.object.apiVersion: Required value"]);
}

#[test]
fn an_update_may_keep_what_was_wrong_before() {
    let old = value(r#"{"spec":{"kind":"old","list":[{"k":"a","v":"x"}]}}"#);
    let same = value(r#"{"spec":{"kind":"old","list":[{"k":"a","v":"x"},{"k":"b"}],"must":"x"}}"#);
    assert_eq!(schema().validate_update(&same, &old), []);
    let worse = value(r#"{"spec":{"kind":"other","must":"x"}}"#);
    assert_eq!(schema().validate_update(&worse, &old).len(), 1);
}

#[test]
fn unknown_fields_are_pruned_except_where_they_are_free() {
    let mut object = value(
        r#"{"apiVersion":"a","kind":"K","metadata":{"x":1},"extra":1,"spec":{"b":1,"free":{"any":1,"known":{"q":1}},
            "list":[{"k":"a","z":1}],"object":{"apiVersion":"v1","kind":"P","metadata":{"name":"n","bogus":1},"y":1}}}"#,
    );
    let gone = schema().prune(&mut object);
    assert_eq!(
        gone,
        ["extra", "spec.b", "spec.free.known.q", "spec.list[0].z", "spec.object.y", "spec.object.metadata.bogus"]
    );
    assert_eq!(
        to_json(object.get("spec").unwrap()),
        r#"{"free":{"any":1,"known":{}},"list":[{"k":"a"}],"object":{"apiVersion":"v1","kind":"P","metadata":{"name":"n"}}}"#
    );
}

#[test]
fn defaults_need_a_parent_and_replace_wrong_nulls() {
    let mut object = value(r#"{"spec":{"inner":{},"count":null,"never":null,"maybe":null}}"#);
    schema().fill_defaults(&mut object);
    assert_eq!(to_json(&object), r#"{"spec":{"inner":{"x":"d"},"count":2,"maybe":null}}"#);
}
