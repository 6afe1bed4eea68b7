//! Complaints of real users about drift that is none, and drift that is: one file a case.
#![allow(clippy::unwrap_used, clippy::panic)]

use lockstep_diff::{Ignore, Mode, ObjectDiff, Options, compare, line_of};
use lockstep_object::{Object, Value, yaml};

fn texts(case: &Value, key: &str) -> Vec<String> {
    let list = case.get(key).and_then(Value::as_list).cloned().unwrap_or_default();
    list.iter().map(|item| item.as_str().unwrap().to_owned()).collect()
}

fn check(name: &str, case: &Value) -> Option<String> {
    let object = |key: &str| Object::try_from(case.get(key).cloned().unwrap()).unwrap();
    let mut ignore: Vec<Ignore> = texts(case, "ignore").iter().map(|rule| rule.parse().unwrap()).collect();
    ignore.push(Ignore::managers(texts(case, "ignore-managers")));
    let mode = if case.get("mode").is_some() { Mode::Whole } else { Mode::Desired };
    let manager = case.get("manager").and_then(Value::as_str);
    let options = Options { mode, ignore: &ignore, manager, lists: None };
    let changes = compare(&object("desired"), &object("live"), &options);
    let found: Vec<String> = changes.iter().map(line_of).collect();
    let expected = texts(case, "changes");
    (found != expected).then(|| format!("{name}: {found:#?} instead of {expected:#?}"))
}

#[test]
fn each_case_gives_its_changes_and_no_other() {
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let case = yaml::parse(&std::fs::read_to_string(&path).unwrap()).unwrap();
        wrong.extend(check(&name, &case));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn object(text: &str) -> Object {
    Object::try_from(yaml::parse(text).unwrap()).unwrap()
}

const WANTED: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, labels: {team: a}}
spec: {replicas: 2, template: {spec: {containers: [{name: web, image: 'shop/web:1.5', args: ['--port=1']}]}}}
";

const FOUND: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
  managedFields:
    - {manager: lockstep, operation: Apply, time: "2026-01-01T00:00:00Z", fieldsV1: {"f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"web"}': {".": {}, "f:image": {}, "f:args": {}}}}}}}}
    - {manager: kubectl-scale, operation: Update, subresource: scale, time: "2026-01-02T00:00:00Z", fieldsV1: {"f:spec": {"f:replicas": {}}}}
    - {manager: kubectl-edit, operation: Update, time: "2026-01-03T00:00:00Z", fieldsV1: {"f:metadata": {"f:annotations": {"f:x": {}}}}}
spec: {replicas: 5, template: {spec: {containers: [{name: web, image: 'shop/web:1.5', args: ['--port=1']}]}}}
"#;

#[test]
fn drift_names_who_changed_what() {
    let changes = lockstep_diff::foreign_changes(&object(WANTED), &object(FOUND), "lockstep", &[]);
    let told: Vec<(String, String, bool)> = changes
        .into_iter()
        .map(|found| {
            (line_of(&found.change), found.author.map_or_else(String::new, |author| author.manager), found.certain)
        })
        .collect();
    let expected = [
        ("metadata.labels removed (was {\"team\":\"a\"})", "kubectl-edit", false),
        ("spec.replicas 2 → 5", "kubectl-scale", true),
    ];
    assert_eq!(told, expected.map(|(line, author, certain)| (line.to_owned(), author.to_owned(), certain)));
}

fn diffs() -> Vec<ObjectDiff> {
    let options = Options { mode: Mode::Whole, ..Options::default() };
    let old = object("{apiVersion: v1, kind: ConfigMap, metadata: {name: api-old}}");
    let new = object("{apiVersion: v1, kind: ConfigMap, metadata: {name: api-flags}}");
    let script = |text: &str| {
        let mut map = object("{apiVersion: v1, kind: ConfigMap, metadata: {name: web, namespace: shop}}");
        map.root_mut().map_entry("data").insert("run.sh", text);
        map
    };
    let before = script("a\nb\nc\nd\ne\nf\ng\n");
    let after = script("a\nb\nc\nd\nE\nf\ng\n");
    let image = |image: &str| object(&WANTED.replace("shop/web:1.5", image));
    let mut removed = ObjectDiff::of("api", None, Some(&old), &options).unwrap();
    removed.note = "would be pruned".to_owned();
    vec![
        ObjectDiff::of("shop", Some(&image("shop/web:1.5")), Some(&image("shop/web:1.4")), &options).unwrap(),
        ObjectDiff::of("shop", Some(&after), Some(&before), &options).unwrap(),
        ObjectDiff::of("api", Some(&new), None, &options).unwrap(),
        removed,
    ]
}

#[test]
fn a_terminal_reads_paths_and_lines() {
    let expected = "\
shop · Deployment/web (namespace shop)
  spec.template.spec.containers[web].image: shop/web:1.4 → shop/web:1.5
shop · ConfigMap/web (namespace shop)
  data[run.sh]:
      c
      d
    - e
    + E
      f
      g
api · 1 object added, 1 deleted
  + ConfigMap/api-flags
  - ConfigMap/api-old      (would be pruned)
";
    assert_eq!(lockstep_diff::text(&diffs()), expected);
}

#[test]
fn a_pull_request_reads_a_patch() {
    let expected = "\
### shop

<details open><summary><b>Deployment/web</b> (namespace shop)</summary>

```diff
- spec.template.spec.containers[web].image: shop/web:1.4
+ spec.template.spec.containers[web].image: shop/web:1.5
```
</details>

<details open><summary><b>ConfigMap/web</b> (namespace shop)</summary>

```diff
  data[run.sh]:
  c
  d
- e
+ E
  f
  g
```
</details>

### api

- added: `ConfigMap/api-flags`
- deleted: `ConfigMap/api-old` (would be pruned)

";
    assert_eq!(lockstep_diff::markdown(&diffs()), expected);
}

#[test]
fn a_shown_secret_tells_its_keys_only() {
    let secret = object(
        "{apiVersion: v1, kind: Secret, metadata: {name: s, annotations: {kubectl.kubernetes.io/last-applied-configuration: hunter2, a: b}}, data: {password: aHVudGVyMg==}, stringData: {x: hunter2}}",
    );
    let shown = lockstep_object::to_json(&lockstep_diff::masked(&secret).into_value());
    assert!(shown.contains("password") && shown.contains("\"a\":\"b\""), "{shown}");
    assert!(!shown.contains("hunter") && !shown.contains("aHVu"), "{shown}");
}

#[test]
fn an_object_does_not_differ_from_itself() {
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases")).unwrap() {
        let path = entry.unwrap().path();
        let case = yaml::parse(&std::fs::read_to_string(&path).unwrap()).unwrap();
        for key in ["desired", "live"] {
            let object = Object::try_from(case.get(key).cloned().unwrap()).unwrap();
            for mode in [Mode::Desired, Mode::Whole] {
                let options = Options { mode, manager: Some("lockstep"), ..Options::default() };
                assert_eq!(compare(&object, &object, &options), [], "{}", path.display());
            }
        }
    }
}
