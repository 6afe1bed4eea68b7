use lockstep_merge::{json_patch, merge_patch, strategic};
use lockstep_object::{Value, to_json};
use proptest::prelude::*;

use crate::{
    arbitrary::{any_value, schema, typed_object, without_nulls},
    value,
};

fn json_patch(document: &str, patch: &str, expect: &str) {
    let found = match json_patch::apply(&value(document), &value(patch)) {
        Ok(patched) => to_json(&patched),
        Err(error) => error.to_string(),
    };
    assert_eq!(found, expect);
}

#[test]
fn json_patches_follow_the_rfc_and_the_librarys_extensions() {
    json_patch(r#"{"a":[1,3]}"#, r#"[{"op":"add","path":"/a/1","value":2}]"#, r#"{"a":[1,2,3]}"#);
    json_patch(r#"{"a":[1]}"#, r#"[{"op":"add","path":"/a/-","value":2}]"#, r#"{"a":[1,2]}"#);
    json_patch(r#"{"a":[1,2]}"#, r#"[{"op":"remove","path":"/a/-1"}]"#, r#"{"a":[1]}"#);
    json_patch(r#"{"a":{"b":1}}"#, r#"[{"op":"move","from":"/a/b","path":"/c"}]"#, r#"{"a":{},"c":1}"#);
    json_patch(r#"{"a":1}"#, r#"[{"op":"copy","from":"/a","path":"/b"}]"#, r#"{"a":1,"b":1}"#);
    json_patch(r#"{}"#, r#"[{"op":"replace","path":"/a~1b","value":1}]"#, r#"{"a/b":1}"#);
    json_patch(r#"{"a":1}"#, r#"[{"op":"test","path":"/a","value":2}]"#, "testing value /a failed: test failed");
    json_patch(
        r#"{}"#,
        r#"[{"op":"remove","path":"/x"}]"#,
        "error in remove for path: '/x': Unable to remove nonexistent key: x: missing value",
    );
}

#[test]
fn copies_that_grow_without_end_are_refused() {
    let copy = r#"{"op":"copy","from":"/a","path":"/a/-"}"#;
    let patch = format!("[{}]", vec![copy; 60].join(","));
    assert!(json_patch::apply(&value(r#"{"a":["xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]}"#), &value(&patch)).is_err());
}

#[test]
fn a_merge_patch_deletes_with_null() {
    let merged = merge_patch::apply(
        &value(r#"{"a":{"b":1,"c":2},"d":[1]}"#),
        &value(r#"{"a":{"b":null},"d":[2],"e":{"f":null}}"#),
    );
    assert_eq!(to_json(&merged), r#"{"a":{"c":2},"d":[2],"e":{}}"#);
}

fn strategic(original: &str, patch: &str, expect: &str) {
    let (types, root) = schema();
    let schema = strategic::Schema { types: &types, root: &root };
    let found = match strategic::apply(&value(original), &value(patch), schema) {
        Ok(merged) => to_json(&merged),
        Err(error) => error.to_string(),
    };
    assert_eq!(found, expect);
}

#[test]
fn strategic_patches_merge_lists_by_key_and_obey_directives() {
    let original = r#"{"items":[{"name":"a","image":"x"},{"name":"b"}]}"#;
    strategic(
        original,
        r#"{"items":[{"name":"a","image":"y"}]}"#,
        r#"{"items":[{"name":"a","image":"y"},{"name":"b"}]}"#,
    );
    strategic(original, r#"{"items":[{"name":"a","$patch":"delete"}]}"#, r#"{"items":[{"name":"b"}]}"#);
    strategic(original, r#"{"items":[{"$patch":"replace"},{"name":"c"}]}"#, r#"{"items":[{"name":"c"}]}"#);
    strategic(
        original,
        r#"{"$setElementOrder/items":[{"name":"b"},{"name":"a"}]}"#,
        r#"{"items":[{"name":"b"},{"name":"a","image":"x"}]}"#,
    );
    strategic(r#"{"set":["a","b"]}"#, r#"{"$deleteFromPrimitiveList/set":["a"]}"#, r#"{"set":["b"]}"#);
    strategic(
        r#"{"labels":{"a":"x"},"number":1}"#,
        r#"{"$retainKeys":["labels"],"labels":{"b":"y"}}"#,
        r#"{"labels":{"a":"x","b":"y"}}"#,
    );
    strategic(original, r#"{"items":[{"image":"y"}]}"#, "map: map[image:y] does not contain declared merge key: name");
}

#[test]
fn kubectl_apply_deletes_what_it_applied_and_leaves_the_rest() {
    let (types, root) = schema();
    let schema = strategic::Schema { types: &types, root: &root };
    let original = value(r#"{"labels":{"a":"x","gone":"x"}}"#);
    let modified = value(r#"{"labels":{"a":"y"}}"#);
    let current = value(r#"{"labels":{"a":"x","gone":"x","server":"z"}}"#);
    let patch = strategic::three_way(&original, &modified, &current, schema, true).unwrap();
    let applied = strategic::apply(&current, &patch, schema).unwrap();
    assert_eq!(applied, value(r#"{"labels":{"a":"y","server":"z"}}"#));
    let other = merge_patch::three_way(&original, &modified, &current).unwrap();
    assert_eq!(merge_patch::apply(&current, &other), applied);
}

#[test]
fn hostile_depth_is_an_error() {
    let (types, root) = schema();
    let schema = strategic::Schema { types: &types, root: &root };
    let mut deep = value("{}");
    for _ in 0..600 {
        deep = Value::Map([("a", deep)].into_iter().collect());
    }
    assert!(strategic::apply(&deep, &deep, schema).is_err());
}

/// Lists that merge are compared as sets: the maker does not promise their order where items share no order.
fn sorted(value: &Value) -> String {
    match value {
        Value::Map(map) => {
            let mut parts: Vec<String> = map.iter().map(|(key, value)| format!("{key}:{}", sorted(value))).collect();
            parts.sort();
            format!("{{{}}}", parts.join(","))
        }
        Value::List(items) => {
            let mut parts: Vec<String> = items.iter().map(sorted).collect();
            parts.sort();
            format!("[{}]", parts.join(","))
        }
        scalar => to_json(scalar),
    }
}

proptest! {
    #[test]
    fn a_made_merge_patch_gives_the_target(original in without_nulls(), modified in without_nulls()) {
        let patch = merge_patch::diff(&original, &modified).unwrap();
        prop_assert_eq!(merge_patch::apply(&original, &patch), modified);
    }

    #[test]
    fn a_made_strategic_patch_gives_the_target(original in typed_object(), modified in typed_object()) {
        let (types, root) = schema();
        let schema = strategic::Schema { types: &types, root: &root };
        let patch = strategic::diff(&original, &modified, schema).unwrap();
        let patched = strategic::apply(&original, &patch, schema).unwrap();
        prop_assert_eq!(sorted(&patched), sorted(&modified));
    }

    #[test]
    fn nothing_panics(a in any_value(), b in any_value(), c in any_value()) {
        let (types, root) = schema();
        let schema = strategic::Schema { types: &types, root: &root };
        drop(json_patch::apply(&a, &b));
        drop(merge_patch::apply(&a, &b));
        drop(merge_patch::three_way(&a, &b, &c));
        drop(strategic::apply(&a, &b, schema));
        drop(strategic::diff(&a, &b, schema));
        drop(strategic::three_way(&a, &b, &c, schema, false));
    }

    #[test]
    fn json_patch_operations_never_panic(document in any_value(), op in "(add|remove|replace|move|copy|test)",
        path in "(/[a-d0-9~-]{0,3}){0,3}", from in "(/[a-d0-9]{0,2}){0,2}", new in any_value()) {
        let operation = value(&format!(r#"[{{"op":"{op}","path":"{path}","from":"{from}","value":{}}}]"#, to_json(&new)));
        drop(json_patch::apply(&document, &operation));
    }
}
