//! Where a rendered line comes from.

use lockstep_helm::{Options, Rendered, UserValues, render};

use crate::{chart, release};

const FILES: &[(&str, &str)] = &[
    ("Chart.yaml", "apiVersion: v2\nname: t\nversion: 0.1.0\n"),
    ("values.yaml", "replicas: 1\nimage:\n  name: web\n  tag: v1\nlist:\n- {port: 80}\nsub:\n  level: info\n"),
    ("templates/_h.tpl", "{{ define \"image\" }}{{ .Values.image.name }}:{{ .Values.image.tag }}{{ end }}"),
    (
        "templates/web.yaml",
        "kind: ConfigMap\nmetadata: {name: first}\n---\nkind: Deployment\nmetadata:\n  name: web.example\nspec:\n  replicas: {{ .Values.replicas }}\n  image: {{ include \"image\" . }}\n  ports:\n  {{- range .Values.list }}\n  - {{ .port }}\n  {{- end }}\n  fixed: yes\n",
    ),
    ("charts/sub/Chart.yaml", "apiVersion: v2\nname: sub\nversion: 0.1.0\n"),
    ("charts/sub/values.yaml", "level: debug\nown: 3\n"),
    (
        "charts/sub/templates/s.yaml",
        "kind: Secret\nmetadata: {name: s}\ndata:\n  level: {{ .Values.level }}\n  own: {{ .Values.own }}\n",
    ),
];

fn rendered() -> Rendered {
    let values = UserValues {
        files: vec![("prod.yaml".to_owned(), "image:\n  tag: v2\n".to_owned())],
        set: vec!["a=1,replicas=4".to_owned()],
        ..UserValues::default()
    };
    let options = Options { values, trace: true, ..Options::default() };
    render(&chart(FILES).unwrap(), &release(), &options).unwrap()
}

/// Shows an explanation: the line, then each writer's place with its values.
fn check(query: &str, expect: &[&str]) {
    let explanation = rendered().explain(query).unwrap();
    let mut lines = vec![explanation.line];
    for writer in explanation.writers {
        let (place, action) = (writer.place, writer.action.unwrap_or_default());
        lines.push(format!("{}:{}:{} {action}", place.file, place.line, place.column).trim().to_owned());
        lines.extend(writer.values.into_iter().map(|v| format!("{} {}", v.path, v.source.unwrap_or_default())));
    }
    assert_eq!(lines, expect, "{query}");
}

#[test]
fn fields_come_from_templates_and_the_file_or_flag_that_wins() {
    let text = "t/templates/web.yaml";
    check(
        "Deployment/web.example.spec.replicas",
        &[
            "  replicas: 4",
            &format!("{text}:8:2"),
            &format!("{text}:8:15 {{{{.Values.replicas}}}}"),
            "replicas --set a=1,replicas=4",
        ],
    );
    check(
        "Deployment/web.example.spec.image",
        &[
            "  image: web:v2",
            &format!("{text}:9:2"),
            &format!("{text}:9:12 {{{{include \"image\" .}}}}"),
            "image.name t/values.yaml:3",
            "image.tag prod.yaml:2",
        ],
    );
    check(
        "Deployment/web.example.spec.ports[0]",
        &["  - 80", &format!("{text}:12:2"), &format!("{text}:12:7 {{{{.port}}}}"), "list.0.port t/values.yaml:6"],
    );
}

#[test]
fn values_of_subcharts_come_from_the_parent_or_their_own_file() {
    let text = "t/charts/sub/templates/s.yaml";
    check(
        "Secret/s.data.level",
        &[
            "  level: info",
            &format!("{text}:4:2"),
            &format!("{text}:4:12 {{{{.Values.level}}}}"),
            "sub.level t/values.yaml:8",
        ],
    );
    check(
        "Secret/s.data.own",
        &[
            "  own: 3",
            &format!("{text}:5:2"),
            &format!("{text}:5:10 {{{{.Values.own}}}}"),
            "sub.own t/charts/sub/values.yaml:2",
        ],
    );
}

#[test]
fn printed_lines_are_explained_by_their_number() {
    let rendered = rendered();
    let output = rendered.template_output();
    let number = output.lines().position(|line| line == "  fixed: yes").unwrap() + 1;
    let explanation = rendered.explain(&number.to_string()).unwrap();
    assert_eq!(explanation.line, "  fixed: yes");
    assert_eq!((explanation.writers[0].place.line, explanation.writers.len()), (14, 1));
}

#[test]
fn what_is_not_there_is_said() {
    let rendered = rendered();
    for (query, words) in [
        ("Deployment/none.spec", "renders no object"),
        ("Secret/s.data.nope", "has no field data.nope"),
        ("9999", "is not that of a template"),
        ("1", "is not that of a template"),
    ] {
        let error = rendered.explain(query).unwrap_err();
        assert!(error.contains(words), "{query}: {error}");
    }
}
