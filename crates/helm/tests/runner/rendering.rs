//! What users rely on, in small.

use std::{collections::BTreeMap, sync::Arc};

use lockstep_helm::{HookEvent, Lookup, Options, PostRender, render};
use lockstep_object::Value;

use crate::{chart, release, text, texts};

fn check(template: &str, expect: &str) {
    match text(template) {
        Ok(text) => assert_eq!(text, expect, "{template}"),
        Err(error) => assert_eq!(error.to_string(), expect, "{template}"),
    }
}

#[test]
fn numbers_of_values_files_are_floats_and_those_of_set_integers() {
    let files = [("values.yaml", "num: 1000000"), ("templates/t.yaml", "{{ .Values.num }} {{ kindOf .Values.m }}")];
    let mut options = Options::default();
    options.values.set.push("m=3".into());
    assert_eq!(texts(&files, &options).unwrap()["t/templates/t.yaml"], "1e+06 int64");
}

#[test]
fn errors_come_in_helms_words() {
    check("{{ fail \"no\" }}", "execution error at (t/templates/t.yaml:1:3): no");
    check("{{ required \"need it\" .Values.x }}", "execution error at (t/templates/t.yaml:1:3): need it");
    check("{{ nosuch }}", "parse error at (t/templates/t.yaml:1): function \"nosuch\" not defined");
    check(
        "{{ include \"nosuch\" . }}",
        "t/templates/t.yaml:1:3\n  executing \"t/templates/t.yaml\" at <include \"nosuch\" .>:\n    error calling include:\n\
         template: no template \"nosuch\" associated with template \"gotpl\"",
    );
}

#[test]
fn null_removes_a_default() {
    let files = [("values.yaml", "a: {b: 1, c: 2}\nd: 3"), ("templates/t.yaml", "{{ toJson .Values }}")];
    let mut options = Options::default();
    options.values.files.push(("v.yaml".into(), "a: {b: null}\nd: null".into()));
    assert_eq!(texts(&files, &options).unwrap()["t/templates/t.yaml"], "{\"a\":{\"c\":2}}");
}

#[test]
fn globals_and_parent_values_reach_a_subchart() {
    let files = [
        ("values.yaml", "global: {g: 1}\nsub: {k: 2}"),
        ("charts/sub/Chart.yaml", "apiVersion: v2\nname: sub\nversion: 0.1.0\n"),
        ("charts/sub/values.yaml", "k: 0\nl: 3"),
        ("charts/sub/templates/s.yaml", "{{ toJson .Values }}"),
    ];
    let rendered = texts(&files, &Options::default()).unwrap();
    assert_eq!(rendered["t/charts/sub/templates/s.yaml"], "{\"global\":{\"g\":1},\"k\":2,\"l\":3}");
}

#[test]
fn hooks_are_kept_apart_and_manifests_sorted() {
    let files = [
        ("templates/a.yaml", "kind: Deployment\nmetadata: {name: d}\n---\nkind: Namespace\nmetadata: {name: n}\n"),
        (
            "templates/h.yaml",
            "kind: Job\nmetadata:\n  name: h\n  annotations:\n    helm.sh/hook: pre-install,post-upgrade\n    helm.sh/hook-weight: \"-5\"\n",
        ),
    ];
    let rendered = render(&chart(&files).unwrap(), &release(), &Options::default()).unwrap();
    let kinds: Vec<&str> = rendered.manifests.iter().map(|m| m.kind.as_str()).collect();
    assert_eq!(kinds, ["Namespace", "Deployment"]);
    assert_eq!((rendered.manifests[0].index, rendered.manifests[0].line), (1, 4));
    assert_eq!(rendered.hooks[0].events, [HookEvent::PreInstall, HookEvent::PostUpgrade]);
    assert_eq!(rendered.hooks[0].weight, -5);
    assert!(rendered.template_output().ends_with("hook-weight: \"-5\"\n\n"));
}

struct Cluster;

impl Lookup for Cluster {
    fn lookup(&self, _: &str, kind: &str, _: &str, name: &str) -> Result<Option<Value>, String> {
        let found = lockstep_object::from_json(br#"{"data": {"k": "v"}}"#).map_err(|error| error.to_string())?;
        Ok((kind == "Secret" && name == "s").then_some(found))
    }
}

#[test]
fn lookup_asks_the_caller() {
    let template =
        "{{ (lookup \"v1\" \"Secret\" \"ns\" \"s\").data.k }}{{ lookup \"v1\" \"Secret\" \"ns\" \"t\" | len }}";
    let options = Options { lookup: Some(Arc::new(Cluster)), ..Options::default() };
    assert_eq!(texts(&[("templates/t.yaml", template)], &options).unwrap()["t/templates/t.yaml"], "v0");
    check(template.split_once("}}").unwrap().1, "0");
}

struct Rename;

impl PostRender for Rename {
    fn run(&self, files: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, String> {
        Ok(files.into_iter().map(|(path, text)| (path, text.replace("old", "new"))).collect())
    }
}

#[test]
fn a_post_renderer_changes_what_is_sorted() {
    let chart = chart(&[("templates/a.yaml", "kind: A\nmetadata: {name: old}\n")]).unwrap();
    let options = Options { post_render: Some(Arc::new(Rename)), ..Options::default() };
    assert_eq!(render(&chart, &release(), &options).unwrap().manifests[0].name, "new");
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_a_warning_says_where() {
    let chart = chart(&[("templates/a.yaml", "kind: A\nx: {{ randAlphaNum 8 }}\n")]).unwrap();
    let options = Options { seed: 7, ..Options::default() };
    let one = render(&chart, &release(), &options).unwrap();
    let two = render(&chart, &release(), &options).unwrap();
    assert_eq!(one.template_output(), two.template_output());
    assert!(one.warnings.iter().any(|w| w.contains("t/templates/a.yaml:2:") && w.contains("randAlphaNum")));
}

#[test]
fn a_chart_is_shared_between_threads() {
    let chart = chart(&[("templates/a.yaml", "kind: {{ .Release.Name }}\n")]).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| render(&chart, &release(), &Options::default()).unwrap());
        }
    });
}

/// Each line is what Helm 4.3.1 printed.
#[test]
fn corners_of_printing_are_those_of_go() {
    check("{{ .Capabilities.KubeVersion }}", "v1.37.0");
    check("{{ print .Capabilities.KubeVersion }}", "{v1.37.0 v1.37.0 1 37}");
    check("{{ .Capabilities.KubeVersion | default 1 }}", "{v1.37.0 v1.37.0 1 37}");
    check(
        "{{ .Capabilities.HelmVersion | toJson }}",
        r#"{"version":"v4.3","go_version":"go1.26.8","kube_client_version":"v1.37"}"#,
    );
    check("{{ (fromYaml \"a: -0.0\").a }}", "-0");
    check("{{ toYaml (fromYaml \"a: -0.0\") }}", "a: 0");
    check("{{ printf \"%w\" (list 1) }}", "%!w([]interface {}=[1])");
    check("{{ printf \"%#x\" 7.0 }}", "0x1.c000p+02");
    check("{{ printf \"%d\" (semver \"1.2.3\") }}", "&{1 2 3 %!d(string=) %!d(string=) %!d(string=1.2.3)}");
    check("{{ addf \"1_000\" 1 }}", "1001");
    check("{{ fromJson \"t\" }}", "map[Error:invalid character ' ' in literal true (expecting 'r')]");
    check("{{ fromToml \"a\" }}", "map[Error:toml: line 1: unexpected EOF; expected key separator '=']");
    check("{{ fromToml \"a ' = 1\" }}", "map[Error:toml: line 1: expected '.' or '=', but got '\\'' instead]");
    check("{{ .Chart.Annotations.none | toJson }}", "\"\"");
    check(
        "{{ typeOf .Values }} {{ typeOf (.Values.AsMap) }} {{ typeOf (unset .Values \"x\") }}",
        "common.Values map[string]interface {} map[string]interface {}",
    );
}
